"""Moving pictures: skeletons drawn with Pillow alone, and pages of equal size put together into a GIF."""

import io
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from handbench.conventions import JointSet
from handbench.datasets.evenly import spread_evenly
from handbench.report.skeleton import CASING, PART_COLOURS

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

FRAME_MS = 80
TIMES = 2
"""Drawn so much larger and then made smaller: smooth lines."""
COLOURS = 128
"""Of the one palette that all frames share: another each would flicker."""
SWATCH_PX = 24
"""How much of each finger's colour goes into the choice: thin lines alone would be too few to keep their colours."""
FOR_PALETTE = 6
"""Pages that it is chosen from."""

Pixels = Float[np.ndarray, "joints 3"]


def enlarge(pixels: Pixels, scale: float) -> Pixels:
    """Places in a picture that is so many times larger."""
    return np.concatenate([(pixels[:, :2] + 0.5) * scale - 0.5, pixels[:, 2:]], axis=1)


def draw_bones(draw: "ImageDraw", pixels: Pixels, joints: JointSet) -> None:
    """The far ones first; a joint that is not a number is left out."""
    known = np.isfinite(pixels).all(axis=1)
    bones = [(a, b) for a, b in joints.edges if known[a] and known[b]]
    for a, b in sorted(bones, key=lambda bone: -pixels[list(bone), 2].sum()):
        part = joints.parts[b] if joints.parts[a] == "palm" else joints.parts[a]
        draw_line(draw, pixels[a, :2], pixels[b, :2], PART_COLOURS[part], 2.4)
    for place in np.flatnonzero(known).tolist():
        for radius, colour in ((3.0, CASING), (2.2, PART_COLOURS[joints.parts[place]])):
            draw.circle(tuple(pixels[place, :2]), TIMES * radius, fill=colour)


def draw_line(
    draw: "ImageDraw", first: Float[np.ndarray, "2"], last: Float[np.ndarray, "2"], colour: str, width: float
) -> None:
    """With a dark rim, legible on any colour."""
    ends = [*first.tolist(), *last.tolist()]
    for thickness, ink in ((width + 1.4, CASING), (width, colour)):
        draw.line(ends, fill=ink, width=round(TIMES * thickness))


def encode_motion(pages: list["Image"]) -> bytes:
    """A GIF that goes on for ever; the same bytes for the same pages."""
    from PIL import Image

    chosen = [pages[place] for place in spread_evenly(len(pages), FOR_PALETTE)]
    width, height = chosen[0].size
    column = Image.new("RGB", (width, height * len(chosen) + SWATCH_PX * len(PART_COLOURS)))
    for place, page in enumerate(chosen):
        column.paste(page, (0, place * height))
    for place, colour in enumerate(PART_COLOURS.values()):
        top = height * len(chosen) + place * SWATCH_PX
        column.paste(Image.new("RGB", (width, SWATCH_PX), colour), (0, top))
    palette = column.quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    frames = [page.quantize(palette=palette, dither=Image.Dither.NONE) for page in pages]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, format="GIF", save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0, optimize=False
    )
    return buffer.getvalue()
