"""Fully synthetic frames: the hand model holding an object, both rendered together (Section 4.1).

The paper captured five users with five objects; here a grasp is made: the object lies before the palm at some pose
and the fingers close until they touch it. Each grasp is seen from several sides.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from handbench.conventions import HANDOBJECT
from handbench.datasets.drawn_object import (
    CROOKED,
    HIDDEN,
    INSIDE,
    LEAST_SEEN,
    LOOSE,
    OUTSIDE,
    TOUCH_MM,
    ObjectFrame,
    is_in_image,
    place_solid,
)
from handbench.datasets.hand_in_scene import FOREARM, HAND, OBJECT, cut_out, see_points, set_scene
from handbench.datasets.held_box import CLOSED_DEG, OPEN_DEG, PALM_THICKNESS_MM
from handbench.datasets.recordings import make_person
from handbench.errors import BadInput
from handbench.geometry.box import Box, box_corners
from handbench.geometry.rotation import quaternion_to_rotation
from handbench.geometry.solids import Solid, placed_distance, placed_mesh, reach_along
from handbench.geometry.symmetry import find_symmetry, quarter_turns, settle_free_turn
from handbench.hand.collision import CONTACT_TOLERANCE_MM, self_penetration
from handbench.hand.grasp import find_closing, finger_clearance, surface_clearance
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions, keypoint_radii_mm
from handbench.hand.kinematics import hand_rotation
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, HandShape
from handbench.hand.skinning import Skin, make_skin, pose_mesh
from handbench.rendering.renderer import RenderLayers
from handbench.rendering.scene import Scene, sample_scene
from handbench.rendering.sensors import time_of_flight

USERS = 5
VIEWS = 10
"""Frames of one grasp."""
MOST_PENETRATION_MM = 5.0
"""How deep a vertex of the skin may reach into the object."""
_HAND_SIZES = (0.84, 0.80, 0.76, 0.72, 0.68)
"""Length of each user's middle finger against the reference hand's: MSRA's people lie between 0.62 and 0.78, and
Dexter+Object's embedded ones have 0.86."""
_RELEASED_SHARE = 0.15
"""Share of grasps that are shown a little opened: hands take hold and let go."""
_CUT_OUT_SHARE = 0.25
"""Share of grasps shown cut out as MSRA's hands are; the others with all of their forearm, as the benchmark's."""
_TRIES = 400


@dataclass(frozen=True, eq=False)
class Grasp:
    """A hand that holds an object, in palm axes."""

    subject: str
    shape: HandShape
    skin: Skin
    angles: Float[np.ndarray, "20"]
    solid: Solid
    in_palm: Box
    penetration_mm: float
    gap_mm: float
    """Both on the faces of the skin."""
    released: bool
    rejected: Counter[str]


def make_grasp(user: int, solid: Solid, rng: np.random.Generator) -> Grasp:
    """A user's hand around an object: drawn until it is held and nothing passes through anything."""
    shape = make_person(160 + user, _HAND_SIZES[user])
    skin, rejected = make_skin(shape), Counter[str]()
    for _ in range(_TRIES):
        in_palm = _draw_place(solid, shape, rng)
        held = partial(placed_distance, solid, in_palm)
        opened, closed = _draw_range(OPEN_DEG, rng), _draw_range(CLOSED_DEG, rng)
        share = np.repeat(find_closing(opened, closed, held, shape), 4)
        pose = np.concatenate([np.zeros(6), opened + share * (closed - opened)])
        touching = finger_clearance(pose[None], held, shape)[0] < TOUCH_MM
        if touching.sum() < 2 or not touching[1:].any():
            rejected[LOOSE] += 1
            continue
        released = rng.random() < _RELEASED_SHARE
        if released:
            pose[6:] = opened + rng.uniform(0.4, 0.9) * (pose[6:] - opened)
        if self_penetration(pose[None], shape)[0] > CONTACT_TOLERANCE_MM:
            rejected[CROOKED] += 1
            continue
        surface = pose_mesh(skin, shape, pose)
        if -held(surface.vertices_mm).min() > MOST_PENETRATION_MM:
            rejected[INSIDE] += 1
            continue
        nearest_mm = surface_clearance(surface, held)
        deepest_mm, gap_mm = max(-nearest_mm, 0.0), max(nearest_mm, 0.0)
        subject = f"user_{user + 1}"
        return Grasp(subject, shape, skin, pose[6:], solid, in_palm, deepest_mm, gap_mm, released, rejected)
    found = ", ".join(f"{count} {reason}" for reason, count in rejected.most_common())
    fix = "hold a smaller object, or none with sharp ends"
    raise BadInput("grasp", expected=f"a grasp of a {solid.kind} within {_TRIES} tries", found=found, fix=fix)


def draw_views(grasp: Grasp, stream: Sequence[int], render: RenderLayers, views: int) -> list[ObjectFrame]:
    """The grasp from several sides.

    What a view draws at random is its own, so that whatever a renderer does to one changes no other.
    """
    rng = np.random.default_rng([*stream, VIEWS])
    scene, cut = sample_scene("creative", rng), rng.random() < _CUT_OUT_SHARE
    # A grasp's own rejected tries are told with its first frame.
    told = [grasp.rejected, *(Counter[str]() for _ in range(views - 1))]
    return [
        _draw_view(grasp, np.random.default_rng([*stream, view]), render, scene, cut, told[view])
        for view in range(views)
    ]


def _draw_view(
    grasp: Grasp, rng: np.random.Generator, render: RenderLayers, scene: Scene, cut: bool, rejected: Counter[str]
) -> ObjectFrame:
    """One side of a grasp from which enough of the object is seen, with its sensor's noise."""
    camera = HANDOBJECT.camera
    for _ in range(_TRIES):
        pose = np.concatenate([_draw_wrist(rng), grasp.angles])
        place = _place_in_camera(grasp, pose)
        joints_mm = keypoint_positions(KEYPOINTS[HANDOBJECT.name], grasp.shape, pose)
        if not is_in_image(np.concatenate([joints_mm, box_corners(place)]), camera):
            rejected = rejected + Counter({OUTSIDE: 1})
            continue
        hand, around = set_scene(grasp.skin, grasp.shape, pose, scene, 0.0, 0.0)
        solid = placed_mesh(grasp.solid, place)
        true_mm, layer = render([hand, around[0], solid, *around[1:]], camera)
        if (layer == OBJECT).sum() < LEAST_SEEN * (render([solid], camera)[0] > 0).sum():
            rejected = rejected + Counter({HIDDEN: 1})
            continue
        depth_mm = time_of_flight(true_mm, camera, rng)
        if cut:
            depth_mm = cut_out(depth_mm, true_mm, (layer == HAND) | (layer == OBJECT), layer == FOREARM, camera)
        own_mm = keypoint_radii_mm(KEYPOINTS[HANDOBJECT.name], grasp.shape)
        return ObjectFrame(
            depth_mm=depth_mm,
            joints_mm=joints_mm.astype(np.float32),
            visible=see_points(np.concatenate([joints_mm, box_corners(place)]), own_mm, true_mm, layer, camera),
            place=place,
            kind=grasp.solid.kind,
            subject=grasp.subject,
            rejected=rejected,
            pose=pose,
            penetration_mm=grasp.penetration_mm,
            gap_mm=grasp.gap_mm,
            released=grasp.released,
        )
    raise BadInput("grasp", expected=f"a view within {_TRIES} tries", found="none", fix="try a seed")


def _draw_place(solid: Solid, shape: HandShape, rng: np.random.Generator) -> Box:
    """Before the palm, from its middle to beyond the fingertips; mostly along or across the hand."""
    if rng.random() < 0.7:
        turns = quarter_turns()
        rotation = turns[rng.integers(len(turns))] @ quaternion_to_rotation(np.array([1.0, *rng.normal(0.0, 0.12, 3)]))
    else:
        rotation = quaternion_to_rotation(rng.normal(size=4))
    towards_palm = reach_along(solid, np.array([0.0, 0.0, 1.0]) @ rotation)
    x = rng.normal(2.0, 8.0)
    y = -95.0 * rng.uniform(0.85, 1.3)
    centre_mm = np.array([x, y, 0.0]) * shape.palm_stretch
    centre_mm[2] = -PALM_THICKNESS_MM * shape.palm_stretch[2] - towards_palm - rng.uniform(0.0, 6.0)
    return place_solid(solid, centre_mm, rotation)


def _draw_range(degrees: Float[np.ndarray, "5 4"], rng: np.random.Generator) -> Float[np.ndarray, "20"]:
    angles = np.radians(degrees + rng.normal(0.0, 5.0, (5, 4))).reshape(20)
    return np.clip(angles, ANGLE_LIMITS_RAD[:, 0], ANGLE_LIMITS_RAD[:, 1])


def _draw_wrist(rng: np.random.Generator) -> Float[np.ndarray, "6"]:
    """Where the wrist is and how the hand is turned: from the palm's side mostly, from the back at times."""
    degrees = [rng.normal(10.0, 45.0), np.clip(rng.normal(15.0, 22.0), -85.0, 85.0), rng.normal(0.0, 32.0)]
    depth_mm = rng.uniform(300.0, 560.0)
    rotation = hand_rotation(np.radians(np.array(degrees)))
    aside_mm = rng.uniform(-0.2, 0.2, 2) * depth_mm
    # The middle of the hand, not its wrist, is before the camera.
    wrist_mm = np.array([*aside_mm, depth_mm]) - rotation @ np.array([0.0, -75.0, -20.0])
    return np.concatenate([wrist_mm, np.radians(degrees)])


def _place_in_camera(grasp: Grasp, pose: Float[np.ndarray, "26"]) -> Box:
    palm = hand_rotation(pose[3:6])
    rotation = settle_free_turn(palm @ grasp.in_palm.rotation, find_symmetry(grasp.solid.kind, grasp.solid.size_mm))
    return place_solid(grasp.solid, pose[:3] + palm @ grasp.in_palm.centre_mm, rotation)
