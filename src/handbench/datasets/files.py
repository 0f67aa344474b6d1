"""Whole files: read with one clear error, digested, replaced in one step so that no reader ever sees half of one."""

import hashlib
import os
from pathlib import Path

from handbench.errors import BadInput


def read_file(path: Path, *, holds: str) -> bytes:
    """The bytes of a dataset's file; `holds` says in an error what the file should have been."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            # A pipe or a device would be waited for without end.
            found = "something that is not a plain file"
            raise BadInput(path, expected=holds, found=found, fix="extract or download it again")
        return path.read_bytes()
    except FileNotFoundError:
        found = "no such file"
    except OSError as error:
        found = f"an unreadable file ({error.strerror})"
    raise BadInput(path, expected=holds, found=found, fix="extract or download it again; `handbench doctor` counts")


def digest_file(path: Path) -> str:
    """sha256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def replace_file(path: Path, content: bytes) -> None:
    """Write beside the target, then rename: a kill leaves the old file or the new one, never a part."""
    # The leading dot and the ending keep a leftover out of every pattern an importer looks for.
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
