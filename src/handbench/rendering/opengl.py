"""Depth images by pyrender; the only file that imports it. EGL where there is one, else OSMesa, both without a window.

Traps this file knows: PyOpenGL reads PYOPENGL_PLATFORM when it is imported; pyrender 0.1.45 uses `np.infty`, gone in
numpy 2; its depth-only pass draws into four samples a pixel and reads one that is not the pixel's centre (Mesa: 0.125
to the left, 0.375 down). The segmentation pass switches multisampling off and tells the meshes apart as well, so it
is the one used; what offset a driver has left is measured once a process and taken out of the principal point.
"""

import ctypes
import os
from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float32, Int16, Integer, UInt8

from handbench.conventions import Camera
from handbench.geometry.mesh import Mesh
from handbench.rendering.zbuffer import NEAR_MM

_LIBRARIES = {"egl": ("libEGL.so.1", "libEGL.so"), "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so")}
_GL_FROM_CV = np.array([1.0, -1.0, -1.0])

Depth = Float32[np.ndarray, "height width"]
Layer = Int16[np.ndarray, "height width"]


class OpenGLMissingError(Exception):
    """No OpenGL context can be made here; the message says why."""


def render_layers(meshes: Sequence[Mesh], camera: Camera) -> tuple[Depth, Layer]:
    """Depth in millimetres (0 = nothing) and the index of the mesh seen at each pixel (-1 = nothing)."""
    return _draw(meshes, camera, measure_sample_offset_px())


@lru_cache(maxsize=1)
def measure_sample_offset_px() -> tuple[float, float]:
    """Where in a pixel this driver samples, from its centre, in 1/16 pixel; read off two slanted planes."""
    camera = Camera(500.0, 500.0, 32.0, 32.0, 65, 65)
    columns = np.arange(camera.width)
    slope = 1e-5  # of 1/z, a pixel
    offsets = []
    for axis in (0, 1):
        # 1/z = 1/1000 + slope * (u - cx), or v: linear in the image, so the depth read back tells the place.
        plane = np.array([[-8, -8], [-8, 72], [72, 72], [72, -8]]) - 32.0
        z = 1.0 / (1e-3 + slope * plane[:, axis])
        corners = np.stack([plane[:, 0] * z / 500.0, plane[:, 1] * z / 500.0, z], axis=-1)
        depth_mm, _ = _draw([Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))], camera, (0.0, 0.0))
        line = depth_mm[32] if axis == 0 else depth_mm[:, 32]
        seen = (1.0 / line.astype(np.float64) - 1e-3) / slope + 32.0
        offsets.append(round(16.0 * float(np.median(seen - columns))) / 16.0)
    return offsets[0], offsets[1]


def _draw(meshes: Sequence[Mesh], camera: Camera, offset_px: tuple[float, float]) -> tuple[Depth, Layer]:
    renderer, pyrender = _open_renderer(os.getpid())
    scene = pyrender.Scene()
    colours: dict[Any, tuple[int, int, int]] = {}
    z_range_mm = [np.inf, -np.inf]
    for index, mesh in enumerate(meshes):
        faces = _drop_near_faces(mesh)
        if len(faces):
            z = mesh.vertices_mm[faces, 2]
            z_range_mm = [min(z_range_mm[0], float(z.min())), max(z_range_mm[1], float(z.max()))]
            positions = (mesh.vertices_mm * _GL_FROM_CV).astype(np.float32)
            primitive = pyrender.Primitive(positions=positions, indices=faces.astype(np.uint32), mode=4)
            colours[scene.add(pyrender.Mesh([primitive]))] = ((index + 1) & 255, (index + 1) >> 8, 0)
    if not colours:
        shape = (camera.height, camera.width)
        return np.zeros(shape, np.float32), np.full(shape, -1, np.int16)
    # OpenGL's pixel centres are at half integers; a tight depth range keeps 24 bits of depth below 0.01 mm.
    scene.add(
        pyrender.IntrinsicsCamera(
            camera.fx,
            camera.fy,
            camera.cx + 0.5 + offset_px[0],
            camera.cy + 0.5 + offset_px[1],
            znear=0.99 * z_range_mm[0],
            zfar=1.01 * z_range_mm[1],
        )
    )
    renderer.viewport_width, renderer.viewport_height = camera.width, camera.height
    colour, depth_mm = renderer.render(scene, flags=pyrender.RenderFlags.SEG, seg_node_map=colours)
    return np.ascontiguousarray(depth_mm, np.float32), _read_layers(colour)


def _drop_near_faces(mesh: Mesh) -> Integer[np.ndarray, "kept 3"]:
    return mesh.faces[(mesh.vertices_mm[:, 2] >= NEAR_MM)[mesh.faces].all(axis=1)]


def _read_layers(colour: UInt8[np.ndarray, "height width 3"]) -> Layer:
    return colour[..., 0].astype(np.int16) + (colour[..., 1].astype(np.int16) << 8) - np.int16(1)


@lru_cache(maxsize=1)
def _open_renderer(process: int) -> tuple[Any, ModuleType]:
    """One context a process: a child made by fork must not use its parent's."""
    os.environ.setdefault("PYOPENGL_PLATFORM", _find_platform())
    # pyglet, which pyrender imports, otherwise asks for X libraries that a server does not have.
    os.environ.setdefault("PYGLET_HEADLESS", "1")
    vars(np).setdefault("infty", np.inf)
    try:
        import pyrender

        return pyrender.OffscreenRenderer(64, 64), pyrender
    except Exception as error:  # PyOpenGL raises a different class for every way a driver can be absent
        platform = os.environ["PYOPENGL_PLATFORM"]
        raise OpenGLMissingError(f"{platform} gives no context ({type(error).__name__}: {error})") from error


def _find_platform() -> str:
    for platform, libraries in _LIBRARIES.items():
        for library in libraries:
            try:
                ctypes.CDLL(library)
                return platform
            except OSError:
                continue
    raise OpenGLMissingError("neither libEGL nor libOSMesa is installed")
