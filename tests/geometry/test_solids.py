import numpy as np
import pytest
import trimesh

from handbench.geometry.box import Box, box_corners
from handbench.geometry.rotation import quaternion_to_rotation
from handbench.geometry.solids import (
    Primitive,
    make_composed,
    make_cuboid,
    make_cylinder,
    make_sphere,
    placed_distance,
    placed_mesh,
    reach_along,
    solid_distance,
)
from handbench.geometry.symmetry import find_symmetry, settle_free_turn

TILTED = quaternion_to_rotation(np.array([0.9, 0.2, -0.3, 0.1]))
TWO = make_composed(
    [
        Primitive("sphere", Box(np.array([10.0, 0.0, 0.0]), np.eye(3), np.full(3, 40.0))),
        Primitive("cylinder", Box(np.array([30.0, 5.0, 0.0]), TILTED, np.array([16.0, 50.0, 16.0]))),
    ]
)
SOLIDS = {
    "cuboid": make_cuboid((60.0, 110.0, 35.0)),
    "sphere": make_sphere(50.0),
    "cylinder": make_cylinder(40.0, 90.0),
    "composed": TWO,
}


@pytest.mark.parametrize("name", SOLIDS)
def test_the_bounding_box_has_its_middle_at_the_origin(name):
    vertices_mm = SOLIDS[name].mesh.vertices_mm
    assert vertices_mm.max(axis=0) == pytest.approx(SOLIDS[name].size_mm / 2, abs=1e-9)
    assert vertices_mm.min(axis=0) == pytest.approx(-SOLIDS[name].size_mm / 2, abs=1e-9)


@pytest.mark.parametrize("name", SOLIDS)
def test_meshes_are_closed_and_wound_outwards(name):
    mesh = SOLIDS[name].mesh
    for part in trimesh.Trimesh(mesh.vertices_mm, mesh.faces, process=False).split(only_watertight=False):
        assert part.is_watertight
        assert part.is_winding_consistent
        assert part.volume > 0


def test_sizes_and_kinds_by_hand():
    assert [solid.kind for solid in SOLIDS.values()] == list(SOLIDS)
    assert SOLIDS["cylinder"].size_mm == pytest.approx([40, 90, 40])
    # The sphere reaches from -10 to 30, the cylinder beyond it.
    assert TWO.size_mm[0] > 40


@pytest.mark.parametrize(
    ("name", "point", "distance"),
    [
        ("cuboid", (0, 0, 0), -17.5),
        ("cuboid", (33, 59, 0), 5.0),
        ("sphere", (0, 0, 0), -25.0),
        ("sphere", (0, 28, 0), 3.0),
        ("cylinder", (0, 0, 0), -20.0),
        ("cylinder", (0, 44, 0), -1.0),
        ("cylinder", (23, 49, 0), 5.0),  # beside the rim: 3, 4, 5
        ("cylinder", (0, 0, -27), 7.0),
    ],
)
def test_distance_by_hand(name, point, distance):
    assert solid_distance(SOLIDS[name], np.array([point], float)) == pytest.approx([distance])


@pytest.mark.parametrize("name", SOLIDS)
def test_distance_is_that_to_the_mesh(name):
    """trimesh measures to the facets of each part, which lie up to half a millimetre within the true surface."""
    points_mm = np.random.default_rng(0).uniform(-70, 70, (300, 3))
    mesh = SOLIDS[name].mesh
    nearest = []
    for part in trimesh.Trimesh(mesh.vertices_mm, mesh.faces, process=False).split():
        # Every primitive is convex: inside is behind all of its faces.
        beyond = np.einsum("nfi,fi->nf", points_mm[:, None] - part.triangles_center, part.face_normals)
        inside = (beyond < 0).all(axis=1)
        closest, _, _ = trimesh.proximity.closest_point_naive(part, points_mm)
        nearest.append(np.where(inside, -1, 1) * np.linalg.norm(points_mm - closest, axis=1))
    assert np.abs(solid_distance(SOLIDS[name], points_mm) - np.min(nearest, axis=0)).max() < 0.5


def test_a_composed_solid_is_as_near_as_its_nearest_part():
    points_mm = np.random.default_rng(1).uniform(-60, 60, (50, 3))
    alone = [make_composed([part]) for part in TWO.parts]
    moved = [
        placed_distance(solid, Box(part.box.centre_mm, np.eye(3), solid.size_mm), points_mm)
        for solid, part in zip(alone, TWO.parts, strict=True)
    ]
    assert solid_distance(TWO, points_mm) == pytest.approx(np.min(moved, axis=0))


@pytest.mark.parametrize("name", SOLIDS)
def test_placing_moves_mesh_and_distance_alike(name):
    solid = SOLIDS[name]
    place = Box(np.array([20.0, -10.0, 400.0]), TILTED, solid.size_mm)
    vertices_mm = placed_mesh(solid, place).vertices_mm
    assert placed_distance(solid, place, vertices_mm) == pytest.approx(
        solid_distance(solid, solid.mesh.vertices_mm), abs=1e-9
    )
    # All of the solid lies within the eight corners' box.
    low, high = box_corners(place).min(axis=0), box_corners(place).max(axis=0)
    assert ((vertices_mm > low - 1e-9) & (vertices_mm < high + 1e-9)).all()


def test_reach_by_hand():
    assert reach_along(SOLIDS["cuboid"], np.array([0.0, 1.0, 0.0])) == pytest.approx(55)
    assert reach_along(SOLIDS["cuboid"], np.array([0.6, 0.0, 0.8])) == pytest.approx(0.6 * 30 + 0.8 * 17.5)


@pytest.mark.parametrize(
    ("solid", "turns", "free"),
    [
        (make_cuboid((60.0, 110.0, 35.0)), 4, "none"),
        (make_cuboid((40.0, 40.0, 90.0)), 8, "none"),
        (make_cuboid((90.0, 40.0, 40.0)), 8, "none"),
        (make_cuboid((50.0, 50.0, 50.0)), 24, "none"),
        (make_cylinder(40.0, 90.0), 8, "axis"),
        (make_cylinder(50.0, 50.0), 8, "axis"),
        (make_sphere(50.0), 24, "all"),
        (TWO, 1, "none"),
    ],
    ids=["cuboid", "prism on z", "prism on x", "cube", "cylinder", "cylinder as wide as high", "sphere", "composed"],
)
def test_symmetries_leave_the_solid_as_it_is(solid, turns, free):
    symmetry = find_symmetry(solid.kind, solid.size_mm)
    assert len(symmetry.turns) == turns
    assert symmetry.free == free
    assert symmetry.turns[0] == pytest.approx(np.eye(3))
    assert np.linalg.det(symmetry.turns) == pytest.approx(np.ones(turns))
    points_mm = np.random.default_rng(2).uniform(-70, 70, (200, 3))
    for turn in symmetry.turns:
        assert solid_distance(solid, points_mm @ turn.T) == pytest.approx(solid_distance(solid, points_mm))
    box = box_corners(Box(np.zeros(3), np.eye(3), solid.size_mm))
    for turn, order in zip(symmetry.turns, symmetry.orders, strict=True):
        assert box_corners(Box(np.zeros(3), turn, solid.size_mm)) == pytest.approx(box[order])
        assert sorted(order.tolist()) == list(range(8))


def test_no_quarter_turn_of_a_cuboid_counts():
    """A turn that swaps two edges of different length moves the surface."""
    points_mm = np.random.default_rng(3).uniform(-70, 70, (200, 3))
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    cuboid = SOLIDS["cuboid"]
    assert np.abs(solid_distance(cuboid, points_mm @ quarter.T) - solid_distance(cuboid, points_mm)).max() > 20


def test_a_free_turn_is_settled_once_for_all_that_look_alike():
    cylinder, sphere, cuboid = (find_symmetry(word, SOLIDS[word].size_mm) for word in ("cylinder", "sphere", "cuboid"))
    assert settle_free_turn(TILTED, sphere) == pytest.approx(np.eye(3))
    assert settle_free_turn(TILTED, cuboid) is TILTED
    settled = settle_free_turn(TILTED, cylinder)
    assert settled[:, 1] == pytest.approx(TILTED[:, 1]), "the axis stays"
    for angle in np.linspace(0, 2 * np.pi, 17):
        c, s = np.cos(angle), np.sin(angle)
        turned = TILTED @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        assert settle_free_turn(turned, cylinder) == pytest.approx(settled)
        assert np.trace(turned) <= np.trace(settled) + 1e-9
