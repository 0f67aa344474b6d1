"""The section of feedback19: its networks and its loop on NYU, the ranking, then hand and object."""

from functools import partial

import pandas as pd

from handbench.evaluation import tables
from handbench.evaluation.claim_feedback19 import (
    JOINT,
    LOCALIZED_PREDICTOR,
    LOCALIZER,
    LOOP,
    PREDICTOR,
    SYNTHESIZER,
    THREE,
    tell_predictor,
)
from handbench.evaluation.paper_numbers import (
    FEEDBACK19_TABLE_1,
    NOT_PUBLISHED,
    Printed,
)
from handbench.evaluation.tables import ROUNDING_MM, compare_with_print
from handbench.report.baselines import add_baselines
from handbench.report.comparisons import build_comparison, build_run_bars
from handbench.report.image_items import build_image_comparison, build_image_errors
from handbench.report.items import Item, Section, Table
from handbench.report.localizer_items import build_centres
from handbench.report.loop_items import Runtime, build_iterations, build_runtime, build_variants
from handbench.report.loop_sets import Again, build_on_nyu, build_sets
from handbench.report.picture_items import build_impossible, build_loop_pictures, build_samples, build_search_pictures
from handbench.report.search_items import OF_2019, build_search_paths, build_search_table
from handbench.report.sections.handobject import build_hand_object
from handbench.report.sources import ONLY_NYU, Sources
from handbench.report.update_items import build_histograms

MODULES = {
    "Crossing Nets": "crossing",
    "DeepPrior++": PREDICTOR,
    "Feedback": "feedback15",
    "DeepModel": "deepmodel",
    "Generalized Feedback (ours)": "feedback19",
}
"""Rows of Table 1 and the modules of this project that stand for them."""
SECTION_5_3 = (
    Printed("DeepPrior++ (initialization)", 12.2, None, NOT_PUBLISHED),
    Printed("feedback", 10.8, "nyu/generalized-feedback"),
)
MODULES_5_3 = {"DeepPrior++ (initialization)": PREDICTOR, "feedback": LOOP}
RUNTIME = Runtime("GTX 980 Ti", {"localizer": 0.8, "predictor": 20.0, "synthesizer": 0.8, "iteration": 1.2}, "over 40")
"""Section 6.3."""
HISTOGRAMS = "The paper prints histograms without numbers."
RANDOM = "feedback19_joint_random"
"""The loop whose networks were trained together from random ones."""
APART, TOGETHER, FROM_RANDOM = "trained apart", "fine-tuned together", "together from random networks"
TRAINED = {LOOP: APART, JOINT: TOGETHER, RANDOM: FROM_RANDOM}
IMAGES_TRAINED = {SYNTHESIZER: APART, JOINT: TOGETHER, RANDOM: FROM_RANDOM}
SIMILAR = (
    "The paper says, without numbers, that fine-tuning together leads to similar accuracy, and that a random start did "
    "not converge to a satisfying solution."
)
LESS_READABLE = "The paper says that the images become less readable, without numbers."


def build_section(sources: Sources) -> Section:
    return Section(
        paper="feedback19",
        title="Generalized Feedback Loop for Joint Hand-Object Pose Estimation",
        citation="Oberweger, Wohlhart and Lepetit, TPAMI 2019",
        intro=("The feedback loop with a localizer, a stronger predictor, and a second loop for the held object.",),
        items=(
            build_samples(
                "feedback19_figure_2", "feedback19, Fig. 2: images drawn of different poses", SYNTHESIZER, sources
            ),
            build_impossible(
                "feedback19_figure_3", "feedback19, Fig. 3: images drawn of impossible poses", SYNTHESIZER, sources
            ),
            build_centres(
                "feedback19_section_3_2",
                "Section 3.2: the centre of mass and the localizer",
                LOCALIZER,
                {"first": PREDICTOR, "localized": LOCALIZED_PREDICTOR},
                sources,
                printed="The paper says that the localizer improves the final accuracy, without numbers.",
            ),
            *build_on_nyu(_list_training_again(sources)),
            _build_table_1(sources),
            *_show_loop(sources),
            *build_on_nyu(_list_searches_again(sources)),
            build_loop_pictures(
                "feedback19_figure_12", "feedback19, Fig. 12: poses before and after the loop", LOOP, sources
            ),
            build_histograms(
                "feedback19_figure_13",
                "feedback19, Fig. 13: errors before and after updates from noisy poses",
                LOOP,
                sources,
                printed=HISTOGRAMS,
            ),
            *build_sets("feedback19", LOOP, _list_figures(sources), sources),
            build_runtime(
                "feedback19_runtime",
                "Section 6.3: runtime of the loop for hands",
                LOOP,
                sources,
                RUNTIME,
                localizer=LOCALIZER,
            ),
            *build_hand_object(sources),
        ),
    )


def _list_figures(sources: Sources) -> dict[str, Again]:
    """Those that are drawn of every data set."""
    return {
        "feedback19_figure_2": (
            "feedback19, Fig. 2 on {}: images drawn of different poses",
            partial(build_samples, module=SYNTHESIZER, sources=sources),
        ),
        "feedback19_figure_3": (
            "feedback19, Fig. 3 on {}: images drawn of impossible poses",
            partial(build_impossible, module=SYNTHESIZER, sources=sources),
        ),
        **_list_training_again(sources),
        "feedback19_joints": (
            "feedback19: error of each joint on {}",
            partial(build_run_bars, modules=(PREDICTOR, LOOP), sources=sources),
        ),
        "feedback19_iterations": (
            "feedback19: error by iteration on {}",
            partial(build_iterations, modules=(LOOP, THREE, JOINT), sources=sources, printed=ONLY_NYU),
        ),
        **_list_searches_again(sources),
        "feedback19_figure_12": (
            "feedback19, Fig. 12 on {}: poses before and after the loop",
            partial(build_loop_pictures, module=LOOP, sources=sources),
        ),
        "feedback19_figure_13": (
            "feedback19, Fig. 13 on {}: errors before and after updates from noisy poses",
            partial(build_histograms, module=LOOP, sources=sources, printed=HISTOGRAMS),
        ),
        "feedback19_runtime": (
            "Section 6.3 on {}: runtime of the loop for hands",
            partial(build_runtime, module=LOOP, sources=sources, printed=RUNTIME, localizer=LOCALIZER),
        ),
    }


def _list_searches_again(sources: Sources) -> dict[str, Again]:
    return {
        "feedback19_section_5_4": (
            "Section 5.4 on {}: image-based optimisation",
            partial(build_search_table, searches=OF_2019, sources=sources),
        ),
        "feedback19_section_5_4_path": (
            "feedback19, Section 5.4 on {}: image error and pose error by iteration",
            partial(build_search_paths, searches=OF_2019, sources=sources),
        ),
        "feedback19_figure_11": (
            "feedback19, Fig. 11 on {}: image-based optimisation and the loop in pictures",
            partial(build_search_pictures, search=OF_2019[0], sources=sources, even=True),
        ),
    }


def _list_training_again(sources: Sources) -> dict[str, Again]:
    return {
        "feedback19_section_3_4": (
            "Section 3.4 on {}: where synthesized images err",
            partial(build_image_errors, module=SYNTHESIZER, sources=sources),
        ),
        "feedback19_section_3_6": (
            "Section 3.6 on {}: three networks trained apart and together",
            partial(build_variants, modules=TRAINED, sources=sources, printed=SIMILAR),
        ),
        "feedback19_section_3_6_images": (
            "Section 3.6 on {}: images of the synthesizer, trained apart and together",
            partial(build_image_comparison, modules=IMAGES_TRAINED, sources=sources, printed=LESS_READABLE),
        ),
    }


def _show_loop(sources: Sources) -> tuple[Item, ...]:
    """Section 5.3: the start and the end beside print, and the iterations between them."""
    record = sources.record
    scores = (
        {}
        if record is None
        else {row.key: record.score(row.key, record.read_truth("nyu")) for row in SECTION_5_3 if row.key}
    )
    return (
        build_comparison(
            "feedback19_section_5_3",
            "Section 5.3: the loop from DeepPrior++ on NYU",
            SECTION_5_3,
            None if record is None else compare_with_print(SECTION_5_3, scores),
            sources,
            dataset="nyu",
            modules=MODULES_5_3,
            stamp=sources.stamp("nyu"),
        ),
        build_run_bars("feedback19_joints", "feedback19: error of each joint on NYU", (PREDICTOR, LOOP), sources),
        build_iterations(
            "feedback19_iterations",
            "feedback19: error by iteration on NYU",
            (LOOP, THREE, JOINT),
            sources,
            printed="Printed: 12.2 mm at the start, 10.8 mm after two iterations.",
        ),
    )


def _build_table_1(sources: Sources) -> Table:
    measured = tables.feedback19_table_1(sources.record) if sources.record else None
    rows, frame, modules = add_baselines(FEEDBACK19_TABLE_1, measured, MODULES)
    return build_comparison(
        "feedback19_table_1",
        "Table 1: mean 3D error on NYU",
        rows,
        frame,
        sources,
        dataset="nyu",
        modules=modules,
        stamp=sources.stamp("nyu"),
        notes=(*(() if measured is None else _tell_differences(measured)), *_tell_predictor(sources)),
    )


def _tell_predictor(sources: Sources) -> tuple[str, ...]:
    return tuple(
        f"This run: {words}." for words in tell_predictor(sources.find_results(dataset="nyu", module=PREDICTOR))
    )


def _tell_differences(measured: pd.DataFrame) -> tuple[str, ...]:
    """Which rows differ from print and by how much, the largest difference first."""
    known = measured.dropna(subset="difference_mm")
    off = known[known["difference_mm"].abs() > ROUNDING_MM].sort_values("difference_mm", key=abs, ascending=False)
    named = [
        f"{row.method} {row.difference_mm:+.2f} mm ({row.printed_mm:.1f} printed, {row.recomputed_mm:.2f} recomputed)"
        for row in off.itertuples()
    ]
    return (
        f"Of {len(known)} rows with published 3D predictions, {len(known) - len(off)} agree with print to its digit, "
        f"{len(off)} differ: {'; '.join(named)}.",
        f"{len(measured) - len(known)} rows have no published 3D predictions and stand as printed.",
    )
