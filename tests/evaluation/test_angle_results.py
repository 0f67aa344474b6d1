"""Predicted angles through `handbench evaluate`: against fitted poses, frame by frame, kept, read back, tracked."""

import json
from pathlib import Path

import numpy as np
import pytest

from handbench.cli import main
from handbench.datasets.crops import build_crops
from handbench.datasets.store import CropStore, open_store
from handbench.errors import BadInput
from handbench.evaluation.angle_score import ANGLES, score_angles
from handbench.evaluation.blocks import compare_blocks, make_blocks, parse_blocks, pool_blocks
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.results import parse_result
from handbench.evaluation.tracked import evaluation_to_rows
from handbench.fitting.pose_file import CARD, FittedPoses, save_poses
from handbench.hand.keypoints import Hand, keypoint_positions, scored_keypoints
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, SHAPE_FIELDS
from handbench.sealed import seal
from handbench.training.prediction_file import read_pose, save_predictions
from tests.datasets.crop_fixtures import make_listing

FRAMES = 300
FLEXION = 6
"""Of a pose: the first angle of the thumb."""
OFF_DEG = np.zeros(26)
OFF_DEG[3:] = np.linspace(1, 12, 23)


def make_truth() -> np.ndarray:
    rng = np.random.default_rng(3)
    fingers = ANGLE_LIMITS_RAD.mean(axis=1) + rng.uniform(-0.02, 0.02, (FRAMES, 20))
    turns = rng.uniform(-1, 1, (FRAMES, 3))
    wrist_mm = rng.normal(0, 30, (FRAMES, 3)) + np.array([0, 0, 400])
    return np.concatenate([wrist_mm, turns, fingers], axis=1).astype(np.float32)


def make_prediction(
    run: Path, store: CropStore, pose: np.ndarray | None, of_all: np.ndarray | None = None, **changed: object
) -> Path:
    card = {"kind": "deepmodel.hand", "module": "deepmodel", "paper": "deepmodel", "settings": {}, "seed": 0}
    card |= {"dataset": "icvl", "split": "test", "folds": [], "centre": "joint", "frames": FRAMES, "converged": True}
    card |= {"protocol": store.card["protocol"], "store": store.path.as_posix(), "checkpoints": []}
    hand = {name: getattr(REFERENCE_SHAPE, name).tolist() for name in SHAPE_FIELDS}
    card |= {"gives_angles": True, "hand": hand, "limits_rad": ANGLE_LIMITS_RAD.tolist()} | changed
    out = run / "predict" / "icvl" / "deepmodel" / "seed0"
    # Backwards: what is evaluated is in the order of the list.
    rows, names = np.asarray(store.row)[::-1], store.names[::-1]
    backwards, of_all_backwards = (None if one is None else one[::-1].copy() for one in (pose, of_all))
    joints_mm = np.array(store.joints_mm)[::-1].copy()
    save_predictions(out, joints_mm, names, rows, card, pose=backwards, pose_of_all=of_all_backwards)
    return out / "predictions.npz"


def make_poses(
    run: Path,
    pose: np.ndarray,
    row: np.ndarray,
    dataset: str = "icvl",
    split: str = "test",
    inner: np.ndarray | None = None,
) -> Path:
    hand = Hand(REFERENCE_SHAPE, scored_keypoints(dataset))
    left_mm = np.zeros(len(row), np.float32)
    save_poses(
        run / "fit" / dataset / split,
        FittedPoses(hand, ANGLE_LIMITS_RAD, pose, row, np.ones_like(left_mm), left_mm, {}, inner),
        {"dataset": dataset, "split": split, "source": "real"},
    )
    return run / "fit" / dataset / split


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "results" / "smoke-embedded"


@pytest.fixture
def store(run: Path) -> CropStore:
    path = run / "crop" / "icvl" / "joint" / "test"
    joints_mm = keypoint_positions(scored_keypoints("icvl"), REFERENCE_SHAPE, make_truth()).astype(np.float32)
    build_crops(make_listing(FRAMES, joints_mm=joints_mm), centre="joint", size_px=16, out=path)
    return open_store(path)


def test_the_command_measures_angles_and_keeps_them(run: Path, store: CropStore) -> None:
    truth = make_truth()
    pose = (truth + np.radians(OFF_DEG)).astype(np.float32)
    # Half a turn too far: no smaller error than 180 degrees, and out of range.
    pose[7, FLEXION] = truth[7, FLEXION] + np.pi
    # The last ten frames have no fitted pose.
    poses = make_poses(run, truth[:-10], np.asarray(store.row)[:-10].astype(np.int64))
    prediction = make_prediction(run, store, pose)
    out = run / "evaluate" / "icvl" / "deepmodel" / "seed0"
    words = ["evaluate", str(prediction), "icvl", "DeepModel", "--poses", str(poses), "--out", str(out), "--json"]
    assert main(words) == 0
    saved = json.loads((out / "evaluation.json").read_text())
    assert "10 frames have no fitted pose: their angles are left out" in saved["notes"]
    assert "of frames out of range" in (out / "table.txt").read_text()
    angles = parse_result(saved, out).angles
    assert angles is not None
    known = FRAMES - 10
    by_hand = dict(zip(ANGLES, OFF_DEG[3:], strict=True))
    by_hand[ANGLES[FLEXION - 3]] += (180 - by_hand[ANGLES[FLEXION - 3]]) / known
    assert angles.error_deg == pytest.approx(by_hand, abs=1e-3)
    assert angles.errors.mean == pytest.approx(np.mean(list(by_hand.values())), abs=1e-3)
    assert (angles.errors.count, angles.rotation.count, angles.outside.count) == (23 * known, known, FRAMES)
    assert (angles.outside.total, angles.outside.mean) == (1, 1 / FRAMES)
    with np.load(out / "errors.npz", allow_pickle=False) as arrays:
        assert arrays["angle_errors_deg"].shape == (FRAMES, 23)
        assert np.isnan(arrays["angle_errors_deg"][-10:]).all()
        assert arrays["angle_errors_deg"][7, FLEXION - 3] == pytest.approx(180, abs=1e-3)
        assert np.flatnonzero(arrays["out_of_range"]).tolist() == [7]
        mean = arrays["rotation_errors_deg"][:-10].mean(dtype=float)
    assert angles.rotation.mean == pytest.approx(mean, abs=1e-4)
    metrics = {key: value for key, value, _ in evaluation_to_rows(saved)[2]}
    assert metrics["out_of_range"] == pytest.approx(1 / FRAMES, abs=1e-6)


def test_a_second_fit_is_measured_beside_the_first_and_narrower_bounds_beside_the_widest(
    run: Path, store: CropStore
) -> None:
    truth = make_truth()
    of_all, inner = truth.copy(), ANGLE_LIMITS_RAD.mean(axis=1)[:, None] + np.array([-0.05, 0.05])
    of_all[:, 10] += np.radians(4.6)
    truth[:30, 9] += 0.1
    poses = make_poses(run, truth, np.asarray(store.row).astype(np.int64), inner=inner)
    prediction = make_prediction(run, store, (truth + np.radians(OFF_DEG)).astype(np.float32), of_all)
    out = run / "evaluate" / "icvl" / "deepmodel" / "seed0"
    assert main(["evaluate", str(prediction), "icvl", "Direct joint", "--poses", str(poses), "--out", str(out)]) == 0
    saved = json.loads((out / "evaluation.json").read_text())
    result = parse_result(saved, out)
    assert result.angles is not None
    assert result.angles_of_all is not None
    assert result.angles.errors.mean == pytest.approx(OFF_DEG[3:].mean(), abs=1e-3)
    # Every angle is off by nothing but one by 4.6 degrees, and one by 0.1 radians in a tenth of the frames.
    assert result.angles_of_all.errors.mean == pytest.approx((4.6 + np.degrees(0.1) / 10) / 23, abs=1e-3)
    assert result.angles_of_all.outside.total == 0
    for angles, share in ((result.angles, 1.0), (result.angles_of_all, 1.0)):
        assert angles.beyond is not None
        assert angles.true_beyond is not None
        assert (angles.beyond.mean, angles.true_beyond.mean) == pytest.approx((share, 0.1))
    with np.load(out / "errors.npz", allow_pickle=False) as arrays:
        assert arrays["angle_errors_deg_of_all"].mean(dtype=float) == pytest.approx(
            result.angles_of_all.errors.mean, abs=1e-4
        )
    assert "fitted to all joints: 0.2" in (out / "table.txt").read_text()
    metrics = {key: value for key, value, _ in evaluation_to_rows(saved)[2]}
    assert metrics["mean_error_deg_of_all"] == pytest.approx(result.angles_of_all.errors.mean, abs=1e-5)
    assert metrics["beyond_percentiles"] == 1.0
    with pytest.raises(BadInput, match="expected finite poses, as its card says, found NaN"):
        evaluate(make_prediction(run, store, truth, truth * np.nan), "icvl", "mine", poses=poses)


def test_without_fitted_poses_or_angles_it_is_as_before(run: Path, store: CropStore) -> None:
    truth = make_truth()
    prediction = make_prediction(run, store, truth)
    assert np.array_equal(read_pose(prediction), truth[::-1])
    result = evaluate(prediction, "icvl", "mine")
    assert result.angles is None
    assert any("--poses" in note for note in result.notes)
    poses = make_poses(run, truth, np.asarray(store.row).astype(np.int64))
    plain = make_prediction(run, store, None, gives_angles=False)
    assert read_pose(plain) is None
    assert evaluate(plain, "icvl", "mine").run["angles"] is None
    with pytest.raises(BadInput, match="expected predictions of angles with --poses"):
        evaluate(plain, "icvl", "mine", poses=poses)


def test_what_does_not_fit_together_is_refused(run: Path, store: CropStore) -> None:
    truth, rows = make_truth(), np.asarray(store.row).astype(np.int64)
    prediction = make_prediction(run, store, truth)
    with pytest.raises(BadInput, match=r"expected frames of .* found others"):
        evaluate(prediction, "icvl", "mine", poses=make_poses(run, truth, rows + 10_000))
    with pytest.raises(BadInput, match="expected poses of real icvl test, found real nyu test"):
        evaluate(prediction, "icvl", "mine", poses=make_poses(run, truth, rows, "nyu"))
    with pytest.raises(BadInput, match="expected poses of real icvl test, found real icvl train"):
        evaluate(prediction, "icvl", "mine", poses=make_poses(run, truth, rows, split="train"))
    # Frames of the same numbers, of another recording: one is enough.
    others = truth.copy()
    others[250, 0] += 20
    with pytest.raises(BadInput, match=r"expected poses of the frames of .*/test, found those of others: .* 20 mm"):
        evaluate(prediction, "icvl", "mine", poses=make_poses(run, others, rows))
    poses = make_poses(run, truth, rows)
    truth[3, 8] = np.nan
    with pytest.raises(BadInput, match="expected finite poses, as its card says, found NaN"):
        evaluate(make_prediction(run, store, truth), "icvl", "mine", poses=poses)
    with pytest.raises(BadInput, match="found no pose"):
        evaluate(make_prediction(run, store, None), "icvl", "mine", poses=poses)


@pytest.mark.parametrize("part", ["lengths_mm", "limits_rad"])
def test_poses_of_another_hand_or_within_other_bounds_are_refused(run: Path, store: CropStore, part: str) -> None:
    """As `handbench fit` without --hand leaves them of test labels: a hand and bounds of their own."""
    truth = make_truth()
    poses = make_poses(run, truth, np.asarray(store.row).astype(np.int64))
    card = json.loads((poses / CARD).read_text())
    (card["hand"] if part == "lengths_mm" else card)[part][2][1] += 1e-3
    del card["sha256"]
    (poses / CARD).write_text(json.dumps(seal(card)))
    said = f"the hand and the bounds of the training, found other {part} than .*; fit with `handbench fit --hand` and"
    with pytest.raises(BadInput, match=said):
        evaluate(make_prediction(run, store, truth), "icvl", "mine", poses=poses)


def test_blocks_are_enough_for_intervals_and_pairs() -> None:
    sequences, rows = ("a",) * 150 + ("b",) * 150, np.arange(300)
    rng = np.random.default_rng(2)
    seeds = [rng.gamma(2, 3, (300, 4)) for _ in range(3)]
    blocks = [make_blocks(values, sequences, rows) for values in seeds]
    assert pool_blocks(blocks).mean == pytest.approx(np.mean(seeds))
    less = compare_blocks(blocks, [make_blocks(values + 2, sequences, rows) for values in seeds])
    assert less.difference.mean == pytest.approx(-2)
    assert less.decided
    assert parse_blocks(json.loads(json.dumps(blocks[0].as_dict()))).mean == pytest.approx(blocks[0].mean)
    with pytest.raises(BadInput, match="expected results on the same frames"):
        compare_blocks(blocks, [make_blocks(values[:200], sequences, rows[:200]) for values in seeds])


def test_a_perfect_pose_has_no_error() -> None:
    pose = make_truth()
    score = score_angles(pose, pose, ANGLE_LIMITS_RAD, ("a",) * FRAMES, np.arange(FRAMES))
    assert score.unknown == 0
    assert score.errors_deg.max() == score.rotation_deg.max() == score.outside.max() == 0
    assert len(ANGLES) == 23
