"""Rendered frames on disk, in a plain format of our own: depth PNGs and one text of labels a set.

    <root>/<set>/labels.txt               a line a frame: name, whose hand, then x y z of every point
    <root>/<set>/<sequence>/000000.png    16 bits of millimetres, 0 where nothing was measured

Labels are in camera axes (x right, y down, z forward), all of them known. A frame's folder says how it was made.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handbench.conventions import Convention
from handbench.datasets.files import replace_file
from handbench.datasets.labels import Joints, check_joints, check_places, format_numbers, parse_numbers, read_lines
from handbench.datasets.layout import check_split, find_base
from handbench.datasets.listing import Listing
from handbench.datasets.png import GREY_16, Depth, read_depth_png, write_depth_png
from handbench.errors import BadInput

FARTHEST_MM = 30000
LABELS = "labels.txt"


def depth_name(sequence: str, row: int) -> str:
    """Path of a frame in its set's folder, counted within its sequence."""
    return f"{sequence}/{row:06d}.png"


@dataclass(frozen=True)
class RenderedFiles:
    """The files of one rendered dataset."""

    convention: Convention
    sequences: tuple[str, ...]
    """Folders that a set may have."""

    def read_depth(self, path: Path) -> Depth:
        camera = self.convention.camera
        return read_depth_png(path, GREY_16, width=camera.width, height=camera.height, farthest_mm=FARTHEST_MM)

    def write_depth(self, path: Path, depth_mm: Depth) -> None:
        write_depth_png(path, depth_mm, GREY_16, unmeasured=0)

    def list_frames(self, root: Path, split: str) -> Listing:
        """The frames of a set in the order of its labels."""
        check_split(self.convention, split)
        # `render` leaves a folder a set, with raw/ in it.
        places, holds = ("", "raw", f"{split}/raw"), f"rendered frames of {split!r}"
        base = find_base(root, places, (f"{split}/{LABELS}",), holds=holds)
        path, columns = base / split / LABELS, 3 * len(self.convention.joints.names)
        names, subjects, lines, rows = [], [], [], []
        for line, text in read_lines(path, holds=f"a line a frame: name, subject and {columns} numbers"):
            name, subject, *numbers = *text.split(), ""
            names.append(self._check_name(path, line, name))
            if not re.fullmatch(r"[A-Za-z0-9_.+-]+", subject):
                where, fix = f"{path}, line {line}", "run handbench render again"
                raise BadInput(where, expected="a name and a subject", found=repr(subject[:40]), fix=fix)
            subjects.append(subject)
            lines.append(line)
            rows.append(parse_numbers(path, line, numbers[:-1], columns))
        if not rows:
            raise BadInput(path, expected="labelled frames", found="an empty file", fix="run handbench render again")
        joints_mm = np.array(rows).reshape(len(rows), -1, 3)
        check_places(lambda row: f"{path}, line {lines[row]}", joints_mm)
        return Listing(
            convention=self.convention,
            split=split,
            root=base / split,
            names=tuple(names),
            subjects=tuple(subjects),
            sequences=tuple(name.split("/")[0] for name in names),
            joints_mm=joints_mm.astype(np.float32),
            read_depth=self.read_depth,
        )

    def _check_name(self, path: Path, line: int, name: str) -> str:
        """A name as this format has them: labels must not lead to files elsewhere."""
        sequence, _, file = name.partition("/")
        if sequence not in self.sequences or not (file.removesuffix(".png").isdigit() and file.endswith(".png")):
            where, expected = f"{path}, line {line}", f"a name such as {depth_name(self.sequences[0], 0)}"
            raise BadInput(where, expected=expected, found=repr(name[:40]), fix="run handbench render again")
        return name


def write_labels(path: Path, names: Sequence[str], subjects: Sequence[str], joints_mm: Joints) -> None:
    check_joints(path, joints_mm)
    lines = (
        f"{name} {subject} {format_numbers(row, 3)}\n"
        for name, subject, row in zip(names, subjects, joints_mm.reshape(len(names), -1), strict=True)
    )
    replace_file(path, "".join(lines).encode())
