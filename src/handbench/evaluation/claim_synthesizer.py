"""Claims of feedback15 on the images that its synthesizer draws: FB6, FB7 and FB9."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from handbench.evaluation.claim_loop import make_finding
from handbench.evaluation.claim_rivals import describe_training, explain_shorter, explain_unfinished
from handbench.evaluation.claim_rules import Evidence, Finding, Outcome, judge_all, judge_difference, judge_size
from handbench.evaluation.probes import Probe, compare_images

SYNTHESIZER, SYNTHESIZER_2019 = "feedback15_synthesizer", "feedback19_synthesizer"
END_TO_END = "feedback15_synthesizer_end_to_end"
OF_LABEL_NOISE = (SYNTHESIZER, *(f"{SYNTHESIZER}_noise{noise_mm}" for noise_mm in (5, 10, 20)))
"""Trained on ICVL with labels of rising noise."""
NOISE_SETTING = "label_noise_mm"
NEAREST_SHARE = 0.5
OUTLINE_TIMES = 3.0
PRINTED_IMAGE_ERRORS = {SYNTHESIZER: (1.3, 10.9, 32.2), SYNTHESIZER_2019: (0.1, 8.9, 28.5)}
"""Median, mean and standard deviation of the pixel errors in mm: 2015 Sec. 3.3 and 2019 Sec. 3.4."""


def decide_fb6(evidence: Evidence) -> Finding:
    """The hand's median against that of the nearest training pose's image; the outline against the inside."""
    figure = "feedback15_section_3_3"
    missing = evidence.explain_missing("nyu", probes=(SYNTHESIZER,))
    if missing:
        return Finding("not-run", missing, figure=figure)
    probes = evidence.find_probes(SYNTHESIZER, "nyu")
    nearest = _divide(probes, ("hand", "median_mm"), ("nearest_hand", "median_mm"))
    outline = _divide(probes, ("outline", "mean_mm"), ("inside", "mean_mm"))
    outcome = judge_all(
        [
            judge_size(
                nearest, at_most=NEAREST_SHARE, what="hand pixels: median over that of the nearest pose's image"
            ),
            judge_size(outline, at_least=OUTLINE_TIMES, what="mean at the outline over that inside"),
        ]
    )
    both = [_tell_all_pixels(evidence, module) for module in PRINTED_IMAGE_ERRORS]
    return Finding(
        outcome.status,
        "; ".join([outcome.reason, *filter(None, both)]),
        measured=f"median {np.mean(nearest):.2f} of the nearest pose's; outline {np.mean(outline):.2f} times inside",
        value=float(np.mean(nearest)),
        seeds=tuple(one.seed for one in probes),
        figure=figure,
    )


def _divide(probes: Sequence[Probe], above: tuple[str, str], below: tuple[str, str]) -> list[float]:
    """A ratio with every seed; NaN where there is nothing to divide by."""
    pairs = [(one.images.read(*above), one.images.read(*below)) for one in probes]
    return [number / other if other else float("nan") for number, other in pairs]


def _tell_all_pixels(evidence: Evidence, module: str) -> str:
    """All pixels beside print; empty where the module was not probed."""
    probes = evidence.find_probes(module, "nyu")
    if not probes:
        return ""
    keys, printed = ("median_mm", "mean_mm", "deviation_mm"), PRINTED_IMAGE_ERRORS[module]
    median, mean, deviation = (np.mean([one.images.read("all", key) for one in probes]) for key in keys)
    return (
        f"{module}, all pixels: median {median:.3g} mm ({printed[0]:g} printed), mean {mean:.3g} +- {deviation:.3g} mm "
        f"({printed[1]:g} +- {printed[2]:g} printed)"
    )


def decide_fb7(evidence: Evidence) -> Finding:
    """Layer by layer against end to end: each frame's error over the hand, and what either cost."""
    figure = "feedback15_layer_wise"
    missing = evidence.explain_missing("nyu", probes=(SYNTHESIZER, END_TO_END))
    if missing:
        return Finding("not-run", missing, figure=figure)
    ours, theirs = (evidence.find_probes(module, "nyu") for module in (SYNTHESIZER, END_TO_END))
    cost, rival_cost = (describe_training(found[0].module, found[0].settings) for found in (ours, theirs))
    short = explain_unfinished(theirs) or explain_shorter(rival_cost, cost)
    if short:
        return Finding("not-run", short, figure=figure)
    comparison = compare_images(ours, theirs)
    outcome = judge_difference(comparison, expect="lower", what="layer-wise less end-to-end, mm over the hand")
    told = Outcome(outcome.holds, f"{outcome.reason}; trained: {cost}, {rival_cost}; {_tell_time(ours, theirs)}")
    measured = f"{average_hand_mm(ours):.2f} mm layer by layer, {average_hand_mm(theirs):.2f} mm end to end"
    return make_finding(told, comparison.difference, measured=measured, seeds=ours, figure=figure)


def _tell_time(ours: Sequence[Probe], theirs: Sequence[Probe]) -> str:
    """Epochs are counted, not what they take: the early stages draw small images."""
    whole, rival_whole = (found[0].settings["epochs"] for found in (ours, theirs))
    return (
        f"equal cost means equal updates only: {whole} epochs layer by layer draw the whole image and the others "
        f"smaller ones, which takes less time, {rival_whole} end to end"
    )


def decide_fb9(evidence: Evidence) -> Finding:
    """From each amount of label noise to the next: outlines get less sharp with every seed, errors rise."""
    figure = "feedback15_figure_7"
    missing = evidence.explain_missing("icvl", probes=OF_LABEL_NOISE)
    if missing:
        return Finding("not-run", missing, figure=figure)
    found = sorted((evidence.find_probes(module, "icvl") for module in OF_LABEL_NOISE), key=read_label_noise)
    clean, *noisy = (describe_training(probes[0].module, probes[0].settings) for probes in found)
    short = next(filter(None, (explain_unfinished(probes) for probes in found)), "")
    short = short or next(filter(None, (explain_shorter(one, clean) for one in noisy)), "")
    if short:
        return Finding("not-run", short, figure=figure)
    steps = list(pairwise(found))
    rises = [compare_images(after, before) for before, after in steps]
    names = [f"from {read_label_noise(before):g} to {read_label_noise(after):g} mm of noise" for before, after in steps]
    outcome = judge_all(
        [
            *(
                judge_difference(one, expect="higher", what=f"{n}, error in mm")
                for one, n in zip(rises, names, strict=True)
            ),
            *(_judge_blur(*pair, what=name) for pair, name in zip(steps, names, strict=True)),
        ]
    )
    least_sure = min((one.difference for one in rises), key=lambda one: abs(one.mean) / max(one.high - one.low, 1e-12))
    told = [
        f"{read_label_noise(one):g} mm: error {average_hand_mm(one):.2f} mm, sharpness {average_sharpness(one):.3f}"
        for one in found
    ]
    return make_finding(outcome, least_sure, measured="; ".join(told), seeds=found[0], figure=figure)


def _judge_blur(before: Sequence[Probe], after: Sequence[Probe], *, what: str) -> Outcome:
    """Of sharpness a probe holds one number: every seed has to agree that it falls."""
    pairs = [(a.images.read("sharpness"), b.images.read("sharpness")) for a, b in zip(before, after, strict=True)]
    told = f"{what}, sharpness {average_sharpness(before):.3f} to {average_sharpness(after):.3f}"
    falls = all(last < first for first, last in pairs)
    return Outcome(falls, told if falls else f"direction: {told} does not fall with every seed")


def read_label_noise(probes: Sequence[Probe]) -> float:
    return float(probes[0].settings.get(NOISE_SETTING, 0.0))


def average_hand_mm(probes: Sequence[Probe]) -> float:
    """Mean over frames and seeds of the error over the hand."""
    return float(np.nanmean([one.frame_hand_mm for one in probes]))


def average_sharpness(probes: Sequence[Probe]) -> float:
    return float(np.mean([one.images.read("sharpness") for one in probes]))


DECIDERS = {"FB6": decide_fb6, "FB7": decide_fb7, "FB9": decide_fb9}
