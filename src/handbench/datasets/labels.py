"""Label texts: lines of numbers, and the joint.txt that both MSRA sets share."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32

from handbench.datasets.files import read_file, replace_file
from handbench.errors import BadInput

MSRA_COLUMNS = 63
BYTE_ORDER_MARK = "\ufeff"
"""What some editors put before a text."""
FARTHEST_JOINT_MM = 10_000.0
WIDEST_HAND_MM = 500.0
"""No sensor here measures a hand beyond it; codes such as 32001, and files that are not in millimetres, lie further."""

_MSRA_SIGNS = np.array([1, -1, -1], np.float32)
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
    if text.startswith(BYTE_ORDER_MARK):
        text = text[1:]
    check_end(path, text, fix="download the labels again: they are cut short; if they are not, end that line")
    # Counted by LF, as editors do: ICVL ends its lines with CR CR LF, which other counts would make three lines.
    stripped = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    return [(number, line) for number, line in stripped if line]


def check_end(path: Path, text: str, *, fix: str) -> None:
    """Refuse a text that was cut inside its last number: what is left of it may be a number too.

    A space, a line end or a separator after the number shows that it is whole. Without one it must have as many
    decimals as all the other numbers of the last two lines.
    """
    if not text or text[-1] in " \t\r\n;,":
        return
    *others, last = re.split(r"[\s;,]+", "\n".join(text.rsplit("\n", 2)[-2:]).strip())
    decimals = {len(token.partition(".")[2]) for token in others if re.fullmatch(r"-?[0-9]+\.[0-9]+", token)}
    if decimals != {len(last.partition(".")[2])} or not re.fullmatch(r"-?[0-9]+\.[0-9]+", last):
        raise BadInput(
            f"{path}, line {text.count(chr(10)) + 1}",
            expected="a line end after the last number, or as many decimals as the others have",
            found=f"the file's end after {last[-20:]!r}",
            fix=fix,
        )


def parse_numbers(
    path: Path, line: int, tokens: Sequence[str], columns: int, *, nan_allowed: bool = False
) -> list[float]:
    """One line's numbers; a wrong count, a word or a number that is not finite is an error that names the line."""
    fix = "download the labels again, or mend that line"
    where = f"{path}, line {line}"
    if len(tokens) != columns:
        raise BadInput(where, expected=f"{columns} numbers", found=str(len(tokens)), fix=fix)
    together = "".join(tokens)
    if "_" in together or not together.isascii():  # Python would take 1_0 for ten, and digits of any script
        odd = next(token for token in tokens if "_" in token or not token.isascii())
        raise BadInput(where, expected=f"{columns} plain numbers", found=repr(odd[:40]), fix=fix)
    try:
        numbers = [float(token) for token in tokens]
    except ValueError as error:
        raise BadInput(where, expected=f"{columns} numbers", found=str(error).split(": ")[-1][:60], fix=fix) from None
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


def check_places(
    name_row: Callable[[int], str],
    joints_mm: Float[np.ndarray, "frames joints 3"],
    *,
    unknown: Bool[np.ndarray, "frames joints"] | None = None,
) -> None:
    """Refuse labels in camera axes that no hand before the sensor can have; `name_row` says where a row comes from.

    Joints that are `unknown` are not looked at. To be called before float32 makes infinity of what is too large.
    """
    # Every comparison is false for NaN.
    possible = (joints_mm[..., 2] > 0) & (np.abs(joints_mm) <= FARTHEST_JOINT_MM).all(axis=2)
    if unknown is not None:
        possible |= unknown
    if possible.all():
        _check_spans(name_row, joints_mm, unknown)
        return
    row, joint = np.argwhere(~possible)[0].tolist()
    raise BadInput(
        name_row(row),
        expected=f"joints in front of the camera and within {FARTHEST_JOINT_MM:,.0f} mm of it",
        found=f"joint {joint + 1} at ({', '.join(f'{number:.6g}' for number in joints_mm[row, joint])}) mm",
        fix="download the labels again, or leave that frame out of them together with its picture",
    )


def _check_spans(
    name_row: Callable[[int], str],
    joints_mm: Float[np.ndarray, "frames joints 3"],
    unknown: Bool[np.ndarray, "frames joints"] | None,
) -> None:
    """A hand, and what it holds, is not larger than half a metre: one wrong depth makes it so."""
    low = high = joints_mm
    if unknown is not None:
        low = np.where(unknown[..., None], np.inf, joints_mm)
        high = np.where(unknown[..., None], -np.inf, joints_mm)
    span_mm = (high.max(axis=1) - low.min(axis=1)).max(axis=1)
    if (span_mm <= WIDEST_HAND_MM).all():
        return
    row = int((span_mm > WIDEST_HAND_MM).argmax())
    raise BadInput(
        name_row(row),
        expected=f"joints within {WIDEST_HAND_MM:.0f} mm of each other",
        found=f"joints {span_mm[row]:.0f} mm apart",
        fix="download the labels again, or leave that frame out of them together with its picture",
    )


def read_joint_text(path: Path, *, counted: bool) -> Joints:
    """joint.txt of the MSRA sets: a header line, then 21 joints a line with y up and z negative.

    MSRA15's header is the number of frames (`counted`). What MSRA14's says is not known: a lone number is held to be
    the count, anything else is skipped, and a first line that is already a frame is read as one.
    """
    lines = read_lines(path, holds="joint.txt: a header line, then 63 numbers a frame")
    header = lines[0][1].split() if lines else []
    is_lone_number = len(header) == 1 and header[0].isdecimal()
    count = int(header[0]) if is_lone_number and re.fullmatch("[0-9]{1,9}", header[0]) else None
    if count is None and (counted or is_lone_number):
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
    joints_mm = np.array(numbers).reshape(-1, 21, 3) * _MSRA_SIGNS
    check_places(lambda row: f"{path}, line {rows[row][0]}", joints_mm)
    return joints_mm.astype(np.float32)


def write_joint_text(path: Path, joints_mm: Joints) -> None:
    """The inverse of `read_joint_text`, with the count as header."""
    check_joints(path, joints_mm)
    rows = turn_axes(joints_mm).reshape(len(joints_mm), MSRA_COLUMNS)
    lines = [str(len(joints_mm)), *(format_numbers(row, 6) for row in rows)]
    replace_file(path, ("\n".join(lines) + "\n").encode())


def turn_axes(points_mm: Float[np.ndarray, "*batch 3"]) -> Float32[np.ndarray, "*batch 3"]:
    """Between MSRA's axes (y up, z towards the viewer) and the project's; its own inverse."""
    return (points_mm * _MSRA_SIGNS).astype(np.float32)


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True
