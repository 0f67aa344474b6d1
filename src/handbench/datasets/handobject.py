"""Rendered hands with objects on disk, in a plain format of our own: depth PNGs and one text of labels a set.

    <root>/<set>/labels.txt             a line a frame: name, whose hand, then x y z of 21 joints and 8 corners
    <root>/<set>/semi/000000.png        16 bits of millimetres, 0 where nothing was measured
    <root>/<set>/full/000000.png

Labels are in camera axes (x right, y down, z forward), all of them known. A frame's folder says how it was made.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handbench.conventions import FULLY_SYNTHETIC, HANDOBJECT, SEMI_SYNTHETIC
from handbench.datasets.files import replace_file
from handbench.datasets.labels import Joints, check_joints, check_places, format_numbers, parse_numbers, read_lines
from handbench.datasets.layout import check_split, find_base
from handbench.datasets.listing import Listing
from handbench.datasets.png import GREY_16, Depth, read_depth_png, write_depth_png
from handbench.errors import BadInput

FARTHEST_MM = 30000
LABELS = "labels.txt"
SEQUENCES = (SEMI_SYNTHETIC, FULLY_SYNTHETIC)
_COLUMNS = 3 * len(HANDOBJECT.joints.names)


def depth_name(sequence: str, row: int) -> str:
    """Path of a frame in its set's folder, counted within its sequence."""
    return f"{sequence}/{row:06d}.png"


def read_depth(path: Path) -> Depth:
    camera = HANDOBJECT.camera
    return read_depth_png(path, GREY_16, width=camera.width, height=camera.height, farthest_mm=FARTHEST_MM)


def write_depth(path: Path, depth_mm: Depth) -> None:
    write_depth_png(path, depth_mm, GREY_16, unmeasured=0)


def list_frames(root: Path, split: str) -> Listing:
    """The semi-synthetic frames of a set, then the fully synthetic ones."""
    check_split(HANDOBJECT, split)
    # `render` leaves a folder a set, with raw/ in it.
    base = find_base(root, ("", "raw", f"{split}/raw"), (f"{split}/{LABELS}",), holds=f"rendered frames of {split!r}")
    path = base / split / LABELS
    names, subjects, lines, rows = [], [], [], []
    for line, text in read_lines(path, holds="a line a frame: name, subject and 87 numbers"):
        name, subject, *numbers = text.split()
        names.append(_check_name(path, line, name))
        subjects.append(subject)
        lines.append(line)
        rows.append(parse_numbers(path, line, numbers, _COLUMNS))
    if not rows:
        raise BadInput(path, expected="labelled frames", found="an empty file", fix="run handbench render again")
    joints_mm = np.array(rows).reshape(len(rows), -1, 3)
    check_places(lambda row: f"{path}, line {lines[row]}", joints_mm)
    return Listing(
        convention=HANDOBJECT,
        split=split,
        root=base / split,
        names=tuple(names),
        subjects=tuple(subjects),
        sequences=tuple(name.split("/")[0] for name in names),
        joints_mm=joints_mm.astype(np.float32),
        read_depth=read_depth,
    )


def write_labels(path: Path, names: Sequence[str], subjects: Sequence[str], joints_mm: Joints) -> None:
    check_joints(path, joints_mm)
    lines = (
        f"{name} {subject} {format_numbers(row, 3)}\n"
        for name, subject, row in zip(names, subjects, joints_mm.reshape(len(names), -1), strict=True)
    )
    replace_file(path, "".join(lines).encode())


def _check_name(path: Path, line: int, name: str) -> str:
    """A name as this format has them: labels must not lead to files elsewhere."""
    sequence, _, file = name.partition("/")
    if sequence not in SEQUENCES or not (file.removesuffix(".png").isdigit() and file.endswith(".png")):
        where, fix = f"{path}, line {line}", "run handbench render again"
        raise BadInput(where, expected="a name such as semi/000000.png", found=repr(name[:40]), fix=fix)
    return name
