"""The section of refine: fits, curves, depth errors and hands before and after, others beside, its time."""

from handbench.conventions import DATASETS
from handbench.evaluation.claim_refine import CLEAN, NOISY, OWN, TARGETS
from handbench.report.items import Item, Section
from handbench.report.refine_fits import CLOUD, POSES, build_fit_pictures, build_losses
from handbench.report.refine_items import (
    build_against,
    build_depth_errors,
    build_positions,
    build_published,
    build_self_comparison,
    build_speed,
    build_steadiness,
)
from handbench.report.refine_pictures import build_before_after
from handbench.report.sources import Sources


def build_section(sources: Sources) -> Section:
    return Section(
        paper="refine",
        title="How to Refine 3D Hand Pose Estimation from Unlabelled Depth Data?",
        citation="Dibra, Wolf, Öztireli and Gross, 3DV 2017",
        intro=(
            "A network trained on synthetic hands goes on learning from unlabelled depth, by drawing its own estimate. "
            "The paper has no table, and its predictions are not published.",
        ),
        items=(
            *_show_fits(sources),
            *_show_targets(sources),
            build_steadiness("refine_section_4_4", "Section 4.4: depth error and jitter before and after", sources),
            *_show_others(sources),
            build_positions("refine_positions", "Section 4.2: NYU on 14 joints and on 16 positions", sources),
            build_speed("refine_speed", "Section 4.6: speed", sources),
        ),
    )


def _show_fits(sources: Sources) -> tuple[Item, ...]:
    return (
        build_losses("refine_figure_3", "refine, Fig. 3: the network overfitted to single images", POSES, sources),
        build_fit_pictures(
            "refine_figure_3_pictures", "refine, Fig. 3: single images before and after", POSES, sources
        ),
        build_losses("refine_figure_4", "refine, Fig. 4: the point cloud alone", CLOUD, sources),
        build_fit_pictures(
            "refine_figure_4_pictures", "refine, Fig. 4: the point cloud before and after", CLOUD, sources
        ),
    )


def _show_targets(sources: Sources) -> tuple[Item, ...]:
    """Figs. 5 to 7 of each target; the paper shows 6 and 7 of its own recording alone."""
    items: list[Item] = []
    for dataset in TARGETS:
        title, end = DATASETS[dataset].title, "" if dataset == OWN else f"_{dataset}"
        items += [
            build_self_comparison(
                f"refine_figure_5_{dataset}", f"refine, Fig. 5: self comparison on {title}", dataset, sources
            ),
            build_before_after(
                f"refine_figure_6{end}", f"refine, Fig. 6: hands before and after on {title}", dataset, sources
            ),
            build_depth_errors(
                f"refine_figure_7{end}", f"refine, Fig. 7: error of the drawn depth on {title}", dataset, sources
            ),
        ]
    return tuple(items)


def _show_others(sources: Sources) -> tuple[Item, ...]:
    items: list[Item] = []
    for dataset in (NOISY, CLEAN):
        title = DATASETS[dataset].title
        items += [
            build_against(
                f"refine_figure_8_{dataset}", f"refine, Fig. 8: with and without the bias, {title}", dataset, sources
            ),
            build_published(
                f"refine_figure_8_{dataset}_published", f"refine, Fig. 8: the others on {title}", dataset, sources
            ),
        ]
    return tuple(items)
