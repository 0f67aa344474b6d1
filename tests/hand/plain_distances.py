"""Slow references of collision: distances between segments by dense sampling."""

import numpy as np


def measure_segments_slowly(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray, steps: int = 200) -> float:
    """Least distance between points sampled along pq and exact feet on rs."""
    t = np.linspace(0.0, 1.0, steps)[:, None]
    points = p + t * (q - p)
    axis = s - r
    foot = np.clip((points - r) @ axis / (axis @ axis), 0.0, 1.0)[:, None]
    return float(np.linalg.norm(points - r - foot * axis, axis=1).min())
