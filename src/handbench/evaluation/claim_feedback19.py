"""Claims of feedback19: a decider a claim; see `claim_list` for what each asks."""

from collections.abc import Sequence

import numpy as np

from handbench.evaluation import claim_handobject
from handbench.evaluation.bootstrap import Interval
from handbench.evaluation.claim_loop import ITERATIONS, judge_gain, make_finding, mean_of, stop_at
from handbench.evaluation.claim_rivals import describe_training, explain_shorter, explain_unfinished
from handbench.evaluation.claim_rules import Evidence, Finding, Outcome, judge_all, judge_difference, judge_likeness
from handbench.evaluation.paper_numbers import FEEDBACK19_TABLE_1
from handbench.evaluation.probes import Probe, compare_centres, compare_images
from handbench.evaluation.results import Result, compare_results
from handbench.evaluation.tables import feedback19_table_1

LOOP, PREDICTOR, SYNTHESIZER = "feedback19", "feedback19_predictor", "feedback19_synthesizer"
LOCALIZER, LOCALIZED_PREDICTOR = "feedback19_localizer", "feedback19_predictor_localized"
"""The second sees crops around what the first finds, and is the predictor in all else."""
JOINT = "feedback19_joint"
"""The loop whose three networks were fine-tuned together."""
THREE = "feedback19_three"
"""The same networks, one iteration more than the papers make."""
MODULES_SETTING, PUBLISHED_MODULES = "residual_modules", 5
"""Of each stage of DeepPrior++, as the authors' published program has them."""
LOCALIZED, CENTRES = "localized", {"com": "the centre of mass"}
GAIN_PERCENT = 5.0
LITTLE_SHARE = 0.02
ALIKE_SHARE = 0.05
NEAR_PRINT_MM = 0.3
ROWS_NEAR_PRINT = 7
_FIGURE = "feedback19_table_1"


def decide_gf1(evidence: Evidence) -> Finding:
    """The cube's distance from the joint, and the pose of DeepPrior++ on crops of either centre, frame by frame."""
    figure = "feedback19_section_3_2"
    missing = evidence.explain_missing("nyu", results=(LOCALIZED_PREDICTOR, PREDICTOR), probes=(LOCALIZER,))
    localized, plain = evidence.find(LOCALIZED_PREDICTOR, "nyu"), evidence.find(PREDICTOR, "nyu")
    missing = missing or explain_unfinished(plain)
    missing = missing or explain_shorter(
        *(describe_training(found[0].module, found[0].settings) for found in (plain, localized))
    )
    if missing:
        return Finding("not-run", missing, figure=figure)
    probes = evidence.find_probes(LOCALIZER, "nyu")
    places, poses = compare_centres(probes, "localized", "first"), compare_results(localized, plain)
    outcome = judge_all(
        [
            judge_difference(places, expect="lower", what="distance from the joint, localized less first, in mm"),
            judge_difference(poses, expect="lower", what="pose error on localized crops less that on others, in mm"),
        ]
    )
    shifted = f"the first centre moved by the mean offset of training: {average_distance_mm(probes, 'shifted'):.2f} mm"
    measured = (
        f"{average_distance_mm(probes, 'first'):.2f} to {average_distance_mm(probes, 'localized'):.2f} mm from the "
        f"joint; pose {mean_of(plain):.2f} to {mean_of(localized):.2f} mm"
    )
    told = Outcome(outcome.holds, f"{outcome.reason}; {shifted}")
    return make_finding(told, poses.difference, measured=measured, seeds=localized, figure=figure)


def average_distance_mm(probes: Sequence[Probe], centre: str) -> float:
    """Mean over frames and seeds."""
    return float(np.mean([one.frame_distances_mm(centre) for one in probes]))


def decide_gf2(evidence: Evidence) -> Finding:
    """The loop's pose after two iterations against that of DeepPrior++."""
    finding = judge_gain(evidence, LOOP, PREDICTOR, at_least=GAIN_PERCENT, figure="feedback19_section_5_3")
    return finding.beside(*tell_predictor(evidence.find(PREDICTOR, "nyu")))


def tell_predictor(results: Sequence[Result]) -> tuple[str, ...]:
    """In what DeepPrior++ as it was run here is less than the published one; nothing where it is not."""
    if not results:
        return ()
    one = results[0]
    modules = one.settings.get(MODULES_SETTING, PUBLISHED_MODULES)
    less = [f"{modules} of {PUBLISHED_MODULES} residual modules a stage"] if modules < PUBLISHED_MODULES else []
    if one.centre != LOCALIZED:
        less.append(f"crops around {CENTRES.get(one.centre, one.centre)} where the paper's are localized")
    return (f"DeepPrior++ is run with {' and '.join(less)}",) if less else ()


def decide_gf3(evidence: Evidence) -> Finding:
    """Fine-tuned together against trained apart: the pose error alike, the image error higher.

    The joint training starts from networks that were trained apart (Sec. 3.6), so that it has more updates by its
    nature: neither is asked for as many as the other, but both must be at their end.
    """
    figure = "feedback19_section_3_6"
    missing = evidence.explain_missing("nyu", results=(LOOP, JOINT), probes=(SYNTHESIZER, JOINT))
    apart, joint = evidence.find(LOOP, "nyu"), evidence.find(JOINT, "nyu")
    missing = missing or explain_unfinished([*apart, *joint])
    if missing:
        return Finding("not-run", missing, figure=figure)
    difference, whole = compare_results(joint, apart).difference, mean_of(apart)
    shares = Interval(difference.mean / whole, difference.low / whole, difference.high / whole, difference.blocks)
    images = compare_images(evidence.find_probes(JOINT, "nyu"), evidence.find_probes(SYNTHESIZER, "nyu"))
    outcome = judge_all(
        [
            judge_likeness(shares, low=-ALIKE_SHARE, high=ALIKE_SHARE, what="change of the pose error, as a share"),
            judge_difference(images, expect="higher", what="image error over the hand, joint less apart, in mm"),
        ]
    )
    measured = f"{mean_of(joint):.2f} mm jointly, {whole:.2f} mm apart; images {images.difference.mean:+.2f} mm"
    return make_finding(outcome, shares, measured=measured, seeds=joint, figure=figure)


def decide_gf6(evidence: Evidence) -> Finding:
    """The third iteration against the second, as a share of the error at the start: of hand and object together, of
    which the paper says it (Sec. 6.3), and of the hand's loop alone."""
    figure = "feedback19_hand_object_iterations"
    missing = "; ".join(
        filter(
            None,
            (
                evidence.explain_missing(claim_handobject.DATASET, results=(claim_handobject.THREE,)),
                evidence.explain_missing("nyu", results=(THREE,)),
            ),
        )
    )
    if missing:
        return Finding("not-run", missing, figure=figure)
    both = evidence.find(claim_handobject.THREE, claim_handobject.DATASET)
    share, both_mm = claim_handobject.share_of_third(both)
    hand, hand_mm = _share_of_third(evidence.find(THREE, "nyu"))
    outcome = judge_all(
        [
            judge_likeness(one, low=-LITTLE_SHARE, high=LITTLE_SHARE, what=f"change by the third iteration of {what}")
            for one, what in (
                (share, "hand and object, as a share of the start"),
                (hand, "the hand alone, as a share of the start"),
            )
        ]
    )
    measured = f"after 0 to {ITERATIONS + 1} iterations {both_mm} mm combined; {hand_mm} mm of the hand alone"
    return make_finding(outcome, share, measured=measured, seeds=both, figure=figure)


def _share_of_third(results: Sequence[Result]) -> tuple[Interval, str]:
    """What the third iteration changes the error by, as a share of the start; and all errors in words."""
    start, second, third = (stop_at(results, step) for step in (0, ITERATIONS, ITERATIONS + 1))
    change, whole = compare_results(third, second).difference, mean_of(start)
    share = Interval(change.mean / whole, change.low / whole, change.high / whole, change.blocks)
    return share, ", ".join(f"{mean_of(stop_at(results, step)):.2f}" for step in range(ITERATIONS + 2))


def decide_gf10(evidence: Evidence) -> Finding:
    """The rows of Table 1 whose predictions are published, each against its printed mean."""
    lacks = evidence.explain_record("nyu", [row.key for row in FEEDBACK19_TABLE_1 if row.key])
    if evidence.record is None or lacks:
        return Finding("not-run", lacks, figure=_FIGURE)
    table = feedback19_table_1(evidence.record)
    measured = table[table["recomputed_mm"].notna()]
    near = measured["difference_mm"].abs() <= NEAR_PRINT_MM
    exceptions = ", ".join(
        f"{row.method} {row.recomputed_mm:.2f} recomputed, {row.printed_mm:g} printed"
        for row in measured[~near].itertuples()
    )
    found = f"{near.sum()} of {len(measured)} rows within {NEAR_PRINT_MM:g} mm of print"
    enough = Outcome(bool(near.sum() >= ROWS_NEAR_PRINT), f"{found}; exceptions: {exceptions or 'none'}")
    return Finding(
        enough.status,
        enough.reason if enough.holds else f"size: {enough.reason}",
        measured=found,
        value=float(near.sum()),
        figure=_FIGURE,
    )


DECIDERS = {"GF1": decide_gf1, "GF2": decide_gf2, "GF3": decide_gf3, "GF6": decide_gf6, "GF10": decide_gf10}
