"""Overlay pictures: their number and size, where a joint is drawn, and what is left out."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handbench.conventions import ICVL
from handbench.datasets.centres import Centre
from handbench.datasets.own_frames import unlabelled_frame
from handbench.geometry.box import Box, box_corners
from handbench.report.overlay import find_shown, write_overlays
from handbench.report.own_joints import OwnJoints, write_joints_csv, write_joints_json, write_objects_csv
from handbench.report.skeleton import CASING, PART_COLOURS
from handbench.report.wireframe import list_edges

CUBE = Centre(np.float32([0, 0, 500]), 250.0)
TILE = slice(76, 76 + 640), slice(24, 24 + 640)


def make_frame():
    """A flat square of the hand's depth before nothing."""
    depth_mm = np.zeros((240, 320), np.float32)
    depth_mm[80:180, 120:220] = 500
    return unlabelled_frame(Path("frames/a.png"), depth_mm, ICVL.camera)


def make_joints(steps: int, name: str = "a") -> OwnJoints:
    rng = np.random.default_rng(0)
    steps_mm = (rng.uniform(-60, 60, (16, 3)) + CUBE.centre_mm)[None].repeat(steps, axis=0)
    steps_mm[:, 0] = CUBE.centre_mm
    return OwnJoints(name, Path("frames/a.png"), ICVL.camera, CUBE, steps_mm.astype(np.float32))


def read_picture(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[..., ::-1]


def colours_of(pixels: np.ndarray) -> set[str]:
    return {"#" + bytes(colour).hex() for colour in np.unique(pixels.reshape(-1, 3), axis=0).tolist()}


def test_one_picture_an_iteration_and_one_of_all(tmp_path):
    paths = write_overlays(make_frame(), make_joints(6), ICVL.joints, "model", tmp_path)
    assert [path.name for path in paths] == [*(f"a-iteration{step}.png" for step in range(6)), "a-iterations.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    assert read_picture(paths[0]).shape == (76 + 640 + 32 + 44, 24 + 640 + 24, 3)
    # Two rows of three tiles of 440.
    assert read_picture(paths[-1]).shape == (76 + 2 * (440 + 32) + 44, 24 + 3 * 440 + 2 * 20 + 24, 3)


def test_a_model_that_does_not_iterate_has_one_picture(tmp_path):
    paths = write_overlays(make_frame(), make_joints(1), ICVL.joints, "model", tmp_path)
    assert [path.name for path in paths] == ["a-iteration0.png"]


def test_a_joint_is_drawn_where_it_is_by_hand(tmp_path):
    own = make_joints(1)
    own.steps_mm[0, 1:] = np.nan  # bones end in the palm, and would be drawn over it
    [path] = write_overlays(make_frame(), own, ICVL.joints, "model", tmp_path)
    tile = read_picture(path)[TILE]
    # The window is that of columns 100 to 219 and 60 to 179 of the rows; the palm is the middle of
    # pixel (160, 120). Dots are drawn at whole pixels.
    rows, columns = np.nonzero((tile == 255).all(axis=-1))
    np.testing.assert_allclose([columns.mean(), rows.mean()], 60.5 * 640 / 120 - 0.5, atol=1)
    # The square ends at columns 120 and 219, rows 80 and 179; above and left of it nothing was measured.
    assert colours_of(tile[:100]) == {"#1e1e1e"}
    assert "#1e1e1e" not in colours_of(tile[110:300, 110:300])


def test_fingers_have_their_colours(tmp_path):
    [path] = write_overlays(make_frame(), make_joints(1), ICVL.joints, "model", tmp_path)
    assert {*(PART_COLOURS[part] for part in ICVL.joints.parts), CASING} <= colours_of(read_picture(path)[TILE])


@pytest.mark.parametrize("place_mm", [(0, 0, -100), (0, 0, 0)])
def test_a_joint_behind_the_camera_is_left_out(tmp_path, place_mm):
    own = make_joints(1)
    own.steps_mm[0, 1:4] = place_mm
    [path] = write_overlays(make_frame(), own, ICVL.joints, "model", tmp_path)
    shown = colours_of(read_picture(path)[TILE])
    assert PART_COLOURS["thumb"] not in shown
    assert PART_COLOURS["index"] in shown
    assert np.isnan(own.steps_px[0, 1:4]).all()


def test_a_joint_far_outside_does_no_harm(tmp_path):
    own = make_joints(1)
    own.steps_mm[0, 1] = 1e7, 0, 1
    [path] = write_overlays(make_frame(), own, ICVL.joints, "model", tmp_path)
    assert read_picture(path).shape[1] == 688


def test_same_joints_same_bytes(tmp_path):
    for folder in ("one", "two"):
        write_overlays(make_frame(), make_joints(2), ICVL.joints, "model", tmp_path / folder)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["a_$\\frac{$", "bild_\udce4", "n" * 200])
def test_any_name_can_be_a_title(tmp_path, name):
    own = make_joints(1, name="x")
    renamed = OwnJoints(name, own.file, own.camera, own.cube, own.steps_mm)
    [path] = write_overlays(make_frame(), renamed, ICVL.joints, name, tmp_path)
    assert path.stat().st_size > 1000


def test_the_box_of_an_object_is_drawn_and_told(tmp_path):
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))
    corners = box_corners(Box(np.array([10.0, 0, 500]), turn, np.array([50.0, 90, 30])))
    own = dataclasses.replace(make_joints(2), corners=np.float32([corners, corners + [5, 0, 0]]))
    paths = write_overlays(make_frame(), own, ICVL.joints, "model", tmp_path)
    assert PART_COLOURS["object"] in colours_of(read_picture(paths[0])[TILE])
    without = write_overlays(make_frame(), make_joints(2, "b"), ICVL.joints, "model", tmp_path)
    assert PART_COLOURS["object"] not in colours_of(read_picture(without[0]))
    write_joints_csv(tmp_path / "a.csv", [own], ICVL.joints.names)
    rows = (tmp_path / "a.csv").read_text().splitlines()
    assert len(rows) == 1 + 2 * (16 + 8)
    first = next(row for row in rows if ",1,1,corner_110," in row)
    np.testing.assert_allclose([float(n) for n in first.split(",")[4:7]], corners[6] + [5, 0, 0], atol=1e-3)
    write_joints_json(tmp_path / "a.json", [own], ICVL.joints.names, "model")
    told = json.loads((tmp_path / "a.json").read_text())["frames"][0]["iterations"][1]["object"]
    np.testing.assert_allclose(told["corners"]["corner_110"]["xyz"], corners[6] + [5, 0, 0], atol=1e-3)
    np.testing.assert_allclose(told["centre"]["xyz"], [15, 0, 500], atol=1e-3)
    np.testing.assert_allclose(told["rotation"], turn, atol=1e-5)
    write_objects_csv(tmp_path / "o.csv", [own])
    first, last = (tmp_path / "o.csv").read_text().splitlines()[1:]
    assert first.startswith("a,0,0,10.000,0.000,500.000,")
    np.testing.assert_allclose([float(n) for n in last.split(",")[3:]], [15, 0, 500, *turn.ravel()], atol=1e-3)


def test_hand_and_object_fill_the_picture():
    """Points over 220 mm, and some room, in place of a cube of 400 mm."""
    frame, joints_mm = make_frame(), np.zeros((1, 16, 3), np.float32) + CUBE.centre_mm
    joints_mm[0, 0, 0], joints_mm[0, 1, 0] = -100, 100
    cube = Centre(CUBE.centre_mm, 400.0)
    own = OwnJoints("a", Path("a.png"), ICVL.camera, cube, joints_mm)
    assert find_shown(frame, own) == cube
    held = dataclasses.replace(own, corners=joints_mm[:, :8] + np.float32([20, 0, 0]))
    shown = find_shown(frame, held)
    assert shown.cube_mm == pytest.approx(1.2 * 220)
    np.testing.assert_allclose(shown.centre_mm, [10, 0, 500])
    # Nothing was measured there: the whole cube is shown.
    far = dataclasses.replace(held, steps_mm=joints_mm + 2000, corners=held.corners + 2000)
    assert find_shown(frame, far) == cube


def test_the_edges_of_the_farthest_corner_are_behind():
    pixels = box_corners(Box(np.zeros(3), np.eye(3), np.array([2.0, 3, 4]))) + [10, 10, 100]
    pixels[:, 2] += pixels[:, 0] + 2 * pixels[:, 1]
    edges = list_edges(pixels)
    assert len(edges) == 12
    assert [hidden for *_, hidden in edges].count(True) == 3
    assert {corner for a, b, hidden in edges if hidden for corner in (a, b)} == {7, 3, 5, 6}
    pixels[0, 0] = np.nan
    assert list_edges(pixels) == []
