"""What a probe leaves: a sealed probe.json with its numbers, which vouches for the pictures and arrays beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handbench.datasets.array_file import read_arrays, write_arrays
from handbench.datasets.files import check_digest, digest_file, replace_file
from handbench.sealed import read_sealed, seal
from handbench.training import picture_file
from handbench.training.picture_file import Pictures, save_pictures

FORMAT = "handbench probe"
VERSION = 1
FILE = "probe.json"
ARRAYS = "arrays.npz"
HOLDS, FIX = "a probe as `handbench probe` left it", "probe again"


def save_probe(
    out: Path, card: dict[str, Any], pictures: Pictures, arrays: Mapping[str, np.ndarray] | None = None
) -> None:
    """The pictures first, the card last: a folder without a card holds no probe.

    `arrays` are images and curves, of which JSON would make too much.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).unlink(missing_ok=True)
    save_pictures(out / picture_file.FILE, pictures)
    digest = digest_file(out / picture_file.FILE)
    content = {"format": FORMAT, "version": VERSION, **card, "sha256_of_pictures": digest}
    if arrays:
        write_arrays(out / ARRAYS, dict(arrays))
        content["sha256_of_arrays"] = digest_file(out / ARRAYS)
    replace_file(out / FILE, (json.dumps(seal(content)) + "\n").encode())


def read_probe(path: Path) -> dict[str, Any]:
    """What `save_probe` has written, less the pictures."""
    return read_sealed(path, FORMAT, VERSION, holds=HOLDS, fix=FIX)


def divide_numbers(numbers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What JSON is to hold, and what lies beside it: the entry `arrays` of what a method tells."""
    return {key: value for key, value in numbers.items() if key != "arrays"}, dict(numbers.get("arrays", {}))


def read_arrays_of(folder: Path, sha256: str) -> dict[str, np.ndarray]:
    """Those that the probe with this digest of them has left."""
    path = folder / ARRAYS
    check_digest(path, sha256, holds=HOLDS, by="its probe", fix=FIX)
    return read_arrays(path, holds=HOLDS, fix=FIX)
