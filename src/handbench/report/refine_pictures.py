"""Hands before and after refinement (refine Fig. 6): the hand model in the predicted pose, and the depth it misses."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float32

from handbench.datasets.evenly import spread_evenly
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.errors import BadInput
from handbench.evaluation.claim_refine import BASE, REFINED
from handbench.evaluation.own_skeleton import hand_of_card
from handbench.evaluation.skeleton_score import place_hand
from handbench.geometry.crop import crop_cube
from handbench.geometry.mesh import Mesh
from handbench.hand.keypoints import scored_keypoints
from handbench.hand.skinning import make_skin, skin_vertices
from handbench.rendering.zbuffer import render_layers
from handbench.report.frame_data import FrameData, open_frames
from handbench.report.hand_pictures import HAND_COLOUR, LEAST_PX, colour_patch, draw_hand
from handbench.report.items import Absent, Figure, Item
from handbench.report.picture_grid import MIDDLE_PX, Grid, Tile, colour_difference, draw_grid
from handbench.report.picture_layouts import COLOURS, EVENLY
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamped_csv import write_csv
from handbench.report.stamps import SEPARATOR, stamp_results
from handbench.training.prediction_file import read_quaternions

SHOWN, LABEL_PX = 6, 132
PAPER = 255.0
"""Behind a rendered hand there is nothing."""


@dataclass(frozen=True)
class Posed:
    """One network's hands on the shown frames."""

    data: FrameData
    meshes: list[Mesh]
    depth_mm: list[Float32[np.ndarray, "size size"]]
    """Absolute difference of the rendered hand's depth from the camera's, in the cube."""

    @property
    def left_mm(self) -> list[float]:
        """Mean over all pixels of the patch."""
        return [float(one.mean()) for one in self.depth_mm]


def build_before_after(name: str, title: str, dataset: str, sources: Sources) -> Item:
    """The base network's hands and the refined one's on the same frames, those of the first seed."""
    results = [
        found[0] for module in (BASE, REFINED) if (found := sources.find_results(dataset=dataset, module=module))
    ]
    if len(results) < 2:
        return Absent(name, title, f"This run: {NOT_RUN}.")
    try:
        data = [open_frames(sources.run, one) for one in results]
        if not np.array_equal(data[0].rows, data[1].rows):
            return Absent(name, title, f"Not shown: {BASE} and {REFINED} were predicted on other frames each.")
        chosen = spread_evenly(len(data[0].rows), SHOWN).tolist()
        before, after = (_pose(one, chosen) for one in data)
    except BadInput as missing:
        return Absent(name, title, f"Not shown: expected {missing.expected}, found {missing.found}.")
    stamp = f"{stamp_results(results)}{SEPARATOR}shown: seed {results[0].seed}"
    numbers = pd.DataFrame({"frame": data[0].rows[chosen], "before_mm": before.left_mm, "after_mm": after.left_mm})
    notes = (
        EVENLY,
        COLOURS,
        "Below a difference its mean over the patch, where a pixel that only one of the two shows counts the whole way "
        "to the cube's back face. The hand is the one that the base learned from: what the point cloud has learned of "
        "the target's shape is not in it. Print sets a colour picture beside, which is not recorded here.",
        *sources.caution,
    )
    words = f"Hands of {len(chosen)} test frames before and after."
    draw = partial(_draw, partial(_lay_out, before, after, chosen), numbers, title, stamp)
    return Figure(name, title, words, draw, stamp, notes)


def _pose(data: FrameData, chosen: Sequence[int]) -> Posed:
    """The skin of the hand that the base learned from, in the predicted pose."""
    quaternions, shape = read_quaternions(data.prediction), hand_of_card(data.card)
    if quaternions is None:
        where = f"the predictions of {data.result.module}"
        raise BadInput(where, expected="predictions that say how bones are turned", found="joints", fix="predict anew")
    keypoints, frames = scored_keypoints(data.result.dataset), list(chosen)
    rotations, origins_mm = place_hand(
        data.prediction, data.predicted_mm[frames].astype(np.float64), quaternions[frames], keypoints, shape
    )
    skin = make_skin(shape)
    meshes = [Mesh(skin_vertices(skin, *bones), skin.faces) for bones in zip(rotations, origins_mm, strict=True)]
    left = [_subtract(data, frame, mesh) for frame, mesh in zip(frames, meshes, strict=True)]
    return Posed(data, meshes, left)


def _subtract(data: FrameData, frame: int, mesh: Mesh) -> Float32[np.ndarray, "size size"]:
    """How far the rendered hand lies from what the camera has measured, both cut to the cube."""
    store, place = data.store, int(data.places[frame])
    seen = np.asarray(store.depth[place], np.float32)
    cube_mm = float(store.cube_mm[place])
    depth_mm, _ = render_layers([mesh], store.camera)
    drawn, _ = crop_cube(depth_mm, store.centre_mm[place].astype(np.float64), cube_mm, store.camera, size_px=len(seen))
    return (np.abs(drawn.astype(np.float32) - seen) * np.float32(cube_mm / 2)).astype(np.float32)


def _lay_out(before: Posed, after: Posed, chosen: Sequence[int]) -> Grid:
    data = before.data
    times = -(-LEAST_PX // data.store.depth.shape[1])
    return Grid(
        rows=(
            tuple(Tile(colour_patch(data, frame, 1)) for frame in chosen),
            *(_show_hands(one, chosen, times * data.store.depth.shape[1]) for one in (before, after)),
            *(_show_differences(one) for one in (before, after)),
        ),
        headings=tuple(f"frame {row}" for row in data.rows[list(chosen)]),
        labels=("camera", "hand\nbefore", "hand\nafter", "depth error\nbefore", "depth error\nafter"),
        joints=scored_skeleton(data.result.dataset),
        label_px=LABEL_PX,
        tile_px=MIDDLE_PX,
        differences=True,
    )


def _show_hands(one: Posed, chosen: Sequence[int], size_px: int) -> tuple[Tile, ...]:
    tiles = []
    for frame, mesh in zip(chosen, one.meshes, strict=True):
        light = draw_hand(one.data, frame, mesh, size_px)[..., None]
        tiles.append(Tile(np.where(light > 0, light * HAND_COLOUR, PAPER).round().astype(np.uint8)))
    return tuple(tiles)


def _show_differences(one: Posed) -> tuple[Tile, ...]:
    pairs = zip(one.depth_mm, one.left_mm, strict=True)
    return tuple(Tile(colour_difference(difference), words=f"{mean_mm:.1f} mm") for difference, mean_mm in pairs)


def _draw(draw_tiles: partial[Grid], numbers: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return (*draw_grid(draw_tiles(), out, title=title, stamp=stamp), write_csv(numbers, out, stamp))
