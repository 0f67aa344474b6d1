"""The nearest sizeable region of a depth image: where a hand is looked for when no label may be used.

A hand is one region where the sensor measures all of it. Where it leaves holes, along contours and on steep skin, it is
several pieces: `find_pieces` has all of them, and `Pieces.gather` those that may belong to one hand.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float32, Int32
from numba import njit

from handbench.conventions import Camera

Points = Float32[np.ndarray, "points 3"]
Grid = Float32[np.ndarray, "rows columns"]

LINK_MM = 30.0
"""Neighbouring pixels whose depths differ by more belong to different surfaces: a hand and the body behind it."""
SIZEABLE_MM2 = 1200.0
"""Smaller regions are noise or flying pixels; a small fist seen from the front has twice this."""
HOLE_MM = 15.0
"""Where nothing is of a hand's size, pieces this close are one: holes in a hand are narrower than a finger."""
SPECK_MM2 = 25.0
"""Smaller pieces are flying pixels; a fingertip that stands alone has four times this."""
GRID_COLUMNS = 320
"""Wider images are sampled down to about this many columns: enough for a centre, and four times faster."""


@dataclass(frozen=True)
class Pieces:
    """All that is measured, and in which connected piece."""

    points_mm: Points
    piece: Int32[np.ndarray, "points"]
    """Number of each point's piece."""
    nearest: int
    """The one of a hand's size whose nearest pixel is nearest."""
    area_mm2: Float32[np.ndarray, "points"]
    """That each point covers."""

    @property
    def region_mm(self) -> Points:
        """The nearest piece of a hand's size."""
        return self.points_mm[self.piece == self.nearest]

    def gather(self, centre_mm: Float32[np.ndarray, "3"], cube_mm: float) -> Points:
        """The nearest piece and what else reaches into the cube: all of a hand that is measured in pieces.

        What is larger than the cube is a table, a body or a wall, and specks are nothing.
        """
        inside = (np.abs(self.points_mm - centre_mm) <= cube_mm / 2).all(axis=1)
        taken = self.piece == self.nearest
        for piece in np.unique(self.piece[inside]):
            whole = self.piece == piece
            wide_mm = float(np.ptp(self.points_mm[whole], axis=0).max())
            if wide_mm <= cube_mm and self.area_mm2[whole].sum() >= SPECK_MM2:
                taken |= whole
        return self.points_mm[taken]


def find_pieces(depth_mm: Float32[np.ndarray, "height width"], camera: Camera) -> Pieces | None:
    """All pieces of a frame; None where there is nothing of a hand's size."""
    grid_mm, step = _sample_grid(depth_mm)
    area = step * step / (camera.fx * camera.fy)
    piece_of, chosen = _find_regions(grid_mm, area, camera, step, 0.0)
    if chosen < 0:
        return None
    measured = grid_mm > 0
    points_mm = _back_project(grid_mm, measured, camera, step)
    return Pieces(points_mm, piece_of[measured], chosen, np.float32(area) * points_mm[:, 2] ** 2)


def find_nearest_region(
    depth_mm: Float32[np.ndarray, "height width"], camera: Camera, beside_mm: float = 0.0
) -> Points | None:
    """Points of the connected region whose nearest pixel is nearest, among those of a hand's size; None without one.

    Regions of that size that begin less than `beside_mm` behind it are taken with it.
    """
    grid_mm, step = _sample_grid(depth_mm)
    region_of, chosen = _find_regions(grid_mm, step * step / (camera.fx * camera.fy), camera, step, beside_mm)
    return None if chosen < 0 else _back_project(grid_mm, region_of == chosen, camera, step)


def _sample_grid(depth_mm: Float32[np.ndarray, "height width"]) -> tuple[Grid, int]:
    step = max(depth_mm.shape[1] // GRID_COLUMNS, 1)
    return np.ascontiguousarray(depth_mm[::step, ::step]), step


def _find_regions(
    grid_mm: Grid, area: float, camera: Camera, step: int, beside_mm: float
) -> tuple[Int32[np.ndarray, "rows columns"], int]:
    """The region of every pixel, -1 where nothing is measured, and the nearest of a hand's size, -1 without one.

    Neighbouring pixels are linked; only where that leaves nothing of a hand's size are holes bridged.
    """
    labels = _label_regions(grid_mm, area, LINK_MM, SIZEABLE_MM2, beside_mm, 0.0)
    if labels[1] < 0:
        hole = HOLE_MM * float(np.sqrt(camera.fx * camera.fy)) / step
        labels = _label_regions(grid_mm, area, LINK_MM, SIZEABLE_MM2, beside_mm, hole)
    return labels


def _back_project(grid_mm: Grid, chosen: Bool[np.ndarray, "rows columns"], camera: Camera, step: int) -> Points:
    """The points of the chosen pixels, row by row."""
    v, u = np.nonzero(chosen)
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
def _label_regions(depth_mm, pixel_area, link_mm, sizeable_mm2, beside_mm, hole):
    """Union-find over 4-neighbours in one pass; a pixel at depth z covers pixel_area * z * z square millimetres.

    Of holes up to `hole` / z pixels wide both sides are neighbours as well; 0: none.
    """
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
            if hole > 0:
                _bridge_holes(depth, parent, pixel, width, link_mm, int(hole / depth[pixel]))
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
def _bridge_holes(depth, parent, pixel, width, link_mm, reach):
    """Join a pixel to those before it within reach, in rows as in columns."""
    row, column = pixel // width, pixel % width
    left, right = max(column - reach, 0), min(column + reach, width - 1)
    for above in range(max(row - reach, 0), row + 1):
        for other in range(above * width + left, above * width + right + 1):
            if other < pixel and depth[other] > 0 and abs(depth[pixel] - depth[other]) <= link_mm:
                _join(parent, pixel, other)


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
