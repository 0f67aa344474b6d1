"""Errors beside the raw one, by hand: a bias taken out, a pose put on another hand, other positions."""

import json
from pathlib import Path

import numpy as np
import pytest

from handbench.errors import BadInput
from handbench.evaluation.skeleton_score import (
    parse_skeleton,
    place_hand,
    re_express,
    remove_smallest,
    score_skeleton,
)
from handbench.geometry.rotation import quaternion_to_rotation, rotation_to_quaternion
from handbench.hand.keypoints import keypoint_positions, scored_keypoints
from handbench.hand.kinematics import forward_kinematics, place_turned_bones
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, sample_shape, vary_shape
from handbench.sealed import seal
from handbench.training.probe_file import FORMAT, VERSION

WHERE = Path("predictions.npz")
CARD = {"module": "refine", "dataset": "nyu", "seed": 0}


def make_poses(frames: int = 20) -> np.ndarray:
    rng = np.random.default_rng(3)
    pose = np.zeros((frames, 26))
    pose[:, :3] = rng.normal(0, 50, (frames, 3)) + [0, 0, 700]
    pose[:, 3:6] = rng.normal(0, 0.5, (frames, 3))
    pose[:, 6:] = rng.uniform(*ANGLE_LIMITS_RAD.T, (frames, 20))
    return pose


def predict(poses: np.ndarray, shape=REFERENCE_SHAPE) -> tuple[np.ndarray, np.ndarray]:
    quaternions = rotation_to_quaternion(forward_kinematics(poses, shape)[0])
    return keypoint_positions(scored_keypoints("nyu"), shape, poses), quaternions


def test_turned_bones_begin_where_kinematics_puts_them() -> None:
    poses = make_poses()
    for shape in (REFERENCE_SHAPE, sample_shape(np.random.default_rng(8))):
        rotations, origins = forward_kinematics(poses, shape)
        found = place_turned_bones(rotations, shape)
        np.testing.assert_allclose(found + poses[:, None, :3], origins, atol=1e-9)
        assert (found[:, 0] == 0).all()


def test_a_pose_put_on_its_own_hand_is_itself_and_on_the_targets_the_truth() -> None:
    poses, keypoints = make_poses(), scored_keypoints("nyu")
    target = vary_shape(REFERENCE_SHAPE, size=0.8, girth=1.1)
    predicted_mm, quaternions = predict(poses)
    everything = np.arange(len(poses))
    same = re_express(WHERE, predicted_mm, quaternions, keypoints, REFERENCE_SHAPE, [(REFERENCE_SHAPE, everything)])
    np.testing.assert_allclose(same, predicted_mm, atol=1e-6)
    # The network's hand in the target's true rotations, from the target's wrist: put on its own hand, no error is left.
    true_mm, _ = predict(poses, target)
    moved = re_express(WHERE, predicted_mm, quaternions, keypoints, REFERENCE_SHAPE, [(target, everything)])
    np.testing.assert_allclose(moved, true_mm, atol=1e-6)
    assert np.linalg.norm(predicted_mm - true_mm, axis=2).mean() > 10
    # Quaternions of any length and sign are the same rotations.
    scaled = re_express(WHERE, predicted_mm, -3 * quaternions, keypoints, REFERENCE_SHAPE, [(target, everything)])
    np.testing.assert_allclose(scaled, true_mm, atol=1e-6)


def test_each_frame_goes_on_the_hand_that_it_shows() -> None:
    poses, keypoints = make_poses(), scored_keypoints("nyu")
    hands = [vary_shape(REFERENCE_SHAPE, size=size) for size in (0.8, 1.1)]
    frames = [np.arange(0, 20, 2), np.arange(1, 20, 2)]
    predicted_mm, quaternions = predict(poses)
    found = re_express(
        WHERE, predicted_mm, quaternions, keypoints, REFERENCE_SHAPE, list(zip(hands, frames, strict=True))
    )
    for hand, mine in zip(hands, frames, strict=True):
        np.testing.assert_allclose(found[mine], predict(poses[mine], hand)[0], atol=1e-6)


def test_joints_of_another_hand_than_the_cards_are_refused() -> None:
    poses = make_poses()
    predicted_mm, quaternions = predict(poses, vary_shape(REFERENCE_SHAPE, size=0.9))
    with pytest.raises(BadInput, match="joints of the hand that its card names"):
        place_hand(WHERE, predicted_mm, quaternions, scored_keypoints("nyu"), REFERENCE_SHAPE)


def write_probe(path: Path, smallest_mm: list[float | None], **changed: object) -> Path:
    content = {"format": FORMAT, "version": VERSION, **CARD, **changed, "numbers": {"smallest_mm": smallest_mm}}
    path.write_text(json.dumps(seal(content)))
    return path


def test_the_bias_is_that_of_each_joint_and_leaves_no_error_below_zero(tmp_path: Path) -> None:
    errors = np.array([[10.0, 4.0, 7.0], [5.0, 9.0, np.nan]])
    probe = write_probe(tmp_path / "probe.json", [3.0, 5.0, None])
    np.testing.assert_array_equal(remove_smallest(errors, probe, CARD), [[7.0, 0.0, 7.0], [2.0, 4.0, np.nan]])
    with pytest.raises(BadInput, match="smallest_mm of 2 joints"):
        remove_smallest(errors[:, :2], probe, CARD)
    other = write_probe(tmp_path / "other.json", [3.0, 5.0, 1.0], seed=1)
    with pytest.raises(BadInput, match="a probe of seed 0"):
        remove_smallest(errors, other, CARD)


def test_errors_survive_their_file() -> None:
    rng = np.random.default_rng(0)
    errors = {"removed": rng.gamma(2, 5, (300, 14)), "re_expressed": rng.gamma(2, 6, (300, 14))}
    sequences, rows = ("a",) * 400, np.arange(50, 350)
    score = score_skeleton(errors, sequences, rows)
    back = parse_skeleton(json.loads(json.dumps(score.result.as_dict())))
    assert back is not None
    for name, values in errors.items():
        assert back.errors[name].mean == pytest.approx(values.mean(), abs=1e-5)
        np.testing.assert_allclose(back.errors[name].sums, score.result.errors[name].sums, atol=1e-5)
        assert back.curves[name][20] == pytest.approx((values.max(axis=1) <= 20).mean(), abs=1e-6)
    assert parse_skeleton(None) is None
    assert parse_skeleton({}) is None


def test_rotations_are_those_of_the_quaternions() -> None:
    poses = make_poses(3)
    predicted_mm, quaternions = predict(poses)
    rotations, origins = place_hand(WHERE, predicted_mm, quaternions, scored_keypoints("nyu"), REFERENCE_SHAPE)
    np.testing.assert_allclose(rotations, quaternion_to_rotation(quaternions), atol=1e-9)
    np.testing.assert_allclose(origins[:, 0], poses[:, :3], atol=1e-6)
