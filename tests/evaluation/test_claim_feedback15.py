"""FB1 to FB5, FB8 and FB10 by hand: what holds, what fails and by what, and what decides nothing."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from claim_fixtures import (
    BLOCKS,
    MODULES,
    decide,
    level,
    make_predictor,
    make_probe,
    make_result,
    make_steps,
    make_updates,
)

from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result


def make_loop(start_mm: float, end_mm: float, *, module: str = "feedback15", spread_mm: float = 0.0) -> list[Result]:
    """Three seeds of a loop and its predictor; after one iteration it stands half way."""
    half, paper = (start_mm + end_mm) / 2, module[:10]
    steps = (level(start_mm), level(half), level(end_mm, spread_mm))
    seeds = range(3)
    loops = [make_steps(module, *steps, seed=seed) for seed in seeds]
    return loops + [make_predictor(f"{paper}_predictor", seed=seed) for seed in seeds]


@pytest.mark.parametrize(("claim", "module", "least"), [("FB1", "feedback15", 10), ("GF2", "feedback19", 5)])
def test_the_loop_gains_enough_or_not(claim: str, module: str, least: int) -> None:
    verdict = decide(make_loop(20.0, 17.0, module=module), claim)
    assert (verdict.status, verdict.value, verdict.low, verdict.high) == ("holds", -3.0, -3.0, -3.0)
    assert verdict.measured == "20.00 to 17.00 mm (-15.0 %)"
    assert verdict.seeds == (0, 1, 2)
    assert f"the error falls in % by 15 on average of 3 seeds, at least {least} asked" in verdict.reason
    short = decide(make_loop(20.0, 19.2, module=module), claim)
    assert (short.status, short.value) == ("fails", pytest.approx(-0.8))
    assert short.reason.startswith(f"size: the error falls in % by 4 on average of 3 seeds, at least {least} asked")
    worse = decide(make_loop(20.0, 21.0, module=module), claim)
    assert worse.reason.startswith("direction: error after 2 iterations less before, in mm: 95 % interval 1 to 1")
    unsure = decide(make_loop(20.0, 17.0, module=module, spread_mm=20.0), claim)
    assert unsure.reason.startswith("inconclusive: error after 2 iterations less before")


def test_subjects_are_told_apart_where_they_are_among_the_frames() -> None:
    end_mm = [16.0] * (BLOCKS // 2) + [19.0] * (BLOCKS // 2)
    loops = [make_steps("feedback15", level(20.0), level(18.0), end_mm, seed=seed) for seed in range(3)]
    loops += [make_predictor("feedback15_predictor", seed=seed) for seed in range(3)]
    reason = decide(loops, "FB1").reason
    assert reason.endswith(
        "; subject seen in training: 20.00 to 16.00 mm (-20.0 %); unseen subject: 20.00 to 19.00 mm (-5.0 %)"
    )
    one_subject = [dataclasses.replace(one, block_sequences=("test_1",) * BLOCKS) for one in loops]
    assert decide(one_subject, "FB1").reason.endswith("unseen subject: not among the frames")


def test_the_loop_gains_nothing_over_a_predictor_that_was_stopped_early() -> None:
    results = [dataclasses.replace(one, converged=one.module == "feedback15") for one in make_loop(20.0, 17.0)]
    verdict = decide(results, "FB1")
    assert verdict.status == "not-run"
    assert verdict.reason == ("feedback15_predictor on nyu was not trained until its validation error stopped falling")
    brief = {**MODULES, "updater": {"settings": {"epochs": 13, "batch": 64}}}
    verdict = decide(make_loop(20.0, 17.0), "FB1", modules=brief)
    assert verdict.reason == (
        "the rival was trained by fewer updates: feedback15_predictor 12 epochs in batches of 64, "
        "updater 13 epochs in batches of 64"
    )
    # The same epochs in larger batches are fewer updates.
    assert (
        decide(
            make_loop(20.0, 17.0), "FB1", modules={**MODULES, "updater": {"settings": {"epochs": 7, "batch": 32}}}
        ).status
        == "not-run"
    )
    assert decide(make_loop(20.0, 17.0), "FB1", modules={}).reason.startswith("how long the rivals were trained is not")


def test_a_loop_without_its_steps_or_its_second_iteration_decides_nothing() -> None:
    predictor = make_predictor("feedback15_predictor")
    once = make_steps("feedback15", level(20), level(17))
    assert "expected errors after 2 iterations" in decide([once, predictor], "FB1").reason
    bare = make_result("feedback15", "nyu", level(17))
    assert "expected errors after 0 iterations" in decide([bare, predictor], "FB1").reason
    assert decide([predictor], "FB1").reason == "no claims-embedded results of feedback15 on nyu"


def make_two(simple_mm: tuple[float, float], better_mm: tuple[float, float], spread_mm: float = 0.0) -> list[Result]:
    """Start and end of the loop from either initialisation, two seeds."""
    return [
        make_steps(module, level(start), level(start), level(end, spread), seed=seed)
        for seed in (0, 1)
        for module, (start, end), spread in (
            ("feedback15", simple_mm, 0.0),
            ("feedback15_init2", better_mm, spread_mm),
        )
    ]


def test_a_better_initialisation_by_hand() -> None:
    verdict = decide(make_two((27.0, 16.5), (23.0, 16.0)), "FB2")
    assert (verdict.status, verdict.value, verdict.high) == ("holds", -0.5, -0.5)
    assert verdict.measured == "23.00 to 16.00 mm, against 27.00 to 16.50"
    # The lead of 4 mm shrinks to half a millimetre.
    assert "final less initial difference of the two, in mm: 95 % interval 3.5 to 3.5" in verdict.reason
    assert decide(make_two((27.0, 16.5), (23.0, 17.0)), "FB2").reason.startswith("size: final error from it less the")
    grows = decide(make_two((27.0, 16.5), (26.0, 12.0)), "FB2")
    assert (grows.status, grows.reason[:60]) == (
        "fails",
        "direction: final less initial difference of the two, in mm: ",
    )
    no_better = decide(make_two((23.0, 16.5), (27.0, 16.0)), "FB2").reason
    assert no_better.startswith("direction: better less simple initialisation")
    unsure = decide(make_two((27.0, 16.5), (23.0, 16.0), spread_mm=8.0), "FB2")
    assert unsure.reason.startswith("inconclusive: final error from it less the other")


def test_a_better_initialisation_needs_both_loops_and_a_finished_rival() -> None:
    results = make_two((27.0, 16.5), (23.0, 16.0))
    assert decide(results[:1], "FB2").reason == "no claims-embedded results of feedback15_init2 on nyu"
    early = [dataclasses.replace(one, converged=one.module != "feedback15") for one in results]
    assert decide(early, "FB2").reason.startswith("feedback15 on nyu was not trained until")


SEARCH = {"FB3": ("feedback15_lbfgsb", "feedback15_beside_lbfgsb"), "FB4": ("feedback15_pso", "feedback15_beside_pso")}


def make_search(
    claim: str, end_mm: float, loop_mm: float, *, image: tuple[float, ...] = (9.0, 4.0, 2.0), spread_mm: float = 0.0
) -> tuple[list[Result], list[Probe]]:
    """From 20 mm by image-based optimisation, and by the loop on the same frames."""
    search, beside = SEARCH[claim]
    results = [
        make_steps(search, level(20), level(21), level(end_mm, spread_mm)),
        make_steps(beside, level(20), level(19), level(loop_mm)),
    ]
    return results, [make_probe(search, {"image_error": list(image), "pose_error_mm": [20.0, 21.0, end_mm]})]


@pytest.mark.parametrize("claim", SEARCH)
def test_image_based_optimisation_by_hand(claim: str) -> None:
    results, probes = make_search(claim, 25.0, 17.0)
    verdict = decide(results, claim, probes=probes)
    assert (verdict.status, verdict.value) == ("holds", 5.0)
    assert verdict.measured == "20.00 to 25.00 mm on 2,000 frames; the loop 17.00 mm"
    assert verdict.reason.startswith("image error 9 to 2; pose error after less before")
    for end_mm, loop_mm, image, reason in (
        (18.0, 17.0, (9.0, 2.0), "size: pose error after less before, in mm: 95 % interval -2 to -2"),
        (25.0, 26.0, (9.0, 2.0), "direction: the loop's error less that, in mm"),
        (25.0, 17.0, (9.0, 9.0), "direction: image error 9 to 9 does not fall with every seed"),
    ):
        results, probes = make_search(claim, end_mm, loop_mm, image=image)
        verdict = decide(results, claim, probes=probes)
        assert (verdict.status, verdict.reason[: len(reason)]) == ("fails", reason)
    results, probes = make_search(claim, 20.5, 10.0, spread_mm=9.0)
    assert decide(results, claim, probes=probes).reason.startswith("inconclusive: pose error after less before")


@pytest.mark.parametrize("claim", SEARCH)
def test_image_based_optimisation_names_what_is_missing(claim: str) -> None:
    results, probes = make_search(claim, 25.0, 17.0)
    search, beside = SEARCH[claim]
    assert decide(results[:1], claim, probes=probes).reason == f"no claims-embedded results of {beside} on nyu"
    assert decide(results, claim).reason == f"no claims-embedded probes of {search} on nyu"
    assert decide(results, claim, probes=None).reason == (
        f"no claims-embedded probes of {search} on nyu (probes are files in the run's folder, which the tracking store "
        "does not hold)"
    )
    early = [dataclasses.replace(one, converged=one.module != search) for one in results]
    assert decide(early, claim, probes=probes).reason.startswith(f"{search} on nyu was not trained until")
    other = [results[0], dataclasses.replace(results[1], block_counts=np.full(BLOCKS, 99))]
    assert "expected results on the same frames" in decide(other, claim, probes=probes).reason


def decide_updates(claim: str, *numbers: dict[str, Any]) -> Any:
    return decide([], claim, probes=[make_probe("feedback15", one, seed=seed) for seed, one in enumerate(numbers)])


def test_updates_around_the_truth_by_hand() -> None:
    verdict = decide_updates("FB5", make_updates(improved=0.95), make_updates(improved=0.87))
    assert (verdict.status, verdict.value, verdict.seeds) == ("holds", pytest.approx(91.0), (0, 1))
    assert verdict.measured == "91.0 % of poses improve; from the truth 0.25 of the error"
    assert verdict.reason.endswith("from 20 to 13.3 mm, 91 % improve; from 40 to 26.7 mm, 91 % improve")
    assert decide_updates("FB5", make_updates(improved=0.8)).reason.startswith("size: noise of the predictor's size")
    far = decide_updates("FB5", make_updates(moved_mm=9.0))
    assert (far.status, far.reason[:63]) == ("fails", "size: from the truth: the update's length over the predictor's ")
    lost = decide_updates("FB5", make_updates(improved=float("nan")))
    assert lost.reason.startswith("inconclusive: noise of the predictor's size")


def test_updates_need_a_probe_with_all_noise_levels() -> None:
    assert decide([], "FB5").reason == "no claims-embedded probes of feedback15 on nyu"
    numbers = make_updates()
    numbers["around_truth"] = numbers["around_truth"][:2]
    assert "expected updates from poses that are 24.0003 mm off" in decide_updates("FB5", numbers).reason
    assert "expected predictor_mm among its numbers" in decide_updates("FB5", {}).reason


def make_updaters(strides_mm: float, pooling_mm: float, spread_mm: float = 0.0) -> list[Result]:
    rows = (("feedback15", strides_mm, 0.0), ("feedback15_pooling", pooling_mm, spread_mm))
    return [make_result(module, "nyu", level(mean_mm, spread)) for module, mean_mm, spread in rows]


def test_strides_against_pooling_by_hand() -> None:
    verdict = decide(make_updaters(16.0, 17.5), "FB8")
    assert (verdict.status, verdict.value) == ("holds", -1.5)
    assert verdict.measured == "16.00 mm with strides, 17.50 mm with max-pooling"
    assert decide(make_updaters(17.5, 16.0), "FB8").reason.startswith("direction: final error with strides less")
    assert decide(make_updaters(16.0, 16.2, 5.0), "FB8").reason.startswith("inconclusive: final error with strides")
    results = make_updaters(16.0, 17.5)
    assert decide(results[:1], "FB8").reason == "no claims-embedded results of feedback15_pooling on nyu"
    shorter = {**MODULES, "updater_pooling": {"settings": {"epochs": 9, "batch": 64}}}
    assert decide(results, "FB8", modules=shorter).reason.startswith("the rival was trained by fewer updates")
    early = [results[0], dataclasses.replace(results[1], converged=False)]
    assert decide(early, "FB8").reason.startswith("feedback15_pooling on nyu was not trained until")


def test_speed_by_hand() -> None:
    verdict = decide_updates("FB10", make_updates(loop_ms=2.0))
    assert (verdict.status, verdict.value) == ("holds", 500.0)
    assert verdict.reason == (
        "500 frames/s in batches of 64 on CPU, 2 threads, float32, 400 printed; a single frame takes 8 ms"
    )
    slow = decide_updates("FB10", make_updates(loop_ms=4.0) | {"device": "Some GPU"})
    assert (slow.status, slow.measured) == ("fails", "250 frames/s on Some GPU, float32")
    assert slow.reason.startswith("size: 250 frames/s in batches of 64 on Some GPU, float32, 400 printed")
    on_gpu = make_updates(loop_ms=2.0) | {"device": "Some GPU", "cuda_graph": True}
    on_gpu["milliseconds"]["4096"] = {"loop": 0.02}
    large = decide_updates("FB10", on_gpu)
    assert (large.status, large.measured) == ("holds", "50000 frames/s on Some GPU, float32, CUDA graphs")
    assert large.reason == (
        "5e+04 frames/s in batches of 4096 on Some GPU, float32, CUDA graphs, 400 printed; a single frame takes 8 ms"
    )
    on_gpu["milliseconds"]["4096"] = {"loop": 2.5}
    assert "500 frames/s in batches of 64 on Some GPU" in decide_updates("FB10", on_gpu).reason
    beside = {"milliseconds": {"1": {"loop": 20.0}, "64": {"loop": 10.0}}, "device": "CPU", "threads": 4}
    told = decide_updates("FB10", on_gpu | {"on_cpu": {**beside, "precision": "float32"}})
    assert told.measured == decide_updates("FB10", on_gpu).measured
    assert told.reason == (
        f"{decide_updates('FB10', on_gpu).reason}; 100 frames/s in batches of 64 on CPU, 4 threads, float32, where a "
        "single frame takes 20 ms"
    )
    alone = on_gpu | {"cuda_graph": False}
    assert "on Some GPU, float32, not all in CUDA graphs, 400" in decide_updates("FB10", alone).reason
    both = [make_probe("feedback15", make_updates()), make_probe("feedback15", on_gpu, seed=1)]
    assert "in batches of 64 on CPU, 2 threads" in decide([], "FB10", probes=both).reason, (
        "not all were timed with more"
    )
    assert decide([], "FB10").reason == "no claims-embedded probes of feedback15 on nyu"
    assert "expected milliseconds.64.loop among its numbers" in decide_updates("FB10", {"milliseconds": {}}).reason


def test_speed_tells_of_patch_and_maps() -> None:
    probes = [make_probe("feedback15", make_updates())]
    loop = dataclasses.replace(make_steps("feedback15", level(20.0), level(18.0)), protocol={"size_px": 64})
    modules = {**MODULES, "s": {"settings": {"filters": 16}}}
    reason = decide([loop], "FB10", probes=probes, modules=modules).reason
    assert reason.endswith(
        "; timed with patches of 64 pixels and 16 maps in the synthesizer, the paper's has patches of 128 and 32 maps"
    )
    assert "timed with patches of 64 pixels, the" in decide([loop], "FB10", probes=probes).reason


def test_gf2_tells_in_what_deepprior_plus_is_less() -> None:
    loops = [make_steps("feedback19", level(20.0), level(18.5), level(17.0), seed=seed) for seed in range(3)]

    def tell(**changed: object) -> str:
        settings = {"epochs": 12, "batch": 64, "residual_modules": changed.pop("modules", 1)}
        rivals = [make_predictor("feedback19_predictor", seed=seed, settings=settings, **changed) for seed in range(3)]
        verdict = decide([*loops, *rivals], "GF2")
        assert verdict.status == "holds"
        return verdict.reason

    assert tell().endswith(
        "; DeepPrior++ is run with 1 of 5 residual modules a stage and crops around the centre of mass where the "
        "paper's are localized"
    )
    assert tell(centre="localized").endswith("; DeepPrior++ is run with 1 of 5 residual modules a stage")
    assert "DeepPrior++" not in tell(centre="localized", modules=5)


def test_smoke_and_other_runs_decide_nothing() -> None:
    probes = [make_probe("feedback15", make_updates(), scale="smoke")]
    assert decide([], "FB5", scale="smoke", probes=probes).reason.startswith("smoke runs only try the wiring")
    assert decide([], "FB5", probes=probes).status == "not-run"
    other = [make_probe("feedback15", make_updates(), source="real")]
    assert decide([], "FB5", probes=other).status == "not-run"
