"""Grasps of the hand model: held, not passed through, and seen as they are."""

from functools import partial

import numpy as np
import pytest

from handbench.conventions import HANDOBJECT
from handbench.datasets import grasped_frames as room
from handbench.datasets.grasped_frames import MOST_PENETRATION_MM, USERS, VIEWS, Grasp, draw_views, make_grasp
from handbench.datasets.object_catalogue import CATALOGUES
from handbench.geometry.box import box_corners
from handbench.geometry.camera import depth_to_points
from handbench.geometry.solids import placed_distance
from handbench.hand.collision import CONTACT_TOLERANCE_MM, self_penetration
from handbench.hand.grasp import finger_clearance
from handbench.hand.skeleton import ANGLE_LIMITS_RAD
from handbench.hand.skinning import pose_mesh
from handbench.rendering import opengl
from handbench.rendering.zbuffer import render_layers


@pytest.fixture(scope="module")
def grasps() -> list[Grasp]:
    return [
        make_grasp(number % USERS, solid, np.random.default_rng([9, number]))
        for number, solid in enumerate(solid for one in CATALOGUES.values() for solid in one.grasped)
    ]


def pose_of(grasp: Grasp) -> np.ndarray:
    return np.concatenate([np.zeros(6), grasp.angles])


def test_users_and_objects_are_five():
    assert USERS == 5
    assert [len(one.grasped) for one in CATALOGUES.values()] == [5] * 4
    assert [one.grasped[0].kind for one in CATALOGUES.values()] == ["cuboid", "sphere", "cylinder", "composed"]


def test_nothing_passes_through_anything(grasps):
    for grasp in grasps:
        skin = pose_mesh(grasp.skin, grasp.shape, pose_of(grasp))
        at_vertices_mm = placed_distance(grasp.solid, grasp.in_palm, skin.vertices_mm)
        assert at_vertices_mm.min() >= -MOST_PENETRATION_MM
        shares = np.array([(i, j, 8 - i - j) for i in range(9) for j in range(9 - i)]) / 8
        nearest_mm = min(
            placed_distance(grasp.solid, grasp.in_palm, share @ skin.vertices_mm[skin.faces]).min() for share in shares
        )
        assert grasp.penetration_mm == pytest.approx(max(-nearest_mm, 0.0))
        assert grasp.gap_mm == pytest.approx(max(nearest_mm, 0.0))
        assert self_penetration(pose_of(grasp)[None], grasp.shape)[0] <= CONTACT_TOLERANCE_MM
        assert (grasp.angles >= ANGLE_LIMITS_RAD[:, 0]).all()
        assert (grasp.angles <= ANGLE_LIMITS_RAD[:, 1]).all()


@pytest.mark.parametrize("word", CATALOGUES)
def test_a_grasp_that_is_not_let_go_touches_with_a_finger_and_another(monkeypatch, word):
    monkeypatch.setattr(room, "_RELEASED_SHARE", 0.0)
    touching = []
    for number in range(8):
        grasp = make_grasp(number % USERS, CATALOGUES[word].grasped[number % 5], np.random.default_rng(number))
        held = partial(placed_distance, grasp.solid, grasp.in_palm)
        touching.append(finger_clearance(pose_of(grasp)[None], held, grasp.shape)[0] < 3.0)
    assert (np.sum(touching, axis=1) >= 2).all()
    assert np.array(touching)[:, 1:].any(axis=1).all(), "the thumb alone holds nothing"
    assert np.mean(touching) > 0.6


def test_hands_differ_between_users(grasps):
    lengths_mm = {grasp.subject: grasp.shape.lengths_mm[2].sum() for grasp in grasps}
    assert sorted(lengths_mm) == [f"user_{number}" for number in range(1, 6)]
    assert len({round(length) for length in lengths_mm.values()}) == 5


@pytest.fixture(scope="module")
def views(grasps):
    return {index: draw_views(grasps[index], (9, index), render_layers, VIEWS) for index in (0, 6, 16)}


def test_views_show_one_grasp_from_many_sides(grasps, views):
    for index, frames in views.items():
        assert len(frames) == VIEWS
        between = [np.linalg.norm(f.joints_mm[:, None].astype(float) - f.place.centre_mm, axis=-1) for f in frames]
        assert np.ptp(between, axis=0).max() < 0.01, "hand and object move as one"
        assert all(frame.penetration_mm == grasps[index].penetration_mm for frame in frames)
        towards = np.array([frame.place.rotation[:, 1] for frame in frames])
        if frames[0].kind != "sphere":
            assert towards.std(axis=0).max() > 0.2


def test_the_object_is_where_its_label_says(grasps, views):
    """Enough measured points lie on the object's surface, and none of the picture lies within it."""
    for index, frames in views.items():
        for frame in frames:
            points_mm = depth_to_points(frame.depth_mm, HANDOBJECT.camera).astype(float)
            # A sphere's rotation is settled, its surface stays.
            distance_mm = placed_distance(grasps[index].solid, frame.place, points_mm)
            assert (np.abs(distance_mm) < 4.0).sum() > 60
            assert (distance_mm < -12.0).sum() < 0.01 * len(points_mm)


def test_what_is_seen_is_seen_by_rendering(views):
    for frames in views.values():
        visible = np.stack([frame.visible for frame in frames])
        assert visible.shape == (VIEWS, 29)
        assert 0.2 < visible.mean() < 0.95
        for frame in frames:
            corners = box_corners(frame.place)
            if frame.kind == "cuboid":
                # The farthest corner of a solid box is behind its own faces.
                assert not frame.visible[21 + corners[:, 2].argmax()] or frame.visible[21:].sum() < 8


def test_labels_are_whole(views):
    for frames in views.values():
        for frame in frames:
            assert frame.labels_mm.shape == (29, 3)
            assert np.isfinite(frame.labels_mm).all()


def test_a_pixel_that_a_renderer_draws_otherwise_changes_no_other(grasps, views):
    """As between two renderers, of which one may miss a pixel of an outline."""

    def misses_a_pixel(meshes, camera):
        depth_mm, layer = render_layers(meshes, camera)
        if len(meshes) > 1:
            first = np.argwhere(layer >= 0)[0]
            depth_mm[tuple(first)], layer[tuple(first)] = 0, -1
        return depth_mm, layer

    for index, frames in views.items():
        for other, frame in zip(draw_views(grasps[index], (9, index), misses_a_pixel, VIEWS), frames, strict=True):
            np.testing.assert_array_equal(other.labels_mm, frame.labels_mm)
            # The pixel itself, and what its neighbours make of the edge there.
            assert (other.depth_mm != frame.depth_mm).sum() <= 5


@pytest.mark.parametrize("number", range(4))
def test_both_renderers_draw_the_same_grasps(grasps, number):
    try:
        opengl.measure_sample_offset_px()
    except opengl.OpenGLMissingError as reason:
        pytest.skip(f"no OpenGL on this machine: {reason}")
    index = 5 * number
    both = (draw_views(grasps[index], (9, index), one, VIEWS) for one in (render_layers, opengl.render_layers))
    for software, drawn in zip(*both, strict=True):
        np.testing.assert_array_equal(software.labels_mm, drawn.labels_mm)
        np.testing.assert_array_equal(software.visible, drawn.visible)
        # Whole millimetres, and pixels at a contour that one of both misses.
        assert (np.abs(software.depth_mm - drawn.depth_mm) > 1).sum() <= 5
        assert (software.depth_mm != drawn.depth_mm).mean() < 1e-3


def test_a_hand_that_let_go_is_told_from_one_that_holds(monkeypatch):
    """The same draws, opened or not: the opened hand is farther away."""
    solid, gaps_mm = CATALOGUES["train"].grasped[0], {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(room, "_RELEASED_SHARE", share)
        made = [make_grasp(number % USERS, solid, np.random.default_rng([4, number])) for number in range(6)]
        assert all(grasp.released is (share == 1.0) for grasp in made)
        gaps_mm[share] = np.mean([grasp.gap_mm for grasp in made])
    assert gaps_mm[1.0] > gaps_mm[0.0] + 1.0
