"""The commonest text of numbers, read several times faster: every number of one form, such as 98.123 to 1234.567.

Predictions in pixels and millimetres are written with three decimals, so nearly every number is seven or eight
characters. With its separator it is eight or nine, and then no eight neighbouring bytes hold two separators: the text
is taken as 64-bit words in their order, each word that holds a separator joins its neighbour before it to give one
number, and nothing is looked up byte by byte. Whatever is not of this form is left to `number_text`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, UInt64

Words = UInt64[np.ndarray, "words"]

_WORD = 8


def _word(number: int) -> np.uint64:
    return np.uint64(number % 2**64)


_ONE, _SEVEN, _EIGHT, _TEN, _SIXTEEN, _HALF, _FULL = map(_word, (1, 7, 8, 10, 16, 32, 64))
_TOPS, _BELOW_ALL_SPACES, _SIXES = (_word(0x0101010101010101 * byte) for byte in (0x80, 0xA0, 0x06))
_NO_DIGIT_BUT_FIRST = _word(0xF0F0F0F0F0F0F000)
_TWO_BYTES = _word(0x000000FF000000FF)


@dataclass(frozen=True)
class Form:
    """Numbers a line, and where in the last eight characters of a number its dot stands."""

    columns: int
    dot: int

    @property
    def scale(self) -> float:
        return float(10 ** (_WORD - 1 - self.dot))

    @property
    def zero(self) -> np.uint64:
        """The characters 0000.000, with the dot in its place."""
        return _word(int.from_bytes(b"0" * self.dot + b"." + b"0" * (_WORD - 1 - self.dot), "little"))

    @property
    def weights(self) -> tuple[np.uint64, np.uint64]:
        """What the pairs of digits at bytes 0 and 4, then at 2 and 6, are worth; the sum comes out 32 bits higher."""
        digit = [10 ** (_WORD - 2 - place + (place > self.dot)) for place in range(_WORD)]
        # A pair is ten times its first digit and its second; where the second is the dot, the first counts alone.
        pair = [digit[p] // 10 if p + 1 == self.dot else digit[p + 1] for p in (0, 2, 4, 6)]
        return _word(pair[2] + (pair[0] << 32)), _word(pair[3] + (pair[1] << 32))


def guess_form(content: bytes) -> Form | None:
    """What the first line suggests; None where its numbers are no plain decimals of seven or eight characters."""
    line = content[: content.find(b"\n") + 1 or len(content)].split()
    _, dot, decimals = line[0].partition(b".") if line else (b"", b"", b"")
    plain = dot and 1 <= len(decimals) <= _WORD - 3 and {len(number) for number in line} <= {_WORD - 1, _WORD}
    # Other bytes would carry into their neighbours in the arithmetic below.
    return Form(len(line), _WORD - 1 - len(decimals)) if plain and content.isascii() else None


def parse_even_lines(block: bytes, form: Form, values: Float64[np.ndarray, "room"]) -> int | None:
    """Write the numbers of whole lines into `values`; how many lines, or None where some number has another form."""
    if not block.endswith(b"\n"):
        block += b"\n"
    spaced = block.endswith(b" \n")
    # Where every line ends in a space, that space is separator enough.
    text = block.replace(b"\n", b"") if spaced else block
    lines = len(block) - len(text) if spaced else block.count(b"\n")
    # A separator must stand before the first number too; what fills the last word must hold none.
    words = np.frombuffer(b" " * _WORD + text + b"0" * (-len(text) % _WORD), "<u8")
    separators = (_BELOW_ALL_SPACES - words[1:]) & _TOPS
    holding = np.flatnonzero(separators != 0)
    if len(holding) != lines * form.columns:
        return None
    # The bits before the separator, in the word that holds it; a word without one gives nonsense and is dropped.
    separators -= _ONE
    before = np.bitwise_count(separators).astype(np.uint64)
    before -= _SEVEN
    ends = holding[form.columns - 1 :: form.columns]
    places = _WORD * ends + (before[ends] >> np.uint64(3)).astype(np.int64)
    if not _end_lines(block, places + np.arange(1, lines + 1) if spaced else places):
        return None
    numbers = words[:-1] >> before
    numbers |= words[1:] << np.subtract(_FULL, before, out=before)
    if len(holding) < len(numbers):
        numbers = numbers[holding]
    if not _strip_form(numbers, form, len(text)):
        return None
    np.divide(_sum_digits(numbers, form).view(np.int64), form.scale, out=values[: len(numbers)])
    return lines


def _end_lines(block: bytes, places: Int64[np.ndarray, "lines"]) -> bool:
    return bool((np.frombuffer(block, np.uint8)[places] == ord("\n")).all())


def _strip_form(numbers: Words, form: Form, characters: int) -> bool:
    """Turn characters into digits in place; False where some byte of the text belongs to no number of this form."""
    numbers ^= form.zero
    high = numbers + _SIXES
    high |= numbers
    if np.bitwise_or.reduce(high) & _NO_DIGIT_BUT_FIRST:
        return False
    # Of the byte where the dot belongs only the dot itself leaves nothing; `/` or `-` would pass for a digit there.
    if np.bitwise_or.reduce(numbers) & _word(0xFF << 8 * form.dot):
        return False
    # A number of seven characters has the separator before it in its first byte: 8 in `high`, and bits to drop.
    high >>= _ONE
    high &= _EIGHT
    short = int(high.sum()) >> 3
    numbers >>= high
    numbers <<= high
    # Each number and its separator were found once; when they add up to the text, nothing else is in it.
    return (_WORD + 1) * len(numbers) - short == characters


def _sum_digits(digits: Words, form: Form) -> Words:
    """Eight digits a word, the most significant in the lowest byte and 0 for the dot: pairs, then all."""
    pairs = digits >> _EIGHT
    digits *= _TEN
    pairs += digits
    outer, inner = form.weights
    first = np.bitwise_and(pairs, _TWO_BYTES, out=digits)
    first *= outer
    pairs >>= _SIXTEEN
    pairs &= _TWO_BYTES
    pairs *= inner
    first += pairs
    first >>= _HALF
    return first
