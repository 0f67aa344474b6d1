"""Texts of numbers, read at the speed of the disk: eight characters of a number are one 64-bit word to numpy.

A number of at most eight characters (`737.351`, `-12.34`) is loaded as one little-endian word that ends at the
number's last character, its sign and dot are taken out by shifts, and its digits are summed by three multiplications
for thousands of numbers at a time. The quotient digits / 10^decimals is exact before the one division, so the result
is what float() gives, bit for bit. Longer numbers, exponents and everything odd go to float() itself.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt64

from handbench.errors import BadInput

_WORD = 8
_CHUNK = 8192  # numbers a pass: the intermediate arrays stay in the processor's cache
_TENS = 10.0 ** np.arange(_WORD + 1)
_COMMA, _LF, _CR, _SPACE = 44, 10, 13, 32


def _repeat(byte: int) -> np.uint64:
    return np.uint64(int.from_bytes(bytes([byte]) * _WORD, "little"))


_DOTS, _ONES, _TOPS, _LOW, _HIGH, _SIXES = map(_repeat, (ord("."), 0x01, 0x80, 0x0F, 0xF0, 0x06))
_ZEROS_OF_LENGTH = np.array([(0x3030303030303030 << 8 * (_WORD - n)) % 2**64 for n in range(_WORD + 1)], np.uint64)
"""What the high halves of n digits look like, the last digit in the highest byte."""


@dataclass(frozen=True)
class NumberText:
    """The numbers of a text, and the line that each row stood on (counted from 1 by LF, as editors do)."""

    rows: Float64[np.ndarray, "rows columns"]
    lines: Int64[np.ndarray, "rows"]


def parse_number_text(content: bytes, *, where: Path | str, first_line: int = 1, first_column: int = 1) -> NumberText:
    """Rows of numbers parted by spaces, tabs, commas or any mix of line ends; every row of one length.

    Blank lines do not count. `first_line` and `first_column` say where `content` stood in its file.
    """
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    padded = np.frombuffer(b" " * _WORD + content + b" ", np.uint8)
    separators = np.flatnonzero((padded <= _SPACE) | (padded == _COMMA))
    filled = np.flatnonzero(np.diff(separators) > 1)
    starts, ends = separators[filled] + 1, separators[filled + 1]
    lines, counts = _count_lines(padded, separators, starts)
    columns = _check_columns(counts, lines + (first_line - 1), where)
    values, strange = _parse_words(padded, starts, ends)
    for position in np.flatnonzero(strange):
        token = padded[starts[position] : ends[position]].tobytes()
        try:
            values[position] = _to_float(token)
        except ValueError:
            row, column = divmod(int(position), columns)
            raise BadInput(
                f"{where}, line {lines[row] + first_line - 1}, column {column + first_column}",
                expected="a number",
                found=repr(token[:40].decode("utf-8", "replace")),
                fix="mend that line, or write the file again",
            ) from None
    return NumberText(values.reshape(-1, columns), lines + (first_line - 1))


def _count_lines(
    padded: np.ndarray, separators: Int64[np.ndarray, "separators"], starts: Int64[np.ndarray, "numbers"]
) -> tuple[Int64[np.ndarray, "rows"], Int64[np.ndarray, "rows"]]:
    """The lines that hold something, counted from 1, and how many numbers each holds."""
    breaks = separators[padded[separators] == _LF]
    before = np.concatenate([[0], np.searchsorted(starts, breaks), [len(starts)]])
    counts = np.diff(before)
    lines = np.flatnonzero(counts)
    return lines + 1, counts[lines]


def _check_columns(counts: Int64[np.ndarray, "rows"], lines: Int64[np.ndarray, "rows"], where: Path | str) -> int:
    if not len(counts):
        raise BadInput(where, expected="lines of numbers", found="none", fix="write the predictions again")
    columns = int(counts[0])
    other = np.flatnonzero(counts != columns)
    if len(other):
        raise BadInput(
            f"{where}, line {lines[other[0]]}",
            expected=f"{columns} numbers, as on line {lines[0]}",
            found=str(counts[other[0]]),
            fix="write the file again with one frame a line; it may have been cut short",
        )
    return columns


def _to_float(token: bytes) -> float:
    # float() alone would also take 1_000.
    if b"_" in token:
        raise ValueError(token)
    return float(token)


def _parse_words(
    padded: np.ndarray, starts: Int64[np.ndarray, "numbers"], ends: Int64[np.ndarray, "numbers"]
) -> tuple[Float64[np.ndarray, "numbers"], Bool[np.ndarray, "numbers"]]:
    """The value of every plain short number, and which numbers were not of that kind."""
    # Overlapping words, one beginning at every byte.
    words = np.ndarray(len(padded) - _WORD + 1, "<u8", buffer=padded, strides=(1,))
    values, strange = np.empty(len(starts)), np.empty(len(starts), bool)
    for first in range(0, len(starts), _CHUNK):
        part = slice(first, first + _CHUNK)
        lengths = ends[part] - starts[part]
        short = np.minimum(lengths, _WORD)
        values[part], strange[part] = _parse_chunk(words[ends[part] - _WORD], short)
        strange[part] |= lengths > _WORD
    return values, strange


def _parse_chunk(
    words: UInt64[np.ndarray, "numbers"], lengths: Int64[np.ndarray, "numbers"]
) -> tuple[Float64[np.ndarray, "numbers"], Bool[np.ndarray, "numbers"]]:
    shifts = (8 * (_WORD - lengths)).astype(np.uint64)
    text = words >> shifts  # the first character is the lowest byte now
    negative = (text & np.uint64(0xFF)) == np.uint64(ord("-"))
    digits = lengths - negative
    text = np.where(negative, text - np.uint64(ord("-")), text) << shifts
    # The lowest set bit of `hit` is the top bit of the byte that holds the first dot; none is set without a dot.
    difference = text ^ _DOTS
    hit = (difference - _ONES) & ~difference & _TOPS
    hit &= ~hit + np.uint64(1)
    below = (hit >> np.uint64(7)) - np.uint64(1)
    has_dot = hit != 0
    decimals = np.where(has_dot, 7 - (np.bitwise_count(below) >> 3).astype(np.int64), 0)
    above = ~((hit << np.uint64(1)) - np.uint64(1))
    text = np.where(has_dot, (text & above) | ((text & below) << np.uint64(8)), text)
    digits = digits - has_dot
    pattern = _ZEROS_OF_LENGTH[digits]
    plain = ((text & _HIGH) == pattern) & (((text + _SIXES) & _HIGH) == pattern) & (digits > 0)
    values = _sum_digits(text & _LOW).astype(np.float64) / _TENS[decimals]
    return np.where(negative, -values, values), ~plain


def _sum_digits(digits: UInt64[np.ndarray, "numbers"]) -> UInt64[np.ndarray, "numbers"]:
    """Eight digits a word, the most significant in the lowest byte: pairs, then fours, then all eight."""
    pairs = digits * np.uint64(10) + (digits >> np.uint64(8))
    fours = (pairs & np.uint64(0x000000FF000000FF)) * np.uint64(100 + (1000000 << 32))
    return (fours + ((pairs >> np.uint64(16)) & np.uint64(0x000000FF000000FF)) * np.uint64(1 + (10000 << 32))) >> np.uint64(32)
