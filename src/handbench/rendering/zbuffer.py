"""Depth images by a software rasteriser: no GPU, no window, one thread a call.

A pixel is sampled at its centre, which is at integer coordinates as in geometry.camera. Vertices snap to 1/256 of a
pixel before the inside test, as a graphics card's do, so the test is exact arithmetic: two triangles that share an
edge leave no hole between them (a centre on the edge belongs to both), and masks equal OpenGL's.
Depth is interpolated as 1/z over the unsnapped vertices, which is perspective-correct.

Faces seen from behind are not drawn, as pyrender never draws them; a closed mesh looks the same without them.
A face with a vertex nearer than NEAR_MM is dropped whole, not clipped.
"""

import math
from collections.abc import Sequence
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Float64, Int16, Int64
from numba import njit

from handbench.conventions import Camera
from handbench.errors import BadInput
from handbench.geometry.mesh import Mesh

NEAR_MM = 10.0
_SUBPIXELS = 256.0

Depth = Float32[np.ndarray, "height width"]
Layer = Int16[np.ndarray, "height width"]


def render_layers(meshes: Sequence[Mesh], camera: Camera) -> tuple[Depth, Layer]:
    """Depth in millimetres (0 = nothing) and the index of the mesh seen at each pixel (-1 = nothing)."""
    depth_mm = np.zeros((camera.height, camera.width), np.float32)
    layer = np.full((camera.height, camera.width), -1, np.int16)
    for index, mesh in enumerate(meshes):
        vertices_mm = np.ascontiguousarray(mesh.vertices_mm, np.float64)
        faces = np.ascontiguousarray(mesh.faces, np.int64)
        _check_faces(faces, len(vertices_mm), index)
        exact = _project(vertices_mm, camera.fx, camera.fy, camera.cx, camera.cy)
        snapped = _snap(vertices_mm, camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height)
        _draw_faces(exact, snapped, faces, index, depth_mm, layer)
    return depth_mm, layer


def render_each(
    meshes: Sequence[Mesh],
    which: Int64[np.ndarray, "frames"],
    rotations: Float64[np.ndarray, "frames 3 3"],
    centres_mm: Float64[np.ndarray, "frames 3"],
    stretches: Float64[np.ndarray, "frames 3"],
    pinholes: Float64[np.ndarray, "frames 4"],
    size_px: int,
) -> Float32[np.ndarray, "frames size size"]:
    """One of the meshes in each of many small square images: stretched in its own axes, turned, put in its place.

    `pinholes` holds fx, fy, cx and cy of every image. No mesh is posed outside of the kernel, so that a cuboid at 64
    pixels takes as long as its pixels do.
    """
    vertices = [np.ascontiguousarray(mesh.vertices_mm, np.float64) for mesh in meshes]
    faces = [np.ascontiguousarray(mesh.faces, np.int64) for mesh in meshes]
    for index, (points, corners) in enumerate(zip(vertices, faces, strict=True)):
        _check_faces(corners, len(points), index)
    depth_mm = np.zeros((len(which), size_px, size_px), np.float32)
    for index in np.unique(which).tolist():
        frames = np.flatnonzero(which == index)
        poses = tuple(np.ascontiguousarray(values) for values in (rotations, centres_mm, stretches, pinholes))
        _draw_each(vertices[index], faces[index], frames, *poses, depth_mm)
    return depth_mm


def _check_faces(faces: Int64[np.ndarray, "faces 3"], vertices: int, index: int) -> None:
    """The kernels read without bounds checks."""
    if len(faces) and not (faces.min() >= 0 and faces.max() < vertices):
        raise BadInput(
            f"mesh {index}",
            expected=f"faces that name vertices 0 to {vertices - 1}",
            found=f"{faces.min()} to {faces.max()}",
            fix="check where the mesh came from",
        )


# The kernels carry @no_type_check because the tests' shape checker would wrap them before numba can compile them.


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _project(vertices_mm, fx, fy, cx, cy):
    """(u, v, 1/z) of each vertex; 1/z = 0 marks one too near to be drawn."""
    projected = np.zeros((len(vertices_mm), 3))
    for i in range(len(vertices_mm)):
        z = vertices_mm[i, 2]
        if z >= NEAR_MM:
            projected[i, 0] = fx * vertices_mm[i, 0] / z + cx
            projected[i, 1] = fy * vertices_mm[i, 1] / z + cy
            projected[i, 2] = 1.0 / z
    return projected


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _snap(vertices_mm, fx, fy, cx, cy, width, height):
    """(u, v) to 1/256 pixel, in single precision and in OpenGL's order of operations, so that it snaps the same way."""
    one, half = np.float32(1.0), np.float32(0.5)
    clip_x, clip_xz = np.float32(2.0 * fx / width), np.float32(1.0 - 2.0 * (cx + 0.5) / width)
    clip_y, clip_yz = np.float32(2.0 * fy / height), np.float32(2.0 * (cy + 0.5) / height - 1.0)
    half_width, half_height = half * np.float32(width), half * np.float32(height)
    snapped = np.zeros((len(vertices_mm), 2))
    for i in range(len(vertices_mm)):
        x, y, z = np.float32(vertices_mm[i, 0]), np.float32(vertices_mm[i, 1]), np.float32(vertices_mm[i, 2])
        if z >= NEAR_MM:
            u = (clip_x * x - clip_xz * z) * (one / z) * half_width + half_width - half
            v = (-clip_y * y - clip_yz * z) * (one / z) * half_height + half_height - half
            snapped[i, 0] = np.rint(u * _SUBPIXELS) / _SUBPIXELS
            snapped[i, 1] = height - 1.0 - np.rint(v * _SUBPIXELS) / _SUBPIXELS
    return snapped


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _draw_each(vertices, faces, frames, rotations, centres_mm, stretches, pinholes, depth_mm):
    """One mesh into the frames that show it."""
    size = depth_mm.shape[1]
    layer = np.empty((size, size), np.int16)
    posed = np.empty_like(vertices)
    for frame in frames:
        for i in range(len(vertices)):
            for axis in range(3):
                posed[i, axis] = centres_mm[frame, axis]
                for own in range(3):
                    posed[i, axis] += rotations[frame, axis, own] * stretches[frame, own] * vertices[i, own]
        fx, fy, cx, cy = pinholes[frame]
        layer[:] = -1
        exact = _project(posed, fx, fy, cx, cy)
        _draw_faces(exact, _snap(posed, fx, fy, cx, cy, size, size), faces, 0, depth_mm[frame], layer)


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _draw_faces(exact, snapped, faces, index, depth_mm, layer):
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        if min(exact[a, 2], exact[b, 2], exact[c, 2]) > 0.0:
            outline = (snapped[a, 0], snapped[a, 1], snapped[b, 0], snapped[b, 1], snapped[c, 0], snapped[c, 1])
            _draw_face(exact[a], exact[b], exact[c], outline, index, depth_mm, layer)


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _draw_face(a, b, c, outline, index, depth_mm, layer):
    """Keep the nearer depth at every pixel centre inside one face."""
    height, width = depth_mm.shape
    ua, va, ub, vb, uc, vc = outline
    if not (ub - ua) * (vc - va) - (vb - va) * (uc - ua) < 0.0:
        return  # seen from behind, edge-on or not a number; v points down, so a front face turns the negative way
    w_u, w_v = _find_gradient(a, b, c)
    w_low, w_high = min(a[2], b[2], c[2]), max(a[2], b[2], c[2])
    first_row = int(max(0.0, math.ceil(min(va, vb, vc))))
    last_row = int(min(height - 1.0, math.floor(max(va, vb, vc))))
    low_u, high_u = max(0.0, min(ua, ub, uc)), min(width - 1.0, max(ua, ub, uc))
    for row in range(first_row, last_row + 1):
        start, stop = _cut_row(ua, va, ub, vb, row, low_u, high_u)
        start, stop = _cut_row(ub, vb, uc, vc, row, start, stop)
        start, stop = _cut_row(uc, vc, ua, va, row, start, stop)
        w_row = a[2] + w_v * (row - a[1]) - w_u * a[0]
        for column in range(math.ceil(start), math.floor(stop) + 1):
            # A centre inside the snapped face may lie a hair outside the true one: keep to the corners' range.
            z = np.float32(1.0 / min(max(w_row + w_u * column, w_low), w_high))
            if layer[row, column] < 0 or z < depth_mm[row, column]:
                depth_mm[row, column] = z
                layer[row, column] = index


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
@no_type_check
def _find_gradient(a, b, c):
    """Change of 1/z a pixel to the right and a pixel down, over corners (u, v, 1/z)."""
    u_b, v_b, w_b = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    u_c, v_c, w_c = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    area = u_b * v_c - v_b * u_c
    if area == 0.0:
        return 0.0, 0.0
    return (w_b * v_c - w_c * v_b) / area, (w_c * u_b - w_b * u_c) / area


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
@no_type_check
def _cut_row(ua, va, ub, vb, row, start, stop):
    """The part of [start, stop] on the inner side of the edge from a to b, in whole columns at the cut."""
    rise = vb - va
    run = (ub - ua) * (row - va)
    if rise == 0.0:
        return (start, stop) if run <= 0.0 else (1.0, 0.0)
    # Rounding may move the cut by one column; the exact edge test decides.
    if rise > 0.0:
        first = math.ceil(ua + run / rise)
        if rise * (first - 1.0 - ua) >= run:
            first -= 1.0
        elif rise * (first - ua) < run:
            first += 1.0
        return max(start, first), stop
    last = math.floor(ua + run / rise)
    if rise * (last + 1.0 - ua) >= run:
        last += 1.0
    elif rise * (last - ua) < run:
        last -= 1.0
    return start, min(stop, last)
