"""Whole files: read with one clear error, digested, replaced in one step so that no reader ever sees half of one."""

import hashlib
import os
import stat
from pathlib import Path

from handbench.errors import BadInput


def read_file(path: Path, *, holds: str, fix: str = "extract or download it again; `handbench doctor` counts") -> bytes:
    """The bytes of a file; `holds` says in an error what it should have been."""
    check_plain(path, holds=holds, fix=fix)
    try:
        return path.read_bytes()
    except OSError as error:
        found = f"an unreadable file ({error.strerror})"
    raise BadInput(path, expected=holds, found=found, fix=fix)


def check_plain(path: Path, *, holds: str, fix: str) -> None:
    """Refuse what is no file before it is opened: a pipe or a device would be waited for without end."""
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        raise BadInput(path, expected=holds, found="no such file", fix=fix) from None
    except (OSError, ValueError) as error:  # a link that leads round, a name that cannot be
        found = f"an unreadable file ({getattr(error, 'strerror', None) or error})"
        raise BadInput(path, expected=holds, found=found, fix=fix) from None
    if stat.S_ISDIR(kind):
        raise BadInput(path, expected=holds, found="an unreadable file (Is a directory)", fix=fix)
    if not stat.S_ISREG(kind):
        raise BadInput(path, expected=holds, found="something that is not a plain file", fix=fix)


def read_if_plain(path: Path) -> bytes | None:
    """The bytes of a file that nobody depends on; None where there is none that can be read."""
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


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
