"""Whole files: read with one clear error, digested, replaced in one step so that no reader ever sees half of one."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from handbench.errors import BadInput
from handbench.plain_file import check_plain, read_plain


def read_file(path: Path, *, holds: str, fix: str = "extract or download it again; `handbench doctor` counts") -> bytes:
    """The bytes of a dataset's file; `holds` says in an error what the file should have been."""
    return read_plain(path, holds=holds, fix=fix)


def check_digest(path: Path, sha256: object, *, holds: str, by: str, fix: str) -> None:
    """Refuse a file that is not the one of this digest; `by` is who has named it."""
    check_plain(path, holds=holds, fix=fix)
    if digest_file(path) != sha256:
        raise BadInput(path, expected=holds, found=f"a file that {by} does not describe", fix=fix)


def digest_file(path: Path) -> str:
    """sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Write beside the target, then rename: a kill leaves the old file or the new one, never a part."""
    with open_replacement(path) as file:
        file.write(content)


@contextmanager
def open_replacement(path: Path) -> Iterator[BinaryIO]:
    """The same for what is written bit by bit: the file takes the target's place at the end, if nothing went wrong."""
    # The leading dot and the ending keep a leftover out of every pattern an importer looks for.
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
