"""The object's synthesizer as a renderer (feedback19 Sec. 4.5): eight corners to the depth image of the known solid.

The corners pass through Procrustes first, so that whatever they are, a solid of the right size is drawn. The picture
has the perspective of its frame, as a crop of the camera's image has, and not that of a camera at one distance.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from handbench.conventions import BACKGROUND
from handbench.geometry.mesh import Mesh
from handbench.geometry.patch_frame import PatchFrame, points_to_mm
from handbench.loop.held_object import Held, find_pose
from handbench.rendering.zbuffer import render_each

Corners = Float[Tensor, "batch 8 3"]


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
