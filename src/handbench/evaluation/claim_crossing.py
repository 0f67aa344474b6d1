"""Claims of crossing: a decider a claim; those on shares of labels stand in `claim_shares`."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from handbench.errors import BadInput
from handbench.evaluation import claim_shares
from handbench.evaluation.bootstrap import Comparison, compare_seeds, sum_blocks
from handbench.evaluation.claim_loop import make_finding, mean_of
from handbench.evaluation.claim_rules import (
    BlockRatio,
    Evidence,
    Finding,
    Outcome,
    compare_ratios,
    judge_all,
    judge_difference,
    judge_likeness,
    judge_size,
)
from handbench.evaluation.claim_shares import ESTIMATOR, choose_estimator, explain_rivals
from handbench.evaluation.probes import Probe, describe_devices
from handbench.evaluation.results import Result, compare_results

NN_SEARCH = "nn_search"
WITHOUT = {"crossing_without_smoothness": "without smoothness", "crossing_without_gan": "without GAN"}
"""The estimator trained without one of its tasks (Sec. 5.2)."""
FAIR_ON, UNFAIR_ON = "msra", ("nyu", "icvl")
_FIGURE = "crossing_figure_4_msra"
TIMES_MEDIAN = 3.0
TIMES_RECONSTRUCTION = 1.5
CONTROLS = {"background": "that of background alone", "other": "that from the hand of another pose"}
"""Key of a probe: what CN4 asks drawn depth to be better than."""
PRINTED_MS, PRINTED_PX, CORES = 11.0, 128, 2


def decide_cn5(evidence: Evidence) -> Finding:
    """nn-search's error over the estimator's on three data sets: MSRA's ratio is below each of the others."""
    datasets = (*UNFAIR_ON, FAIR_ON)
    missing = evidence.list_missing((NN_SEARCH, ESTIMATOR), datasets)
    if missing:
        run = f"{evidence.scale}-{evidence.source}"
        return Finding("not-run", f"no {run} results of {'; of '.join(missing)}", figure=_FIGURE)
    unsure = [one for one in datasets if not all(result.converged for result in evidence.find(ESTIMATOR, one))]
    if unsure:
        reason = f"{ESTIMATOR} on {', '.join(unsure)} was not trained until its validation error stopped falling"
        return Finding("not-run", reason, figure=_FIGURE)
    pairs = {one: (evidence.find(NN_SEARCH, one), evidence.find(ESTIMATOR, one)) for one in datasets}
    ratios = {one: _ratio_of(*pair) for one, pair in pairs.items()}
    outcomes = [
        judge_difference(
            compare_ratios(ratios[FAIR_ON], ratios[other]),
            expect="lower",
            what=f"ratio on {FAIR_ON.upper()} less that on {other.upper()}",
        )
        for other in UNFAIR_ON
    ]
    outcome = judge_all(outcomes)
    measured = "nn-search over estimator: " + ", ".join(f"{one.upper()} {ratios[one].pooled:.3f}" for one in datasets)
    seeds = tuple(result.seed for result in evidence.find(ESTIMATOR, FAIR_ON))
    return Finding(outcome.status, outcome.reason, measured=measured, seeds=seeds, figure=_FIGURE)


def _ratio_of(ours: Sequence[Result], theirs: Sequence[Result]) -> BlockRatio:
    compare_results(ours, theirs)  # refuses other frames, and seeds that do not pair
    sums_mm = [
        np.stack([one.block_sums_mm for one in sorted(results, key=lambda one: one.seed)]) for results in (ours, theirs)
    ]
    return BlockRatio(*sums_mm)


def decide_cn3(evidence: Evidence) -> Finding:
    """The estimator less the same without one of its tasks, on NYU."""
    figure = "crossing_section_5_2"
    full, without = evidence.find(ESTIMATOR, "nyu"), {name: evidence.find(name, "nyu") for name in WITHOUT}
    missing = evidence.explain_missing("nyu", results=(ESTIMATOR, *WITHOUT)) or explain_rivals(full, *without.values())
    if missing:
        return Finding("not-run", missing, figure=figure)
    gains = {name: compare_results(full, found) for name, found in without.items()}
    outcome = judge_all(
        [
            judge_difference(gain, expect="lower", what=f"estimator less that {WITHOUT[name]}, in mm")
            for name, gain in gains.items()
        ]
    )
    told = ", ".join(f"{WITHOUT[name]} {mean_of(found):.2f}" for name, found in without.items())
    # The number of the row is the smaller of the two gains.
    least = max((gain.difference for gain in gains.values()), key=lambda one: one.mean)
    return make_finding(outcome, least, measured=f"{mean_of(full):.2f} mm, {told} mm", seeds=full, figure=figure)


def decide_cn4(evidence: Evidence) -> Finding:
    """Steps of every walk, and its drawn depth against the hand of its pose, on NYU."""
    figure = "crossing_walks"
    module = choose_estimator(evidence.find_probes, "nyu")
    missing = evidence.explain_missing("nyu", probes=(module,))
    if missing:
        return Finding("not-run", missing, figure=figure)
    probes = evidence.find_probes(module, "nyu")
    jumps = [max(measure_jumps(one)) for one in probes]
    beyond = compare_depth(probes)
    outcome = judge_all(
        [
            judge_size(jumps, at_most=TIMES_MEDIAN, what="largest step over median step, in the worst walk,"),
            judge_likeness(
                beyond.difference,
                low=-np.inf,
                high=0.0,
                what=f"drawn depth off the decoded pose less {TIMES_RECONSTRUCTION:g} times the reconstruction error",
            ),
            *_judge_controls(probes),
        ]
    )
    times = np.mean([np.mean(measure_depth(one)) / one.read("reconstruction", "test") for one in probes])
    walks = len(probes[0].read("walks"))
    measured = (
        f"{module}: largest step {np.mean(jumps):.2f} times the median in the worst of {walks} walks; "
        f"drawn depth off by {times:.2f} times the reconstruction error, "
        f"{_mean_of_walks(probes, ''):.3f} half cube edges where background alone is off by "
        f"{_mean_of_walks(probes, 'background'):.3f} and the hands of another walk by "
        f"{_mean_of_walks(probes, 'other'):.3f}"
    )
    return make_finding(outcome, beyond.difference, measured=measured, seeds=probes, figure=figure)


def _judge_controls(probes: Sequence[Probe]) -> list[Outcome]:
    """Ours, beside the printed rule, which a generator that draws nothing but background would keep: drawn depth comes
    nearer to its pose, and a reconstruction to its frame, than background alone and than the hand of another pose.
    """
    walks = [str(place) for place, walk in enumerate(probes[0].read("walks")) for _ in walk["depth_error"]]
    frames = _list_sequences(probes[0])
    points, errors = ([read(one, "") for one in probes] for read in (_read_points, _read_frames))
    outcomes = []
    for key, words in CONTROLS.items():
        beside, of_frames = ([read(one, key) for one in probes] for read in (_read_points, _read_frames))
        nearer, better = compare_seeds(points, beside, walks), compare_seeds(errors, of_frames, frames)
        outcomes += [
            judge_difference(nearer, expect="lower", what=f"drawn depth off the decoded pose less {words}"),
            judge_difference(better, expect="lower", what=f"reconstruction error less {words}"),
        ]
    return outcomes


def _read_frames(probe: Probe, control: str) -> Float64[np.ndarray, "frames"]:
    """The reconstruction error of every frame, or what a control gives in its place."""
    return np.array(probe.read("reconstruction", f"{control}_by_frame" if control else "by_frame"), np.float64)


def _read_points(probe: Probe, control: str) -> Float64[np.ndarray, "points"]:
    """How far drawn depth is off its pose at every point, one walk after the other, or what a control gives."""
    key = f"{control or 'depth'}_error"
    if lacking := next((walk for walk in probe.read("walks") if key not in walk), None):
        raise BadInput(
            f"the probe of {probe.module} on {probe.dataset}, seed {probe.seed}",
            expected=f"{key} of the walk from {lacking['from']}",
            found="none, as an older release left it",
            fix="probe it again with this release",
        )
    return np.concatenate([np.array(walk[key], np.float64) for walk in probe.read("walks")])


def _mean_of_walks(probes: Sequence[Probe], control: str) -> float:
    return float(np.mean([_read_points(one, control) for one in probes]))


def measure_jumps(probe: Probe) -> list[float]:
    """Of each walk the largest step over the median one."""
    steps = [np.array(walk["steps_mm"]) for walk in probe.read("walks")]
    return [float(one.max() / np.median(one)) for one in steps]


def measure_depth(probe: Probe) -> list[float]:
    """Of each walk the mean difference between drawn depth and the rendered hand, in half cube edges."""
    return [float(np.mean(walk["depth_error"])) for walk in probe.read("walks")]


def compare_depth(probes: Sequence[Probe]) -> Comparison:
    """That difference over all walks, less 1.5 times the reconstruction error over all test frames.

    Each is drawn by itself: walks whole, frames in their blocks, and with either all seeds.
    """
    ends = {tuple((walk["from"], walk["to"]) for walk in one.read("walks")) for one in probes}
    frames = {len(one.read("reconstruction", "by_frame")) for one in probes}
    if len(ends) > 1 or len(frames) > 1:
        raise BadInput(
            f"the probes of {probes[0].module}",
            expected="the same walks and frames with every seed",
            found="others",
            fix="probe all seeds on one test set",
        )
    walked = np.array([measure_depth(one) for one in probes], np.float64)
    blocks = [sum_blocks(np.array(one.read("reconstruction", "by_frame")), _list_sequences(one)) for one in probes]
    sums, counts = (np.stack([one[part] for one in blocks]).astype(np.float64) for part in (0, 1))
    return compare_ratios(BlockRatio(walked, np.ones_like(walked)), BlockRatio(TIMES_RECONSTRUCTION * sums, counts))


def _list_sequences(probe: Probe) -> list[str]:
    """Of every reconstructed frame; where a probe does not tell them the list counts as one."""
    told = probe.read("reconstruction")
    return list(told.get("sequences") or [""] * len(told["by_frame"]))


def decide_cn6(evidence: Evidence) -> Finding:
    """One image by itself on two cores, the network alone, as print has it."""
    figure = "crossing_speed"
    module = choose_estimator(evidence.find_probes, "nyu")
    missing = evidence.explain_missing("nyu", probes=(module,))
    probes = evidence.find_probes(module, "nyu")
    device = describe_devices(probes)
    if not missing and any(one.read("device") != "CPU" or one.read("threads") > CORES for one in probes):
        missing = f"timed on {device}; the claim is of {CORES} cores of a CPU"
    if missing:
        return Finding("not-run", missing, figure=figure)
    taken = [float(one.read("milliseconds", "1", "network")) for one in probes]
    outcome = judge_size(taken, at_most=PRINTED_MS, what=f"milliseconds an image on {device}:")
    mean_ms = float(np.mean(taken))
    sizes = {int(one.protocol.get("size_px", PRINTED_PX)) for one in evidence.find(module, "nyu")} - {PRINTED_PX}
    smaller = [f"patches have {size} pixels where the paper's have {PRINTED_PX}" for size in sorted(sizes)]
    return Finding(
        outcome.status,
        "; ".join([outcome.reason, *smaller]),
        measured=f"{mean_ms:.3g} ms an image on {device}",
        value=mean_ms,
        seeds=tuple(one.seed for one in probes),
        figure=figure,
    )


DECIDERS = {
    "CN3": decide_cn3,
    "CN4": decide_cn4,
    "CN5": decide_cn5,
    "CN6": decide_cn6,
} | claim_shares.DECIDERS
