"""Crops in a mirror: the same picture from the other side, boxes that are boxes again, and the same twice over."""

from pathlib import Path

import numpy as np
import pytest

from handbench.conventions import HANDOBJECT
from handbench.datasets.crops import build_crops
from handbench.datasets.importers import list_frames
from handbench.datasets.mirror import mirror_corners, mirror_store
from handbench.datasets.store import CropStore, open_store
from handbench.datasets.true_labels import label_by_truth
from handbench.errors import BadInput
from handbench.geometry.box import Box, box_corners
from handbench.geometry.crop import points_to_patch


@pytest.fixture(scope="module")
def crops(embedded_sets, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("mirror") / "crops"
    listing = list_frames("dexter", embedded_sets["dexter"].out / "raw", "test")
    build_crops(listing, centre="com-400", size_px=32, out=out)
    return out


@pytest.fixture(scope="module")
def told(crops, embedded_sets) -> CropStore:
    return label_by_truth(open_store(crops), embedded_sets["dexter"].out / "truth.npz")


def find_handedness(corners_mm: np.ndarray) -> np.ndarray:
    x, y, z = (corners_mm[:, end] - corners_mm[:, 0] for end in (4, 2, 1))
    return np.sign(np.einsum("fi,fi->f", np.cross(x, y), z))


def test_the_truth_has_the_labels_of_the_dataset_among_its_own(crops, told):
    store = open_store(crops)
    for name in (name for name in store.joint_names if name.endswith("_tip")):
        ours = told.joints_mm[:, HANDOBJECT.joints.index(name)]
        labelled = store.joints_mm[:, store.joint_names.index(name)]
        seen = np.isfinite(labelled).all(axis=1)
        np.testing.assert_allclose(ours[seen], labelled[seen], atol=0.01)
    corners = store.joints_mm[:, -3:]
    apart_mm = np.linalg.norm(corners[:, :, None] - told.joints_mm[:, None, 21:], axis=3).min(axis=2)
    assert np.nanmax(apart_mm) < 0.01
    assert (find_handedness(told.joints_mm[:, 21:]) == 1).all()


def test_a_mirror_image_shows_what_stands_on_the_other_side(told):
    other = mirror_store(told)
    for row in range(0, len(told), 5):
        here, there = (
            points_to_patch(
                one.joints_mm[row].astype(float), one.patch_from_image[row], one.centre_mm[row], 400.0, one.camera
            )
            for one in (told, other)
        )
        np.testing.assert_allclose(there[:21, 0], 31 - here[:21, 0], atol=1e-3)
        np.testing.assert_allclose(there[:21, 1:], here[:21, 1:], atol=1e-3)
        assert np.array_equal(other.depth[row], told.depth[row][:, ::-1])
    assert (find_handedness(other.joints_mm[:, 21:]) == 1).all()


def test_twice_through_the_mirror_is_where_it_began(told):
    again = mirror_store(mirror_store(told))
    assert np.array_equal(again.depth, told.depth)
    np.testing.assert_allclose(again.joints_mm, told.joints_mm, atol=1e-3)
    np.testing.assert_allclose(again.patch_from_image, told.patch_from_image, atol=1e-9)
    assert again.camera == told.camera


def test_mirrored_corners_are_those_of_a_turned_box():
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    corners = box_corners(Box(np.array([30.0, 5.0, 400.0]), turn, np.array([60.0, 110.0, 35.0])))
    mirrored = mirror_corners(corners)
    # The same eight points, in the order of some turned box.
    assert find_handedness(mirrored[None]) == 1
    apart = np.linalg.norm(mirrored[:, None] - corners[None] * [-1.0, 1.0, 1.0], axis=2).min(axis=1)
    np.testing.assert_allclose(apart, 0, atol=1e-9)
    np.testing.assert_allclose([np.linalg.norm(mirrored[end] - mirrored[0]) for end in (4, 2, 1)], [60, 110, 35])


def test_the_truth_of_other_frames_is_refused(crops, embedded_sets, tmp_path):
    store = open_store(crops)
    truth = dict(np.load(embedded_sets["dexter"].out / "truth.npz", allow_pickle=False))
    truth["poses"] = truth["poses"] + np.array([50.0, *[0.0] * 25], np.float32)
    np.savez(tmp_path / "truth.npz", **truth)
    with pytest.raises(BadInput, match="fingertips 50 mm beside the labels"):
        label_by_truth(store, tmp_path / "truth.npz")


def test_the_truth_is_for_dexter_alone(embedded_sets, tmp_path):
    listing = list_frames("msra14", embedded_sets["msra14"].out / "raw", "all")
    build_crops(listing, centre="com", size_px=16, out=tmp_path / "crops")
    with pytest.raises(BadInput, match="expected crops of dexter, found msra14"):
        label_by_truth(open_store(tmp_path / "crops"), embedded_sets["dexter"].out / "truth.npz")
