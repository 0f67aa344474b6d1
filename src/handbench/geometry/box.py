"""Boxes: the cuboids that hands hold."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from handbench.geometry.mesh import Mesh

_SIGNS = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4]]
    + [[1, 5, 7], [1, 7, 3]],
    dtype=np.int32,
)
BOX_EDGES = tuple((a, b) for a in range(8) for b in range(a + 1, 8) if b - a in (1, 2, 4) and a & (b - a) == 0)
"""Pairs of corners that an edge joins, in the order of `box_corners`."""


@dataclass(frozen=True)
class Box:
    """A cuboid: the rotation's columns are its edge directions."""

    centre_mm: Float[np.ndarray, "3"]
    rotation: Float[np.ndarray, "3 3"]
    size_mm: Float[np.ndarray, "3"]


def box_corners(box: Box) -> Float[np.ndarray, "8 3"]:
    """Corner 4 i + 2 j + k lies at the i-th end of x, the j-th of y and the k-th of z."""
    return box.centre_mm + (0.5 * box.size_mm * _SIGNS) @ box.rotation.T


def box_mesh(box: Box) -> Mesh:
    return Mesh(box_corners(box), _FACES)


def box_distance(box: Box, points_mm: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch"]:
    """Signed distance to the surface, negative inside."""
    beyond = np.abs((points_mm - box.centre_mm) @ box.rotation) - 0.5 * box.size_mm
    outside = np.linalg.norm(np.maximum(beyond, 0.0), axis=-1)
    return outside + np.minimum(beyond.max(axis=-1), 0.0)
