"""Tiles of a probe's pictures: what the camera saw, what was drawn, how they differ, and the poses over them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float32, UInt8

from handbench.conventions import JointSet
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.evaluation.probes import Probe
from handbench.report.contact_sheet import LAST_SLATE, Picture, depth_colours
from handbench.report.overlay import find_range
from handbench.report.picture_grid import Tile, colour_difference
from handbench.training.picture_file import EVEN, LEVELS, Pictures, as_depth_mm

LAST_COLOUR = 0.9
"""Of the cube's depth: behind that is room for what an image says of the background."""


@dataclass(frozen=True)
class Shown:
    """A probe of the first seed with its pictures."""

    probe: Probe
    pictures: Pictures

    @property
    def joints(self) -> JointSet:
        return scored_skeleton(self.probe.dataset)

    def name(self, frame: int) -> str:
        """Its place in the test list; behind it the share of one that was chosen by its error."""
        row, word = self.pictures.rows[frame], self.pictures.chosen[frame]
        return f"frame {row}" + ("" if word == EVEN else f" ({word})")

    def colour(self, frame: int, levels: UInt8[np.ndarray, "size size"]) -> Picture:
        """An image of a frame, in the colours of the camera's."""
        camera, cube_mm = self.pictures.camera[frame], float(self.pictures.cube_mm[frame])
        hand_mm = as_depth_mm(camera[camera < LEVELS], cube_mm)
        return colour_cube(as_depth_mm(levels, cube_mm), *find_colours(hand_mm, cube_mm), cube_mm)

    def see(self, frame: int, step: int | None = None, words: str = "") -> Tile:
        """The camera's image, the pose of a step over it."""
        pose = None if step is None else self.pictures.poses_px[frame, step]
        return Tile(self.colour(frame, self.pictures.camera[frame]), pose, words)

    def see_truth(self, frame: int, words: str = "") -> Tile:
        """The camera's image, the true pose over it."""
        return Tile(self.colour(frame, self.pictures.camera[frame]), self.pictures.truth_px[frame], words)

    def pose(self, frame: int, step: int) -> Tile:
        """A pose before nothing."""
        nothing = np.full_like(self.pictures.camera[frame], LEVELS)
        return Tile(self.colour(frame, nothing), self.pictures.poses_px[frame, step])

    def draw(self, frame: int, step: int, words: str = "") -> Tile:
        """The image drawn of a step's pose."""
        return Tile(self.colour(frame, self.pictures.drawn[frame, step]), words=words)

    def subtract(self, frame: int, step: int, words: str = "") -> Tile:
        """How the image drawn of a step's pose differs from the camera's."""
        both = (self.pictures.camera[frame], self.pictures.drawn[frame, step])
        camera_mm, drawn_mm = (as_depth_mm(levels, float(self.pictures.cube_mm[frame])) for levels in both)
        return Tile(colour_difference(np.abs(camera_mm - drawn_mm)), words=words)

    def as_frame(self) -> pd.DataFrame:
        """frame, chosen, module, pose, pose_error_mm, hand_error_mm, image_error_mm."""
        pictures = self.pictures
        frames, steps = len(pictures.rows), len(pictures.steps)
        return pd.DataFrame(
            {
                "frame": pictures.rows.repeat(steps),
                "chosen": np.repeat(pictures.chosen, steps),
                "module": self.probe.module,
                "pose": pictures.steps * frames,
                "pose_error_mm": pictures.pose_mm.ravel(),
                "hand_error_mm": pictures.hand_mm.ravel(),
                "image_error_mm": pictures.image_mm.ravel(),
            }
        )


def find_colours(hand_mm: Float32[np.ndarray, "pixels"], cube_mm: float) -> tuple[float, float]:
    """Where the colours of a hand begin and end, behind the near face of the cube."""
    near_mm, far_mm = find_range(hand_mm, cube_mm) if hand_mm.size else (0.0, cube_mm / 2)
    far_mm = min(far_mm, LAST_COLOUR * cube_mm)
    # Of a hand at the far face the colours begin before it, so that they have some depth to change in.
    return min(near_mm, far_mm - cube_mm / 4), far_mm


def colour_cube(depth_mm: Float32[np.ndarray, "size size"], near_mm: float, far_mm: float, cube_mm: float) -> Picture:
    """Light is near; from `far_mm` to the far face of the cube the darkest colour turns slate: blur shows as blur."""
    nearness = np.clip((far_mm - depth_mm) / (far_mm - near_mm), 0, 1)
    picture = depth_colours()(nearness)[..., :3] * 255
    behind = np.clip((depth_mm - far_mm) / (cube_mm - far_mm), 0, 1)[..., None]
    return ((1 - behind) * picture + behind * LAST_SLATE).round().astype(np.uint8)
