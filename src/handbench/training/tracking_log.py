"""What a job has to tell the tracking store, kept as lines of JSON in tracking.jsonl beside its result.

The file holds everything: a job on a machine without a store writes it and nothing else, and `handbench track` sends
it later. Runs follow one another in it, each from its `start` line to its `end` line; the process that writes holds
the file's lock, so a run without an end and without a holder was killed. What was sent stands in tracking.sent.json.
"""

import fcntl
import json
import os
import re
import socket
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, SupportsFloat

from handbench.datasets.files import digest_file, replace_file
from handbench.json_file import parse_object, read_noted_object
from handbench.plain_file import read_if_plain

SUM = "crc32"
"""The last entry of a line: over the line without it and the uuid of its run, so that no run takes another's lines."""
LOG, SENT = "tracking.jsonl", "tracking.sent.json"
Row = tuple[str, SupportsFloat, int]
"""Key, value and step of a metric."""
KEY_LENGTH = 250
"""The longest name that MLflow takes."""


@dataclass
class LoggedRun:
    """One run as the file tells it: its `start` line and every line after it, up to the next start."""

    start: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)
    """All lines that can be read, the start among them."""
    damaged: int = 0
    """Lines after the start that cannot: torn by a kill or a full disk, or changed since."""

    @property
    def uuid(self) -> str:
        return str(self.start["uuid"])

    @property
    def ended(self) -> bool:
        return self.events[-1]["event"] == "end"


class Outbox:
    """Appends a run's events to the file of its folder; each is with the kernel when the call returns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / LOG
        self._run = ""
        self._file = self.path.open("ab+", buffering=0)
        try:
            self._lock()
            self._end_torn_line()
        except BaseException:
            self._file.close()
            raise

    def append(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "start":
            self._run = str(event["uuid"])
        line = (json.dumps({**event, SUM: _sum_of(event, self._run)}) + "\n").encode()
        if self._file.write(line) != len(line):
            raise OSError(f"{self.path}: the disk took only a part of a line")

    def close(self) -> None:
        self._file.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f"{self.path}: another job writes here") from None
        except OSError:
            pass  # a file system without locks: two jobs of one output are Snakemake's to prevent

    def _end_torn_line(self) -> None:
        """A killed writer may have left half a line; the next one must not go on behind it."""
        size = self._file.seek(0, os.SEEK_END)
        if size:
            self._file.seek(size - 1)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")


def read_log(path: Path) -> list[LoggedRun]:
    """The runs of a file, oldest first. Lines that cannot be read are passed over and counted."""
    runs: list[LoggedRun] = []
    for line in filter(None, (read_if_plain(path) or b"").split(b"\n")):
        if start := _read_event(line, run=None):
            runs.append(LoggedRun(start, [start]))
        elif runs and (event := _read_event(line, run=runs[-1].uuid)):
            runs[-1].events.append(event)
        elif runs:
            runs[-1].damaged += 1
    return runs


def _read_event(line: bytes, run: str | None) -> dict[str, Any] | None:
    """The event of a line of a run, or the start of a new one (None); None if it is not that, torn or changed."""
    try:
        event = parse_object(line)
    except (ValueError, RecursionError):
        return None
    if event is None or "event" not in event or (event["event"] == "start") != (run is None):
        return None
    if run is None and "uuid" not in event:
        return None
    uuid = str(event["uuid"]) if run is None else run
    return event if event.pop(SUM, None) == _sum_of(event, uuid) else None


def _sum_of(event: Mapping[str, Any], run: str) -> int:
    return zlib.crc32(json.dumps(event).encode(), zlib.crc32(run.encode()))


def is_held(path: Path) -> bool:
    """Whether a living job writes this file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@dataclass(frozen=True)
class Progress:
    """How much of a run a store has: `store` names which one, `events` counts the lines that it took."""

    store: str
    run_id: str
    events: int
    done: bool


def read_progress(folder: Path, uuid: str) -> Progress | None:
    known = _read_table(folder).get(uuid, {})
    try:
        return Progress(**known)
    except TypeError:
        return None


def write_progress(folder: Path, uuid: str, progress: Progress) -> None:
    """Note what was sent; a job and `handbench track` may both be at different runs of one file."""
    with hold(folder):
        table = _read_table(folder) | {uuid: vars(progress)}
        replace_file(folder / SENT, (json.dumps(table, indent=1) + "\n").encode())


def _read_table(folder: Path) -> dict[str, Any]:
    return read_noted_object(folder / SENT)


@contextmanager
def hold(place: Path, *, seconds: float = 10.0) -> Iterator[None]:
    """Take turns at a file or folder; whoever waits longer than so many seconds gives up with a TimeoutError."""
    handle = os.open(place, os.O_RDONLY)
    try:
        _take_turn(handle, place, time.monotonic() + seconds)
        yield
    finally:
        os.close(handle)


def _take_turn(handle: int, place: Path, until: float) -> None:
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise TimeoutError(f"{place}: another process holds it") from None
            time.sleep(0.01)
        except OSError:
            return None  # a file system without locks


def describe_process() -> dict[str, Any]:
    """Who writes: enough to tell later whether the process still lives, even where its number was given again."""
    return {"host": socket.gethostname(), "boot": _read_boot(), "pid": os.getpid(), "born": _read_birth(os.getpid())}


def is_gone(process: Mapping[str, Any]) -> bool:
    """Whether the process of this host has ended; of another host nothing is known, so it counts as alive."""
    if process.get("host") != socket.gethostname():
        return False
    if process.get("boot") != _read_boot():
        return True
    return _read_birth(int(process.get("pid") or 0)) != str(process.get("born"))


def _read_boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _read_birth(pid: int) -> str:
    """The kernel's start time of a process; empty where there is none of this number."""
    try:
        # The name in brackets may hold spaces and brackets itself.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def clean_key(key: str) -> str:
    """A name that MLflow takes: letters, digits and `_-. :/`, no path that climbs."""
    words = [re.sub(r"[^\w\-. :]", "_", word, flags=re.ASCII) for word in key.split("/")]
    return "/".join("_" if word in ("", ".", "..") else word for word in words)[:KEY_LENGTH]


def clean_rows(rows: Sequence[Row]) -> list[tuple[str, float, int]]:
    return [(clean_key(key), float(value), int(step)) for key, value, step in rows]


def resolve_artifact(folder: Path, event: Mapping[str, Any]) -> Path | None:
    """The file of a `file` line, if it is still the one that was logged."""
    path = folder / event["path"]
    try:
        return path if digest_file(path) == event["sha256"] else None
    except OSError:
        return None
