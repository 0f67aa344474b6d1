"""Claims of crossing from results and probes with known numbers; CN5 stands in test_claims.py."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from claim_fixtures import BLOCKS, decide, level, make_probe, make_result

from handbench.evaluation.claim_shares import ESTIMATOR, PANELS, PRETRAINED, RIVALS, SCRATCH, name_module
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result

SEEDS = (0, 1)
FULL: dict[str, Any] = {"epochs": 10, "batch": 64, "epoch_steps": 40}
MEANS_MM = {
    2: {ESTIMATOR: 20.0, SCRATCH: 24.0, PRETRAINED: 22.5},
    5: {ESTIMATOR: 17.0, SCRATCH: 19.0, PRETRAINED: 20.0},
}
TIMED = {"threads": 2, "device": "CPU", "precision": "float32"}


def make_shares(means_mm: Mapping[int, Mapping[str, float]] = MEANS_MM, spread_mm: float = 0.3) -> list[Result]:
    rng = np.random.default_rng(7)
    return [
        make_result(
            name_module(base, share),
            dataset,
            mean_mm + rng.normal(0, spread_mm, BLOCKS),
            seed,
            settings=FULL | {"labelled_share": share / 100},
        )
        for share, methods in means_mm.items()
        for base, mean_mm in methods.items()
        for dataset in PANELS
        for seed in SEEDS
    ]


def change(results: Sequence[Result], module: str, dataset: str, **changed: object) -> list[Result]:
    return [replace(one, **changed) if (one.module, one.dataset) == (module, dataset) else one for one in results]


def test_names_of_modules() -> None:
    assert [name_module(SCRATCH, share) for share in (2, 100)] == ["crossing_posterior_2", "crossing_posterior"]
    assert name_module(PRETRAINED, 5, epochs=True) == "crossing_pretrained_5_epochs"
    assert name_module(PRETRAINED, 100, epochs=True) == "crossing_pretrained"


def test_semi_supervised_training_wins_at_every_share() -> None:
    verdict = decide(make_shares(), "CN1")
    assert verdict.status == "holds", verdict.reason
    assert verdict.reason.count("95 % interval") == 2 * len(PANELS) * len(RIVALS)
    assert verdict.value == pytest.approx(-2.0, abs=0.1), "the least sure: from scratch at 5 %"
    assert verdict.seeds == SEEDS
    assert verdict.figure == "crossing_figure_3"
    assert "mm, crossing / from scratch / GAN-pretrained: 2 % of NYU 19.9" in verdict.measured
    assert "5 % of ICVL" in verdict.measured


def test_one_share_of_one_data_set_is_enough_to_fail() -> None:
    results = make_shares()
    worse = [*make_shares({5: {ESTIMATOR: 19.5}})]
    swapped = [one for one in results if (one.module, one.dataset) != ("crossing_5", "icvl")]
    verdict = decide([*swapped, *(one for one in worse if one.dataset == "icvl")], "CN1")
    assert verdict.status == "fails"
    assert verdict.reason.startswith("direction: 5 % of ICVL, crossing less from scratch, in mm")
    assert "NYU" not in verdict.reason


def test_every_module_of_a_share_that_was_run_must_be_there() -> None:
    results = [one for one in make_shares() if (one.module, one.dataset) != ("crossing_pretrained_5", "msra")]
    verdict = decide(results, "CN1")
    assert (verdict.status, verdict.reason) == (
        "not-run",
        "no claims-embedded results of crossing_pretrained_5 on msra",
    )
    alone = [one for one in make_shares({2: MEANS_MM[2]}) if one.dataset == "nyu"]
    assert "crossing_2 on msra, icvl" in decide(alone, "CN1").reason
    assert "of crossing_posterior_2 on nyu, msra, icvl" in decide([], "CN1").reason


def test_rivals_count_only_when_trained_to_the_end_and_for_as_long() -> None:
    results = make_shares()
    early = decide(change(results, "crossing_posterior_2", "icvl", converged=False), "CN1")
    assert early.status == "not-run"
    assert early.reason.startswith("crossing_posterior_2 on icvl was not trained until")
    method = change(results, "crossing_5", "nyu", converged=False)
    assert decide(method, "CN1").status == "holds", "the method may be better still"
    for fewer in ({"epochs": 9}, {"epoch_steps": 30}, {"batch": 128}):
        told = decide(change(results, "crossing_pretrained_5", "msra", settings=FULL | fewer), "CN1")
        assert told.status == "not-run"
        assert told.reason.startswith("the rival was trained by fewer updates: crossing_pretrained_5")
        assert told.reason.endswith("crossing_5 10 epochs, at most 40 each, in batches of 64")
    uncut = change(results, "crossing_pretrained_5", "msra", settings=FULL | {"epoch_steps": None})
    assert decide(uncut, "CN1").status == "holds"


def test_equal_epochs_are_told_and_not_asked_for() -> None:
    beside = [
        make_result("crossing_posterior_2_epochs", "nyu", level(18.0, 0.3), seed, settings=FULL) for seed in SEEDS
    ]
    verdict = decide([*make_shares(), *beside], "CN1")
    assert verdict.status == "holds"
    assert "baselines of as many epochs: 2 % of NYU +1.9" in verdict.reason


def test_equal_epochs_that_cannot_be_compared_leave_the_claim_decided() -> None:
    module = "crossing_posterior_2_epochs"
    fewer = decide([*make_shares(), make_result(module, "nyu", level(18.0), 0, settings=FULL)], "CN1")
    assert fewer.status == "holds"
    told = "2 % of NYU not compared from scratch (expected the same seeds of both, found [0, 1] against [0])"
    assert fewer.reason.endswith(told)
    other = [make_result(module, "nyu", level(18.0, blocks=20), seed, settings=FULL) for seed in SEEDS]
    verdict = decide([*make_shares(), *other], "CN1")
    assert verdict.status == "holds"
    assert "(expected results on the same frames, found 1000 frames of nyu and 2000 of nyu)" in verdict.reason


def test_pretraining_helps_where_labels_are_scarce() -> None:
    verdict = decide(make_shares(), "CN2")
    assert verdict.status == "holds", verdict.reason
    assert "2 % of NYU, GAN-pretrained less from scratch" in verdict.reason
    helps_more = {2: MEANS_MM[2], 5: MEANS_MM[5] | {PRETRAINED: 18.0}}
    failed = decide(make_shares(helps_more), "CN2")
    assert (failed.status, failed.reason.split(",")[0]) == ("fails", "size: 5 % of NYU")
    alike = decide(make_shares({2: MEANS_MM[2], 5: MEANS_MM[5] | {PRETRAINED: 19.0}}, spread_mm=1.0), "CN2")
    assert (alike.status, alike.reason[:12]) == ("fails", "inconclusive")
    assert "crossing_pretrained_5 on nyu" in decide(make_shares({2: MEANS_MM[2]}), "CN2").reason
    early = change(make_shares(), "crossing_pretrained_5", "nyu", converged=False)
    assert decide(early, "CN2").status == "not-run", "it might still overtake"
    assert decide(change(make_shares(), "crossing_pretrained_2", "nyu", converged=False), "CN2").status == "holds"


@pytest.mark.parametrize(("without_gan_mm", "status"), [(19.0, "holds"), (16.0, "fails")])
def test_both_tasks_help(without_gan_mm: float, status: str) -> None:
    means_mm = {ESTIMATOR: 17.0, "crossing_without_smoothness": 18.0, "crossing_without_gan": without_gan_mm}
    rng = np.random.default_rng(3)
    results = [
        make_result(name, "nyu", mean_mm + rng.normal(0, 0.2, BLOCKS), seed, settings=FULL)
        for name, mean_mm in means_mm.items()
        for seed in SEEDS
    ]
    verdict = decide(results, "CN3")
    assert verdict.status == status
    assert verdict.figure == "crossing_section_5_2"
    assert verdict.value == pytest.approx(17.0 - min(18.0, without_gan_mm), abs=0.1)
    if status == "fails":
        assert verdict.reason.startswith("direction: estimator less that without GAN, in mm")
    short = change(results, "crossing_without_gan", "nyu", settings=FULL | {"epochs": 5})
    assert decide(short, "CN3").reason.startswith("the rival was trained by fewer updates")


def make_walks(
    jump: float = 2.0, depth_error: float = 0.06, *, walks: int = 10, spread: float = 0.004, **controls: float
) -> dict[str, Any]:
    """Steps of 2 mm but for one, and frames that are reconstructed with an error of 0.05."""
    rng, beside = np.random.default_rng(5), np.random.default_rng(6)
    frames = 0.05 + rng.normal(0, 0.001, 400)
    steps = [2.0] * 24 + [2.0 * jump] + [2.0] * 24
    mean = {"background": 0.13, "other": 0.1, "background_frame": 0.13, "other_frame": 0.09} | controls
    told = [
        {
            "from": walk,
            "to": walk + 50,
            "steps_mm": steps,
            "depth_error": [depth_error + rng.normal(0, spread)] * 50,
            **{f"{key}_error": [mean[key] + beside.normal(0, spread)] * 50 for key in ("background", "other")},
        }
        for walk in range(walks)
    ]
    drawn = {"frames": 400, "test": float(frames.mean()), "by_frame": frames.tolist()}
    for key in ("background", "other"):
        drawn[f"{key}_by_frame"] = (frames - 0.05 + mean[f"{key}_frame"]).tolist()
    return {"reconstruction": drawn, "walks": told}


def probe_walks(numbers: Mapping[str, Any]) -> list[Probe]:
    return [make_probe(ESTIMATOR, numbers, seed=seed, paper="crossing") for seed in SEEDS]


def test_walks_are_even_and_images_follow_poses() -> None:
    verdict = decide([], "CN4", probes=probe_walks(make_walks()))
    assert verdict.status == "holds", verdict.reason
    assert verdict.measured == (
        "crossing: largest step 2.00 times the median in the worst of 10 walks; drawn depth off by 1.23 times the "
        "reconstruction error, 0.061 half cube edges where background alone is off by 0.130 and the hands of another "
        "walk by 0.104"
    )
    assert verdict.value == pytest.approx(0.06 - 1.5 * 0.05, abs=3e-3)
    assert verdict.figure == "crossing_walks"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (make_walks(jump=3.2), "size: largest step over median step, in the worst walk, 3.2 on average of 2 seeds"),
        (make_walks(depth_error=0.09), "size: drawn depth off the decoded pose"),
        (make_walks(depth_error=0.074), "inconclusive: drawn depth off the decoded pose"),
        (make_walks(walks=4), "inconclusive: drawn depth off the decoded pose"),
        # A generator that draws background keeps the printed margin, and so does one that draws any hand.
        (make_walks(background=0.06), "inconclusive: drawn depth off the decoded pose less that of background alone"),
        (make_walks(other=0.05), "direction: drawn depth off the decoded pose less that from the hand of another pose"),
        (make_walks(background_frame=0.04), "direction: reconstruction error less that of background alone"),
        (make_walks(other_frame=0.05), "inconclusive: reconstruction error less that from the hand of another pose"),
    ],
)
def test_walks_that_jump_or_images_that_do_not_follow(numbers: Mapping[str, Any], said: str) -> None:
    verdict = decide([], "CN4", probes=probe_walks(numbers))
    assert verdict.status == "fails"
    assert verdict.reason.startswith(said)


def test_one_walk_that_jumps_counts() -> None:
    numbers = make_walks()
    numbers["walks"][3] = make_walks(jump=5.0)["walks"][3]
    assert decide([], "CN4", probes=probe_walks(numbers)).reason.startswith("size: largest step")


def test_of_several_estimators_that_of_most_labels_is_asked() -> None:
    few = [replace(one, module="crossing_2") for one in probe_walks(make_walks(jump=3.5))]
    assert decide([], "CN4", probes=few).measured.startswith("crossing_2: largest step 3.50 times")
    assert decide([], "CN4", probes=[*few, *probe_walks(make_walks())]).status == "holds"


def test_walks_wait_for_a_probe_that_has_them() -> None:
    assert decide([], "CN4").reason == "no claims-embedded probes of crossing on nyu"
    old = decide([], "CN4", probes=[make_probe(ESTIMATOR, {}, paper="crossing")])
    assert (old.status, "expected walks among its numbers" in old.reason) == ("not-run", True)
    bare = make_walks()
    del bare["walks"][2]["other_error"]
    assert "expected other_error of the walk from 2" in decide([], "CN4", probes=probe_walks(bare)).reason
    one, other = probe_walks(make_walks())
    moved = replace(other, numbers={**other.numbers, "walks": make_walks(walks=9)["walks"]})
    assert "expected the same walks and frames with every seed" in decide([], "CN4", probes=[one, moved]).reason


@pytest.mark.parametrize(("single_ms", "status"), [(6.5, "holds"), (12.0, "fails")])
def test_an_image_in_eleven_milliseconds(single_ms: float, status: str) -> None:
    timed = {"milliseconds": {"1": {"network": single_ms}, "64": {"network": 1.0}}, **TIMED}
    verdict = decide([], "CN6", probes=probe_walks(timed))
    assert (verdict.status, verdict.value) == (status, single_ms)
    assert verdict.measured == f"{single_ms:.3g} ms an image on CPU, 2 threads, float32"


def test_the_time_of_smaller_patches_says_so() -> None:
    timed = probe_walks({"milliseconds": {"1": {"network": 1.0}}, **TIMED})
    for size_px, said in ((64, "; patches have 64 pixels where the paper's have 128"), (128, "at most 11 asked")):
        results = [make_result(ESTIMATOR, "nyu", level(17.0), seed, protocol={"size_px": size_px}) for seed in SEEDS]
        assert decide(results, "CN6", probes=timed).reason.endswith(said)


@pytest.mark.parametrize("where", [{"device": "Some GPU"}, {"threads": 4}])
def test_other_devices_do_not_tell_of_two_cores(where: dict[str, object]) -> None:
    timed = {"milliseconds": {"1": {"network": 1.0}}, **TIMED, **where}
    verdict = decide([], "CN6", probes=probe_walks(timed))
    assert verdict.status == "not-run"
    assert verdict.reason.endswith("the claim is of 2 cores of a CPU")
