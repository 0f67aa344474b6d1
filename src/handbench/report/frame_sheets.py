"""The best, median and worst frames of a method: depth crops with the true and the predicted skeleton over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int64, UInt8

from handbench.conventions import DATASETS
from handbench.datasets.files import replace_file
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.evaluation.metrics import frame_means
from handbench.geometry.crop import points_to_patch
from handbench.report.frame_data import FrameData
from handbench.report.text_lines import fold, load_font

Picture = UInt8[np.ndarray, "height width 3"]

COLUMNS, TILES = 4, 16
TILE_PX, CAPTION_PX, GAP_PX, MARGIN_PX, HEADER_PX, FOOTER_PX = 232, 24, 14, 20, 66, 46
WIDTH_PX = 2 * MARGIN_PX + COLUMNS * TILE_PX + (COLUMNS - 1) * GAP_PX
TRUTH, PREDICTION = (0, 92, 175), (240, 140, 0)
"""Blue and orange: told apart with every common colour blindness, and in grey print, where one is dark, one light."""
CASING = (255, 255, 255)
INK, FAINT_INK = (29, 35, 48), (91, 98, 112)
NEAR_GREY, FAR_GREY, BACKGROUND_GREY = 205, 96, 246
SHIFT = 4
"""Fractional bits of OpenCV's drawing coordinates: a sixteenth of a pixel."""
KINDS = ("best", "median", "worst")


@dataclass(frozen=True)
class Sheet:
    """One picture of frames, ready to write."""

    kind: str
    title: str
    low_mm: float
    high_mm: float
    picture: Picture


def choose_frames(errors_mm: Float[np.ndarray, "frames joints"], kind: str) -> Int64[np.ndarray, "chosen"]:
    """Up to 16 frames by the mean of their joints, from the least error up, for the worst from the most down."""
    means_mm = frame_means(errors_mm)
    ordered = np.argsort(means_mm, kind="stable")[: int((~np.isnan(means_mm)).sum())]
    if kind == "worst":
        return ordered[::-1][:TILES].astype(np.int64)
    start = 0 if kind == "best" else max((len(ordered) - TILES) // 2, 0)
    return ordered[start : start + TILES].astype(np.int64)


def draw_sheet(data: FrameData, kind: str, stamp: str) -> Sheet:
    """The sheet of one kind of frames."""
    chosen, means_mm = choose_frames(data.errors_mm, kind), frame_means(data.errors_mm)
    number = len(chosen)
    title = f"{data.result.method} on {DATASETS[data.result.dataset].title}: {kind} {number} frames"
    height = HEADER_PX + -(-number // COLUMNS) * (TILE_PX + CAPTION_PX + GAP_PX) + FOOTER_PX
    page = np.full((height, WIDTH_PX, 3), 255, np.uint8)
    captions = []
    for place, frame in enumerate(chosen.tolist()):
        left = MARGIN_PX + place % COLUMNS * (TILE_PX + GAP_PX)
        top = HEADER_PX + place // COLUMNS * (TILE_PX + CAPTION_PX + GAP_PX)
        page[top : top + TILE_PX, left : left + TILE_PX] = _draw_tile(data, frame)
        captions.append((left, top + TILE_PX + 4, f"{means_mm[frame]:.1f} mm", f"frame {data.rows[frame]}"))
    page = _write_words(page, title, captions, f"{stamp} | shown: seed {data.result.seed}")
    shown_mm = means_mm[chosen]
    return Sheet(kind, title, float(shown_mm.min(initial=np.inf)), float(shown_mm.max(initial=0)), page)


def save_sheet(sheet: Sheet, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written, encoded = cv2.imencode(".png", cv2.cvtColor(sheet.picture, cv2.COLOR_RGB2BGR))
    assert written
    replace_file(path, encoded.tobytes())


def _draw_tile(data: FrameData, frame: int) -> Picture:
    store, place = data.store, int(data.places[frame])
    tile = _shade_depth(np.asarray(store.depth[place], np.float32))
    scale = TILE_PX / store.depth.shape[1]
    truth_mm = np.asarray(store.joints_mm[place])[list(store.scored)]
    bones = scored_skeleton(data.result.dataset).edges
    for joints_mm, colour, square in ((truth_mm, TRUTH, False), (data.predicted_mm[frame], PREDICTION, True)):
        pixels = points_to_patch(
            joints_mm.astype(np.float64),
            store.patch_from_image[place],
            store.centre_mm[place],
            float(store.cube_mm[place]),
            store.camera,
        )
        _draw_skeleton(tile, (pixels[:, :2] + 0.5) * scale - 0.5, bones, colour, square)
    return tile


def _shade_depth(depth: Float[np.ndarray, "size size"]) -> Picture:
    """Light is near; the background is nearly white, so that the skeletons stand out on both."""
    hand = depth < 1
    near, far = (depth[hand].min(), depth[hand].max()) if hand.any() else (0.0, 1.0)
    farness = (depth - near) / max(far - near, 1e-6)
    grey = np.where(hand, NEAR_GREY + (FAR_GREY - NEAR_GREY) * farness, BACKGROUND_GREY).astype(np.uint8)
    large = cv2.resize(grey, (TILE_PX, TILE_PX), interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(np.repeat(large[:, :, None], 3, axis=2))


def _draw_skeleton(
    tile: Picture,
    pixels: Float[np.ndarray, "joints 2"],
    bones: Sequence[tuple[int, int]],
    colour: tuple[int, int, int],
    square: bool,
) -> None:
    """White below the colour; the truth has round joints, the prediction square ones."""
    known = np.isfinite(pixels).all(axis=1)
    # Far outside of the tile is outside: OpenCV's coordinates have 16 bits before the point.
    at = np.rint(np.clip(np.nan_to_num(pixels), -TILE_PX, 2 * TILE_PX) * 2**SHIFT).astype(int).tolist()
    for width, ink in ((4, CASING), (2, colour)):
        for a, b in bones:
            if known[a] and known[b]:
                cv2.line(tile, at[a], at[b], ink, width, cv2.LINE_AA, SHIFT)
    for joint in np.flatnonzero(known).tolist():
        x, y = at[joint]
        for radius, ink in ((4.5, CASING), (3.2, colour)):
            reach = int(radius * 2**SHIFT)
            if square:
                corners = [
                    [x - reach, y - reach],
                    [x + reach, y - reach],
                    [x + reach, y + reach],
                    [x - reach, y + reach],
                ]
                cv2.fillPoly(tile, [np.array(corners)], ink, cv2.LINE_AA, SHIFT)
            else:
                cv2.circle(tile, (x, y), reach, ink, -1, cv2.LINE_AA, SHIFT)


def _write_words(page: Picture, title: str, captions: Sequence[tuple[int, int, str, str]], stamp: str) -> Picture:
    from PIL import Image, ImageDraw

    image = Image.fromarray(page)
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN_PX, 14), title, INK, load_font(19, bold=True))
    for left, colour, word, square in (
        (MARGIN_PX, TRUTH, "truth", False),
        (MARGIN_PX + 90, PREDICTION, "predicted", True),
    ):
        draw.line((left, 52, left + 26, 52), colour, 3)
        shape = draw.rectangle if square else draw.ellipse
        shape((left + 9, 48, left + 17, 56), fill=colour)
        draw.text((left + 34, 44), word, FAINT_INK, load_font(13))
    draw.text((WIDTH_PX - MARGIN_PX, 44), "mean error of the frame in mm", FAINT_INK, load_font(13), anchor="ra")
    for left, top, error, name in captions:
        draw.text((left, top), error, INK, load_font(13, bold=True))
        draw.text((left + TILE_PX, top), name, FAINT_INK, load_font(12), anchor="ra")
    for line, text in enumerate(fold(stamp, load_font(10), WIDTH_PX - 2 * MARGIN_PX)):
        draw.text((MARGIN_PX, page.shape[0] - FOOTER_PX + 4 + 13 * line), text, FAINT_INK, load_font(10))
    return np.asarray(image)
