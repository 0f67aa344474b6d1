"""A page of frames to look at: depth in false colour, the labelled skeleton over it, one colour a finger."""

import io
from functools import lru_cache
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, UInt8

from handbench.conventions import HANDOBJECT, UNKNOWN_SUBJECT, Convention, JointSet
from handbench.datasets.centres import centre_on_mass
from handbench.datasets.evenly import spread_evenly
from handbench.datasets.files import replace_file
from handbench.datasets.frame_crop import read_frame
from handbench.datasets.listing import Frame, Listing
from handbench.datasets.source import name_source
from handbench.errors import BadInput
from handbench.geometry.crop import crop_cube, points_to_patch
from handbench.report.skeleton import CASING, PART_COLOURS, draw_skeleton

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Picture = UInt8[np.ndarray, "size size 3"]

WIDTH_PX = 1600
MARGIN_PX, GAP_PX, HEADER_PX, CAPTION_PX = 36, 20, 104, 34
LETTER_PX = 10
ONE_LINE = 6
"""So many rendered frames of a kind stand side by side."""
MOST_FRAMES = 400
"""Tiles of 57 pixels; smaller ones show nothing."""
INK, FAINT_INK, PAPER = "#1d2330", "#6b7280", "#ffffff"
MARGIN_MM = 38.0
"""Around the box of the labels: flesh, and a little of what surrounds the hand."""
FLESH_MM = 45.0
"""Before the nearest and behind the farthest label: the range of the colours."""
COLOURS = ("#1a1e4b", "#283a70", "#2a6290", "#2f939f", "#69c2ac", "#d9f2d0")
"""Far to near, in equal steps of lightness, and cool, so that the warm colours of the fingers stand out."""
FIRST_SLATE, LAST_SLATE = np.array([84.0, 88.0, 100.0]), np.array([50.0, 53.0, 61.0])
HOLE_GREY = 30
"""Pixels without a measurement, and those outside the image."""


def write_contact_sheet(listing: Listing, out: Path, *, frames: int = 16) -> None:
    """Evenly spaced frames of a listing, cropped around the hand, as a PNG at `out`."""
    if len(listing) == 0 or frames < 1:
        found = f"{len(listing)} frames in the listing, {frames} asked for"
        raise BadInput(listing.root, expected="a frame to show", found=found, fix="choose another split or number")
    if min(frames, len(listing)) > MOST_FRAMES:
        raise BadInput("frames", expected=f"at most {MOST_FRAMES} on a page", found=str(frames), fix="ask for fewer")
    _refuse_place(out)
    rows, columns = _choose_rows(listing, frames)
    tile_px = (WIDTH_PX - 2 * MARGIN_PX - (columns - 1) * GAP_PX) // columns
    height_px = HEADER_PX + ceil(len(rows) / columns) * (tile_px + CAPTION_PX) + MARGIN_PX // 2
    figure = open_page(WIDTH_PX, height_px)
    _write_header(figure, listing)
    for place, row in enumerate(rows):
        left = MARGIN_PX + (place % columns) * (tile_px + GAP_PX)
        top = HEADER_PX + (place // columns) * (tile_px + CAPTION_PX)
        axes = open_tile(figure, (left, top, tile_px, tile_px))
        frame = read_frame(listing, row)
        _draw_frame(axes, frame, listing.convention, tile_px)
        _write_caption(figure, frame, (left, top + tile_px), tile_px)
    save_page(figure, out)


def _choose_rows(listing: Listing, frames: int) -> tuple[list[int], int]:
    """Frames to show, and in how many columns; kinds of rendered frames each fill lines of their own."""
    kinds = sorted(set(listing.sequences), key=listing.sequences.index)
    if listing.convention.name != HANDOBJECT.name or not 1 < len(kinds) <= frames:
        rows = spread_evenly(len(listing), frames).tolist()
        return rows, choose_columns(len(rows))
    places = [np.flatnonzero([sequence == kind for sequence in listing.sequences]) for kind in kinds]
    # As many of each, so that none ends within the line of another.
    each = min(frames // len(kinds), *(len(of) for of in places))
    columns = each if each <= ONE_LINE else choose_columns(each)
    return [int(of[place]) for of in places for place in spread_evenly(len(of), each)], columns


def _refuse_place(out: Path) -> None:
    # A picture takes the place of what is there: of a file, never of a folder or a device.
    if out.exists() and not out.is_file():
        found = "a folder" if out.is_dir() else "a device"
        raise BadInput(out, expected="the name of a PNG file", found=found, fix="name a file, as --out sheet.png")


def choose_columns(tiles: int) -> int:
    """About as many columns as rows; a few more where that leaves no gap in the last row."""
    squarest = ceil(sqrt(tiles))
    full = [columns for columns in range(squarest, squarest + 3) if tiles % columns == 0]
    return full[0] if full else squarest


def open_page(width_px: int, height_px: int) -> "Figure":
    """An empty page of so many pixels."""
    # A figure without pyplot has no window, no global state and no need of a display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_px / 100, height_px / 100), dpi=100, facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def open_tile(figure: "Figure", box_px: tuple[int, int, int, int]) -> "Axes":
    """Axes that measure in pixels from the upper left corner of a box on the page."""
    left, top, width, height = box_px
    width_px, height_px = round(figure.bbox.width), round(figure.bbox.height)
    bounds = (left / width_px, 1 - (top + height) / height_px, width / width_px, height / height_px)
    axes = figure.add_axes(bounds)
    axes.set_axis_off()
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    return axes


def _draw_frame(axes: "Axes", frame: Frame, convention: Convention, size_px: int) -> None:
    picture, pixels = cut_labelled(frame, convention, size_px)
    axes.imshow(picture, interpolation="nearest")
    draw_skeleton(axes, pixels, convention.joints, size_px)


def cut_labelled(frame: Frame, convention: Convention, size_px: int) -> tuple[Picture, Float32[np.ndarray, "joints 3"]]:
    """A frame around its labels in false colour, and where its labels are in that picture."""
    centre_mm, cube_mm = _frame_hand(frame, convention)
    _, patch_from_image = crop_cube(frame.depth_mm, centre_mm, cube_mm, frame.camera, size_px=size_px)
    depth_mm = sample_window(frame.depth_mm, patch_from_image, size_px)
    pixels = points_to_patch(frame.joints_mm, patch_from_image, centre_mm, cube_mm, frame.camera)
    return colour_depth(depth_mm, *_depth_range(frame, centre_mm, cube_mm)), pixels.astype(np.float32)


def _frame_hand(frame: Frame, convention: Convention) -> tuple[Float32[np.ndarray, "3"], float]:
    """A cube around every label there is, or around the nearest region of a frame without labels."""
    labelled = np.isfinite(frame.joints_mm).all(axis=-1) & (frame.joints_mm[:, 2] > 0)
    if not labelled.any():
        found = centre_on_mass(frame, convention)
        return found.centre_mm, found.cube_mm
    low_mm, high_mm = frame.joints_mm[labelled].min(axis=0), frame.joints_mm[labelled].max(axis=0)
    edge_mm = max(float((high_mm - low_mm).max()) + 2 * MARGIN_MM, 0.7 * convention.cube_of(frame.subject))
    return (low_mm + high_mm) / 2, edge_mm


def _depth_range(frame: Frame, centre_mm: Float32[np.ndarray, "3"], cube_mm: float) -> tuple[float, float]:
    """Where the colours begin and end: the labels with flesh around them, or the cube without labels."""
    z = frame.joints_mm[:, 2]
    labelled = z[np.isfinite(z) & (z > 0)]
    if labelled.size == 0:
        return float(centre_mm[2] - cube_mm / 2), float(centre_mm[2] + cube_mm / 2)
    return float(labelled.min()) - FLESH_MM, float(labelled.max()) + FLESH_MM


def sample_window(
    depth_mm: Float32[np.ndarray, "height width"], patch_from_image: Float[np.ndarray, "3 3"], size_px: int
) -> Float32[np.ndarray, "size size"]:
    """The image under each pixel of the tile, the background included; 0 outside the image."""
    (scale_u, _, shift_u), (_, scale_v, shift_v), _ = patch_from_image
    columns = np.round((np.arange(size_px) - shift_u) / scale_u).astype(int)
    rows = np.round((np.arange(size_px) - shift_v) / scale_v).astype(int)
    height, width = depth_mm.shape
    sampled = depth_mm[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)]
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    return np.where(inside, sampled, np.float32(0))


def colour_depth(depth_mm: Float32[np.ndarray, "size size"], near_mm: float, far_mm: float) -> Picture:
    """Light is near; what lies behind `far_mm` fades to slate, what was not measured is dark grey."""
    nearness = np.clip((far_mm - depth_mm) / (far_mm - near_mm), 0, 1)
    picture = depth_colours()(nearness)[..., :3] * 255
    behind = depth_mm > far_mm
    fade = np.exp((far_mm - depth_mm[behind]) / 300)[:, None]
    picture[behind] = fade * FIRST_SLATE + (1 - fade) * LAST_SLATE
    picture[depth_mm <= 0] = HOLE_GREY
    return picture.round().astype(np.uint8)


@lru_cache(maxsize=1)
def depth_colours() -> "Colormap":
    """From 0, far, to 1, near."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("depth", COLOURS)


def _write_header(figure: "Figure", listing: Listing) -> None:
    axes = open_tile(figure, (0, 0, WIDTH_PX, HEADER_PX))
    convention = listing.convention
    axes.text(MARGIN_PX, 42, convention.title, color=INK, fontsize=21, fontweight="bold", va="center")
    count = f"{len(listing):,} frame{'s' * (len(listing) != 1)}"
    facts = f"{listing.split} split, {count}, {name_source(listing.root)} data, {convention.sensor}"
    axes.text(MARGIN_PX, 76, facts, color=FAINT_INK, fontsize=13, va="center")
    right = WIDTH_PX - MARGIN_PX
    draw_legend(axes, convention.joints, right, 76)
    ramp = np.linspace(0, 1, 180, dtype=np.float32)[None].repeat(12, axis=0)
    axes.text(right - 246, 40, "near", color=FAINT_INK, fontsize=12, va="center", ha="right")
    axes.imshow(depth_colours()(1 - ramp), extent=(right - 234, right - 50, 48, 34), aspect="auto")
    axes.text(right - 38, 40, "far", color=FAINT_INK, fontsize=12, va="center")
    axes.set_xlim(-0.5, WIDTH_PX - 0.5)
    axes.set_ylim(HEADER_PX - 0.5, -0.5)


def draw_legend(axes: "Axes", joints: JointSet, right_px: int, middle_px: int, *, held: bool = False) -> None:
    """The colour of each part of the hand, and of an object that is held, in one line that ends at `right_px`."""
    x = right_px
    for part in reversed([one for one in PART_COLOURS if one in joints.parts or (held and one == "object")]):
        x -= 58 + LETTER_PX * len(part)
        for thickness, colour in ((8, CASING), (5.5, PART_COLOURS[part])):
            ends = [x + 14, x + 30], [middle_px + 1, middle_px + 1]
            axes.plot(*ends, color=colour, linewidth=thickness, solid_capstyle="round")
        axes.text(x + 42, middle_px, part, color=FAINT_INK, fontsize=12, va="center")


def _write_caption(figure: "Figure", frame: Frame, corner_px: tuple[int, int], width_px: int) -> None:
    axes = open_tile(figure, (*corner_px, width_px, CAPTION_PX))
    person = "" if frame.subject == UNKNOWN_SUBJECT else frame.subject
    shown = shorten_name(frame.name, max((width_px - max(70, 8 * len(person) + 4)) // 8, 8))
    axes.text(0, 12, shown, color=INK, fontsize=10, va="center", parse_math=False)
    axes.text(width_px - 1, 12, person, color=FAINT_INK, fontsize=10, va="center", ha="right")


def shorten_name(name: str, characters: int) -> str:
    """The end of a name; one from a file system need not be UTF-8."""
    kept = name if len(name) <= characters else "..." + name[-characters + 3 :]
    return kept.encode(errors="backslashreplace").decode()


def save_page(figure: "Figure", out: Path) -> None:
    """The page as a PNG, whole or not at all."""
    picture = io.BytesIO()
    # Without the software's name the bytes do not change with its version.
    figure.savefig(picture, format="png", metadata={"Software": None})
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, picture.getvalue())
    except OSError as error:
        found = error.strerror or str(error)
        raise BadInput(out, expected="a file that can be written", found=found, fix="choose another --out") from error
