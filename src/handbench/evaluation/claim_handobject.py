"""Claims of feedback19 on hand and object together: a decider a claim; see `claim_list` for what each asks."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from handbench.errors import BadInput
from handbench.evaluation.bootstrap import Comparison, Interval, bootstrap_blocks, name_blocks, sum_blocks
from handbench.evaluation.claim_loop import ITERATIONS, decide_speed, make_finding
from handbench.evaluation.claim_rivals import (
    describe_training,
    explain_shorter,
    explain_unfinished,
    explain_unfinished_parts,
    find_training,
)
from handbench.evaluation.claim_rules import (
    Evidence,
    Finding,
    judge_all,
    judge_difference,
    judge_likeness,
    judge_size,
)
from handbench.evaluation.hand_object_score import HandObjectResult, Measured, compare_average, compare_metrics
from handbench.evaluation.paper_numbers import FEEDBACK19_HAND_OBJECT_FPS
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result, compare_results

DATASET = "dexter"
LOOP = "handobject"
NETWORK = "handobject_network"
"""The same with a network in the place of the object's renderer."""
SINGLE = "handobject_single"
ROTATION = "handobject_rotation"
"""The object predicted as a rotation and a translation."""
THREE = "handobject_three"
"""The loop's own parts, one iteration more than the paper makes."""
LOCALIZERS = {"hand": "handobject_hand_localizer", "object": "handobject_object_localizer"}
SPHERES = {part: f"{module}_spheres" for part, module in LOCALIZERS.items()}
"""The same, trained with spheres in the hand."""
STARTERS, UPDATERS = ("_localizer", "_predictor"), "_updater"
"""How those of hand and of object end, among the modules that the loop needs: the start's, and what improves it."""
OBJECT_PREDICTOR = f"{LOOP}_object_predictor"
GAIN_PERCENT = 5.0
TIMES_WORSE = 1.3
TIMES_DEGRADED, LEAST_MM = 5.0, 1.0
ALIKE_SHARE = 0.10
TABLE_2 = "feedback19_table_2"


def decide_gf4(evidence: Evidence) -> Finding:
    """After two iterations against the start: lower on average and on each sequence; corners against tips.

    The start is the rival: its parts must have come to their end. A loop that could still learn may win.
    """
    missing = _explain(evidence, LOOP) or _explain_start(evidence)
    if missing:
        return Finding("not-run", missing, figure=TABLE_2)
    results = evidence.find(LOOP, DATASET)
    start, end = measure(results, "combined", 0), measure(results, "combined", ITERATIONS)
    average = compare_average(end, start)
    gains = [100 * (1 - b.average / a.average) for a, b in zip(start, end, strict=True)]
    corners, tips = measure(results, "corners", ITERATIONS), measure(results, "tips", ITERATIONS)
    outcome = judge_all(
        [
            judge_difference(average, expect="lower", what="average after two iterations less before, in mm"),
            judge_size(gains, at_least=GAIN_PERCENT, what="the average falls in % by"),
            *(
                judge_difference(compare_on(end, start, name), expect="lower", what=f"the same on {name}")
                for name in end[0].names
            ),
            judge_difference(compare_metrics(corners, tips), expect="lower", what="corners less tips, in mm"),
        ]
    )
    measured = (
        f"{average_mm(start):.2f} to {average_mm(end):.2f} mm combined ({-np.mean(gains):+.1f} %); "
        f"corners {average_mm(corners):.2f}, tips {average_mm(tips):.2f} mm"
    )
    return make_finding(outcome, average.difference, measured=measured, seeds=results, figure=TABLE_2)


def measure(results: Sequence[Result], metric: str, step: int = -1) -> tuple[Measured, ...]:
    """One metric of every seed after so many iterations."""
    return tuple(hold(one).at(metric, step) for one in results)


def hold(result: Result) -> HandObjectResult:
    """What a result says of hand and object; BadInput of one that says nothing."""
    if result.hand_object is None:
        raise BadInput(
            f"{result.module} on {result.dataset}, seed {result.seed}",
            expected="errors of hand and object",
            found="those of a hand alone",
            fix="predict and evaluate it again with this release",
        )
    return result.hand_object


def average_mm(seeds: Sequence[Measured]) -> float:
    """The average of the sequences, mean over seeds."""
    return float(np.mean([one.average for one in seeds]))


def _explain(evidence: Evidence, *modules: str) -> str:
    """Which modules lack results on Dexter+Object."""
    return evidence.explain_missing(DATASET, results=modules)


def _explain_start(evidence: Evidence) -> str:
    """Why the loop's start is no rival: a part of it was not trained to its end, or less than its updater."""
    needs = evidence.modules.get(LOOP, {}).get("needs", ())
    if unfinished := explain_unfinished_parts(
        evidence.find(LOOP, DATASET), [name for name in needs if name.endswith(STARTERS)]
    ):
        return unfinished
    updaters = [name for name in needs if name.endswith(UPDATERS)]
    pairs = [(name.replace(UPDATERS, starter), name) for name in updaters for starter in STARTERS]
    if not pairs:
        return explain_shorter(None, None)
    shorter = (explain_shorter(*(find_training(evidence, name) for name in pair)) for pair in pairs)
    return next(filter(None, shorter), "")


def compare_on(ours: Sequence[Measured], theirs: Sequence[Measured], name: str) -> Comparison:
    """The paired difference on one sequence."""
    return compare_average(*([one.on(name) for one in side] for side in (ours, theirs)))


def share_of_third(third: Sequence[Result]) -> tuple[Interval, str]:
    """What the third iteration changes the combined error by, as a share of the start; and all errors in words."""
    steps = [measure(third, "combined", step) for step in range(ITERATIONS + 2)]
    change, whole = compare_average(steps[-1], steps[ITERATIONS]).difference, average_mm(steps[0])
    share = Interval(change.mean / whole, change.low / whole, change.high / whole, change.blocks)
    return share, ", ".join(f"{average_mm(step):.2f}" for step in steps)


def decide_gf5(evidence: Evidence) -> Finding:
    """One network for hand and object against the loops."""
    single, loops = evidence.find(SINGLE, DATASET), evidence.find(LOOP, DATASET)
    missing = _explain(evidence, SINGLE, LOOP) or explain_unfinished(single) or _explain_rival(evidence, single)
    if missing:
        return Finding("not-run", missing, figure=TABLE_2)
    compare_results(single, loops)  # refuses other frames, and seeds that do not pair
    ours, theirs = measure(single, "combined"), measure(loops, "combined", ITERATIONS)
    difference = compare_average(ours, theirs)
    times = [a.average / b.average for a, b in zip(ours, theirs, strict=True)]
    outcome = judge_all(
        [
            judge_difference(difference, expect="higher", what="average, one network less the loops, in mm"),
            judge_size(times, at_least=TIMES_WORSE, what="error of one network over that of the loops"),
        ]
    )
    measured = f"{average_mm(ours):.2f} against {average_mm(theirs):.2f} mm ({np.mean(times):.2f} times)"
    return make_finding(outcome, difference.difference, measured=measured, seeds=single, figure=TABLE_2)


def _explain_rival(evidence: Evidence, rival: Sequence[Result], *against: str) -> str:
    """Why a rival does not count: it had fewer updates than some network of the loop (or those named).

    Synthesizers are left out: no pose is theirs.
    """
    needs = evidence.modules.get(LOOP, {}).get("needs", ())
    names = [name for name in needs if name in (against or needs) and name.endswith((*STARTERS, UPDATERS))]
    trained = [one for name in names if (one := find_training(evidence, name))]
    longest = max(trained, key=lambda one: one.updates, default=None)
    return explain_shorter(describe_training(rival[0].module, rival[0].settings), longest)


def decide_gf7(evidence: Evidence) -> Finding:
    """What localizers lose that learned from spheres, on the cuboids of the test set."""
    figure = "feedback19_spheres"
    modules = (*LOCALIZERS.values(), *SPHERES.values())
    missing = evidence.explain_missing(DATASET, probes=modules)
    missing = missing or explain_unfinished([one for name in modules for one in evidence.find_probes(name, DATASET)])
    if missing:
        return Finding("not-run", missing, figure=figure)
    losses = {part: compare_localizers(evidence, part) for part in LOCALIZERS}
    hand, thing = losses["hand"], losses["object"]
    times = [b / max(a, LEAST_MM) for a, b in zip(hand.per_seed, thing.per_seed, strict=True)]
    outcome = judge_all(
        [
            judge_difference(thing, expect="higher", what="object's localizer, spheres less cuboids, in mm"),
            judge_size(times, at_least=TIMES_DEGRADED, what="the object's loss over the hand's"),
        ]
    )
    measured = f"hand {hand.difference.mean:+.2f} mm, object {thing.difference.mean:+.2f} mm"
    seeds = evidence.find_probes(LOCALIZERS["object"], DATASET)
    return make_finding(outcome, thing.difference, measured=measured, seeds=seeds, figure=figure)


def compare_localizers(evidence: Evidence, part: str) -> Comparison:
    """Distance from the point of a localizer that learned from spheres less that of the other, frame by frame."""
    spheres, cuboids = (evidence.find_probes(names[part], DATASET) for names in (SPHERES, LOCALIZERS))
    return compare_distances(spheres, cuboids)


def compare_distances(ours: Sequence[Probe], theirs: Sequence[Probe], sequence: str = "") -> Comparison:
    """The paired difference of two localizers' distances from their point; negative where the first is nearer.

    With a `sequence` that of its frames alone.
    """
    seeds, others = ([one.seed for one in probes] for probes in (ours, theirs))
    sequences = {tuple(one.read("sequences")) for one in (*ours, *theirs)}
    if seeds != others or len(sequences) > 1:
        raise BadInput(
            f"the probes of {ours[0].module} against those of {theirs[0].module}",
            expected="the same frames with the same seeds",
            found=f"seeds {seeds} against {others}" if seeds != others else "other frames",
            fix="probe both on one test set with the same seeds",
        )
    differences = np.stack(
        [
            a.frame_distances_mm("localized") - b.frame_distances_mm("localized")
            for a, b in zip(ours, theirs, strict=True)
        ],
        axis=1,
    )
    names = sequences.pop()
    pooled = average_distances(differences, names, sequence)
    chosen = differences[np.array(names) == sequence] if sequence else differences
    per_seed = tuple(chosen.mean(axis=0).tolist())
    return Comparison(pooled, per_seed, all(np.sign(value) == np.sign(pooled.mean) for value in per_seed))


def average_distances(
    distances_mm: Float[np.ndarray, "frames seeds"], sequences: Sequence[str], sequence: str = ""
) -> Interval:
    """The mean over frames and seeds with its interval; with a `sequence` over the blocks of that one alone."""
    sums, counts = sum_blocks(distances_mm, sequences)
    inside = np.array([sequence in ("", name) for name in name_blocks(sequences)], bool)
    return bootstrap_blocks(sums[inside], counts[inside])


def decide_gf8(evidence: Evidence) -> Finding:
    """The loop with a network that draws the object against that with the renderer."""
    figure = "feedback19_section_4_5"
    found = {module: evidence.find(module, DATASET) for module in (NETWORK, LOOP)}
    missing = _explain(evidence, *found) or explain_unfinished([one for group in found.values() for one in group])
    if missing:
        return Finding("not-run", missing, figure=figure)
    compare_results(found[NETWORK], found[LOOP])  # as above
    network, renderer = (measure(group, "combined", ITERATIONS) for group in found.values())
    difference, whole = compare_average(network, renderer).difference, average_mm(renderer)
    shares = Interval(difference.mean / whole, difference.low / whole, difference.high / whole, difference.blocks)
    outcome = judge_likeness(shares, low=-ALIKE_SHARE, high=ALIKE_SHARE, what="change by the network, as a share")
    measured = f"{average_mm(network):.2f} mm with the network, {whole:.2f} mm with the renderer"
    return make_finding(outcome, shares, measured=measured, seeds=found[NETWORK], figure=figure)


def decide_gf9(evidence: Evidence) -> Finding:
    """The loop's first object, of eight corners, against one of rotation and translation: errors of the corners."""
    figure = "feedback19_section_4_4"
    loop, rival = evidence.find(LOOP, DATASET), evidence.find(ROTATION, DATASET)
    missing = _explain(evidence, LOOP, ROTATION) or explain_unfinished(rival)
    missing = missing or _explain_rival(evidence, rival, OBJECT_PREDICTOR)
    if missing:
        return Finding("not-run", missing, figure=figure)
    compare_results(loop, rival)  # as above
    ours, theirs = measure(loop, "corners", 0), measure(rival, "corners", 0)
    comparison = compare_average(ours, theirs)
    outcome = judge_difference(comparison, expect="lower", what="corners, eight corners less rotation, in mm")
    measured = f"{average_mm(ours):.2f} mm of eight corners, {average_mm(theirs):.2f} of rotation and translation"
    return make_finding(outcome, comparison.difference, measured=measured, seeds=rival, figure=figure)


def decide_gf11(evidence: Evidence) -> Finding:
    """Frames a second of hand and object, in the batches that are fastest, wherever the probe ran."""
    return decide_speed(evidence, LOOP, DATASET, FEEDBACK19_HAND_OBJECT_FPS, figure="feedback19_hand_object_runtime")


DECIDERS = {
    "GF4": decide_gf4,
    "GF5": decide_gf5,
    "GF7": decide_gf7,
    "GF8": decide_gf8,
    "GF9": decide_gf9,
    "GF11": decide_gf11,
}
