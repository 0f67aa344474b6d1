"""The frames behind a result of hand and object: what was predicted at each step, and which of them to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int64

from handbench.conventions import HANDOBJECT, MSRA_JOINTS, JointSet
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result
from handbench.report.frame_data import ERRORS, StoredFrames, find_store, open_frames, read_errors
from handbench.report.hand_pictures import colour_patch, find_pixels
from handbench.report.picture_grid import Tile
from handbench.training.prediction_file import pick_joints, read_corners, read_steps

HAND: JointSet = MSRA_JOINTS
"""What is predicted of the hand: all its joints, though only tips are labelled."""

Window = tuple[int, int, int]
"""Left, top and edge of a square of the patch."""
ROOM, LEAST_SHARE = 1.25, 0.3
"""Of the extent of hand and object, and of the patch: how wide a picture of them is."""


@dataclass(frozen=True)
class HeldFrames:
    """Poses of hand and object at the start and after every iteration, in the order of the predictions."""

    data: StoredFrames
    hands_mm: Float32[np.ndarray, "steps frames 21 3"]
    corners: Float32[np.ndarray, "steps frames 8 3"]
    combined_mm: Float[np.ndarray, "steps frames"]
    """Eq. 23, or the mean over all joints and corners where all are known; NaN of a frame without any label."""
    marked: bool = True
    """Whether pictures show the labels: three of a test frame's corners, not all that is known of a rendered one."""

    @property
    def last(self) -> int:
        return len(self.hands_mm) - 1

    @property
    def sequences(self) -> np.ndarray:
        return np.array([self.data.store.sequences[place] for place in self.data.places])

    def name(self, frame: int) -> str:
        return f"frame {self.data.rows[frame]}"

    def tile(self, frame: int, step: int, window: Window | None = None) -> Tile:
        """What the camera sees of both, their poses of a step and the labels over it, the combined error below.

        Without a window it is the frame's own, the same at every step.
        """
        data, error_mm = self.data, self.combined_mm[step, frame]
        left, top, edge = window or self.find_window([frame])
        shift = np.array([left, top, 0], np.float32)
        return Tile(
            np.ascontiguousarray(colour_patch(data, frame, 1)[top : top + edge, left : left + edge]),
            find_pixels(data, frame, self.hands_mm[step, frame]) - shift,
            "" if np.isnan(error_mm) else f"{error_mm:.1f} mm",
            find_pixels(data, frame, self.corners[step, frame]) - shift,
            find_pixels(data, frame, data.truth_mm[frame]) - shift if self.marked else None,
        )

    def find_window(self, frames: Sequence[int]) -> Window:
        """Around all poses and labels of some frames, with some room, as far as the patch has it."""
        size = self.data.store.depth.shape[1]
        points = np.concatenate(
            [
                find_pixels(self.data, frame, points_mm)[:, :2]
                for frame in frames
                for points_mm in (*self.hands_mm[:, frame], *self.corners[:, frame], self.data.truth_mm[frame])
            ]
        )
        known = points[np.isfinite(points).all(axis=1)]
        if not len(known):
            return 0, 0, size
        low, high = known.min(axis=0), known.max(axis=0)
        edge = int(np.clip(ROOM * (high - low).max(), size * LEAST_SHARE, size))
        left, top = np.clip(np.round((low + high - edge) / 2), 0, size - edge).astype(int).tolist()
        return left, top, edge

    def choose_at(self, share: float, step: int) -> list[int]:
        """Of each sequence the frame below whose error at a step so many of its frames lie."""
        chosen = []
        for name in dict.fromkeys(self.sequences):
            frames = np.flatnonzero((self.sequences == name) & ~np.isnan(self.combined_mm[step]))
            if len(frames):
                ordered = frames[np.argsort(self.combined_mm[step, frames], kind="stable")]
                chosen.append(int(ordered[round(share * (len(ordered) - 1))]))
        return chosen

    def list_sequence(self, name: str) -> Int64[np.ndarray, "some"]:
        """The frames of a sequence in the order they were taken in."""
        frames = np.flatnonzero(self.sequences == name)
        return frames[np.argsort(self.data.rows[frames], kind="stable")].astype(np.int64)


def open_held(run: Path, result: Result) -> HeldFrames:
    """BadInput says which file is not at hand."""
    data = open_frames(run, result)
    corners = read_corners(data.prediction, data.card)
    if corners is None:
        fix = "predict again"
        raise BadInput(result.module, expected="predictions of hand and object", found="a hand alone", fix=fix)
    combined_mm = read_errors(result, "combined_mm").get("combined_mm")
    if combined_mm is None or combined_mm.shape != corners.shape[:2]:
        found = "none" if combined_mm is None else f"shape {combined_mm.shape}"
        raise BadInput(ERRORS, expected="the error of every frame and step", found=found, fix="evaluate again")
    hands_mm = pick_joints(data.card, read_steps(data.prediction), HAND.names)
    return HeldFrames(data, hands_mm.astype(np.float32), corners.astype(np.float32), combined_mm)


def open_shown(run: Path, probe: Probe) -> HeldFrames:
    """Rendered frames with the poses that a probe has left of them; their errors are means over joints and corners."""
    shown = probe.read("shown")
    store = open_store(find_store(Path(probe.read("store")), run, HANDOBJECT.name), verify=False)
    if store.card["sha256"] != probe.read("sha256_of_store"):
        fix = "probe it again"
        raise BadInput(store.path, expected=f"the crops that {probe.module} learned from", found="others", fix=fix)
    places = np.array(shown["places"], np.int64)
    hands_mm, corners = (np.array(shown[name], np.float32) for name in ("hands", "corners"))
    ends = (hands_mm.shape[2], corners.shape[2])
    errors_mm = np.average([shown["hand_mm"], shown["object_mm"]], axis=0, weights=ends)
    frames = StoredFrames(np.asarray(store.row)[places].astype(np.int64), store, places)
    return HeldFrames(frames, hands_mm, corners, errors_mm, marked=False)
