"""A small NYU-like test set and its texts, for tests that need no real data."""

from pathlib import Path

import numpy as np

from handbench.conventions import DATASETS
from handbench.geometry.camera import project_points

FRAMES = 260


def make_joints(dataset: str = "nyu", frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    """Hands of scattered joints that move about 750 mm (NYU) or 350 mm (others) in front of the camera."""
    rng = np.random.default_rng(seed)
    joints = len(DATASETS[dataset].scored)
    depth = 750.0 if dataset == "nyu" else 350.0
    centres = np.array([60.0, -90.0, depth]) + rng.normal(0, 25, (frames, 1, 3))
    shape = rng.normal(0, 40, (1, joints, 3)) + rng.normal(0, 4, (frames, joints, 3))
    return centres + shape


def as_uvd(joints_mm: np.ndarray, dataset: str = "nyu") -> np.ndarray:
    return project_points(joints_mm, DATASETS[dataset].camera)


def write_text(
    path: Path, points: np.ndarray, *, separator: str = " ", end: str = "\n", names: list[str] | None = None
) -> Path:
    rows = points.reshape(len(points), -1)
    lines = [separator.join(f"{value:.3f}" for value in row) for row in rows]
    if names:
        lines = [f"{name}{separator}{line}" for name, line in zip(names, lines, strict=True)]
    path.write_bytes("".join(line + end for line in lines).encode())
    return path
