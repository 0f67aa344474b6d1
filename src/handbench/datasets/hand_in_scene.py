"""A posed hand with its forearm and what is around it, how it is cut out, and what of it the camera sees."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int16

from handbench.conventions import Camera
from handbench.geometry.camera import project_points
from handbench.geometry.mesh import Mesh
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import HandShape
from handbench.hand.skinning import Skin, skin_vertices
from handbench.rendering.scene import Scene, scene_meshes

Image = Float32[np.ndarray, "height width"]
Mask = Bool[np.ndarray, "height width"]
Layers = Int16[np.ndarray, "height width"]

HAND, FOREARM, OBJECT = 0, 1, 2
"""The first meshes of a frame, and with them the layers of its picture; the third only where an object is held."""

_WRIST_RADII_MM = (27.0, 19.0)
"""Half width and half thickness of the reference hand's wrist."""
STUMP_MM = {"msra": 35.0, "wristband": 12.0}
"""Of hands that are cut out: so much of the forearm stays, roughly in MSRA's, up to the band in the other."""
_FLESH_MM = 6.0
"""A point may lie so much deeper behind the surface that it is seen on than its own flesh is thick."""


def set_scene(
    skin: Skin, shape: HandShape, pose: Float[np.ndarray, "26"], scene: Scene, body_depth_mm: float, sway_rad: float
) -> tuple[Mesh, list[Mesh]]:
    """The hand, and what is around it: the forearm first."""
    rotations, origins = forward_kinematics(pose, shape)
    hand = Mesh(skin_vertices(skin, rotations, origins), skin.faces)
    scale = shape.palm_stretch
    around = scene_meshes(
        scene,
        wrist_mm=origins[0] + rotations[0] @ np.array([0.0, 6.0, 0.0]),
        forearm_direction=rotations[0][:, 1],
        forearm_radius_mm=(_WRIST_RADII_MM[0] * scale[0], _WRIST_RADII_MM[1] * scale[2]),
        hand_depth_mm=max(body_depth_mm, float(hand.vertices_mm[:, 2].max())),
        forearm_wide_axis=rotations[0][:, 0],
        sway_rad=sway_rad,
    )
    return hand, around


def cut_out(
    depth_mm: Image, true_mm: Image, kept: Mask, forearm: Mask, camera: Camera, stump_mm: float = STUMP_MM["msra"]
) -> Image:
    """Keep the hand and what it holds, a rim of two pixels around them and the near end of the forearm."""
    import cv2

    rim = cv2.dilate(kept.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    farthest = true_mm[kept].max(initial=0.0) + 0.5 * stump_mm
    shown = (rim | _near_forearm(kept, forearm, true_mm, camera, stump_mm)) & (depth_mm <= farthest)
    return np.where(shown, depth_mm, np.float32(0.0))


def _near_forearm(kept: Mask, forearm: Mask, true_mm: Image, camera: Camera, stump_mm: float) -> Mask:
    """Forearm pixels within the stump's length of the hand."""
    import cv2

    if not kept.any():
        return np.zeros(kept.shape, dtype=bool)
    distance_px = cv2.distanceTransform(1 - kept.astype(np.uint8), cv2.DIST_L2, 3)
    reach_px = stump_mm * camera.fx / true_mm[kept].mean()
    return forearm & (distance_px < reach_px)


def see_points(
    points_mm: Float[np.ndarray, "points 3"],
    own_mm: Float[np.ndarray, "some"],
    true_mm: Image,
    layer: Layers,
    camera: Camera,
) -> Bool[np.ndarray, "points"]:
    """A point is seen where the nearest surface at its pixel is the flesh (or the object) it belongs to.

    `own_mm` says of the first points, the hand's, how deep in the flesh they lie; the others lie on the object. What
    belongs to another mesh hides a point as soon as it is nearer, however little; beyond it, the pixel has just missed
    the point's own outline. The forearm is flesh of the hand's.
    """
    hand_points, object_points = len(own_mm), len(points_mm) - len(own_mm)
    reach_mm = np.concatenate([own_mm + _FLESH_MM, np.full(object_points, _FLESH_MM)])
    u, v, z = project_points(points_mm, camera).T
    column, row = np.rint(u).astype(int), np.rint(v).astype(int)
    inside = (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    surface, nearest = np.zeros(len(z), np.float32), np.full(len(z), -1)
    surface[inside], nearest[inside] = true_mm[row[inside], column[inside]], layer[row[inside], column[inside]]
    in_hand = np.arange(len(z)) < hand_points
    own = np.where(in_hand, (nearest == HAND) | (nearest == FOREARM), nearest == OBJECT)
    return inside & ((surface == 0.0) | (surface > z - np.where(own, reach_mm, 0.0)))
