"""The section of crossing: its latent space in pictures, shares of labels, accuracy on three datasets, GAN, time."""

from functools import partial

from handbench.conventions import DATASETS
from handbench.evaluation.claim_crossing import WITHOUT
from handbench.evaluation.claim_shares import ESTIMATOR, PANELS, SHARES, choose_estimator, name_module
from handbench.evaluation.claim_shares import RIVALS as BASELINES
from handbench.evaluation.paper_numbers import CROSSING_FIGURE_4
from handbench.evaluation.published import DATASETS_OF_RECORD, PublishedScore
from handbench.evaluation.tables import crossing_figure_4
from handbench.report.comparisons import build_curves, build_run_curves, name_partial, read_figure, tell_coverage
from handbench.report.crossing_figures import build_shares, build_triplets, build_walk
from handbench.report.crossing_gan_items import build_gan_table
from handbench.report.crossing_items import (
    NO_NUMBERS,
    build_share_table,
    build_task_table,
    build_walk_table,
)
from handbench.report.items import Absent, Item, Section
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.speed_table import PrintedSpeed, build_speed
from handbench.report.stamps import stamp_results
from handbench.report.view_errors import build_view_figures

PAPER = "crossing"
OF_SHARES = frozenset(
    name_module(base, share, epochs=epochs)
    for base in (ESTIMATOR, *BASELINES)
    for share in SHARES
    for epochs in (False, True)
)
"""What Fig. 3 is made of; of these the other figures show one estimator alone."""
PRINTED_SPEED = PrintedSpeed("an i7 of 3.4 GHz", 11.0, 90.9)
TIMED = "the estimator, from a depth patch to joints"


def build_section(sources: Sources) -> Section:
    timed = choose_estimator(sources.find_probes, "nyu")
    return Section(
        paper=PAPER,
        title="Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for Hand Pose Estimation",
        citation="Wan, Probst, Van Gool and Yao, CVPR 2017",
        intro=("Two generative networks, of poses and of depth images, share a latent space.",),
        items=(
            build_walk("crossing_figure_1", "crossing, Fig. 1: a walk in the shared latent space", sources),
            build_walk_table("crossing_walks", "Fig. 1: steps and images of walks on NYU", sources),
            build_shares("crossing_figure_3", "crossing, Fig. 3: error against the share of labels", sources),
            build_share_table("crossing_shares", "Section 5.1: shares of labels", sources),
            build_task_table("crossing_section_5_2", "Section 5.2: without single tasks, on NYU", sources),
            *(_build_figure_4(sources, dataset) for dataset in PANELS),
            *(_build_published(sources, dataset) for dataset in DATASETS_OF_RECORD),
            *(build_triplets(*_name_figure_5(dataset), dataset, sources) for dataset in PANELS),
            build_gan_table("crossing_gan", "The GAN of each training", sources),
            build_speed("crossing_speed", "Section 5: time on a CPU", timed, PRINTED_SPEED, TIMED, sources),
            *build_view_figures(sources, PAPER, _leave_out(sources, "msra")),
        ),
    )


def _name_figure_5(dataset: str) -> tuple[str, str]:
    return f"crossing_figure_5_{dataset}", f"crossing, Fig. 5: estimates on {DATASETS[dataset].title}"


def _leave_out(sources: Sources, dataset: str) -> frozenset[str]:
    """All of Fig. 3 but the estimator of most labels of those that were run."""
    modules = [name_module(ESTIMATOR, share) for share in reversed(SHARES)]
    kept = next((one for one in modules if sources.find_results(dataset=dataset, module=one)), ESTIMATOR)
    return OF_SHARES - {kept}


def _build_figure_4(sources: Sources, dataset: str) -> Item:
    """This run's modules; published methods beside them only where both were measured on the same labels."""
    name, title = f"crossing_figure_4_{dataset}", f"crossing, Fig. 4, {DATASETS[dataset].title}: accuracy"
    leave_out = _leave_out(sources, dataset)
    found = sources.pool(dataset=dataset, paper=PAPER)
    pooled = [one for one in found if one.results[0].module not in leave_out]
    if not pooled:
        return Absent(name, title, f"This run: {NOT_RUN}. {NO_NUMBERS}")
    rivals = _score_rivals(sources, dataset, pooled[0].results[0].frames)
    seeds = len(pooled[0].seeds)
    notes = [f"Curves and mean errors are of this run{f', means over {seeds} seeds' if seeds > 1 else ''}."]
    rows = CROSSING_FIGURE_4[dataset]
    if sources.card.source != "real":
        notes.append("Methods of the printed figure are not drawn beside it: they were measured on real recordings.")
    notes += [f"Not drawn: {row.name}: {row.why_not}." for row in rows if not row.key]
    without = [one for one in WITHOUT if one not in {group.results[0].module for group in found}]
    notes += [f"Not drawn, as this run has not made them: {', '.join(without)}."] if without else []
    stamp = stamp_results([one for group in pooled for one in group.results])
    return build_run_curves(name, title, pooled, rivals, stamp, (*notes, *sources.caution))


def _build_published(sources: Sources, dataset: str) -> Item:
    """The rivals of Fig. 4 alone, from what they published."""
    name, title = f"crossing_figure_4_{dataset}_published", f"crossing, Fig. 4: the others on {DATASETS[dataset].title}"
    data = read_figure(partial(crossing_figure_4, dataset=dataset), sources)
    covered = () if data is None else tell_coverage(data, dataset)
    data = None if data is None else name_partial(data, dataset)
    return build_curves(name, title, data, sources.stamp(dataset), (NO_NUMBERS, *covered))


def _score_rivals(sources: Sources, dataset: str, frames: int) -> list[tuple[str, PublishedScore]]:
    whole = DATASETS[dataset].frames.get("test")
    keys = [row.key for row in CROSSING_FIGURE_4[dataset] if row.key]
    if sources.card.source != "real" or sources.record is None or not keys or frames != whole:
        return []
    truth = sources.record.read_truth(dataset)
    scores = [sources.record.score(key, truth) for key in keys]
    return [(_name(one, frames), one) for one in scores]


def _name(one: PublishedScore, frames: int) -> str:
    covered = one.score.frames
    return f"{one.entry.method} (published{f', {covered} frames' if covered < frames else ''})"
