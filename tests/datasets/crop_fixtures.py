"""A listing without files: each frame's depth is a function of its name, so any process can make it again."""

import sys
import time
from pathlib import Path

import numpy as np

from handbench.conventions import ICVL
from handbench.datasets.crops import build_crops
from handbench.datasets.listing import Listing
from handbench.errors import BadInput


def read_fake_depth(path: Path) -> np.ndarray:
    """A noisy slab at 400 mm whose place and tilt come from the number in the name; "missing" in a name refuses."""
    number = int(path.stem.split("_")[1])
    if "missing" in path.stem:
        raise BadInput(path, expected="a file", found="nothing", fix="look for it")
    if "short" in path.stem:
        return np.zeros((10, 20), np.float32)
    if "cut" in path.stem:
        raise ValueError("cannot read past the end")
    rng = np.random.default_rng(number)
    depth_mm = np.zeros((240, 320), np.float32)
    top, left = 60 + number % 40, 80 + number % 60
    depth_mm[top : top + 90, left : left + 80] = 400 + rng.normal(0, 10, (90, 80))
    return depth_mm


def read_slowly(path: Path) -> np.ndarray:
    time.sleep(0.002)
    return read_fake_depth(path)


def make_listing(frames: int, root: Path = Path("/nowhere"), bad: dict[int, str] | None = None, **fields) -> Listing:
    rng = np.random.default_rng(7)
    number = len(fields.get("convention", ICVL).joints.names)
    joints_mm = (rng.normal(0, 30, (frames, number, 3)) + np.array([0, 0, 400])).astype(np.float32)
    values = {
        "convention": ICVL,
        "split": "test",
        "root": root,
        "names": tuple(f"{(bad or {}).get(row, 'image')}_{row:04d}.png" for row in range(frames)),
        "subjects": tuple(f"P{row % 3}" for row in range(frames)),
        "sequences": tuple(f"test_seq_{1 + row // 10}" for row in range(frames)),
        "joints_mm": joints_mm,
        "read_depth": read_fake_depth,
    }
    return Listing(**{**values, **fields})


if __name__ == "__main__":
    build_crops(make_listing(600, read_depth=read_slowly), centre="joint", size_px=16, out=Path(sys.argv[1]))
