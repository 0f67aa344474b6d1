"""The object's synthesizer as a renderer (feedback19 Sec. 4.5): eight corners to the depth image of the known solid.

The corners pass through Procrustes first, so that whatever they are, a solid of the right size is drawn. The picture
has the perspective of its frame, as a crop of the camera's image has, and not that of a camera at one distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from handbench.conventions import BACKGROUND
from handbench.geometry.alignment import RigidPose, align_rigidly
from handbench.geometry.box import Box, box_corners
from handbench.geometry.mesh import Mesh
from handbench.geometry.patch_frame import PatchFrame, points_to_mm
from handbench.rendering.zbuffer import render_each

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


class DrawnObject(nn.Module):
    """synth_O(p) without a network; it has no gradient."""

    def __init__(self, solids: Sequence[Mesh]) -> None:
        """Closed meshes in the axes of each solid, the middle of its bounding box in the origin; of any size."""
        super().__init__()
        self.solids = [_make_unit(solid) for solid in solids]

    @torch.no_grad()
    def forward(self, corners: Corners, frame: PatchFrame, held: Held) -> Float[Tensor, "batch 1 size size"]:
        """What the frame's patches would show of the solid at these corners, which are in the frame's units."""
        pose = find_pose(points_to_mm(corners, frame), held)
        pinholes = torch.cat([frame.focal_px, frame.principal_px], dim=1)
        depth_mm = render_each(
            self.solids,
            held.which.cpu().numpy(),
            rotations=_to_numpy(pose.rotation),
            centres_mm=_to_numpy(pose.centre),
            stretches=_to_numpy(held.size_mm),
            pinholes=_to_numpy(pinholes),
            size_px=frame.size_px,
        )
        depth = torch.from_numpy(depth_mm)[:, None].to(corners)
        behind = depth - frame.centre_mm[:, 2, None, None, None]
        inside = (behind / (frame.cube_mm / 2)[:, None, None, None]).clamp(-1, BACKGROUND)
        return torch.where(depth > 0, inside, BACKGROUND)


def _to_numpy(values: Tensor) -> Float64[np.ndarray, "*shape"]:
    return values.double().cpu().numpy()


def _make_unit(solid: Mesh) -> Mesh:
    """The solid squeezed into a cube of edge 1."""
    return Mesh(solid.vertices_mm / np.ptp(solid.vertices_mm, axis=0), solid.faces)
