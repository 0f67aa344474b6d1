import numpy as np
import pytest
import trimesh

from handbench.geometry.box import Box, box_corners, box_distance, box_mesh
from handbench.geometry.rotation import quaternion_to_rotation

UPRIGHT = Box(np.array([10.0, 20.0, 300.0]), np.eye(3), np.array([20.0, 40.0, 60.0]))
TURNED = Box(
    np.array([10.0, -20.0, 300.0]),
    quaternion_to_rotation(np.array([0.5, 0.4, -0.3, 0.7])),
    np.array([20.0, 40.0, 60.0]),
)


def test_corners_by_hand():
    corners = box_corners(UPRIGHT)
    assert corners[0] == pytest.approx([0, 0, 270])
    assert corners[1] == pytest.approx([0, 0, 330])
    assert corners[2] == pytest.approx([0, 40, 270])
    assert corners[4] == pytest.approx([20, 0, 270])
    assert corners[7] == pytest.approx([20, 40, 330])


@pytest.mark.parametrize("box", [UPRIGHT, TURNED], ids=["upright", "turned"])
def test_mesh_is_closed_wound_outwards_and_as_large_as_the_box(box):
    mesh = box_mesh(box)
    body = trimesh.Trimesh(mesh.vertices_mm, mesh.faces, process=False)
    assert body.is_watertight
    assert body.is_winding_consistent
    assert body.volume == pytest.approx(20 * 40 * 60)
    assert body.center_mass == pytest.approx(box.centre_mm)


@pytest.mark.parametrize(
    ("point", "distance"),
    [
        ((10, 20, 300), -10.0),  # centre: half the thinnest edge
        ((18, 20, 300), -2.0),
        ((25, 20, 300), 5.0),
        ((10, 20, 330), 0.0),
        ((23, 44, 300), 5.0),  # beside an edge: 3, 4, 5
        ((22, 41, 332), 3.0),  # off a corner: 2, 1, 2
    ],
)
def test_distance_by_hand(point, distance):
    assert box_distance(UPRIGHT, np.array([point], float)) == pytest.approx([distance])


def test_distance_turns_with_the_box():
    points = np.random.default_rng(0).normal(0, 40, (5, 8, 3))
    upright = Box(np.zeros(3), np.eye(3), TURNED.size_mm)
    moved = points @ TURNED.rotation.T + TURNED.centre_mm
    assert box_distance(TURNED, moved) == pytest.approx(box_distance(upright, points))
