"""GF4, GF5, GF6, GF7, GF8, GF9 and GF11 by hand: what holds, what fails and by what, and what decides nothing."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from claim_fixtures import FRAMES, decide, make_probe, make_result, make_steps

from handbench.evaluation.blocks import Blocks
from handbench.evaluation.claims import Verdict
from handbench.evaluation.hand_object_score import HandObjectResult
from handbench.evaluation.paper_numbers import FEEDBACK19_TABLE_2_SEQUENCES
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result

SEQUENCES = FEEDBACK19_TABLE_2_SEQUENCES[:-1]
EACH, VALUES = 6, 50
"""Blocks of a sequence and frames of a block."""
TRAINED = {"settings": {"epochs": 10, "batch": 64}}
KINDS = ("localizer", "predictor", "updater")
PARTS = [f"handobject_{part}_{kind}" for part in ("hand", "object") for kind in KINDS]
MODULES: dict[str, Any] = {"handobject": {"needs": PARTS}} | dict.fromkeys(PARTS, TRAINED)
SEEDS = range(3)


def make_blocks(mean_mm: float, spread_mm: float = 0.0, changes: Mapping[str, float] | None = None) -> Blocks:
    """Six blocks a sequence, higher and lower in turn; `changes` moves single sequences."""
    means = [
        mean_mm + (changes or {}).get(name, 0.0) + spread_mm * (1 if block % 2 else -1)
        for name in SEQUENCES
        for block in range(EACH)
    ]
    return Blocks(VALUES * np.array(means), np.full(len(means), VALUES))


def make_both(module: str, steps: Sequence[Mapping[str, Blocks]], seed: int = 0, **changed: Any) -> Result:
    names = tuple(name for name in SEQUENCES for _ in range(EACH))
    changed = {"settings": {"epochs": 10, "batch": 64}} | changed
    held = HandObjectResult(tuple(steps), names, "known")
    return make_result(module, "dexter", [20.0] * len(names), seed, hand_object=held, **changed)


def make_step(combined: Blocks | float, corners: float = 10.0, tips: float = 20.0) -> dict[str, Blocks]:
    whole = make_blocks(combined) if isinstance(combined, float) else combined
    return {"tips": make_blocks(tips), "corners": make_blocks(corners), "combined": whole}


def make_loops(*end: Blocks | float, module: str = "handobject", **changed: Any) -> list[Result]:
    """A seed for every final error; the start is 20 mm off."""
    return [
        make_both(module, [make_step(20.0), make_step(19.0), make_step(one)], seed, **changed)
        for seed, one in enumerate(end)
    ]


def judge(claim: str, results: list[Result], probes: Sequence[Probe] = (), modules: Any = MODULES) -> Verdict:
    return decide(results, claim, probes=probes, modules=modules)


def test_gf4_holds() -> None:
    verdict = judge("GF4", make_loops(18.0, 18.5, 17.5))
    assert (verdict.status, verdict.value, verdict.low, verdict.high) == ("holds", -2.0, -2.0, -2.0)
    assert verdict.measured == "20.00 to 18.00 mm combined (-10.0 %); corners 10.00, tips 20.00 mm"
    assert (verdict.seeds, verdict.figure) == ((0, 1, 2), "feedback19_table_2")
    assert all(f"the same on {name}: 95 % interval -2 to -2" in verdict.reason for name in SEQUENCES)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        (make_loops(21.0, 21.0, 21.0), "direction: average after two iterations less before"),
        (make_loops(19.5, 19.5, 19.5), "size: the average falls in % by 2.5 on average of 3 seeds, at least 5 asked"),
        (make_loops(18.0, 18.0, 20.5), "inconclusive: average .* the seeds disagree in sign"),
        (make_loops(*[make_blocks(18.5, 9.0)] * 3), "inconclusive: average .* holds zero"),
        (make_loops(*[make_blocks(17.0, changes={"Pinch": 4.0})] * 3), "direction: the same on Pinch"),
    ],
)
def test_gf4_fails(results: list[Result], said: str) -> None:
    verdict = judge("GF4", results)
    assert verdict.status == "fails"
    assert re.match(said, verdict.reason), verdict.reason


def test_gf4_asks_for_corners_below_tips() -> None:
    steps = [make_step(20.0), make_step(19.0), make_step(18.0, corners=21.0)]
    verdict = judge("GF4", [make_both("handobject", steps, seed) for seed in SEEDS])
    assert (verdict.status, verdict.reason[:40]) == ("fails", "direction: corners less tips, in mm: 95 ")


def test_gf4_says_why_it_decides_nothing() -> None:
    assert judge("GF4", []).reason == "no claims-embedded results of handobject on dexter"
    # Predictions that do not tell it of their parts.
    early = make_loops(18.0, converged=False)
    assert judge("GF4", early).reason.startswith("handobject on dexter was not trained until its validation error")
    for part in ("handobject_hand_predictor", "handobject_object_localizer"):
        shorter = MODULES | {part: {"settings": {"epochs": 9, "batch": 64}}}
        verdict = judge("GF4", make_loops(18.0), modules=shorter)
        assert (verdict.status, verdict.reason[:70]) == (
            "not-run",
            f"the rival was trained by fewer updates: {part} 9 epochs"[:70],
        )
    assert "not known" in judge("GF4", make_loops(18.0), modules={}).reason
    alone = [dataclasses.replace(one, hand_object=None) for one in make_loops(18.0)]
    assert "expected errors of hand and object" in judge("GF4", alone).reason
    once = [make_both("handobject", [make_step(20.0), make_step(19.0)])]
    assert "expected errors after 2 iterations" in judge("GF4", once).reason


def test_gf4_asks_the_start_alone_to_be_at_its_end() -> None:
    """The start is the rival; a loop whose updaters and synthesizer could still learn may win."""
    ended = {name: not name.endswith("updater") for name in PARTS} | {"handobject_hand_synthesizer": False}
    early = make_loops(18.0, 18.5, 17.5, converged=False, parts_converged=ended)
    assert judge("GF4", early).status == "holds"
    for part in ("handobject_object_localizer", "handobject_object_predictor"):
        one_seed = make_loops(18.0, 18.5, 17.5, converged=False, parts_converged=ended)
        one_seed[1] = dataclasses.replace(one_seed[1], parts_converged=ended | {part: False})
        verdict = judge("GF4", one_seed)
        assert (verdict.status, verdict.reason[:60]) == ("not-run", f"{part} was not trained until its validation"[:60])


def test_a_sequence_of_few_blocks_is_inconclusive() -> None:
    names = tuple(name for name in SEQUENCES for _ in range(2))

    def cut(mean_mm: float) -> dict[str, Blocks]:
        return {
            metric: Blocks(np.full(12, 50 * mean_mm), np.full(12, 50)) for metric in ("tips", "corners", "combined")
        }

    held = HandObjectResult((cut(20.0), cut(19.0), cut(17.0)), names, "known")
    results = [dataclasses.replace(one, hand_object=held) for one in make_loops(18.0)]
    assert "inconclusive: the same on Rigid, in mm" not in judge("GF4", results).reason
    assert "inconclusive: the same on Rigid: 2 blocks of frames are too few" in judge("GF4", results).reason


def make_single(*errors_mm: Blocks | float, **changed: Any) -> list[Result]:
    return [make_both("handobject_single", [make_step(one)], seed, **changed) for seed, one in enumerate(errors_mm)]


def test_gf5_asks_for_1_3_times_the_error() -> None:
    loops = make_loops(18.0, 18.0, 18.0)
    verdict = judge("GF5", loops + make_single(27.0, 27.0, 27.0))
    assert (verdict.status, verdict.value) == ("holds", 9.0)
    assert verdict.measured == "27.00 against 18.00 mm (1.50 times)"
    for single, said in (
        (make_single(20.0, 20.0, 20.0), "size: error of one network over that of the loops 1.111"),
        (make_single(17.0, 17.0, 17.0), "direction: average, one network less the loops"),
        (make_single(27.0, 27.0, 17.5), "inconclusive: average, .* the seeds disagree"),
        (make_single(*[make_blocks(19.0, 9.0)] * 3), "inconclusive: average, .* holds zero"),
    ):
        verdict = judge("GF5", loops + single)
        assert verdict.status == "fails"
        assert re.match(said, verdict.reason), verdict.reason


def test_gf5_a_rival_counts_when_it_was_trained_as_long() -> None:
    loops = make_loops(18.0)
    assert judge("GF5", loops).reason == "no claims-embedded results of handobject_single on dexter"
    short = make_single(27.0, settings={"epochs": 9, "batch": 64})
    assert judge("GF5", loops + short).reason.startswith("the rival was trained by fewer updates: handobject_single 9")
    # Localizers in small batches make more updates in fewer epochs.
    small = MODULES | {"handobject_object_localizer": {"settings": {"epochs": 8, "batch": 16}}}
    verdict = judge("GF5", loops + make_single(27.0), modules=small)
    assert (verdict.status, "handobject_object_localizer 8 epochs in batches of 16" in verdict.reason) == (
        "not-run",
        True,
    )
    even = make_single(27.0, 27.0, 27.0, settings={"epochs": 8, "batch": 16})
    assert judge("GF5", make_loops(18.0, 18.0, 18.0) + even, modules=small).status == "holds"
    assert "was not trained until" in judge("GF5", loops + make_single(27.0, converged=False)).reason
    assert "expected the same seeds of both" in judge("GF5", loops + make_single(27.0, 27.0)).reason


def make_localizers(hand_mm: float, object_mm: float, *, spread_mm: float = 0.0, **changed: Any) -> list[Probe]:
    """Those of cuboids are 10 and 12 mm off, those of spheres so much more."""
    spread = spread_mm * np.where(np.arange(FRAMES) // 50 % 2, 1.0, -1.0)
    probes = []
    for module, off in (
        ("handobject_hand_localizer", 10.0 + 0 * spread),
        ("handobject_hand_localizer_spheres", 10.0 + hand_mm + 0 * spread),
        ("handobject_object_localizer", 12.0 + 0 * spread),
        ("handobject_object_localizer_spheres", 12.0 + object_mm + spread),
    ):
        numbers = {"frame_localized_mm": off.tolist(), "sequences": ["a"] * FRAMES}
        probes += [make_probe(module, numbers, seed=seed, dataset="dexter", **changed) for seed in SEEDS]
    return probes


def test_gf7_asks_for_five_times_the_hands_loss() -> None:
    verdict = judge("GF7", [], make_localizers(1.5, 30.0))
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(30.0))
    assert verdict.measured == "hand +1.50 mm, object +30.00 mm"
    # A hand that loses nothing, or gains, counts as one millimetre.
    assert judge("GF7", [], make_localizers(-3.0, 5.5)).status == "holds"
    for probes, said in (
        (make_localizers(2.0, 9.0), "size: the object's loss over the hand's 4.5 on average of 3 seeds"),
        (make_localizers(0.0, 4.0), "size: the object's loss over the hand's 4 "),
        (make_localizers(0.0, -4.0), "direction: object's localizer"),
        (make_localizers(0.0, 6.0, spread_mm=40.0), "inconclusive: object's localizer"),
    ):
        verdict = judge("GF7", [], probes)
        assert verdict.status == "fails"
        assert re.match(said, verdict.reason), verdict.reason


def test_gf7_says_why_it_decides_nothing() -> None:
    probes = make_localizers(1.0, 30.0)
    assert judge("GF7", [], probes[:-3]).reason == (
        "no claims-embedded probes of handobject_object_localizer_spheres on dexter"
    )
    assert "was not trained until" in judge("GF7", [], make_localizers(1.0, 30.0, converged=False)).reason
    assert "expected the same frames with the same seeds" in judge("GF7", [], probes[:-1]).reason


def test_gf8_asks_for_likeness() -> None:
    def network(*errors_mm: Blocks | float) -> list[Result]:
        return make_loops(18.0, 18.0, 18.0) + make_loops(*errors_mm, module="handobject_network")

    verdict = judge("GF8", network(18.9, 18.9, 18.9))
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(0.05))
    assert verdict.measured == "18.90 mm with the network, 18.00 mm with the renderer"
    assert judge("GF8", network(16.5, 16.5, 16.5)).status == "holds"
    for results, said in (
        (network(20.0, 20.0, 20.0), "size: change by the network, as a share"),
        (network(*[make_blocks(18.5, 9.0)] * 3), "inconclusive: change by the network"),
    ):
        verdict = judge("GF8", results)
        assert verdict.status == "fails"
        assert re.match(said, verdict.reason), verdict.reason
    assert judge("GF8", make_loops(18.0)).reason == "no claims-embedded results of handobject_network on dexter"


def make_rotations(*corners_mm: float, **changed: Any) -> list[Result]:
    return [
        make_both("handobject_rotation", [make_step(20.0, corners=one)], seed, **changed)
        for seed, one in enumerate(corners_mm)
    ]


def test_gf9_sets_the_first_corners_side_by_side() -> None:
    loops = make_loops(18.0, 18.0, 18.0)
    verdict = judge("GF9", loops + make_rotations(12.0, 13.0, 14.0))
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(-3.0))
    assert verdict.measured == "10.00 mm of eight corners, 13.00 of rotation and translation"
    for corners_mm, said in (((9.0, 9.0, 9.0), "direction: corners"), ((12.0, 12.0, 9.0), "inconclusive: corners")):
        verdict = judge("GF9", loops + make_rotations(*corners_mm))
        assert verdict.status == "fails"
        assert re.match(said, verdict.reason), verdict.reason
    short = make_rotations(12.0, settings={"epochs": 9, "batch": 64})
    assert "handobject_object_predictor 10 epochs" in judge("GF9", make_loops(18.0) + short).reason
    # The updaters have no part in it.
    longer = MODULES | {"handobject_object_updater": {"settings": {"epochs": 99, "batch": 64}}}
    assert judge("GF9", loops + make_rotations(12.0, 13.0, 14.0), modules=longer).status == "holds"
    assert judge("GF9", loops).reason == "no claims-embedded results of handobject_rotation on dexter"


def make_timed(milliseconds: dict[str, dict[str, float]]) -> list[Probe]:
    told = {"milliseconds": milliseconds, "threads": 2, "device": "CPU", "precision": "float32"}
    return [make_probe("handobject", told, dataset="dexter")]


def test_gf11_counts_the_fastest_batch() -> None:
    verdict = judge("GF11", [], make_timed({"1": {"loop": 60.0}, "64": {"loop": 20.0}, "256": {"loop": 12.5}}))
    assert (verdict.status, verdict.value) == ("holds", 80.0)
    assert verdict.reason == (
        "80 frames/s in batches of 256 on CPU, 2 threads, float32, 40 printed; a single frame takes 60 ms"
    )
    slow = judge("GF11", [], make_timed({"1": {"loop": 60.0}, "64": {"loop": 30.0}}))
    assert (slow.status, slow.reason[:5]) == ("fails", "size:")
    assert "expected milliseconds.64.loop" in judge("GF11", [], make_timed({"1": {"loop": 20.0}})).reason
    assert judge("GF11", []).reason == "no claims-embedded probes of handobject on dexter"


def make_third(third_mm: float) -> list[Result]:
    steps = [make_step(one) for one in (20.0, 19.0, 18.0, third_mm)]
    return [make_both("handobject_three", steps, seed) for seed in SEEDS]


def make_hands(third_mm: float) -> list[Result]:
    steps = [[one] * 6 for one in (20.0, 18.0, 17.0, third_mm)]
    return [make_steps("feedback19_three", *steps, seed=seed) for seed in SEEDS]


def test_gf6_asks_for_little_change_by_the_third_iteration() -> None:
    verdict = judge("GF6", [*make_third(17.8), *make_hands(16.8)])
    assert (verdict.status, verdict.value, verdict.seeds) == ("holds", pytest.approx(-0.01), (0, 1, 2))
    assert verdict.measured == (
        "after 0 to 3 iterations 20.00, 19.00, 18.00, 17.80 mm combined; "
        "20.00, 18.00, 17.00, 16.80 mm of the hand alone"
    )
    for both_mm, hand_mm, what in ((17.4, 16.8, "hand and object"), (17.8, 17.6, "the hand alone")):
        verdict = judge("GF6", [*make_third(both_mm), *make_hands(hand_mm)])
        assert verdict.status == "fails"
        assert verdict.value == pytest.approx((both_mm - 18) / 20)
        assert f"change by the third iteration of {what}" in verdict.reason


def test_gf6_says_which_loop_is_missing() -> None:
    assert judge("GF6", []).reason == (
        "no claims-embedded results of handobject_three on dexter; "
        "no claims-embedded results of feedback19_three on nyu"
    )
    assert judge("GF6", make_hands(17.0)).reason == "no claims-embedded results of handobject_three on dexter"
    assert judge("GF6", make_third(18.0)).reason == "no claims-embedded results of feedback19_three on nyu"
