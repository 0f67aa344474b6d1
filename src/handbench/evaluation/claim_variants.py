"""Claims on the variants of deepmodel: its ablation (DM1) and what the physical loss does (DM2)."""

from collections.abc import Sequence

import numpy as np

from handbench.errors import BadInput
from handbench.evaluation.angle_score import AngleResult
from handbench.evaluation.blocks import Blocks, compare_blocks, pool_blocks
from handbench.evaluation.claim_loop import make_finding, mean_of
from handbench.evaluation.claim_rivals import describe_training, explain_shorter, explain_unfinished
from handbench.evaluation.claim_rules import (
    BlockRatio,
    Evidence,
    Finding,
    Outcome,
    bootstrap_ratio,
    judge_all,
    judge_difference,
    judge_likeness,
    judge_size,
)
from handbench.evaluation.results import Result, compare_results

FULL = "deepmodel"
WITHOUT_PHYSICAL = "deepmodel_without_physical"
DIRECT_JOINT = "deepmodel_direct_joint"
DIRECT_PARAMETER = "deepmodel_direct_parameter"
DIRECT_PARAMETER_PHYSICAL = "deepmodel_direct_parameter_physical"
THREE_ANGLES = "deepmodel_three_angles"
NAMES = {
    DIRECT_JOINT: "direct joint",
    DIRECT_PARAMETER: "direct parameter",
    WITHOUT_PHYSICAL: "without physical loss",
    FULL: "full",
}
"""The rows of Table 1, as claims call them."""
ANGLE_SHARE = 0.75
TIMES_FEWER = 10


def decide_dm1(evidence: Evidence) -> Finding:
    """Joints: full not above direct joint, direct parameter above all; angles: full at most 0.75 of direct joint's.

    Direct joint's angles are fitted to its joints, as the paper's 14 or as all that it gives: the lower error counts.
    """
    figure = "deepmodel_table_1"
    found = {name: evidence.find(name, "nyu") for name in NAMES}
    missing = evidence.explain_missing("nyu", results=tuple(NAMES))
    missing = missing or _explain_rivals(found[FULL], (found[DIRECT_JOINT], found[DIRECT_PARAMETER]))
    if missing:
        return Finding("not-run", missing, figure=figure)
    full, direct = found[FULL], found[DIRECT_JOINT]
    joints = compare_results(full, direct).difference
    others = [name for name in NAMES if name != DIRECT_PARAMETER]
    ours, fits = ([one.errors for one in angles_of(full)], fits_of(direct))
    best = min(fits, key=lambda word: pool_blocks(fits[word]).mean)
    outcome = judge_all(
        [
            judge_likeness(joints, low=-np.inf, high=0.0, what="joint error, full less direct joint, in mm"),
            _judge_angles(ours, fits[best], f"direct joint fitted to {best}"),
            *(
                judge_difference(
                    compare_results(found[DIRECT_PARAMETER], found[name]),
                    expect="higher",
                    what=f"joint error, direct parameter less {NAMES[name]}, in mm",
                )
                for name in others
            ),
        ]
    )
    both = ", ".join(f"to {word} {pool_blocks(blocks).mean:.2f}" for word, blocks in fits.items())
    told = f"direct joint's angles in degrees, fitted {both}: the lower counts"
    told += _tell_palm(full, evidence.find(THREE_ANGLES, "nyu"))
    outcome = Outcome(outcome.holds, f"{outcome.reason}; {told}")
    measured = "mm / degrees: " + ", ".join(f"{word} {_tell_row(found[name])}" for name, word in NAMES.items())
    return make_finding(outcome, joints, measured=measured, seeds=full, figure=figure)


def _tell_palm(full: Sequence[Result], three: Sequence[Result]) -> str:
    """Of how many numbers the palm's turn is read, where they are not the paper's three, and what those give."""
    numbers = full[0].settings.get("palm_numbers", 3)
    if numbers == 3:
        return ""
    printed = f": by three, as printed, {mean_of(three):.2f} mm" if three else ", not of three as printed"
    return f"; full reads the palm's turn from {numbers} numbers{printed}"


def _explain_rivals(method: Sequence[Result], rivals: Sequence[Sequence[Result]]) -> str:
    """Why a rival does not count; empty where all do."""
    if unfinished := explain_unfinished([one for rival in rivals for one in rival]):
        return unfinished
    ours = describe_training(method[0].module, method[0].settings)
    shorter = (explain_shorter(describe_training(one[0].module, one[0].settings), ours) for one in rivals)
    return next(filter(None, shorter), "")


def angles_of(results: Sequence[Result]) -> list[AngleResult]:
    """The angles of every seed; results of predictions whose angles were not measured are a BadInput."""
    found = [one.angles for one in results if one.angles is not None]
    if len(found) < len(results):
        raise BadInput(
            f"the results of {results[0].module} on {results[0].dataset}",
            expected="angles measured against fitted poses with every seed",
            found=f"{len(found)} of {len(results)}",
            fix="evaluate again with --poses",
        )
    return found


def fits_of(results: Sequence[Result]) -> dict[str, list[Blocks]]:
    """Errors of the angles of every seed, by the joints that they are fitted to."""
    of_all = [one.angles_of_all.errors for one in results if one.angles_of_all is not None]
    if len(of_all) < len(results):
        raise BadInput(
            f"the results of {results[0].module} on {results[0].dataset}",
            expected="angles fitted to all its joints with every seed",
            found=f"{len(of_all)} of {len(results)}",
            fix="predict and evaluate again",
        )
    return {"the scored joints": [one.errors for one in angles_of(results)], "all its joints": of_all}


def _judge_angles(ours: Sequence[Blocks], theirs: Sequence[Blocks], rival: str) -> Outcome:
    """A size, told with the interval of the ratio."""
    # Refuses other frames, on which a ratio would mean nothing.
    compare_blocks(ours, theirs)
    ratio = BlockRatio(np.stack([one.sums for one in ours]), np.stack([one.sums for one in theirs]))
    interval = bootstrap_ratio(ratio)
    told = f"angle error, full over {rival} (95 % interval {interval.low:.3g} to {interval.high:.3g})"
    return judge_size(ratio.per_seed.tolist(), at_most=ANGLE_SHARE, what=told)


def _tell_row(results: Sequence[Result]) -> str:
    degrees = [one.angles.errors.mean for one in results if one.angles is not None]
    # Those fitted to all joints as well, where there are two fits.
    of_all = [one.angles_of_all.errors.mean for one in results if one.angles_of_all is not None]
    told = " or ".join(f"{np.mean(one):.2f}" for one in (degrees, of_all) if one)
    return f"{mean_of(results):.2f} / {told or 'not measured'}"


def decide_dm2(evidence: Evidence) -> Finding:
    """The share of frames with a finger angle out of range, with and without the physical loss."""
    figure = "deepmodel_section_4_1"
    full, without = evidence.find(FULL, "nyu"), evidence.find(WITHOUT_PHYSICAL, "nyu")
    missing = evidence.explain_missing("nyu", results=(WITHOUT_PHYSICAL, FULL)) or _explain_rivals(full, (without,))
    if missing:
        return Finding("not-run", missing, figure=figure)
    compare_results(full, without)  # refuses other frames, and seeds that do not pair
    ours, theirs = ([one.outside for one in angles_of(results)] for results in (full, without))
    comparison = compare_blocks(ours, theirs)
    outcome = judge_all(
        [
            judge_difference(comparison, expect="lower", what="share of frames out of range, full less without"),
            judge_fewer(*(round(sum(one.total for one in blocks)) for blocks in (ours, theirs))),
        ]
    )
    shares = (np.mean([one.mean for one in blocks]) for blocks in (theirs, ours))
    measured = "{:.2%} of frames without the physical loss, {:.2%} with it".format(*shares)
    if told := _tell_beyond(full, without):
        outcome = Outcome(outcome.holds, f"{outcome.reason}; {told}")
    return make_finding(outcome, comparison.difference, measured=measured, seeds=full, figure=figure)


def _tell_beyond(full: Sequence[Result], without: Sequence[Result]) -> str:
    """The shares by narrower bounds: told, without a say. Empty where the fit does not tell those bounds."""
    found = [[one.beyond for one in angles_of(results)] for results in (without, full)]
    if any(one is None for blocks in found for one in blocks):
        return ""
    shares = (np.mean([one.mean for one in blocks if one is not None]) for blocks in found)
    return "by the 0.5 and 99.5 percentiles of the training's angles {:.2%} without, {:.2%} with it".format(*shares)


def judge_fewer(left: int, before: int) -> Outcome:
    """Ten times fewer of the same frames, all seeds counted together.

    None left would be any number of times fewer: it counts as one frame, since there may be one just beyond the set.
    """
    told = f"{left:,} frames of all seeds with the physical loss, {before:,} without"
    if before == 0:
        return Outcome(False, f"inconclusive: {told}: there is nothing to do away with")
    times = before / max(left, 1)
    words = f"{told}: {times:.3g} times fewer{'' if left else ' at least, none counted as one'}, {TIMES_FEWER} asked"
    if times >= TIMES_FEWER:
        return Outcome(True, words)
    return Outcome(False, f"{'size' if left else 'inconclusive'}: {words}")


DECIDERS = {"DM1": decide_dm1, "DM2": decide_dm2}
