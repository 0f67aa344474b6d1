"""The processes of a run as the kernel knows them: who started whom, and which rule each belongs to."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

SCHEDULER, JOB, SHELL, WORKER, EVERYTHING = "scheduler", "job", "shell", "worker", "everything"
OTHERS = (SCHEDULER, JOB, SHELL, EVERYTHING)
"""What lives as long as a run does; workers live while data are made."""


class GoneError(Exception):
    """Who was to be killed has ended since it was seen."""


@dataclass(frozen=True)
class Seen:
    """A living process."""

    pid: int
    parent: int
    words: tuple[str, ...]

    @property
    def is_job(self) -> bool:
        return self.words[1:3] == ("-m", "handbench")

    @property
    def is_shell(self) -> bool:
        return bool(self.words) and Path(self.words[0]).name == "bash"

    @property
    def is_worker(self) -> bool:
        return any("spawn_main" in word for word in self.words)

    @property
    def stage(self) -> str:
        """The subcommand, which is called as its rule is."""
        return self.words[3]

    @property
    def rule(self) -> str:
        """The stage, and what it is at."""
        if "--module" in self.words:
            return f"{self.stage} {self.words[self.words.index('--module') + 1]}"
        out = Path(self.words[self.words.index("--out") + 1]) if "--out" in self.words else Path()
        return f"{self.stage} {'/'.join(part for part in out.parts[3:] if not part.startswith('seed'))}".strip()

    @property
    def log(self) -> Path:
        """Where its standard output goes."""
        return Path(f"/proc/{self.pid}/fd/1").readlink()


def see_all() -> list[Seen]:
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            words = tuple((folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1])
            # The name in brackets may hold spaces and brackets itself.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):
            continue
        if state != "Z":
            found.append(Seen(int(folder.name), int(parent), words))
    return found


def see_below(pid: int) -> list[Seen]:
    """All that a process has started and that still lives, directly or not."""
    everyone, below = see_all(), {pid}
    while more := {one.pid for one in everyone if one.parent in below} - below:
        below |= more
    return [one for one in everyone if one.pid in below - {pid}]


def see_in(folder: Path) -> list[Seen]:
    """All that work in a folder, whoever started them."""
    found = []
    for one in see_all():
        try:
            if Path(f"/proc/{one.pid}/cwd").readlink() == folder:
                found.append(one)
        except OSError:
            continue
    return found


def read_processor_s(job: Seen) -> float | None:
    """Seconds of processors that a living job has taken, with those that it has started; None where it has ended."""
    ticks = 0
    for one in [job, *see_below(job.pid)]:
        try:
            fields = Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            if one is job:
                return None
            continue
        # In user and system mode, its own and of children that it has waited for.
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def find_workers(job: Seen) -> list[Seen]:
    return [one for one in see_below(job.pid) if one.is_worker]


def strike(scheduler: int, job: Seen | None, victim: str) -> None:
    """Kill -9."""
    try:
        if victim == EVERYTHING:
            os.killpg(scheduler, signal.SIGKILL)
        else:
            os.kill(scheduler if victim == SCHEDULER else _choose(scheduler, job, victim), signal.SIGKILL)
    except ProcessLookupError:
        raise GoneError(victim) from None


def _choose(scheduler: int, job: Seen | None, victim: str) -> int:
    assert job is not None, "what is to be killed belongs to a job"
    if victim == WORKER:
        if not (workers := find_workers(job)):
            raise GoneError(victim)
        return workers[0].pid
    shells = [one.pid for one in see_below(scheduler) if one.pid == job.parent and one.is_shell]
    return shells[0] if victim == SHELL and shells else job.pid
