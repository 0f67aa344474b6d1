import numpy as np
import pytest
import trimesh

from handbench.hand.flesh import flesh_distance
from handbench.hand.mesh import hand_template, rest_mesh, shaped_template
from handbench.hand.skeleton import REFERENCE_SHAPE, sample_shape, vary_shape

RESOLUTIONS_MM = (4.0, 4.5, 5.5, 7.0)


def count_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return np.unique(edges, axis=0, return_counts=True)


def signed_volume_ml(vertices_mm: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = vertices_mm[faces[:, 0]], vertices_mm[faces[:, 1]], vertices_mm[faces[:, 2]]
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6000.0)


@pytest.mark.parametrize("voxel_mm", RESOLUTIONS_MM)
def test_watertight_in_one_piece_without_handles(voxel_mm):
    template = hand_template(voxel_mm)
    edges, uses = count_edges(template.faces)
    assert (uses == 2).all()
    assert len(template.bind_vertices_mm) - len(edges) + len(template.faces) == 2  # Euler's number of a ball
    assert len(np.unique(template.faces)) == len(template.bind_vertices_mm)
    body = trimesh.Trimesh(template.bind_vertices_mm, template.faces, process=False)
    assert body.is_watertight
    assert body.body_count == 1


@pytest.mark.parametrize("voxel_mm", RESOLUTIONS_MM)
def test_each_edge_is_walked_once_in_either_direction(voxel_mm):
    """Neighbouring faces agree on what is outside, and outside is where the volume is positive."""
    template = hand_template(voxel_mm)
    faces = template.faces
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)
    # A large hand without its forearm fills 400-600 ml.
    assert 350 < signed_volume_ml(template.bind_vertices_mm, faces) < 650


@pytest.mark.parametrize("voxel_mm", RESOLUTIONS_MM)
def test_vertices_lie_on_the_skin(voxel_mm):
    assert np.abs(flesh_distance(hand_template(voxel_mm).bind_vertices_mm)).max() < 0.6


def test_resolutions_are_as_fine_as_said():
    assert len(hand_template(4.5).faces) == pytest.approx(7700, rel=0.05)
    assert len(hand_template(7.0).faces) == pytest.approx(3100, rel=0.05)


@pytest.mark.parametrize("voxel_mm", RESOLUTIONS_MM)
def test_weights_are_shares_of_the_palm_and_one_finger(voxel_mm):
    weights = hand_template(voxel_mm).weights
    assert weights.min() >= 0.0
    assert weights.sum(axis=1) == pytest.approx(np.ones(len(weights)), abs=1e-12)
    fingers = (weights[:, 1:].reshape(-1, 5, 3) > 0).any(axis=2).sum(axis=1)
    assert fingers.max() == 1
    # Every bone moves some skin of its own.
    assert (weights.max(axis=0) > 0.95).all()


def test_the_template_cannot_be_changed_by_accident():
    template = hand_template(4.5)
    with pytest.raises(ValueError, match="read-only"):
        template.bind_vertices_mm[0] = 0.0


def test_the_reference_shape_leaves_the_template_as_it_is():
    template = hand_template(4.5)
    assert shaped_template(template, REFERENCE_SHAPE) == pytest.approx(template.bind_vertices_mm, abs=1e-9)


def test_a_smaller_hand_is_the_same_hand_scaled():
    mesh = rest_mesh(vary_shape(REFERENCE_SHAPE, size=0.8))
    assert mesh.vertices_mm == pytest.approx(0.8 * rest_mesh().vertices_mm, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_other_people_are_watertight_and_solid(seed):
    shape = sample_shape(np.random.default_rng(seed))
    mesh = rest_mesh(shape)
    assert trimesh.Trimesh(mesh.vertices_mm, mesh.faces, process=False).is_watertight
    size = shape.palm_stretch.mean()
    assert signed_volume_ml(mesh.vertices_mm, mesh.faces) == pytest.approx(
        size**3 * signed_volume_ml(rest_mesh().vertices_mm, mesh.faces), rel=0.25
    )


def test_longer_fingers_lengthen_the_skin_by_as_much():
    longer = vary_shape(REFERENCE_SHAPE, finger_lengths=np.array([1.0, 1.0, 1.2, 1.0, 1.0]))
    grown = rest_mesh().vertices_mm[:, 1].min() - rest_mesh(longer).vertices_mm[:, 1].min()
    assert grown == pytest.approx(0.2 * (50 + 33 + 28), abs=1.0)


def test_thicker_fingers_are_thicker_and_as_long():
    fat = rest_mesh(vary_shape(REFERENCE_SHAPE, girth=1.2))
    weights = hand_template(4.5).weights
    fingertip = weights[:, 9] > 0.99
    slim = rest_mesh().vertices_mm[fingertip]
    assert np.ptp(fat.vertices_mm[fingertip][:, 2]) == pytest.approx(1.2 * np.ptp(slim[:, 2]), rel=0.02)
    assert fat.vertices_mm[:, 1].min() == pytest.approx(rest_mesh().vertices_mm[:, 1].min(), abs=0.6)
