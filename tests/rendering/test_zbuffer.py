"""Known answers by hand: planes, order, edges, what lies outside."""

import numpy as np
import pytest
import trimesh

from handbench.conventions import ICVL, NYU_LABEL_CAMERA, Camera
from handbench.errors import BadInput
from handbench.geometry.mesh import Mesh
from handbench.rendering.zbuffer import NEAR_MM, render_each, render_layers

SMALL = Camera(100.0, 100.0, 10.0, 10.0, 21, 21)


def make_rectangle(left: float, top: float, right: float, bottom: float, z: float) -> Mesh:
    """Two faces that look at the camera."""
    corners = [[left, top, z], [right, top, z], [right, bottom, z], [left, bottom, z]]
    return Mesh(np.array(corners, np.float32), np.array([[0, 2, 1], [0, 3, 2]]))


def make_sphere(centre_mm: tuple[float, float, float], radius_mm: float, subdivisions: int = 3) -> Mesh:
    sphere = trimesh.creation.icosphere(subdivisions, radius_mm)
    return Mesh((sphere.vertices + centre_mm).astype(np.float32), np.asarray(sphere.faces))


def test_rectangle_covers_the_pixel_centres_inside_it() -> None:
    # At z = 1000 a pixel is 10 mm: x from -24 to 16 is u from 7.6 to 11.6, so columns 8 to 11; v from 5.5 to 9.5.
    depth_mm, layer = render_layers([make_rectangle(-24, -45, 16, -5, 1000)], SMALL)
    expected = np.zeros((21, 21), bool)
    expected[6:10, 8:12] = True
    np.testing.assert_array_equal(depth_mm > 0, expected)
    np.testing.assert_array_equal(layer, np.where(expected, 0, -1))
    assert np.all(depth_mm[expected] == 1000)


def test_centre_on_an_edge_is_inside() -> None:
    depth_mm, _ = render_layers([make_rectangle(-20, -20, 20, 20, 1000)], SMALL)
    assert np.argwhere(depth_mm > 0).tolist() == [[v, u] for v in range(8, 13) for u in range(8, 13)]


def test_slanted_plane_equals_the_ray_through_each_pixel() -> None:
    # The plane n.x = 900 with n = (0.6, 0.3, 1): z = 900 / (n . ray), perspective-correct by construction.
    camera, normal = NYU_LABEL_CAMERA, np.array([0.6, 0.3, 1.0])
    x, y = np.array([-250.0, 200.0, -50.0]), np.array([-150.0, -100.0, 220.0])
    corners = np.stack([x, y, 900.0 - normal[0] * x - normal[1] * y], axis=-1)
    depth_mm, _ = render_layers([Mesh(corners, np.array([[0, 2, 1]]))], camera)
    v, u = np.nonzero(depth_mm)
    rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(len(u))], axis=-1)
    assert len(u) > 10_000
    np.testing.assert_allclose(depth_mm[v, u], 900.0 / (rays @ normal), atol=1e-3)


def test_nearer_mesh_wins_whatever_the_order() -> None:
    near, far = make_rectangle(-20, -20, 20, 20, 800), make_rectangle(-60, -60, 60, 60, 1000)
    depth_mm, layer = render_layers([near, far], SMALL)
    swapped_mm, swapped = render_layers([far, near], SMALL)
    np.testing.assert_array_equal(depth_mm, swapped_mm)
    np.testing.assert_array_equal(layer == 0, swapped == 1)
    assert depth_mm[10, 10] == 800
    assert depth_mm[10, 5] == 1000
    assert layer[10, 10] == 0
    assert layer[10, 5] == 1


def test_sphere_has_no_holes_and_the_depth_of_a_sphere() -> None:
    for camera in (NYU_LABEL_CAMERA, ICVL.camera):
        depth_mm, _ = render_layers([make_sphere((31.0, -17.0, 500.0), 80.0, subdivisions=5)], camera)
        v, u = np.mgrid[: camera.height, : camera.width]
        rays = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1)
        centre = np.array([31.0, -17.0, 500.0])
        along, square = rays @ centre, (rays**2).sum(axis=-1)
        inside = along**2 - square * (centre @ centre - 79.5**2) > 0
        surface = along**2 - square * (centre @ centre - 80.0**2)
        assert inside.sum() > 3000
        assert np.all(depth_mm[inside] > 0)
        exact_mm = (along - np.sqrt(np.maximum(surface, 0))) / square
        middle = along**2 - square * (centre @ centre - 60.0**2) > 0
        assert np.abs(depth_mm - exact_mm)[middle].max() < 0.2  # the chords of 20 k faces


def test_fan_that_shares_edges_leaves_no_pixel_out() -> None:
    angles = np.linspace(0, 2 * np.pi, 98)[:-1]
    rim = np.stack([72 * np.cos(angles), 72 * np.sin(angles), np.full(97, 1000.0)], axis=-1)
    hub = np.array([[3.3, -2.1, 1000.0]])
    faces = np.array([[97, (i + 1) % 97, i] for i in range(97)])
    depth_mm, _ = render_layers([Mesh(np.vstack([rim, hub]), faces)], SMALL)
    v, u = np.mgrid[:21, :21]
    np.testing.assert_array_equal(depth_mm > 0, np.hypot(u - 10, v - 10) < 7.2 * np.cos(np.pi / 97))


def test_faces_seen_from_behind_are_not_drawn() -> None:
    mesh = make_rectangle(-20, -20, 20, 20, 1000)
    depth_mm, _ = render_layers([Mesh(mesh.vertices_mm, mesh.faces[:, ::-1])], SMALL)
    assert not depth_mm.any()


def test_nothing_is_drawn_of_what_is_outside_or_behind() -> None:
    outside = make_sphere((900.0, 0.0, 1000.0), 80.0)
    behind = make_sphere((0.0, 0.0, -1000.0), 80.0)
    depth_mm, layer = render_layers([outside, behind], SMALL)
    assert not depth_mm.any()
    assert np.all(layer == -1)


def test_mesh_half_outside_is_cut_at_the_border() -> None:
    whole, _ = render_layers([make_sphere((0.0, 0.0, 1000.0), 80.0)], Camera(100.0, 100.0, 30.0, 30.0, 61, 61))
    cut, _ = render_layers([make_sphere((0.0, 0.0, 1000.0), 80.0)], Camera(100.0, 100.0, 3.0, 2.0, 21, 21))
    np.testing.assert_allclose(cut, whole[28:49, 27:48], atol=1e-3)


def test_face_that_reaches_the_near_plane_is_dropped_whole() -> None:
    corners = np.array([[-50, -50, 500], [50, -50, 500], [0, 50, NEAR_MM / 2]], np.float32)
    depth_mm, _ = render_layers([Mesh(corners, np.array([[0, 2, 1]]))], SMALL)
    assert not depth_mm.any()


def test_vertices_that_are_not_numbers_draw_nothing() -> None:
    for bad in (np.nan, np.inf):
        mesh = make_rectangle(-20, -20, 20, 20, 1000)
        corners = mesh.vertices_mm.copy()
        corners[:, 0] = bad
        depth_mm, _ = render_layers([Mesh(corners, mesh.faces)], SMALL)
        assert not depth_mm.any()


def test_no_mesh_is_an_empty_image() -> None:
    depth_mm, layer = render_layers([], SMALL)
    assert depth_mm.shape == layer.shape == (21, 21)
    assert depth_mm.dtype == np.float32
    assert layer.dtype == np.int16
    assert not depth_mm.any()
    assert np.all(layer == -1)


@pytest.mark.parametrize("stray", [-1, 4])
def test_face_that_names_no_vertex_is_refused_in_one_line(stray: int) -> None:
    mesh = make_rectangle(-20, -20, 20, 20, 1000)
    with pytest.raises(BadInput, match="mesh 0: expected faces that name vertices 0 to 3"):
        render_layers([Mesh(mesh.vertices_mm, np.array([[0, 2, stray]]))], SMALL)


def test_many_small_images_are_those_of_one_mesh_each() -> None:
    """Two solids, each in a pose, a size and a camera of its own; one of them comes too near to be drawn."""
    rng = np.random.default_rng(0)
    cube = trimesh.creation.box((1.0, 1.0, 1.0))
    solids = [Mesh(cube.vertices, np.asarray(cube.faces)), make_sphere((0.0, 0.0, 0.0), 0.5)]
    which = np.array([0, 1, 1, 0, 0])
    rotations, _ = np.linalg.qr(rng.normal(size=(5, 3, 3)))
    rotations *= np.linalg.det(rotations)[:, None, None]
    centres_mm = rng.normal(0, 20, (5, 3)) + [0, 0, 400]
    centres_mm[4, 2] = NEAR_MM
    sizes_mm = rng.uniform(30, 120, (5, 3))
    pinholes = np.column_stack([rng.uniform(100, 160, (5, 2)), rng.uniform(20, 44, (5, 2))])
    depth_mm = render_each(solids, which, rotations, centres_mm, sizes_mm, pinholes, 64)
    for frame in range(5):
        solid = solids[which[frame]]
        posed = solid.vertices_mm * sizes_mm[frame] @ rotations[frame].T + centres_mm[frame]
        expected, _ = render_layers([Mesh(posed, solid.faces)], Camera(*pinholes[frame].tolist(), 64, 64))
        np.testing.assert_allclose(depth_mm[frame], expected, atol=1e-3)
        assert (depth_mm[frame] > 0).any() == (frame < 4)


def test_many_images_check_their_faces_too() -> None:
    mesh = make_rectangle(-20, -20, 20, 20, 1000)
    solids, none = [Mesh(mesh.vertices_mm, np.array([[0, 2, 4]]))], np.zeros((0, 3))
    with pytest.raises(BadInput, match="mesh 0: expected faces that name vertices 0 to 3"):
        render_each(solids, np.zeros(0, np.int64), np.zeros((0, 3, 3)), none, none, np.zeros((0, 4)), 8)
