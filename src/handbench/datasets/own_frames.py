"""A person's own depth frames: which files, seen by which camera, as the frames that the rest of the house knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from handbench.conventions import DATASETS, UNKNOWN_SUBJECT, Camera
from handbench.datasets.layout import list_folder
from handbench.datasets.listing import Frame
from handbench.datasets.own_depth import ENDINGS, read_own_depth
from handbench.datasets.png import Depth
from handbench.errors import BadInput

FOCAL_SHARES = (0.1, 10.0)
"""Focal length by image width: a view of 157 degrees, and one of 6. Millimetres of a lens and shares fall outside."""
MOST_STRETCHED = 1.5
"""Between the two focal lengths: pixels of depth cameras are square."""


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole whose image may be of any size; `image_px` is (width, height) where only one size will do.

    `option` is what a person gave it by.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    image_px: tuple[int, int] | None = None
    option: str = "--camera"


def parse_intrinsics(words: Sequence[str], where: str | Path = "camera", option: str = "--camera") -> Intrinsics:
    """One word, a dataset whose camera it is; or four, fx fy cx cy in pixels; `where` gives them, by `option`."""
    wanted = f"{option} with a dataset's name ({', '.join(DATASETS)}) or four numbers FX FY CX CY in pixels"
    if len(words) == 1 and words[0] in DATASETS:
        camera = DATASETS[words[0]].camera
        return Intrinsics(camera.fx, camera.fy, camera.cx, camera.cy, (camera.width, camera.height), option)
    try:
        fx, fy, cx, cy = map(_parse_plain, words)
    except ValueError:
        found = " ".join(words) or "nothing"
        raise BadInput(where, expected=wanted, found=found, fix="see the sensor's data sheet") from None
    if not (isfinite(fx + fy + cx + cy) and fx > 0 and fy > 0):
        found = " ".join(words)
        raise BadInput(where, expected="focal lengths above 0, in pixels", found=found, fix=f"give {wanted}")
    if max(fx, fy) > MOST_STRETCHED * min(fx, fy):
        fix = "put FX before FY before CX CY; scale an image that was stretched back"
        raise BadInput(where, expected="focal lengths of nearly square pixels", found=f"{fx:g} and {fy:g}", fix=fix)
    return Intrinsics(fx, fy, cx, cy, option=option)


def _parse_plain(word: str) -> float:
    # Python would take 1_0 for ten, and digits of any script.
    if "_" in word or not word.isascii():
        raise ValueError(word)
    return float(word)


def fit_camera(intrinsics: Intrinsics, path: Path, depth_mm: Depth) -> Camera:
    """The camera of one frame, where image and intrinsics can belong together.

    Intrinsics hold for one image size: halved with the image, they are halved too. So the principal point must lie in
    the middle half of the image, which it leaves when either is twice the other.
    """
    height, width = depth_mm.shape
    if intrinsics.image_px not in (None, (width, height)):
        wanted = "x".join(map(str, intrinsics.image_px or ()))
        fix = f"give {intrinsics.option} FX FY CX CY of your own camera at this size"
        raise BadInput(path, expected=f"{wanted} pixels, as its camera has", found=f"{width}x{height}", fix=fix)
    if not (width / 4 < intrinsics.cx < 3 * width / 4 and height / 4 < intrinsics.cy < 3 * height / 4):
        raise BadInput(
            path,
            expected=f"an image whose middle half holds the principal point ({intrinsics.cx:g}, {intrinsics.cy:g})",
            found=f"{width}x{height} pixels",
            fix="scale FX FY CX CY as the image was scaled; put a part of an image back into the whole",
        )
    if not all(FOCAL_SHARES[0] < focal / width < FOCAL_SHARES[1] for focal in (intrinsics.fx, intrinsics.fy)):
        raise BadInput(
            path,
            expected=f"focal lengths in pixels, which at {width} columns are mostly {0.6 * width:.0f} to {width}",
            found=f"{intrinsics.fx:g} and {intrinsics.fy:g}",
            fix="give FX FY CX CY in pixels of this image",
        )
    return Camera(intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy, width, height)


def list_own_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Files as they are named; of a folder all of its .png and .npy, sorted by name."""
    files: list[Path] = []
    for path in paths:
        files += _list_folder(path) if path.is_dir() else [path]
    for path in files:
        if path.suffix.lower() not in ENDINGS:
            there = path.exists()
            found = f"a file that ends in {path.suffix!r}" if there else "neither a file nor a folder of that name"
            fix = "convert it" if there else "look at the path"
            raise BadInput(path, expected="a .png or .npy file, or a folder of them", found=found, fix=fix)
    if not files:
        fix = "name one or more"
        raise BadInput("frames", expected="a .png or .npy file, or a folder of them", found="no path", fix=fix)
    return tuple(files)


def _list_folder(folder: Path) -> list[Path]:
    names = [entry.name for entry in list_folder(folder, holds="depth frames")]
    files = [folder / name for name in names if Path(name).suffix.lower() in ENDINGS]
    if not files:
        found = f"{len(names)} others" if names else "an empty folder"
        raise BadInput(folder, expected=".png or .npy files", found=found, fix="name the folder that holds the frames")
    return files


def name_frames(files: Sequence[Path]) -> tuple[str, ...]:
    """A name for each, which no other has: the file's without its ending, numbered from the second of its kind on."""
    names: list[str] = []
    for file in files:
        name, number = file.stem, 1
        while name in names:
            number += 1
            name = f"{file.stem}-{number}"
        names.append(name)
    return tuple(names)


def read_own_frame(path: Path, intrinsics: Intrinsics) -> Frame:
    """One frame with its camera and without any label."""
    depth_mm = read_own_depth(path)
    return unlabelled_frame(path, depth_mm, fit_camera(intrinsics, path, depth_mm))


def unlabelled_frame(path: Path, depth_mm: Depth, camera: Camera) -> Frame:
    """What an importer would make of it, if there were one."""
    return Frame(
        name=str(path),
        row=0,
        subject=UNKNOWN_SUBJECT,
        sequence="",
        depth_mm=depth_mm,
        joints_mm=np.empty((0, 3), np.float32),
        camera=camera,
    )
