"""Pinhole projection between camera-axes millimetres and (u, v, depth) pixels."""

import numpy as np
from jaxtyping import Float

from handbench.conventions import Camera

Points = Float[np.ndarray, "*batch 3"]


def project_points(points_mm: Points, camera: Camera) -> Points:
    """(x, y, z) in millimetres, y down, to (u px, v px, depth mm)."""
    x, y, z = np.moveaxis(points_mm, -1, 0)
    return np.stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy, z], axis=-1)


def back_project_points(uvd: Points, camera: Camera) -> Points:
    """(u px, v px, depth mm) to (x, y, z) in millimetres, y down."""
    u, v, d = np.moveaxis(uvd, -1, 0)
    return np.stack([(u - camera.cx) * d / camera.fx, (v - camera.cy) * d / camera.fy, d], axis=-1)


def depth_to_points(depth_mm: Float[np.ndarray, "height width"], camera: Camera) -> Float[np.ndarray, "points 3"]:
    """Every measured pixel (depth above zero) as a point in millimetres, row by row."""
    v, u = np.nonzero(depth_mm > 0)
    uvd = np.stack([u, v, depth_mm[v, u]], axis=-1).astype(np.float32)
    return back_project_points(uvd, camera)
