"""A few embedded frames for the rows to work on, drawn once a process and removed at its end."""

import atexit
import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from handbench.conventions import NYU_LABEL_CAMERA, Camera
from handbench.datasets.importers import list_frames
from handbench.datasets.listing import Listing
from handbench.datasets.synthesize import synthesize

NYU_FRAMES, MSRA_FRAMES = 8, 8

CUBE_MM = 300.0
CAMERA: Camera = NYU_LABEL_CAMERA
"""Square pixels: windows are square then, and recipes that keep the aspect can be held to those that do not."""


@dataclasses.dataclass(frozen=True)
class DecodedFrame:
    """A depth image in memory and where in it the hand is."""

    depth_mm: Float32[np.ndarray, "height width"]
    centre_mm: Float32[np.ndarray, "3"]


@lru_cache(maxsize=1)
def scratch_folder() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="handbench-bench-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


@lru_cache(maxsize=2)
def embedded_listing(dataset: str) -> Listing:
    """A split of an embedded dataset; NYU's pictures are encoded anew, with a filter a row as downloads have it."""
    frames = {"train": 1, "test": NYU_FRAMES} if dataset == "nyu" else {"all": MSRA_FRAMES}
    with silence():
        synthesize(dataset, scratch_folder() / dataset, frames=frames, seed=0)
        listing = list_frames(dataset, scratch_folder() / dataset / "raw", list(frames)[-1])
    if dataset == "nyu":
        for name in listing.names:
            _encode_anew(listing.root / name)
    return listing


@lru_cache(maxsize=1)
def decoded_frames() -> list[DecodedFrame]:
    """NYU frames with the joint that the published protocol centres the cube on."""
    listing = embedded_listing("nyu")
    joint = listing.convention.joints.index(listing.convention.centre_joint)
    frames = [listing.frame(row) for row in range(len(listing))]
    return [DecodedFrame(frame.depth_mm, frame.joints_mm[joint]) for frame in frames]


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Only the table is printed."""
    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


def _encode_anew(path: Path) -> None:
    from PIL import Image

    Image.open(path).save(path)
