"""Where a dataset's folders lie under the folder a person names, and what is said when they do not."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from handbench.conventions import Convention
from handbench.errors import BadInput

FIX_FRAME = "extract or download the file again, or leave such frames out with --allow-skips N"
"""What to do about one frame that cannot be read."""


def check_split(convention: Convention, split: str) -> None:
    if split not in convention.splits:
        raise BadInput(
            f"split {split!r} of {convention.name}",
            expected=" or ".join(repr(name) for name in convention.splits),
            found=repr(split),
            fix="name one of those splits",
        )


def find_base(root: Path, candidates: Sequence[str], markers: Sequence[str], *, holds: str) -> Path:
    """The first of `candidates` under `root` that contains any of `markers` (file or folder names)."""
    for candidate in candidates:
        base = root / candidate
        if any((base / marker).exists() for marker in markers):
            return base
    raise BadInput(
        root,
        expected=f"{holds} ({' or '.join(markers[:3])}, here or under {', '.join(c for c in candidates if c)})",
        found="no such folder" if not root.is_dir() else f"a folder with {_name_some(root)}",
        fix="name the folder the archive was extracted to, or download the dataset again",
    )


def list_folder(folder: Path, *, holds: str) -> list[os.DirEntry[str]]:
    """Entries sorted by name; hidden ones (.DS_Store, leftovers of a killed write) are not part of any dataset."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        found = f"an unreadable folder ({error.strerror})"
    raise BadInput(folder, expected=holds, found=found, fix="extract or download the dataset again")


def list_numbers(folder: Path, pattern: re.Pattern[str], *, holds: str) -> list[int]:
    """The numbers in the names of the files that match `pattern`, ascending; at least one must be there."""
    matches = (pattern.fullmatch(entry.name) for entry in list_folder(folder, holds=holds))
    numbers = sorted(int(match[1]) for match in matches if match)
    if not numbers:
        raise BadInput(folder, expected=holds, found="none", fix="extract or download the dataset again")
    return numbers


def _name_some(root: Path) -> str:
    names = [entry.name for entry in list_folder(root, holds="a folder")]
    return "nothing in it" if not names else ", ".join(names[:4]) + (" and more" if len(names) > 4 else "")
