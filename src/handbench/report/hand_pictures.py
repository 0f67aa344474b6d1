"""Predicted hands over the camera's images: as skeletons (deepmodel Fig. 4), and as the hand itself from its angles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32

from handbench.conventions import Camera
from handbench.datasets.evenly import spread_evenly
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.errors import BadInput
from handbench.evaluation.metrics import frame_means
from handbench.evaluation.results import Result
from handbench.geometry.crop import crop_cube, points_to_patch
from handbench.geometry.mesh import Mesh
from handbench.hand.skeleton import SHAPE_FIELDS, HandShape, vary_shape
from handbench.hand.skinning import make_skin, pose_mesh
from handbench.rendering.zbuffer import render_layers
from handbench.report.contact_sheet import Picture, sample_window
from handbench.report.frame_data import FrameData, StoredFrames, open_frames
from handbench.report.items import Absent, Figure, Item
from handbench.report.picture_grid import MIDDLE_PX, Grid, Tile, draw_grid
from handbench.report.picture_layouts import COLOURS, EVENLY
from handbench.report.picture_tiles import colour_cube, find_colours
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamped_csv import write_csv
from handbench.report.stamps import SEPARATOR, stamp_results

LABEL_PX = 132
SHOWN = 6
"""Frames, side by side."""
LEAST_PX = MIDDLE_PX
"""Of a picture with a mesh: smaller patches are enlarged, so that the hand is drawn finely."""
HAND_COLOUR = np.array([255.0, 178.0, 26.0])
"""Warm, as depth is cool."""
COVER = 0.75
"""How much of the camera's image the drawn hand hides."""
DARKEST = 0.3
"""Of its colour, where the skin stands edge-on."""


@dataclass(frozen=True)
class Seen:
    """A few frames of a result, at even distances in the test list."""

    data: FrameData
    chosen: list[int]

    @property
    def errors_mm(self) -> Float[np.ndarray, "chosen"]:
        """The mean joint error of each."""
        means_mm: np.ndarray = frame_means(self.data.errors_mm)[self.chosen]
        return means_mm

    @property
    def words(self) -> list[str]:
        return [f"{mean_mm:.1f} mm" for mean_mm in self.errors_mm]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"frame {row}" for row in self.data.rows[self.chosen])


def build_skeletons(name: str, title: str, module: str, dataset: str, sources: Sources) -> Item:
    """Predicted joints above the labelled ones."""
    return _build(name, title, sources.find_results(dataset=dataset, module=module), sources, lay_out_skeletons)


def build_meshes(name: str, title: str, module: str, dataset: str, sources: Sources) -> Item:
    """The hand model's skin, posed by the predicted parameters, below the camera's images."""
    return _build(name, title, sources.find_results(dataset=dataset, module=module), sources, lay_out_meshes)


def _build(
    name: str, title: str, results: Sequence[Result], sources: Sources, lay_out: Callable[[Seen], Callable[[], Grid]]
) -> Item:
    """The first seed; or why there is nothing to see."""
    if not results:
        return Absent(name, title, f"This run: {NOT_RUN}.")
    try:
        seen = _open_evenly(sources.run, results[0])
        draw_tiles = lay_out(seen)
    except BadInput as missing:
        return Absent(name, title, f"Not shown: expected {missing.expected}, found {missing.found}.")
    stamp = f"{stamp_results(results[:1])}{SEPARATOR}shown: seed {results[0].seed}"
    draw = partial(_draw, draw_tiles, seen, title, stamp)
    notes = (EVENLY, COLOURS, "Below a prediction its mean joint error.", *sources.caution)
    return Figure(name, title, f"Predictions on {len(seen.chosen)} test frames.", draw, stamp, notes)


def _open_evenly(run: Path, result: Result) -> Seen:
    data = open_frames(run, result)
    return Seen(data, spread_evenly(len(data.rows), SHOWN).tolist())


def _draw(draw_tiles: Callable[[], Grid], seen: Seen, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    numbers = pd.DataFrame({"frame": seen.data.rows[seen.chosen], "mean_error_mm": seen.errors_mm})
    return (*draw_grid(draw_tiles(), out, title=title, stamp=stamp), write_csv(numbers, out, stamp))


def lay_out_skeletons(seen: Seen) -> Callable[[], Grid]:
    """The tiles, to be drawn when the figure is."""
    return partial(_draw_skeletons, seen)


def _draw_skeletons(seen: Seen) -> Grid:
    data = seen.data
    pictures = [colour_patch(data, frame, 1) for frame in seen.chosen]
    scored = list(data.store.scored)
    drawn = [find_pixels(data, frame, data.predicted_mm[frame]) for frame in seen.chosen]
    true = [find_pixels(data, frame, data.truth_mm[frame][scored]) for frame in seen.chosen]
    return Grid(
        rows=(
            tuple(Tile(*one) for one in zip(pictures, drawn, seen.words, strict=True)),
            tuple(Tile(*one) for one in zip(pictures, true, strict=True)),
        ),
        headings=seen.names,
        labels=("predicted", "labelled"),
        joints=scored_skeleton(data.result.dataset),
        label_px=LABEL_PX,
        tile_px=MIDDLE_PX,
    )


def lay_out_meshes(seen: Seen) -> Callable[[], Grid]:
    """Refuses predictions that do not say whose hand takes which pose."""
    card, pose = seen.data.card, seen.data.pose
    if pose is None or not isinstance(card.get("hand"), dict):
        where = f"the predictions of {seen.data.result.module}"
        raise BadInput(
            where, expected="predictions with poses and their hand", found="joints alone", fix="predict anew"
        )
    shape = HandShape(**{name: np.array(card["hand"][name], np.float64) for name in SHAPE_FIELDS})
    return partial(_draw_meshes, seen, shape, pose)


def _draw_meshes(seen: Seen, shape: HandShape, pose: Float32[np.ndarray, "frames 26"]) -> Grid:
    data = seen.data
    times = -(-LEAST_PX // data.store.depth.shape[1])
    pictures = [colour_patch(data, frame, times) for frame in seen.chosen]
    hands = []
    for frame, picture in zip(seen.chosen, pictures, strict=True):
        own = vary_shape(shape, size=float(data.hand_scale[frame]))
        mesh = pose_mesh(make_skin(own), own, pose[frame].astype(np.float64))
        hands.append(lay_over(picture, draw_hand(data, frame, mesh, len(picture))))
    return Grid(
        rows=(
            tuple(Tile(picture) for picture in pictures),
            tuple(Tile(picture, words=words) for picture, words in zip(hands, seen.words, strict=True)),
        ),
        headings=seen.names,
        labels=("camera", "predicted\nhand"),
        joints=scored_skeleton(data.result.dataset),
        label_px=LABEL_PX,
        tile_px=MIDDLE_PX,
    )


def colour_patch(data: StoredFrames, frame: int, times: int) -> Picture:
    """The patch that the network saw in false colour, each pixel enlarged."""
    place, cube_mm = int(data.places[frame]), float(data.store.cube_mm[data.places[frame]])
    depth = np.asarray(data.store.depth[place], np.float32)
    depth_mm = (depth + 1) * np.float32(cube_mm / 2)
    picture = colour_cube(depth_mm, *find_colours(depth_mm[depth < 1], cube_mm), cube_mm)
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def find_pixels(
    data: StoredFrames, frame: int, joints_mm: Float[np.ndarray, "joints 3"]
) -> Float32[np.ndarray, "joints 3"]:
    """Where joints are in the patch; one that is not in front of the camera has no place there."""
    store, place = data.store, int(data.places[frame])
    points_mm = np.where(joints_mm[:, 2:] > 0, joints_mm, np.nan).astype(np.float64)
    cube = store.centre_mm[place], float(store.cube_mm[place])
    return points_to_patch(points_mm, store.patch_from_image[place], *cube, store.camera).astype(np.float32)


def draw_hand(data: FrameData, frame: int, mesh: Mesh, size_px: int) -> Float32[np.ndarray, "size size"]:
    """How light the skin is in each pixel of the frame's window, 0 where it is not seen."""
    store, place = data.store, int(data.places[frame])
    depth_mm, _ = render_layers([mesh], store.camera)
    light = shade(depth_mm, store.camera)
    centre_mm, cube_mm = store.centre_mm[place].astype(np.float64), float(store.cube_mm[place])
    # The window of the patch, as many pixels as its picture has: of each the light of the image's pixel.
    _, patch_from_image = crop_cube(depth_mm, centre_mm, cube_mm, store.camera, size_px=size_px)
    return sample_window(light, patch_from_image, size_px)


def shade(depth_mm: Float32[np.ndarray, "height width"], camera: Camera) -> Float32[np.ndarray, "height width"]:
    """1 where the skin faces the camera, darker the more it turns away; 0 where nothing is."""
    seen = depth_mm > 0
    down, across = np.gradient(np.where(seen, depth_mm, np.nan))
    # A pixel is z / f wide: slopes without a unit. At the outline there is no neighbour: edge-on.
    slopes = np.stack([across * camera.fx, down * camera.fy]) / np.where(seen, depth_mm, np.nan)
    facing = 1 / np.sqrt(1 + np.square(slopes).sum(axis=0))
    light = DARKEST + (1 - DARKEST) * np.nan_to_num(facing)
    return np.where(seen, light, 0.0).astype(np.float32)


def lay_over(picture: Picture, light: Float32[np.ndarray, "size size"]) -> Picture:
    """The hand over the camera's image, which shows through."""
    hand = light[..., None] * HAND_COLOUR
    return np.where(light[..., None] > 0, COVER * hand + (1 - COVER) * picture, picture).round().astype(np.uint8)
