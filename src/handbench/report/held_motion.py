"""A sequence of hand and object as a GIF: the start beside the end, frame after frame, drawn with Pillow alone."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from handbench.datasets.evenly import spread_evenly
from handbench.datasets.files import replace_file
from handbench.report.contact_sheet import FAINT_INK, INK, PAPER
from handbench.report.frame_sheets import load_font
from handbench.report.held_frames import HAND, HeldFrames, Window
from handbench.report.held_pictures import BELOW, LABEL_PX, WIRE, list_shown, open_first
from handbench.report.items import Absent, Figure, Item
from handbench.report.motion import TIMES, draw_bones, draw_line, encode_motion, enlarge
from handbench.report.picture_grid import MIDDLE_PX, Grid, Tile, draw_grid
from handbench.report.skeleton import CASING, PART_COLOURS
from handbench.report.sources import Sources
from handbench.report.stamped_csv import write_csv
from handbench.report.wireframe import MARK, OBJECT, list_edges

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

MOST_FRAMES = 75
TILE_PX, GAP_PX, MARGIN_PX, HEADER_PX, CAPTION_PX = 288, 10, 12, 40, 26
STILLS = 6
HIDDEN_DASHES, DASH = 7, (0.2, 0.8)
"""Of an edge at the back, and which part of each stretch is drawn."""


def build_motion(
    name: str, title: str, module: str, sequence: str, sources: Sources, *, dataset: str = "dexter"
) -> Item:
    """The first frames of a sequence by the first seed; or why there is nothing to see."""
    opened = open_first(name, title, module, dataset, sources)
    if isinstance(opened, Absent):
        return opened
    held, stamp = opened
    frames = held.list_sequence(sequence)[:MOST_FRAMES].tolist()
    if not frames:
        return Absent(name, title, f"Not shown: the test frames hold no sequence {sequence}.")
    draw = partial(_draw, held, frames, sequence, title, stamp)
    notes = (f"The first {len(frames)} frames of {sequence}, in their order.", BELOW, WIRE, *sources.caution)
    describe = f"{len(frames)} frames of {sequence} one after the other, the first estimate left, the last right."
    return Figure(name, title, describe, draw, stamp, notes, moving=True)


def _draw(held: HeldFrames, frames: list[int], sequence: str, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    """`out` with .gif, the stills with .png and .pdf for print and for readers who want nothing to move, and .csv."""
    stills = [frames[place] for place in spread_evenly(len(frames), STILLS)]
    steps = sorted({0, held.last})
    grid = Grid(
        rows=tuple(tuple(held.tile(frame, step) for frame in stills) for step in steps),
        headings=tuple(held.name(frame) for frame in stills),
        labels=tuple(_name_step(held, step) for step in steps),
        joints=HAND,
        label_px=LABEL_PX,
        tile_px=MIDDLE_PX,
    )
    moving = out.with_name(f"{out.name}.gif")
    moving.parent.mkdir(parents=True, exist_ok=True)
    window = held.find_window(frames)
    replace_file(moving, encode_motion([draw_page(held, frame, steps, sequence, window) for frame in frames]))
    numbers = list_shown(held, [(frame, step) for frame in frames for step in steps])
    return (moving, *draw_grid(grid, out, title=title, stamp=stamp), write_csv(numbers, out, stamp))


def _name_step(held: HeldFrames, step: int) -> str:
    return "start" if step == 0 and held.last else f"iteration {step}" if held.last else "result"


def draw_page(held: HeldFrames, frame: int, steps: list[int], sequence: str, window: Window) -> "Image":
    """One picture of the GIF: the steps side by side, in a window that stands still."""
    from PIL import Image, ImageDraw

    width = 2 * MARGIN_PX + len(steps) * TILE_PX + (len(steps) - 1) * GAP_PX
    page = Image.new("RGB", (width, HEADER_PX + TILE_PX + CAPTION_PX), PAPER)
    words = ImageDraw.Draw(page)
    words.text((MARGIN_PX, HEADER_PX // 2), sequence, INK, load_font(15, bold=True), anchor="lm")
    words.text((width - MARGIN_PX, HEADER_PX // 2), held.name(frame), FAINT_INK, load_font(13), anchor="rm")
    for place, step in enumerate(steps):
        left = MARGIN_PX + place * (TILE_PX + GAP_PX)
        shown = held.tile(frame, step, window)
        page.paste(_draw_tile(shown), (left, HEADER_PX))
        middle = HEADER_PX + TILE_PX + CAPTION_PX // 2
        words.text((left, middle), _name_step(held, step), INK, load_font(12), anchor="lm")
        words.text((left + TILE_PX, middle), shown.words, FAINT_INK, load_font(12), anchor="rm")
    return page


def _draw_tile(shown: Tile) -> "Image":
    from PIL import Image, ImageDraw

    edge = TIMES * TILE_PX
    tile = Image.fromarray(shown.picture).resize((edge, edge), Image.Resampling.NEAREST)
    draw, scale = ImageDraw.Draw(tile), edge / len(shown.picture)

    def find(pixels: Float[np.ndarray, "points 3"] | None) -> Float[np.ndarray, "points 3"]:
        assert pixels is not None, "what is held has all three"
        return enlarge(pixels, scale)

    _draw_box(draw, find(shown.box_px))
    draw_bones(draw, find(shown.pose_px), HAND)
    _mark_labels(draw, find(shown.labels_px))
    return tile.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)


def _draw_box(draw: "ImageDraw", pixels: Float[np.ndarray, "8 3"]) -> None:
    for a, b, hidden in list_edges(pixels):
        first, last = pixels[a, :2], pixels[b, :2]
        if not hidden:
            draw_line(draw, first, last, PART_COLOURS[OBJECT], 2.2)
            continue
        for dash in range(HIDDEN_DASHES):
            start, end = (first + (last - first) * (dash + part) / HIDDEN_DASHES for part in DASH)
            draw_line(draw, start, end, PART_COLOURS[OBJECT], 1.2)


def _mark_labels(draw: "ImageDraw", pixels: Float[np.ndarray, "points 3"]) -> None:
    """Hollow diamonds."""
    for u, v, _ in pixels[np.isfinite(pixels).all(axis=1)].tolist():
        reach = TIMES * 5.0
        corners = [(u - reach, v), (u, v - reach), (u + reach, v), (u, v + reach), (u - reach, v)]
        for thickness, ink in ((2.6, CASING), (1.3, MARK)):
            draw.line(corners, fill=ink, width=round(TIMES * thickness), joint="curve")
