"""FB6, FB7, FB9 and GF3 by hand: images of synthesizers against one another."""

import dataclasses
from collections.abc import Sequence

import pytest
from claim_fixtures import decide, level, make_images, make_probe, make_steps, make_updates

from handbench.evaluation.claim_synthesizer import OF_LABEL_NOISE
from handbench.evaluation.claims import Verdict
from handbench.evaluation.probes import Probe


def decide_fb6(**regions: float) -> Verdict:
    return decide([], "FB6", probes=[make_probe("feedback15_synthesizer", make_images(**regions))])


def test_inside_and_outline_by_hand() -> None:
    # Medians are half the means: 4 mm over the hand, 10 mm of the nearest pose's image; 14 over 4 mm at the outline.
    verdict = decide_fb6()
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(0.4))
    assert verdict.measured == "median 0.40 of the nearest pose's; outline 3.50 times inside"
    assert verdict.reason.endswith(
        "feedback15_synthesizer, all pixels: median 4.5 mm (1.3 printed), mean 9 +- 27 mm (10.9 +- 32.2 printed)"
    )
    assert decide_fb6(nearest_hand=15.0).reason.startswith("size: hand pixels: median over that of the nearest pose's")
    assert decide_fb6(outline=11.0).reason.startswith("size: mean at the outline over that inside 2.75")
    assert decide_fb6(inside=0.0).reason.startswith("inconclusive: mean at the outline")
    assert decide([], "FB6").reason == "no claims-embedded probes of feedback15_synthesizer on nyu"


def test_both_synthesizers_stand_beside_print() -> None:
    probes = [make_probe(f"feedback{year}_synthesizer", make_images()) for year in (15, 19)]
    reason = decide([], "FB6", probes=probes).reason
    assert "feedback19_synthesizer, all pixels: median 4.5 mm (0.1 printed), mean 9 +- 27 mm (8.9 +- 28.5" in reason


def make_trainings(ours_mm: float, theirs_mm: float, *, epochs: int = 27, spread_mm: float = 0.0) -> list[Probe]:
    settings = {"epochs": epochs, "batch": 64, "stage_epochs": []}
    return [
        one
        for seed in (0, 1)
        for one in (
            make_probe("feedback15_synthesizer", make_images(ours_mm, spread_mm=spread_mm), seed=seed),
            make_probe("feedback15_synthesizer_end_to_end", make_images(theirs_mm), seed=seed, settings=settings),
        )
    ]


def test_layer_by_layer_by_hand() -> None:
    verdict = decide([], "FB7", probes=make_trainings(8.0, 9.0))
    assert (verdict.status, verdict.value, verdict.seeds) == ("holds", -1.0, (0, 1))
    assert verdict.measured == "8.00 mm layer by layer, 9.00 mm end to end"
    assert verdict.reason.endswith(
        "trained: feedback15_synthesizer 27 epochs in batches of 64, feedback15_synthesizer_end_to_end 27 epochs in "
        "batches of 64; equal cost means equal updates only: 8 epochs layer by layer draw the whole image and the "
        "others smaller ones, which takes less time, 27 end to end"
    )
    assert decide([], "FB7", probes=make_trainings(9.0, 8.0)).reason.startswith("direction: layer-wise less end-to-end")
    unsure = decide([], "FB7", probes=make_trainings(8.0, 8.2, spread_mm=3.0))
    assert (unsure.status, unsure.reason[:12]) == ("fails", "inconclusive")


def test_layer_by_layer_against_a_rival_of_its_own_weight() -> None:
    assert decide([], "FB7", probes=make_trainings(8.0, 9.0, epochs=26)).reason.startswith(
        "the rival was trained by few"
    )
    early = [dataclasses.replace(one, converged=False) for one in make_trainings(8.0, 9.0)]
    assert decide([], "FB7", probes=early).reason.startswith("feedback15_synthesizer_end_to_end on nyu was not trained")
    assert decide([], "FB7", probes=make_trainings(8.0, 9.0)[:1]).reason == (
        "no claims-embedded probes of feedback15_synthesizer_end_to_end on nyu"
    )
    unpaired = make_trainings(8.0, 9.0)[:3]
    assert "expected probes of the same frames with the same seeds" in decide([], "FB7", probes=unpaired).reason


def make_noisy(errors_mm: Sequence[float], sharpness: Sequence[float], spread_mm: float = 0.0) -> list[Probe]:
    rows = zip(OF_LABEL_NOISE, (0, 5, 10, 20), errors_mm, sharpness, strict=True)
    return [
        make_probe(
            module,
            make_images(error_mm, sharpness=sharp, spread_mm=spread_mm * (place % 2)),
            dataset="icvl",
            settings={"epochs": 8, "batch": 64, "stage_epochs": [12], "label_noise_mm": float(noise_mm)},
        )
        for place, (module, noise_mm, error_mm, sharp) in enumerate(rows)
    ]


def test_label_noise_by_hand() -> None:
    verdict = decide([], "FB9", probes=make_noisy((8, 9, 11, 15), (0.8, 0.7, 0.5, 0.3)))
    assert verdict.status == "holds"
    assert verdict.value == pytest.approx(1.0)
    assert verdict.measured.startswith("0 mm: error 8.00 mm, sharpness 0.800; 5 mm: error 9.00 mm, sharpness 0.700;")
    sharper = decide([], "FB9", probes=make_noisy((8, 9, 11, 15), (0.8, 0.7, 0.72, 0.3)))
    assert sharper.reason == (
        "direction: from 5 to 10 mm of noise, sharpness 0.700 to 0.720 does not fall with every seed"
    )
    better = decide([], "FB9", probes=make_noisy((8, 7, 11, 15), (0.8, 0.7, 0.5, 0.3)))
    assert better.reason.startswith("direction: from 0 to 5 mm of noise, error in mm")
    unsure = decide([], "FB9", probes=make_noisy((8, 8.1, 11, 15), (0.8, 0.7, 0.5, 0.3), spread_mm=2.0))
    assert unsure.reason.startswith("inconclusive: from 0 to 5 mm of noise, error in mm")


def test_label_noise_needs_every_training_to_its_end() -> None:
    probes = make_noisy((8, 9, 11, 15), (0.8, 0.7, 0.5, 0.3))
    assert decide([], "FB9", probes=probes[:3]).reason == (
        "no claims-embedded probes of feedback15_synthesizer_noise20 on icvl"
    )
    early = [*probes[:3], dataclasses.replace(probes[3], converged=False)]
    assert decide([], "FB9", probes=early).reason.startswith("feedback15_synthesizer_noise20 on icvl was not trained")
    shorter = [*probes[:3], dataclasses.replace(probes[3], settings={**probes[3].settings, "epochs": 7})]
    assert decide([], "FB9", probes=shorter).reason.startswith("the rival was trained by fewer updates")


def decide_gf3(joint_mm: float, images_mm: float, *, spread_mm: float = 0.0, nested: bool = True) -> Verdict:
    results = [
        make_steps("feedback19", level(12), level(10)),
        make_steps("feedback19_joint", level(12), level(joint_mm, spread_mm)),
    ]
    images = make_images(images_mm)
    probes = [
        make_probe("feedback19_synthesizer", make_images(8.0)),
        make_probe("feedback19_joint", make_updates() | {"synthesizer": images} if nested else images),
    ]
    return decide(results, "GF3", probes=probes)


def test_joint_fine_tuning_by_hand() -> None:
    for nested in (True, False):
        verdict = decide_gf3(10.2, 9.5, nested=nested)
        assert (verdict.status, verdict.value) == ("holds", pytest.approx(0.02))
        assert verdict.measured == "10.20 mm jointly, 10.00 mm apart; images +1.50 mm"
    assert decide_gf3(10.7, 9.5).reason.startswith("size: change of the pose error, as a share: 95 % interval 0.07")
    assert decide_gf3(10.2, 7.0).reason.startswith("direction: image error over the hand, joint less apart")
    assert decide_gf3(10.2, 9.5, spread_mm=4.0).reason.startswith("inconclusive: change of the pose error")


def test_joint_fine_tuning_names_what_is_missing() -> None:
    assert decide([], "GF3").reason == (
        "no claims-embedded results of feedback19 on nyu; of feedback19_joint on nyu; "
        "no claims-embedded probes of feedback19_synthesizer on nyu; of feedback19_joint on nyu"
    )
    results = [make_steps(module, level(12), level(10)) for module in ("feedback19", "feedback19_joint")]
    probes = [make_probe("feedback19_synthesizer", make_images()), make_probe("feedback19_joint", {})]
    assert "expected sequences among its numbers" in decide(results, "GF3", probes=probes).reason
    early = [dataclasses.replace(one, converged=False) for one in results]
    assert decide(early, "GF3", probes=probes).reason.startswith("feedback19 on nyu, feedback19_joint on nyu was not")
