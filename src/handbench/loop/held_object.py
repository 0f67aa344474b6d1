"""The object of each frame and its pose: from any eight corners to those of a solid, in an order that a picture tells.

    straighten      Procrustes: the corners of the rigid pose nearest to the given ones (Sec. 4.4)
    settle_corners  of what then looks the same, the corners nearest to those of the solid at rest

The second is ours, and without it no updater works. A cuboid has four orders of its corners for one picture. An updater
is shown the picture of a pose, not the pose, and answers with a shift of every corner by its number: which of four
answers is asked for, it cannot know. Their mean is no turn at all. The rule makes the order a matter of what is seen;
the target of an update is then, as for a predictor, the nearest of the equivalent orders. docs/hand-object-loop.md
has what it makes of an updater.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from handbench.geometry.alignment import RigidPose, align_rigidly
from handbench.geometry.box import Box, box_corners
from handbench.geometry.corner_loss import nearest_corners
from handbench.geometry.symmetry import Symmetry

Corners = Float[Tensor, "batch 8 3"]

_UNIT_CORNERS = torch.from_numpy(box_corners(Box(np.zeros(3), np.eye(3), np.ones(3)))).float()


@dataclass(frozen=True)
class Held:
    """The solid of each frame: which of the known ones, and the edges of its bounding box."""

    which: Int64[Tensor, "batch"]
    size_mm: Float[Tensor, "batch 3"]

    @property
    def corners_mm(self) -> Corners:
        """pi of Eq. 20 for a solid at rest in its own axes."""
        return _UNIT_CORNERS.to(self.size_mm) * self.size_mm[:, None]


def find_pose(corners_mm: Corners, held: Held) -> RigidPose:
    """The pose of the solid whose corners lie nearest to these."""
    return align_rigidly(corners_mm, held.corners_mm)


def straighten(corners_mm: Corners, held: Held) -> Corners:
    """The corners of that pose: those of a box of the right size, with right angles."""
    return find_pose(corners_mm, held).place(held.corners_mm)


def settle_corners(corners_mm: Corners, held: Held, symmetries: Sequence[Symmetry]) -> Corners:
    """The same, of all poses that look alike the one nearest to a solid at rest in the camera's axes."""
    rigid_mm = straighten(corners_mm, held)
    at_rest_mm = held.corners_mm + rigid_mm.mean(dim=1, keepdim=True)
    return nearest_corners(at_rest_mm, rigid_mm, symmetries, held.which)
