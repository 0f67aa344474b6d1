"""ICVL Hand Posture on disk: 16-bit PNGs and label texts with one path and 16 x (u, v, depth) a line; y down."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Float64

from handbench.conventions import ICVL, ICVL_TEST_FRAMES, NOT_ANNOTATED, UNKNOWN_SUBJECT
from handbench.datasets.files import replace_file
from handbench.datasets.labels import Joints, check_joints, check_places, format_numbers, parse_numbers, read_lines
from handbench.datasets.layout import check_split, find_base, list_folder, list_numbers
from handbench.datasets.listing import Listing
from handbench.datasets.png import GREY_16, Depth, read_depth_png, write_depth_png
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points, project_points

FARTHEST_MM = 30000
"""Beyond it lie the sensor's codes for "not measured" (32001 among them); 0 occurs too."""

TEST_LINE_END = " \r\r\n"
"""How the published test labels end their lines; labels.txt of the training set ends them with a space and LF."""

_TRAIN_LABELS = ("labels.txt", "train.txt")  # today's download, and the release of 2014
_COLUMNS = 48
_FOLDER_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_IMAGE_NAME = re.compile(r"image_(-?[0-9]{1,9})\.png")


@dataclass(frozen=True)
class _Labels:
    """One label file: image paths relative to the Depth folder beside it."""

    names: tuple[str, ...]
    joints_mm: Float64[np.ndarray, "frames 16 3"]


def image_name(session: str, number: int) -> str:
    return f"{session}/image_{number:04d}.png"


def read_depth(path: Path) -> Depth:
    return read_depth_png(path, GREY_16, width=ICVL.camera.width, height=ICVL.camera.height, farthest_mm=FARTHEST_MM)


def write_depth(path: Path, depth_mm: Depth) -> None:
    write_depth_png(path, depth_mm, GREY_16, unmeasured=int(NOT_ANNOTATED))


def list_frames(root: Path, split: str, *, rotated: bool = False) -> Listing:
    """Training has the 22 k originals, and their 14 rotated copies if asked; test is sequence 1, then 2."""
    check_split(ICVL, split)
    if split == "train":
        base = find_base(root, ("Training", ""), _TRAIN_LABELS, holds="ICVL's training labels")
        texts = [next(base / name for name in _TRAIN_LABELS if (base / name).exists())]
    else:
        first = next(iter(ICVL_TEST_FRAMES))
        base = find_base(root, ("Testing", ""), (f"{first}.txt",), holds="ICVL's test labels")
        texts = [base / f"{name}.txt" for name in ICVL_TEST_FRAMES]
    files = [_read_labels(text, rotated=rotated) for text in texts]
    for text, labels in zip(texts, files, strict=True):
        _check_tail(text, base / "Depth", labels.names)
        if split == "test":
            _check_sequence(text, base / "Depth" / text.stem, labels.names)
    if split == "train":
        _check_sessions(texts[0], base / "Depth", files[0].names)
    names = tuple(name for labels in files for name in labels.names)
    return Listing(
        convention=ICVL,
        split=split,
        root=base / "Depth",
        names=names,
        subjects=(UNKNOWN_SUBJECT,) * len(names),
        sequences=tuple(PurePosixPath(name).parts[-2] for name in names),
        joints_mm=np.concatenate([labels.joints_mm for labels in files]).astype(np.float32),
        read_depth=read_depth,
    )


def write_labels(path: Path, names: Sequence[str], joints_mm: Joints, *, line_end: str = " \n") -> None:
    """`names` relative to the Depth folder; pass TEST_LINE_END for a test sequence."""
    check_joints(path, joints_mm)
    uvd = project_points(joints_mm.astype(np.float64), ICVL.camera).reshape(len(joints_mm), _COLUMNS)
    lines = (f"{name} {format_numbers(row, 3)}{line_end}" for name, row in zip(names, uvd, strict=True))
    replace_file(path, "".join(lines).encode())


def _read_labels(path: Path, *, rotated: bool) -> _Labels:
    lines = read_lines(path, holds="a label text: a path and 48 numbers a line")
    names: list[str] = []
    rows: list[list[float]] = []
    numbers: list[int] = []
    for number, line in lines:
        name, *tokens = line.split()
        parts = _split_name(path, number, name)
        if len(parts) == 2 or rotated:
            names.append("/".join(parts))
            numbers.append(number)
            rows.append(parse_numbers(path, number, tokens, _COLUMNS))
    if not rows:
        found = f"{len(lines)} lines, none of them unrotated" if lines else "an empty file"
        raise BadInput(path, expected="labelled frames", found=found, fix="download the labels again")
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused
        joints_mm = back_project_points(np.array(rows).reshape(-1, 16, 3), ICVL.camera)
    check_places(lambda row: f"{path}, line {numbers[row]}", joints_mm)
    return _Labels(tuple(names), joints_mm)


def _split_name(path: Path, line: int, name: str) -> tuple[str, ...]:
    """session/image of an original, rotation/session/image of a rotated copy; nothing that leaves the folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if len(parts) not in (2, 3) or ".." in parts or parts[0] == "/" or not _is_name(parts):
        raise BadInput(
            f"{path}, line {line}",
            expected="session/image_NNNN.png or rotation/session/image_NNNN.png",
            found=name[:60],
            fix="download the labels again",
        )
    return parts


def _is_name(parts: Sequence[str]) -> bool:
    return bool(_IMAGE_NAME.fullmatch(parts[-1])) and all(_FOLDER_NAME.fullmatch(part) for part in parts[:-1])


def _check_tail(path: Path, folder: Path, names: Sequence[str]) -> None:
    """A label file that was cut short ends before the pictures of its last session do."""
    session, image = names[-1].rsplit("/", 1)
    match = _IMAGE_NAME.fullmatch(image)
    last = list_numbers(folder / session, _IMAGE_NAME, holds="depth pictures image_NNNN.png")[-1]
    if match and last > int(match[1]):
        raise BadInput(
            path,
            expected=f"labels up to image {last}, the last in {folder / session}",
            found=f"none after {names[-1]}",
            fix="download the labels again: the file is shorter than its pictures",
        )


def _check_sequence(path: Path, folder: Path, names: Sequence[str]) -> None:
    """Published test sequences count from 0 without gaps: a line that is missing would shift every row after it."""
    matches = [_IMAGE_NAME.fullmatch(name.removeprefix(f"{folder.name}/")) for name in names]
    listed = {int(match[1]) for match in matches if match}
    on_disk = list_numbers(folder, _IMAGE_NAME, holds="depth pictures image_NNNN.png")
    absent = sorted({*on_disk, *range(len(names))} - listed)
    if absent:
        raise BadInput(
            path,
            expected=f"one line for each image of {folder}, counted from 0",
            found=f"{len(names)} lines, none for {image_name(folder.name, absent[0])}",
            fix="download the labels again: a line is missing, or another is there twice",
        )


def _check_sessions(path: Path, folder: Path, names: Sequence[str]) -> None:
    """Sessions have 12 digits; the names of rotations are shorter."""
    labelled = {PurePosixPath(name).parts[-2] for name in names}
    entries = list_folder(folder, holds="ICVL's session folders")
    bare = [e.name for e in entries if re.fullmatch(r"\d{12}", e.name) and e.is_dir() and e.name not in labelled]
    if bare:
        raise BadInput(
            path,
            expected=f"labels for every session in {folder}",
            found=f"none for {', '.join(bare[:3])}",
            fix="download the labels again: the file is shorter than its pictures",
        )
