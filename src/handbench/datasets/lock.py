"""One builder at a time: two processes that write one output would mix their files."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from handbench.errors import BadInput


@contextmanager
def hold_alone(out: Path) -> Iterator[None]:
    """Hold the output folder `out` for as long as the block lasts; a second builder is told so and stops.

    The lock is the kernel's: it goes with the process that holds it, however that ends.
    """
    if out.exists() and not out.is_dir():
        fix = "name another place for the output"
        raise BadInput(out, expected="a folder, or a new name", found="a file", fix=fix)
    path = out.with_name(f".{out.name}.lock")
    with _open(path, out) as file:
        if not _lock(file) or not _is_still(path, file):
            raise BadInput(
                out,
                expected="to be the only one who writes here",
                found="another process at it (perhaps a job that outlived a killed snakemake)",
                fix="wait for it to end, or end it, and run the same command again",
            )
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _open(path: Path, out: Path) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w")
    except OSError as error:
        raise BadInput(
            out,
            expected="a folder that may be written to",
            found=(error.strerror or str(error)).lower(),
            fix="name another place for the output, or make room there",
        ) from None


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_still(path: Path, file: IO[str]) -> bool:
    """Whether the locked file is the one of that name, and not one that its holder has just removed."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
