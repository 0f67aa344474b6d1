"""Claims of refine: a decider a claim; see `claim_list` for what each asks."""

from collections.abc import Sequence

import numpy as np

from handbench.evaluation.blocks import Blocks, compare_blocks
from handbench.evaluation.bootstrap import compare_seeds
from handbench.evaluation.claim_loop import make_finding, mean_of, tell_subjects
from handbench.evaluation.claim_rivals import describe_training, explain_shorter, explain_unfinished
from handbench.evaluation.claim_rules import (
    Evidence,
    Finding,
    Outcome,
    judge_all,
    judge_difference,
    judge_size,
    judge_speed,
)
from handbench.evaluation.paper_numbers import REFINE_FORWARD_MS, REFINE_RETRAIN_MINUTES
from handbench.evaluation.probes import Probe, describe_devices, find_on_cpu, find_single_ms
from handbench.evaluation.results import Result, compare_results
from handbench.evaluation.skeleton_score import RE_EXPRESSED, REMOVED
from handbench.evaluation.spread import compare_variances

BASE, REFINED, DEPTH_ONLY = "refine_base", "refine", "refine_depth"
NAMES = {BASE: "base, rendered hands alone", DEPTH_ONLY: "refined, depth loss alone", REFINED: "refined, all losses"}
"""The curves of Fig. 5, as figures and claims call them."""
NOISY, CLEAN, OWN = "nyu", "icvl", "wristband"
TARGETS = (NOISY, CLEAN, OWN)
FITTED_ON = (OWN, NOISY, CLEAN)
"""Section 4.3 fits images of the authors' own recording; of a run without one, those of the first that was probed."""
STEPS = 70
CLOUD_FITTED, CLOUD_HELD = 80.0, 30.0
"""Percent by which the loss is to fall: of the images that the cloud is fitted to, and of others of that hand."""
RETRAIN_FRAMES = 10 * 50_000
"""10 epochs of 50,000 frames."""
_FIGURE_5 = "refine_figure_5_{}"


def decide_rf1(evidence: Evidence) -> Finding:
    """On noisy and on clean frames the network refined by the depth loss alone errs less than the one it began as."""
    figure = _FIGURE_5.format(NOISY)
    missing = _explain_results(evidence, (BASE, DEPTH_ONLY), rivals=(BASE,))
    if missing:
        return Finding("not-run", missing, figure=figure)
    pairs = {one: (evidence.find(DEPTH_ONLY, one), evidence.find(BASE, one)) for one in (NOISY, CLEAN)}
    found = {one: compare_results(*pair) for one, pair in pairs.items()}
    outcome = judge_all(
        [
            judge_difference(
                comparison, expect="lower", what=f"joint error on {one.upper()}, depth loss less base, in mm"
            )
            for one, comparison in found.items()
        ]
    )
    measured = "; ".join(
        f"{one.upper()} {mean_of(before):.2f} to {mean_of(after):.2f} mm" for one, (after, before) in pairs.items()
    )
    weakest = max(found.values(), key=lambda one: one.difference.mean).difference
    finding = make_finding(outcome, weakest, measured=measured, seeds=pairs[NOISY][0], figure=figure)
    after, before = pairs[NOISY]
    return finding.beside(tell_subjects(before, after))


def decide_rf2(evidence: Evidence) -> Finding:
    """All losses less the depth loss alone: lower on noisy frames, and on clean ones under half of that gain."""
    figure = _FIGURE_5.format(NOISY)
    missing = _explain_results(evidence, (DEPTH_ONLY, REFINED), rivals=(DEPTH_ONLY,))
    if missing:
        return Finding("not-run", missing, figure=figure)
    pairs = {one: (evidence.find(REFINED, one), evidence.find(DEPTH_ONLY, one)) for one in (NOISY, CLEAN)}
    found = {one: compare_results(*pair) for one, pair in pairs.items()}
    gains = {one: [-value for value in comparison.per_seed] for one, comparison in found.items()}
    beyond_half = [clean - noisy / 2 for noisy, clean in zip(gains[NOISY], gains[CLEAN], strict=True)]
    outcome = judge_all(
        [
            judge_difference(
                found[NOISY], expect="lower", what=f"joint error on {NOISY.upper()}, all losses less depth, in mm"
            ),
            judge_size(
                beyond_half,
                at_most=0.0,
                what=f"gain on {CLEAN.upper()} less half of that on {NOISY.upper()}, in mm:",
            ),
        ]
    )
    measured = "gain of all losses: " + ", ".join(f"{one.upper()} {np.mean(mm):+.2f} mm" for one, mm in gains.items())
    finding = make_finding(outcome, found[NOISY].difference, measured=measured, seeds=pairs[NOISY][0], figure=figure)
    after, before = pairs[NOISY]
    return finding.beside(tell_subjects(before, after))


def _explain_results(evidence: Evidence, modules: Sequence[str], rivals: Sequence[str]) -> str:
    """What is missing on the two targets, or which rival does not count; empty where nothing is in the way.

    The base learned from other frames, so that its updates cannot be held against those of the refinement.
    """
    targets = (NOISY, CLEAN)
    missing = evidence.list_missing(modules, targets)
    if missing:
        return f"no {evidence.scale}-{evidence.source} results of {'; of '.join(missing)}"
    seeds = {tuple(one.seed for one in evidence.find(module, target)) for module in modules for target in targets}
    if len(seeds) > 1:
        return f"{' and '.join(modules)} have not been run with the same seeds on {' and '.join(targets)}"
    found = [one for rival in rivals for target in targets for one in evidence.find(rival, target)]
    if unfinished := explain_unfinished(found):
        return unfinished
    if BASE in rivals:
        return ""
    method = evidence.find(REFINED, NOISY)[0]
    ours = describe_training(REFINED, method.settings)
    return next(filter(None, (explain_shorter(describe_training(one.module, one.settings), ours) for one in found)), "")


def decide_rf3(evidence: Evidence) -> Finding:
    """Of the images that the network is overfitted to one by one, most lose over half of their depth error."""
    figure, target = "refine_figure_3", _find_fitted(evidence)
    if target is None:
        return Finding("not-run", _explain_unprobed(evidence), figure=figure)
    probes = evidence.find_probes(BASE, target)
    steps = [int(one.read("pose_fits", "steps")) for one in probes]
    if set(steps) != {STEPS}:
        told = ", ".join(map(str, sorted(set(steps))))
        return Finding("not-run", f"images were fitted in {told} steps, {STEPS} asked", figure=figure)
    shares = []
    for one in probes:
        first, last = (np.array(one.read("pose_fits", key), np.float64) for key in ("first", "last"))
        shares.append(100 * float((last < first / 2).mean()))
    outcome = _judge_over(shares, 50.0, what=f"% of {target.upper()}'s images whose depth error falls by over half:")
    images = len(probes[0].read("pose_fits", "first"))
    return Finding(
        outcome.status,
        outcome.reason,
        measured=f"{np.mean(shares):.0f} % of {images} images{tell_joints(probes)}",
        value=float(np.mean(shares)),
        seeds=tuple(one.seed for one in probes),
        figure=figure,
    )


def tell_joints(probes: Sequence[Probe]) -> str:
    """What the joints of fitted poses gain, where they are known: the loss may fall without them."""
    ends = [[one.numbers["pose_fits"].get(f"joints_mm_{end}") for one in probes] for end in ("first", "last")]
    if any(one is None for each in ends for one in each):
        return ""
    first, last = (float(np.mean(each)) for each in ends)
    return f"; their joints {first:.1f} to {last:.1f} mm off"


def decide_rf4(evidence: Evidence) -> Finding:
    """The cloud alone: how far the loss falls, on fitted images and on others, and where its points lie."""
    figure, target = "refine_figure_4", _find_fitted(evidence)
    if target is None:
        return Finding("not-run", _explain_unprobed(evidence), figure=figure)
    if evidence.source != "embedded":
        return Finding("not-run", "the true surface of a hand is known in embedded data alone", figure=figure)
    probes = evidence.find_probes(BASE, target)
    falls = {key: [find_fall(one, key) for one in probes] for key in ("fitted", "held")}
    nearer_mm = [find_approach(one) for one in probes]
    outcome = judge_all(
        [
            _judge_over(falls["fitted"], CLOUD_FITTED, what="% that the loss of fitted images falls by:"),
            _judge_over(falls["held"], CLOUD_HELD, what="% that the loss of other poses falls by:"),
            _judge_over(nearer_mm, 0.0, what="mm that the points come nearer the true surface:"),
        ]
    )
    measured = (
        f"{target.upper()}: the loss falls by {np.mean(falls['fitted']):.1f} % on fitted images and by "
        f"{np.mean(falls['held']):.1f} % on others; points {np.mean(nearer_mm):+.2f} mm nearer the surface"
    )
    return Finding(
        outcome.status,
        outcome.reason,
        measured=measured,
        value=float(np.mean(falls["held"])),
        seeds=tuple(one.seed for one in probes),
        figure=figure,
    )


def find_fall(probe: Probe, key: str) -> float:
    """How many percent the loss of these images falls by, all of them together."""
    first, last = (float(np.sum(probe.read("cloud_fits", f"{key}_{end}"))) for end in ("first", "last"))
    return 100 * (1 - last / first)


def find_approach(probe: Probe) -> float:
    """How many millimetres the points of the cloud come nearer the true surface, on average."""
    first, last = (float(probe.read("cloud_fits", f"surface_mm_{end}")) for end in ("first", "last"))
    return first - last


def _find_fitted(evidence: Evidence) -> str | None:
    """The target whose images were fitted."""
    return next((one for one in FITTED_ON if evidence.find_probes(BASE, one)), None)


def _explain_unprobed(evidence: Evidence) -> str:
    return evidence.explain_missing(FITTED_ON[0], probes=(BASE,)) + f", nor on {' or '.join(FITTED_ON[1:])}"


def _judge_over(per_seed: Sequence[float], limit: float, *, what: str) -> Outcome:
    """As `judge_size`, where the limit itself is not enough."""
    if len(per_seed) and float(np.mean(per_seed)) == limit:
        return Outcome(False, f"size: {what} {limit:g} on average of {len(per_seed)} seeds, over {limit:g} asked")
    return judge_size(per_seed, at_least=limit, what=what)


def decide_rf5(evidence: Evidence) -> Finding:
    """On the recording both the mean and the variance of the depth error fall; jitter is told beside them."""
    figure = "refine_figure_7"
    missing = evidence.explain_missing(OWN, probes=(BASE, REFINED))
    before, after = (evidence.find_probes(module, OWN) for module in (BASE, REFINED))
    missing = missing or explain_unfinished(before) or _explain_other_frames(before, after)
    if missing:
        return Finding("not-run", missing, figure=figure)
    first, last = ([read_depth_errors(one) for one in probes] for probes in (before, after))
    recording = (OWN,) * len(first[0])
    mean, variance = compare_seeds(last, first, recording), compare_variances(last, first, recording)
    outcome = judge_all(
        [
            judge_difference(mean, expect="lower", what="mean depth error, refined less base"),
            judge_difference(variance, expect="lower", what="variance of the depth error, refined less base"),
        ]
    )
    told = [f"mean {np.mean(first):.4g} to {np.mean(last):.4g}"]
    told += [f"variance {np.var(first, axis=1).mean():.3g} to {np.var(last, axis=1).mean():.3g}", tell_jitter(evidence)]
    return make_finding(
        outcome, variance.difference, measured=", ".join(filter(None, told)), seeds=after, figure=figure
    )


def _explain_other_frames(before: Sequence[Probe], after: Sequence[Probe]) -> str:
    if [one.seed for one in before] != [one.seed for one in after]:
        return f"{BASE} and {REFINED} were not probed with the same seeds"
    lengths = {len(read_depth_errors(one)) for one in (*before, *after)}
    return "" if len(lengths) <= 1 else f"{BASE} and {REFINED} were not probed on the same frames"


def read_depth_errors(probe: Probe) -> np.ndarray:
    """Mean squared difference of the two drawn images, of every test frame."""
    return np.array(probe.read("depth_error", "by_frame"), np.float64)


def read_jitter(probe: Probe) -> np.ndarray | None:
    """Second difference of neighbouring frames' joints in millimetres; None where it was not measured."""
    told = probe.numbers.get("jitter_mm")
    return None if told is None else np.array(told["by_frame"], np.float64)


def tell_jitter(evidence: Evidence) -> str:
    """Before and after, where both were measured."""
    means_mm = []
    for module in (BASE, REFINED):
        found = [read_jitter(one) for one in evidence.find_probes(module, OWN)]
        means_mm.append([float(np.nanmean(one)) for one in found if one is not None])
    if not all(means_mm):
        return "jitter not measured"
    return f"jitter {np.mean(means_mm[0]):.2f} to {np.mean(means_mm[1]):.2f} mm"


def decide_rf6(evidence: Evidence) -> Finding:
    """On embedded frames the error on the target's own hand is below the raw one and above that without the bias."""
    figure = "refine_figure_8_nyu"
    if evidence.source != "embedded":
        return Finding("not-run", "the target's own hand is known in embedded data alone", figure=figure)
    results = evidence.find(REFINED, NOISY)
    missing = evidence.explain_missing(NOISY, results=(REFINED,))
    if missing:
        return Finding("not-run", missing, figure=figure)
    lacks = [name for name in (REMOVED, RE_EXPRESSED) if not all(_has(one, name) for one in results)]
    if lacks:
        told = " and ".join(name.replace("_", "-") for name in lacks)
        return Finding("not-run", f"the {told} error of {REFINED} on {NOISY} was not measured", figure=figure)
    raw = [Blocks(one.block_sums_mm, one.block_counts) for one in results]
    removed, true = (blocks_of(results, name) for name in (REMOVED, RE_EXPRESSED))
    below, above = compare_blocks(true, raw), compare_blocks(removed, true)
    outcome = judge_all(
        [
            judge_difference(below, expect="lower", what="error on the target's hand less the raw one, in mm"),
            judge_difference(above, expect="lower", what="bias-removed error less that on the target's hand, in mm"),
        ]
    )
    means_mm = [float(np.mean([one.mean for one in blocks])) for blocks in (raw, true, removed)]
    measured = "raw {:.2f} mm, on the target's hand {:.2f} mm, bias removed {:.2f} mm".format(*means_mm)
    return make_finding(outcome, below.difference, measured=measured, seeds=results, figure=figure)


def _has(result: Result, name: str) -> bool:
    return result.skeleton is not None and name in result.skeleton.errors


def blocks_of(results: Sequence[Result], name: str) -> list[Blocks]:
    """One of the errors beside the raw one, of every seed that has it."""
    return [one.skeleton.errors[name] for one in results if one.skeleton is not None and name in one.skeleton.errors]


def decide_rf7(evidence: Evidence) -> Finding:
    """A forward pass of one frame, and ten epochs of 50,000 frames at the pace of the steps that were timed."""
    figure = "refine_speed"
    target = next((one for one in TARGETS if evidence.find_probes(REFINED, one)), None)
    if target is None:
        return Finding("not-run", evidence.explain_missing(NOISY, probes=(REFINED,)), figure=figure)
    probes = evidence.find_probes(REFINED, target)
    single_ms = find_single_ms(probes, "network")
    device = describe_devices(probes)
    forward = f"{single_ms:.3g} ms a frame one by one"
    minutes = find_minutes(probes)
    if minutes is None:
        return Finding("not-run", f"{forward} on {device}, but no step of the refinement was timed", figure=figure)
    steps = [one.numbers["step"] for one in probes if "step" in one.numbers]
    # Steps without a word of it were made on the CPU, wherever the rest was.
    elsewhere = sorted({one.get("device", "CPU") for one in steps} - {one.numbers["device"] for one in probes})
    if elsewhere:
        why = f"{forward} on {device}, but the step of the refinement was timed on {', '.join(elsewhere)}"
        return Finding("not-run", why, figure=figure)
    outcome = judge_all(
        [
            judge_speed(1000 / single_ms, 1000 / REFINE_FORWARD_MS, unit="frames/s one by one", device=device),
            judge_speed(
                RETRAIN_FRAMES / (60 * minutes),
                RETRAIN_FRAMES / (60 * REFINE_RETRAIN_MINUTES),
                unit="frames/s refined on",
                device=device,
            ),
        ]
    )
    beside = find_on_cpu(probes)
    cpu = (
        f"; {find_single_ms(beside, 'network'):.3g} ms a frame one by one on {describe_devices(beside)}"
        if beside
        else ""
    )
    return Finding(
        outcome.status,
        outcome.reason + cpu,
        measured=f"{forward}, 10 epochs of 50,000 frames in {minutes:.0f} min, on {device}",
        value=single_ms,
        seeds=tuple(one.seed for one in probes),
        figure=figure,
    )


def find_minutes(probes: Sequence[Probe]) -> float | None:
    """How long 10 epochs of 50,000 frames take at the pace of the steps that probes timed; None where none has."""
    timed = [one.numbers["step"] for one in probes if "step" in one.numbers]
    if not timed:
        return None
    frame_ms = float(np.mean([one["milliseconds"] / one["batch"] for one in timed]))
    return RETRAIN_FRAMES * frame_ms / 60_000


DECIDERS = {
    "RF1": decide_rf1,
    "RF2": decide_rf2,
    "RF3": decide_rf3,
    "RF4": decide_rf4,
    "RF5": decide_rf5,
    "RF6": decide_rf6,
    "RF7": decide_rf7,
}
