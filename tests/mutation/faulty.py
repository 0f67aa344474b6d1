"""Readers with every fault that mutants are to find: the judge must name each by its own word."""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handbench.errors import BadInput
from tests.mutation.reader import Reader

WORDS = "1.5 2.5 3.5\n4.5 5.5 6.5\n"


def write(folder: Path) -> None:
    (folder / "a.txt").write_text(WORDS)


def read_rightly(folder: Path) -> list[str]:
    path = folder / "a.txt"
    words = path.read_bytes() if path.is_file() else b""
    if words != WORDS.encode():
        raise BadInput(path, expected="the words as they were", found="others", fix="write them again")
    return words.decode().split()


def _faulty(fault: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """As it should be of the whole file; of every other it has its fault."""

    def read(folder: Path) -> Any:
        try:
            return read_rightly(folder)
        except BadInput:
            return fault(folder / "a.txt")

    return read


def tell_at_length(path: Path) -> None:
    raise BadInput(path, expected="x" * 2000, found="others", fix="write them again")


FAULTS: dict[str, Callable[[Path], Any]] = {
    "traceback": lambda path: {}["no such key"],
    "hang": lambda path: time.sleep(3600),
    "memory": lambda path: bytes(1 << 36),
    "wrong": lambda path: ["1.5"],
    "unclear": tell_at_length,
    "died": lambda path: ctypes.string_at(0),
}
READERS = {"sound": Reader("sound", write, ("a.txt",), read_rightly)} | {
    name: Reader(name, write, ("a.txt",), _faulty(fault)) for name, fault in FAULTS.items()
}
