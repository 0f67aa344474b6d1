"""Plain files: read with one clear error, and nothing that would be waited for without end."""

import stat
from pathlib import Path

from handbench.errors import BadInput


def read_plain(path: Path, *, holds: str, fix: str) -> bytes:
    """The bytes of a file; `holds` says in an error what it should have been, `fix` what to do."""
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
