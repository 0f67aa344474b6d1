"""What every importer hands on: the frames of a split in list order, with labels in the project's axes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from handbench.conventions import Camera, Convention


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
