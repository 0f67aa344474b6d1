import io
import zipfile

import numpy as np
import pytest

from handbench.conventions import NYU_LABEL_CAMERA, RECORDED
from handbench.datasets.array_file import read_arrays, write_arrays
from handbench.datasets.importers import list_frames
from handbench.datasets.takes import drawing_camera, object_truth
from handbench.datasets.truth import read_forearms, read_truth, unpack_forearm
from handbench.errors import BadInput
from handbench.geometry.box import Box, box_corners
from handbench.geometry.rotation import quaternion_to_rotation
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import REFERENCE_SHAPE, HandShape

SPLITS = [(dataset, split) for dataset, convention in RECORDED.items() for split in convention.splits]


def shape_of(truth, row: int) -> HandShape:
    take = truth.take[row]
    arrays = (truth.bases_mm[take], truth.lengths_mm[take], truth.girths[take], truth.palm_stretch[take])
    bases, lengths, girths, palm = (array.astype(np.float64) for array in arrays)
    return HandShape(bases, lengths, REFERENCE_SHAPE.rest_rotations, girths, palm)


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_rows_are_those_of_the_importer(embedded_sets, dataset, split):
    """The joints of row i follow from pose and shape of row i, mirrored where the set is of left hands."""
    out = embedded_sets[dataset].out
    listing, truth = list_frames(dataset, out / "raw", split), read_truth(out / "truth.npz", split)
    assert len(truth.poses) == len(listing)
    assert truth.mirrored == (dataset == "dexter")
    for row in range(len(listing)):
        joints = keypoint_positions(KEYPOINTS[dataset], shape_of(truth, row), truth.poses[row].astype(np.float64))
        if truth.mirrored:
            joints[:, 0] *= -1
        found = listing.joints_mm[row, : len(joints)]
        seen = np.isfinite(found).all(axis=1)
        assert np.abs(found - joints)[seen].max(initial=0.0) < 0.01


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_quaternions_are_the_rotations_of_the_bones(embedded_sets, dataset, split):
    truth = read_truth(embedded_sets[dataset].out / "truth.npz", split)
    assert truth.quaternions.shape == (len(truth.poses), 16, 4)
    assert (truth.quaternions[..., 0] >= 0).all()
    rotations, _ = forward_kinematics(truth.poses[0].astype(np.float64), shape_of(truth, 0))
    assert quaternion_to_rotation(truth.quaternions[0].astype(np.float64)) == pytest.approx(rotations, abs=1e-5)


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_visibility_has_a_row_a_frame_and_a_column_a_joint(embedded_sets, dataset, split):
    truth = read_truth(embedded_sets[dataset].out / "truth.npz", split)
    assert truth.visible.shape == (len(truth.poses), len(RECORDED[dataset].joints.names))
    assert 0.2 < truth.visible.mean() < 1.0


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_forearm_masks_are_images_and_show_no_hand(embedded_sets, dataset, split):
    """The fingertips that are seen lie on the hand's own pixels, never on the forearm's."""
    out = embedded_sets[dataset].out
    truth, forearms = read_truth(out / "truth.npz", split), read_forearms(out / "truth.npz", split)
    assert len(forearms) == len(truth.poses)
    camera = NYU_LABEL_CAMERA if dataset == "nyu" else drawing_camera(dataset)
    shares = []
    for row in range(len(truth.poses)):
        forearm = unpack_forearm(forearms[row], dataset)
        assert forearm.shape == (camera.height, camera.width)
        shares.append(forearm.mean())
        tips = keypoint_positions(KEYPOINTS["dexter"], shape_of(truth, row), truth.poses[row].astype(np.float64))
        u, v = camera.fx * tips[:, 0] / tips[:, 2] + camera.cx, camera.fy * tips[:, 1] / tips[:, 2] + camera.cy
        inside = (u >= 0) & (u < camera.width - 0.5) & (v >= 0) & (v < camera.height - 0.5)
        # A tip behind the forearm is possible; in a dozen frames it is rare.
        shares_of_tips = forearm[np.rint(v[inside]).astype(int), np.rint(u[inside]).astype(int)]
        assert shares_of_tips.mean() <= 0.4 if inside.any() else True
    assert 0.001 < np.mean(shares) < 0.3


def test_a_held_box_has_its_labelled_corners(embedded_sets):
    one = embedded_sets["dexter"]
    truth = read_truth(one.out / "truth.npz", "test")
    listing = list_frames("dexter", one.out / "raw", "test")
    corners = one.takes[0].held.corners
    compared = 0
    for row in range(len(listing)):
        arrays = (truth.object_centre_mm[row], truth.object_rotation[row], truth.object_size_mm[row])
        box = Box(*(array.astype(np.float64) for array in arrays))
        expected = box_corners(box)[list(corners)] * [-1, 1, 1]
        seen = np.isfinite(listing.joints_mm[row, 5:]).all(axis=1)
        compared += seen.sum()
        assert np.abs(listing.joints_mm[row, 5:] - expected)[seen].max(initial=0.0) < 0.02
    assert compared > 10


def test_where_nothing_is_held_there_is_no_box(embedded_sets):
    truth = read_truth(embedded_sets["icvl"].out / "truth.npz", "test")
    assert np.isnan(truth.object_centre_mm).all()
    assert np.isnan(truth.object_size_mm).all()
    assert object_truth(embedded_sets["icvl"].takes[0], 0) is None


def damaged(kind: str, content: bytes) -> bytes:
    if kind == "cut":
        return content[: len(content) // 2]
    if kind == "another":
        buffer = io.BytesIO()
        np.savez(buffer, something=np.zeros(3))
        return buffer.getvalue()
    if kind == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("poses.npy", b"no array")
        return buffer.getvalue()
    if kind == "flipped":
        middle = len(content) // 2
        return content[:middle] + bytes(byte ^ 0xFF for byte in content[middle : middle + 64]) + content[middle + 64 :]
    return {"empty": b"", "text": b"hello, this is no archive"}[kind]


@pytest.mark.parametrize("kind", ["cut", "another", "zip", "flipped", "empty", "text"])
def test_a_damaged_file_is_one_clear_line(embedded_sets, tmp_path, kind):
    path = tmp_path / "truth.npz"
    path.write_bytes(damaged(kind, (embedded_sets["msra14"].out / "truth.npz").read_bytes()))
    with pytest.raises(BadInput, match=r"truth\.npz"):
        read_truth(path, "all")
    if kind != "flipped":  # the middle of the file is of poses and their like
        with pytest.raises(BadInput, match=r"truth\.npz"):
            read_forearms(path, "all")


def test_masks_are_read_by_nobody_who_does_not_ask_for_them(embedded_sets, tmp_path):
    """Unpacked they are nearly all of the file."""
    whole = embedded_sets["msra14"].out / "truth.npz"
    write_arrays(tmp_path / "truth.npz", {n: a for n, a in read_arrays(whole).items() if n != "forearm_bits"})
    known = read_truth(tmp_path / "truth.npz", "all")
    np.testing.assert_equal(vars(known), vars(read_truth(whole, "all")))
    with pytest.raises(BadInput, match="found no forearm_bits in it"):
        read_forearms(tmp_path / "truth.npz", "all")


def test_a_missing_file_says_where_it_comes_from(tmp_path):
    with pytest.raises(BadInput, match="handbench synthesize"):
        read_truth(tmp_path / "truth.npz", "all")
