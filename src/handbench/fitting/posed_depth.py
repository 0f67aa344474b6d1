"""Depth as a hand gives it that takes decoded joints: what a drawn depth map can be held against.

A hand is fitted to training labels (`hand_fit`), its pose to the joints (`inverse_kinematics`), and the posed skin is
rendered as crops see it. With the forearm, which fills much of a crop: it goes on from the palm as far as the cube
reaches. What else stands around a hand no pose tells.

A crop shows a small hand in a small cube as it shows a large one in a large cube, from as much farther away. So all is
done in the cube that the hand was fitted in, and no size but that hand's is needed.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from handbench.conventions import BACKGROUND, Camera
from handbench.datasets.evenly import spread_evenly
from handbench.datasets.hand_in_scene import set_scene
from handbench.fitting.hand_fit import fit_hand
from handbench.fitting.inverse_kinematics import fit_pose
from handbench.geometry.patch_frame import PatchFrame, frame_cube
from handbench.hand.keypoints import Hand, Keypoints
from handbench.hand.skeleton import REFERENCE_SHAPE
from handbench.hand.skinning import Skin, make_skin
from handbench.rendering.scene import Scene
from handbench.rendering.zbuffer import render_layers

LABELS = 60
"""Frames that the hand is fitted to: a few hands' breadths of poses tell bone lengths; more change no picture."""
VOXEL_MM = 7.0
"""Of the skin: a patch's pixel is two to five millimetres wide."""
ARM_ALONE = Scene(260.0, 1.4, 0.0, (0.0, 0.0), 0.0, 0.0, ())
"""A forearm that leaves every cube, a little wider at the elbow, and nothing behind it."""

Joints = Float[Tensor, "points joints 3"]


@dataclass(frozen=True)
class CubedHand:
    """A hand, and the edge of the cube in which it is as large as labels are in their crops."""

    hand: Hand
    cube_mm: float
    skin: Skin


def fit_cubed_hand(
    joints: Float[Tensor, "frames joints 3"], cube_mm: float, keypoints: Keypoints, *, free_keypoints: bool = False
) -> CubedHand:
    """The hand of labels in half cube edges; `keypoints` are what the joints are, in their order.

    `free_keypoints` where nobody knows where on a bone its joint is labelled, as of real recordings.
    """
    some = joints[spread_evenly(len(joints), LABELS)].numpy().astype(np.float64) * (cube_mm / 2)
    hand = fit_hand(Hand(REFERENCE_SHAPE, keypoints), some, free_keypoints=free_keypoints)
    return CubedHand(hand, cube_mm, make_skin(hand.shape, VOXEL_MM))


@torch.no_grad()
def draw_posed(cubed: CubedHand, joints: Joints, frame: PatchFrame) -> Float[Tensor, "points 1 size size"]:
    """Patches of the hand that comes nearest to each pose, seen where the cubes of `frame` are."""
    half_mm = cubed.cube_mm / 2
    poses = fit_pose(cubed.hand, joints.double() * half_mm)
    centre_mm = frame.centre_mm.double() * (cubed.cube_mm / frame.cube_mm.double())[:, None]
    poses[:, :3] += centre_mm
    edge_mm = torch.full((len(poses),), cubed.cube_mm, dtype=torch.float64)
    seen = frame_cube(centre_mm, edge_mm, frame.size_px)
    patches = [
        _draw(cubed, pose, _make_camera(seen, place), float(centre_mm[place, 2]))
        for place, pose in enumerate(poses.numpy())
    ]
    return torch.from_numpy(np.stack(patches)[:, None])


def _make_camera(frame: PatchFrame, place: int) -> Camera:
    """That of a patch's own pixels."""
    (fx, fy), (cx, cy) = frame.focal_px[place].tolist(), frame.principal_px[place].tolist()
    return Camera(fx, fy, cx, cy, frame.size_px, frame.size_px)


def _draw(
    cubed: CubedHand, pose: Float[np.ndarray, "26"], camera: Camera, z_mm: float
) -> Float32[np.ndarray, "size size"]:
    """Normalised as a crop is: nothing, and what lies outside of the cube, is background."""
    hand, around = set_scene(cubed.skin, cubed.hand.shape, pose, ARM_ALONE, z_mm, 0.0)
    depth_mm, _ = render_layers([hand, *around], camera)
    patch = np.clip((depth_mm - z_mm) / (cubed.cube_mm / 2), -1, 1)
    return np.where(depth_mm > 0, patch, BACKGROUND).astype(np.float32)
