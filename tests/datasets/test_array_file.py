"""Arrays written piece by piece are the file of the whole arrays, whole or not there at all."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from handbench.datasets.array_file import Pieces, read_arrays, write_arrays

NAMES = np.array(["train", "test"])


def make_whole() -> np.ndarray:
    """More than the 16 MiB that numpy writes at a time."""
    return np.repeat(np.random.default_rng(0).integers(0, 256, (900, 100), dtype=np.uint8), 200, axis=1)


def test_pieces_are_written_as_numpy_writes_the_whole(tmp_path: Path) -> None:
    whole = make_whole()
    assert whole.nbytes > 1 << 24
    arrays = {"names": NAMES, "mirrored": np.array(True), "turned": np.ones((2, 3)).T}
    pieces = Pieces(len(whole), iter(np.split(whole, [1, 50, 50, 700])))
    write_arrays(tmp_path / "pieces.npz", arrays | {"masks": pieces, "last": np.zeros(0)})
    np.savez_compressed(tmp_path / "numpy.npz", **arrays, masks=whole, last=np.zeros(0))
    assert (tmp_path / "pieces.npz").read_bytes() == (tmp_path / "numpy.npz").read_bytes()
    np.testing.assert_array_equal(read_arrays(tmp_path / "pieces.npz")["masks"], whole)


@pytest.mark.parametrize(
    ("rows", "second", "said"),
    [
        (4, np.zeros((1, 3)), "3 rows in pieces of 4"),
        (3, np.zeros((1, 2)), r"a piece of float64 \(2,\) after others of float64 \(3,\)"),
        (3, np.zeros((1, 3), bool), r"a piece of bool \(3,\)"),
    ],
)
def test_pieces_that_do_not_fit_leave_what_was_there(tmp_path: Path, rows: int, second: np.ndarray, said: str) -> None:
    write_arrays(tmp_path / "a.npz", {"names": NAMES})
    before = (tmp_path / "a.npz").read_bytes()
    with pytest.raises(ValueError, match=said):
        write_arrays(tmp_path / "a.npz", {"masks": Pieces(rows, [np.zeros((2, 3)), second])})
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == before


def test_a_piece_is_taken_when_its_turn_has_come(tmp_path: Path) -> None:
    """One that cannot be had ends the writing with its own error."""

    def fail_late() -> Iterator[np.ndarray]:
        yield np.zeros((2, 3))
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_arrays(tmp_path / "a.npz", {"masks": Pieces(4, fail_late())})
    assert not list(tmp_path.iterdir())
