"""The PNG reader against two general decoders, and every way a file can be wrong."""

import contextlib
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from handbench.datasets.png import GREEN_BLUE, GREY_16, read_depth_png, write_depth_png
from handbench.errors import BadInput

SMALL = {"width": 23, "height": 17}
FILTERS = (
    cv2.IMWRITE_PNG_FILTER_NONE,
    cv2.IMWRITE_PNG_FILTER_SUB,
    cv2.IMWRITE_PNG_FILTER_UP,
    cv2.IMWRITE_PNG_FILTER_AVG,
    cv2.IMWRITE_PNG_FILTER_PAETH,
)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, shape).astype(np.uint16)


@pytest.mark.parametrize("filters", FILTERS)
def test_every_row_filter_is_undone_in_grey(tmp_path: Path, filters: int) -> None:
    values = noise(1, 17, 23)
    cv2.imwrite(str(tmp_path / "a.png"), values, [cv2.IMWRITE_PNG_FILTER, filters])
    depth_mm = read_depth_png(tmp_path / "a.png", GREY_16, **SMALL, farthest_mm=65535)
    np.testing.assert_array_equal(depth_mm, values)


@pytest.mark.parametrize("filters", FILTERS)
def test_every_row_filter_is_undone_in_colour(tmp_path: Path, filters: int) -> None:
    values = noise(2, 17, 23)
    bgr = np.stack([values & 255, values >> 8, np.zeros_like(values)], axis=-1).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), bgr, [cv2.IMWRITE_PNG_FILTER, filters])
    depth_mm = read_depth_png(tmp_path / "a.png", GREEN_BLUE, **SMALL, farthest_mm=65535)
    np.testing.assert_array_equal(depth_mm, values)


def test_farthest_is_kept_and_anything_beyond_becomes_zero(tmp_path: Path) -> None:
    values = np.array([[0, 29999, 30000, 30001, 32001, 65535]], np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    depth_mm = read_depth_png(tmp_path / "a.png", GREY_16, width=6, height=1, farthest_mm=30000)
    assert depth_mm.tolist() == [[0, 29999, 30000, 0, 0, 0]]


@settings(max_examples=20, deadline=None)
@given(arrays(np.float32, (5, 7), elements=st.integers(0, 2000).map(float)), st.sampled_from([GREEN_BLUE, GREY_16]))
def test_written_depth_is_read_back(tmp_path_factory: pytest.TempPathFactory, depth_mm, packing) -> None:
    path = tmp_path_factory.mktemp("png") / "a.png"
    write_depth_png(path, depth_mm, packing, unmeasured=2001)
    read = read_depth_png(path, packing, width=7, height=5, farthest_mm=2000)
    np.testing.assert_array_equal(read, depth_mm)


def test_other_decoders_read_what_is_written(tmp_path: Path) -> None:
    depth_mm = (noise(4, 17, 23) % 60000).astype(np.float32)
    write_depth_png(tmp_path / "grey.png", depth_mm, GREY_16, unmeasured=0)
    write_depth_png(tmp_path / "colour.png", depth_mm, GREEN_BLUE, unmeasured=0)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "grey.png"), cv2.IMREAD_UNCHANGED), depth_mm)
    rgb = np.asarray(Image.open(tmp_path / "colour.png")).astype(int)
    np.testing.assert_array_equal(rgb[..., 1] * 256 + rgb[..., 2], depth_mm)
    assert not rgb[..., 0].any()


@pytest.mark.parametrize("value", [np.nan, -1.0, 65535.0, np.inf])
def test_depth_without_a_code_is_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(BadInput, match="depth of 0 to 65,534 mm"):
        write_depth_png(tmp_path / "a.png", np.full((2, 2), value, np.float32), GREY_16, unmeasured=0)
    assert list(tmp_path.iterdir()) == []


def whole_file(tmp_path: Path) -> bytes:
    path = tmp_path / "whole.png"
    write_depth_png(path, (noise(5, 17, 23) % 2000).astype(np.float32), GREY_16, unmeasured=0)
    return path.read_bytes()


def refuse(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=match) as caught:
        read_depth_png(path, GREY_16, **SMALL, farthest_mm=30000)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kept", [1, 8, 20, 40, 400, -12, -1])
def test_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    refuse(tmp_path, whole_file(tmp_path)[:kept], "cut off|not a PNG")


def test_empty_file_is_refused(tmp_path: Path) -> None:
    refuse(tmp_path, b"", "an empty file")


def test_changed_byte_is_refused(tmp_path: Path) -> None:
    content = bytearray(whole_file(tmp_path))
    content[len(content) // 2] ^= 1
    refuse(tmp_path, bytes(content), "wrong checksum")


def test_a_page_instead_of_a_picture_is_refused(tmp_path: Path) -> None:
    refuse(tmp_path, b"<html>not found</html>", "not a PNG")


def test_other_size_is_refused_before_it_is_decompressed(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((400, 500), np.uint16))
    refuse(tmp_path, (tmp_path / "large.png").read_bytes(), "23x17 PNG, 16-bit grey, found 500x400")


def with_pixels(tmp_path: Path, rows: bytes) -> bytes:
    """The whole file with other compressed content and right checksums."""
    head = whole_file(tmp_path)[:33]
    body = zlib.compress(rows)
    chunk = len(body).to_bytes(4) + b"IDAT" + body + zlib.crc32(b"IDAT" + body).to_bytes(4)
    return head + chunk + bytes(4) + b"IEND" + zlib.crc32(b"IEND").to_bytes(4)


def test_too_few_and_too_many_pixels_are_refused(tmp_path: Path) -> None:
    size = 17 * (1 + 2 * 23)
    refuse(tmp_path, with_pixels(tmp_path, bytes(size - 1)), "fewer")
    refuse(tmp_path, with_pixels(tmp_path, bytes(50_000_000)), "more")


def test_unknown_row_filter_is_refused(tmp_path: Path) -> None:
    refuse(tmp_path, with_pixels(tmp_path, bytes([5]) * (17 * (1 + 2 * 23))), "unknown row filter")


def test_pixels_that_do_not_decompress_are_refused(tmp_path: Path) -> None:
    head = whole_file(tmp_path)[:33]
    chunk = (4).to_bytes(4) + b"IDATabcd" + zlib.crc32(b"IDATabcd").to_bytes(4)
    end = bytes(4) + b"IEND" + zlib.crc32(b"IEND").to_bytes(4)
    refuse(tmp_path, head + chunk + end, "decompresses")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_escapes_as_another_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damage")
    content = bytearray(whole_file(folder))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "a.png").write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    # A change may fall on a byte that it leaves as it was, or into what only describes the picture.
    with contextlib.suppress(BadInput):
        depth_mm = read_depth_png(folder / "a.png", GREY_16, **SMALL, farthest_mm=30000)
        np.testing.assert_array_equal(depth_mm, noise(5, 17, 23) % 2000)
