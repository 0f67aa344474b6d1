"""Finger configurations people make: curled fingers move together, the last two joints of a finger move together.

A gesture is the 20 finger angles. It is drawn as curls (0 = straight, 1 = into the palm) that fingers share to a
degree, turned into angles within the anatomical limits, and opened until nothing passes through anything.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from handbench.hand.collision import CONTACT_TOLERANCE_MM, self_penetration
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, HandShape

Angles = Float[np.ndarray, "20"]


@dataclass(frozen=True)
class GestureRange:
    """How varied the gestures of a dataset are."""

    straight_share: float
    """Probability that the common curl of a gesture is near zero (an open hand)."""
    independence: float
    """Probability that a finger ignores the common curl."""
    curl_spread: float
    """Standard deviation of a finger's curl around the common one."""
    knuckle_share: tuple[float, float]
    """Mean and deviation of how much of a curl the knuckle (first joint) takes; the rest is hooked."""
    spread_deg: float
    """Deviation of the sideways spread of the fingers."""
    thumb_spread: float
    """Deviation of the thumb's joints, as a share of their range."""


# Curl of thumb, index, middle, ring, little in MSRA's 17 gesture folders (digits and letters of finger spelling).
NAMED_CURLS = {
    "1": (0.8, 0.0, 0.9, 0.9, 0.9),
    "2": (0.8, 0.0, 0.0, 0.9, 0.9),
    "3": (0.0, 0.0, 0.0, 0.9, 0.9),
    "4": (0.9, 0.0, 0.0, 0.0, 0.0),
    "5": (0.0, 0.0, 0.0, 0.0, 0.0),
    "6": (0.8, 0.0, 0.0, 0.0, 0.6),
    "7": (0.8, 0.0, 0.0, 0.6, 0.0),
    "8": (0.8, 0.0, 0.6, 0.0, 0.0),
    "9": (0.8, 0.6, 0.0, 0.0, 0.0),
    "I": (0.7, 0.9, 0.9, 0.9, 0.0),
    "IP": (0.5, 0.45, 0.8, 0.85, 0.9),
    "L": (0.0, 0.0, 0.9, 0.9, 0.9),
    "MP": (0.6, 0.1, 0.5, 0.2, 0.2),
    "RP": (0.7, 0.1, 0.15, 0.5, 0.2),
    "T": (0.4, 0.7, 0.9, 0.9, 0.9),
    "TIP": (0.5, 0.35, 0.35, 0.35, 0.4),
    "Y": (0.0, 0.9, 0.9, 0.9, 0.0),
}


def sample_gesture(
    rng: np.random.Generator, gestures: GestureRange, shape: HandShape, named: str | None = None
) -> Angles:
    """One feasible gesture; with `named`, a variation of that gesture."""
    if named is None:
        curls = _sample_curls(rng, gestures)
    else:
        curls = np.clip(np.array(NAMED_CURLS[named]) + rng.normal(0.0, 0.07, 5), 0.0, 1.0)
    return open_until_free(_curls_to_angles(rng, gestures, curls), shape)


def _sample_curls(rng: np.random.Generator, gestures: GestureRange) -> Float[np.ndarray, "5"]:
    common = abs(rng.normal(0.0, 0.12)) if rng.random() < gestures.straight_share else rng.beta(1.3, 1.3)
    shared = common + rng.normal(0.0, gestures.curl_spread, 5)
    alone = rng.beta(0.6, 0.8, 5)
    return np.clip(np.where(rng.random(5) < gestures.independence, alone, shared), 0.0, 1.0)


def _curls_to_angles(rng: np.random.Generator, gestures: GestureRange, curls: Float[np.ndarray, "5"]) -> Angles:
    angles = np.zeros((5, 4))
    mean, deviation = gestures.knuckle_share
    knuckle = np.clip(rng.normal(mean, deviation) + rng.normal(0.0, 0.4 * deviation, 5), 0.05, 1.3)
    angles[:, 0] = np.radians(-6.0 + 85.0 * curls * knuckle + rng.normal(0.0, 6.0, 5))
    angles[:, 2] = np.radians(4.0 + 105.0 * curls * np.clip(1.5 - knuckle, 0.2, 1.2) + rng.normal(0.0, 6.0, 5))
    # The last joint follows the middle one: they share a tendon.
    angles[:, 3] = 0.62 * angles[:, 2] + np.radians(rng.normal(0.0, 5.0, 5))
    fan = rng.normal(0.15, 1.0) * np.array([0.0, 1.0, 0.15, -0.6, -1.1])
    looseness = 1.0 - 0.8 * curls
    angles[:, 1] = np.radians(gestures.spread_deg * (fan + rng.normal(0.0, 0.5, 5))) * looseness
    low, high = ANGLE_LIMITS_RAD[:4, 0], ANGLE_LIMITS_RAD[:4, 1]
    middle = np.array([0.35, 0.5, 0.25, 0.25]) + curls[0] * np.array([0.25, -0.25, 0.4, 0.4])
    thumb = middle + gestures.thumb_spread * rng.normal(0.0, 1.0, 4)
    angles[0] = low + np.clip(thumb, 0.0, 1.0) * (high - low)
    return np.clip(angles.reshape(20), ANGLE_LIMITS_RAD[:, 0], ANGLE_LIMITS_RAD[:, 1])


def open_until_free(angles: Angles, shape: HandShape) -> Angles:
    """The gesture, opened towards the straight hand just as far as collisions demand."""
    return (1.0 - find_opening(angles, shape)) * angles


def find_opening(angles: Angles, shape: HandShape, least: float = 0.0, steps: int = 64) -> float:
    """By which share, `least` or more, to open a gesture so that nothing collides; 1 is the straight hand."""
    openings = np.linspace(least, 1.0, steps)
    poses = np.zeros((steps, 26))
    poses[:, 6:] = (1.0 - openings[:, None]) * angles
    free = self_penetration(poses, shape) <= CONTACT_TOLERANCE_MM
    return float(openings[free.argmax()] if free.any() else 1.0)
