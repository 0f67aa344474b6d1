"""GF1 by hand: what holds, what fails and by what, and what decides nothing."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
from claim_fixtures import BLOCKS, FRAMES, decide, level, make_probe, make_result

from handbench.errors import BadInput
from handbench.evaluation.claims import Verdict
from handbench.evaluation.probes import Probe, compare_centres
from handbench.evaluation.results import Result

SETTINGS: dict[str, object] = {"epochs": 12, "batch": 64}


def make_distances(first_mm: float, localized_mm: float, spread_mm: float = 0.0) -> dict[str, Any]:
    """Every frame alike, but for a spread of the localizer's from block to block."""
    spread = spread_mm * np.where(np.arange(FRAMES) // 50 % 2, 1.0, -1.0)
    means = {"first": first_mm + 0 * spread, "shifted": 0.6 * first_mm + 0 * spread, "localized": localized_mm + spread}
    return {"sequences": ["a"] * FRAMES, **{f"frame_{name}_mm": values.tolist() for name, values in means.items()}}


def make_probes(first_mm: float = 50.0, *localized_mm: float, spread_mm: float = 0.0) -> list[Probe]:
    """A localizer's probe for every distance."""
    distances = [make_distances(first_mm, one, spread_mm) for one in localized_mm or (12.0, 12.0)]
    return [make_probe("feedback19_localizer", one, seed=seed) for seed, one in enumerate(distances)]


def make_poses(plain_mm: float, *localized_mm: float, spread_mm: float = 0.0) -> list[Result]:
    """DeepPrior++ on both crops, with a seed for every error on localized ones."""
    results = []
    for seed, one in enumerate(localized_mm):
        results.append(make_result("feedback19_predictor", "nyu", level(plain_mm), seed, settings=SETTINGS))
        name = "feedback19_predictor_localized"
        results.append(make_result(name, "nyu", level(one, spread_mm), seed, settings=SETTINGS))
    return results


def judge(results: list[Result], probes: list[Probe]) -> Verdict:
    return decide(results, "GF1", probes=probes)


def test_both_errors_fall() -> None:
    verdict = judge(make_poses(20.0, 17.0, 18.0), make_probes(50.0, 12.0, 14.0))
    assert (verdict.status, verdict.value, verdict.low, verdict.high) == ("holds", -2.5, -2.5, -2.5)
    assert (verdict.seeds, verdict.figure) == ((0, 1), "feedback19_section_3_2")
    assert verdict.measured == "50.00 to 13.00 mm from the joint; pose 20.00 to 17.50 mm"
    assert verdict.reason == (
        "distance from the joint, localized less first, in mm: 95 % interval -37 to -37, every seed agrees; "
        "pose error on localized crops less that on others, in mm: 95 % interval -2.5 to -2.5, every seed agrees; "
        "the first centre moved by the mean offset of training: 30.00 mm"
    )


@pytest.mark.parametrize(
    ("results", "probes", "said"),
    [
        (make_poses(20.0, 21.0, 21.0), make_probes(), "direction: pose error on localized crops less that on others"),
        (make_poses(20.0, 17.0, 17.0), make_probes(12.0, 50.0, 50.0), "direction: distance from the joint"),
        (make_poses(20.0, 17.0, 20.5), make_probes(), "inconclusive: pose error .* the seeds disagree in sign"),
        (make_poses(20.0, 17.0, 17.0), make_probes(50.0, 30.0, 51.0), "inconclusive: distance .* the seeds disagree"),
        (make_poses(20.0, 19.8, 19.8, spread_mm=5.0), make_probes(), "inconclusive: pose error .* holds zero"),
        (
            make_poses(20.0, 17.0, 17.0),
            make_probes(50.0, 49.0, 49.0, spread_mm=9.0),
            "inconclusive: distance .* holds zero",
        ),
    ],
)
def test_one_of_the_two_does_not_fall(results: list[Result], probes: list[Probe], said: str) -> None:
    verdict = judge(results, probes)
    assert verdict.status == "fails"
    assert re.match(said, verdict.reason), verdict.reason


def test_what_is_missing_is_named() -> None:
    results, probes = make_poses(20.0, 17.0, 17.0), make_probes()
    assert judge([], []).reason == (
        "no claims-embedded results of feedback19_predictor_localized on nyu; of feedback19_predictor on nyu; "
        "no claims-embedded probes of feedback19_localizer on nyu"
    )
    assert judge(results[::2], probes).reason == "no claims-embedded results of feedback19_predictor_localized on nyu"
    assert judge(results, []).reason == "no claims-embedded probes of feedback19_localizer on nyu"


def test_a_rival_counts_when_it_was_trained_as_long() -> None:
    results, probes = make_poses(20.0, 17.0), make_probes(50.0, 12.0)
    early = [dataclasses.replace(results[0], converged=False), results[1]]
    assert judge(early, probes).reason.startswith("feedback19_predictor on nyu was not trained until")
    shorter = [dataclasses.replace(results[0], settings={"epochs": 11, "batch": 64}), results[1]]
    verdict = judge(shorter, probes)
    assert (verdict.status, verdict.reason[:43]) == ("not-run", "the rival was trained by fewer updates: fee")
    # The localizer and what it makes are the method: they need not be at their end.
    young = [results[0], dataclasses.replace(results[1], converged=False)]
    assert judge(young, [dataclasses.replace(probes[0], converged=False)]).status == "holds"


def test_numbers_that_do_not_fit_together_decide_nothing() -> None:
    results, probes = make_poses(20.0, 17.0, 17.0), make_probes()
    other = [*results[:3], make_result(results[3].module, "nyu", level(17.0, blocks=BLOCKS - 1), 1, settings=SETTINGS)]
    assert "expected results on the same frames" in judge(other, probes).reason
    older = [make_probe("feedback19_localizer", {}, seed=seed) for seed in range(2)]
    assert "among its numbers" in judge(results, older).reason


def test_centres_are_paired_frame_by_frame() -> None:
    probes = make_probes(50.0, 12.0, 20.0)
    comparison = compare_centres(probes, "localized", "shifted")
    assert comparison.difference.mean == pytest.approx(-14.0)
    assert comparison.per_seed == pytest.approx((-18.0, -10.0))
    assert comparison.difference.blocks == FRAMES // 50
    moved = dataclasses.replace(probes[1], numbers={**probes[1].numbers, "sequences": ["b"] * FRAMES})
    with pytest.raises(BadInput, match="expected the same frames with every seed"):
        compare_centres([probes[0], moved], "localized", "first")
