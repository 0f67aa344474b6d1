"""The nearest sizeable region of a depth image: where a hand is looked for when no label may be used."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float32
from numba import njit

from handbench.conventions import Camera

Points = Float32[np.ndarray, "points 3"]

LINK_MM = 30.0
"""Neighbouring pixels whose depths differ by more belong to different surfaces: a hand and the body behind it."""
SIZEABLE_MM2 = 1200.0
"""Smaller regions are noise or flying pixels; a small fist seen from the front has twice this."""
GRID_COLUMNS = 320
"""Wider images are sampled down to about this many columns: enough for a centre, and four times faster."""


def find_nearest_region(
    depth_mm: Float32[np.ndarray, "height width"], camera: Camera, beside_mm: float = 0.0
) -> Points | None:
    """Points of the connected region whose nearest pixel is nearest, among those of a hand's size; None without one.

    Regions of that size that begin less than `beside_mm` behind it are taken with it.
    """
    step = max(depth_mm.shape[1] // GRID_COLUMNS, 1)
    grid_mm = np.ascontiguousarray(depth_mm[::step, ::step])
    area = step * step / (camera.fx * camera.fy)
    region_of, chosen = _label_regions(grid_mm, area, LINK_MM, SIZEABLE_MM2, beside_mm)
    if chosen < 0:
        return None
    v, u = np.nonzero(region_of == chosen)
    z = grid_mm[v, u]
    x = (u * step - camera.cx) * z / camera.fx
    y = (v * step - camera.cy) * z / camera.fy
    return np.stack([x, y, z], axis=-1).astype(np.float32)


def mean_inside_cube(
    points_mm: Points, start_mm: Float32[np.ndarray, "3"], cube_mm: float, steps: int = 20
) -> Float32[np.ndarray, "3"]:
    """Move a cube to the mean of the points inside it until it rests (half a millimetre) or `steps` are spent."""
    centre_mm = start_mm
    for _ in range(steps):
        mean_mm = _mean_of_inside(points_mm, centre_mm, np.float32(cube_mm / 2))
        moved_mm = float(np.abs(mean_mm - centre_mm).max())
        centre_mm = mean_mm
        if moved_mm < 0.5:
            break
    return centre_mm


@njit(cache=True, nogil=True)
@no_type_check
def _mean_of_inside(points_mm, centre_mm, half_mm):
    x_sum, y_sum, z_sum, count = 0.0, 0.0, 0.0, 0
    for i in range(points_mm.shape[0]):
        x, y, z = points_mm[i, 0], points_mm[i, 1], points_mm[i, 2]
        if max(abs(x - centre_mm[0]), abs(y - centre_mm[1]), abs(z - centre_mm[2])) <= half_mm:
            x_sum, y_sum, z_sum, count = x_sum + x, y_sum + y, z_sum + z, count + 1
    if count == 0:
        return centre_mm
    return np.array([x_sum / count, y_sum / count, z_sum / count]).astype(np.float32)


@njit(cache=True, nogil=True)
@no_type_check
def _label_regions(depth_mm, pixel_area, link_mm, sizeable_mm2, beside_mm):
    """Union-find over 4-neighbours in one pass; a pixel at depth z covers pixel_area * z * z square millimetres."""
    height, width = depth_mm.shape
    depth = depth_mm.ravel()
    parent = np.empty(height * width, np.int32)
    for pixel in range(depth.size):
        parent[pixel] = pixel if depth[pixel] > 0 else -1
        if depth[pixel] > 0:
            if pixel % width and depth[pixel - 1] > 0 and abs(depth[pixel] - depth[pixel - 1]) <= link_mm:
                _join(parent, pixel, pixel - 1)
            if pixel >= width and depth[pixel - width] > 0 and abs(depth[pixel] - depth[pixel - width]) <= link_mm:
                _join(parent, pixel, pixel - width)
    area_mm2 = np.zeros(depth.size, np.float32)
    nearest_mm = np.full(depth.size, np.inf, np.float32)
    for pixel in range(depth.size):
        if parent[pixel] >= 0:
            root = _root_of(parent, pixel)
            parent[pixel] = root
            area_mm2[root] += pixel_area * depth[pixel] * depth[pixel]
            nearest_mm[root] = min(nearest_mm[root], depth[pixel])
    chosen = -1
    for pixel in range(depth.size):
        if area_mm2[pixel] >= sizeable_mm2 and (chosen < 0 or nearest_mm[pixel] < nearest_mm[chosen]):
            chosen = pixel
    if chosen >= 0 and beside_mm > 0:
        farthest_mm = nearest_mm[chosen] + beside_mm
        for pixel in range(depth.size):
            # Roots have served: a pixel that was moved to the chosen region is never followed again.
            root = parent[pixel]
            if root >= 0 and area_mm2[root] >= sizeable_mm2 and nearest_mm[root] < farthest_mm:
                parent[pixel] = chosen
    return parent.reshape(height, width), chosen


@njit(cache=True, nogil=True)
@no_type_check
def _root_of(parent, pixel):
    while parent[pixel] != pixel:
        parent[pixel] = parent[parent[pixel]]
        pixel = parent[pixel]
    return pixel


@njit(cache=True, nogil=True)
@no_type_check
def _join(parent, pixel, neighbour):
    first, second = _root_of(parent, pixel), _root_of(parent, neighbour)
    if first < second:
        parent[second] = first
    else:
        parent[first] = second
