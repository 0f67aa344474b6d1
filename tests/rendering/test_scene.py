"""Closed meshes, a forearm that leads away, nothing in front of the hand, and the same scene from the same seed."""

import numpy as np
import pytest
import trimesh

from handbench.conventions import NYU_LABEL_CAMERA
from handbench.errors import BadInput
from handbench.geometry.mesh import Mesh
from handbench.rendering import scene
from handbench.rendering.zbuffer import render_layers

WRIST_MM = np.array([-120.0, 60.0, 800.0])
DOWN = np.array([0.0, 1.0, 0.1])


def pose(sampled: scene.Scene, sway_rad: float = 0.0) -> list[Mesh]:
    return scene.scene_meshes(sampled, WRIST_MM, DOWN, (28.0, 20.0), 850.0, sway_rad=sway_rad)


def test_every_mesh_is_closed_and_faces_outwards() -> None:
    for seed in range(5):
        for mesh in pose(scene.sample_scene("nyu", np.random.default_rng(seed))):
            for part in trimesh.Trimesh(mesh.vertices_mm, mesh.faces, process=False).split(only_watertight=False):
                assert part.is_watertight
                assert part.is_winding_consistent
                assert part.volume > 0


def test_tube_has_its_radii_at_either_end() -> None:
    start, end = np.array([0.0, 0.0, 700.0]), np.array([0.0, 250.0, 700.0])
    tube = scene.make_tube(start, end, (30.0, 20.0), (45.0, 30.0))
    at_start = tube.vertices_mm[np.isclose(tube.vertices_mm[:, 1], 0, atol=1e-3)]
    at_end = tube.vertices_mm[np.isclose(tube.vertices_mm[:, 1], 250, atol=1e-3)]
    # Along the image's vertical the width lies along x and the thickness along z.
    np.testing.assert_allclose(np.abs(at_start).max(axis=0)[[0, 2]], [30, 720], atol=1e-3)
    np.testing.assert_allclose(np.abs(at_end).max(axis=0)[[0, 2]], [45, 730], atol=1e-3)
    assert tube.vertices_mm[:, 1].min() == pytest.approx(-20, abs=1e-3)
    assert tube.vertices_mm[:, 1].max() == pytest.approx(280, abs=1e-3)


def test_tube_turns_its_width_to_the_axis_asked_for() -> None:
    start, end = np.array([0.0, 0.0, 700.0]), np.array([0.0, 250.0, 700.0])
    tube = scene.make_tube(start, end, (30.0, 20.0), (30.0, 20.0), wide_axis=np.array([0.0, 5.0, -3.0]))
    np.testing.assert_allclose(np.ptp(tube.vertices_mm, axis=0), [40, 290, 60], atol=1e-3)


@pytest.mark.parametrize("direction", [[0, 0, -1], [0, 0, 1], [1, 0, -5], [0, 1, 0], [-3, 2, 0.1], [0, 1e-9, -1]])
def test_forearm_always_leads_away_from_the_camera(direction: list[float]) -> None:
    bent = scene.bend_forearm(np.array(direction, float))
    assert np.linalg.norm(bent) == pytest.approx(1.0)
    assert bent[2] >= 0.15 - 1e-12
    sideways = np.array(direction[:2])
    if np.linalg.norm(sideways) > 1e-6:
        assert bent[:2] @ sideways > 0  # to the side it came from


def test_direction_that_leads_away_already_is_kept() -> None:
    np.testing.assert_allclose(scene.bend_forearm(np.array([0.0, 3.0, 4.0])), [0.0, 0.6, 0.8])


def test_forearm_comes_first_and_starts_at_the_wrist() -> None:
    sampled = scene.sample_scene("nyu", np.random.default_rng(0))
    forearm = pose(sampled)[0]
    elbow_mm = WRIST_MM + sampled.forearm_length_mm * scene.bend_forearm(DOWN)
    axis = elbow_mm - WRIST_MM
    share = np.clip((forearm.vertices_mm - WRIST_MM) @ axis / (axis @ axis), 0, 1)
    from_axis_mm = np.linalg.norm(forearm.vertices_mm - WRIST_MM - share[:, None] * axis, axis=1)
    assert from_axis_mm.min() >= 20 - 1e-3
    assert from_axis_mm.max() <= 28 * sampled.elbow_growth + 1e-3


def test_body_and_furniture_stay_behind_the_hand() -> None:
    for kind, nearest_mm in (("nyu", 150.0), ("creative", 250.0)):
        for seed in range(30):
            sampled = scene.sample_scene(kind, np.random.default_rng(seed))
            for sway_rad in (0.0, 2.0, 4.5):
                if sampled.body_scale > 0:
                    body = pose(sampled, sway_rad)[1]
                    assert body.vertices_mm[:, 2].min() >= 850 + nearest_mm - 1e-3
            for box in sampled.furniture:
                assert scene._place_box(box, 850.0).vertices_mm[:, 2].min() >= 850 + 499


def test_nothing_is_seen_in_front_of_a_hand_held_up() -> None:
    sphere = trimesh.creation.icosphere(3, 45.0)
    hand = Mesh((sphere.vertices + WRIST_MM + np.array([0, -90, 0])).astype(np.float32), np.asarray(sphere.faces))
    alone, _ = render_layers([hand], NYU_LABEL_CAMERA)
    for seed in range(10):
        meshes = pose(scene.sample_scene("nyu", np.random.default_rng(seed)))
        depth_mm, layer = render_layers([hand, *meshes], NYU_LABEL_CAMERA)
        np.testing.assert_array_equal(layer == 0, alone > 0)
        assert (layer == 1).sum() > 2000
        assert (layer >= 2).sum() > 20_000  # finding the hand is a real step
        assert depth_mm[layer >= 2].max() < 2600


def test_body_sways_slowly_and_little() -> None:
    sampled = scene.sample_scene("nyu", np.random.default_rng(1))
    phases = np.linspace(0, 2 * np.pi, 100)
    centres = np.array([pose(sampled, phase)[1].vertices_mm.mean(axis=0) for phase in phases])
    assert 10 < np.ptp(centres[:, 0]) < 30
    assert np.linalg.norm(np.diff(centres, axis=0), axis=1).max() < 1.0


def test_same_seed_same_scene() -> None:
    first, again = (scene.sample_scene("nyu", np.random.default_rng(3)) for _ in range(2))
    assert first == again
    assert first != scene.sample_scene("nyu", np.random.default_rng(4))
    for one, other in zip(pose(first), pose(again), strict=True):
        np.testing.assert_array_equal(one.vertices_mm, other.vertices_mm)


def test_creative_scenes_are_mostly_empty() -> None:
    bodies = [scene.sample_scene("creative", np.random.default_rng(seed)).body_scale > 0 for seed in range(200)]
    assert 0.15 < np.mean(bodies) < 0.35
    empty = scene.sample_scene("creative", np.random.default_rng(bodies.index(False)))
    assert len(pose(empty)) == 1


def test_unknown_kind_is_refused_in_one_line() -> None:
    with pytest.raises(BadInput, match="expected nyu or creative, found 'kitchen'"):
        scene.sample_scene("kitchen", np.random.default_rng(0))
