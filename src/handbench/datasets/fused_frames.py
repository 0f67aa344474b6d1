"""Semi-synthetic frames: a rendered object in front of a recorded hand, by the pixel-wise minimum (Section 4.1).

The object stands near the fingers at a random pose. It is not taken where it reaches into the hand's point cloud:
the measured points, the flesh behind each of them that no camera sees, and the fingers' bones between the labels.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from handbench.conventions import HANDOBJECT, MSRA_JOINTS, Camera
from handbench.datasets.drawn_object import (
    APART,
    HIDDEN,
    HIDING,
    INSIDE,
    LEAST_SEEN,
    MOST_HIDDEN,
    OUTSIDE,
    ObjectFrame,
    is_in_image,
    place_solid,
)
from handbench.datasets.hand_in_scene import HAND, OBJECT, see_points
from handbench.datasets.listing import Frame
from handbench.datasets.object_catalogue import Catalogue
from handbench.geometry.box import Box, box_corners
from handbench.geometry.camera import depth_to_points
from handbench.geometry.rotation import quaternion_to_rotation
from handbench.geometry.solids import Solid, placed_distance, placed_mesh, reach_along
from handbench.geometry.symmetry import find_symmetry, settle_free_turn
from handbench.hand.keypoints import KEYPOINTS, keypoint_radii_mm
from handbench.hand.skeleton import REFERENCE_SHAPE
from handbench.rendering.renderer import RenderLayers

NOISE_MM = 1.5
"""Standard deviation of the rendered object's depth: about what the sensor's own is at 400 mm."""
TOLERANCE_MM = 3.0
"""A point of the hand may lie so deep in the object: noise, and flesh that gives way."""
_TOLERATED_SHARE = 0.002
"""Of the hand's points, such as flying pixels between the hand and what was behind it, that may lie deeper."""
_FLESH_MM = (5.0, 10.0)
"""How far behind a measured point there is flesh for certain: fingers are 13 mm thick or more."""
_BONE_MM = 4.0
"""Least distance between object and bone."""
NEAR_MM = 16.0
"""Most distance between the object and the nearest measured point of hand or bone."""
_OBJECTS, _TRIES = 3, 80
"""Objects for a hand, and places for an object, before the hand is given up."""
_HAND_MM = 130.0
"""What is measured within this of a label is hand."""


_OUTER = np.array([[first + 1, first + 2, first + 3] for first in range(1, 21, 4)])
"""The outer three joints of each finger."""


@dataclass(frozen=True, eq=False)
class _Cloud:
    """What an object must not reach into."""

    points_mm: Float[np.ndarray, "points 3"]
    flesh_mm: Float[np.ndarray, "flesh 3"]
    bones_mm: Float[np.ndarray, "bones 3"]


def fuse_frame(
    frame: Frame,
    subject: str,
    catalogue: Catalogue,
    rng: np.random.Generator,
    render: RenderLayers,
    rejected: Counter[str],
) -> ObjectFrame | None:
    """One frame of a hand with an object before it or beside it; None where no object finds room.

    `rejected` goes on counting what was not taken.
    """
    cloud = _gather_cloud(frame)
    for _ in range(_OBJECTS):
        # One object for many tries: were each try another one, small ones would be taken more often.
        solid = catalogue.draw(rng)
        for _ in range(_TRIES):
            place = _draw_place(frame, solid, rng)
            reason = _find_fault(solid, place, cloud, frame.camera)
            if not reason:
                alone_mm, _ = render([placed_mesh(solid, place)], frame.camera)
                reason = _find_fault_of_view(alone_mm, frame)
            if not reason:
                return _compose(frame, subject, solid, place, alone_mm, rejected, rng)
            rejected[reason] += 1
    return None


def _gather_cloud(frame: Frame) -> _Cloud:
    points_mm = depth_to_points(frame.depth_mm, frame.camera)
    low_mm, high_mm = frame.joints_mm.min(axis=0) - _HAND_MM, frame.joints_mm.max(axis=0) + _HAND_MM
    points_mm = points_mm[((points_mm > low_mm) & (points_mm < high_mm)).all(axis=1)]
    away = points_mm / np.linalg.norm(points_mm, axis=1, keepdims=True)
    flesh_mm = np.concatenate([points_mm + deep * away for deep in _FLESH_MM])
    starts, ends = (frame.joints_mm[[edge[i] for edge in MSRA_JOINTS.edges]] for i in (0, 1))
    along = np.linspace(0.0, 1.0, 6)[:, None, None]
    bones_mm = (starts + along * (ends - starts)).reshape(-1, 3)
    return _Cloud(points_mm.astype(float), flesh_mm.astype(float), bones_mm.astype(float))


def _draw_place(frame: Frame, solid: Solid, rng: np.random.Generator) -> Box:
    """Beside the middle of a few fingers' outer joints, mostly on the camera's side."""
    fingers = rng.permutation(5)[: rng.integers(1, 6)]
    anchor_mm = frame.joints_mm[[_OUTER[finger, rng.integers(3)] for finger in fingers]].mean(axis=0)
    direction = rng.normal(size=3)
    if rng.random() < 0.75:
        direction[2] = -abs(direction[2])
    direction /= np.linalg.norm(direction)
    rotation = settle_free_turn(quaternion_to_rotation(rng.normal(size=4)), find_symmetry(solid.kind, solid.size_mm))
    # From between the fingers to where the surfaces just do not touch any more.
    away_mm = rng.uniform(0.3, 1.1) * (reach_along(solid, -direction @ rotation) + 20.0)
    return place_solid(solid, anchor_mm + away_mm * direction, rotation)


def _find_fault(solid: Solid, place: Box, cloud: _Cloud, camera: Camera) -> str:
    """Why an object cannot be there; empty where it can."""
    if not is_in_image(box_corners(place), camera):
        return OUTSIDE
    to_bones_mm = placed_distance(solid, place, cloud.bones_mm)
    if to_bones_mm.min() < _BONE_MM:
        return INSIDE
    to_points_mm = placed_distance(solid, place, cloud.points_mm)
    tolerated = _TOLERATED_SHARE * len(cloud.points_mm)
    if (to_points_mm < -TOLERANCE_MM).sum() > tolerated:
        return INSIDE
    to_flesh_mm = placed_distance(solid, place, cloud.flesh_mm)
    if (to_flesh_mm < -TOLERANCE_MM).sum() > len(_FLESH_MM) * tolerated:
        return INSIDE
    return APART if min(to_points_mm.min(initial=np.inf), to_bones_mm.min()) > NEAR_MM else ""


def _find_fault_of_view(alone_mm: Float32[np.ndarray, "height width"], frame: Frame) -> str:
    """What the camera would see of object and hand decides as well."""
    outline = alone_mm > 0
    seen = outline & ((frame.depth_mm == 0) | (alone_mm < frame.depth_mm))
    if seen.sum() < LEAST_SEEN * outline.sum():
        return HIDDEN
    hand = (frame.depth_mm > 0) & (frame.depth_mm < frame.joints_mm[:, 2].max() + 40.0)
    return HIDING if (hand & seen).sum() > MOST_HIDDEN * hand.sum() else ""


def _compose(
    frame: Frame,
    subject: str,
    solid: Solid,
    place: Box,
    alone_mm: Float32[np.ndarray, "height width"],
    rejected: Counter[str],
    rng: np.random.Generator,
) -> ObjectFrame:
    visible = see_points(
        np.concatenate([frame.joints_mm, box_corners(place)]),
        _flesh_of(frame),
        _nearer(alone_mm, frame.depth_mm),
        np.where(_is_nearer(alone_mm, frame.depth_mm), OBJECT, np.where(frame.depth_mm > 0, HAND, -1)).astype(np.int16),
        frame.camera,
    )
    noise_mm = NOISE_MM * rng.standard_normal(alone_mm.shape, np.float32)
    noisy_mm = np.where(alone_mm > 0, np.rint(alone_mm + noise_mm), np.float32(0))
    return ObjectFrame(
        depth_mm=_nearer(noisy_mm, frame.depth_mm),
        joints_mm=frame.joints_mm,
        visible=visible,
        place=place,
        kind=solid.kind,
        subject=subject,
        rejected=rejected,
    )


def _nearer(
    a_mm: Float32[np.ndarray, "height width"], b_mm: Float32[np.ndarray, "height width"]
) -> Float32[np.ndarray, "height width"]:
    """The pixel-wise minimum, where 0 is nothing."""
    return np.where(_is_nearer(a_mm, b_mm), a_mm, b_mm)


def _is_nearer(
    a_mm: Float32[np.ndarray, "height width"], b_mm: Float32[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """Where the minimum is the first."""
    return (a_mm > 0) & ((b_mm == 0) | (a_mm < b_mm))


def _flesh_of(frame: Frame) -> Float[np.ndarray, "21"]:
    """How deep each label lies in the flesh: the reference hand's, by the length of this middle finger."""
    mcp, pip, dip = (frame.joints_mm[MSRA_JOINTS.index(f"middle_{joint}")] for joint in ("mcp", "pip", "dip"))
    length_mm = np.linalg.norm(pip - mcp) + np.linalg.norm(dip - pip)
    share = length_mm / REFERENCE_SHAPE.lengths_mm[2, :2].sum()
    return keypoint_radii_mm(KEYPOINTS[HANDOBJECT.name], REFERENCE_SHAPE) * share
