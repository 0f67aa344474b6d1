"""The slow reference: every joint its own 4x4 transform, multiplied out along each chain, one pose at a time."""

import numpy as np

from handbench.hand.skeleton import HandShape


def translate(x: float, y: float, z: float) -> np.ndarray:
    transform = np.eye(4)
    transform[:3, 3] = x, y, z
    return transform


def turn_x(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1.0]])


def turn_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1.0]])


def turn_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def place_bones_slowly(pose: np.ndarray, shape: HandShape) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (16, 3, 3) and origins (16, 3) of one pose."""
    x, y, z, yaw, pitch, roll = pose[:6]
    palm = translate(x, y, z) @ turn_z(roll) @ turn_x(pitch) @ turn_y(yaw)
    frames = [palm]
    for finger in range(5):
        flexion_1, abduction, flexion_2, flexion_3 = pose[6 + 4 * finger : 10 + 4 * finger]
        rest = np.eye(4)
        rest[:3, :3] = shape.rest_rotations[finger]
        frame = palm @ translate(*shape.bases_mm[finger]) @ rest @ turn_z(abduction) @ turn_x(flexion_1)
        frames.append(frame)
        for length, flexion in zip(shape.lengths_mm[finger, :2], (flexion_2, flexion_3), strict=True):
            frame = frame @ translate(0, -length, 0) @ turn_x(flexion)
            frames.append(frame)
    stacked = np.stack(frames)
    return stacked[:, :3, :3], stacked[:, :3, 3]


def sample_any_poses(rng: np.random.Generator, count: int) -> np.ndarray:
    """Poses anywhere in front of the camera, any view, any angles within the limits."""
    from handbench.hand.skeleton import ANGLE_LIMITS_RAD

    low, high = ANGLE_LIMITS_RAD.T
    return np.concatenate(
        [
            rng.uniform(-200, 200, (count, 2)),
            rng.uniform(300, 900, (count, 1)),
            rng.uniform(-np.pi, np.pi, (count, 3)),
            rng.uniform(low, high, (count, 20)),
        ],
        axis=1,
    )
