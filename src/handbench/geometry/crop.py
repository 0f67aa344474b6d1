"""The metric cube around a hand, cut from a depth image and normalised to [-1, 1]; and every way back.

Two pixel conventions meet here. A window is half-open, [start, start + length) on each axis, and may lie partly or
wholly outside the image. `patch_from_image` speaks of pixel centres, so it carries half a pixel on each side.
"""

from math import isfinite
from typing import Literal, no_type_check

import numpy as np
from jaxtyping import Float, Float32, Float64
from numba import njit

from handbench.conventions import BACKGROUND, Camera
from handbench.errors import BadInput

Rounding = Literal["nearest", "floor"]
Sampling = Literal["centre", "corner"]
Patch = Float32[np.ndarray, "size size"]
Transform = Float64[np.ndarray, "3 3"]

NEAREST_MM = 1.0
"""No sensor measures nearer, and a window grows without bound as the centre comes to the camera (trap 46)."""


def crop_cube(
    depth_mm: Float32[np.ndarray, "height width"],
    centre_mm: Float[np.ndarray, "3"],
    cube_mm: float,
    camera: Camera,
    *,
    size_px: int = 128,
    rounding: Rounding = "nearest",
    sampling: Sampling = "centre",
) -> tuple[Patch, Transform]:
    """The patch of (depth - centre) / (edge / 2) in [-1, 1], and `patch_from_image` for pixel centres.

    The window is centre +- (edge / 2) f / z on each axis, its bounds rounded by floor(x + 0.5) as DeepPrior++ does or
    by floor as DeepModel does (trap 43); the longer side fills the patch. Each patch pixel takes one image pixel, so a
    hole never mixes with a measurement (trap 44): the one under its middle ("centre") or under its upper left corner
    ("corner", as OpenCV's nearest resize does).
    """
    x, y, z = centre_mm.tolist()
    if not (z >= NEAREST_MM and isfinite(x + y + z) and cube_mm > 0):
        raise BadInput(
            "crop",
            expected=f"a centre at least {NEAREST_MM:g} mm in front of the camera and a cube with an edge",
            found=f"centre ({x:g}, {y:g}, {z:g}) mm, cube {cube_mm:g} mm",
            fix="choose the centre with datasets.centres, which falls back where a label or a hand is missing",
        )
    patch = np.empty((size_px, size_px), np.float32)
    patch_from_image = np.empty((3, 3))
    _crop(
        depth_mm,
        (x, y, z, cube_mm / 2),
        (camera.fx, camera.fy, camera.cx, camera.cy),
        0.5 if rounding == "nearest" else 0.0,
        1 if sampling == "centre" else 0,
        patch,
        patch_from_image,
    )
    return patch, patch_from_image


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _crop(depth_mm, cube, pinhole, rounding, half_step, patch, patch_from_image):
    x, y, z, half_mm = cube
    fx, fy, cx, cy = pinhole
    left, columns_in = _window(x, half_mm, z, fx, cx, rounding)
    top, rows_in = _window(y, half_mm, z, fy, cy, rounding)
    size, longer = patch.shape[0], max(columns_in, rows_in)
    columns_out, rows_out = max(columns_in * size // longer, 1), max(rows_in * size // longer, 1)
    patch_left, patch_top = (size - columns_out + 1) // 2, (size - rows_out + 1) // 2
    across, down = (left, columns_in, patch_left, columns_out), (top, rows_in, patch_top, rows_out)
    _fill_patch(depth_mm, np.float32(z), np.float32(1 / half_mm), half_step, across, down, patch)
    scale_u, scale_v = columns_out / columns_in, rows_out / rows_in
    patch_from_image[:] = 0.0
    patch_from_image[0, 0], patch_from_image[0, 2] = scale_u, (0.5 - left) * scale_u + patch_left - 0.5 * half_step
    patch_from_image[1, 1], patch_from_image[1, 2] = scale_v, (0.5 - top) * scale_v + patch_top - 0.5 * half_step
    patch_from_image[2, 2] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _window(centre_mm, half_mm, z, focal, principal, rounding):
    start = int(np.floor((centre_mm - half_mm) * focal / z + principal + rounding))
    end = int(np.floor((centre_mm + half_mm) * focal / z + principal + rounding))
    return start, max(end - start, 1)


@njit(cache=True, nogil=True, error_model="numpy")
@no_type_check
def _fill_patch(depth_mm, centre_z, per_half_edge, half_step, across, down, patch):
    """One pass, no temporary larger than a row; `across` and `down` are (start, length, patch start, patch length)."""
    size = patch.shape[0]
    height, width = depth_mm.shape
    left, columns_in, patch_left, columns_out = across
    top, rows_in, patch_top, rows_out = down
    # Unsigned indices: numba then leaves out the check for negative ones, and the inner loop becomes vector gathers.
    columns = np.empty(size, np.uint32)
    first, last = size, size
    for j in range(columns_out):
        # floor((j + phase) * in / out) in whole numbers, so that no rounding error moves a sample.
        column = left + (2 * j + half_step) * columns_in // (2 * columns_out)
        if 0 <= column < width:
            first = min(first, patch_left + j)
            last = patch_left + j + 1
            columns[patch_left + j] = column
    background, one = np.float32(BACKGROUND), np.float32(1)
    for i in range(size):
        row = top + (2 * (i - patch_top) + half_step) * rows_in // (2 * rows_out)
        if not (patch_top <= i < patch_top + rows_out and 0 <= row < height):
            patch[i, :] = background
            continue
        patch[i, :first] = background
        patch[i, last:] = background
        source, target, taken = depth_mm[row], patch[i, first:last], columns[first:last]
        for j in range(target.size):
            measured = source[taken[j]]
            normalised = min(max((measured - centre_z) * per_half_edge, -one), one)
            # Written so that NaN, like 0, is no measurement (traps 27 and 42).
            target[j] = normalised if measured > 0 else background


def normalise_joints(
    joints_mm: Float[np.ndarray, "*batch joints 3"],
    centre_mm: Float[np.ndarray, "*batch 3"],
    cube_mm: Float[np.ndarray, "*batch"] | float,
) -> Float[np.ndarray, "*batch joints 3"]:
    """Camera millimetres to the cube's own axes, where its faces are at -1 and +1."""
    return (joints_mm - centre_mm[..., None, :]) / _half_edge(cube_mm)


def unnormalise_joints(
    joints: Float[np.ndarray, "*batch joints 3"],
    centre_mm: Float[np.ndarray, "*batch 3"],
    cube_mm: Float[np.ndarray, "*batch"] | float,
) -> Float[np.ndarray, "*batch joints 3"]:
    """The inverse of `normalise_joints`."""
    return joints * _half_edge(cube_mm) + centre_mm[..., None, :]


def unnormalise_pose(
    pose: Float[np.ndarray, "*batch 26"],
    centre_mm: Float[np.ndarray, "*batch 3"],
    cube_mm: Float[np.ndarray, "*batch"] | float,
) -> Float[np.ndarray, "*batch 26"]:
    """The same for pose parameters, of which the first three are a place in the cube and the others angles."""
    wrist_mm = unnormalise_joints(pose[..., None, :3], centre_mm, cube_mm)[..., 0, :]
    return np.concatenate([wrist_mm, pose[..., 3:]], axis=-1)


def _half_edge(cube_mm: Float[np.ndarray, "*batch"] | float) -> Float[np.ndarray, "*batch 1 1"] | float:
    return cube_mm / 2 if isinstance(cube_mm, int | float) else cube_mm[..., None, None] / 2


def patch_to_points(
    pixels: Float[np.ndarray, "*batch 3"],
    patch_from_image: Float[np.ndarray, "3 3"],
    centre_mm: Float[np.ndarray, "3"],
    cube_mm: float,
    camera: Camera,
) -> Float[np.ndarray, "*batch 3"]:
    """(patch column, patch row, normalised depth) to camera millimetres."""
    (scale_u, _, shift_u), (_, scale_v, shift_v), _ = patch_from_image
    column, row, normalised = np.moveaxis(pixels, -1, 0)
    z = normalised * (cube_mm / 2) + centre_mm[2]
    x = ((column - shift_u) / scale_u - camera.cx) * z / camera.fx
    y = ((row - shift_v) / scale_v - camera.cy) * z / camera.fy
    return np.stack([x, y, z], axis=-1)


def points_to_patch(
    points_mm: Float[np.ndarray, "*batch 3"],
    patch_from_image: Float[np.ndarray, "3 3"],
    centre_mm: Float[np.ndarray, "3"],
    cube_mm: float,
    camera: Camera,
) -> Float[np.ndarray, "*batch 3"]:
    """The inverse of `patch_to_points`; fractional pixels, nothing clipped."""
    (scale_u, _, shift_u), (_, scale_v, shift_v), _ = patch_from_image
    x, y, z = np.moveaxis(points_mm, -1, 0)
    column = (camera.fx * x / z + camera.cx) * scale_u + shift_u
    row = (camera.fy * y / z + camera.cy) * scale_v + shift_v
    return np.stack([column, row, (z - centre_mm[2]) / (cube_mm / 2)], axis=-1)
