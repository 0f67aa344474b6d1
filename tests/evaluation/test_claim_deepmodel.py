"""DM1, DM2, DM3 and DM5 by hand: what holds, what fails and by what, and what decides nothing."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from claim_fixtures import BLOCKS, decide, level, make_probe, make_result

from handbench.errors import BadInput
from handbench.evaluation.angle_score import AngleResult
from handbench.evaluation.blocks import Blocks
from handbench.evaluation.claim_rules import BlockRatio, bootstrap_ratio
from handbench.evaluation.claim_variants import NAMES, THREE_ANGLES, judge_fewer
from handbench.evaluation.claims import Verdict, decide_claims
from handbench.evaluation.fits import Fit, Left, read_fits, select_fits
from handbench.evaluation.results import Result
from handbench.hand.skeleton import ANGLE_LIMITS_RAD
from handbench.sealed import seal

TABLE_1 = {
    "direct joint": (17.2, 21.4),
    "direct parameter": (26.7, 12.2),
    "without": (16.9, 12.0),
    "full": (16.9, 12.2),
}
SHARES = (0.1, 0.1, 0.19, 0.01)
"""Of frames out of range, in the order of the rows."""
SETTINGS: dict[str, object] = {"epochs": 30, "batch": 64}


def make_angles(mean_deg: float, outside_share: float) -> AngleResult:
    """Blocks of 50 frames with 23 angles each; every block alike."""
    frames = np.full(BLOCKS, 50)
    return AngleResult(
        error_deg={"yaw": mean_deg},
        errors=Blocks(mean_deg * 23.0 * frames, 23 * frames),
        rotation=Blocks(10.0 * frames, frames),
        outside=Blocks(outside_share * frames, frames),
    )


def make_variants(
    rows: dict[str, tuple[float, float]] = TABLE_1,
    shares: tuple[float, ...] = SHARES,
    spread_mm: float = 0.0,
    of_all_deg: float | None = None,
    **changed: dict[str, object],
) -> list[Result]:
    """Three seeds of the four variants; `changed` by the name of the row, underscores for spaces."""
    results = []
    for seed in range(3):
        for (name, word), (joint_mm, angle_deg), share in zip(NAMES.items(), rows.values(), shares, strict=True):
            kept = {"paper": "deepmodel", "settings": SETTINGS, "angles": make_angles(angle_deg, share)}
            if word == "direct joint":
                kept |= {"angles_of_all": make_angles(of_all_deg or angle_deg + 1, share)}
            own = changed.get(word.replace(" ", "_"), {})
            spread = spread_mm if word == "full" else 0.0
            results.append(make_result(name, "nyu", level(joint_mm, spread), seed, **kept | own))
    return results


def test_table_1_as_printed_holds() -> None:
    verdict = decide(make_variants(), "DM1")
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(-0.3))
    assert (verdict.seeds, verdict.figure) == ((0, 1, 2), "deepmodel_table_1")
    assert verdict.measured == (
        "mm / degrees: direct joint 17.20 / 21.40 or 22.40, direct parameter 26.70 / 12.20, "
        "without physical loss 16.90 / 12.00, full 16.90 / 12.20"
    )
    rival = "direct joint fitted to the scored joints"
    assert f"angle error, full over {rival} (95 % interval 0.57 to 0.57) 0.5701" in verdict.reason


def test_the_lower_of_direct_joints_two_fits_is_the_rival() -> None:
    both = "direct joint's angles in degrees, fitted to the scored joints 21.40, to all its joints {}: the lower counts"
    verdict = decide(make_variants(of_all_deg=17.0), "DM1")
    assert verdict.status == "holds"
    assert "full over direct joint fitted to all its joints (95 % interval 0.718 to 0.718) 0.7176" in verdict.reason
    assert verdict.reason.endswith(both.format("17.00"))
    verdict = decide(make_variants(of_all_deg=16.0), "DM1")
    assert verdict.status == "fails"
    assert verdict.reason == (
        "size: angle error, full over direct joint fitted to all its joints (95 % interval 0.762 to 0.762) 0.7625 on "
        f"average of 3 seeds, at most 0.75 asked; {both.format('16.00')}"
    )
    verdict = decide(make_variants(direct_joint={"angles_of_all": None}), "DM1")
    assert verdict.status == "not-run"
    assert "expected angles fitted to all its joints with every seed, found 0 of 3" in verdict.reason


def test_a_turn_that_is_not_read_as_printed_is_told() -> None:
    six = {"settings": {**SETTINGS, "palm_numbers": 6}}
    told = "; full reads the palm's turn from 6 numbers"
    assert decide(make_variants(full=six), "DM1").reason.endswith(f"{told}, not of three as printed")
    three = [make_result(THREE_ANGLES, "nyu", level(19.0), seed, paper="deepmodel") for seed in range(3)]
    verdict = decide([*make_variants(full=six), *three], "DM1")
    assert (verdict.status, verdict.reason.endswith(f"{told}: by three, as printed, 19.00 mm")) == ("holds", True)
    assert "palm" not in decide([*make_variants(), *three], "DM1").reason


@pytest.mark.parametrize(
    ("row", "numbers", "said"),
    [
        ("full", (17.6, 12.2), "size: joint error, full less direct joint"),
        ("full", (16.9, 18.0), "size: angle error, full over direct joint"),
        ("direct parameter", (17.0, 12.2), "direction: joint error, direct parameter less direct joint"),
        ("without", (27.0, 12.0), "direction: joint error, direct parameter less without physical loss"),
    ],
)
def test_one_row_out_of_place(row: str, numbers: tuple[float, float], said: str) -> None:
    verdict = decide(make_variants(TABLE_1 | {row: numbers}), "DM1")
    assert verdict.status == "fails"
    assert said in verdict.reason
    assert verdict.reason.count(";") == 1, "only what is not met is named, and the rival's two fits"


def test_not_above_asks_for_the_whole_interval() -> None:
    verdict = decide(make_variants(spread_mm=3.0), "DM1")
    assert verdict.status == "fails"
    assert verdict.reason.startswith("inconclusive: joint error, full less direct joint")


def test_rivals_count_only_when_they_were_trained_to_the_end() -> None:
    early: dict[str, object] = {"converged": False}
    for word in ("direct_joint", "direct_parameter"):
        verdict = decide(make_variants(**{word: early}), "DM1")
        assert verdict.status == "not-run"
        assert verdict.reason.startswith(f"deepmodel_{word} on nyu was not trained until")
    shorter: dict[str, object] = {"settings": {"epochs": 29, "batch": 64}}
    assert decide(make_variants(direct_joint=shorter), "DM1").reason.startswith("the rival was trained by fewer")
    assert decide(make_variants(full=early), "DM1").status == "holds"


def test_missing_variants_and_angles_are_named() -> None:
    assert decide([], "DM1").reason == (
        "no claims-embedded results of deepmodel_direct_joint on nyu; of deepmodel_direct_parameter on nyu; "
        "of deepmodel_without_physical on nyu; of deepmodel on nyu"
    )
    verdict = decide(make_variants(direct_joint={"angles": None}), "DM1")
    assert verdict.status == "not-run"
    assert "expected angles measured against fitted poses with every seed, found 0 of 3" in verdict.reason
    other = make_angles(12.0, 0.1)
    fewer = dataclasses.replace(other, errors=Blocks(other.errors.sums, other.errors.counts - 1))
    assert "expected results on the same frames" in decide(make_variants(full={"angles": fewer}), "DM1").reason


def test_the_physical_loss_takes_angles_out_of_range_away() -> None:
    verdict = decide(make_variants(), "DM2")
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(-0.18))
    assert verdict.measured == "19.00% of frames without the physical loss, 1.00% with it"
    assert "60 frames of all seeds with the physical loss, 1,140 without: 19 times fewer, 10 asked" in verdict.reason
    verdict = decide(make_variants(shares=(0.1, 0.1, 0.08, 0.01)), "DM2")
    assert (verdict.status, verdict.reason[:40]) == ("fails", "size: 60 frames of all seeds with the ph")


def test_shares_by_narrower_bounds_are_told_without_a_say() -> None:
    def narrow(share: float, beyond: float) -> dict[str, object]:
        angles = make_angles(12.0, share)
        frames = angles.outside.counts
        return {"angles": dataclasses.replace(angles, beyond=Blocks(beyond * frames, frames))}

    verdict = decide(make_variants(full=narrow(0.01, 0.3), without_physical_loss=narrow(0.19, 0.4)), "DM2")
    assert (verdict.status, verdict.value) == ("holds", pytest.approx(-0.18))
    told = "; by the 0.5 and 99.5 percentiles of the training's angles 40.00% without, 30.00% with it"
    assert verdict.reason.endswith(told)
    assert "percentiles" not in decide(make_variants(full=narrow(0.01, 0.3)), "DM2").reason


def test_no_impossible_frame_is_told_for_what_it_is() -> None:
    """None left is not infinitely many times fewer: it counts as one frame."""
    assert judge_fewer(0, 12).holds
    assert judge_fewer(0, 12).reason.endswith("12 times fewer at least, none counted as one, 10 asked")
    assert judge_fewer(0, 9).reason.startswith("inconclusive: 0 frames of all seeds")
    assert judge_fewer(0, 0).reason.endswith("there is nothing to do away with")
    assert judge_fewer(1, 10).holds
    assert judge_fewer(2, 19).reason.startswith("size:")
    verdict = decide(make_variants(shares=(0.0, 0.0, 0.0, 0.0)), "DM2")
    assert verdict.status == "fails"
    assert "nothing to do away with" in verdict.reason


def test_the_network_without_the_loss_is_a_rival() -> None:
    verdict = decide(make_variants(without_physical_loss={"converged": False}), "DM2")
    assert verdict.reason.startswith("deepmodel_without_physical on nyu was not trained until")


def test_the_interval_of_a_ratio() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.gamma(5, 2, (3, 40))
    same = bootstrap_ratio(BlockRatio(0.5 * theirs, theirs))
    assert (same.mean, same.low, same.high) == pytest.approx((0.5, 0.5, 0.5))
    noisy = bootstrap_ratio(BlockRatio(0.5 * theirs + rng.normal(0, 1, (3, 40)), theirs))
    assert noisy.low < noisy.mean < noisy.high
    assert np.isnan(bootstrap_ratio(BlockRatio(theirs[:, :4], theirs[:, :4])).low)


def make_fits(real_mm: float = 5.68, synthetic_mm: float = 2.0) -> list[Fit]:
    def left(mean_mm: float) -> dict[str, Left]:
        numbers = Left(mean_mm, 1.94, {"a.png": 3 * mean_mm}, 8252, 60.0)
        return {"pso": numbers, "lbfgs": dataclasses.replace(numbers, mean_mm=mean_mm - 0.5)}

    return [Fit("nyu", "published", left(real_mm)), Fit("nyu", "test", left(synthetic_mm))]


def judge_fits(fits: list[Fit] | None, source: str = "embedded") -> Verdict:
    verdicts = decide_claims([], None, scale="demo", source=source, fits=fits)
    return next(one for one in verdicts if one.claim.id == "DM3")


def test_both_optimisers_explain_both_kinds_of_labels() -> None:
    verdict = judge_fits(make_fits())
    assert (verdict.status, verdict.value, verdict.figure) == ("holds", 5.68, "deepmodel_fits")
    assert verdict.measured.startswith("the real geometry, PSO: 5.68 mm, variance 1.94; the real geometry, L-BFGS")
    verdict = judge_fits(make_fits(real_mm=6.2))
    assert (verdict.status, verdict.value) == ("fails", 6.2)
    assert verdict.reason == ("size: the real geometry, PSO: 6.2 mm on average of 8,252 frames, under 6 asked")
    assert judge_fits(make_fits(synthetic_mm=6.0)).status == "fails", "under 6 is not 6"


def test_fits_that_are_missing_are_named() -> None:
    assert judge_fits([]).reason == (
        "no demo-embedded fit of nyu's published labels by PSO and L-BFGS; "
        "no demo-embedded fit of nyu's test labels by PSO and L-BFGS"
    )
    half = make_fits()
    half[0] = dataclasses.replace(half[0], left={"lbfgs": half[0].left["lbfgs"]})
    assert judge_fits(half).reason == "no demo-embedded fit of nyu's published labels by PSO"
    assert judge_fits(None).reason == "fits are files in the run's folder, which the tracking store does not hold"
    assert judge_fits(make_fits(), "real").status == "not-run"


def write_fit(run: Path, split: str, dataset: str = "nyu", **card: Any) -> Path:
    path = run / "fit" / dataset / split / "fit.json"
    path.parent.mkdir(parents=True)
    left = {"mean_mm": 5.0, "variance_mm2": 2.0, "worst_mm": {"b.png": 20.0}, "frames": 3, "seconds": 1.5}
    path.write_text(json.dumps(seal({"lbfgs": left, "pso": left | {"mean_mm": 5.5, "rounds": 7}} | card)))
    return path


def test_fits_are_read_from_a_run(tmp_path: Path) -> None:
    assert read_fits(tmp_path) == ()
    write_fit(tmp_path, "test", truth={"mean_angle_error_deg": 3.0})
    path = write_fit(tmp_path, "published", pso=None)
    published, test = read_fits(tmp_path)
    assert (published.split, published.published, list(published.left)) == ("published", True, ["lbfgs"])
    assert test.left["pso"] == Left(5.5, 2.0, {"b.png": 20.0}, 3, 1.5)
    assert test.at_wall is None
    write_fit(tmp_path, "train", limits_rad=(ANGLE_LIMITS_RAD + np.eye(20, 2)).tolist())
    assert read_fits(tmp_path)[2].at_wall == 38
    (tmp_path / "fit" / "nyu" / "train" / "fit.json").unlink()
    assert test.truth == {"mean_angle_error_deg": 3.0}
    assert select_fits((published, test), {"use": ["icvl"]}) == (published,)
    path.write_text(path.read_text().replace("5.0", "4.0"))
    with pytest.raises(BadInput, match=r"found a changed one .* fit again"):
        read_fits(tmp_path)
    path.write_text(json.dumps(seal({"lbfgs": {"mean_mm": 5.0}})))
    with pytest.raises(BadInput, match="a damaged or older one"):
        read_fits(tmp_path)


@pytest.mark.parametrize("used", [("nyu", "icvl"), ("icvl",)])
def test_a_hand_is_told_by_the_labels_that_it_was_fitted_to(used: tuple[str, ...], tmp_path: Path) -> None:
    """ICVL's test labels take the hand of its training's, and these that of NYU's where NYU is used."""
    limits_rad, before = ANGLE_LIMITS_RAD.tolist(), {"hand_from": "400 frames of these labels", "hand_of": used[0]}
    for dataset in used:
        path = write_fit(tmp_path, "train", dataset, limits_rad=limits_rad, **before)
        before = {"hand_from": json.loads(path.read_text())["sha256"], "hand_of": dataset}
    write_fit(tmp_path, "test", "icvl", **before)
    told = {(one.dataset, one.split): one.hand_of for one in read_fits(tmp_path)}
    assert told[("icvl", "train")] == told[("icvl", "test")] == used[0]


def time_deepmodel(single_ms: float) -> Verdict:
    numbers = {"milliseconds": {"1": {"network": single_ms}, "64": {"network": 0.5}}, "threads": 2, "device": "CPU"}
    return decide(
        [], "DM5", probes=[make_probe("deepmodel", numbers | {"precision": "float32"}, seed=k) for k in (0, 1)]
    )


def test_the_speed_of_single_frames_is_held_against_print() -> None:
    verdict = time_deepmodel(4.0)
    assert (verdict.status, verdict.value, verdict.seeds) == ("holds", 250.0, (0, 1))
    assert verdict.reason == (
        "250 frames/s one by one on CPU, 2 threads, float32, 125 printed; 2000 frames/s in batches of 64"
    )
    assert time_deepmodel(10.0).reason.startswith("size: 100 frames/s one by one")
    assert decide([], "DM5").reason == "no claims-embedded probes of deepmodel on nyu"
    assert "no milliseconds" in decide([], "DM5", probes=[make_probe("deepmodel", {})]).reason
