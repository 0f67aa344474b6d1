"""Smooth sequences of feasible poses: gestures, viewpoints and places, each on a timetable of its own.

Neighbouring frames look alike, as in recorded sets: values move between key poses along minimum-jerk curves, wait,
and move on. The ranges per dataset are set so that the statistics of the embedded labels match those of the real
ones; docs/embedded-data.md shows both.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from handbench.hand.collision import CONTACT_TOLERANCE_MM, self_penetration
from handbench.hand.gestures import GestureRange, find_opening, open_until_free, sample_gesture
from handbench.hand.kinematics import hand_rotation
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, HandShape

Track = Float[np.ndarray, "frames values"]

_BRIEFEST_MOVE = 0.25
"""Of the mean length of a move: a hand does not turn over in a thirtieth of a second."""
_REGULARITY = 4.0
"""Shape of the gamma distribution of the lengths of moves and rests: half of the mean is their deviation."""
_OPENING_REACH_FRAMES = 4
_OPENING_ROUNDS = 6


@dataclass(frozen=True)
class Spread:
    """A value that mostly stays near its middle and sometimes goes far."""

    mean: float
    near: float
    far: float
    far_share: float = 0.0
    far_mean: float = 0.0

    def sample(self, rng: np.random.Generator) -> float:
        if rng.random() < self.far_share:
            return float(rng.normal(self.far_mean, self.far))
        return float(rng.normal(self.mean, self.near))


@dataclass(frozen=True)
class PoseRange:
    """What the recorded people of a dataset do with their hands."""

    gestures: GestureRange
    yaw_deg: Spread
    pitch_deg: Spread
    roll_deg: Spread
    depth_mm: tuple[float, float]
    """Range of the palm centre's distance."""
    sideways_share: tuple[float, float]
    """Half-ranges of the palm centre around the image centre, as shares of the image size."""
    revisits: float
    """Probability that the hand returns to a gesture and view it has shown before, as people who record do."""
    revisit_deg: float
    """How exactly it returns: deviation of every angle."""
    pose_frames: tuple[float, float]
    """Mean length of a move between gestures and views, and of a rest there."""
    place_frames: tuple[float, float]
    tremor_deg: float


def sample_sequence(
    rng: np.random.Generator,
    frames: int,
    ranges: PoseRange,
    shape: HandShape,
    view_angle: tuple[float, float],
    named_gesture: str | None = None,
    stride: int = 1,
) -> Float[np.ndarray, "frames 26"]:
    """Poses of one recording; `view_angle` is the tangent of half the field of view, across and down.

    Of a recording `stride` times as long only each `stride`-th frame is kept.
    """
    shown: list[Float[np.ndarray, 23]] = []

    def next_pose() -> Float[np.ndarray, "23"]:
        if shown and rng.random() < ranges.revisits:
            return shown[rng.integers(len(shown))] + np.radians(ranges.revisit_deg) * rng.normal(size=23)
        shown.append(
            np.concatenate([_sample_view(rng, ranges), sample_gesture(rng, ranges.gestures, shape, named_gesture)])
        )
        return shown[-1]

    whole = frames * stride
    place = _follow(rng, whole, ranges.place_frames, lambda: _sample_place(rng, ranges, view_angle))[::stride]
    angles = _follow(rng, whole, ranges.pose_frames, next_pose)
    angles = (angles + np.radians(ranges.tremor_deg) * _smooth_noise(rng, whole, 23))[::stride]
    poses = np.concatenate([np.zeros((frames, 3)), angles], axis=1)
    poses[:, 6:] = np.clip(poses[:, 6:], ANGLE_LIMITS_RAD[:, 0], ANGLE_LIMITS_RAD[:, 1])
    open_smoothly(poses, shape)
    poses[:, :3] = place - _palm_centre(poses, shape)
    return poses


def sample_pose(
    rng: np.random.Generator, ranges: PoseRange, shape: HandShape, view_angle: tuple[float, float]
) -> Float[np.ndarray, "26"]:
    """One pose by itself, free of collisions: what such a recording may show, without its order in time."""
    angles = np.concatenate([_sample_view(rng, ranges), sample_gesture(rng, ranges.gestures, shape)])
    pose = np.concatenate([np.zeros(3), angles])
    pose[:3] = _sample_place(rng, ranges, view_angle) - _palm_centre(pose[None], shape)[0]
    return pose


def open_smoothly(poses: Float[np.ndarray, "frames 26"], shape: HandShape) -> None:
    """Open, in place, the fingers of frames that collide; they open and close again over the frames around."""
    angles = poses[:, 6:].copy()
    needed, opening = np.zeros(len(poses)), np.zeros(len(poses))
    # A hand half opened for its neighbours' sake may collide where the closed one did not: look again.
    for _ in range(_OPENING_ROUNDS):
        colliding = find_colliding(poses, shape)
        if not len(colliding):
            return
        for frame in colliding:
            needed[frame] = find_opening(angles[frame], shape, least=float(opening[frame]))
        opening = _spread_in_time(needed)
        poses[:, 6:] = (1.0 - opening[:, None]) * angles
    for frame in find_colliding(poses, shape):
        poses[frame, 6:] = open_until_free(poses[frame, 6:], shape)


def find_colliding(poses: Float[np.ndarray, "frames 26"], shape: HandShape) -> Integer[np.ndarray, "colliding"]:
    """The frames in which flesh passes through flesh."""
    return np.nonzero(self_penetration(poses, shape) > CONTACT_TOLERANCE_MM)[0]


def _spread_in_time(needed: Float[np.ndarray, "frames"]) -> Float[np.ndarray, "frames"]:
    """At least what is needed in every frame, without jumps: the maximum around it, then the mean of those."""
    width = 2 * _OPENING_REACH_FRAMES + 1
    padded = np.pad(needed, width - 1, mode="edge")
    highest = np.lib.stride_tricks.sliding_window_view(padded, width).max(axis=1)
    return np.lib.stride_tricks.sliding_window_view(highest, width).mean(axis=1)


def _palm_centre(poses: Float[np.ndarray, "frames 26"], shape: HandShape) -> Float[np.ndarray, "frames 3"]:
    centre = np.array([0.0, -60.0, 0.0]) * shape.palm_stretch
    return hand_rotation(poses[:, 3:6]) @ centre


def _sample_view(rng: np.random.Generator, ranges: PoseRange) -> Float[np.ndarray, "3"]:
    degrees = [ranges.yaw_deg.sample(rng), ranges.pitch_deg.sample(rng), ranges.roll_deg.sample(rng)]
    degrees[1] = float(np.clip(degrees[1], -85.0, 85.0))
    return np.radians(degrees)


def _sample_place(
    rng: np.random.Generator, ranges: PoseRange, view_angle: tuple[float, float]
) -> Float[np.ndarray, "3"]:
    depth = rng.uniform(*ranges.depth_mm)
    x, y = (
        rng.uniform(-1.0, 1.0) * share * tangent * depth
        for share, tangent in zip(ranges.sideways_share, view_angle, strict=True)
    )
    return np.array([x, y, depth])


def _follow(
    rng: np.random.Generator,
    frames: int,
    timing: tuple[float, float],
    next_target: Callable[[], Float[np.ndarray, "values"]],
) -> Track:
    """Move to a target, rest there, move on; moves and rests last as long as a gamma distribution says."""
    previous = next_target()
    pieces = [previous[None]]
    length = 1
    while length < frames:
        target = next_target()
        move, rest = (max(2, int(rng.gamma(_REGULARITY, mean / _REGULARITY))) for mean in timing)
        move = max(move, int(_BRIEFEST_MOVE * timing[0]))
        pieces += [previous + _minimum_jerk(move)[:, None] * (target - previous), np.repeat(target[None], rest, axis=0)]
        previous, length = target, length + move + rest
    return np.concatenate(pieces)[:frames]


def _minimum_jerk(steps: int) -> Float[np.ndarray, "steps"]:
    t = np.arange(1, steps + 1) / steps
    return t**3 * (10.0 - 15.0 * t + 6.0 * t**2)


def _smooth_noise(rng: np.random.Generator, frames: int, values: int) -> Track:
    """White noise through a short Gaussian window, unit variance."""
    window = np.exp(-0.5 * (np.arange(-8, 9) / 3.0) ** 2)
    window /= np.sqrt((window**2).sum())
    white = rng.normal(size=(frames + 16, values))
    return np.stack([np.convolve(white[:, i], window, mode="valid") for i in range(values)], axis=1)
