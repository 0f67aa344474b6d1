"""Both renderers draw the scenes that the embedded data is made of alike: posed hands, boxes, people, furniture.

OpenGL evaluates a face's depth in single precision. On a face seen almost edge-on, at a contour, that is not enough
for a hundredth of a millimetre; such pixels are counted here, and must be few and at contours.
"""

import numpy as np
import pytest

from handbench.datasets import takes
from handbench.datasets.embedded_files import plan_recordings
from handbench.rendering import opengl, zbuffer

CONTOUR_STEP_MM = 3.0


def find_contours(depth_mm: np.ndarray) -> np.ndarray:
    """Pixels with a step in depth, or an end of the surface, within one pixel of them."""
    padded = np.pad(depth_mm, 1, mode="edge")
    around = [padded[1 + dv : padded.shape[0] - 1 + dv, 1 + du : padded.shape[1] - 1 + du] for du, dv in NEIGHBOURS]
    return np.max(around, axis=0) - np.min(around, axis=0) > CONTOUR_STEP_MM


NEIGHBOURS = [(du, dv) for du in (-1, 0, 1) for dv in (-1, 0, 1)]


@pytest.mark.parametrize(
    ("dataset", "frames"),
    [("nyu", {"train": 0, "test": 12}), ("icvl", {"train": 0, "test": 12}), ("dexter", {"test": 12})],
)
def test_scenes_look_the_same_to_both_renderers(dataset: str, frames: dict[str, int]) -> None:
    try:
        opengl.measure_sample_offset_px()
    except opengl.OpenGLMissingError as reason:
        pytest.skip(f"no OpenGL on this machine: {reason}")
    pixels, uneven = 0, 0
    for recording in plan_recordings(dataset, frames, seed=3):
        take, camera = takes.prepare_take(recording), takes.drawing_camera(dataset)
        for index in range(recording.frames):
            meshes = takes._frame_meshes(take, index)
            ours_mm, our_layer = zbuffer.render_layers(meshes, camera)
            theirs_mm, their_layer = opengl.render_layers(meshes, camera)
            differ = (our_layer != their_layer) | (np.abs(ours_mm - theirs_mm) > 0.01)
            assert not (differ & ~find_contours(ours_mm)).any()
            assert differ.sum() <= 5
            pixels += int((our_layer >= 0).sum())
            uneven += int(differ.sum())
    assert uneven <= 2e-5 * pixels
