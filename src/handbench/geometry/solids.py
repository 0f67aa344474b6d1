"""Solids made of primitives: what a hand holds, as a mesh, as a distance and as a bounding box.

A solid has its own axes, with the origin in the middle of its bounding box. Where it is stands in a `Box`: centre,
rotation (camera from solid) and size of that bounding box. Meshes come from trimesh, whose spheres and cylinders lie
within the true surface; distances are those of the true surface.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from handbench.geometry.box import Box, box_distance
from handbench.geometry.mesh import Mesh

Points = Float[np.ndarray, "*batch 3"]
Vector = Float[np.ndarray, "3"]
Shape = Literal["cuboid", "sphere", "cylinder"]
KINDS = ("cuboid", "sphere", "cylinder", "composed")

_SPHERE_SUBDIVISIONS = 3
_CYLINDER_SECTIONS = 48


@dataclass(frozen=True, eq=False)
class Primitive:
    """A cuboid, a sphere or a cylinder around its own y axis, placed in a solid's axes by its bounding box."""

    shape: Shape
    box: Box


@dataclass(frozen=True, eq=False)
class Solid:
    """One object: a primitive, or several that overlap."""

    kind: str
    size_mm: Vector
    """Of the bounding box."""
    parts: tuple[Primitive, ...]
    mesh: Mesh
    """In the solid's own axes, closed part by part."""


def make_cuboid(size_mm: Sequence[float]) -> Solid:
    return _make_simple("cuboid", np.array(size_mm, float))


def make_sphere(diameter_mm: float) -> Solid:
    return _make_simple("sphere", np.full(3, float(diameter_mm)))


def make_cylinder(diameter_mm: float, height_mm: float) -> Solid:
    """Around the y axis."""
    return _make_simple("cylinder", np.array([diameter_mm, height_mm, diameter_mm], float))


def make_composed(parts: Sequence[Primitive]) -> Solid:
    """Several primitives in common axes, moved so that their bounding box has its middle at the origin."""
    meshes = [_primitive_mesh(part) for part in parts]
    vertices_mm = np.concatenate([mesh.vertices_mm for mesh in meshes])
    low_mm, high_mm = vertices_mm.min(axis=0), vertices_mm.max(axis=0)
    middle_mm = (low_mm + high_mm) / 2
    firsts = np.cumsum([0, *(len(mesh.vertices_mm) for mesh in meshes[:-1])])
    faces = np.concatenate([mesh.faces + first for mesh, first in zip(meshes, firsts, strict=True)])
    moved = [Primitive(p.shape, Box(p.box.centre_mm - middle_mm, p.box.rotation, p.box.size_mm)) for p in parts]
    kind = parts[0].shape if len(parts) == 1 else "composed"
    return Solid(kind, high_mm - low_mm, tuple(moved), Mesh(vertices_mm - middle_mm, faces.astype(np.int32)))


def solid_distance(solid: Solid, points_mm: Points) -> Float[np.ndarray, "*batch"]:
    """Signed distance in the solid's axes, negative inside.

    Of a composed solid the least over its parts: exact outside, and inside no deeper than it is.
    """
    distance_mm = _primitive_distance(solid.parts[0], points_mm)
    for part in solid.parts[1:]:
        distance_mm = np.minimum(distance_mm, _primitive_distance(part, points_mm))
    return distance_mm


def placed_distance(solid: Solid, place: Box, points_mm: Points) -> Float[np.ndarray, "*batch"]:
    """Signed distance in the axes that the solid is placed in."""
    return solid_distance(solid, (points_mm - place.centre_mm) @ place.rotation)


def placed_mesh(solid: Solid, place: Box) -> Mesh:
    return Mesh(solid.mesh.vertices_mm @ place.rotation.T + place.centre_mm, solid.mesh.faces)


def reach_along(solid: Solid, direction: Vector) -> float:
    """How far the solid reaches from its origin along a unit direction of its own axes."""
    return float((solid.mesh.vertices_mm @ direction).max())


def _make_simple(shape: Shape, size_mm: Vector) -> Solid:
    return make_composed([Primitive(shape, Box(np.zeros(3), np.eye(3), size_mm))])


def _primitive_mesh(part: Primitive) -> Mesh:
    import trimesh

    size_mm = part.box.size_mm
    if part.shape == "cuboid":
        body = trimesh.creation.box(extents=size_mm)
    elif part.shape == "sphere":
        body = trimesh.creation.icosphere(_SPHERE_SUBDIVISIONS, size_mm[0] / 2)
    else:
        body = trimesh.creation.cylinder(size_mm[0] / 2, size_mm[1], sections=_CYLINDER_SECTIONS)
        # trimesh's cylinder stands on z: x, y, z become z, x, y.
        body.vertices = body.vertices[:, [1, 2, 0]]
    vertices_mm = np.asarray(body.vertices, float) @ part.box.rotation.T + part.box.centre_mm
    return Mesh(vertices_mm, np.asarray(body.faces, np.int32))


def _primitive_distance(part: Primitive, points_mm: Points) -> Float[np.ndarray, "*batch"]:
    box = part.box
    if part.shape == "cuboid":
        return box_distance(box, points_mm)
    if part.shape == "sphere":
        return np.linalg.norm(points_mm - box.centre_mm, axis=-1) - box.size_mm[0] / 2
    local = (points_mm - box.centre_mm) @ box.rotation
    around = np.hypot(local[..., 0], local[..., 2]) - box.size_mm[0] / 2
    along = np.abs(local[..., 1]) - box.size_mm[1] / 2
    outside = np.hypot(np.maximum(around, 0.0), np.maximum(along, 0.0))
    return outside + np.minimum(np.maximum(around, along), 0.0)
