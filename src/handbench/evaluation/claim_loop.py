"""What the claims of both feedback papers share: the loop after its iterations against the pose that it starts from."""

from collections.abc import Sequence
from dataclasses import replace

from handbench.evaluation.bootstrap import Comparison, Interval
from handbench.evaluation.claim_rivals import describe_training, explain_shorter, explain_unfinished, find_updater
from handbench.evaluation.claim_rules import (
    Evidence,
    Finding,
    Outcome,
    judge_all,
    judge_difference,
    judge_size,
    judge_speed,
)
from handbench.evaluation.probes import Probe, describe_devices, find_fastest, find_on_cpu, find_single_ms
from handbench.evaluation.results import Result, compare_results

ITERATIONS = 2
"""After which both papers stop."""
SUBJECTS = {"test_1": "subject seen in training", "test_2": "unseen subject"}
"""Sequences of NYU's test set and whom they show."""


def judge_gain(evidence: Evidence, loop: str, predictor: str, *, at_least: float, figure: str) -> Finding:
    """The error after two iterations is lower than the predictor's, by so many percent on average of the seeds.

    The predictor is the rival: it must have been trained to its end, by no fewer updates than the updater.
    """
    missing = evidence.explain_missing("nyu", results=(loop, predictor)) or _explain_predictor(
        evidence, loop, predictor
    )
    if missing:
        return Finding("not-run", missing, figure=figure)
    results = evidence.find(loop, "nyu")
    start, end = stop_at(results, 0), stop_at(results, ITERATIONS)
    comparison = compare_results(end, start)
    gains = [100 * (1 - b.mean_error_mm / a.mean_error_mm) for a, b in zip(start, end, strict=True)]
    outcome = judge_all(
        [
            judge_difference(
                comparison, expect="lower", what=f"error after {ITERATIONS} iterations less before, in mm"
            ),
            judge_size(gains, at_least=at_least, what="the error falls in % by"),
        ]
    )
    measured = f"{mean_of(start):.2f} to {mean_of(end):.2f} mm ({-sum(gains) / len(gains):+.1f} %)"
    return make_finding(outcome, comparison.difference, measured=measured, seeds=results, figure=figure)


def decide_speed(evidence: Evidence, loop: str, dataset: str, printed_fps: float, *, figure: str) -> Finding:
    """Frames a second of a whole loop in the batches that are fastest, wherever its probes ran; the CPU beside a GPU is
    told of."""
    missing = evidence.explain_missing(dataset, probes=(loop,))
    if missing:
        return Finding("not-run", missing, figure=figure)
    probes = evidence.find_probes(loop, dataset)
    batch, speed = find_fastest(probes)
    device = describe_devices(probes)
    outcome = judge_speed(speed, printed_fps, unit=f"frames/s in batches of {batch}", device=device)
    return Finding(
        outcome.status,
        f"{outcome.reason}; {_tell_single(probes)}{_tell_cpu(find_on_cpu(probes))}",
        measured=f"{speed:.0f} frames/s on {device}",
        value=speed,
        seeds=tuple(one.seed for one in probes),
        figure=figure,
    )


def _tell_single(probes: Sequence[Probe]) -> str:
    return f"a single frame takes {find_single_ms(probes, 'loop'):.3g} ms"


def _tell_cpu(probes: Sequence[Probe]) -> str:
    if not probes:
        return ""
    batch, speed = find_fastest(probes)
    return f"; {speed:.4g} frames/s in batches of {batch} on {describe_devices(probes)}, where {_tell_single(probes)}"


def _explain_predictor(evidence: Evidence, loop: str, predictor: str) -> str:
    found = evidence.find(predictor, "nyu")
    if unfinished := explain_unfinished(found):
        return unfinished
    return explain_shorter(describe_training(predictor, found[0].settings), find_updater(evidence, loop))


def make_finding(
    outcome: Outcome, difference: Interval, *, measured: str, seeds: Sequence[Result] | Sequence[Probe], figure: str
) -> Finding:
    """A finding whose number is a difference with its interval."""
    return Finding(
        outcome.status,
        outcome.reason,
        measured=measured,
        value=difference.mean,
        low=difference.low,
        high=difference.high,
        seeds=tuple(one.seed for one in seeds),
        figure=figure,
    )


def stop_at(results: Sequence[Result], step: int) -> tuple[Result, ...]:
    """Every seed stopped after so many iterations."""
    return tuple(one.at_step(step) for one in results)


def mean_of(results: Sequence[Result]) -> float:
    return sum(one.mean_error_mm for one in results) / len(results)


def tell_subjects(before: Sequence[Result], after: Sequence[Result]) -> str:
    """The errors before and after on the frames of each subject of NYU: told, not asked for."""
    return "; ".join(f"{words}: {_tell_subject(name, before, after)}" for name, words in SUBJECTS.items())


def _tell_subject(name: str, before: Sequence[Result], after: Sequence[Result]) -> str:
    if any(name not in one.block_sequences for one in (*before, *after)):
        return "not among the frames"
    start, end = (mean_of([one.of_sequence(name) for one in results]) for results in (before, after))
    return f"{start:.2f} to {end:.2f} mm ({100 * (end / start - 1):+.1f} %)"


def compare_gaps(
    after: tuple[Sequence[Result], Sequence[Result]], before: tuple[Sequence[Result], Sequence[Result]]
) -> Comparison:
    """How much a difference between two methods has changed: that of the first pair less that of the second."""
    compare_results(after[0], before[0])  # refuses other frames, and seeds that do not pair
    return compare_results(_subtract(*after), _subtract(*before))


def _subtract(ours: Sequence[Result], theirs: Sequence[Result]) -> list[Result]:
    """The difference of two methods in the form of results, block by block."""
    compare_results(ours, theirs)
    rivals = {one.seed: one for one in theirs}
    return [replace(one, block_sums_mm=one.block_sums_mm - rivals[one.seed].block_sums_mm) for one in ours]
