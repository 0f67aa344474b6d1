"""Texts of numbers, read at the speed of the disk: eight characters of a number are one 64-bit word to numpy.

A number of at most eight characters (`737.351`, `-12.34`) is loaded as one little-endian word that ends at the
number's last character, its sign and dot are taken out by shifts, and its digits are summed by three multiplications
for thousands of numbers at a time. The quotient digits / 10^decimals is exact before the one division, so the result
is what float() gives, bit for bit. Longer numbers, exponents and everything odd go to float() itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8, UInt64

from handbench.errors import BadInput

Words = UInt64[np.ndarray, "numbers"]

_WORD = 8
_BLOCK = 64 * 1024  # characters a pass: every intermediate array stays in the processor's cache
_COMMA, _LF, _SPACE, _MINUS = (np.uint8(ord(letter)) for letter in ",\n -")


def _repeat(byte: int) -> np.uint64:
    return np.uint64(int.from_bytes(bytes([byte]) * _WORD, "little"))


def _word(number: int) -> np.uint64:
    return np.uint64(number % 2**64)


_DOTS, _ZEROS, _ONES, _TOPS, _HIGH, _SIXES = map(_repeat, (ord("."), ord("0"), 0x01, 0x80, 0xF0, 0x06))
_ONE, _SEVEN, _EIGHT, _TEN, _SIXTEEN, _HALF, _FULL = map(_word, (1, 7, 8, 10, 16, 32, 64))
_BYTE, _TWO_BYTES = _word(0xFF), _word(0x000000FF000000FF)
_SCALES = np.append(10.0 ** np.arange(_WORD - 1, -1, -1), 1.0)
"""What the digits are to be divided by, for a dot in byte 0 to 7, and for none."""


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
    blocks = [_parse_block(block) for block in _cut(content)]
    counts = np.concatenate([block.counts for block in blocks])
    filled = np.flatnonzero(counts)
    lines = filled + first_line
    columns = _check_columns(counts[filled], lines, where)
    first = 0
    for block in blocks:
        if block.fault is not None:
            position, token = block.fault
            row, column = divmod(first + position, columns)
            raise BadInput(
                f"{where}, line {lines[row]}, column {column + first_column}",
                expected="a number",
                found=repr(token[:40].decode("utf-8", "replace")),
                fix="mend that line, or write the file again",
            )
        first += len(block.values)
    return NumberText(np.concatenate([block.values for block in blocks]).reshape(-1, columns), lines)


@dataclass(frozen=True)
class _Block:
    """Some whole lines: their numbers, how many stood on each line, and the first that is none."""

    values: Float64[np.ndarray, "numbers"]
    counts: Int64[np.ndarray, "lines"]
    fault: tuple[int, bytes] | None


def _cut(content: bytes) -> Iterator[bytes]:
    """Pieces of about a block, each ending with a line."""
    first = 0
    while first < len(content):
        end = content.find(b"\n", first + _BLOCK) + 1 or len(content)
        yield content[first:end]
        first = end
    if not content:
        yield b""


def _parse_block(block: bytes) -> _Block:
    # A word may reach back before the first number; the line feed ends a last line that lacks one.
    last = b" " if block.endswith(b"\n") else b"\n"
    text = np.frombuffer(b" " * _WORD + block + last, np.uint8)
    separators = np.flatnonzero((text <= _SPACE) | (text == _COMMA) if b"," in block else text <= _SPACE)
    filled = np.flatnonzero(np.diff(separators) > 1)
    starts, ends = separators[filled] + 1, separators[filled + 1]
    breaks = separators[text[separators] == _LF]
    counts = np.diff(np.searchsorted(starts, breaks), prepend=0)
    lengths = ends - starts
    values, plain = _parse_words(_load_words(text, ends - _WORD), lengths, signed=b"-" in block)
    if not plain.all():
        for position in np.flatnonzero(~plain):
            token = text[starts[position] : ends[position]].tobytes()
            try:
                values[position] = _to_float(token)
            except ValueError:
                return _Block(values, counts, (int(position), token))
    return _Block(values, counts, None)


def _load_words(text: UInt8[np.ndarray, "characters"], places: Int64[np.ndarray, "numbers"]) -> Words:
    # Overlapping words, one beginning at every byte; as void they need no alignment, which numpy gathers faster.
    return np.ndarray(len(text) - _WORD + 1, "V8", buffer=text, strides=(1,))[places].view("<u8")


def _check_columns(counts: Int64[np.ndarray, "rows"], lines: Int64[np.ndarray, "rows"], where: Path | str) -> int:
    if not len(counts):
        raise BadInput(where, expected="lines of numbers", found="none", fix="write the file again")
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
    words: Words, lengths: Int64[np.ndarray, "numbers"], *, signed: bool
) -> tuple[Float64[np.ndarray, "numbers"], Bool[np.ndarray, "numbers"]]:
    """The value of each number of at most eight characters, and whether it is of the plain kind `-123.45`."""
    short = lengths <= _WORD
    empty = _FULL - (np.minimum(lengths, _WORD).view(np.uint64) << np.uint64(3))  # bits before the first character
    text = words >> empty
    if signed:
        negative = (text & _BYTE) == _MINUS
        text -= negative * np.uint64(_MINUS)
        text <<= empty
        empty += negative * _EIGHT
    else:
        text <<= empty
    # The lowest set bit of `dot` is the top bit of the byte that holds the first dot; none is set without a dot.
    dot = text ^ _DOTS
    dot = (dot - _ONES) & ~dot & _TOPS
    dot &= ~dot + _ONE
    if (dot == dot[:1]).all():
        dot = dot[:1]
    below = (dot >> _SEVEN) - _ONE
    moved = np.where(dot != 0, _EIGHT, _word(0))
    # The characters before the dot move up by one byte; those after it, if any, stay.
    text = (text & ~((dot << _ONE) - _ONE)) | ((text & below) << moved)
    digits = text ^ (_ZEROS << (empty + moved))
    plain = ((digits | (digits + _SIXES)) & _HIGH) == 0
    plain &= short & (text != 0)
    values = _sum_digits(digits) / _SCALES[np.bitwise_count(below) >> 3]
    return (np.where(negative, -values, values) if signed else values), plain


def _sum_digits(digits: Words) -> Words:
    """Eight digits a word, the most significant in the lowest byte: pairs, then fours, then all eight."""
    pairs = digits * _TEN + (digits >> _EIGHT)
    first = (pairs & _TWO_BYTES) * np.uint64(100 + (1000000 << 32))
    return (first + ((pairs >> _SIXTEEN) & _TWO_BYTES) * np.uint64(1 + (10000 << 32))) >> _HALF
