"""MSRA15 Hand Gesture on disk: the hand's box of a depth image in a .bin, labels in joint.txt (y up, z negative)."""

import re
import struct
from pathlib import Path

import numpy as np

from handbench.conventions import MSRA, MSRA_GESTURES, MSRA_SUBJECTS
from handbench.datasets.files import read_file, replace_file
from handbench.datasets.labels import Joints, read_joint_text, write_joint_text
from handbench.datasets.layout import FIX_FRAME, check_split, find_base, list_folder, list_numbers
from handbench.datasets.listing import Listing
from handbench.datasets.msra_bad_frames import MSRA_BAD_FRAMES
from handbench.datasets.png import Depth
from handbench.errors import BadInput

FARTHEST_MM = 30000.0
"""The sensor writes 32001 where it measured nothing; the release has 0 there, a repacked one may not."""

Box = tuple[int, int, int, int]
"""left, top, right, bottom; right and bottom exclusive."""

_HEADER = struct.Struct("<6I")
_DEPTH_NAME = re.compile(r"(\d{6})_depth\.bin")


def depth_name(row: int) -> str:
    """File name of a 0-based label row."""
    return f"{row:06d}_depth.bin"


def read_depth(path: Path) -> Depth:
    """The stored box at its place in an otherwise empty image."""
    content = read_file(path, holds="a depth .bin")
    left, top, right, bottom = _read_box(path, content)
    box_mm = np.frombuffer(content, "<f4", offset=_HEADER.size).reshape(bottom - top, right - left)
    depth_mm = np.zeros((MSRA.camera.height, MSRA.camera.width), np.float32)
    depth_mm[top:bottom, left:right] = keep_measured(path, box_mm)
    return depth_mm


def write_depth(path: Path, depth_mm: Depth, *, box: Box | None = None) -> None:
    """Stores `box`, or else the smallest one around all measured pixels."""
    left, top, right, bottom = box or _find_box(path, depth_mm)
    height, width = depth_mm.shape
    header = _HEADER.pack(width, height, left, top, right, bottom)
    replace_file(path, header + depth_mm[top:bottom, left:right].astype("<f4").tobytes())


def list_frames(root: Path, split: str, *, skip_bad: bool = False) -> Listing:
    """All subjects, P0 to P8, gestures in the published order; which subject is left out is chosen later.

    `skip_bad` leaves out the 126 frames that are known to be wrong; published numbers include them.
    """
    check_split(MSRA, split)
    base = find_base(root, ("", "cvpr15_MSRAHandGestureDB"), MSRA_SUBJECTS, holds="MSRA15's subject folders")
    names: list[str] = []
    sequences: list[str] = []
    joints: list[Joints] = []
    for sequence in _list_sequences(base):
        labels_mm = _read_sequence(base / sequence)
        bad = MSRA_BAD_FRAMES.get(sequence, ()) if skip_bad else ()
        rows = [row for row in range(len(labels_mm)) if row not in bad]
        names += [f"{sequence}/{depth_name(row)}" for row in rows]
        sequences += [sequence] * len(rows)
        joints.append(labels_mm[rows])
    return Listing(
        convention=MSRA,
        split=split,
        root=base,
        names=tuple(names),
        subjects=tuple(sequence.split("/")[0] for sequence in sequences),
        sequences=tuple(sequences),
        joints_mm=np.concatenate(joints),
        read_depth=read_depth,
    )


def write_labels(path: Path, joints_mm: Joints) -> None:
    """joint.txt of one gesture."""
    write_joint_text(path, joints_mm)


def count_files(folder: Path, frames: int) -> None:
    """Refuse labels that end before the depth files do; .jpg previews in the folder do not count."""
    last = list_numbers(folder, _DEPTH_NAME, holds="000000_depth.bin and so on")[-1]
    if last >= frames:
        raise BadInput(
            folder / "joint.txt",
            expected=f"labels for all frames on disk, of which the last is {depth_name(last)}",
            found=f"{frames} rows",
            fix="take labels and depth from the same release; `handbench doctor` says which one this is",
        )


def keep_measured(path: Path, depth_mm: Depth) -> Depth:
    """The sensor's no-value code becomes 0; a number that no sensor gives shows that this is another kind of file."""
    highest_mm = depth_mm.max()
    if not (depth_mm.min() >= 0 and highest_mm < np.inf):  # also false for NaN
        raise BadInput(
            path,
            expected="depth in millimetres",
            found="NaN, infinity or a negative number",
            fix=FIX_FRAME,
        )
    return depth_mm if highest_mm <= FARTHEST_MM else np.where(depth_mm > FARTHEST_MM, np.float32(0), depth_mm)


def _read_box(path: Path, content: bytes) -> Box:
    """The header's box, once it agrees with the sensor and with the length of the file."""
    if len(content) < _HEADER.size:
        raise BadInput(path, expected="a 24-byte header", found=f"{len(content)} bytes", fix=FIX_FRAME)
    width, height, left, top, right, bottom = _HEADER.unpack_from(content)
    if (width, height) != (MSRA.camera.width, MSRA.camera.height):
        found = f"a header of {width}x{height}"
        raise BadInput(path, expected="a 320x240 image as MSRA15 stores it", found=found, fix=FIX_FRAME)
    box = f"left {left}, top {top}, right {right}, bottom {bottom}"
    if right <= left or bottom <= top:
        raise BadInput(path, expected="a box with pixels in it", found=f"an empty box ({box})", fix=FIX_FRAME)
    if right > width or bottom > height:
        raise BadInput(path, expected="a box inside the 320x240 image", found=box, fix=FIX_FRAME)
    expected = 4 * (right - left) * (bottom - top)
    payload = len(content) - _HEADER.size
    if payload != expected:
        raise BadInput(path, expected=f"{expected} bytes of depth for that box", found=str(payload), fix=FIX_FRAME)
    return left, top, right, bottom


def _find_box(path: Path, depth_mm: Depth) -> Box:
    rows, columns = np.flatnonzero(depth_mm.any(axis=1)), np.flatnonzero(depth_mm.any(axis=0))
    if not len(rows):
        raise BadInput(path, expected="a measured pixel to write", found="none", fix="leave that frame out")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _list_sequences(base: Path) -> list[str]:
    """subject/gesture of every folder that is there, in the order of the published lists."""
    sequences = []
    for subject in list_folder(base, holds="MSRA15's subject folders"):
        if re.fullmatch(r"P\d+", subject.name) and subject.is_dir():
            gestures = [e.name for e in list_folder(Path(subject.path), holds="gesture folders") if e.is_dir()]
            sequences += [f"{subject.name}/{gesture}" for gesture in gestures]
    listed = [f"{subject}/{gesture}" for subject in MSRA_SUBJECTS for gesture in MSRA_GESTURES]
    unlisted = [sequence for sequence in sequences if sequence not in listed]
    if unlisted or not sequences:
        raise BadInput(
            base,
            expected=f"folders P0 to P8, each with gestures named {', '.join(MSRA_GESTURES)}",
            found=f"{unlisted[0]}" if unlisted else "no gesture folder",
            fix="move folders that are not part of the release elsewhere",
        )
    return sorted(sequences, key=listed.index)


def _read_sequence(folder: Path) -> Joints:
    labels_mm = read_joint_text(folder / "joint.txt", counted=True)
    count_files(folder, len(labels_mm))
    return labels_mm
