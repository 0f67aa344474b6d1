"""The embedded Dexter+Object sequences: which box is held, how it turns in the hand, which corners are labelled."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from handbench.geometry.box import Box, box_distance
from handbench.hand.grasp import find_closing
from handbench.hand.kinematics import hand_rotation
from handbench.hand.skeleton import HandShape

LARGE_BOX_MM = (60.0, 110.0, 35.0)
SMALL_BOX_MM = (36.0, 70.0, 28.0)

CLOSED_DEG = np.array([[38.0, -15.0, 55.0, 70.0]] + [[85.0, 0.0, 105.0, 65.0]] * 4)
OPEN_DEG = np.array(
    [[-20.0, 15.0, 0.0, 0.0], [0.0, 6.0, 5.0, 3.0], [0.0, 0.0, 5.0, 3.0], [0.0, -5.0, 5.0, 3.0]]
    + [[0.0, -10.0, 5.0, 3.0]]
)
PALM_THICKNESS_MM = 24.0
"""From the palm's plane to what lies on it, for the reference hand."""
_LETTING_GO_FRAMES = 5


@dataclass(frozen=True)
class HeldBox:
    """A box that moves with the palm and turns in it."""

    size_mm: tuple[float, float, float]
    centres_mm: Float[np.ndarray, "frames 3"]
    """In palm axes."""
    rotations: Float[np.ndarray, "frames 3 3"]
    """Palm axes from box axes."""
    corners: tuple[int, int, int]
    """The labelled corners: three ends of one face, on the side away from the palm."""

    def in_palm(self, index: int) -> Box:
        return Box(self.centres_mm[index], self.rotations[index], np.array(self.size_mm))

    def box(self, pose: Float[np.ndarray, "26"], index: int) -> Box:
        """In camera axes, given the hand's pose."""
        palm = hand_rotation(pose[3:6])
        return Box(pose[:3] + palm @ self.centres_mm[index], palm @ self.rotations[index], np.array(self.size_mm))


@dataclass(frozen=True)
class _Play:
    """What happens in a sequence: the box, how far it turns, how often the hand opens, where along the palm it sits."""

    size_mm: tuple[float, float, float]
    turn_deg: float
    openings: float
    palm_share: float


_PLAYS = {
    "Grasp1": _Play(LARGE_BOX_MM, 8.0, 1.0, 0.95),
    "Grasp2": _Play(SMALL_BOX_MM, 8.0, 1.0, 0.95),
    "Occlusion": _Play(LARGE_BOX_MM, 15.0, 0.0, 1.0),
    "Pinch": _Play(SMALL_BOX_MM, 10.0, 0.5, 1.25),
    "Rigid": _Play(LARGE_BOX_MM, 0.0, 0.0, 1.0),
    "Rotate": _Play(SMALL_BOX_MM, 80.0, 0.0, 1.05),
}


def hold_box(
    sequence: str, poses: Float[np.ndarray, "frames 26"], shape: HandShape, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "frames 26"], HeldBox]:
    """Replace the fingers' angles by a grasp of the sequence's box, which follows the palm."""
    play = _PLAYS[sequence]
    frames = len(poses)
    phase = 2.0 * np.pi * (np.arange(frames) / 180.0 + rng.random())
    turn = np.radians(play.turn_deg) * np.sin(phase)
    tilt = np.radians(0.3 * play.turn_deg) * np.sin(0.6 * phase)
    rotations = hand_rotation(np.stack([turn, tilt, np.full(frames, np.radians(rng.normal(0.0, 6.0)))], axis=1))
    half_depth = 0.5 * np.abs(rotations[:, 2] * np.array(play.size_mm)).sum(axis=1)
    centres = np.tile(np.array([2.0, -95.0 * play.palm_share, 0.0]) * shape.palm_stretch, (frames, 1))
    centres[:, 2] = -PALM_THICKNESS_MM * shape.palm_stretch[2] - half_depth
    held = HeldBox(play.size_mm, centres, rotations, corners=(2, 0, 4))
    grasped = poses.copy()
    # The hand opens for a part of each cycle where the sequence is about grasping.
    opening = play.openings * np.clip(1.4 * np.sin(0.5 * phase) - 0.4, 0.0, 1.0)
    opened, closed = np.radians(OPEN_DEG).reshape(20), np.radians(CLOSED_DEG).reshape(20)
    closing = np.stack(
        [find_closing(opened, closed, partial(box_distance, held.in_palm(index)), shape) for index in range(frames)]
    )
    share = np.repeat((1.0 - opening[:, None]) * _reach_gradually(closing), 4, axis=1)
    grasped[:, 6:] = opened + share * (closed - opened)
    return grasped, held


def _reach_gradually(closing: Float[np.ndarray, "frames 5"]) -> Float[np.ndarray, "frames 5"]:
    """Nowhere farther than each frame allows, and without a jump where a finger loses hold of a turning box."""
    reach = _LETTING_GO_FRAMES
    padded = np.pad(closing, ((2 * reach, 2 * reach), (0, 0)), mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0).min(axis=-1)
    return np.lib.stride_tricks.sliding_window_view(lowest, 2 * reach + 1, axis=0).mean(axis=-1)
