"""Claims of deepmodel: a decider a claim; see `claim_list` for what each asks."""

import numpy as np

from handbench.datasets.published import find_published
from handbench.evaluation.bootstrap import Comparison, Interval, bootstrap_difference
from handbench.evaluation.claim_rules import Evidence, Finding, judge_all, judge_difference
from handbench.evaluation.metrics import Errors, frame_maxima
from handbench.evaluation.published import Record

RIVALS = {"nyu": "deepprior", "icvl": "lrf"}
"""Data set: whom DeepModel is held against there."""
_WHY_LRF = "on ICVL DeepPrior published sequence 1 alone, so LRF is the rival"
WITHIN_MM = 40
_FIGURE = "deepmodel_figure_5"


def decide_dm4(evidence: Evidence) -> Finding:
    """DeepModel's published predictions against its rivals', frame by frame: mean error, and frames within 40 mm."""
    lacks = [evidence.explain_record(word, [f"{word}/deepmodel", f"{word}/{rival}"]) for word, rival in RIVALS.items()]
    if evidence.record is None or any(lacks):
        return Finding("not-run", next(filter(None, lacks)), figure=_FIGURE)
    outcomes, measured, means_mm = [], [], []
    for dataset, rival in RIVALS.items():
        mean_mm, within = _compare_published(evidence.record, dataset, "deepmodel", rival)
        named = f"{dataset.upper()}, DeepModel less {find_published(f'{dataset}/{rival}').method}"
        means_mm.append(mean_mm)
        outcomes.append(judge_difference(_as_comparison(mean_mm), expect="lower", what=f"{named}, mean error in mm"))
        outcomes.append(
            judge_difference(_as_comparison(within), expect="higher", what=f"{named}, share within {WITHIN_MM} mm")
        )
        measured.append(
            f"{named}: {mean_mm.mean:+.2f} mm ({mean_mm.low:+.2f} to {mean_mm.high:+.2f}), "
            f"frames within {WITHIN_MM} mm {100 * within.mean:+.1f} % "
            f"({100 * within.low:+.1f} to {100 * within.high:+.1f})"
        )
    outcome = judge_all(outcomes)
    # The number of the row is the mean difference that is least sure; the sentence has all four.
    weakest = min(means_mm, key=lambda one: abs(one.mean) / (one.high - one.low))
    reason = f"{_WHY_LRF}; the number is the least sure of the two mean differences; {'; '.join(measured)}"
    if not outcome.holds:
        reason = f"{outcome.reason}; {reason}"
    return Finding(
        outcome.status,
        reason,
        measured=measured[means_mm.index(weakest)],
        value=weakest.mean,
        low=weakest.low,
        high=weakest.high,
        figure=_FIGURE,
    )


def _compare_published(record: Record, dataset: str, ours: str, theirs: str) -> tuple[Interval, Interval]:
    """Paired differences of two published methods: mean error, and share of frames within 40 mm."""
    truth = record.read_truth(dataset)
    first, second = (record.score(f"{dataset}/{word}", truth).score.errors_mm for word in (ours, theirs))
    mean_mm = bootstrap_difference(first, second, truth.sequences)
    return mean_mm, bootstrap_difference(_mark_within(first), _mark_within(second), truth.sequences)


def _mark_within(errors_mm: Errors) -> np.ndarray:
    """1 where a frame's worst joint lies within 40 mm, 0 where not, NaN where the frame has no label."""
    worst_mm = frame_maxima(errors_mm)
    return np.where(np.isnan(worst_mm), np.nan, worst_mm <= WITHIN_MM)


def _as_comparison(difference: Interval) -> Comparison:
    # A published file is one training: there are no seeds that could disagree.
    return Comparison(difference, (difference.mean,), agree=True)


DECIDERS = {"DM4": decide_dm4}
