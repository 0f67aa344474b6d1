"""The hand of one frame with what a model sees in it: one picture an iteration, and one of all side by side."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from handbench.conventions import Camera, JointSet
from handbench.datasets.centres import Centre
from handbench.datasets.listing import Frame
from handbench.geometry.crop import crop_cube, points_to_patch
from handbench.report.contact_sheet import (
    FAINT_INK,
    INK,
    colour_depth,
    draw_legend,
    open_page,
    open_tile,
    sample_window,
    save_page,
    shorten_name,
)
from handbench.report.own_joints import OwnJoints
from handbench.report.skeleton import draw_skeleton
from handbench.report.wireframe import draw_wireframe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ALONE_PX, BESIDE_PX = 640, 440
"""Edge of a tile in a picture of one iteration, and in one of all."""
MOST_COLUMNS = 4
MARGIN_PX, GAP_PX, HEADER_PX, CAPTION_PX, FOOTER_PX = 24, 20, 76, 32, 44
ROOM, LEAST_SHARE = 1.2, 0.4
"""Of the extent of hand and object, and of the model's cube: how wide a picture of both is."""
OUTLIERS = (1, 99)
"""Percentiles of the depth in the cube: between them lie the colours, so that a flying pixel does not dull them."""


def write_overlays(frame: Frame, own: OwnJoints, joints: JointSet, model: str, folder: Path) -> list[Path]:
    """`<name>-iteration<k>.png` for the first estimate (0) and each iteration, and `<name>-iterations.png` of all."""
    paths = []
    for step in range(len(own.steps_mm)):
        paths.append(folder / f"{own.name}-iteration{step}.png")
        save_page(_draw_page(frame, own, joints, model, [step], ALONE_PX), paths[-1])
    if len(own.steps_mm) > 1:
        paths.append(folder / f"{own.name}-iterations.png")
        steps = range(len(own.steps_mm))
        save_page(_draw_page(frame, own, joints, model, steps, BESIDE_PX), paths[-1])
    return paths


def _draw_page(
    frame: Frame, own: OwnJoints, joints: JointSet, model: str, steps: Sequence[int], tile_px: int
) -> "Figure":
    rows = ceil(len(steps) / MOST_COLUMNS)
    columns = ceil(len(steps) / rows)  # as even as they can be: six are two rows of three
    width_px = 2 * MARGIN_PX + columns * tile_px + (columns - 1) * GAP_PX
    footer_px = HEADER_PX + rows * (tile_px + CAPTION_PX)
    figure = open_page(width_px, footer_px + FOOTER_PX)
    page = open_tile(figure, (0, 0, width_px, footer_px + FOOTER_PX))
    _write_header(page, own, model, width_px)
    draw_legend(page, joints, width_px - MARGIN_PX, footer_px + FOOTER_PX // 2, held=own.corners is not None)
    cube = find_shown(frame, own)
    picture, patch_from_image = _colour_hand(frame, cube, tile_px)
    for place, step in enumerate(steps):
        left = MARGIN_PX + place % columns * (tile_px + GAP_PX)
        top = HEADER_PX + place // columns * (tile_px + CAPTION_PX)
        axes = open_tile(figure, (left, top, tile_px, tile_px))
        axes.imshow(picture, interpolation="nearest")
        if own.corners is not None:
            draw_wireframe(axes, _find_pixels(own.camera, cube, own.corners[step], patch_from_image), tile_px)
        draw_skeleton(axes, _find_pixels(own.camera, cube, own.steps_mm[step], patch_from_image), joints, tile_px)
        _write_caption(page, own, step, (left, left + tile_px - 1), top + tile_px + CAPTION_PX // 2)
    return figure


def find_shown(frame: Frame, own: OwnJoints) -> Centre:
    """The cube that a picture shows: the model's; of hand and object, whose cube has room for both and more, one around
    all their poses, as long as something was measured in it."""
    points_mm = own.points_mm.reshape(-1, 3)
    if own.corners is None or not np.isfinite(points_mm).all():
        return own.cube
    low_mm, high_mm = points_mm.min(axis=0), points_mm.max(axis=0)
    edge_mm = float(np.clip(ROOM * (high_mm - low_mm).max(), own.cube.cube_mm * LEAST_SHARE, own.cube.cube_mm))
    around = Centre((low_mm + high_mm) / 2, edge_mm)
    if around.centre_mm[2] <= edge_mm / 2:
        return own.cube
    patch, _ = crop_cube(frame.depth_mm, around.centre_mm, edge_mm, frame.camera, size_px=ALONE_PX)
    return around if (np.abs(patch) < 1).any() else own.cube


def _find_pixels(
    camera: Camera, cube: Centre, step_mm: Float32[np.ndarray, "points 3"], patch_from_image: Float64[np.ndarray, "3 3"]
) -> Float[np.ndarray, "points 3"]:
    """Where points are in a tile; one that is not in front of the camera has no place in any picture."""
    points_mm = step_mm.astype(np.float64)
    shown_mm = np.where(points_mm[:, 2:] > 0, points_mm, np.nan)
    return points_to_patch(shown_mm, patch_from_image, cube.centre_mm, cube.cube_mm, camera)


def _colour_hand(
    frame: Frame, cube: Centre, tile_px: int
) -> tuple[UInt8[np.ndarray, "size size 3"], Float64[np.ndarray, "3 3"]]:
    """The cube's window in false colour, with what lies behind the cube, and the way into it from the image."""
    patch, patch_from_image = crop_cube(frame.depth_mm, cube.centre_mm, cube.cube_mm, frame.camera, size_px=tile_px)
    depth_mm = sample_window(frame.depth_mm, patch_from_image, tile_px)
    near_mm, far_mm = find_range(depth_mm[np.abs(patch) < 1], cube.cube_mm)
    return colour_depth(depth_mm, near_mm, far_mm), patch_from_image


def find_range(inside_mm: Float32[np.ndarray, "pixels"], cube_mm: float) -> tuple[float, float]:
    """Where the colours of what lies inside a cube begin and end."""
    near_mm, far_mm = np.percentile(inside_mm, OUTLIERS).tolist()
    # The colours of a flat surface would be those of its noise.
    return near_mm, max(far_mm, near_mm + cube_mm / 4)


def _write_header(page: "Axes", own: OwnJoints, model: str, width_px: int) -> None:
    characters = (width_px - 2 * MARGIN_PX) // 14
    name, by = shorten_name(own.name, characters), shorten_name(model, characters)
    page.text(MARGIN_PX, 28, name, color=INK, fontsize=15, fontweight="bold", va="center", parse_math=False)
    page.text(MARGIN_PX, 54, by, color=FAINT_INK, fontsize=11, va="center", parse_math=False)


def _write_caption(page: "Axes", own: OwnJoints, step: int, ends_px: tuple[int, int], middle_px: int) -> None:
    """Which iteration, and how far it moved the joints in the mean."""
    last = len(own.steps_mm) - 1
    words = f"iteration {step} of {last}" if step else "first estimate" if last else "estimate"
    page.text(ends_px[0], middle_px, words, color=INK, fontsize=11, va="center")
    if step:
        moved_mm = np.linalg.norm(own.steps_mm[step] - own.steps_mm[step - 1], axis=1).mean()
        moved = f"moved joints by {moved_mm:.1f} mm"
        page.text(ends_px[1], middle_px, moved, color=FAINT_INK, fontsize=11, va="center", ha="right")
