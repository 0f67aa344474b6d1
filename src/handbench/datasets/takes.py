"""Draw the frames of a take: hand, forearm, what is around them and what the sensor makes of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int16

from handbench.conventions import DATASETS, NYU_LABEL_CAMERA, Camera
from handbench.datasets.held_box import HeldBox, hold_box
from handbench.datasets.recordings import Recording, sample_poses
from handbench.geometry.box import Box, box_corners, box_mesh
from handbench.geometry.camera import project_points
from handbench.geometry.mesh import Mesh
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions, keypoint_radii_mm
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skinning import Skin, make_skin, skin_vertices
from handbench.rendering.renderer import RenderLayers
from handbench.rendering.scene import Scene, sample_scene, scene_meshes
from handbench.rendering.sensors import structured_light, time_of_flight

_HAND, _FOREARM = 0, 1
_WRIST_RADII_MM = (27.0, 19.0)
"""Half width and half thickness of the reference hand's wrist."""
_SWAY_FRAMES = 400.0
_SEGMENTED_FOREARM_MM = 35.0
"""MSRA ships hands that are cut out roughly: a stump of the forearm stays."""


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
    kind = "nyu" if recording.dataset == "nyu" else "creative"
    scene = sample_scene(kind, recording.rng(2))
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
    sense = structured_light if take.recording.dataset == "nyu" else time_of_flight
    depth_mm = sense(true_mm, camera, rng)
    if take.recording.dataset == "msra":
        depth_mm = _cut_out(depth_mm, true_mm, layer)
    visible = _see_joints(take, joints_mm, true_mm, camera)
    return Drawn(depth_mm, joints_mm, layer == _FOREARM, visible)


def drawing_camera(dataset: str) -> Camera:
    """NYU's labels were projected with square pixels; a mirrored image has its principal point mirrored as well."""
    if dataset == "nyu":
        return NYU_LABEL_CAMERA
    camera = DATASETS[dataset].camera
    if dataset == "dexter":
        return Camera(camera.fx, camera.fy, camera.width - 1 - camera.cx, camera.cy, camera.width, camera.height)
    return camera


def _frame_meshes(take: Take, index: int) -> list[Mesh]:
    shape, pose = take.recording.shape, take.poses[index]
    rotations, origins = forward_kinematics(pose, shape)
    hand = Mesh(skin_vertices(take.skin, rotations, origins), take.skin.faces)
    scale = shape.palm_stretch
    scene = take.scene
    around = scene_meshes(
        scene,
        wrist_mm=origins[0] + rotations[0] @ np.array([0.0, 6.0, 0.0]),
        forearm_direction=rotations[0][:, 1],
        forearm_radius_mm=(_WRIST_RADII_MM[0] * scale[0], _WRIST_RADII_MM[1] * scale[2]),
        hand_depth_mm=max(take.body_depth_mm, float(hand.vertices_mm[:, 2].max())),
        forearm_wide_axis=rotations[0][:, 0],
        sway_rad=2.0 * np.pi * index * take.recording.stride / _SWAY_FRAMES,
    )
    held = [] if take.held is None else [box_mesh(take.held.box(pose, index))]
    return [hand, around[0], *held, *around[1:]]


def _cut_out(
    depth_mm: Float32[np.ndarray, "height width"],
    true_mm: Float32[np.ndarray, "height width"],
    layer: Int16[np.ndarray, "height width"],
) -> Float32[np.ndarray, "height width"]:
    """Keep the hand, a rim of two pixels around it and the near end of the forearm."""
    import cv2

    hand = layer == _HAND
    rim = cv2.dilate(hand.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    farthest = true_mm[hand].max(initial=0.0) + 0.5 * _SEGMENTED_FOREARM_MM
    return np.where((rim | _near_forearm(layer, true_mm)) & (depth_mm <= farthest), depth_mm, np.float32(0.0))


def _near_forearm(
    layer: Int16[np.ndarray, "height width"], true_mm: Float32[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """Forearm pixels within the stump's length of the hand."""
    import cv2

    hand = (layer == _HAND).astype(np.uint8)
    if not hand.any():
        return np.zeros(layer.shape, dtype=bool)
    distance_px = cv2.distanceTransform(1 - hand, cv2.DIST_L2, 3)
    reach_px = _SEGMENTED_FOREARM_MM * DATASETS["msra"].camera.fx / true_mm[hand > 0].mean()
    return (layer == _FOREARM) & (distance_px < reach_px)


def _see_joints(
    take: Take,
    joints_mm: Float32[np.ndarray, "joints 3"],
    true_mm: Float32[np.ndarray, "height width"],
    camera: Camera,
) -> Bool[np.ndarray, "joints"]:
    """A joint is seen where the nearest surface at its pixel is the flesh (or the box) it belongs to."""
    own_mm = keypoint_radii_mm(KEYPOINTS[take.recording.dataset], take.recording.shape) + 6.0
    own_mm = np.concatenate([own_mm, np.full(len(joints_mm) - len(own_mm), 6.0)])
    u, v, z = project_points(joints_mm, camera).T
    column, row = np.rint(u).astype(int), np.rint(v).astype(int)
    inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    surface = np.zeros(len(z), np.float32)
    surface[inside] = true_mm[row[inside], column[inside]]
    return inside & ((surface == 0.0) | (surface > z - own_mm))


def object_truth(take: Take, index: int) -> Box | None:
    """The held box of frame `index`, in the axes of the drawing camera."""
    return None if take.held is None else take.held.box(take.poses[index], index)
