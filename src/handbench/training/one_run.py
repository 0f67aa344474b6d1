"""One run in a folder, and jobs that end with the snakemake that started them, however that ends.

Snakemake's own locks are files: after `kill -9` they stand in the way of the next run, which cannot tell whether
somebody still works here. A lock of the kernel goes with its process, so here that is known. And a job that outlived a
killed snakemake would write where the next run's job of the same name writes. Here such jobs end by themselves; those
that wait or work in a cluster go on, as they should, so that the next run looks for them first.
"""

import fcntl
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from handbench.errors import BadInput
from handbench.training.slurm_jobs import find_slurm_jobs
from handbench.training.tracking_log import describe_process, hold, is_gone

SCHEDULER = "HANDBENCH_SCHEDULER"
"""The variable by which a job knows who started it."""
RUN_LOCK, JOBS_LOCK, THEIR_LOCKS = "handbench.lock", "handbench.jobs", "locks"
LOCAL, SLURM = "local", "slurm"
"""Snakemake's words for where jobs run: on this machine, in Slurm's queue. Others are other clusters."""
NAMED_AT_MOST = 8
LOOK_EVERY_S, GRACE_S, PATIENCE_S = 0.5, 1.0, 60.0
"""Seconds between two looks of a job, and for which a run waits for a lock and for the jobs of a killed one."""
CLOCKS_APART_S = 2.0
"""By so much the clock of a file server may be ahead."""
CARDS = {
    "store.json": ("index.csv", "depth.npy", "joints.npy", "centre.npy", "cube.npy", "patch_from_image.npy", "row.npy"),
    "checkpoint.json": ("checkpoint.safetensors",),
    "predictions.json": ("predictions.npz",),
    "fit.json": ("poses.npz",),
    "evaluation.json": ("errors.npz", "curves.csv"),
}
"""What each stage's card speaks of; a folder is written before its card."""
FIT_OF_RECORD, SEGMENTS = "published", ("segment_1", "segment_2", "segment_3")
"""Of the fit of the published labels one card speaks for the fits of three segments, each in a folder of its own."""
OUTLIVED = 137
"""The exit status of a job that was left alone: that of a killed one."""


def hold_folder(state: Path, executor: str = LOCAL) -> str:
    """Be the one run of a folder until this process ends; returns what SCHEDULER is to hold in its jobs.

    `state` is the folder's .snakemake, `executor` says where this run sends its jobs. What a killed run has left there
    is put right: its jobs have ended before this returns, and its locks are gone. Where its jobs are a cluster's, and
    have not ended or cannot be asked for, this run is refused.
    """
    state.mkdir(parents=True, exist_ok=True)
    lock, jobs = os.open(state / RUN_LOCK, os.O_RDWR | os.O_CREAT, 0o666), state / JOBS_LOCK
    jobs.touch()
    # Not JSON: snakemake takes braces for names of its own.
    told = urlencode(describe_process() | {"jobs": str(jobs.absolute())})
    try:
        held = _take(lock, GRACE_S)
    except OSError:
        held = None  # a file system without locks: snakemake's own have to do
    holder = os.pread(lock, 200, 0).decode(errors="replace").strip()
    if held is False:
        raise BadInput(
            state.absolute().parent,
            expected="no other run in this folder",
            found=f"one at work ({holder or 'just started'})",
            fix="wait for it to end, or run in another checkout",
        )
    locks = state / THEIR_LOCKS
    killed = locks.is_dir() and any(locks.iterdir())
    try:
        _refuse_beside_cluster_jobs(state.absolute().parent, holder, killed=killed)
    except BadInput:
        os.close(lock)
        raise
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"process {os.getpid()}, since {time.strftime('%F %T')}, executor {executor}\n".encode(), 0)
    if held is None:
        return told
    _wait_for_jobs(jobs)
    if killed:
        shutil.rmtree(locks)
        locks.mkdir()
        print("handbench: the last run here was killed; this one goes on from where it was", file=sys.stderr)
    return told


def _refuse_beside_cluster_jobs(folder: Path, holder: str, *, killed: bool) -> None:
    """Jobs of a cluster that outlived the last run write where those of this one would."""
    found = re.search(r"executor (\S+)$", holder)
    executor = found.group(1) if found else LOCAL
    if executor == LOCAL:
        return
    left = find_slurm_jobs(folder) if executor == SLURM else None
    if left:
        more = len(left) - NAMED_AT_MOST
        named = ", ".join(map(str, left[:NAMED_AT_MOST])) + (f" and {more} more" if more > 0 else "")
        cancel = " and ".join(f"`scancel --name {call}`" for call in sorted({job.call for job in left}))
        raise BadInput(
            folder,
            expected="that the Slurm jobs of the last run here have ended",
            found=named,
            fix=f"wait for them (what they finish is kept), or {cancel}; then the same command",
        )
    if left is None and killed:
        raise BadInput(
            folder,
            expected="that the jobs of a killed run have ended",
            found=f"jobs of the executor {executor}, which cannot be asked for here",
            fix="look that none is left, then `snakemake --unlock --cores 1`, then the same command",
        )


def _take(lock: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)


def _wait_for_jobs(jobs: Path) -> None:
    """Those of a killed run notice within a second that they are alone."""
    try:
        with hold(jobs, seconds=PATIENCE_S):
            pass
    except TimeoutError:
        raise BadInput(
            jobs.absolute().parents[1],
            expected="that the jobs of a killed run have ended",
            found="some that still work",
            fix="wait for them, or end them, and run the same command again",
        ) from None


def end_with_scheduler() -> None:
    """Called first by a job: where a snakemake started it, it ends when that one is gone."""
    told = os.environ.get(SCHEDULER)
    if not told:
        return
    scheduler = dict(parse_qsl(told, keep_blank_values=True))
    # Open until the process ends, for whoever starts the next run waits for that. Not so on a machine that lacks the
    # folder, nor without locks.
    with suppress(OSError):
        fcntl.flock(os.open(scheduler["jobs"], os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB)
    parent = os.getppid()
    _end_if_left_alone(scheduler, parent)
    threading.Thread(target=_watch, args=(scheduler, parent), daemon=True, name="scheduler").start()


def _watch(scheduler: Mapping[str, Any], parent: int) -> None:
    never = threading.Event()
    while not never.wait(LOOK_EVERY_S):
        _end_if_left_alone(scheduler, parent)


def _end_if_left_alone(scheduler: Mapping[str, Any], parent: int) -> None:
    # The parent is the shell of the rule: without it snakemake takes the job for ended.
    if os.getppid() != parent or is_gone(scheduler):
        print("handbench: the run that started this is gone; the same command goes on from here", file=sys.stderr)
        sys.stderr.flush()
        os._exit(OUTLIVED)


def put_right(made: Path) -> None:
    """Before the jobs of a run are planned: what killed jobs have not come to rename goes, and cards without files.

    Snakemake knows the card of a stage's output and not the files beside it: where one has vanished the card goes too,
    and the output is made again. Nor does it take an output that is older than its input, as after a clock that was set
    back: what was made tomorrow counts as made now. Raw data are left to whoever makes them.
    """
    now = time.time()
    for place, folders, names in os.walk(made):
        if "raw" in folders:
            folders.remove("raw")
        for name in names:
            if _is_leftover(name):
                (Path(place) / name).unlink(missing_ok=True)
        for path in [Path(place), *(Path(place, name) for name in names if not _is_leftover(name))]:
            if path.lstat().st_mtime > now + CLOCKS_APART_S:
                os.utime(path, (now, now), follow_symlinks=False)
        for card in CARDS.keys() & set(names):
            if gone := [
                name
                for name in _list_needed(card, Path(place))
                if name not in names and not Path(place, name).is_file()
            ]:
                (Path(place) / card).unlink()
                print(f"handbench: {place}: {', '.join(gone)} has vanished; it is made again", file=sys.stderr)


def _list_needed(card: str, place: Path) -> tuple[str, ...]:
    """The files that a card in this folder speaks of."""
    if (card, place.name) == ("fit.json", FIT_OF_RECORD):
        return tuple(f"{segment}/{name}" for segment in SEGMENTS for name in (card, *CARDS[card]))
    return CARDS[card]


def _is_leftover(name: str) -> bool:
    """Whether `replace_file` called a file so; a download's parts are called otherwise, and are gone on with."""
    words = name.split(".")
    return name.startswith(".") and words[-1] == "part" and words[-2].isdigit()
