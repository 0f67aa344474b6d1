"""A frame of an embedded Dexter+Object sequence, with the hand and the box that it was drawn from."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from handbench.conventions import Camera
from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.takes import draw_frame, drawing_camera, label_take, object_truth, prepare_take
from handbench.geometry.box import Box
from handbench.geometry.crop import crop_cube
from handbench.geometry.mesh import Mesh
from handbench.geometry.patch_frame import PatchFrame, make_camera
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skinning import skin_vertices
from handbench.rendering.renderer import choose_renderer

CAMERA: Camera = drawing_camera("dexter")
MIDDLE_MCP = 9
"""Of MSRA's 21 joints."""


@dataclass(frozen=True)
class HeldScene:
    depth_mm: Float32[np.ndarray, "height width"]
    joints_mm: Float[np.ndarray, "21 3"]
    box: Box
    hand: Mesh

    @property
    def middle_mm(self) -> Float[np.ndarray, "3"]:
        """About where the common centre of mass lies."""
        return (self.joints_mm.mean(axis=0) + self.box.centre_mm) / 2


def draw_scene(sequence: str, index: int = 7, frames: int = 6 * 20) -> HeldScene:
    recording = next(one for one in plan_recordings("dexter", {"test": frames}, 0) if one.sequence == sequence)
    take = prepare_take(recording)
    pose, shape = take.poses[index], recording.shape
    drawn = draw_frame(take, index, label_take(take)[index], choose_renderer("software"))
    box = object_truth(take, index)
    assert box is not None
    joints_mm = keypoint_positions(KEYPOINTS["msra"], shape, pose[None])[0]
    hand = Mesh(skin_vertices(take.skin, *forward_kinematics(pose, shape)), take.skin.faces)
    return HeldScene(drawn.depth_mm, joints_mm, box, hand)


def crop_scene(
    depth_mm: Float32[np.ndarray, "height width"], centre_mm: Float[np.ndarray, "3"], cube_mm: float, size_px: int
) -> tuple[Float[Tensor, "1 1 size size"], PatchFrame]:
    """The crop of geometry/crop.py and what it looks at."""
    patch, patch_from_image = crop_cube(depth_mm, centre_mm, cube_mm, CAMERA, size_px=size_px)
    transform = torch.from_numpy(patch_from_image).float()[None]
    focal, principal = make_camera(transform, (CAMERA.fx, CAMERA.fy), (CAMERA.cx, CAMERA.cy))
    centre = torch.from_numpy(np.asarray(centre_mm, np.float32))[None]
    return torch.from_numpy(patch)[None, None], PatchFrame(centre, torch.tensor([cube_mm]), focal, principal, size_px)
