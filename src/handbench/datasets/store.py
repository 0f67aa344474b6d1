"""The crop store on disk: memory-mapped arrays, an index and a card that says exactly what they hold."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Float32, Float64, Int32

from handbench.conventions import Camera
from handbench.datasets.array_file import claim_bytes
from handbench.datasets.files import digest_file
from handbench.errors import BadInput
from handbench.sealed import read_sealed

FORMAT = "handbench crop store"
VERSION = 2
CARD = "store.json"
INDEX = "index.csv"
INDEX_COLUMNS = ("row", "name", "subject", "sequence")
HOLDS, FIX = "the card of a crop store", "the store is damaged: delete it and run the crop again"


def array_layout(size_px: int, joints: int) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
    """File name to the shape and type of one row."""
    return {
        "depth.npy": ((size_px, size_px), np.float16),
        "joints.npy": ((joints, 3), np.float32),
        "centre.npy": ((3,), np.float32),
        "cube.npy": ((), np.float32),
        "patch_from_image.npy": ((3, 3), np.float64),
        "row.npy": ((), np.int32),
    }


@dataclass(frozen=True)
class CropStore:
    """An opened store; rows are in list order, and `row` gives each one's place in the published list."""

    path: Path
    card: dict[str, Any]
    depth: Float16[np.ndarray, "frames size size"]
    """(depth - centre) / (cube / 2) in [-1, 1], background +1; on disk, read when touched."""
    joints_mm: Float32[np.ndarray, "frames joints 3"]
    """Camera axes; NaN where a joint was not annotated."""
    centre_mm: Float32[np.ndarray, "frames 3"]
    cube_mm: Float32[np.ndarray, "frames"]
    patch_from_image: Float64[np.ndarray, "frames 3 3"]
    row: Int32[np.ndarray, "frames"]
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    sequences: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)

    def __reduce__(self) -> tuple[object, ...]:
        # A memory map would travel to a worker process as a copy of the whole file; the path is enough.
        return open_verified, (self.path,)

    @property
    def camera(self) -> Camera:
        return Camera(**self.card["protocol"]["camera"])

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(self.card["protocol"]["joints"])

    @property
    def scored(self) -> tuple[int, ...]:
        """Indices of the joints that count in published numbers, in the order of the result files."""
        return tuple(self.card["protocol"]["scored"])


def open_verified(path: Path) -> CropStore:
    """A store whose checksums this run has already checked."""
    return open_store(path, verify=False)


def open_store(path: Path, *, verify: bool = True) -> CropStore:
    """Map a store's arrays; `verify` reads every file once and holds it to its checksum."""
    card = _read_card(path)
    if verify:
        for name, entry in card["files"].items():
            _check_digest(path / name, entry["sha256"])
    protocol = card["protocol"]
    layout = array_layout(protocol["size_px"], len(protocol["joints"]))
    arrays = {name: _map_array(path / name, (card["rows"], *shape), dtype) for name, (shape, dtype) in layout.items()}
    index = _read_index(path / INDEX, card["rows"])
    return CropStore(
        path=path,
        card=card,
        depth=arrays["depth.npy"],
        joints_mm=arrays["joints.npy"],
        centre_mm=arrays["centre.npy"],
        cube_mm=arrays["cube.npy"],
        patch_from_image=arrays["patch_from_image.npy"],
        row=arrays["row.npy"],
        names=tuple(line["name"] for line in index),
        subjects=tuple(line["subject"] for line in index),
        sequences=tuple(line["sequence"] for line in index),
    )


def _read_card(path: Path) -> dict[str, Any]:
    if not (path / CARD).exists():
        whole = path.absolute()
        unfinished = whole.with_name(whole.name + ".partial").is_dir()
        raise BadInput(
            path,
            expected="a crop store",
            found="an unfinished build beside it" if unfinished else "no store.json",
            fix="run `handbench crop DATASET --root DIR --split SPLIT --centre CENTRE --out` with this folder",
        )
    older = "run the crop again with this release"
    card = read_sealed(path / CARD, FORMAT, VERSION, holds=HOLDS, fix=FIX, older=older)
    wrong = _find_fault(card)
    if wrong:
        raise _damaged(path / CARD, "the card of a crop store", wrong)
    return card


def _find_fault(card: dict[str, Any]) -> str:
    """What keeps a card from describing a store; empty where nothing does."""
    protocol, files = card.get("protocol"), card.get("files")
    if not isinstance(protocol, dict):
        return "no protocol"
    if not isinstance(card.get("rows"), int) or not isinstance(protocol.get("size_px"), int):
        return "no number of rows or no size"
    if not all(isinstance(protocol.get(name), str) for name in ("dataset", "split")):
        return "no dataset or no split"
    if not all(isinstance(protocol.get(name), list) for name in ("joints", "scored")):
        return "no list of joints"
    try:
        Camera(**(protocol.get("camera") or {}))
    except TypeError:
        return "no camera"
    expected = {*array_layout(1, 1), INDEX}
    if not isinstance(files, dict) or set(files) != expected:
        return f"checksums of {', '.join(sorted(files)) or 'no file'}" if isinstance(files, dict) else "no checksums"
    digests = [entry.get("sha256") if isinstance(entry, dict) else None for entry in files.values()]
    return "" if all(isinstance(digest, str) for digest in digests) else "a checksum that is no text"


def _check_digest(path: Path, expected: str) -> None:
    try:
        found = digest_file(path) if path.is_file() else "no file"
    except OSError as error:
        raise _damaged(path, f"sha256 {expected[:12]}...", error.strerror or str(error)) from None
    if found != expected:
        raise _damaged(path, f"sha256 {expected[:12]}...", found if found == "no file" else f"{found[:12]}...")


def _read_index(path: Path, rows: int) -> list[dict[str, str]]:
    try:
        # File names need not be UTF-8; the same escape wrote them.
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            columns, index = reader.fieldnames or [], list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise _damaged(path, "the index of a crop store", getattr(error, "strerror", None) or str(error)) from None
    if tuple(columns) != INDEX_COLUMNS or any(None in line.values() for line in index):
        raise _damaged(path, f"columns {', '.join(INDEX_COLUMNS)}", ", ".join(columns) or "none")
    if len(index) != rows:
        raise _damaged(path, f"{rows} rows", f"{len(index)}")
    return index


def _map_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    try:
        with path.open("rb") as file:
            # Before it is mapped: numpy itself ends the process over a number of no bytes.
            claimed, held = claim_bytes(file), path.stat().st_size
        if claimed != held:
            raise ValueError(f"{held:,} bytes where its header claims {claimed:,}")
        if shape[0]:
            array: np.ndarray = np.lib.format.open_memmap(path, mode="r")
        else:
            # A file without rows cannot be mapped; it is small enough to read.
            with path.open("rb") as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
    except MemoryError:
        raise
    except Exception as error:  # an untrusted header fails in the parser in a dozen ways, all of which mean the same
        raise _damaged(path, "a .npy array", (str(error).splitlines() or [""])[0]) from None
    if array.shape != shape or array.dtype != dtype:
        raise _damaged(path, f"{np.dtype(dtype)} {shape}", f"{array.dtype} {array.shape}")
    return array


def _damaged(path: Path, expected: str, found: str) -> BadInput:
    return BadInput(path, expected=expected, found=found, fix=FIX)
