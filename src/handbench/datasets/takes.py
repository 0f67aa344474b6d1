"""Draw the frames of a take: hand, forearm, what is around them and what the sensor makes of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from handbench.conventions import NYU_LABEL_CAMERA, SYNTHESIZED, Camera
from handbench.datasets.hand_in_scene import FOREARM, HAND, STUMP_MM, cut_out, see_points, set_scene
from handbench.datasets.held_box import HeldBox, hold_box
from handbench.datasets.recordings import Recording, sample_poses
from handbench.geometry.box import Box, box_corners, box_mesh
from handbench.geometry.mesh import Mesh
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions, keypoint_radii_mm
from handbench.hand.skinning import Skin, make_skin
from handbench.rendering.renderer import RenderLayers
from handbench.rendering.scene import Scene, sample_scene
from handbench.rendering.sensors import SENSORS

_SWAY_FRAMES = 400.0


@dataclass(frozen=True)
class Take:
    """A recording with everything drawn once: poses, the person's skin, the scene around and the box held."""

    recording: Recording
    poses: Float[np.ndarray, "frames 26"]
    skin: Skin
    scene: Scene
    held: HeldBox | None
    body_depth_mm: float
    """The farthest the hand reaches: the body behind keeps its place through the take."""


@dataclass(frozen=True)
class Drawn:
    """One frame: what the sensor reports and what is true of it."""

    depth_mm: Float32[np.ndarray, "height width"]
    joints_mm: Float32[np.ndarray, "joints 3"]
    forearm: Bool[np.ndarray, "height width"]
    visible: Bool[np.ndarray, "joints"]


def prepare_take(recording: Recording) -> Take:
    """Sample poses and scene; for Dexter+Object close the fingers around a box."""
    poses = sample_poses(recording)
    held = None
    if recording.dataset == "dexter":
        poses, held = hold_box(recording.sequence, poses, recording.shape, recording.rng(1))
    scene = sample_scene("nyu" if recording.dataset == "nyu" else "creative", recording.rng(2))
    farthest = poses[:, 2].max() + 120.0
    return Take(recording, poses, make_skin(recording.shape), scene, held, float(farthest))


def label_take(take: Take) -> Float32[np.ndarray, "frames joints 3"]:
    """The dataset's joints in camera axes, all frames; a held box adds its three labelled corners."""
    shape = take.recording.shape
    joints = keypoint_positions(KEYPOINTS[take.recording.dataset], shape, take.poses)
    if take.held is not None:
        corners = [box_corners(take.held.box(take.poses[i], i))[list(take.held.corners)] for i in range(len(joints))]
        joints = np.concatenate([joints, np.stack(corners)], axis=1)
    return joints.astype(np.float32)


def draw_frame(take: Take, index: int, joints_mm: Float32[np.ndarray, "joints 3"], render: RenderLayers) -> Drawn:
    """Render and sense frame `index`; Dexter+Object's left hands are drawn through a mirror."""
    camera = drawing_camera(take.recording.dataset)
    meshes = _frame_meshes(take, index)
    true_mm, layer = render(meshes, camera)
    rng = np.random.default_rng([*take.recording.stream, 3, index])
    depth_mm = SENSORS[SYNTHESIZED[take.recording.dataset].sensor](true_mm, camera, rng)
    stump_mm = STUMP_MM.get(take.recording.dataset)
    if stump_mm is not None:
        depth_mm = cut_out(depth_mm, true_mm, layer == HAND, layer == FOREARM, camera, stump_mm)
    own_mm = keypoint_radii_mm(KEYPOINTS[take.recording.dataset], take.recording.shape)
    visible = see_points(joints_mm, own_mm, true_mm, layer, camera)
    return Drawn(depth_mm, joints_mm, layer == FOREARM, visible)


def drawing_camera(dataset: str) -> Camera:
    """NYU's labels were projected with square pixels; a mirrored image has its principal point mirrored as well."""
    if dataset == "nyu":
        return NYU_LABEL_CAMERA
    camera = SYNTHESIZED[dataset].camera
    if dataset == "dexter":
        return Camera(camera.fx, camera.fy, camera.width - 1 - camera.cx, camera.cy, camera.width, camera.height)
    return camera


def _frame_meshes(take: Take, index: int) -> list[Mesh]:
    sway_rad = 2.0 * np.pi * index * take.recording.stride / _SWAY_FRAMES
    hand, around = set_scene(
        take.skin, take.recording.shape, take.poses[index], take.scene, take.body_depth_mm, sway_rad
    )
    held = [] if take.held is None else [box_mesh(take.held.box(take.poses[index], index))]
    return [hand, around[0], *held, *around[1:]]


def object_truth(take: Take, index: int) -> Box | None:
    """The held box of frame `index`, in the axes of the drawing camera."""
    return None if take.held is None else take.held.box(take.poses[index], index)
