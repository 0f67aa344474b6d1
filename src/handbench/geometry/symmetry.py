"""Which turns leave a solid as it is: poses that a depth image cannot tell apart.

Only proper rotations count: nothing held is ever turned inside out by moving it.
"""

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from handbench.geometry.box import Box, box_corners
from handbench.geometry.solids import Solid

Turns = Float[np.ndarray, "turns 3 3"]
Rotation = Float[np.ndarray, "3 3"]

_AXIS = 1
"""A cylinder stands on its y axis."""
_SAME_MM = 0.01
"""Edges that differ by less are equally long."""


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Turns about a solid's own axes after which it looks the same."""

    turns: Turns
    """Those that take the bounding box to itself, the identity first: 4 of a cuboid, 8 of a square prism or a
    cylinder, 24 of a cube or a sphere, 1 of a composed solid."""
    free: Literal["none", "axis", "all"]
    """Beyond them: none, any turn about the y axis, or any turn at all."""


def find_symmetry(solid: Solid) -> Symmetry:
    """The symmetry of a solid, from its kind and the edges of its bounding box."""
    if solid.kind == "composed":
        return Symmetry(np.eye(3)[None], "none")
    size_mm = solid.size_mm
    # A turn of the box carries each axis to one of an equally long edge; a cylinder's axis to itself besides.
    keeps = np.abs(np.abs(quarter_turns()) @ size_mm - size_mm).max(axis=1) < _SAME_MM
    if solid.kind == "cylinder":
        keeps &= np.abs(quarter_turns()[:, _AXIS, _AXIS]) == 1.0
    free: dict[str, Literal["none", "axis", "all"]] = {"cuboid": "none", "cylinder": "axis", "sphere": "all"}
    return Symmetry(quarter_turns()[keeps], free[solid.kind])


def corner_orders(turns: Turns) -> Int[np.ndarray, "turns 8"]:
    """For each turn the order in which the corners of the turned box lie where those of the box lay."""
    places = np.stack([box_corners(Box(np.zeros(3), turn, np.full(3, 2.0))) for turn in turns])
    signs = places > 0
    return (4 * signs[..., 0] + 2 * signs[..., 1] + signs[..., 2]).astype(int)


def settle_free_turn(rotation: Rotation, symmetry: Symmetry) -> Rotation:
    """Of the rotations that look the same by a free turn, the one nearest to the identity.

    A label has to be a function of the picture: of a sphere's rotation nothing is seen, of a cylinder's its axis alone.
    """
    if symmetry.free == "none":
        return rotation
    if symmetry.free == "all":
        return np.eye(3)
    # The trace of rotation @ turn about y is a cosine of the turn.
    angle = np.arctan2(rotation[2, 0] - rotation[0, 2], rotation[0, 0] + rotation[2, 2])
    c, s = np.cos(angle), np.sin(angle)
    return rotation @ np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


@lru_cache(maxsize=1)
def quarter_turns() -> Turns:
    """The 24 proper rotations of a cube, the identity first."""
    turns = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            turn = np.diag(signs)[:, order]
            if np.linalg.det(turn) > 0:
                turns.append(turn)
    return np.stack(turns)
