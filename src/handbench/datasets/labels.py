"""Label texts: lines of numbers, and the joint.txt that both MSRA sets share."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from handbench.datasets.files import read_file, replace_file
from handbench.errors import BadInput

MSRA_COLUMNS = 63
Joints = Float32[np.ndarray, "frames joints 3"]


def read_lines(path: Path, *, holds: str) -> list[tuple[int, str]]:
    """(line number, text) of every line that holds something, without the spaces and CRs around it."""
    content = read_file(path, holds=holds)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise BadInput(path, expected=holds, found="a file that is not text", fix="download the labels again")
    # Counted by LF, as editors do: ICVL ends its lines with CR CR LF, which other counts would make three lines.
    stripped = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in stripped if line]


def parse_numbers(
    path: Path, line: int, tokens: Sequence[str], columns: int, *, nan_allowed: bool = False
) -> list[float]:
    """One line's numbers; a wrong count, a word or a number that is not finite is an error that names the line."""
    fix = "download the labels again, or mend that line"
    where = f"{path}, line {line}"
    if len(tokens) != columns:
        raise BadInput(where, expected=f"{columns} numbers", found=str(len(tokens)), fix=fix)
    try:
        numbers = [float(token) for token in tokens]
    except ValueError as error:
        raise BadInput(where, expected=f"{columns} numbers", found=str(error).split(": ")[-1], fix=fix) from None
    if not nan_allowed and not all(map(math.isfinite, numbers)):
        bad = next(token for token, number in zip(tokens, numbers, strict=True) if not math.isfinite(number))
        raise BadInput(where, expected="finite numbers", found=bad, fix=fix)
    return numbers


def format_numbers(numbers: Float[np.ndarray, "numbers"], decimals: int) -> str:
    return " ".join(f"{number:.{decimals}f}" for number in numbers)


def check_joints(path: Path, joints_mm: Float[np.ndarray, "*batch 3"]) -> None:
    """Refuse to write labels that the formats have no word for."""
    if not np.isfinite(joints_mm).all():
        raise BadInput(path, expected="finite joints to write", found="NaN or infinity", fix="leave such frames out")


def read_joint_text(path: Path, *, counted: bool) -> Joints:
    """joint.txt of the MSRA sets: a header line, then 21 joints a line with y up and z negative.

    MSRA15's header is the number of frames (`counted`). What MSRA14's says is not known: a lone number is held to be
    the count, anything else is skipped, and a first line that is already a frame is read as one.
    """
    lines = read_lines(path, holds="joint.txt: a header line, then 63 numbers a frame")
    header = lines[0][1].split() if lines else []
    count = int(header[0]) if len(header) == 1 and header[0].isdecimal() else None
    if counted and count is None:
        raise BadInput(
            f"{path}, line 1",
            expected="the number of frames",
            found=" ".join(header)[:40] or "an empty file",
            fix="download the labels again",
        )
    rows = lines if len(header) == MSRA_COLUMNS and _is_number(header[0]) else lines[1:]
    numbers = [parse_numbers(path, line, text.split(), MSRA_COLUMNS) for line, text in rows]
    if not rows or (count is not None and count != len(rows)):
        raise BadInput(
            path,
            expected="at least one frame" if count is None else f"the {count} frames that its first line counts",
            found=f"{len(rows)} lines of joints",
            fix="download the labels again: the file is cut short or was edited",
        )
    return turn_axes(np.array(numbers).reshape(-1, 21, 3))


def write_joint_text(path: Path, joints_mm: Joints) -> None:
    """The inverse of `read_joint_text`, with the count as header."""
    check_joints(path, joints_mm)
    rows = turn_axes(joints_mm).reshape(len(joints_mm), MSRA_COLUMNS)
    lines = [str(len(joints_mm)), *(format_numbers(row, 6) for row in rows)]
    replace_file(path, ("\n".join(lines) + "\n").encode())


def turn_axes(points_mm: Float[np.ndarray, "*batch 3"]) -> Float32[np.ndarray, "*batch 3"]:
    """Between MSRA's axes (y up, z towards the viewer) and the project's; its own inverse."""
    return (points_mm * np.array([1, -1, -1], np.float32)).astype(np.float32)


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True
