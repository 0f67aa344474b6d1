"""Claims of feedback15: a decider a claim; those on its synthesizer stand in `claim_synthesizer`."""

from collections.abc import Sequence

import numpy as np

from handbench.errors import BadInput
from handbench.evaluation import claim_synthesizer
from handbench.evaluation.claim_loop import (
    ITERATIONS,
    compare_gaps,
    decide_speed,
    judge_gain,
    make_finding,
    mean_of,
    stop_at,
    tell_subjects,
)
from handbench.evaluation.claim_rivals import explain_shorter, explain_unfinished, find_updater
from handbench.evaluation.claim_rules import (
    Evidence,
    Finding,
    Outcome,
    judge_all,
    judge_difference,
    judge_likeness,
    judge_size,
)
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import compare_results

LOOP, PREDICTOR = "feedback15", "feedback15_predictor"
BETTER_LOOP, BETTER_PREDICTOR = "feedback15_init2", "feedback15_deepprior"
POOLING_LOOP = "feedback15_pooling"
PRINTED_SIZE_PX, PRINTED_MAPS = 128, 32
"""The patch and the synthesizer's first maps, as printed."""
DRAWS = 1
"""Where the synthesizer stands among what a loop needs."""
SEARCHES = {"L-BFGS-B": "feedback15_lbfgsb", "PSO": "feedback15_pso"}
"""Image-based optimisation by each optimiser."""
LOOP_BESIDE = {"L-BFGS-B": "feedback15_beside_lbfgsb", "PSO": "feedback15_beside_pso"}
"""The loop on the frames that each optimiser was given."""
SEARCH_FIGURES = {"L-BFGS-B": "feedback15_figure_10", "PSO": "feedback15_figure_10_pso"}
GAIN_PERCENT = 10.0
IMPROVED_PERCENT = 90.0
MOVED_SHARE = 1 / 3
ROUNDED_MM = 0.002
PRINTED_FPS = 400.0


def decide_fb1(evidence: Evidence) -> Finding:
    """The loop's pose after two iterations against the simple predictor's."""
    finding = judge_gain(evidence, LOOP, PREDICTOR, at_least=GAIN_PERCENT, figure="feedback15_iterations")
    if finding.status == "not-run":
        return finding
    results = evidence.find(LOOP, "nyu")
    return finding.beside(tell_subjects(stop_at(results, 0), stop_at(results, ITERATIONS)))


def decide_fb2(evidence: Evidence) -> Finding:
    """The loop from DeepPrior ends no higher than that from the simple predictor, and less ahead than it began."""
    figure = "feedback15_figure_8b"
    missing = evidence.explain_missing("nyu", results=(LOOP, BETTER_LOOP))
    if missing:
        return Finding("not-run", missing, figure=figure)
    simple, better = evidence.find(LOOP, "nyu"), evidence.find(BETTER_LOOP, "nyu")
    short = explain_unfinished(simple) or _explain_updaters(evidence, LOOP, BETTER_LOOP)
    if short:
        return Finding("not-run", short, figure=figure)
    start, end = ((stop_at(better, step), stop_at(simple, step)) for step in (0, ITERATIONS))
    final = compare_results(*end)
    outcome = judge_all(
        [
            judge_difference(compare_results(*start), expect="lower", what="better less simple initialisation, in mm"),
            judge_likeness(final.difference, low=-np.inf, high=0.0, what="final error from it less the other, in mm"),
            # The better one is ahead by a negative difference: its lead shrinks where that rises.
            judge_difference(
                compare_gaps(end, start), expect="higher", what="final less initial difference of the two, in mm"
            ),
        ]
    )
    measured = (
        f"{mean_of(start[0]):.2f} to {mean_of(end[0]):.2f} mm, against {mean_of(start[1]):.2f} to {mean_of(end[1]):.2f}"
    )
    return make_finding(outcome, final.difference, measured=measured, seeds=better, figure=figure)


def _explain_updaters(evidence: Evidence, rival: str, method: str) -> str:
    return explain_shorter(find_updater(evidence, rival), find_updater(evidence, method))


def decide_fb3(evidence: Evidence) -> Finding:
    return _judge_search(evidence, "L-BFGS-B")


def decide_fb4(evidence: Evidence) -> Finding:
    return _judge_search(evidence, "PSO")


def _judge_search(evidence: Evidence, optimiser: str) -> Finding:
    """Image-based optimisation: the image error falls, the pose error does not improve, the loop ends below it."""
    figure, module, beside = SEARCH_FIGURES[optimiser], SEARCHES[optimiser], LOOP_BESIDE[optimiser]
    missing = evidence.explain_missing("nyu", results=(module, beside), probes=(module,))
    found, loop = evidence.find(module, "nyu"), evidence.find(beside, "nyu")
    # The search itself is not trained; its predictor and its synthesizer are.
    missing = missing or explain_unfinished(found)
    if missing:
        return Finding("not-run", missing, figure=figure)
    start, end = stop_at(found, 0), stop_at(loop, ITERATIONS)
    moved = compare_results(found, start)
    image = [one.read("image_error") for one in evidence.find_probes(module, "nyu")]
    outcome = judge_all(
        [
            _judge_fall([values[0] for values in image], [values[-1] for values in image]),
            judge_likeness(moved.difference, low=0.0, high=np.inf, what="pose error after less before, in mm"),
            judge_difference(compare_results(end, found), expect="lower", what="the loop's error less that, in mm"),
        ]
    )
    measured = (
        f"{mean_of(start):.2f} to {mean_of(found):.2f} mm on {found[0].frames:,} frames; the loop {mean_of(end):.2f} mm"
    )
    return make_finding(outcome, moved.difference, measured=measured, seeds=found, figure=figure)


def _judge_fall(before: Sequence[float], after: Sequence[float]) -> Outcome:
    """A probe holds the image error's mean alone: every seed has to agree that it falls."""
    told = f"image error {np.mean(before):.4g} to {np.mean(after):.4g}"
    falls = all(last < first for first, last in zip(before, after, strict=True))
    return Outcome(falls, told if falls else f"direction: {told} does not fall with every seed")


def decide_fb5(evidence: Evidence) -> Finding:
    """One update of noisy poses around the truth, and of the truth itself."""
    figure = "feedback15_figure_12"
    missing = evidence.explain_missing("nyu", probes=(LOOP,))
    if missing:
        return Finding("not-run", missing, figure=figure)
    probes = evidence.find_probes(LOOP, "nyu")
    improved = [100 * find_noise(one, one.read("predictor_mm"))["improved"] for one in probes]
    shares = [find_noise(one, 0.0)["moved_mm"] / one.read("predictor_mm") for one in probes]
    outcome = judge_all(
        [
            judge_size(
                improved, at_least=IMPROVED_PERCENT, what="noise of the predictor's size: % of poses that improve"
            ),
            judge_size(
                shares, at_most=MOVED_SHARE, what="from the truth: the update's length over the predictor's error"
            ),
        ]
    )
    curve = "; ".join(_tell_noise(probes, noise_mm) for noise_mm in (5.0, 10.0, 20.0, 40.0))
    return Finding(
        outcome.status,
        f"{outcome.reason}; {curve}",
        measured=f"{np.mean(improved):.1f} % of poses improve; from the truth {np.mean(shares):.2f} of the error",
        value=float(np.mean(improved)),
        seeds=tuple(one.seed for one in probes),
        figure=figure,
    )


def find_noise(probe: Probe, noise_mm: float) -> dict[str, float]:
    """The updates that started from poses with this mean error; the probe rounds it to a thousandth."""
    entries: list[dict[str, float]] = probe.read("around_truth")
    near = [one for one in entries if abs(one["noise_mm"] - noise_mm) < ROUNDED_MM]
    if not near:
        raise BadInput(
            f"the probe of {probe.module}, seed {probe.seed}",
            expected=f"updates from poses that are {noise_mm:g} mm off",
            found=", ".join(f"{one['noise_mm']:g}" for one in entries),
            fix="probe it again with this release",
        )
    return near[0]


def _tell_noise(probes: Sequence[Probe], noise_mm: float) -> str:
    found = [find_noise(one, noise_mm) for one in probes]
    before, after, improved = (np.mean([one[key] for one in found]) for key in ("before_mm", "after_mm", "improved"))
    return f"from {before:.3g} to {after:.3g} mm, {100 * improved:.0f} % improve"


def decide_fb8(evidence: Evidence) -> Finding:
    """The loop with the updater of strides against that with the updater of max-pooling."""
    figure = "feedback15_variants"
    missing = evidence.explain_missing("nyu", results=(LOOP, POOLING_LOOP))
    strides, pooling = evidence.find(LOOP, "nyu"), evidence.find(POOLING_LOOP, "nyu")
    missing = missing or explain_unfinished(pooling) or _explain_updaters(evidence, POOLING_LOOP, LOOP)
    if missing:
        return Finding("not-run", missing, figure=figure)
    comparison = compare_results(strides, pooling)
    outcome = judge_difference(comparison, expect="lower", what="final error with strides less with pooling, in mm")
    measured = f"{mean_of(strides):.2f} mm with strides, {mean_of(pooling):.2f} mm with max-pooling"
    return make_finding(outcome, comparison.difference, measured=measured, seeds=strides, figure=figure)


def decide_fb10(evidence: Evidence) -> Finding:
    """Frames a second of the whole loop in the batches that are fastest, wherever the probe ran."""
    finding = decide_speed(evidence, LOOP, "nyu", PRINTED_FPS, figure="feedback15_section_4_7")
    return finding.beside(*_tell_size(evidence))


def _tell_size(evidence: Evidence) -> tuple[str, ...]:
    """What was timed: patches and maps cost more than anything else; nothing where the run does not tell."""
    found, needs = evidence.find(LOOP, "nyu"), evidence.modules.get(LOOP, {}).get("needs", ())
    words = [f"patches of {found[0].protocol['size_px']} pixels"] if found and "size_px" in found[0].protocol else []
    drawing = evidence.modules.get(needs[DRAWS], {}).get("settings", {}) if len(needs) > DRAWS else {}
    if "filters" in drawing:
        words.append(f"{drawing['filters']} maps in the synthesizer")
    printed = f"the paper's has patches of {PRINTED_SIZE_PX} and {PRINTED_MAPS} maps"
    return (f"timed with {' and '.join(words)}, {printed}",) if words else ()


DECIDERS = {
    "FB1": decide_fb1,
    "FB2": decide_fb2,
    "FB3": decide_fb3,
    "FB4": decide_fb4,
    "FB5": decide_fb5,
    "FB8": decide_fb8,
    "FB10": decide_fb10,
} | claim_synthesizer.DECIDERS
