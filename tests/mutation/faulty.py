"""Readers with every fault that mutants are to find: the judge must name each by its own word."""

import ctypes
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from handbench.errors import BadInput
from handbench.training import tracking_log
from tests.mutation.catalogue import READERS as SOUND
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
TRACKED, DOCTOR = "tracking files", "doctor on msra"


def read_without_sums(folder: Path) -> Any:
    """Tracked lines whatever their sum is."""
    with mock.patch.object(tracking_log, "_sum_of", return_value=mock.ANY):
        return SOUND[TRACKED].read(folder)


def find_nothing(folder: Path) -> str:
    """A doctor who does not look."""
    return "usable as it is"


BLIND = {
    TRACKED: replace(SOUND[TRACKED], read=read_without_sums),
    DOCTOR: replace(SOUND[DOCTOR], read=find_nothing),
}
"""Readers that refuse nothing and notice nothing."""
READERS = {
    "sound": Reader("sound", write, ("a.txt",), read_rightly),
    **{name: Reader(name, write, ("a.txt",), _faulty(fault)) for name, fault in FAULTS.items()},
    **BLIND,
}
