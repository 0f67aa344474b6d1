"""RF1 to RF7 by hand: what holds, what fails and by what, and what decides nothing."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from claim_fixtures import BLOCKS, decide, level, make_probe, make_result

from handbench.evaluation.blocks import Blocks
from handbench.evaluation.claim_refine import BASE, DEPTH_ONLY, REFINED
from handbench.evaluation.claims import decide_claims
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result
from handbench.evaluation.skeleton_score import SkeletonResult
from handbench.evaluation.spread import compare_variances

MEANS_MM = {"nyu": (30.0, 26.0, 23.0), "icvl": (24.0, 20.0, 19.0)}
"""Base, depth loss alone, all losses."""
SETTINGS: dict[str, object] = {"epochs": 10, "batch": 100}


def make_curves(means_mm: dict[str, tuple[float, float, float]] = MEANS_MM, **changed: Any) -> list[Result]:
    """Three seeds of the three networks on both sets; `changed` by module."""
    results = []
    for dataset, means in means_mm.items():
        for module, mean_mm in zip((BASE, DEPTH_ONLY, REFINED), means, strict=True):
            kept = {"paper": "refine", "settings": SETTINGS} | changed.get(module, {})
            results += [make_result(module, dataset, level(mean_mm, 0.5), seed, **kept) for seed in range(3)]
    return results


def test_unlabelled_depth_improves_the_base_on_both_sets() -> None:
    verdict = decide(make_curves(), "RF1")
    assert (verdict.status, verdict.value, verdict.seeds) == ("holds", pytest.approx(-4.0), (0, 1, 2))
    assert verdict.measured == "NYU 30.00 to 26.00 mm; ICVL 24.00 to 20.00 mm"
    told = "; subject seen in training: {0} mm ({1} %); unseen subject: {0} mm ({1} %)"
    assert verdict.reason.endswith(told.format("30.00 to 26.00", "-13.3"))
    assert decide(make_curves(), "RF2").reason.endswith(told.format("26.00 to 23.00", "-11.5"))
    worse = decide(make_curves(MEANS_MM | {"icvl": (24.0, 24.5, 24.0)}), "RF1")
    assert (worse.status, worse.value) == ("fails", pytest.approx(0.5))
    assert worse.reason.startswith("direction: joint error on ICVL, depth loss less base")
    same = decide(make_curves(MEANS_MM | {"nyu": (30.0, 30.0, 29.0)}), "RF1")
    assert same.reason.startswith("inconclusive: joint error on NYU")


def test_the_base_counts_only_when_it_was_trained_to_its_end() -> None:
    early = {BASE: {"converged": False}}
    verdict = decide(make_curves(**early), "RF1")
    assert (verdict.status, verdict.reason[:34]) == ("not-run", "refine_base on nyu, refine_base on")
    assert decide(make_curves(**early), "RF2").status == "holds", "no rival there"
    assert decide(make_curves({"nyu": MEANS_MM["nyu"]}), "RF1").reason == (
        "no claims-embedded results of refine_base on icvl; of refine_depth on icvl"
    )


def test_the_other_losses_gain_on_noisy_frames_and_little_on_clean_ones() -> None:
    verdict = decide(make_curves(), "RF2")
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(-3.0))
    assert verdict.measured == "gain of all losses: NYU +3.00 mm, ICVL +1.00 mm"
    as_much = decide(make_curves(MEANS_MM | {"icvl": (24.0, 20.0, 18.0)}), "RF2")
    assert as_much.status == "fails"
    assert as_much.reason.startswith("size: gain on ICVL less half of that on NYU, in mm: 0.5 on average of 3 seeds")
    none = decide(make_curves(MEANS_MM | {"nyu": (30.0, 26.0, 26.5)}), "RF2")
    assert "direction: joint error on NYU, all losses less depth" in none.reason
    shorter = {DEPTH_ONLY: {"settings": {"epochs": 9, "batch": 100}}}
    assert decide(make_curves(**shorter), "RF2").reason.startswith("the rival was trained by fewer updates")


def test_seeds_have_to_pair() -> None:
    results = [one for one in make_curves() if (one.dataset, one.seed) != ("icvl", 2)]
    for claim in ("RF1", "RF2"):
        verdict = decide(results, claim)
        assert verdict.status == "not-run"
        assert "have not been run with the same seeds" in verdict.reason


def make_base_probe(dataset: str = "wristband", seed: int = 0, **numbers: Any) -> Probe:
    fits = {"steps": 70, "first": [10.0] * 10, "last": [4.0] * 6 + [6.0] * 4}
    clouds = {"fitted_first": [8.0, 12.0], "fitted_last": [1.0, 2.0], "held_first": [10.0] * 4, "held_last": [6.0] * 4}
    clouds |= {"surface_mm_first": 3.0, "surface_mm_last": 2.5}
    told = {"pose_fits": fits, "cloud_fits": clouds} | numbers
    return make_probe(BASE, told, seed=seed, dataset=dataset, paper="refine")


def test_most_single_images_lose_over_half_of_their_depth_error() -> None:
    probes = [make_base_probe(seed=seed) for seed in range(3)]
    verdict = decide([], "RF3", probes=probes)
    assert (verdict.status, verdict.value, verdict.measured) == ("holds", pytest.approx(60.0), "60 % of 10 images")
    half = {"steps": 70, "first": [10.0] * 4, "last": [4.0, 4.0, 5.0, 6.0]}
    verdict = decide([], "RF3", probes=[make_base_probe(pose_fits=half)])
    assert (verdict.status, verdict.value) == ("fails", pytest.approx(50.0)), "half is not most, nor 5 over half of 10"
    longer = decide([], "RF3", probes=[make_base_probe(pose_fits=half | {"steps": 300})])
    assert (longer.status, longer.reason) == ("not-run", "images were fitted in 300 steps, 70 asked")
    assert decide([], "RF3").reason == ("no claims-embedded probes of refine_base on wristband, nor on nyu or icvl")


def test_the_own_recording_is_fitted_where_there_is_one() -> None:
    bad = {"steps": 70, "first": [10.0], "last": [9.0]}
    probes = [make_base_probe("nyu", pose_fits=bad), make_base_probe("wristband")]
    assert decide([], "RF3", probes=probes).status == "holds"
    assert decide([], "RF3", probes=probes[:1]).status == "fails"


def test_the_cloud_alone_fits_the_hand() -> None:
    verdict = decide([], "RF4", probes=[make_base_probe(seed=seed) for seed in range(3)])
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(40.0))
    assert verdict.measured == (
        "WRISTBAND: the loss falls by 85.0 % on fitted images and by 40.0 % on others; "
        "points +0.50 mm nearer the surface"
    )
    clouds = dict(make_base_probe().numbers["cloud_fits"])
    for change, said in (
        ({"fitted_last": [2.0, 2.0]}, "size: % that the loss of fitted images falls by: 80"),
        ({"held_last": [8.0] * 4}, "size: % that the loss of other poses falls by: 20"),
        ({"surface_mm_last": 3.1}, "size: mm that the points come nearer the true surface: -0.1"),
    ):
        failed = decide([], "RF4", probes=[make_base_probe(cloud_fits=clouds | change)])
        assert (failed.status, failed.reason[: len(said)]) == ("fails", said)
        assert ";" not in failed.reason, "only what is not met is named"


def make_recording(module: str, mean: float, spread: float, seed: int = 0, **changed: Any) -> Probe:
    rng = np.random.default_rng(9)
    errors = mean + spread * rng.normal(size=400)
    jitter = {"by_frame": [1000 * spread] * 398}
    numbers = {"depth_error": {"by_frame": errors.tolist()}, "jitter_mm": jitter}
    return make_probe(module, numbers, seed=seed, dataset="wristband", paper="refine", **changed)


def test_mean_and_variance_of_the_depth_error_fall_on_the_recording() -> None:
    before = [make_recording(BASE, 0.010, 0.003, seed) for seed in range(3)]
    after = [make_recording(REFINED, 0.008, 0.002, seed) for seed in range(3)]
    verdict = decide([], "RF5", probes=[*before, *after])
    assert verdict.status == "holds", verdict.reason
    assert verdict.value == pytest.approx(np.var(after[0].numbers["depth_error"]["by_frame"]) * (1 - 9 / 4))
    assert verdict.measured.startswith("mean 0.01006 to 0.008038, variance ")
    assert verdict.measured.endswith("jitter 3.00 to 2.00 mm")
    wider = [make_recording(REFINED, 0.008, 0.004, seed) for seed in range(3)]
    verdict = decide([], "RF5", probes=[*before, *wider])
    assert verdict.reason.startswith("direction: variance of the depth error")
    early = [dataclasses.replace(one, converged=False) for one in before]
    assert decide([], "RF5", probes=[*early, *after]).status == "not-run"
    assert "not probed with the same seeds" in decide([], "RF5", probes=[*before, *after[:2]]).reason
    short = [dataclasses.replace(one, numbers={"depth_error": {"by_frame": [1.0] * 80}}) for one in after]
    assert "not probed on the same frames" in decide([], "RF5", probes=[*before, *short]).reason


def test_variances_are_drawn_in_blocks() -> None:
    rng = np.random.default_rng(1)
    one = [rng.normal(5, 1, 2000) for _ in range(2)]
    same = compare_variances(one, one, ["a"] * 2000)
    assert (same.difference.mean, same.difference.low, same.difference.high) == (0, 0, 0)
    double = compare_variances([2 * values + 100 for values in one], one, ["a"] * 2000)
    assert double.difference.mean == pytest.approx(np.mean([3 * values.var() for values in one]))
    assert double.difference.low < double.difference.mean < double.difference.high
    assert double.decided
    # Frames of a block move as a whole, so that drift widens the interval.
    drift = np.linspace(0, 5, 2000)
    drifting = compare_variances([drift], [np.zeros(2000)], ["a"] * 2000).difference
    shuffled = compare_variances([rng.permutation(drift)], [np.zeros(2000)], ["a"] * 2000).difference
    assert drifting.high - drifting.low > 2 * (shuffled.high - shuffled.low)


def test_few_frames_give_no_interval_of_a_variance() -> None:
    values = [np.arange(200.0)]
    assert np.isnan(compare_variances(values, values, ["a"] * 200).difference.low)


def with_skeleton(result: Result, **means_mm: float) -> Result:
    errors = {name: Blocks(100 * np.array(level(mean, 0.3)), np.full(BLOCKS, 100)) for name, mean in means_mm.items()}
    return dataclasses.replace(
        result, skeleton=SkeletonResult(errors, {name: np.linspace(0, 1, 81) for name in errors})
    )


def test_the_true_error_lies_between_the_two_curves() -> None:
    results = [make_result(REFINED, "nyu", level(20.0, 0.5), seed, paper="refine") for seed in range(3)]
    between = [with_skeleton(one, removed=14.0, re_expressed=17.0) for one in results]
    verdict = decide(between, "RF6")
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(-3.0))
    assert verdict.measured == "raw 20.00 mm, on the target's hand 17.00 mm, bias removed 14.00 mm"
    above = decide([with_skeleton(one, removed=14.0, re_expressed=21.0) for one in results], "RF6")
    assert above.reason.startswith("direction: error on the target's hand less the raw one")
    below = decide([with_skeleton(one, removed=18.0, re_expressed=17.0) for one in results], "RF6")
    assert below.reason.startswith("direction: bias-removed error less that on the target's hand")
    lacking = decide([with_skeleton(one, re_expressed=17.0) for one in results], "RF6")
    assert (lacking.status, lacking.reason) == ("not-run", "the removed error of refine on nyu was not measured")
    verdicts = decide_claims(between, None, scale="claims", source="real")
    assert next(one for one in verdicts if one.claim.id == "RF6").reason.startswith("the target's own hand is known")


def make_timed(single_ms: float, step_ms: float | None) -> Probe:
    timed = {"milliseconds": {"1": {"network": single_ms}, "64": {"network": 1.0}}, "threads": 2, "device": "CPU"}
    step = {} if step_ms is None else {"step": {"milliseconds": step_ms, "batch": 100}}
    return make_probe(REFINED, {**timed, "precision": "float32", **step}, dataset="nyu", paper="refine")


def test_both_speeds_reach_the_printed_ones() -> None:
    """500,000 frames in 30 minutes are 3.6 ms a frame."""
    verdict = decide([], "RF7", probes=[make_timed(3.0, 350.0)])
    assert (verdict.status, verdict.value) == ("holds", 3.0)
    assert (
        verdict.measured == "3 ms a frame one by one, 10 epochs of 50,000 frames in 29 min, on CPU, 2 threads, float32"
    )
    assert decide([], "RF7", probes=[make_timed(3.0, 370.0)]).reason.startswith("size: 270.3 frames/s refined on")
    assert decide([], "RF7", probes=[make_timed(4.0, 350.0)]).reason.startswith("size: 250 frames/s one by one")
    untimed = decide([], "RF7", probes=[make_timed(3.0, None)])
    assert (untimed.status, untimed.measured) == ("not-run", "")
    assert "no step of the refinement was timed" in untimed.reason
    mixed = make_timed(3.0, 300.0)
    mixed = dataclasses.replace(mixed, numbers={**mixed.numbers, "device": "H100"})
    refused = decide([], "RF7", probes=[mixed])
    assert (refused.status, refused.reason.partition(", but ")[2]) == (
        "not-run",
        "the step of the refinement was timed on CPU",
    )
    assert decide([], "RF7").reason == "no claims-embedded probes of refine on nyu"


def test_beside_a_gpu_the_cpu_is_told_of() -> None:
    timed = make_timed(3.0, 300.0)
    step = {**timed.numbers["step"], "device": "H100"}
    beside = {"milliseconds": {"1": {"network": 7.0}}, "threads": 4, "device": "CPU", "precision": "float32"}
    on_gpu = {**timed.numbers, "device": "H100", "step": step, "on_cpu": beside}
    told = decide([], "RF7", probes=[dataclasses.replace(timed, numbers=on_gpu)]).reason
    assert told.endswith("; 7 ms a frame one by one on CPU, 4 threads, float32")
