"""What every importer hands on: the frames of a split in list order, with labels in the project's axes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from handbench.conventions import Camera, Convention
from handbench.geometry.camera import project_points


@dataclass(frozen=True)
class Frame:
    """One frame: depth in millimetres (0 = no measurement) and joints in camera axes."""

    name: str
    row: int
    subject: str
    sequence: str
    depth_mm: Float32[np.ndarray, "height width"]
    joints_mm: Float32[np.ndarray, "joints 3"]
    camera: Camera


@dataclass(frozen=True)
class Listing:
    """The labels of a split, read once; depth is read a frame at a time.

    Row i is frame i of the published list order: an unreadable image never shifts the rows after it.
    """

    convention: Convention
    split: str
    root: Path
    names: tuple[str, ...]
    """Path of each depth file relative to `root`; unique unless the dataset itself repeats a frame."""
    subjects: tuple[str, ...]
    sequences: tuple[str, ...]
    joints_mm: Float32[np.ndarray, "frames joints 3"]
    """Camera axes; NaN where a joint was not annotated."""
    read_depth: Callable[[Path], Float32[np.ndarray, "height width"]]
    annotations: str = ""
    """Which labels these are, of a dataset that has been labelled more than once."""

    def in_image(self) -> Bool[np.ndarray, "frames"]:
        """Whether any labelled scored joint of a frame projects into the image; true where none is labelled."""
        camera = self.convention.camera
        joints_mm = self.joints_mm[:, list(self.convention.scored)].astype(np.float64)
        labelled = np.isfinite(joints_mm).all(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v, depth_mm = np.moveaxis(project_points(joints_mm, camera), -1, 0)
        inside = (depth_mm > 0) & (u >= -0.5) & (u < camera.width - 0.5) & (v >= -0.5) & (v < camera.height - 0.5)
        any_inside, any_labelled = np.any(inside & labelled, axis=1), np.any(labelled, axis=1)
        return np.logical_or(any_inside, ~any_labelled)

    def __len__(self) -> int:
        return len(self.names)

    def frame(self, row: int) -> Frame:
        return Frame(
            name=self.names[row],
            row=row,
            subject=self.subjects[row],
            sequence=self.sequences[row],
            depth_mm=self.read_depth(self.root / self.names[row]),
            joints_mm=self.joints_mm[row],
            camera=self.convention.camera,
        )
