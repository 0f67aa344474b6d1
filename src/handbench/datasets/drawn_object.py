"""One rendered frame of a hand with an object: what the file holds, what is true of it, and why one is not taken."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from handbench.conventions import Camera
from handbench.geometry.box import Box, box_corners
from handbench.geometry.camera import project_points
from handbench.geometry.solids import Solid

OUTSIDE, INSIDE, APART, HIDDEN, HIDING = "outside the image", "in the hand", "far from the hand", "hidden", "hiding"
LOOSE, CROOKED = "not held", "fingers through fingers"
REASONS = (OUTSIDE, INSIDE, APART, HIDDEN, HIDING, LOOSE, CROOKED)
"""Why the place of an object is drawn again."""

LEAST_SEEN = 0.3
"""Share of an object's own outline that has to be seen."""
MOST_HIDDEN = 0.6
"""Share of the hand's pixels that an object may hide."""
TOUCH_MM = 3.0
"""A finger nearer to an object than this touches it."""
_EDGE_PX = 1.0
_NEAREST_MM = 130.0
"""Sensors of time of flight measure from about here."""


@dataclass(frozen=True)
class ObjectFrame:
    """One frame: what the sensor reports, its labels, and what else is true of it."""

    depth_mm: Float32[np.ndarray, "height width"]
    joints_mm: Float32[np.ndarray, "21 3"]
    visible: Bool[np.ndarray, "29"]
    """Of the 21 joints and the eight corners."""
    place: Box
    kind: str
    subject: str
    """Whose hand it is: where it was recorded and by whom."""
    rejected: Counter[str]
    """How many places were drawn and not taken before this one, by reason."""
    pose: Float[np.ndarray, "26"] | None = None
    """Of the hand, where all is rendered."""
    penetration_mm: float = 0.0
    """How deep the skin reaches into the object at its deepest, where all is rendered."""
    gap_mm: float = 0.0
    """Least distance between skin and object; 0 where they touch."""
    released: bool = False
    """Whether the hand was opened a little after it had closed: it may touch no more."""

    @property
    def labels_mm(self) -> Float32[np.ndarray, "29 3"]:
        return np.concatenate([self.joints_mm, box_corners(self.place)]).astype(np.float32)


def place_solid(solid: Solid, centre_mm: Float[np.ndarray, "3"], rotation: Float[np.ndarray, "3 3"]) -> Box:
    return Box(centre_mm, rotation, solid.size_mm)


def is_in_image(points_mm: Float[np.ndarray, "points 3"], camera: Camera) -> bool:
    """Whether every point projects into the image, at a distance that the sensor measures."""
    if points_mm[:, 2].min() < _NEAREST_MM:
        return False
    u, v, _ = project_points(points_mm, camera).T
    across = (u.min() >= _EDGE_PX) & (u.max() <= camera.width - 1 - _EDGE_PX)
    return bool(across & (v.min() >= _EDGE_PX) & (v.max() <= camera.height - 1 - _EDGE_PX))
