"""Fitted poses on disk: what comes back, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handbench.errors import BadInput
from handbench.fitting.pose_file import CARD, FILE, FittedPoses, load_poses, save_poses
from handbench.hand.keypoints import Hand, scored_keypoints
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, vary_shape
from handbench.sealed import seal

ROWS = np.array([4, 0, 9])


@pytest.fixture
def poses() -> FittedPoses:
    random = np.random.default_rng(0)
    return FittedPoses(
        Hand(vary_shape(REFERENCE_SHAPE, size=0.9), scored_keypoints("nyu")),
        ANGLE_LIMITS_RAD,
        random.normal(size=(3, 26)).astype(np.float32),
        ROWS,
        random.random(3).astype(np.float32),
        random.random(3).astype(np.float32),
        {},
    )


def test_what_was_saved_comes_back(poses: FittedPoses, tmp_path: Path) -> None:
    save_poses(tmp_path, poses, {"dataset": "nyu", "split": "train"})
    back = load_poses(tmp_path)
    assert np.array_equal(back.pose, poses.pose)
    assert np.array_equal(back.row, ROWS)
    assert np.array_equal(back.hand_scale, poses.hand_scale)
    assert np.array_equal(back.left_mm, poses.left_mm)
    assert np.array_equal(back.limits_rad, ANGLE_LIMITS_RAD)
    assert np.allclose(back.hand.keypoints.local_mm(back.hand.shape), poses.hand.keypoints.local_mm(poses.hand.shape))
    assert back.card["split"] == "train"
    assert back.inner_limits_rad is None
    inner = ANGLE_LIMITS_RAD * 0.9
    save_poses(tmp_path, replace(poses, inner_limits_rad=inner), {"dataset": "nyu", "split": "train"})
    assert np.array_equal(load_poses(tmp_path).inner_limits_rad, inner)
    card = json.loads((tmp_path / CARD).read_text())
    del card["sha256"]
    (tmp_path / CARD).write_text(json.dumps(seal(card | {"inner_limits_rad": inner[:9].tolist()})))
    with pytest.raises(BadInput, match=r"with inner_limits_rad of shape \(20, 2\)"):
        load_poses(tmp_path)


def test_poses_are_found_by_their_place_in_the_list(poses: FittedPoses) -> None:
    found = poses.find(np.array([9, 7, 4]))
    assert np.array_equal(found[[0, 2]], poses.pose[[2, 0]])
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lambda place: (place / CARD).unlink(), "no file"),
        (lambda place: (place / CARD).write_text("{"), "no JSON"),
        (lambda place: (place / CARD).write_text("{}"), "found None version None"),
        (lambda place: change_card(place), "a changed one"),
        (lambda place: (place / FILE).write_bytes(b"PK"), "a file that its card does not describe"),
    ],
)
def test_damage_is_one_line(poses: FittedPoses, tmp_path: Path, harm, found: str) -> None:
    save_poses(tmp_path, poses, {"dataset": "nyu", "split": "train"})
    harm(tmp_path)
    with pytest.raises(BadInput, match=found):
        load_poses(tmp_path)


def change_card(place: Path) -> None:
    card = json.loads((place / CARD).read_text())
    card["split"] = "test"
    (place / CARD).write_text(json.dumps(card))
