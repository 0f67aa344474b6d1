"""The choice between the two renderers; everything else asks for one by name and does not know which it got."""

import sys
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, Int16

from handbench.conventions import Camera
from handbench.errors import BadInput
from handbench.geometry.mesh import Mesh
from handbench.rendering import opengl, zbuffer

RENDERERS = ("auto", "software", "opengl")
INSTALL_OPENGL = "sudo apt-get install -y libegl1 libgl1 libgl1-mesa-dri"
"""What envs/setup.sh installs, or prints."""

RenderLayers = Callable[
    [Sequence[Mesh], Camera], tuple[Float32[np.ndarray, "height width"], Int16[np.ndarray, "height width"]]
]


def choose_renderer(name: str = "auto") -> RenderLayers:
    """`render_layers` of the renderer asked for, or of the one that stands in for it."""
    return opengl.render_layers if settle_renderer(name) == "opengl" else zbuffer.render_layers


def settle_renderer(name: str = "auto") -> str:
    """Which renderer will draw, "software" or "opengl", when `name` is asked for.

    "auto" is the software renderer, ten times faster than OpenGL without a graphics card and everywhere available.
    Where "opengl" finds no driver, one line on standard error says so and the software renderer carries on.
    """
    if name in ("auto", "software"):
        return "software"
    if name != "opengl":
        raise BadInput("renderer", expected=" or ".join(RENDERERS), found=repr(name), fix="name one of these")
    try:
        opengl.measure_sample_offset_px()
    except opengl.OpenGLMissingError as reason:
        one_line = " ".join(str(reason).split())
        print(
            f"no OpenGL here: {one_line}; the software renderer carries on with the same depth "
            f"(to use OpenGL: {INSTALL_OPENGL})",
            file=sys.stderr,
        )
        return "software"
    return "opengl"
