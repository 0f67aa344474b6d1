"""Depth of one posed hand at five mesh sizes, against pyrender as people use it: a new mesh a frame, one renderer."""

from functools import lru_cache, partial
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.harness import DisagreementError, Race, make_race
from benchmarks.rows import Row
from handbench.conventions import NYU_LABEL_CAMERA as CAMERA
from handbench.geometry.mesh import Mesh
from handbench.hand.skeleton import REFERENCE_SHAPE, neutral_pose
from handbench.hand.skinning import make_skin, pose_mesh
from handbench.rendering.zbuffer import render_layers

VOXELS_MM = (9.0, 7.0, 5.5, 4.5, 3.5)
FARTHEST_APART_MM = 0.01

MESA_SAMPLE_PX = (-0.125, 0.375)
"""Where in a pixel pyrender's depth pass (four samples a pixel) reads its depth on Mesa, from the centre."""
_GL_FROM_CV = np.array([1.0, -1.0, -1.0])


def race_render(voxel_mm: float) -> Race:
    mesh = pose_mesh(make_skin(REFERENCE_SHAPE, voxel_mm), REFERENCE_SHAPE, _beckoning_pose())

    def draw_ours() -> np.ndarray:
        return render_layers([mesh], CAMERA)[0]

    def draw_theirs() -> np.ndarray:
        return draw_with_pyrender(mesh)

    def check() -> None:
        ours_mm, theirs_mm = draw_ours(), draw_theirs()
        masks_differ = int(((ours_mm > 0) != (theirs_mm > 0)).sum())
        apart_mm = float(np.abs(ours_mm - theirs_mm).max())
        if masks_differ or apart_mm > FARTHEST_APART_MM:
            raise DisagreementError(
                f"depth: expected equal masks and at most {FARTHEST_APART_MM} mm between them, found {masks_differ} "
                f"pixels and {apart_mm:.3f} mm; the sample position in benchmarks/render.py is Mesa's"
            )

    return make_race(draw_ours, draw_theirs, 1, check)


def draw_with_pyrender(mesh: Mesh) -> np.ndarray:
    """One frame: scene, mesh and camera are new, the renderer is kept."""
    renderer, pyrender = _open_renderer()
    scene = pyrender.Scene()
    positions = (mesh.vertices_mm * _GL_FROM_CV).astype(np.float32)
    scene.add(pyrender.Mesh([pyrender.Primitive(positions=positions, indices=mesh.faces.astype(np.uint32), mode=4)]))
    z_mm = mesh.vertices_mm[:, 2]
    scene.add(
        pyrender.IntrinsicsCamera(
            CAMERA.fx,
            CAMERA.fy,
            CAMERA.cx + 0.5 + MESA_SAMPLE_PX[0],
            CAMERA.cy + 0.5 + MESA_SAMPLE_PX[1],
            znear=0.99 * float(z_mm.min()),
            zfar=1.01 * float(z_mm.max()),
        )
    )
    return renderer.render(scene, flags=pyrender.RenderFlags.DEPTH_ONLY)


@lru_cache(maxsize=1)
def _open_renderer() -> tuple[Any, ModuleType]:
    from handbench.rendering.opengl import measure_sample_offset_px

    # The project's own renderer knows how to open OpenGL without a window; after it pyrender just works.
    measure_sample_offset_px()
    import pyrender

    return pyrender.OffscreenRenderer(CAMERA.width, CAMERA.height), pyrender


def _beckoning_pose() -> np.ndarray:
    """Fingers half bent at 750 mm, so that they hide parts of one another."""
    pose = neutral_pose()
    pose[:6] = 20.0, 60.0, 750.0, 0.3, -0.2, 0.1
    pose[6:] = np.tile([0.5, 0.05, 0.6, 0.4], 5)
    return pose


ROWS = tuple(
    Row(
        f"render-{voxel_mm:g}mm",
        f"depth 640x480 of a posed hand, {voxel_mm:g} mm mesh",
        "pyrender, new mesh a frame",
        partial(race_render, voxel_mm),
        6.0,
        12.0,
        needs=("pyrender",),
    )
    for voxel_mm in VOXELS_MM
)
