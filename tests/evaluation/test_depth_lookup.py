"""Pixels lifted by the depth image, by hand: surface, background, hole, outside; and the .mat that holds them."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from handbench.conventions import NYU, NYU_SCORED
from handbench.datasets.listing import Listing
from handbench.errors import BadInput
from handbench.evaluation.depth_lookup import lift_frame, lift_predictions, read_pixel_predictions


def test_five_joints_by_hand() -> None:
    """On the hand; on the background; in a hole; beside the image; rounded to the next pixel."""
    depth = np.full((480, 640), 1400.0, np.float32)
    depth[100, 200], depth[101, 201], depth[50, 60] = 700.0, 640.0, 0.0
    uv = np.array([[200.0, 100.0], [300.0, 300.0], [60.0, 50.0], [-3.0, 10.0], [200.5, 100.6]])
    labels = np.array([710.0, 720.0, 730.0, 740.0, 750.0])
    uvd, from_labels = lift_frame(uv, depth, labels, centre_depth_mm=700.0, cube_mm=300.0)
    np.testing.assert_array_equal(uvd[:, :2], uv)
    np.testing.assert_array_equal(uvd[:, 2], [700.0, 720.0, 730.0, 740.0, 640.0])
    assert from_labels.tolist() == [False, True, True, True, False]


def test_the_cube_ends_at_half_its_edge() -> None:
    depth = np.array([[850.0, 850.5]], np.float32)
    uvd, _ = lift_frame(
        np.array([[0.0, 0.0], [1.0, 0.0]]), depth, np.array([1.0, 2.0]), centre_depth_mm=700.0, cube_mm=300.0
    )
    assert uvd[:, 2].tolist() == [850.0, 2.0]


def _listing(joints_mm: np.ndarray) -> Listing:
    frames = len(joints_mm)
    return Listing(
        convention=NYU,
        split="test",
        root=Path("raw"),
        names=tuple(f"{row}.png" for row in range(frames)),
        subjects=("test_1", "test_2")[:frames],
        sequences=("test_1", "test_2")[:frames],
        joints_mm=joints_mm,
        read_depth=lambda path: np.full((480, 640), 560.0 if path.stem == "0" else 565.0, np.float32),
    )


def test_each_person_has_a_cube() -> None:
    """140 mm in front of the centre is inside the first person's 300 mm and outside the second one's 250 mm."""
    joints_mm = np.full((2, 36, 3), 700.0, np.float32)
    lifted = lift_predictions(np.full((2, 14, 2), 50.0), _listing(joints_mm))
    assert (lifted.uvd[0, :, 2] == 560.0).all()
    assert (lifted.uvd[1, :, 2] == 700.0).all()
    assert lifted.from_labels.sum() == 14


def test_another_number_of_frames_is_named() -> None:
    with pytest.raises(BadInput, match="expected 3 frames, one a row, found 2"):
        lift_predictions(np.zeros((3, 14, 2)), _listing(np.zeros((2, 36, 3), np.float32)))


def test_the_scored_joints_are_read(tmp_path: Path) -> None:
    array = np.random.default_rng(0).uniform(0, 400, (1, 5, 36, 3))
    scipy.io.savemat(tmp_path / "test_predictions.mat", {"pred_joint_uvconf": array, "conv_joint_names": ["a"]})
    got = read_pixel_predictions(tmp_path / "test_predictions.mat")
    np.testing.assert_array_equal(got, array[0][:, list(NYU_SCORED), :2])


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"other": np.zeros(3)}, "found no such field"),
        ({"pred_joint_uvconf": np.zeros((5, 36, 3))}, "found 5x36x3"),
        ({"pred_joint_uvconf": np.full((1, 2, 36, 3), np.nan)}, "not finite"),
        ({"pred_joint_uvconf": "words"}, "char"),
    ],
)
def test_another_mat_is_one_clear_line(fields: dict, found: str, tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "p.mat", fields)
    with pytest.raises(BadInput, match=found):
        read_pixel_predictions(tmp_path / "p.mat")


def test_no_mat_at_all(tmp_path: Path) -> None:
    (tmp_path / "p.mat").write_bytes(b"MATLAB, but not really" * 20)
    with pytest.raises(BadInput, match="no such header"):
        read_pixel_predictions(tmp_path / "p.mat")
    with pytest.raises(BadInput, match="no such file"):
        read_pixel_predictions(tmp_path / "q.mat")
