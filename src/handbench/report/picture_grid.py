"""A figure of pictures in rows and columns: small depth images in false colour, skeletons over them, words below.

PNG and PDF as `figures` writes them: the same bytes for the same pictures, titled and stamped alike.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32, UInt8

from handbench.conventions import JointSet
from handbench.report.contact_sheet import Picture, open_tile
from handbench.report.figures import (
    DPI,
    FAINT_INK,
    INK,
    STAMP_SIZE,
    WIDTH_IN,
    _open_figure,
    _printable,
    _save,
    fold_stamp,
)
from handbench.report.skeleton import CASING, PART_COLOURS, draw_skeleton
from handbench.report.wireframe import OBJECT, draw_wireframe, mark_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pixels = Float32[np.ndarray, "joints 3"]

WIDTH_PX = round(WIDTH_IN * DPI)
SMALL_PX, MIDDLE_PX, LARGE_PX = 128, 164, 188
"""Edges of a tile: of eight across beside labels, of six beside labels, of six."""
MARGIN_PX, GAP_PX, GROUP_GAP_PX = 16, 6, 18
TITLE_PX, HEADING_PX, WORDS_PX, KEY_PX, STAMP_LINE_PX = 52, 34, 30, 40, 19
LABEL_SIZE, WORDS_SIZE = 8, 7
DIFFERENCE_MM = 100.0
"""Where the colours of differences end."""
DIFFERENCE_COLOURS = "magma_r"
"""None is nearly white, and more is darker: it reads without colour too."""


@dataclass(frozen=True)
class Tile:
    """One picture; the pose over it in the colours of the fingers, the object's box in its own."""

    picture: Picture
    pose_px: Pixels | None = None
    words: str = ""
    box_px: Float32[np.ndarray, "8 3"] | None = None
    """The corners of the box around an object."""
    labels_px: Float32[np.ndarray, "labels 3"] | None = None
    """Points that are labelled, marked over everything."""


@dataclass(frozen=True)
class Grid:
    """Tiles from the upper left on; a last row may be shorter."""

    rows: tuple[tuple[Tile, ...], ...]
    headings: tuple[str, ...]
    """Each over its equal share of the columns."""
    labels: tuple[str, ...]
    """Left of each row."""
    joints: JointSet
    label_px: int
    tile_px: int = SMALL_PX
    columns_together: int = 1
    """So many neighbours stand closer than others."""
    rows_together: int = 1
    differences: bool = False
    """Whether some of the pictures are those of `colour_difference`."""

    @property
    def lefts_px(self) -> list[int]:
        """Where the columns begin."""
        return _space([self.tile_px] * len(self.rows[0]), self.columns_together, MARGIN_PX + self.label_px)[:-1]

    @property
    def tops_px(self) -> list[int]:
        """Where the rows begin, and where one after the last would."""
        heights = [self.tile_px + WORDS_PX * any(tile.words for tile in row) for row in self.rows]
        return _space(heights, self.rows_together, TITLE_PX + HEADING_PX)

    @property
    def tiles(self) -> list[Tile]:
        return [tile for row in self.rows for tile in row]


def _space(lengths_px: list[int], together: int, start_px: int) -> list[int]:
    """Where each of them begins, with a wider gap between groups."""
    starts = [start_px]
    for place, length in enumerate(lengths_px, start=1):
        wide = together > 1 and place % together == 0
        starts.append(starts[-1] + length + (GROUP_GAP_PX if wide else GAP_PX))
    return starts


def draw_grid(grid: Grid, out: Path, *, title: str, stamp: str) -> tuple[Path, Path]:
    """`out` with .png and .pdf."""
    lines = fold_stamp(stamp, WIDTH_PX - 2 * MARGIN_PX)
    key_px = KEY_PX if grid.differences or any(tile.pose_px is not None for tile in grid.tiles) else 0
    key_top_px = grid.tops_px[-1]
    stamp_top_px = key_top_px + key_px + GAP_PX
    height_px = stamp_top_px + STAMP_LINE_PX * len(lines) + MARGIN_PX
    with _open_figure(height_px / DPI) as figure:
        figure.set_layout_engine("none")
        page = open_tile(figure, (0, 0, WIDTH_PX, height_px))
        page.text(MARGIN_PX, 26, _printable(title), fontsize=10.5, fontweight="bold", va="center", parse_math=False)
        _write_headings(page, grid)
        for top_px, row in zip(grid.tops_px, grid.rows, strict=False):
            for left_px, tile in zip(grid.lefts_px, row, strict=False):
                _draw_tile(figure, page, grid, tile, (left_px, top_px))
        if key_px:
            _draw_key(page, grid, key_top_px + key_px // 2)
        foot: dict[str, Any] = {"fontsize": STAMP_SIZE, "color": FAINT_INK, "va": "top", "parse_math": False}
        page.text(MARGIN_PX, stamp_top_px, "\n".join(lines), linespacing=1.35, **foot)
        return _save(figure, out)


def _write_headings(page: "Axes", grid: Grid) -> None:
    lefts, share = grid.lefts_px, len(grid.lefts_px) // len(grid.headings)
    for place, heading in enumerate(grid.headings):
        first, last = lefts[place * share], lefts[(place + 1) * share - 1] + grid.tile_px
        page.text(
            (first + last) / 2, TITLE_PX + HEADING_PX // 2, heading, fontsize=LABEL_SIZE, ha="center", va="center"
        )
    for top, label in zip(grid.tops_px, grid.labels, strict=False):
        page.text(
            MARGIN_PX,
            top + grid.tile_px / 2,
            label,
            fontsize=LABEL_SIZE,
            va="center",
            linespacing=1.3,
            parse_math=False,
        )


def _draw_tile(figure: "Figure", page: "Axes", grid: Grid, tile: Tile, corner_px: tuple[int, int]) -> None:
    edge = grid.tile_px
    axes = open_tile(figure, (*corner_px, edge, edge))
    size = len(tile.picture)
    axes.imshow(tile.picture, interpolation="nearest")
    if tile.pose_px is not None:
        draw_skeleton(axes, tile.pose_px, grid.joints, edge)
    if tile.box_px is not None:
        draw_wireframe(axes, tile.box_px, edge)
    if tile.labels_px is not None:
        mark_labels(axes, tile.labels_px, edge)
    # Last, since a picture and a skeleton move the limits.
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5))
    below: dict[str, Any] = {"fontsize": WORDS_SIZE, "color": INK, "ha": "center", "va": "center"}
    page.text(corner_px[0] + edge / 2, corner_px[1] + edge + WORDS_PX // 2, tile.words, **below)


def _draw_key(page: "Axes", grid: Grid, middle_px: int) -> None:
    """The colour of each finger where poses are drawn, and that of differences."""
    told: dict[str, Any] = {"fontsize": WORDS_SIZE, "color": FAINT_INK, "va": "center"}
    x = MARGIN_PX
    if any(tile.pose_px is not None for tile in grid.tiles):
        boxes = any(tile.box_px is not None for tile in grid.tiles)
        for part in (one for one in PART_COLOURS if one in grid.joints.parts or (boxes and one == OBJECT)):
            for width, colour in ((4.6, CASING), (2.8, PART_COLOURS[part])):
                page.plot((x + 6, x + 26), (middle_px, middle_px), color=colour, linewidth=width)
            page.text(x + 38, middle_px, part, **told)
            x += 66 + 12 * len(part)
    if any(tile.labels_px is not None for tile in grid.tiles):
        mark_labels(page, np.array([[x + 16, middle_px, 0]], np.float32), SMALL_PX)
        page.text(x + 38, middle_px, "labelled", **told)
        x += 66 + 12 * len("labelled")
    if grid.differences:
        ends = (x + 138, x + 338)
        ramp_mm = np.linspace(0, DIFFERENCE_MM, 200, dtype=np.float32)[None].repeat(2, axis=0)
        page.text(x, middle_px, "difference: 0", **told)
        page.imshow(colour_difference(ramp_mm), extent=(*ends, middle_px + 8, middle_px - 8), aspect="auto")
        page.text(ends[1] + 10, middle_px, f"{DIFFERENCE_MM:.0f} mm and more", **told)
    # Lines and images take the axes' limits for their own.
    page.set(xlim=(-0.5, WIDTH_PX - 0.5), ylim=(round(page.figure.bbox.height) - 0.5, -0.5))


def colour_difference(difference_mm: Float32[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    import matplotlib as mpl

    shares = np.clip(difference_mm / DIFFERENCE_MM, 0, 1)
    return (mpl.colormaps[DIFFERENCE_COLOURS](shares)[..., :3] * 255).round().astype(np.uint8)
