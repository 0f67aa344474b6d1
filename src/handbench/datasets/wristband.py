"""A recording of one's own camera on disk: two folders of depth frames, the camera's numbers, and perhaps labels.

    <root>/intrinsics.txt     one line: fx fy cx cy in pixels of these frames
    <root>/train/             16-bit PNGs of millimetres, or .npy, in the order of their names (`own_depth`)
    <root>/test/              the same, of another stretch
    <root>/test/labels.txt    a line a frame: its name, then x y z of 21 joints in camera axes, where they are known

Nobody labels such a recording: without labels.txt every joint is NaN. Of the frames that are learned from nothing is
labelled in embedded data either.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from handbench.conventions import UNKNOWN_SUBJECT, WRISTBAND, Camera, Convention
from handbench.datasets.files import replace_file
from handbench.datasets.labels import Joints, check_joints, check_places, format_numbers, parse_numbers, read_lines
from handbench.datasets.layout import check_split, find_base, list_folder
from handbench.datasets.listing import Listing
from handbench.datasets.own_depth import ENDINGS, read_own_depth
from handbench.datasets.own_frames import fit_camera, parse_intrinsics
from handbench.datasets.png import GREY_16, Depth, write_depth_png
from handbench.errors import BadInput

INTRINSICS, LABELS = "intrinsics.txt", "labels.txt"
_COLUMNS = 3 * len(WRISTBAND.joints.names)
_LAYOUT = "docs/formats.md shows how a recording of one's own is laid out"


def depth_name(row: int) -> str:
    """A frame of the embedded recording in its split's folder; a person's own may have any names."""
    return f"{row:06d}.png"


def write_depth(path: Path, depth_mm: Depth) -> None:
    write_depth_png(path, depth_mm, GREY_16, unmeasured=0)


def list_frames(root: Path, split: str) -> Listing:
    """The frames of a split by their names, seen by the recording's own camera."""
    check_split(WRISTBAND, split)
    base = find_base(root, ("", "raw"), (INTRINSICS,), holds=f"a recording with {INTRINSICS}; {_LAYOUT}")
    folder = base / split
    names = find_names(folder)
    return Listing(
        convention=_see_through(base, folder / names[0]),
        split=split,
        root=folder,
        names=names,
        subjects=(UNKNOWN_SUBJECT,) * len(names),
        sequences=(split,) * len(names),
        joints_mm=_read_labels(folder / LABELS, names),
        read_depth=read_own_depth,
    )


def find_names(folder: Path) -> tuple[str, ...]:
    """The depth files of a folder; at least one must be there."""
    entries = list_folder(folder, holds=f"a folder of depth frames; {_LAYOUT}")
    names = tuple(entry.name for entry in entries if Path(entry.name).suffix.lower() in ENDINGS)
    if not names:
        found = f"{len(entries)} others" if entries else "an empty folder"
        raise BadInput(folder, expected="frames that end in .png or .npy", found=found, fix=_LAYOUT)
    return names


def _see_through(base: Path, first: Path) -> Convention:
    """The dataset's facts with the camera of this recording, whose frames are of the size of the first."""
    lines = read_lines(base / INTRINSICS, holds="one line: fx fy cx cy in pixels")
    intrinsics = parse_intrinsics([word for _, line in lines for word in line.split()], base / INTRINSICS, "one line")
    camera = fit_camera(intrinsics, first, read_own_depth(first))
    return WRISTBAND if camera == WRISTBAND.camera else replace(WRISTBAND, camera=camera)


def _read_labels(path: Path, names: Sequence[str]) -> Float32[np.ndarray, "frames 21 3"]:
    """NaN for every frame of a recording that nobody has labelled; a file of labels has a line for each."""
    if not path.is_file():
        return np.full((len(names), len(WRISTBAND.joints.names), 3), np.nan, np.float32)
    lines: list[int] = []
    rows: dict[str, list[float]] = {}
    for line, text in read_lines(path, holds=f"a line a frame: name and {_COLUMNS} numbers"):
        name, *numbers = text.split()
        rows[name] = parse_numbers(path, line, numbers, _COLUMNS)
        lines.append(line)
    absent, strange = sorted({*names} - {*rows}), sorted({*rows} - {*names})
    if absent or strange or len(lines) != len(names):
        found = f"none for {absent[0]}" if absent else f"one for {strange[0]}, which is not there" if strange else ""
        found = found or f"{len(lines)} lines for {len(names)} frames"
        raise BadInput(path, expected="one line for each frame", found=found, fix="mend it, or leave it out")
    joints_mm = np.array([rows[name] for name in names]).reshape(len(names), -1, 3)
    check_places(lambda row: f"{path}, {names[row]}", joints_mm)
    return joints_mm.astype(np.float32)


def write_labels(path: Path, names: Sequence[str], joints_mm: Joints) -> None:
    check_joints(path, joints_mm)
    rows = zip(names, joints_mm.reshape(len(names), _COLUMNS), strict=True)
    replace_file(path, "".join(f"{name} {format_numbers(row, 3)}\n" for name, row in rows).encode())


def write_intrinsics(path: Path, camera: Camera) -> None:
    replace_file(path, f"{camera.fx:g} {camera.fy:g} {camera.cx:g} {camera.cy:g}\n".encode())
