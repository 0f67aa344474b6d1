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
from handbench.evaluation.even_text import guess_form, parse_even_lines

Words = UInt64[np.ndarray, "numbers"]

_WORD = 8
_BLOCK = 96 * 1024  # characters a pass: every intermediate array stays in the processor's cache
_MOST_TRIES = 3
"""Blocks in a row that are not of one form before the rest of the text is no longer tried for it."""
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
    # A number and its separator take two characters at least; memory that is not written to is never claimed.
    values = np.empty(len(content) // 2 + 1)
    blocks: list[_Block] = []
    first = tries = 0
    form = guess_form(content)
    for block in _cut(content):
        read = parse_even_lines(block, form, values[first:]) if form and tries < _MOST_TRIES else None
        if form and read:
            tries = 0
            blocks.append(_Block(first + read * form.columns, np.full(read, form.columns), None))
        else:
            tries += 1
            blocks.append(_parse_block(block, values, first))
        first = blocks[-1].end
    counts = np.concatenate([block.counts for block in blocks])
    filled = np.flatnonzero(counts)
    lines = filled + first_line
    columns = _check_columns(counts[filled], lines, where)
    for position, token in (block.fault for block in blocks if block.fault):
        row, column = divmod(position, columns)
        raise BadInput(
            f"{where}, line {lines[row]}, column {column + first_column}",
            expected="a number",
            found=repr(token[:40].decode("utf-8", "replace")),
            fix="mend that line, or write the file again",
        )
    return NumberText(values[:first].reshape(-1, columns), lines)


@dataclass(frozen=True)
class _Block:
    """Some whole lines: where their numbers end, how many stood on each line, and the first that is none."""

    end: int
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


def _parse_block(block: bytes, values: Float64[np.ndarray, "room"], first: int) -> _Block:
    """Write the block's numbers into `values` from `first` on."""
    # A word may reach back before the first number; the line feed ends a last line that lacks one.
    last = b"" if block.endswith(b"\n") else b"\n"
    text = np.frombuffer(b"0000000 " + block + last, np.uint8)
    separators = np.flatnonzero((text <= _SPACE) | (text == _COMMA) if b"," in block else text <= _SPACE)
    lengths = np.diff(separators) - 1
    ends = separators[1:]
    breaks = np.flatnonzero(text[ends] == _LF) + 1
    if not lengths.all():
        # Two separators side by side: there is no number between them.
        filled = np.flatnonzero(lengths)
        breaks = np.searchsorted(filled, breaks)
        lengths, ends = lengths[filled], ends[filled]
    end = first + len(ends)
    plain = _parse_words(_load_words(text, ends - _WORD), lengths, values[first:end], signed=b"-" in block)
    counts = np.diff(breaks, prepend=0)
    if not plain.all():
        for position in np.flatnonzero(~plain):
            token = text[ends[position] - lengths[position] : ends[position]].tobytes()
            try:
                values[first + position] = _to_float(token)
            except ValueError:
                return _Block(end, counts, (first + int(position), token))
    return _Block(end, counts, None)


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
    words: Words, lengths: Int64[np.ndarray, "numbers"], values: Float64[np.ndarray, "numbers"], *, signed: bool
) -> Bool[np.ndarray, "numbers"]:
    """Write the value of each number of at most eight characters; say which are of the plain kind `-123.45`."""
    long = lengths > _WORD
    any_long = bool(long.any())
    empty = (np.minimum(lengths, _WORD) if any_long else lengths).view(np.uint64) << np.uint64(3)
    np.subtract(_FULL, empty, out=empty)  # bits before the first character
    text = words >> empty
    if signed:
        negative = (text & _BYTE) == _MINUS
        text -= negative * np.uint64(_MINUS)
        text <<= empty
        empty += negative * _EIGHT
    else:
        text <<= empty
    dot = _find_dots(text)
    below = (dot >> _SEVEN) - _ONE
    moved = np.where(dot != 0, _EIGHT, _word(0))
    # The characters before the dot move up by one byte; those after it, if any, stay.
    before = text & below
    before <<= moved
    text &= ~((dot << _ONE) - _ONE)
    text |= before
    empty += moved
    digits = text ^ (_ZEROS << empty)
    high = digits + _SIXES
    high |= digits
    high &= _HIGH
    plain = high == 0
    plain &= text != 0
    if any_long:
        plain &= ~long
    np.divide(_sum_digits(digits), _SCALES[np.bitwise_count(below) >> 3], out=values)
    if signed:
        np.negative(values, out=values, where=negative)
    return plain


def _find_dots(text: Words) -> UInt64[np.ndarray, "one_or_all"]:
    """The top bit of the byte that holds the first dot, 0 without one; a single word where all are alike."""
    if len(text):
        first = _lowest_dot(text[:1])
        # Most files have every dot in one place; a second dot is no digit and is found out later.
        byte = first | (first - (first >> _SEVEN))
        if first[0] and ((text & byte) == (_DOTS & byte)).all():
            return first
    return _lowest_dot(text)


def _lowest_dot(text: Words) -> Words:
    # The lowest byte that is zero is found exactly; what a borrow marks above it does not count.
    difference = text ^ _DOTS
    hit = difference - _ONES
    hit &= ~difference
    hit &= _TOPS
    return hit & (~hit + _ONE)


def _sum_digits(digits: Words) -> Words:
    """Eight digits a word, the most significant in the lowest byte: pairs, then fours, then all eight."""
    pairs = digits >> _EIGHT
    digits *= _TEN
    pairs += digits
    first = pairs & _TWO_BYTES
    first *= np.uint64(100 + (1000000 << 32))
    pairs >>= _SIXTEEN
    pairs &= _TWO_BYTES
    pairs *= np.uint64(1 + (10000 << 32))
    first += pairs
    first >>= _HALF
    return first
