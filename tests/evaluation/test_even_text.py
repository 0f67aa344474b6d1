"""Texts of one form of number: read as float() reads them, or left alone."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbench.evaluation import number_text
from handbench.evaluation.even_text import Form, guess_form, parse_even_lines
from handbench.evaluation.number_text import parse_number_text


def _parse(text: bytes) -> list[list[float]] | None:
    form = guess_form(text)
    if form is None:
        return None
    values = np.full(len(text), np.nan)
    lines = parse_even_lines(text, form, values)
    if lines is None:
        return None
    assert np.isnan(values[lines * form.columns :]).all()
    return values[: lines * form.columns].reshape(lines, -1).tolist()


@pytest.mark.parametrize("end", [b"\n", b" \n"])
def test_by_hand(end: bytes) -> None:
    text = end.join([b"167.394 1034.567", b"9999.999 100.000", b"0000.001 000.123"]) + end
    assert _parse(text) == [[167.394, 1034.567], [9999.999, 100.0], [0.001, 0.123]]
    assert _parse(text[:-1]) == _parse(text)


@pytest.mark.parametrize(
    ("number", "form"),
    [("123456.7", 1), ("12345.67", 2), ("1234.567", 3), ("123.4567", 4), ("12.34567", 5)],
)
def test_every_place_of_the_dot(number: str, form: int) -> None:
    numbers = [number, number[1:], "9" * 8]
    numbers[2] = numbers[2][: 7 - form] + "." + numbers[2][8 - form :]
    line = " ".join(numbers)
    assert guess_form(line.encode()) == Form(3, 7 - form)
    assert _parse(f"{line}\n{line}\n".encode()) == [[float(part) for part in numbers]] * 2


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b"1 2\n",
        b"100.25 99.5\n",
        b"12345678 1234567\n",
        b"100.1234567 100.123\n",
        "100.123 é23.456\n".encode(),
    ]
    + [b"1234567. 123456.\n", b".1234567 .123456\n"],
)
def test_other_first_lines_have_no_form(text: bytes) -> None:
    assert guess_form(text) is None


@pytest.mark.parametrize(
    "odd",
    [b"99.123", b"-123.456", b"12345.678", b"123.4567", b"1234567", b"123.4x6", b"123,456", b"1e3.456", b"nan"]
    + [b"", b"123.456 123.456", b"123.456\n", b"\n123.456", b" 123.456", b"123.456 ", b"123.456\r", b"x123.456"]
    + [b"123.456,", b"1234567.123.456", b"123.456\t\t", b"123.456\n\n", b"\x00123.456", b"123\n.456"],
)
@pytest.mark.parametrize("place", [0, 7, 25, 29])
@pytest.mark.parametrize("end", [b"\n", b" \n"])
def test_one_odd_number_anywhere_is_seen(odd: bytes, place: int, end: bytes) -> None:
    """Blocks are whole lines, so the first block may be odd although the first line was not."""
    numbers = [b"%d.%03d" % (100 + 61 * k % 1400, 37 * k) for k in range(30)]
    numbers[place] = odd
    text = end.join(b" ".join(numbers[k : k + 5]) for k in range(0, 30, 5)) + end
    values = np.zeros(len(text))
    assert parse_even_lines(text, Form(5, 4), values) is None


def test_a_tab_or_a_carriage_return_is_a_separator() -> None:
    assert _parse(b"100.123\t200.456\n300.789\t400.123\n") == [[100.123, 200.456], [300.789, 400.123]]
    assert parse_even_lines(b"100.123 200.456\r\n", Form(2, 4), np.zeros(9)) is None


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.integers(0, 9_999_999), min_size=12, max_size=120),
    st.integers(1, 5),
    st.sampled_from([1, 2, 3, 4, 6]),
    st.booleans(),
)
def test_many_numbers_agree_with_float_bit_for_bit(
    digits: list[int], decimals: int, columns: int, spaced: bool
) -> None:
    digits = digits[: len(digits) // columns * columns]
    tokens = [f"{number // 10**decimals:0{6 - decimals}d}.{number % 10**decimals:0{decimals}d}" for number in digits]
    assert {len(token) for token in tokens} <= {7, 8}
    end = " \n" if spaced else "\n"
    text = "".join(" ".join(tokens[k : k + columns]) + end for k in range(0, len(tokens), columns)).encode()
    assert _parse(text) == np.reshape([float(token) for token in tokens], (-1, columns)).tolist()


def test_a_text_that_changes_its_form_is_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_text, "_BLOCK", 256)
    rng = np.random.default_rng(0)
    values = np.round(rng.uniform(100, 1500, (400, 6)), 3)
    values[100, 2], values[150:300, 4] = -5.25, 9.5  # one odd block, then many: the rest is no longer tried
    text = "\n".join(" ".join(f"{value:.3f}" for value in row) for row in values)
    np.testing.assert_array_equal(parse_number_text(text.encode(), where="p").rows, values)
    assert parse_number_text(text.encode(), where="p").lines.tolist() == list(range(1, 401))


def test_the_record_of_nyu_is_of_this_form(shared: Path) -> None:
    content = (shared / "published/nyu/ICCV15_NYU_Feedback.txt").read_bytes()
    form = guess_form(content)
    assert form == Form(42, 4)
    assert parse_even_lines(content, form, np.empty(8252 * 42)) == 8252
