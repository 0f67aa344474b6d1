"""The .mat reader against the general one on good files, and against every damage on bad ones."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from handbench.datasets.mat_file import read_arrays
from handbench.errors import BadInput

HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
MOST_BYTES = 1 << 20
VALUES = np.arange(-12, 12).reshape(2, 3, 4)


def save(path: Path, *, compressed: bool = False, **fields: np.ndarray) -> Path:
    scipy.io.savemat(path, fields, do_compression=compressed)
    return path


def pack(kind: int, body: bytes) -> bytes:
    return struct.pack("<II", kind, len(body)) + body + bytes(-len(body) % 8)


def make_matrix(
    kind: int = 6, shape: tuple[int, ...] = (1, 3), stored: int = 2, numbers: bytes = b"\1\2\3", name: bytes = b"a"
) -> bytes:
    """One variable by hand: flags, dimensions, name, numbers."""
    parts = (
        pack(6, struct.pack("<II", kind, 0)),
        pack(5, struct.pack(f"<{len(shape)}i", *shape)),
        pack(1, name),
        pack(stored, numbers),
    )
    return pack(14, b"".join(parts))


def read_bytes(tmp_path: Path, content: bytes, *, most_bytes: int = MOST_BYTES) -> dict[str, np.ndarray]:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    return read_arrays(path, ("a", "b"), most_bytes=most_bytes)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_arrays_are_those_of_the_general_reader(tmp_path: Path, compressed: bool, kind: str) -> None:
    """Beside cells, structs and texts, which are stepped over."""
    values = (np.abs(VALUES) if kind[0] == "u" else VALUES).astype(kind)
    path = save(
        tmp_path / "a.mat",
        compressed=compressed,
        names=np.array(["one", "two"], dtype=object),
        struct={"a": np.ones(3)},
        a=values,
        text="some",
        b=np.array([[2.5]]),
        unasked=np.ones(4),
    )
    arrays = read_arrays(path, ("a", "b", "absent"), most_bytes=MOST_BYTES)
    assert sorted(arrays) == ["a", "b"]
    expected = scipy.io.loadmat(path)
    for name in ("a", "b"):
        assert arrays[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(arrays[name], expected[name])


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (0, 3), (0, 0), (2, 1, 5), (3, 2, 36, 3)])
def test_shapes_columns_first(tmp_path: Path, compressed: bool, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).normal(size=shape)
    path = save(tmp_path / "a.mat", compressed=compressed, a=values)
    np.testing.assert_array_equal(read_arrays(path, ("a",), most_bytes=MOST_BYTES)["a"], values)


def test_whole_doubles_stored_as_small_numbers(tmp_path: Path) -> None:
    """As MATLAB itself writes them: by hand, three bytes in a variable of doubles, then two in a short element."""
    array = read_bytes(tmp_path, HEADER + make_matrix())["a"]
    assert (array.dtype, array.tolist()) == (np.float64, [[1, 2, 3]])
    body = pack(6, struct.pack("<II", 6, 0)) + pack(5, struct.pack("<2i", 2, 1))
    body += struct.pack("<HH4s", 1, 1, b"a") + struct.pack("<HH4s", 3, 4, struct.pack("<2h", -700, 5))
    assert read_bytes(tmp_path, HEADER + pack(14, body))["a"].tolist() == [[-700], [5]]
    squeezed = zlib.compress(pack(14, body))
    content = HEADER + struct.pack("<II", 15, len(squeezed)) + squeezed
    assert read_bytes(tmp_path, content)["a"].tolist() == [[-700], [5]]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (make_matrix() * 2, "two variables named a"),
        (make_matrix(kind=1), "a of 1x3 cell"),
        (make_matrix(kind=77), "a of 1x3 class 77"),
        (make_matrix(kind=6 | 0x800), "complex"),
        (make_matrix(shape=(3,)), "1 dimensions"),
        (make_matrix(shape=(1,) * 9), "9 dimensions"),
        (make_matrix(shape=(-1, -3)), "dimensions"),
        (make_matrix(shape=(2**30, 2**30)), "more than 131,072 numbers"),
        (make_matrix(shape=(0, 2**31 - 1, 2**31 - 1)), "more than 131,072 numbers"),
        (make_matrix(shape=(1, 4)), "a of 1x4 with 3 bytes of uint8"),
        (make_matrix(shape=(1, 2)), "a of 1x2 with 3 bytes of uint8"),
        (make_matrix(stored=37), "numbers of type 37"),
        (make_matrix(stored=9, kind=8, shape=(1, 1), numbers=bytes(8)), "float64 where int8 belongs"),
        (make_matrix()[:-8], "cut short"),
        (make_matrix() + b"123", "3 stray bytes"),
        (bytes(64), "element of type 0 at byte 128"),
        (pack(14, b""), "ends too early"),
        (pack(14, pack(6, bytes(4))), "without flags"),
        (pack(14, make_matrix()[8:] + bytes(8)), "followed by 8 bytes"),
        (pack(14, make_matrix()[8:24] + struct.pack("<HH4s", 5, 8, bytes(4))), "more than four bytes"),
        (pack(14, make_matrix()[8:24] + struct.pack("<II", 5, 2**32 - 8)), "longer than its variable"),
        (pack(15, b"no zlib stream"), "a damaged one"),
        (pack(15, zlib.compress(b"")), "no variable"),
        (pack(15, zlib.compress(pack(6, bytes(80)))), "no variable"),
    ],
)
def test_each_malformed_file_is_one_clear_error(tmp_path: Path, body: bytes, found: str) -> None:
    with pytest.raises(BadInput, match=rf"a\.mat: expected a MATLAB 5 file .*found .*{found}"):
        read_bytes(tmp_path, HEADER + body)


def test_compressed_variable_of_another_length_than_it_says(tmp_path: Path) -> None:
    """Also a bomb: a megabyte of zeros behind three numbers is never inflated whole."""
    for inside in (make_matrix() + bytes(1 << 20), make_matrix()[:-8]):
        with pytest.raises(BadInput, match="shorter or longer than it says"):
            read_bytes(tmp_path, HEADER + pack(15, zlib.compress(inside)))


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "0 bytes"),
        (b"<html>404</html>" * 20, "no such header"),
        (HEADER[:126] + b"MI" + bytes(8), "most significant byte first"),
        (b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n", "MATLAB 7.3 file .*-v7"),
        (bytes(512) + b"\x89HDF\r\n", "MATLAB 7.3 file"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path: Path, content: bytes, found: str) -> None:
    with pytest.raises(BadInput, match=found):
        read_bytes(tmp_path, content)


def test_variables_larger_than_allowed_are_not_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"a": np.zeros((1000, 1000))}, do_compression=True)
    assert len(buffer.getvalue()) < 20_000
    with pytest.raises(BadInput, match=r"a of 1000x1000, more than 999,999 numbers"):
        read_bytes(tmp_path, buffer.getvalue(), most_bytes=7_999_999)
    assert read_bytes(tmp_path, buffer.getvalue(), most_bytes=8_000_000)["a"].shape == (1000, 1000)


@pytest.mark.parametrize("compressed", [False, True])
def test_no_damage_crashes_or_changes_a_size(tmp_path: Path, compressed: bool) -> None:
    """Bytes changed at random, 2,000 files of each kind; one such file crashed the general reader."""
    rng = np.random.default_rng(3)
    path = save(
        tmp_path / "a.mat",
        compressed=compressed,
        names=np.array(["x", "yy"], dtype=object),
        a=rng.normal(size=(3, 2, 4, 3)),
        b=np.ones((2, 5), np.float32),
    )
    whole = path.read_bytes()
    refused = 0
    for _ in range(2000):
        content = bytearray(whole)
        for at in rng.integers(100, len(content), rng.integers(1, 4)):
            content[at] = rng.integers(256)
        try:
            arrays = read_bytes(tmp_path, bytes(content[: rng.choice([len(content), rng.integers(len(content))])]))
        except BadInput:
            refused += 1
            continue
        sizes = {name: array.size for name, array in arrays.items()}
        assert sizes.items() <= {"a": 72, "b": 10}.items()
    assert 1000 < refused < 2000
