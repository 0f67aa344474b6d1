"""What a probe leaves: a sealed probe.json with its numbers, which vouches for the pictures and arrays beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handbench.datasets.array_file import read_arrays, write_arrays
from handbench.datasets.files import digest_file, replace_file
from handbench.datasets.store import is_sealed, seal
from handbench.errors import BadInput
from handbench.training import picture_file
from handbench.training.picture_file import Pictures, save_pictures

FORMAT = "handbench probe"
VERSION = 1
FILE = "probe.json"
ARRAYS = "arrays.npz"


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
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _refuse(path, str(error)) from None
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise _refuse(path, "another format")
    if not is_sealed(content):
        raise _refuse(path, "a changed one (its own sha256 differs)")
    return content


def divide_numbers(numbers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What JSON is to hold, and what lies beside it: the entry `arrays` of what a method tells."""
    return {key: value for key, value in numbers.items() if key != "arrays"}, dict(numbers.get("arrays", {}))


def read_arrays_of(folder: Path, sha256: str) -> dict[str, np.ndarray]:
    """Those that the probe with this digest of them has left."""
    path = folder / ARRAYS
    if not path.is_file() or digest_file(path) != sha256:
        raise _refuse(path, "no such file" if not path.is_file() else "a file that its probe does not describe")
    return read_arrays(path)


def _refuse(path: Path, found: str) -> BadInput:
    return BadInput(path, expected="a probe as `handbench probe` left it", found=found, fix="probe again")
