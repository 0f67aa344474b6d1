"""A crop and a posed cloud in one picture: both splatted, the cloud placed where the crop's hand is.

A pose has no translation (refine Sec. 3.2), and a crop is centred on something else than the wrist. The two share an
origin by the rule that the crop was cut by, which says of a posed hand where its middle is:

    block     the crop is the padded box around a dataset's joints, as the paper cuts it: the middle of the box around
              the cloud's joints lies at the cube's centre
    surface   the crop was cut by what is seen, as that of an own frame: the mean place of the surface that a picture
              shows, each point counted once for every pixel that shows it, is the same for crop and cloud

Both are the same for the same input and follow the pose smoothly. Of a surface the counts are taken as given and the
places differentiated. Of the block no label goes in but the cube's centre, which every method here is told; the surface
needs none at all, but takes a forearm for hand. docs/refine.md has what each costs.

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
from handbench.hand.keypoints import Hand, place_keypoints
from handbench.networks.hand_layer import keep_digits
from handbench.networks.posed_cloud import Origins, PosedCloud, Quaternions, Rotations

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
    block: Hand | None
    """Whose joints, and which, the crops are the boxes around; None where they were cut by what is seen."""
    wrist_mm: Places | None = None
    """About the cube's centre, in experiments in which the place is known as the pose is: no rule is asked then."""


@dataclass(frozen=True)
class PosedInCrop:
    """A hand in millimetres about the cube's centre."""

    points_mm: Points
    rotations: Rotations
    origins_mm: Origins


def view_crop(
    depth: Float[Tensor, "batch 1 size size"], frame: PatchFrame, radius: float, block: Hand | None = None
) -> CropView:
    """Splat the depth patches of a batch (Eqs. 3 to 5)."""
    points = patch_to_points(depth)
    image, winner = splat_and_tell(points, frame.size_px, radius)
    return CropView(frame, radius, image, find_middle(patch_to_mm(points, frame), winner), block)


def pose_in_crop(cloud: PosedCloud, quaternions: Quaternions, view: CropView) -> PosedInCrop:
    """The cloud and its bones in these poses, placed as the crops ask for."""
    rotations, origins_mm = cloud.place_bones(quaternions)
    points_mm = cloud.pose_points(rotations, origins_mm)
    if view.wrist_mm is not None:
        wrist_mm = view.wrist_mm[:, None]
    elif view.block is None:
        wrist_mm = place_cloud(points_mm, view)[:, None]
    else:
        with keep_digits(rotations):
            joints_mm = place_keypoints(view.block.keypoints, view.block.shape, rotations, origins_mm)
        wrist_mm = -(joints_mm.amin(dim=1, keepdim=True) + joints_mm.amax(dim=1, keepdim=True)) / 2
    return PosedInCrop(points_mm + wrist_mm, rotations, origins_mm + wrist_mm)


def place_cloud(points_mm: Points, view: CropView) -> Places:
    """Where the wrist is by the surface, in millimetres about the cube's centre."""
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


def draw_posed(cloud: PosedCloud, quaternions: Quaternions, view: CropView) -> Images:
    """The same of a cloud in a pose, where its crop puts it."""
    return draw_cloud(pose_in_crop(cloud, quaternions, view).points_mm, view)


def find_middle(points_mm: Points, winner: Int32[Tensor, "batch size size"]) -> Places:
    """Mean of the points that are seen, by the pixels that show each; of all points where nothing is seen."""
    shown = winner.flatten(1).long()
    counts = torch.zeros_like(points_mm[..., 0])
    counts = counts.scatter_add(1, shown.clamp(min=0), (shown >= 0).to(counts))
    counts = torch.where(counts.sum(dim=1, keepdim=True) > 0, counts, 1.0)
    return (counts[..., None] * points_mm).sum(dim=1) / counts.sum(dim=1, keepdim=True)


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
