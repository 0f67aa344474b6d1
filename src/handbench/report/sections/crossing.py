"""The section of crossing: accuracy on three datasets, with the nearest-neighbour baseline that this project runs."""

from handbench.conventions import DATASETS
from handbench.evaluation.published import PublishedScore
from handbench.report.comparisons import build_run_curves
from handbench.report.items import Absent, Item, Section
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamps import stamp_results
from handbench.report.view_errors import build_view_figures

PAPER = "crossing"
PANELS = ("nyu", "msra", "icvl")
"""In the order in which section 5.3 discusses them."""
RIVALS = {"nyu": ("nyu/feedback",), "icvl": ("icvl/deepprior", "icvl/deepprior-refinement"), "msra": ()}
"""Methods of the printed figure whose predictions are published."""


def build_section(sources: Sources) -> Section:
    return Section(
        paper=PAPER,
        title="Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for Hand Pose Estimation",
        citation="Wan, Probst, Van Gool and Yao, CVPR 2017",
        intro=("Two generative networks, of poses and of depth images, share a latent space.",),
        items=(
            Absent(
                "crossing_figure_3",
                "Fig. 3: error against the share of labels",
                f"This run: {NOT_RUN}. The paper prints curves without numbers.",
            ),
            *(_build_figure_4(sources, dataset) for dataset in PANELS),
            *build_view_figures(sources, PAPER),
        ),
    )


def _build_figure_4(sources: Sources, dataset: str) -> Item:
    """This run's modules; published methods beside them only where both were measured on the same labels."""
    name, title = f"crossing_figure_4_{dataset}", f"crossing, Fig. 4, {DATASETS[dataset].title}: accuracy"
    pooled = sources.pool(dataset=dataset, paper=PAPER)
    if not pooled:
        return Absent(name, title, f"This run: {NOT_RUN}. The paper prints curves without numbers.")
    rivals = _score_rivals(sources, dataset, pooled[0].results[0].frames)
    seeds = len(pooled[0].seeds)
    notes = [f"Curves and mean errors are of this run{f', means over {seeds} seeds' if seeds > 1 else ''}."]
    if sources.card.source != "real":
        notes.append("Methods of the printed figure are not drawn beside it: they were measured on real recordings.")
    stamp = stamp_results([one for group in pooled for one in group.results])
    return build_run_curves(name, title, pooled, rivals, stamp, (*notes, *sources.caution))


def _score_rivals(sources: Sources, dataset: str, frames: int) -> list[tuple[str, PublishedScore]]:
    whole = DATASETS[dataset].frames.get("test")
    if sources.card.source != "real" or sources.record is None or not RIVALS[dataset] or frames != whole:
        return []
    truth = sources.record.read_truth(dataset)
    scores = [sources.record.score(key, truth) for key in RIVALS[dataset]]
    return [(_name(one, frames), one) for one in scores]


def _name(one: PublishedScore, frames: int) -> str:
    covered = one.score.frames
    return f"{one.entry.method} (published{f', {covered} frames' if covered < frames else ''})"
