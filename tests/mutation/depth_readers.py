"""Readers of depth: the datasets' pictures and .bin files, and what people hand in."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from handbench.conventions import DEXTER, ICVL, MSRA, NYU, Convention
from handbench.datasets import dexter, icvl, msra, msra14, nyu
from handbench.datasets.centres import Centre
from handbench.datasets.own_crops import read_own_crop
from handbench.datasets.own_depth import read_own_depth
from tests.datasets.miniature import make_depth
from tests.mutation.damage import BYTES
from tests.mutation.reader import Reader
from tests.mutation.structures import NPY, PNG, split_png

FARTHEST_MM = 30000
CUBE = Centre(np.array([10.0, -20.0, 500.0], np.float32), 250.0)
CROP_PX = 24


def _depth(convention: Convention) -> np.ndarray:
    return make_depth(convention)


def _decode(path: Path, kind: int) -> np.ndarray:
    """The pixels of a PNG by another decoder; chunks that hold no pixels are its own affair."""
    content = path.read_bytes()
    header = split_png(content)[0][1]
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None, "no picture"
    assert header[8] == kind, "another depth of bits"
    return pixels


def say_nyu(folder: Path) -> np.ndarray:
    blue, green, red = (_decode(folder / "a.png", 8)[..., place].astype(int) for place in range(3))
    assert not red.any(), "red"
    depth_mm = green * 256 + blue
    return np.where(depth_mm < nyu.SATURATED_MM, depth_mm, 0)


def say_grey(folder: Path) -> np.ndarray:
    pixels = _decode(folder / "a.png", 16)
    assert pixels.dtype == np.uint16, str(pixels.dtype)
    return np.where(pixels <= FARTHEST_MM, pixels, 0)


def _keep(numbers: np.ndarray) -> np.ndarray:
    assert (numbers >= 0).all(), "what no sensor gives"
    assert np.isfinite(numbers).all(), "what no sensor gives"
    return np.where(numbers > FARTHEST_MM, 0, numbers)


def say_msra(folder: Path) -> np.ndarray:
    content = (folder / "000000_depth.bin").read_bytes()
    width, height, left, top, right, bottom = np.frombuffer(content, "<u4", 6).tolist()
    whole = np.zeros((height, width), np.float32)
    numbers = np.frombuffer(content, "<f4", offset=24)
    whole[top:bottom, left:right] = _keep(numbers.reshape(bottom - top, right - left))
    assert whole.shape == (240, 320), "another sensor"
    return whole


def say_msra14(folder: Path) -> np.ndarray:
    return _keep(np.fromfile(folder / "000000_depth.bin", "<f4").reshape(240, 320))


def write_pgm(folder: Path) -> None:
    pixels = _depth(DEXTER).astype(">u2").tobytes()
    (folder / "a.pgm").write_bytes(b"P5\n# depth\n320 240\n65535\n" + pixels)


def say_pgm(folder: Path) -> np.ndarray:
    content = (folder / "a.pgm").read_bytes()
    lines = [line for line in content[:-153600].split(b"\n") if not line.startswith(b"#")]
    words = b" ".join(lines).split()
    assert words[:3] == [b"P5", b"320", b"240"], str(words)
    assert 256 <= int(words[3]) <= 65535, str(words)
    assert len(words) == 4, str(words)
    return _keep(np.frombuffer(content[-153600:], ">u2").reshape(240, 320).astype(np.float32))


def write_bare(folder: Path) -> None:
    (folder / "a.bin").write_bytes(_depth(DEXTER).astype("<u2").tobytes())


def say_bare(folder: Path) -> np.ndarray:
    content = (folder / "a.bin").read_bytes()
    kind = {153600: "<u2", 307200: "<f4"}[len(content)]
    return _keep(np.frombuffer(content, kind).reshape(240, 320).astype(np.float32))


def _small_depth() -> np.ndarray:
    depth_mm = np.zeros((18, 20), np.float32)
    depth_mm[4:14, 5:15] = np.random.default_rng(0).integers(300, 900, (10, 10))
    return depth_mm


def write_own_picture(folder: Path) -> None:
    cv2.imwrite(str(folder / "a.png"), _small_depth().astype(np.uint16))


def say_own_picture(folder: Path) -> np.ndarray:
    """Grey of 16 bits, or NYU's packing: whatever the header says."""
    content = (folder / "a.png").read_bytes()
    return _refuse_units(say_grey(folder) if split_png(content)[0][1][8] == 16 else say_nyu(folder))


def _refuse_units(depth_mm: np.ndarray) -> np.ndarray:
    assert depth_mm.max() >= 20, "metres, or nothing"
    assert depth_mm.min() >= 0, "behind the camera"
    return depth_mm


def write_own_array(folder: Path) -> None:
    np.save(folder / "a.npy", _small_depth())


def say_own_array(folder: Path) -> np.ndarray:
    array = np.load(folder / "a.npy", allow_pickle=False)
    assert array.ndim == 2, str(array.shape)
    assert array.dtype.kind in "fiu", str(array.dtype)
    array = _refuse_units(np.where(np.isfinite(array), array, 0).astype(np.float32))
    return np.where(array > FARTHEST_MM, 0, array)


def _crop_values() -> np.ndarray:
    values = np.ones((CROP_PX, CROP_PX), np.float32)
    values[6:18, 6:18] = np.random.default_rng(0).uniform(-0.9, 0.9, (12, 12))
    return values


def write_crop_picture(folder: Path) -> None:
    levels = np.round((_crop_values() + 1) / 2 * 255).astype(np.uint8)
    cv2.imwrite(str(folder / "a.png"), levels)


def _read_crop(name: str) -> Any:
    return lambda folder: read_own_crop(folder / name, CUBE, CROP_PX).depth_mm


def _to_depth(values: np.ndarray) -> np.ndarray:
    assert values.shape == (CROP_PX, CROP_PX), str(values.shape)
    assert (values < 1).any(), "nothing in it"
    return np.where(values < 1, values * 125 + 500, 0)


def say_crop_picture(folder: Path) -> np.ndarray:
    pixels = _decode(folder / "a.png", 8)
    assert pixels.ndim == 2 or (pixels == pixels[..., :1]).all(), "colours"
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    return _to_depth(np.where(grey == 255, 1.0, grey / 255 * 2 - 1))


def write_crop_array(folder: Path) -> None:
    np.save(folder / "a.npy", _crop_values())


def say_crop_array(folder: Path) -> np.ndarray:
    content = (folder / "a.npy").read_bytes()
    array = np.load(io.BytesIO(content), allow_pickle=False)
    assert array.dtype.kind in "fiu", str(array.dtype)
    array = array[0] if array.ndim == 3 else array
    assert (np.abs(array) <= 1.001).all(), "out of range"
    return _to_depth(array.astype(np.float32).clip(-1, 1))


DEPTH_READERS = (
    Reader(
        "NYU depth",
        lambda folder: nyu.write_depth(folder / "a.png", _depth(NYU)),
        ("a.png",),
        lambda folder: nyu.read_depth(folder / "a.png"),
        PNG,
        say_nyu,
    ),
    Reader(
        "ICVL depth",
        lambda folder: icvl.write_depth(folder / "a.png", _depth(ICVL)),
        ("a.png",),
        lambda folder: icvl.read_depth(folder / "a.png"),
        PNG,
        say_grey,
    ),
    Reader(
        "MSRA15 depth",
        lambda folder: msra.write_depth(folder / "000000_depth.bin", _depth(MSRA)),
        ("000000_depth.bin",),
        lambda folder: msra.read_depth(folder / "000000_depth.bin"),
        BYTES,
        say_msra,
    ),
    Reader(
        "MSRA14 depth",
        lambda folder: msra14.write_depth(folder / "000000_depth.bin", _depth(MSRA)),
        ("000000_depth.bin",),
        lambda folder: msra14.read_depth(folder / "000000_depth.bin"),
        BYTES,
        say_msra14,
    ),
    Reader(
        "Dexter depth, .pgm",
        write_pgm,
        ("a.pgm",),
        lambda folder: dexter.read_depth(folder / "a.pgm"),
        BYTES,
        say_pgm,
    ),
    Reader(
        "Dexter depth, .bin",
        write_bare,
        ("a.bin",),
        lambda folder: dexter.read_depth(folder / "a.bin"),
        BYTES,
        say_bare,
    ),
    Reader(
        "own depth, .png", write_own_picture, ("a.png",), lambda f: read_own_depth(f / "a.png"), PNG, say_own_picture
    ),
    Reader("own depth, .npy", write_own_array, ("a.npy",), lambda f: read_own_depth(f / "a.npy"), NPY, say_own_array),
    Reader("own crop, .png", write_crop_picture, ("a.png",), _read_crop("a.png"), PNG, say_crop_picture),
    Reader("own crop, .npy", write_crop_array, ("a.npy",), _read_crop("a.npy"), NPY, say_crop_array),
)
