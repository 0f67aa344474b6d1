"""A walk through the latent space in pictures: a strip of a few of its points, and a GIF that goes there and back.

Drawn depth in false colour with the decoded skeleton over it; beside it, where the hand is known, the hand that takes
the decoded pose.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from handbench.conventions import JointSet
from handbench.datasets.evenly import spread_evenly
from handbench.datasets.files import replace_file
from handbench.report.contact_sheet import FAINT_INK, INK, PAPER, Picture
from handbench.report.motion import TIMES, draw_bones, encode_motion, enlarge
from handbench.report.picture_grid import Grid, Tile, draw_grid
from handbench.report.picture_tiles import colour_cube, find_colours
from handbench.report.stamped_csv import write_csv
from handbench.report.text_lines import load_font
from handbench.training.picture_file import LEVELS, WalkPictures, as_depth_mm

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN = 6
"""Points in the strip, between the frames that the walk leads from and to."""
LABEL_PX = 112
TILE_PX, GAP_PX, MARGIN_PX, HEADER_PX, CAPTION_PX = 288, 10, 12, 40, 26
DRAWN, RENDERED = "drawn depth", "hand of the decoded pose"


class WalkTiles:
    """Tiles of a walk, all in the same colours."""

    def __init__(self, walk: WalkPictures) -> None:
        self.walk = walk
        ends = zip(walk.camera, (float(walk.cube_mm[0]), float(walk.cube_mm[-1])), strict=True)
        hands = [as_depth_mm(one[one < LEVELS], cube_mm) for one, cube_mm in ends]
        self.cube_mm = float(walk.cube_mm.max())
        self.colours = find_colours(np.concatenate(hands), self.cube_mm)

    def colour(self, levels: UInt8[np.ndarray, "size size"], point: int) -> Picture:
        depth_mm = as_depth_mm(levels, float(self.walk.cube_mm[point]))
        # The far face is the far face, in a smaller cube too.
        depth_mm = np.where(levels == LEVELS, np.float32(self.cube_mm), depth_mm)
        return colour_cube(depth_mm, *self.colours, self.cube_mm)

    def see(self, end: int, *, pose: bool = False) -> Tile:
        """The camera's image at the beginning (0) or the end (-1)."""
        return Tile(self.colour(self.walk.camera[end], end), self.walk.poses_px[end] if pose else None)

    def draw(self, point: int, *, pose: bool = False, words: str = "") -> Tile:
        return Tile(
            self.colour(self.walk.drawn[point], point), self.walk.poses_px[point] if pose else None, words=words
        )

    def render(self, point: int, *, pose: bool = False) -> Tile:
        assert self.walk.rendered is not None, "checked before"
        return Tile(self.colour(self.walk.rendered[point], point), self.walk.poses_px[point] if pose else None)


def lay_out_walk(walk: WalkPictures, joints: JointSet) -> Grid:
    """Drawn depth, the pose over it, and the hand of the pose; the frames of both ends left and right."""
    tiles, points = WalkTiles(walk), spread_evenly(len(walk.drawn), SHOWN).tolist()
    rows = [
        (tiles.see(0), *(tiles.draw(point) for point in points), tiles.see(-1)),
        (tiles.see(0, pose=True), *(tiles.draw(point, pose=True) for point in points), tiles.see(-1, pose=True)),
    ]
    labels = ["depth", "decoded\npose"]
    if walk.rendered is not None:
        nothing = Tile(np.full((*walk.camera.shape[1:], 3), 255, np.uint8))
        rows.append((nothing, *(tiles.render(point) for point in points), nothing))
        labels.append("hand of\nthat pose")
    return Grid(
        rows=tuple(rows),
        headings=("camera", *(f"point {point + 1}" for point in points), "camera"),
        labels=tuple(labels),
        joints=joints,
        label_px=LABEL_PX,
    )


def write_walk(
    walk: WalkPictures,
    joints: JointSet,
    numbers: pd.DataFrame,
    out: Path,
    *,
    title: str,
    heading: str,
    stamp: str,
) -> tuple[Path, ...]:
    """`out` with .gif, the strip with .png and .pdf, and the numbers with .csv; `heading` stands over the GIF."""
    moving = out.with_name(f"{out.name}.gif")
    moving.parent.mkdir(parents=True, exist_ok=True)
    tiles = WalkTiles(walk)
    pages = [draw_page(tiles, joints, point, heading) for point in range(len(walk.drawn))]
    # There and back again, so that nothing jumps where it begins anew.
    replace_file(moving, encode_motion([*pages, *pages[-2:0:-1]]))
    pictures = draw_grid(lay_out_walk(walk, joints), out, title=title, stamp=stamp)
    return (moving, *pictures, write_csv(numbers, out, stamp))


def draw_page(tiles: WalkTiles, joints: JointSet, point: int, heading: str) -> "Image":
    """One point: drawn depth with the skeleton, and beside it the hand if there is one."""
    from PIL import Image, ImageDraw

    shown = {DRAWN: tiles.draw(point, pose=True)}
    if tiles.walk.rendered is not None:
        shown[RENDERED] = tiles.render(point, pose=True)
    width = 2 * MARGIN_PX + len(shown) * TILE_PX + (len(shown) - 1) * GAP_PX
    page = Image.new("RGB", (width, HEADER_PX + TILE_PX + CAPTION_PX), PAPER)
    words = ImageDraw.Draw(page)
    words.text((MARGIN_PX, HEADER_PX // 2), heading, INK, load_font(15, bold=True), anchor="lm")
    place = f"{point + 1} of {len(tiles.walk.drawn)}"
    words.text((width - MARGIN_PX, HEADER_PX // 2), place, FAINT_INK, load_font(13), anchor="rm")
    for number, (name, tile) in enumerate(shown.items()):
        left = MARGIN_PX + number * (TILE_PX + GAP_PX)
        page.paste(_enlarge_tile(tile, joints), (left, HEADER_PX))
        words.text((left, HEADER_PX + TILE_PX + CAPTION_PX // 2), name, INK, load_font(12), anchor="lm")
    return page


def _enlarge_tile(shown: Tile, joints: JointSet) -> "Image":
    from PIL import Image, ImageDraw

    edge = TIMES * TILE_PX
    tile = Image.fromarray(shown.picture).resize((edge, edge), Image.Resampling.NEAREST)
    if shown.pose_px is not None:
        draw_bones(ImageDraw.Draw(tile), enlarge(shown.pose_px, edge / len(shown.picture)), joints)
    return tile.resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
