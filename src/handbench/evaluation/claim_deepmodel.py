"""Claims of deepmodel: a decider a claim; those on its variants stand in `claim_variants`."""

import numpy as np

from handbench.datasets.published import find_published
from handbench.evaluation import claim_variants
from handbench.evaluation.bootstrap import Comparison, Interval, bootstrap_difference
from handbench.evaluation.claim_rules import Evidence, Finding, Outcome, judge_all, judge_difference, judge_speed
from handbench.evaluation.claim_variants import FULL
from handbench.evaluation.fits import OPTIMISERS, Left
from handbench.evaluation.metrics import Errors, frame_maxima
from handbench.evaluation.probes import describe_devices, find_single_ms
from handbench.evaluation.published import Record
from handbench.fitting.pose_file import PUBLISHED

RIVALS = {"nyu": "deepprior", "icvl": "lrf"}
"""Data set: whom DeepModel is held against there."""
_WHY_LRF = "on ICVL DeepPrior published sequence 1 alone, so LRF is the rival"
WITHIN_MM = 40
_FIGURE = "deepmodel_figure_5"
FIT_MM = 6.0
LABELS = {PUBLISHED: "the real geometry", "test": "synthetic labels"}
"""Split of NYU's fits: whose labels those are."""
PRINTED_FPS = 125.0


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


def decide_dm3(evidence: Evidence) -> Finding:
    """What fitting leaves of the distance to the labels, real geometry and synthetic labels, by either optimiser."""
    figure = "deepmodel_fits"
    if evidence.source != "embedded":
        return Finding("not-run", "synthetic labels are fitted in runs of the embedded data", figure=figure)
    missing = filter(None, (evidence.explain_unfitted("nyu", split) for split in LABELS))
    if told := "; ".join(dict.fromkeys(missing)):
        return Finding("not-run", told, figure=figure)
    fits = [(words, evidence.find_fit("nyu", split)) for split, words in LABELS.items()]
    left = {(words, name): fit.left[key] for words, fit in fits if fit for key, name in OPTIMISERS.items()}
    outcome = judge_all([_judge_fit(f"{words}, {name}", one) for (words, name), one in left.items()])
    worst = max(left.values(), key=lambda one: one.mean_mm)
    told = "; ".join(
        f"{words}, {name}: {one.mean_mm:.2f} mm, variance {one.variance_mm2:.2f}" for (words, name), one in left.items()
    )
    # The number of the row is the largest of the four means.
    return Finding(outcome.status, outcome.reason, measured=told, value=worst.mean_mm, figure=figure)


def _judge_fit(what: str, left: Left) -> Outcome:
    found = f"{what}: {left.mean_mm:.4g} mm on average of {left.frames:,} frames, under {FIT_MM:g} asked"
    holds = left.mean_mm < FIT_MM
    return Outcome(holds, found if holds else f"size: {found}")


def decide_dm5(evidence: Evidence) -> Finding:
    """Frames a second one by one, as the paper has it: a forward pass of one frame takes 8 ms."""
    figure = "deepmodel_speed"
    missing = evidence.explain_missing("nyu", probes=(FULL,))
    if missing:
        return Finding("not-run", missing, figure=figure)
    probes = evidence.find_probes(FULL, "nyu")
    single_ms = find_single_ms(probes, "network")
    batch_ms = float(np.mean([one.read("milliseconds", "64", "network") for one in probes]))
    device = describe_devices(probes)
    outcome = judge_speed(1000 / single_ms, PRINTED_FPS, unit="frames/s one by one", device=device)
    return Finding(
        outcome.status,
        f"{outcome.reason}; {1000 / batch_ms:.4g} frames/s in batches of 64",
        measured=f"{1000 / single_ms:.0f} frames/s, {single_ms:.3g} ms a frame, on {device}",
        value=1000 / single_ms,
        seeds=tuple(one.seed for one in probes),
        figure=figure,
    )


DECIDERS = {"DM3": decide_dm3, "DM4": decide_dm4, "DM5": decide_dm5} | claim_variants.DECIDERS
