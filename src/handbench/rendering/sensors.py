"""What a depth camera makes of a clean depth image.

Structured light (Kinect, NYU), time of flight (Creative) and coded light (RealSense, one's own camera). All keep 0 as
"no measurement", return whole millimetres and run one thread a call; the same generator state gives the same image.
What is drawn at random depends on the image's shape alone: where two renderers differ in a pixel of the outline, no
other pixel and nothing that the generator gives afterwards may differ.
Every number without a source is ours, set by eye beside the real NYU frame.
"""

import math
from typing import no_type_check

import numpy as np
from jaxtyping import Float32
from numba import njit

from handbench.conventions import Camera

Depth = Float32[np.ndarray, "height width"]
Grid = Float32[np.ndarray, "rows columns"]

# Measured on NYU test frame 1 at f = 587.075: 1/z of its levels is evenly spaced, 1 / (8 f b) = 2.906e-6 / mm.
BASELINE_MM = 73.27
"""From the projector, on the camera's left, to the camera."""
DISPARITY_STEPS = 8.0
"""Levels a pixel of disparity."""
_LEVEL_PHASE = 0.413
STRUCTURED_LIGHT_RANGE_MM = (400.0, 2000.0)
"""Beyond it NYU's files hold 2001, which is background: no measurement here."""

_CONTOUR_CELL_PX, _CONTOUR_SHIFT_PX = 4, np.float32(1.7)
_SURFACE_CELL_PX, _SURFACE_NOISE_LEVELS = 5, np.float32(0.8)
_SAME_SURFACE_LEVELS = 7.0
_EATEN_JUMP_LEVELS, _EATEN_SHARE = 15.0, 0.12

TIME_OF_FLIGHT_RANGE_MM = (120.0, 1500.0)
_NOISE_FLOOR_MM, _NOISE_AT_METRE_MM = 0.8, 4.0
_FLYING_SHARE, _FLYING_REACH_MM = 0.45, 30.0
_FLYING_JUMP_MM = 12.0

CODED_LIGHT_RANGE_MM = (200.0, 1200.0)
_CODED_BASELINE_MM = 26.0
_CODED_FLOOR_MM, _CODED_AT_METRE_MM = 0.5, 3.0
_WAVE_CELL_PX, _WAVE_SHARE = 6, np.float32(1.5)
_CODED_JUMP_MM, _EDGE_LOSS, _STEEP, _STEEP_LOSS = 15.0, 0.6, 2.5, 0.5


def structured_light(depth_mm: Depth, camera: Camera, rng: np.random.Generator) -> Depth:
    """Ragged contours, the projector's shadow on the right of what is near, smooth speckle, quantised disparity."""
    shape = depth_mm.shape
    shift_u = _draw_grid(shape, _CONTOUR_CELL_PX, rng)
    shift_v = _draw_grid(shape, _CONTOUR_CELL_PX, rng)
    surface = _draw_grid(shape, _SURFACE_CELL_PX, rng)
    eaten = _draw_grid(shape, 2, rng)
    focal_baseline = camera.fx * BASELINE_MM
    seen_mm = _match_windows(depth_mm, shift_u, shift_v, DISPARITY_STEPS * focal_baseline)
    _cast_shadow(seen_mm, focal_baseline)
    return _quantise_disparity(seen_mm, surface, eaten, DISPARITY_STEPS * focal_baseline)


def time_of_flight(depth_mm: Depth, camera: Camera, rng: np.random.Generator) -> Depth:
    """Noise that grows with distance and slant, and pixels that float between what is near and what is behind."""
    noise, chance = _draw_pixels(depth_mm.shape, rng)
    return _measure_phase(depth_mm, noise, chance, 0.5 * (camera.fx + camera.fy))


def coded_light(depth_mm: Depth, camera: Camera, rng: np.random.Generator) -> Depth:
    """Stripes in time: fine noise on slow waves, a narrow shadow, contours and steep skin that decode to nothing."""
    seen_mm = depth_mm.copy()
    _cast_shadow(seen_mm, camera.fx * _CODED_BASELINE_MM)
    waves = _draw_grid(depth_mm.shape, _WAVE_CELL_PX, rng)
    noise, chance = _draw_pixels(depth_mm.shape, rng)
    return _decode_stripes(seen_mm, waves, noise, chance, 0.5 * (camera.fx + camera.fy))


SENSORS = {"structured light": structured_light, "time of flight": time_of_flight, "coded light": coded_light}
"""By the word that conventions have for them."""


def _draw_grid(shape: tuple[int, ...], cell_px: int, rng: np.random.Generator) -> Grid:
    """Uniform in [-1, 1] at every corner of cells that cover the image."""
    corners = (shape[0] // cell_px + 2, shape[1] // cell_px + 2)
    return 2.0 * rng.random(corners, np.float32) - np.float32(1.0)


def _draw_pixels(shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Depth, Depth]:
    """Of every pixel, measured or not, a normal deviate and a number in [0, 1)."""
    return rng.standard_normal(shape, np.float32), rng.random(shape, np.float32)


# The kernels carry @no_type_check because the tests' shape checker would wrap them before numba can compile them.


@njit(nogil=True, cache=True, inline="always")
@no_type_check
def _interpolate_grid(grid, cell_px, row, column):
    # Unsigned, since numba's floor division of signed numbers branches: this runs for every pixel of every frame.
    top, left = np.uint32(row) // np.uint32(cell_px), np.uint32(column) // np.uint32(cell_px)
    down = np.float32(row - top * cell_px) * np.float32(1.0 / cell_px)
    right = np.float32(column - left * cell_px) * np.float32(1.0 / cell_px)
    above = grid[top, left] + right * (grid[top, left + 1] - grid[top, left])
    below = grid[top + 1, left] + right * (grid[top + 1, left + 1] - grid[top + 1, left])
    return above + down * (below - above)


@njit(nogil=True, cache=True)
@no_type_check
def _match_windows(depth_mm, shift_u, shift_v, levels_mm):
    """Block matching moves contours by a pixel or two, alike over a few rows, and closes gaps narrower than it sees."""
    height, width = depth_mm.shape
    seen_mm = np.zeros_like(depth_mm)
    for row in range(height):
        for column in range(width):
            left, right = max(column - 5, 0), min(column + 5, width - 1)
            if depth_mm[row, left] == depth_mm[row, column] == depth_mm[row, right] == 0.0:
                continue
            du = _CONTOUR_SHIFT_PX * _interpolate_grid(shift_u, _CONTOUR_CELL_PX, row, column)
            dv = _CONTOUR_SHIFT_PX * _interpolate_grid(shift_v, _CONTOUR_CELL_PX, row, column)
            at_row = min(max(row + int(np.rint(dv)), 0), height - 1)
            at = min(max(column + int(np.rint(du)), 0), width - 1)
            z = depth_mm[at_row, at]
            before, after = depth_mm[at_row, max(at - 1, 0)], depth_mm[at_row, min(at + 1, width - 1)]
            gap_mm = _EATEN_JUMP_LEVELS * before * before / levels_mm
            walled = before > 0.0 and after > 0.0 and abs(before - after) < gap_mm
            if walled and (z == 0.0 or z > max(before, after) + gap_mm):
                z = max(before, after)
            if STRUCTURED_LIGHT_RANGE_MM[0] <= z <= STRUCTURED_LIGHT_RANGE_MM[1]:
                seen_mm[row, column] = z
    return seen_mm


@njit(nogil=True, cache=True)
@no_type_check
def _cast_shadow(seen_mm, focal_baseline):
    """Blank what the projector cannot reach: its column of a point is u + f b / z, and the first point there wins."""
    height, width = seen_mm.shape
    for row in range(height):
        reached = -1.0e9
        for column in range(width):
            if seen_mm[row, column] > 0.0:
                lit = column + focal_baseline / seen_mm[row, column]
                if lit < reached - 1.0:
                    seen_mm[row, column] = 0.0
                reached = max(reached, lit)


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _quantise_disparity(seen_mm, surface, eaten, levels_mm):
    """Average disparity over the window's own surface, add slow noise, round to a level, and that to a millimetre."""
    height, width = seen_mm.shape
    measured_mm = np.zeros_like(seen_mm)
    for row in range(height):
        for column in range(width):
            z = seen_mm[row, column]
            if z == 0.0:
                continue
            level_mm = z * z / levels_mm
            total, count, jumps = np.float32(0.0), 0, 0
            for down in (-2, 0, 2):
                for right in (-2, 0, 2):
                    near_row = min(max(row + down, 0), height - 1)
                    other = seen_mm[near_row, min(max(column + right, 0), width - 1)]
                    if abs(other - z) <= _SAME_SURFACE_LEVELS * level_mm:
                        total += other
                        count += 1
                    elif abs(other - z) > _EATEN_JUMP_LEVELS * level_mm:
                        jumps += 1
            if jumps > 1 and eaten[row // 2, column // 2] > 1.0 - 0.25 * _EATEN_SHARE * jumps:
                continue
            noise = _SURFACE_NOISE_LEVELS * _interpolate_grid(surface, _SURFACE_CELL_PX, row, column)
            level = np.rint(levels_mm * count / total + noise - _LEVEL_PHASE) + _LEVEL_PHASE
            measured_mm[row, column] = np.rint(levels_mm / level)
    return measured_mm


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _measure_phase(depth_mm, noise, chance, focal_px):
    height, width = depth_mm.shape
    measured_mm = np.zeros_like(depth_mm)
    for row in range(height):
        for column in range(width):
            z = depth_mm[row, column]
            if not TIME_OF_FLIGHT_RANGE_MM[0] <= z <= TIME_OF_FLIGHT_RANGE_MM[1]:
                continue
            behind, slope = _look_around(depth_mm, row, column)
            luck = chance[row, column]
            if behind > 0.0 and luck < _FLYING_SHARE:
                # A pixel that sees both surfaces measures between them; into the void it drifts back a little way.
                share = luck / _FLYING_SHARE
                z += share * share * min(behind, _FLYING_REACH_MM)
            slant = math.sqrt(1.0 + (slope * focal_px / z) ** 2)
            if slant > 4.0 and luck > 0.85:
                continue
            sigma_mm = (_NOISE_FLOOR_MM + _NOISE_AT_METRE_MM * (z / 1000.0) ** 2) * min(slant, 4.0)
            measured_mm[row, column] = np.rint(z + sigma_mm * noise[row, column])
    return measured_mm


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _decode_stripes(depth_mm, waves, noise, chance, focal_px):
    """A stripe that is broken by an edge, or squeezed by steep skin, is often not read."""
    height, width = depth_mm.shape
    measured_mm = np.zeros_like(depth_mm)
    for row in range(height):
        for column in range(width):
            z = depth_mm[row, column]
            if not CODED_LIGHT_RANGE_MM[0] <= z <= CODED_LIGHT_RANGE_MM[1]:
                continue
            edge, steepness = _look_across(depth_mm, row, column, focal_px)
            luck = chance[row, column]
            if (edge and luck < _EDGE_LOSS) or (steepness > _STEEP and luck > 1.0 - _STEEP_LOSS):
                continue
            sigma_mm = (_CODED_FLOOR_MM + _CODED_AT_METRE_MM * (z / 1000.0) ** 2) * (1.0 + 0.3 * min(steepness, 4.0))
            wave = _WAVE_SHARE * _interpolate_grid(waves, _WAVE_CELL_PX, row, column)
            measured_mm[row, column] = np.rint(z + sigma_mm * (noise[row, column] + wave))
    return measured_mm


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _look_across(depth_mm, row, column, focal_px):
    """Whether a neighbour lies on another surface, and the slope of this one without a unit."""
    height, width = depth_mm.shape
    z = depth_mm[row, column]
    edge, slope = False, np.float32(0.0)
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        other = depth_mm[min(max(row + down, 0), height - 1), min(max(column + right, 0), width - 1)]
        step = abs(other - z)
        if other == 0.0 or step > _CODED_JUMP_MM:
            edge = True
        else:
            slope = max(slope, step)
    return edge, slope * focal_px / z


@njit(nogil=True, cache=True)
@no_type_check
def _look_around(depth_mm, row, column):
    """How far behind this pixel the farthest neighbour lies (0 = none behind), and the slope in mm a pixel."""
    height, width = depth_mm.shape
    z = depth_mm[row, column]
    behind, slope = np.float32(0.0), np.float32(0.0)
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        near_row, near_column = row + down, column + right
        if not (0 <= near_row < height and 0 <= near_column < width):
            continue
        other = depth_mm[near_row, near_column]
        step = abs(other - z)
        if other == 0.0 or other - z > _FLYING_JUMP_MM:
            behind = max(behind, _FLYING_REACH_MM if other == 0.0 else other - z)
        elif step <= _FLYING_JUMP_MM:
            slope = max(slope, step)
    return behind, slope
