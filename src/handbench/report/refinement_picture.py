"""Before and after a refinement: frames, the point cloud in the poses that were read from them, and what is off."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from handbench.report.contact_sheet import FAINT_INK, INK, depth_colours, open_page, open_tile, save_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TILE_PX, GAP_PX, MARGIN_PX, HEADER_PX, CAPTION_PX = 200, 12, 24, 60, 24
HEADINGS = ("camera", "before", "off by", "after", "off by")
MOST_OFF = 0.5
"""Where the scale of differences ends: a surface in the cube's middle where there is none, or the other way round."""

Image = Float32[np.ndarray, "size size"]


@dataclass(frozen=True)
class BeforeAfter:
    """One frame; images of nearness, 0 where nothing is."""

    name: str
    camera: Image
    before: Image
    after: Image


def draw_before_after(shown: Sequence[BeforeAfter], out: Path) -> None:
    """A row a frame."""
    width_px = 2 * MARGIN_PX + len(HEADINGS) * (TILE_PX + GAP_PX) - GAP_PX
    row_px = TILE_PX + CAPTION_PX
    height_px = HEADER_PX + len(shown) * row_px + MARGIN_PX
    figure = open_page(width_px, height_px)
    page = open_tile(figure, (0, 0, width_px, height_px))
    lefts = [MARGIN_PX + place * (TILE_PX + GAP_PX) for place in range(len(HEADINGS))]
    for left, heading in zip(lefts, HEADINGS, strict=True):
        page.text(left, HEADER_PX - 18, heading, color=INK, fontsize=12, fontweight="bold", va="center")
    for row, one in enumerate(shown):
        top = HEADER_PX + row * row_px
        off = [np.abs(drawn - one.camera) for drawn in (one.before, one.after)]
        images = (one.camera, one.before, off[0], one.after, off[1])
        for left, heading, image in zip(lefts, HEADINGS, images, strict=True):
            tile = open_tile(figure, (left, top, TILE_PX, TILE_PX))
            _draw_image(tile, image, difference=heading == HEADINGS[2])
        words = (one.name, "", f"{off[0].mean():.4f}", "", f"{off[1].mean():.4f}")
        for left, said in zip(lefts, words, strict=True):
            page.text(left, top + TILE_PX + CAPTION_PX // 2, said, color=FAINT_INK, fontsize=10, va="center")
    save_page(figure, out)


def _draw_image(axes: "Axes", image: Image, *, difference: bool) -> None:
    extent = (-0.5, TILE_PX - 0.5, TILE_PX - 0.5, -0.5)
    if difference:
        axes.imshow(image, cmap="magma", vmin=0.0, vmax=MOST_OFF, extent=extent, interpolation="nearest")
        return
    colours = depth_colours()(np.clip(image, 0.0, 1.0))[..., :3]
    colours[image <= 0.0] = 0.16
    axes.imshow(colours, extent=extent, interpolation="nearest")
