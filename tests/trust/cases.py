"""What else real machines do to a run: full disks, vanished files, clocks that jump, two runs at once, dead stores.

Each case takes a folder, disturbs a run there, follows the documentation, and returns what was done and what came of
it. That the results equal those of the whole run is judged for all of them alike.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.training.tracking_server import find_free_port, serve
from tests.trust.miniature import Attempt, Miniature, TrustError, make_halfway

UNDONE = ("crossing_gan", "crossing_pretrained_2")
"""What cases that do not need a run from its beginning still have to do."""


@dataclass(frozen=True)
class Told:
    """The rest of a row of the table."""

    when: str
    rule: str
    what: str
    restart: str


class SkippedError(Exception):
    """This machine cannot try a case, and why."""


def expect(there: object, what: str, attempt: Attempt) -> None:
    if not there:
        raise TrustError(f"{what}; its words are in {attempt.said_in}")


def count_lines(attempt: Attempt, words: str) -> int:
    return sum(words in line for line in attempt.said.splitlines())


def full_disk(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """The whole folder on a file system of its own, which fills up in the middle, and is then made larger."""
    if os.geteuid():
        raise SkippedError("only root may mount a small disk")
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=500m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        raise SkippedError(f"no disk can be mounted here: {mounted.stderr.strip()}")
    miniature = make_halfway(folder / "checkout", whole, undone=UNDONE)
    room = drawn.randint(100, 900)
    attempt = _fill(miniature, folder, room)
    status = attempt.wait()
    expect(status, "a full disk is taken for success", attempt)
    full = count_lines(attempt, "No space left") + count_lines(attempt, "disk is full")
    expect(full, "nobody says that the disk is full", attempt)
    (folder / "ballast").unlink()
    again = miniature.finish()
    return miniature, Told(
        "as the first job began", "all", f"disk full but for {room} kB", f"after room was made: {again.planned} jobs"
    )


def _fill(miniature: Miniature, folder: Path, room_kb: int) -> Attempt:
    """Start, and leave so much room when the first job begins."""
    attempt = miniature.start()
    attempt.wait_until(attempt.jobs)
    status = os.statvfs(folder)
    with (folder / "ballast").open("wb") as ballast:
        left = max(status.f_bavail * status.f_frsize - room_kb * 1024, 0)
        os.posix_fallocate(ballast.fileno(), 0, left)
    return attempt


def vanished_card(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """A file that snakemake knows is deleted while a job waits for it."""
    miniature = make_halfway(folder, whole, undone=UNDONE)
    attempt = miniature.start()
    expect(attempt.wait_until(lambda: _trains(attempt, "crossing_gan")), "no training began", attempt)
    name = drawn.choice(["checkpoint.json", "checkpoint.safetensors"])
    (miniature.run / "train/nyu/crossing_vae_2/seed0" / name).unlink()
    status = attempt.wait()
    expect(status, "a run without its input ends well", attempt)
    again = miniature.finish()
    return miniature, Told(
        "in training", "train crossing_vae_2", f"deleted {name}", f"same command: {again.planned} jobs"
    )


def vanished_crops(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """An array of a crop store is deleted while trainings read others."""
    miniature = make_halfway(folder, whole, undone=UNDONE)
    name = drawn.choice(["depth.npy", "joints.npy", "centre.npy"])
    attempt = miniature.start()
    expect(attempt.wait_until(lambda: _trains(attempt, "crossing_gan")), "no training began", attempt)
    (miniature.run / "crop/nyu/com/test" / name).unlink()
    expect(attempt.wait(), "a run without its input ends well", attempt)
    again = miniature.finish()
    told = Told("in training", "crop nyu/com/test", f"deleted {name}", f"same command: {again.planned} jobs")
    return miniature, told


def vanished_frame(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """A raw image is gone: no file that snakemake knows. The message names what brings it back."""
    miniature = make_halfway(folder, whole, undone=UNDONE)
    shutil.rmtree(miniature.run / "crop")
    frames = sorted((miniature.run / "synthesize/nyu/raw/train").glob("depth_*.png"))
    frame = drawn.choice(frames)
    frame.unlink()
    attempt = miniature.start()
    expect(attempt.wait(), "crops are cut of a frame that is gone", attempt)
    said = [line for line in attempt.said.splitlines() if frame.name in line and "no such file" in line]
    expect(said, "nobody names the frame that is gone", attempt)
    expect("--forcerun synthesize" in said[0], "nobody says how to bring it back", attempt)
    again = miniature.finish("--forcerun", "synthesize")
    return miniature, Told(
        "before the crops", "synthesize nyu", "deleted a raw frame", f"--forcerun synthesize: {again.planned} jobs"
    )


def _trains(attempt: Attempt, module: str) -> bool:
    return any(job.rule == f"train {module}" for job in attempt.jobs())


def clock_forward(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """The clock was fast while the first half was made, and has been set right: its files are of tomorrow."""
    miniature = make_halfway(folder, whole, undone=UNDONE)
    hours = drawn.randint(1, 48)
    _shift(miniature, hours * 3600)
    again = miniature.finish()
    return _check_quiet(miniature), Told(
        "between two calls", "all", f"clock set back {hours} h", f"{again.planned} jobs"
    )


def clock_jumps(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """The clock of all processes jumps in the middle of a run, back and then forward."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        raise SkippedError("libfaketime is not there: apt-get install faketime")
    miniature = make_halfway(folder, whole, undone=UNDONE)
    clock = miniature.root / "clock"
    clock.write_text("+0")
    seconds = drawn.randint(600, 86400)
    faked = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    faked |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "PYTHONPATH": _mend_sleep(miniature)}
    attempt = miniature.start(**faked)
    expect(attempt.wait_until(attempt.jobs), "no job began", attempt)
    clock.write_text(f"-{seconds}")
    restart = "none needed"
    if attempt.wait():
        # Snakemake does not believe in outputs that are older than their inputs.
        expect("clock skew" in attempt.said, "it stops, but not for the clock", attempt)
        attempt = miniature.start(**faked)
        restart = "stops for clock skew; the same command goes on"
    expect(attempt.wait_until(attempt.jobs), "no job began", attempt)
    clock.write_text("+0")
    expect(not attempt.wait(), "a jump forward ends a run", attempt)
    told = Told("as jobs ran", "all", f"clock -{seconds} s, then right again", restart)
    return _check_quiet(miniature), told


def _mend_sleep(miniature: Miniature) -> str:
    """A PYTHONPATH with which processes can sleep: libfaketime 0.9.10 calls every `time.sleep` an invalid argument."""
    place = miniature.root / "sleeps"
    place.mkdir()
    words = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"
    (place / "sitecustomize.py").write_text(words)
    before = miniature.checkout.environment().get("PYTHONPATH") or os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(filter(None, [str(place), before]))


def _shift(miniature: Miniature, seconds: float) -> None:
    for path in (miniature.root / "results").rglob("*"):
        status = path.stat()
        os.utime(path, (status.st_atime + seconds, status.st_mtime + seconds))


def _check_quiet(miniature: Miniature) -> Miniature:
    """Nothing is left to do afterwards: no file counts as older than what it was made from."""
    planned = miniature.checkout.planned("--configfile", "config/smoke_miniature.yaml")
    if planned:
        raise TrustError(f"{miniature.root}: after the clock jumped each call runs {planned} again")
    return miniature


def two_runs(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """A second run is started while the first is at work."""
    miniature = make_halfway(folder, whole, undone=UNDONE)
    first = miniature.start()
    number = drawn.randint(1, 3)
    expect(first.wait_until(lambda: first.started >= number and first.jobs()), "no job began", first)
    second = miniature.start()
    expect(second.wait() == 1, "the second run is not refused", second)
    lines = [line for line in second.said.splitlines() if not line.startswith(("Config file", "Using"))]
    expect(len(lines) == 1 and "no other run in this folder" in lines[0], "the second is not told in a line", second)
    expect(first.alive, "the first run did not last long enough to be disturbed", first)
    expect(not first.wait(), "the first run is harmed", first)
    return miniature, Told(f"after {number} jobs", "all", "a second run", "refused in one line; the first ends well")


def locked_store(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """Another program holds the tracking database from the middle of a run to its end."""
    miniature = make_halfway(folder, whole, undone=UNDONE)
    attempt = miniature.start()
    _await_training(attempt, drawn)
    with _held(miniature.root / "results/mlflow/mlflow.db"):
        expect(not attempt.wait(), "a locked store stops the run", attempt)
    _expect_a_word(miniature, attempt)
    return miniature, Told("in training", "all", "store locked", _track(miniature))


def removed_store(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """The tracking database is deleted in the middle of a run."""
    miniature = make_halfway(folder, whole, undone=UNDONE)
    attempt = miniature.start()
    _await_training(attempt, drawn)
    (miniature.root / "results/mlflow/mlflow.db").unlink()
    expect(not attempt.wait(), "a lost store stops the run", attempt)
    return miniature, Told("in training", "all", "store deleted", _track(miniature))


def killed_server(folder: Path, whole: Miniature, drawn: Random) -> tuple[Miniature, Told]:
    """A tracking server is killed in the middle of a run, and comes back when all is over."""
    miniature = make_halfway(folder, whole, undone=UNDONE)
    port = find_free_port()
    address = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
    theirs = folder.with_name(f"{folder.name}-server") / "mlflow"
    # A server has a database and files of its own, nothing of this folder.
    theirs.mkdir(parents=True)
    with serve(theirs, port):
        _require(miniature.ask(sys.executable, "-m", "handbench", "mlflow", **address))
        attempt = miniature.start(**address)
        _await_training(attempt, drawn)
    expect(not attempt.wait(), "a server that is gone stops the run", attempt)
    _expect_a_word(miniature, attempt)
    with serve(theirs, port):
        told = _track(miniature, **address)
    miniature.store = theirs / "mlflow.db"
    return miniature, Told("in training", "all", "server killed", told)


def _await_training(attempt: Attempt, drawn: Random) -> None:
    module = drawn.choice(UNDONE)
    expect(attempt.wait_until(lambda: _trains(attempt, module)), "no training began", attempt)
    time.sleep(drawn.uniform(0, 3))


def _expect_a_word(miniature: Miniature, attempt: Attempt) -> None:
    """Whoever could not send says so, in a line of a job's log or of the run's end."""
    lines = miniature.all_said().splitlines()
    expect(any(line.startswith("handbench: tracking of") for line in lines), "nobody says what was not sent", attempt)


@contextmanager
def _held(database: Path) -> Iterator[None]:
    with sqlite3.connect(database, isolation_level=None, timeout=60) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")
    holder.close()


def _track(miniature: Miniature, **variables: str) -> str:
    """The documented command for what could not be sent."""
    return f"handbench track: {_require(miniature.ask(sys.executable, '-m', 'handbench', 'track', **variables))}"


def _require(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode:
        raise TrustError(f"{done.args}: status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout.strip()
