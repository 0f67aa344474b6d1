"""A crop and a posed cloud in one picture: both splatted, the cloud placed where the crop's surface is.

A pose has no translation (refine Sec. 3.2), and a crop is centred on something else than the wrist. The two share an
origin by what can be seen in both: the mean place of the surface that a picture shows, each point counted once for
every pixel that shows it. The cloud is moved until its mean is the crop's. No label goes in, the rule is the same for
every crop whatever it was centred on, and it follows the pose smoothly: the counts are taken as given, the places are
differentiated. docs/refine.md has what it costs.

Clouds are drawn as the camera sees them, in perspective, so that a hand at its true place covers its true pixels. A
patch's own pixels need no camera for that; a cloud does, and the cube's place in camera axes.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from handbench.geometry.crop import NEAREST_MM
from handbench.geometry.patch_frame import PatchFrame, project_points
from handbench.geometry.splatting import patch_to_points, splat, splat_and_tell

Points = Float[Tensor, "batch points 3"]
Images = Float[Tensor, "batch size size"]
Places = Float[Tensor, "batch 3"]

PLACINGS = 2
"""From the middle of all points the cloud is moved twice: what is seen of it depends a little on where it is."""


@dataclass(frozen=True)
class CropView:
    """What a batch of crops shows."""

    frame: PatchFrame
    radius: float
    """r of Eq. 5, in half cube edges."""
    image: Images
    """f_depth(P_D)."""
    middle_mm: Places
    """Mean place of the surface that is seen, about the cube's centre."""


def view_crop(depth: Float[Tensor, "batch 1 size size"], frame: PatchFrame, radius: float) -> CropView:
    """Splat the depth patches of a batch (Eqs. 3 to 5)."""
    points = patch_to_points(depth)
    image, winner = splat_and_tell(points, frame.size_px, radius)
    return CropView(frame, radius, image, find_middle(patch_to_mm(points, frame), winner))


def place_cloud(points_mm: Points, view: CropView) -> Places:
    """Where the wrist is, in millimetres about the cube's centre."""
    shift_mm = view.middle_mm - points_mm.mean(dim=1)
    for _ in range(PLACINGS):
        with torch.no_grad():
            drawn = mm_to_patch(points_mm + shift_mm[:, None], view.frame)
            _, winner = splat_and_tell(drawn, view.frame.size_px, view.radius)
        shift_mm = view.middle_mm - find_middle(points_mm, winner)
    return shift_mm


def draw_cloud(points_mm: Points, view: CropView) -> Images:
    """f_depth(f_skin(P, M)) of points about the cube's centre."""
    return splat(mm_to_patch(points_mm, view.frame), view.frame.size_px, view.radius)


def find_middle(points_mm: Points, winner: Int32[Tensor, "batch size size"]) -> Places:
    """Mean of the points that are seen, by the pixels that show each; of all points where nothing is seen."""
    shown = winner.flatten(1).long()
    counts = torch.zeros_like(points_mm[..., 0])
    counts = counts.scatter_add(1, shown.clamp(min=0), (shown >= 0).to(counts))
    counts = torch.where(counts.sum(dim=1, keepdim=True) > 0, counts, 1.0)
    return (counts[:, None] @ points_mm)[:, 0] / counts.sum(dim=1, keepdim=True)


def mm_to_patch(points_mm: Points, frame: PatchFrame) -> Points:
    """Millimetres about the cube's centre to x and y across the patch and z in the cube, each from -1 to +1."""
    in_camera = points_mm + frame.centre_mm[:, None]
    # A lost point may come to lie behind the camera; it is drawn nowhere then, but must not divide by zero.
    in_camera = torch.cat([in_camera[..., :2], in_camera[..., 2:].clamp(min=NEAREST_MM)], dim=-1)
    pixels = project_points(in_camera, frame.focal_px, frame.principal_px)
    across = (2 * pixels + 1) / frame.size_px - 1
    return torch.cat([across, points_mm[..., 2:] / (frame.cube_mm / 2)[:, None, None]], dim=-1)


def patch_to_mm(points: Points, frame: PatchFrame) -> Points:
    """The inverse."""
    z_mm = points[..., 2:] * (frame.cube_mm / 2)[:, None, None]
    pixels = ((points[..., :2] + 1) * frame.size_px - 1) / 2
    rays = (pixels - frame.principal_px[:, None]) / frame.focal_px[:, None]
    in_plane = rays * (z_mm + frame.centre_mm[:, None, 2:])
    return torch.cat([in_plane - frame.centre_mm[:, None, :2], z_mm], dim=-1)
