"""MSRA14 Hand Tracking (Qian 2014) on disk: whole images of float32 without a header, joint.txt and sphere.txt."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from handbench.conventions import MSRA14, MSRA14_SUBJECT_SCALE
from handbench.datasets.files import read_file, replace_file
from handbench.datasets.labels import (
    Joints,
    format_numbers,
    parse_numbers,
    read_joint_text,
    read_lines,
    turn_axes,
    write_joint_text,
)
from handbench.datasets.layout import check_split, find_base
from handbench.datasets.listing import Listing
from handbench.datasets.msra import count_files, depth_name, keep_measured
from handbench.datasets.png import Depth
from handbench.errors import BadInput

__all__ = ["depth_name", "list_frames", "read_depth", "read_spheres", "write_depth", "write_labels", "write_spheres"]

SPHERES = 48
Spheres = Float32[np.ndarray, "frames 48 5"]
"""Per sphere: a number whose meaning is not published, centre x, y, z in mm, radius in mm."""

_SHAPE = (MSRA14.camera.height, MSRA14.camera.width)
_MOST = 1e6
"""Of a sphere's numbers: none of them is a kilometre."""
_FOLDERS = ("", "Release_2014_5_28", "msra_handtracking_database/Release_2014_5_28")


def read_depth(path: Path) -> Depth:
    content = read_file(path, holds="a depth .bin")
    expected = 4 * _SHAPE[0] * _SHAPE[1]
    if len(content) != expected:
        raise BadInput(
            path,
            expected=f"{expected} bytes (240 x 320 float32, no header)",
            found=str(len(content)),
            fix="extract the file again; a .bin with a box header belongs to MSRA15",
        )
    return keep_measured(path, np.frombuffer(content, "<f4").reshape(_SHAPE).astype(np.float32))


def write_depth(path: Path, depth_mm: Depth) -> None:
    replace_file(path, depth_mm.astype("<f4").tobytes())


def list_frames(root: Path, split: str) -> Listing:
    """Subject1 to Subject6, as many as are there."""
    check_split(MSRA14, split)
    base = find_base(root, _FOLDERS, tuple(MSRA14_SUBJECT_SCALE), holds="MSRA14's subject folders")
    names: list[str] = []
    subjects: list[str] = []
    joints: list[Joints] = []
    for subject in (name for name in MSRA14_SUBJECT_SCALE if (base / name).is_dir()):
        labels_mm = read_joint_text(base / subject / "joint.txt", counted=False)
        count_files(base / subject, len(labels_mm))
        names += [f"{subject}/{depth_name(row)}" for row in range(len(labels_mm))]
        subjects += [subject] * len(labels_mm)
        joints.append(labels_mm)
    return Listing(
        convention=MSRA14,
        split=split,
        root=base,
        names=tuple(names),
        subjects=tuple(subjects),
        sequences=tuple(subjects),
        joints_mm=np.concatenate(joints),
        read_depth=read_depth,
    )


def write_labels(path: Path, joints_mm: Joints) -> None:
    """joint.txt of one subject."""
    write_joint_text(path, joints_mm)


def read_spheres(path: Path) -> Spheres:
    """sphere.txt: a header line, then the 48 spheres of the authors' hand model a line; centres in camera axes."""
    lines = read_lines(path, holds="sphere.txt: a header line, then 48 x 5 numbers a frame")
    header = lines[0][1].split() if lines else []
    counted = len(header) == 1 and re.fullmatch("[0-9]{1,9}", header[0]) is not None
    if not header or len(header) >= SPHERES * 5 or (counted and int(header[0]) != len(lines) - 1):
        raise BadInput(
            path,
            expected="a header line, then as many frames as it counts",
            found=f"{' '.join(header)[:40] or 'nothing'} before {max(len(lines) - 1, 0)} lines",
            fix="download the labels again: the file is cut short or was edited",
        )
    numbers = [parse_numbers(path, line, text.split(), SPHERES * 5) for line, text in lines[1:]]
    most = max((abs(number) for row in numbers for number in row), default=0.0)
    if most > _MOST:
        raise BadInput(path, expected=f"numbers up to {_MOST:g}", found=f"{most:g}", fix="download the labels again")
    spheres = np.array(numbers, np.float32).reshape(-1, SPHERES, 5)
    spheres[..., 1:4] = turn_axes(spheres[..., 1:4])
    return spheres


def write_spheres(path: Path, spheres: Spheres) -> None:
    rows = spheres.copy()
    rows[..., 1:4] = turn_axes(rows[..., 1:4])
    lines = [str(len(rows)), *(format_numbers(row, 6) for row in rows.reshape(len(rows), -1))]
    replace_file(path, ("\n".join(lines) + "\n").encode())
