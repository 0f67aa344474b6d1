"""Which turns leave a solid as it is: poses that a depth image cannot tell apart.

A cuboid with three different edges looks the same after the identity and three half turns, a prism with two equal
edges after 8 turns, a cube after 24. Only proper rotations count: nothing held is ever turned inside out by moving it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, Int64

from handbench.errors import BadInput
from handbench.geometry.box import Box, box_corners
from handbench.geometry.solids import KINDS

Turns = Float[np.ndarray, "turns 3 3"]
Rotation = Float[np.ndarray, "3 3"]

AXIS = 1
"""A cylinder stands on its y axis."""
SAME_EDGE = 1e-3
"""Edges that differ by less than this share are equally long."""


@dataclass(frozen=True, eq=False)
class Symmetry:
    """Turns about a solid's own axes after which it looks the same."""

    turns: Turns
    """Those that take the bounding box to itself, the identity first: 4 of a cuboid, 8 of a square prism or a
    cylinder, 24 of a cube or a sphere, 1 of a composed solid."""
    free: Literal["none", "axis", "all"]
    """Beyond them: none, any turn about the y axis, or any turn at all."""

    @cached_property
    def orders(self) -> Int64[np.ndarray, "turns 8"]:
        """For each turn the order in which the corners of the turned box lie where those of the box lay."""
        places = np.stack([box_corners(Box(np.zeros(3), turn, np.full(3, 2.0))) for turn in self.turns])
        signs = places > 0
        return (4 * signs[..., 0] + 2 * signs[..., 1] + signs[..., 2]).astype(np.int64)


def find_symmetry(kind: str, size_mm: Sequence[float] | Float[np.ndarray, "3"]) -> Symmetry:
    """That of a solid by its word and the edges of its bounding box.

    A cylinder or a sphere with unequal diameters has the turns of its box. Of a composed solid none is assumed.
    """
    if kind not in KINDS:
        raise BadInput("solid", expected=" | ".join(KINDS), found=repr(kind), fix="name one of these")
    if kind == "composed":
        return Symmetry(np.eye(3)[None], "none")
    size = np.asarray(size_mm, np.float64)
    # A turn of the box carries each axis to one of an equally long edge; a cylinder's axis to itself besides.
    turns = quarter_turns()
    keeps = (np.abs(np.abs(turns) @ size - size) <= SAME_EDGE * size.max()).all(axis=1)
    if kind == "cylinder":
        keeps &= np.abs(turns[:, AXIS, AXIS]) == 1.0
    round_for = {"cuboid": 0, "cylinder": 8, "sphere": 24}[kind]
    free: Literal["none", "axis", "all"] = "none"
    if keeps.sum() == round_for:
        free = "all" if kind == "sphere" else "axis"
    return Symmetry(turns[keeps], free)


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
