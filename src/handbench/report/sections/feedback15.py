"""The section of feedback15: its synthesizer, its curves on NYU, its updates and its speed, print beside this run."""

from functools import partial

from handbench.evaluation import tables
from handbench.evaluation.baselines import BASELINES
from handbench.evaluation.claim_feedback15 import LOOP, PREDICTOR, SEARCH_FIGURES
from handbench.evaluation.claim_synthesizer import END_TO_END, OF_LABEL_NOISE, SYNTHESIZER
from handbench.evaluation.paper_numbers import FEEDBACK15_FIGURE_8A, NOT_PUBLISHED, Printed
from handbench.evaluation.tables import compare_with_print
from handbench.report.baselines import add_baselines
from handbench.report.beside_print import build_beside
from handbench.report.comparisons import build_comparison, build_run_bars, read_figure
from handbench.report.image_items import build_image_comparison, build_image_errors, build_label_noise
from handbench.report.items import Item, Section
from handbench.report.loop_items import (
    Runtime,
    build_datasets,
    build_iterations,
    build_runtime,
    build_subjects,
    build_two_starts,
    build_variants,
)
from handbench.report.loop_sets import Again, build_on_nyu, build_sets
from handbench.report.picture_items import (
    build_impossible,
    build_loop_pictures,
    build_noise_pictures,
    build_samples,
    build_search_pictures,
)
from handbench.report.search_items import OF_2015, build_search_curves, build_search_paths, build_search_table
from handbench.report.sources import HOW_TO_GET, ONLY_NYU, Sources
from handbench.report.stamps import stamp_printed
from handbench.report.update_items import build_updates

MODULES = {
    "DeepPrior": "feedback15_deepprior",
    "Feedback (ours)": "feedback15",
    "Initialization": "feedback15_predictor",
}
"""Rows of Fig. 8a and the modules of this project that stand for them."""
CURVES_8A = (LOOP, *BASELINES.values())
"""This run's curves of Fig. 8a."""
FIGURE_8B = (
    Printed("Init 1, the simple predictor", 27.0, None, NOT_PUBLISHED),
    Printed("Init 1 with feedback", 16.5, None, NOT_PUBLISHED),
    Printed("Init 2, DeepPrior", 23.0, None, NOT_PUBLISHED),
    Printed("Init 2 with feedback", 16.0, None, NOT_PUBLISHED),
)
"""The curves of the figure and the means that the text of section 4.4 gives them."""
MODULES_8B = dict(
    zip(
        (row.name for row in FIGURE_8B),
        ("feedback15_predictor", "feedback15", "feedback15_deepprior", "feedback15_init2"),
        strict=True,
    )
)
VARIANTS = {
    "feedback15": "as published: strides in the updater",
    "feedback15_pooling": "max-pooling in the updater",
    "feedback15_init2": "from DeepPrior (Init 2)",
    "feedback15_renderer": "exact renderer for the synthesizer: upper bound",
}
LABELS = dict(
    zip(OF_LABEL_NOISE, ("correct\nlabels", *(f"labels\n{noise_mm} mm off" for noise_mm in (5, 10, 20))), strict=True)
)
RUNTIME = Runtime("GTX 780 Ti", {"predictor": 0.07, "synthesizer": 0.8, "iteration": 1.2}, "over 400")
"""Section 4.7; the updater's own time and that of the whole are not printed."""
LAYER_WISE = {SYNTHESIZER: "layer by layer", END_TO_END: "end to end"}
SEARCH_TITLES = {
    "L-BFGS-B": "feedback15, Fig. 10: image-based optimisation by L-BFGS-B",
    "PSO": "feedback15, Section 4.5: image-based optimisation by PSO",
}
LAYERS_ALONE = 'The paper says of layer-wise training that it "achieves lesser errors", without numbers.'
POOLING_ALONE = 'Section 3.4 says of max-pooling that it gave "inferior accuracy", without numbers.'
ARROWS = "The paper prints arrows without numbers."
CURVES_ONLY = "The paper prints curves without numbers."


def build_section(sources: Sources) -> Section:
    return Section(
        paper="feedback15",
        title="Training a Feedback Loop for Hand Pose Estimation",
        citation="Oberweger, Wohlhart and Lepetit, ICCV 2015",
        intro=(
            "A predictor gives a first pose, a synthesizer draws the depth image of a pose, and an updater compares "
            "that image with the camera's and moves the pose.",
        ),
        items=(
            *_show_synthesizer(sources),
            *_show_comparison(sources),
            *_show_starts(sources),
            *_show_searches(sources),
            build_loop_pictures(
                "feedback15_figure_11", "feedback15, Fig. 11: poses before and after the loop", "feedback15", sources
            ),
            build_updates(
                "feedback15_figure_12",
                "feedback15, Fig. 12: updates around the truth",
                "feedback15",
                sources,
                printed=ARROWS,
            ),
            *build_sets("feedback15", LOOP, _list_figures(sources), sources),
            build_runtime("feedback15_section_4_7", "Section 4.7: runtime", "feedback15", sources, RUNTIME),
        ),
    )


def _list_figures(sources: Sources) -> dict[str, Again]:
    """Those that are drawn of every data set."""
    return {
        "feedback15_figure_2": (
            "feedback15, Fig. 2 on {}: images drawn of different poses",
            partial(build_samples, module=SYNTHESIZER, sources=sources),
        ),
        "feedback15_figure_3": (
            "feedback15, Fig. 3 on {}: images drawn of impossible poses",
            partial(build_impossible, module=SYNTHESIZER, sources=sources),
        ),
        **_list_images_again(sources),
        "feedback15_figure_8a": (
            "feedback15, as Fig. 8a: accuracy on {}",
            partial(build_beside, data=None, modules=CURVES_8A, sources=sources, without=ONLY_NYU),
        ),
        "feedback15_figure_8b": (
            "feedback15, as Fig. 8b: two initialisations on {}",
            partial(build_two_starts, modules=tuple(MODULES_8B.values()), sources=sources, printed=ONLY_NYU),
        ),
        "feedback15_joints": (
            "feedback15: error of each joint on {}",
            partial(build_run_bars, modules=(PREDICTOR, LOOP), sources=sources),
        ),
        "feedback15_iterations": (
            "feedback15: error by iteration on {}",
            partial(build_iterations, modules=tuple(VARIANTS), sources=sources, printed=ONLY_NYU),
        ),
        "feedback15_variants": (
            "Variants of the loop on {}",
            partial(build_variants, modules=VARIANTS, sources=sources, printed=POOLING_ALONE),
        ),
        **_list_searches_again(sources),
        "feedback15_figure_11": (
            "feedback15, Fig. 11 on {}: poses before and after the loop",
            partial(build_loop_pictures, module=LOOP, sources=sources),
        ),
        "feedback15_figure_12": (
            "feedback15, Fig. 12 on {}: updates around the truth",
            partial(build_updates, module=LOOP, sources=sources, printed=ARROWS),
        ),
        "feedback15_section_4_7": (
            "Section 4.7 on {}: runtime",
            partial(build_runtime, module=LOOP, sources=sources, printed=RUNTIME),
        ),
    }


def _list_images_again(sources: Sources) -> dict[str, Again]:
    return {
        "feedback15_section_3_3": (
            "Section 3.3 on {}: where synthesized images err",
            partial(build_image_errors, module=SYNTHESIZER, sources=sources),
        ),
        "feedback15_layer_wise": (
            "Section 3.3 on {}: the synthesizer trained layer by layer and end to end",
            partial(build_image_comparison, modules=LAYER_WISE, sources=sources, printed=LAYERS_ALONE),
        ),
    }


def _list_searches_again(sources: Sources) -> dict[str, Again]:
    curves: dict[str, Again] = {
        SEARCH_FIGURES[one.optimiser]: (
            f"{SEARCH_TITLES[one.optimiser]}, {{}}",
            partial(build_search_curves, search=one, sources=sources, printed=ONLY_NYU),
        )
        for one in OF_2015
    }
    return {
        "feedback15_figure_9": (
            "feedback15, Fig. 9 on {}: image-based optimisation and the loop in pictures",
            partial(build_search_pictures, search=OF_2015[0], sources=sources, even=False),
        ),
        **curves,
        "feedback15_section_4_5": (
            "feedback15, Section 4.5 on {}: image error and pose error by iteration",
            partial(build_search_paths, searches=OF_2015, sources=sources),
        ),
        "feedback15_section_4_5_means": (
            "Section 4.5 on {}: image-based optimisation and the loop",
            partial(build_search_table, searches=OF_2015, sources=sources),
        ),
    }


def _show_synthesizer(sources: Sources) -> tuple[Item, ...]:
    return (
        build_samples(
            "feedback15_figure_2", "feedback15, Fig. 2: images drawn of different poses", SYNTHESIZER, sources
        ),
        build_impossible(
            "feedback15_figure_3", "feedback15, Fig. 3: images drawn of impossible poses", SYNTHESIZER, sources
        ),
        *build_on_nyu(_list_images_again(sources)),
        build_label_noise(
            "feedback15_figure_7", "Fig. 7: what wrong labels do to the synthesizer, ICVL", OF_LABEL_NOISE, sources
        ),
        build_noise_pictures(
            "feedback15_figure_7_pictures",
            "feedback15, Fig. 7: images drawn by synthesizers of wrong labels, ICVL",
            LABELS,
            sources,
        ),
    )


def _show_comparison(sources: Sources) -> tuple[Item, ...]:
    data, stamp = read_figure(tables.feedback15_figure_8a, sources), sources.stamp("nyu")
    rows, means, modules = add_baselines(FEEDBACK15_FIGURE_8A, None if data is None else data.means, MODULES)
    return (
        build_beside(
            "feedback15_figure_8a",
            "feedback15, Fig. 8a: accuracy on NYU",
            data,
            "nyu",
            CURVES_8A,
            sources,
            without=HOW_TO_GET,
        ),
        build_comparison(
            "feedback15_figure_8a_means",
            "Mean errors that section 4.4 gives to the curves of Fig. 8a",
            rows,
            means,
            sources,
            dataset="nyu",
            modules=modules,
            stamp=stamp,
        ),
    )


def _show_starts(sources: Sources) -> tuple[Item, ...]:
    return (
        build_two_starts(
            "feedback15_figure_8b",
            "feedback15, Fig. 8b: two initialisations",
            tuple(MODULES_8B.values()),
            sources,
            printed="Printed: 27 to 16.5 mm from the simple predictor, 23 to 16 mm from DeepPrior.",
        ),
        build_comparison(
            "feedback15_figure_8b_means",
            "Mean errors that section 4.4 gives to the curves of Fig. 8b",
            FIGURE_8B,
            compare_with_print(FIGURE_8B, {}),
            sources,
            dataset="nyu",
            modules=MODULES_8B,
            stamp=stamp_printed("nyu", sources.card),
        ),
        build_run_bars(
            "feedback15_joints",
            "feedback15: error of each joint on NYU",
            ("feedback15_predictor", "feedback15"),
            sources,
        ),
        build_iterations(
            "feedback15_iterations",
            "feedback15: error by iteration on NYU",
            tuple(VARIANTS),
            sources,
            printed="The paper stops after two iterations and prints the error at both ends.",
        ),
        build_variants(
            "feedback15_variants",
            "Variants of the loop on NYU",
            VARIANTS,
            sources,
            printed=POOLING_ALONE,
        ),
        build_subjects(
            "feedback15_subjects", "The loop on the subject seen in training and on the other", "feedback15", sources
        ),
        build_datasets(
            "feedback15_datasets",
            "The loop and its baselines on each data set",
            "feedback15",
            sources,
            printed="The paper prints numbers for NYU alone.",
        ),
    )


def _show_searches(sources: Sources) -> tuple[Item, ...]:
    printed = {
        "L-BFGS-B": f"{CURVES_ONLY[:-1]}; feedback19 5.4 has them.",
        "PSO": 'The paper says that it obtained "similar results", without numbers.',
    }
    curves = (
        build_search_curves(
            SEARCH_FIGURES[one.optimiser],
            SEARCH_TITLES[one.optimiser],
            one,
            sources,
            printed=printed[one.optimiser],
        )
        for one in OF_2015
    )
    pictures = build_search_pictures(
        "feedback15_figure_9",
        "feedback15, Fig. 9: image-based optimisation and the loop in pictures",
        OF_2015[0],
        sources,
        even=False,
    )
    return (
        pictures,
        *curves,
        build_search_paths(
            "feedback15_section_4_5",
            "feedback15, Section 4.5: image error and pose error by iteration",
            OF_2015,
            sources,
        ),
        build_search_table(
            "feedback15_section_4_5_means", "Section 4.5: image-based optimisation and the loop", OF_2015, sources
        ),
    )
