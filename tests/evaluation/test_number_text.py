"""Texts of numbers: every value as float() reads it, odd line ends, and errors that name line and column."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbench.errors import BadInput
from handbench.evaluation import number_text
from handbench.evaluation.number_text import parse_number_text


def _parse(text: bytes) -> list[list[float]]:
    return parse_number_text(text, where="p.txt").rows.tolist()


@pytest.mark.parametrize(
    "token",
    ["0", "7", "-7", "12345678", "123456789", "0.5", ".5", "5.", "-.5", "-0.0", "180.210", "1234.567", "-123.456"]
    + [
        "0.000001",
        "1e3",
        "-2.5E-2",
        "+3.25",
        "1.692210021972656250e+02",
        "nan",
        "-inf",
        "00012",
        "99999999",
        "-999.999",
    ],
)
def test_a_number_is_what_float_says(token: str) -> None:
    for text in (token, f"1 {token}", f"{token}\t2"):
        got = parse_number_text(text.encode(), where="p").rows.ravel()
        np.testing.assert_array_equal(got, [float(part) for part in text.split()])
        assert np.array_equal(np.signbit(got), np.signbit([float(part) for part in text.split()]))


@settings(deadline=None)
@given(st.lists(st.floats(-1e5, 1e5), min_size=1, max_size=40), st.integers(0, 6))
def test_many_numbers_agree_with_float_bit_for_bit(values: list[float], decimals: int) -> None:
    tokens = [f"{value:.{decimals}f}" for value in values]
    got = parse_number_text(" ".join(tokens).encode(), where="p").rows.ravel()
    np.testing.assert_array_equal(got, [float(token) for token in tokens])


@pytest.mark.parametrize(
    "text",
    [b"1 2\n3 4\n", b"1 2\n3 4", b"1 2 \r\r\n3 4 \r\r\n", b"1\t2\r\n3\t4\r\n", b"1,2\n3,4\n", b"1, 2\n\n\n3, 4\n\n"]
    + [b"1 2\r3 4\r", b"  1   2 \n 3 4"],
)
def test_every_kind_of_line(text: bytes) -> None:
    assert _parse(text) == [[1, 2], [3, 4]]


def test_rows_know_their_lines() -> None:
    assert parse_number_text(b"\n1 2\n\n3 4\n", where="p").lines.tolist() == [2, 4]


def test_blocks_meet_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_text, "_BLOCK", 16)
    values = np.round(np.linspace(-500, 500, 300), 3).reshape(100, 3)
    text = "\n".join(" ".join(f"{value:.3f}" for value in row) for row in values)
    np.testing.assert_array_equal(_parse(text.encode()), values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"1 2\n3 x4\n", "p.txt, line 2, column 2: expected a number, found 'x4'"),
        (b"1 2\n3 1.2.3\n", "line 2, column 2"),
        (b"1 2\n- 3\n", "line 2, column 1: expected a number, found '-'"),
        (b"1 2\n. 3\n", "line 2, column 1: expected a number, found '.'"),
        (b"1 2\n3 1_0\n", "line 2, column 2"),
        (b"1 2\n3 --4\n", "line 2, column 2"),
        (b"1 2\n3 4:5\n", "line 2, column 2"),
        ("1 2\n3 é\n".encode(), "line 2, column 2"),
        (b"1 2\n\n3 4 5\n", "p.txt, line 3: expected 2 numbers, as on line 1, found 3"),
        (b"", "expected lines of numbers, found none"),
        (b" \n\r\n", "found none"),
    ],
)
def test_what_is_wrong_is_named(text: bytes, message: str) -> None:
    with pytest.raises(BadInput) as error:
        _parse(text)
    assert message in str(error.value)


def test_a_fault_far_down_is_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_text, "_BLOCK", 10)
    text = b"\n".join(b"1.5 2.5 3.5" for _ in range(30)) + b"\n1 2 what\n"
    with pytest.raises(BadInput, match="line 31, column 3"):
        _parse(text)


def test_the_published_files_are_read_bit_for_bit(shared: Path) -> None:
    for name in ("nyu/ICIP17_NYU_REN_4x6x6.txt", "nyu/IJCAI16_NYU_DeepModel.txt", "icvl/CVPR14_LRF_Results.txt"):
        path = shared / "published" / name
        expected = [[float(token) for token in line.split()] for line in path.read_text().splitlines() if line.split()]
        np.testing.assert_array_equal(parse_number_text(path.read_bytes(), where=path).rows, expected)
