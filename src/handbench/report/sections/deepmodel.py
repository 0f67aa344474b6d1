"""The section of deepmodel: its ablation, its curves and bars against others, its fits and its hands in pictures."""

import numpy as np

from handbench.conventions import DATASETS
from handbench.evaluation import tables
from handbench.evaluation.claim_variants import FULL
from handbench.evaluation.paper_numbers import DEEPMODEL_FIGURE_7, DEEPMODEL_FIGURES_5_6
from handbench.evaluation.tables import FigureData
from handbench.report.comparisons import (
    add_run,
    build_bars,
    build_comparison,
    build_curves,
    build_run_bars,
    build_run_curves,
    name_partial,
    read_figure,
    tell_coverage,
)
from handbench.report.fit_items import build_fit_table
from handbench.report.hand_pictures import build_meshes, build_skeletons
from handbench.report.items import Absent, Item, Section, Table
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.speed_table import PrintedSpeed, build_speed
from handbench.report.stamps import SEPARATOR, stamp_results
from handbench.report.variant_items import (
    CURVES_ONLY,
    build_angle_bars,
    build_impossible_table,
    build_table_1,
    build_variant_curves,
)

OURS = "DeepModel (ours)"
MODULES = {"DeepPrior": "feedback15_deepprior", "Feedback": "feedback15", OURS: FULL}
"""Rows of the figures and the modules of this project that stand for them."""
PRINTED_SPEED = PrintedSpeed("GTX 960", 8.0, 125.0)
TIMED = "the network and its hand model layer, of which the paper's ran on the GPU and on the CPU"


def build_section(sources: Sources) -> Section:
    nyu = read_figure(tables.deepmodel_figures_5_6, sources)
    icvl = read_figure(tables.deepmodel_figure_7, sources)
    covered = () if icvl is None else tell_coverage(icvl, "icvl")
    stamp_nyu, stamp_icvl = sources.stamp("nyu"), sources.stamp("icvl")
    on_nyu = _join_run(nyu, "nyu", stamp_nyu, sources)
    on_icvl = _join_run(None if icvl is None else name_partial(icvl, "icvl"), "icvl", stamp_icvl, sources)
    return Section(
        paper="deepmodel",
        title="Model-based Deep Hand Pose Estimation",
        citation="Zhou, Wan, Zhang, Xue and Wei, IJCAI 2016",
        intro=("A network estimates the parameters of a hand model, and a layer turns them into joints.",),
        items=(
            *_show_variants(sources, nyu, stamp_nyu),
            build_fit_table("deepmodel_fits", "Section 4: the hand model fitted to labels", sources),
            *_show_pictures(sources),
            build_curves("deepmodel_figure_5", "deepmodel, Fig. 5: accuracy on NYU", *on_nyu),
            build_bars("deepmodel_figure_6", "deepmodel, Fig. 6: error of each joint on NYU", *on_nyu),
            *_show_run("nyu", ("5", "6"), sources),
            _compare_means("nyu", "5", nyu, sources, stamp_nyu),
            build_curves("deepmodel_figure_7", "deepmodel, Fig. 7: accuracy on ICVL", *on_icvl, covered),
            build_bars("deepmodel_figure_7_bars", "deepmodel, Fig. 7: error of each joint on ICVL", *on_icvl, covered),
            *_show_run("icvl", ("7", "7_bars"), sources),
            _compare_means("icvl", "7", icvl, sources, stamp_icvl),
            build_speed("deepmodel_speed", "Section 4: frames a second", FULL, PRINTED_SPEED, TIMED, sources),
        ),
    )


def _join_run(data: FigureData | None, dataset: str, stamp: str, sources: Sources) -> tuple[FigureData | None, str]:
    """A figure of published methods with this run's beside them, where that may be, and what to say below it."""
    joined = None if data is None else add_run(data, dataset, FULL, sources)
    if joined is data:
        return data, stamp
    return joined, f"{stamp}{SEPARATOR}this run: {stamp_results(sources.find_results(dataset=dataset, module=FULL))}"


def _show_variants(sources: Sources, nyu: FigureData | None, stamp: str) -> tuple[Item, ...]:
    recomputed_mm = np.nan if nyu is None else float(nyu.means.set_index("method").loc[OURS, "recomputed_mm"])
    return (
        build_table_1(
            "deepmodel_table_1", "Table 1: the approach and its baselines on NYU", recomputed_mm, sources, stamp
        ),
        build_variant_curves("deepmodel_figure_3", "deepmodel, Fig. 3: accuracy of the variants on NYU", sources),
        build_angle_bars("deepmodel_figure_3_angles", "deepmodel, Fig. 3: error of each angle on NYU", sources),
        build_impossible_table("deepmodel_section_4_1", "Section 4.1: frames with an angle out of range", sources),
    )


def _show_pictures(sources: Sources) -> tuple[Item, ...]:
    items = []
    for dataset in ("nyu", "icvl"):
        title, end = DATASETS[dataset].title, "" if dataset == "nyu" else f"_{dataset}"
        items.append(
            build_skeletons(
                f"deepmodel_figure_4{end}", f"deepmodel, Fig. 4: predicted joints on {title}", FULL, dataset, sources
            )
        )
        items.append(
            build_meshes(f"deepmodel_hands{end}", f"deepmodel: predicted hands on {title}", FULL, dataset, sources)
        )
    return tuple(items)


def _show_run(dataset: str, numbers: tuple[str, str], sources: Sources) -> tuple[Item, ...]:
    """This run's methods of Figs. 5 to 7 among themselves: on embedded data nobody else's were measured."""
    title, modules = DATASETS[dataset].title, tuple(MODULES.values())
    pooled = [one for module in modules for one in sources.pool(dataset=dataset, module=module)]
    name = f"deepmodel_figure_{numbers[0]}_run"
    curves_title = f"deepmodel, Fig. {numbers[0]}, this run: accuracy on {title}"
    bars_title = f"deepmodel, Fig. {numbers[1].partition('_')[0]}, this run: error of each joint on {title}"
    curves: Item = Absent(name, curves_title, f"This run: {NOT_RUN}. {CURVES_ONLY}")
    if pooled:
        missing = [module for module in modules if not sources.find_results(dataset=dataset, module=module)]
        told = (f"Not drawn, as this run has not made them: {', '.join(missing)}.",) if missing else ()
        stamp = stamp_results([one for group in pooled for one in group.results])
        curves = build_run_curves(name, curves_title, pooled, (), stamp, (CURVES_ONLY, *told, *sources.caution))
    bars = build_run_bars(
        f"deepmodel_figure_{numbers[1]}_run", bars_title, modules, sources, dataset=dataset, printed=CURVES_ONLY
    )
    return curves, bars


def _compare_means(dataset: str, number: str, data: FigureData | None, sources: Sources, stamp: str) -> Table:
    rows = DEEPMODEL_FIGURES_5_6 if dataset == "nyu" else DEEPMODEL_FIGURE_7
    return build_comparison(
        f"deepmodel_figure_{number}_means",
        f"Mean errors of the methods in Fig. {number}",
        rows,
        None if data is None else data.means,
        sources,
        dataset=dataset,
        modules=MODULES,
        stamp=stamp,
        notes=tell_coverage(data, dataset) if data is not None and dataset == "icvl" else (),
    )
