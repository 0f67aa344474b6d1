"""Objects before recorded hands: the minimum of both, never one within the other, and what can be seen of them."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from handbench.conventions import HANDOBJECT, MSRA_JOINTS
from handbench.datasets import fused_frames as room
from handbench.datasets.drawn_object import APART, HIDDEN, INSIDE, MOST_HIDDEN, OUTSIDE, ObjectFrame, place_solid
from handbench.datasets.fused_frames import NEAR_MM, NOISE_MM, TOLERANCE_MM, fuse_frame
from handbench.datasets.importers import list_frames
from handbench.datasets.listing import Frame
from handbench.datasets.object_catalogue import CATALOGUES, Catalogue
from handbench.geometry.box import box_corners, box_distance
from handbench.geometry.camera import depth_to_points, project_points
from handbench.geometry.solids import make_cuboid, make_sphere, placed_distance, placed_mesh
from handbench.rendering import opengl, zbuffer


@pytest.fixture(scope="module")
def hands(embedded_sets) -> list[Frame]:
    listing = list_frames("msra", embedded_sets["msra"].out / "raw", "all")
    return [listing.frame(row) for row in range(len(listing))]


def fuse(frame: Frame, word: str = "train", seed: int = 0, render=zbuffer.render_layers) -> ObjectFrame:
    drawn = fuse_frame(frame, "msra-P0", CATALOGUES[word], np.random.default_rng(seed), render, Counter())
    assert drawn is not None
    return drawn


@pytest.fixture(scope="module")
def fused(hands) -> list[tuple[Frame, ObjectFrame]]:
    return [(frame, fuse(frame, seed=row)) for row, frame in enumerate(hands)]


def test_the_nearer_of_both_is_kept(fused):
    for frame, drawn in fused:
        changed = drawn.depth_mm != frame.depth_mm
        assert changed.sum() > 100
        hand = frame.depth_mm[changed]
        assert (drawn.depth_mm[changed] > 0).all()
        assert ((hand == 0) | (drawn.depth_mm[changed] < hand)).all()
        # What has changed is the object's surface, but for its noise.
        there = np.where(changed, drawn.depth_mm, np.float32(0))
        points_mm = depth_to_points(there, frame.camera)
        assert np.abs(box_distance(drawn.place, points_mm.astype(float))).max() < 6 * NOISE_MM
        u = np.flatnonzero(changed.any(axis=0))
        corners = project_points(box_corners(drawn.place), frame.camera)
        assert corners[:, 0].min() - 1 <= u.min() <= u.max() <= corners[:, 0].max() + 1


def test_noise_is_as_large_as_it_says(fused):
    errors = []
    for frame, drawn in fused:
        solid = make_cuboid(drawn.place.size_mm.tolist())
        alone_mm, _ = zbuffer.render_layers([placed_mesh(solid, drawn.place)], frame.camera)
        changed = drawn.depth_mm != frame.depth_mm
        errors.append((drawn.depth_mm - alone_mm)[changed & (frame.depth_mm == 0)])
    errors_mm = np.concatenate(errors)
    # Whole millimetres add a twelfth.
    assert errors_mm.std() == pytest.approx((NOISE_MM**2 + 1 / 12) ** 0.5, rel=0.05)
    assert abs(errors_mm.mean()) < 0.05


def test_no_hand_reaches_into_an_object_and_none_is_far(fused):
    for frame, drawn in fused:
        points_mm = depth_to_points(frame.depth_mm, frame.camera).astype(float)
        near = np.abs(points_mm - frame.joints_mm.mean(axis=0)).max(axis=1) < 150
        distance_mm = box_distance(drawn.place, points_mm)
        assert (distance_mm < -TOLERANCE_MM).sum() <= 0.005 * near.sum()
        assert box_distance(drawn.place, frame.joints_mm.astype(float)).min() > 0
        assert min(distance_mm.min(), box_distance(drawn.place, frame.joints_mm.astype(float)).min()) < NEAR_MM + 5


def test_objects_stay_in_the_picture_and_leave_the_hand_to_be_seen(fused):
    for frame, drawn in fused:
        u, v, z = project_points(box_corners(drawn.place), frame.camera).T
        assert (u >= 0).all()
        assert (u <= 319).all()
        assert (v >= 0).all()
        assert (v <= 239).all()
        assert (z > 130).all()
        hidden = (frame.depth_mm > 0) & (drawn.depth_mm < frame.depth_mm)
        assert hidden.sum() <= MOST_HIDDEN * (frame.depth_mm > 0).sum()


def test_the_same_numbers_make_the_same_frame(hands):
    one, other = fuse(hands[0], seed=5), fuse(hands[0], seed=5)
    np.testing.assert_array_equal(one.depth_mm, other.depth_mm)
    np.testing.assert_array_equal(one.labels_mm, other.labels_mm)
    assert not np.array_equal(one.depth_mm, fuse(hands[0], seed=6).depth_mm)


def test_labels_are_the_hands_own_and_the_box(fused):
    for frame, drawn in fused:
        np.testing.assert_array_equal(drawn.labels_mm[:21], frame.joints_mm)
        np.testing.assert_allclose(drawn.labels_mm[21:], box_corners(drawn.place), atol=1e-3)


def flat_hand() -> Frame:
    """A wall of flesh 400 mm away, its labels 8 mm behind the surface: all that is true of it is known."""
    camera = HANDOBJECT.camera
    depth_mm = np.zeros((240, 320), np.float32)
    depth_mm[70:170, 110:210] = 400
    finger = np.repeat(np.arange(5), 4)
    joints_mm = np.zeros((21, 3), np.float32)
    joints_mm[1:, 0] = 25.0 * (finger - 2)
    joints_mm[1:, 1] = -15.0 * np.tile(np.arange(4), 5)
    joints_mm[0, 1] = 60.0
    joints_mm[:, 2] = 408.0
    return Frame("flat", 0, "P0", "1", depth_mm, joints_mm, camera)


@pytest.mark.parametrize(
    ("centre", "reason"),
    [
        ((0, 0, 360.0), ""),  # 15 mm before the surface
        ((0, 0, 390.0), INSIDE),  # through the surface
        ((0, 0, 415.0), INSIDE),  # behind the surface, where the bones are
        ((0, -20, 330.0), APART),
        ((-225, 0, 360.0), OUTSIDE),
        ((0, 0, 120.0), OUTSIDE),  # nearer than the sensor measures
    ],
)
def test_why_a_place_is_not_taken(centre, reason):
    frame, solid = flat_hand(), make_cuboid((50.0, 50.0, 50.0))
    place = place_solid(solid, np.array(centre, float), np.eye(3))
    assert room._find_fault(solid, place, room._gather_cloud(frame), frame.camera) == reason


def test_flesh_is_more_than_the_surface_that_was_measured():
    """A small ball 14 mm behind a wall without labels touches no measured point and is within the hand all the same."""
    frame, solid = flat_hand(), make_sphere(14.0)
    # Between the columns of labels, 45 mm below the knuckles.
    place = place_solid(solid, np.array([62.0, 20.0, 411.0]), np.eye(3))
    cloud = room._gather_cloud(frame)
    assert placed_distance(solid, place, cloud.points_mm).min() > 0
    assert placed_distance(solid, place, cloud.bones_mm).min() > room._BONE_MM
    dense = replace(cloud, points_mm=cloud.points_mm[:100])  # a hundred points tolerate none
    assert room._find_fault(solid, place, dense, frame.camera) == INSIDE


def test_every_reason_is_counted(monkeypatch):
    places = iter([(0, 0, 390.0), (-225, 0, 360.0), (0, -20, 330.0), (0, 0, 390.0), (0, 0, 360.0)])
    solid = make_cuboid((50.0, 50.0, 50.0))
    monkeypatch.setattr(room, "_draw_place", lambda *_: place_solid(solid, np.array(next(places), float), np.eye(3)))
    rejected = Counter()
    one = Catalogue(lambda rng: solid, (solid,))
    drawn = fuse_frame(flat_hand(), "msra-P0", one, np.random.default_rng(0), zbuffer.render_layers, rejected)
    assert drawn.rejected == {INSIDE: 2, OUTSIDE: 1, APART: 1}
    assert drawn.place.centre_mm.tolist() == [0, 0, 360]
    # The cube hides the labels within 25 mm * 408 / 335 of the axis and none beside it; the wall hides no label.
    behind = (np.abs(drawn.joints_mm[:, :2]) < 25 * 408 / 335 - 2).all(axis=1)
    clear = (np.abs(drawn.joints_mm[:, :2]) > 25 * 408 / 335 + 2).any(axis=1)
    assert behind.sum() == 6
    assert clear.sum() == 12
    assert not drawn.visible[:21][behind].any()
    assert drawn.visible[:21][clear].all()
    # Of an upright cube before the camera the near four corners are seen, k = 0.
    assert drawn.visible[21:].tolist() == [True, False] * 4


def test_a_hand_without_room_is_given_up(monkeypatch):
    solid = make_cuboid((50.0, 50.0, 50.0))
    inside = place_solid(solid, np.array([0.0, 0.0, 390.0]), np.eye(3))
    monkeypatch.setattr(room, "_draw_place", lambda *_: inside)
    rejected = Counter()
    one = Catalogue(lambda rng: solid, (solid,))
    assert fuse_frame(flat_hand(), "x", one, np.random.default_rng(0), zbuffer.render_layers, rejected) is None
    assert rejected == {INSIDE: room._OBJECTS * room._TRIES}


def test_an_object_behind_the_hand_is_hidden():
    frame = flat_hand()
    alone_mm = np.zeros_like(frame.depth_mm)
    alone_mm[100:140, 100:140] = 450
    assert room._find_fault_of_view(alone_mm, frame) == HIDDEN
    alone_mm[100:140, 60:140] = 450  # now more than half of it is beside the hand
    assert room._find_fault_of_view(alone_mm, frame) == ""


@pytest.mark.parametrize("word", CATALOGUES)
def test_both_renderers_fuse_the_same(hands, word):
    try:
        opengl.measure_sample_offset_px()
    except opengl.OpenGLMissingError as reason:
        pytest.skip(f"no OpenGL on this machine: {reason}")
    for row in (0, 3, 9):
        software, drawn = fuse(hands[row], word, row), fuse(hands[row], word, row, opengl.render_layers)
        np.testing.assert_array_equal(software.labels_mm, drawn.labels_mm)
        np.testing.assert_array_equal(software.visible, drawn.visible)
        # Whole millimetres: a card's last digit may round the other way.
        assert np.abs(software.depth_mm - drawn.depth_mm).max() <= 1
        assert (software.depth_mm != drawn.depth_mm).mean() < 1e-3


def test_labels_of_the_set_are_msras():
    assert HANDOBJECT.joints.names[: len(MSRA_JOINTS.names)] == MSRA_JOINTS.names
