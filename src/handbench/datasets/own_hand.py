"""Where the hand is in a frame without labels, and the crop of it; or the place that a person names for a ready crop.

The centre is that of the word `com`, which never looks at labels: the nearest region of a hand's size, of that the
limb, of that the end, and from there a cube moved to the mean of what is in it until it rests. What is added here is
the range in which a hand is looked for, and refusals instead of fallbacks: nobody reads the notes of a single frame.
"""

from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
from jaxtyping import Float32

from handbench.conventions import Convention
from handbench.datasets.centres import Centre, CentreStrategy, box_seen, choose_strategy
from handbench.datasets.frame_crop import Crop, crop_frame
from handbench.datasets.hand_region import SIZEABLE_MM2, find_nearest_region, find_pieces
from handbench.datasets.listing import Frame
from handbench.errors import BadInput

CELLS = 12
"""The face of the cube is divided into so many columns and rows; at 1500 mm a cell is still two pixels wide."""
MOST_COVERED = 0.8
"""Share of the cells that a hand covers at most: 0.5 in all embedded data; a wall, table or chest covers them all."""
CUBES_MM = (50.0, 1000.0)
"""Edges that a cube around a hand can have: others are in metres or centimetres."""

FARTHEST_MM = 10_000.0
"""No camera sees a hand farther away."""


@dataclass(frozen=True)
class Reach:
    """The depths at which a hand is looked for."""

    near_mm: float = 200.0
    far_mm: float = 1500.0

    def __post_init__(self) -> None:
        if not 0 < self.near_mm < self.far_mm < float("inf"):
            found = f"{self.near_mm:g} to {self.far_mm:g}"
            raise BadInput("reach", expected="0 < --near < --far in millimetres", found=found, fix="mend them")


DEFAULT_REACH = Reach()


def choose_reach(near_mm: float | None, far_mm: float | None) -> Reach:
    """What a person asks for, the default for what is left open."""
    return Reach(
        DEFAULT_REACH.near_mm if near_mm is None else near_mm, DEFAULT_REACH.far_mm if far_mm is None else far_mm
    )


def crop_own_hand(frame: Frame, convention: Convention, size_px: int, reach: Reach) -> Crop:
    """The crop around the nearest hand; the cube is the convention's, depth out of reach counts as not measured."""
    near = keep_reach(frame, reach)
    region_mm = find_nearest_region(near.depth_mm, near.camera)
    if region_mm is None:
        raise BadInput(
            frame.name,
            expected=f"a hand {reach.near_mm:g} to {reach.far_mm:g} mm before the camera",
            found=f"no surface there of {SIZEABLE_MM2 / 100:g} cm² or more",
            fix="hold the hand nearer, mend the camera's numbers, or widen --near and --far",
        )
    crop = crop_frame(near, convention, choose_strategy("com", convention), size_px)
    covered = _share_covered(region_mm, crop.centre_mm, crop.cube_mm)
    if covered > MOST_COVERED:
        raise BadInput(
            frame.name,
            expected=f"a hand as the nearest thing {reach.near_mm:g} to {reach.far_mm:g} mm before the camera",
            found=f"a surface at {crop.centre_mm[2]:.0f} mm that covers {covered:.0%} of a {crop.cube_mm:g} mm cube, "
            "as a wall, a table or a chest does",
            fix="hold the hand at least 50 mm before anything else, or set --near and --far around it",
        )
    return crop


def crop_own_block(frame: Frame, convention: Convention, size_px: int, reach: Reach) -> Crop:
    """The same in the padded block of what is seen of the hand, as the word `seen` has it."""
    first, near = crop_own_hand(frame, convention, size_px, reach), keep_reach(frame, reach)
    pieces = find_pieces(near.depth_mm, near.camera)
    assert pieces is not None, "found before"
    box = box_seen(pieces, Centre(first.centre_mm, first.cube_mm), near.camera)
    return crop_named_place(near, convention, size_px, box)


def keep_reach(frame: Frame, reach: Reach) -> Frame:
    """The frame without what was measured out of reach."""
    within = (frame.depth_mm >= reach.near_mm) & (frame.depth_mm <= reach.far_mm)
    measured_mm = frame.depth_mm[frame.depth_mm > 0]
    if measured_mm.size and np.median(measured_mm) < reach.near_mm:
        raise BadInput(
            frame.name,
            expected=f"most of the frame farther away than --near ({reach.near_mm:g} mm)",
            found=f"half of it within {np.median(measured_mm):.0f} mm",
            fix="convert the file if its unit is a centimetre, or lower --near",
        )
    if not within.any():
        raise BadInput(
            frame.name,
            expected=f"a hand {reach.near_mm:g} to {reach.far_mm:g} mm before the camera",
            found=f"depths of {measured_mm.min():.0f} to {measured_mm.max():.0f} mm only",
            fix="convert the file if its unit is not a millimetre, or widen --near and --far",
        )
    return replace(frame, depth_mm=np.where(within, frame.depth_mm, np.float32(0)))


def _share_covered(
    region_mm: Float32[np.ndarray, "points 3"], centre_mm: Float32[np.ndarray, "3"], cube_mm: float
) -> float:
    """How much of the cube's face the region hides, whatever the spacing of its points."""
    from_corner = (region_mm - centre_mm) / np.float32(cube_mm) + np.float32(0.5)
    inside = from_corner[((from_corner >= 0) & (from_corner < 1)).all(axis=1)]
    cells = (inside[:, :2] * CELLS).astype(int)
    return len(np.unique(cells[:, 0] * CELLS + cells[:, 1])) / CELLS**2


def check_cube(cube: Centre) -> Centre:
    """A place that a person has named, if a hand can be there."""
    x, y, z = cube.centre_mm.tolist()
    require_edge(cube.cube_mm)
    if not (isfinite(x + y + z) and z > cube.cube_mm / 2 and max(abs(x), abs(y), z) < FARTHEST_MM):
        raise BadInput(
            "centre",
            expected=f"a cube of {cube.cube_mm:g} mm wholly before the camera, within {FARTHEST_MM:g} mm",
            found=f"its centre at ({x:g}, {y:g}, {z:g}) mm",
            fix="give --centre X Y Z in millimetres: x right, y down, z away from the camera",
        )
    return cube


def require_edge(cube_mm: float) -> float:
    """The edge, where a cube around a hand can have it."""
    least_mm, most_mm = CUBES_MM
    if not least_mm <= cube_mm <= most_mm:
        found, fix = f"{cube_mm:g}", "give --cube in millimetres: the papers use 150 to 300"
        raise BadInput("cube", expected=f"an edge of {least_mm:g} to {most_mm:g} mm", found=found, fix=fix)
    return cube_mm


def crop_named_place(frame: Frame, convention: Convention, size_px: int, cube: Centre) -> Crop:
    """The crop around a place that is known."""
    return crop_frame(frame, convention, CentreStrategy("named", False, lambda *_: cube), size_px)
