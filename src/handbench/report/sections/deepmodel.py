"""The section of deepmodel: its ablation, its curves and bars against others, its fits and its hands in pictures."""

import numpy as np

from handbench.conventions import DATASETS
from handbench.evaluation import tables
from handbench.evaluation.claim_variants import FULL
from handbench.evaluation.paper_numbers import DEEPMODEL_FIGURE_7, DEEPMODEL_FIGURES_5_6
from handbench.evaluation.tables import FigureData
from handbench.report.beside_print import build_beside
from handbench.report.comparisons import (
    build_bars,
    build_comparison,
    build_curves,
    name_partial,
    read_figure,
    tell_coverage,
)
from handbench.report.fit_items import build_fit_table
from handbench.report.hand_pictures import build_meshes, build_skeletons
from handbench.report.items import Item, Section, Table
from handbench.report.sources import HOW_TO_GET, Sources
from handbench.report.speed_table import PrintedSpeed, build_speed
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
DASHED = "This run's curves are dashed, and its bars the last."
PRINTED_SPEED = PrintedSpeed("GTX 960", 8.0, 125.0)
TIMED = "the network and its hand model layer, of which the paper's ran on the GPU and on the CPU"


def build_section(sources: Sources) -> Section:
    nyu = read_figure(tables.deepmodel_figures_5_6, sources)
    icvl = read_figure(tables.deepmodel_figure_7, sources)
    stamp_nyu, stamp_icvl = sources.stamp("nyu"), sources.stamp("icvl")
    return Section(
        paper="deepmodel",
        title="Model-based Deep Hand Pose Estimation",
        citation="Zhou, Wan, Zhang, Xue and Wei, IJCAI 2016",
        intro=("A network estimates the parameters of a hand model, and a layer turns them into joints.",),
        items=(
            *_show_variants(sources, nyu, stamp_nyu),
            build_fit_table("deepmodel_fits", "Section 4: the hand model fitted to labels", sources),
            *_show_pictures(sources),
            *_show_beside("nyu", ("5", "6"), nyu, sources),
            _compare_means("nyu", "5", nyu, sources, stamp_nyu),
            *_show_beside("icvl", ("7", "7_bars"), icvl, sources),
            _compare_means("icvl", "7", icvl, sources, stamp_icvl),
            build_speed("deepmodel_speed", "Section 4: frames a second", FULL, PRINTED_SPEED, TIMED, sources),
        ),
    )


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


def _show_beside(dataset: str, numbers: tuple[str, str], data: FigureData | None, sources: Sources) -> tuple[Item, ...]:
    """Curves and bars of Figs. 5 to 7: the published methods, and this run's dashed beside them."""
    names = [f"deepmodel_figure_{number}" for number in numbers]
    words, (first, second) = DATASETS[dataset].title, (number.partition("_")[0] for number in numbers)
    titles = (
        f"deepmodel, Fig. {first}: accuracy on {words}",
        f"deepmodel, Fig. {second}: error of each joint on {words}",
    )
    covered = () if data is None else tell_coverage(data, dataset)
    published = None if data is None else name_partial(data, dataset)
    return tuple(
        build_beside(
            name,
            title,
            published,
            dataset,
            tuple(MODULES.values()),
            sources,
            without=HOW_TO_GET,
            build=build,
            notes=(CURVES_ONLY, *covered),
            apart=DASHED,
        )
        for build, name, title in zip((build_curves, build_bars), names, titles, strict=True)
    )


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
