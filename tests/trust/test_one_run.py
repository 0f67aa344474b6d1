"""One run a folder, jobs that end with their snakemake, workers that end with their job, and what is put right."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from handbench.datasets.frame_chunks import run_chunks
from handbench.datasets.store import array_layout
from handbench.errors import BadInput
from handbench.fitting import pose_file
from handbench.fitting.labelled_frames import NYU_SEGMENTS
from handbench.training import checkpoint, prediction_file
from handbench.training.one_run import (
    CARDS,
    FIT_OF_RECORD,
    OUTLIVED,
    SCHEDULER,
    SEGMENTS,
    SLURM,
    THEIR_LOCKS,
    hold_folder,
    put_right,
)
from tests.trust.processes import see_all, see_below

HOLD = (
    "import sys, time; from pathlib import Path; from handbench.training.one_run import hold_folder\n"
    "print(hold_folder(Path(sys.argv[1]), *sys.argv[2:]), flush=True); time.sleep(60)"
)
JOB = (
    "import time; from handbench.training.one_run import end_with_scheduler\n"
    "end_with_scheduler(); print('at work', flush=True); time.sleep(60)"
)


def start(code: str, *words: str, **variables: str) -> tuple[subprocess.Popen[str], str]:
    """A process, and the first line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env=os.environ | variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


def wait_for(there: Callable[[], object], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until, "it has not come to be"
        time.sleep(0.05)


def test_a_second_run_is_refused_in_one_line_and_a_killed_one_leaves_nothing_in_the_way(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    state = tmp_path / ".snakemake"
    first, _ = start(HOLD, str(state))
    (state / THEIR_LOCKS).mkdir()
    (state / THEIR_LOCKS / "0.output.lock").write_text("results/x\n")
    said = f"expected no other run in this folder, found one at work (process {first.pid},"
    with pytest.raises(BadInput, match=re.escape(said)):
        hold_folder(state)
    assert list((state / THEIR_LOCKS).iterdir())
    first.kill()
    first.wait()
    code = HOLD.replace("time.sleep(60)", "print('held')")
    held, told = start(code, str(state))
    said = held.communicate()[1]
    assert "pid=" in told
    assert not list((state / THEIR_LOCKS).iterdir())
    assert said.splitlines() == ["handbench: the last run here was killed; this one goes on from where it was"]


CALL = "handbench_0f5d1f4e-3c5a-4b8e-9a55-0d7c3a3b1e21"


def stand_in_for_squeue(place: Path, monkeypatch: pytest.MonkeyPatch, *lines: str, status: int = 0) -> None:
    """A queue that holds these jobs."""
    place.mkdir(exist_ok=True)
    (place / "queue").write_text("".join(f"{line}\n" for line in lines))
    (place / "squeue").write_text(f"#!/bin/sh\ncat {place}/queue\nexit {status}\n")
    (place / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)


def kill_a_run(state: Path, executor: str) -> None:
    """Leave what one leaves that is killed while its jobs wait."""
    run, _ = start(HOLD, str(state), executor)
    run.kill()
    run.wait()
    (state / THEIR_LOCKS).mkdir(exist_ok=True)
    (state / THEIR_LOCKS / "0.output.lock").write_text("results/x\n")


def test_jobs_that_a_killed_run_left_in_slurms_queue_stop_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    state, queue, elsewhere = tmp_path / "here" / ".snakemake", tmp_path / "bin", tmp_path / "there"
    kill_a_run(state, SLURM)
    (tmp_path / "linked").symlink_to(state.parent)
    others = [f"7|RUNNING|{CALL}|{elsewhere}", f"8|RUNNING|bash|{state.parent}", f"9|RUNNING|snakemake|{state.parent}"]
    mine = [f"101|RUNNING|{CALL}|{tmp_path / 'linked'}", f"102|PENDING|{CALL}|{state.parent}"]
    stand_in_for_squeue(queue, monkeypatch, *others, *mine)
    for executor in (SLURM, "local"):
        with pytest.raises(BadInput) as refused:
            hold_folder(state, executor)
        assert refused.value.found == "101 (running), 102 (pending)"
        assert f"or `scancel --name {CALL}`; then the same command" in str(refused.value)
        assert list((state / THEIR_LOCKS).iterdir()), "snakemake's own locks hold as long as the jobs are there"
    stand_in_for_squeue(queue, monkeypatch, *others)
    hold_folder(state)
    assert not list((state / THEIR_LOCKS).iterdir())
    assert "the last run here was killed" in capfd.readouterr().err
    # What ran here last ran on this machine: Slurm is not asked.
    stand_in_for_squeue(queue, monkeypatch, *mine)
    kill_a_run(tmp_path / "local", "local")
    hold_folder(tmp_path / "local", SLURM)


@pytest.mark.parametrize("executor", [SLURM, "kubernetes-shared"])
def test_where_nobody_tells_of_its_jobs_a_killed_run_keeps_its_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executor: str
) -> None:
    state = tmp_path / ".snakemake"
    kill_a_run(state, executor)
    stand_in_for_squeue(tmp_path / "bin", monkeypatch, status=1)
    with pytest.raises(BadInput, match=f"found jobs of the executor {executor}, which cannot be asked for.*--unlock"):
        hold_folder(state, executor)
    assert list((state / THEIR_LOCKS).iterdir())
    # As `snakemake --unlock` does.
    (state / THEIR_LOCKS / "0.output.lock").unlink()
    hold_folder(state, executor)


def test_a_job_ends_with_the_snakemake_that_started_it_and_the_next_run_waits_for_that(tmp_path: Path) -> None:
    scheduler, told = start(HOLD, str(tmp_path))
    job, said = start(JOB, **{SCHEDULER: told})
    assert said == "at work"
    scheduler.kill()
    scheduler.wait()
    after, _ = start(HOLD, str(tmp_path))
    assert job.poll() is not None or job.wait(1) is not None, "the next run began while a job was still at work"
    assert job.returncode == OUTLIVED
    assert "the same command goes on from here" in job.communicate()[1]
    after.kill()
    # One that begins when its snakemake is gone already does no work at all.
    late = subprocess.run(
        [sys.executable, "-c", JOB], env=os.environ | {SCHEDULER: told}, text=True, capture_output=True, check=False
    )
    assert (late.returncode, late.stdout) == (OUTLIVED, "")
    alone = JOB.replace("time.sleep(60)", "print('done')")
    assert subprocess.run([sys.executable, "-c", alone], text=True, capture_output=True).stdout.endswith("done\n")


def test_a_job_ends_with_the_shell_of_its_rule(tmp_path: Path) -> None:
    scheduler, told = start(HOLD, str(tmp_path))
    shell = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    rule, said = start(shell, JOB, **{SCHEDULER: told})
    assert said == "at work"
    (job,) = see_below(rule.pid)
    rule.kill()
    rule.wait()
    wait_for(lambda: job.pid not in {one.pid for one in see_all()})
    scheduler.kill()


def wait_in_worker(seconds: float) -> int:
    time.sleep(seconds)
    return 1


@pytest.mark.parametrize("victim", ["parent", "worker"])
def test_workers_and_their_parent_end_together(tmp_path: Path, victim: str) -> None:
    code = (
        "from handbench.datasets.frame_chunks import run_chunks; from handbench.errors import BadInput\n"
        "from tests.trust.test_one_run import wait_in_worker\n"
        "print('begun', flush=True)\n"
        "try: print(list(run_chunks(wait_in_worker, [(60.0,), (60.0,)], 2)))\n"
        "except BadInput as error: print(error)"
    )
    parent, _ = start(code)

    def find_workers() -> list[int]:
        return [one.pid for one in see_below(parent.pid) if one.is_worker]

    wait_for(lambda: len(find_workers()) == 2)
    time.sleep(1.0)
    workers = find_workers()
    if victim == "parent":
        parent.kill()
    else:
        os.kill(workers[0], signal.SIGKILL)
    out, said = parent.communicate(timeout=30)
    wait_for(lambda: not set(workers) & {one.pid for one in see_all()})
    if victim == "worker":
        assert "expected 2 that live to the end of their work, found one that was killed" in out
        assert "Traceback" not in said


def test_chunks_come_in_their_order_from_workers() -> None:
    assert list(run_chunks(wait_in_worker, [(0.2,), (0.0,)], 2)) == [1, 1]


def test_what_a_killed_run_left_is_put_right(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    raw, crops = tmp_path / "download/nyu/raw", tmp_path / "crop/nyu/com/test"
    for folder in (raw, crops):
        folder.mkdir(parents=True)
    for name in CARDS["store.json"]:
        (crops / name).write_text("")
    kept = [raw / ".x.7.part", crops / "store.json", crops / "nyu.tar.part", crops / ".part"]
    for path in [*kept, crops / ".depth.npy.123.part"]:
        path.write_text("")
    put_right(tmp_path)
    assert all(path.exists() for path in kept)
    assert not (crops / ".depth.npy.123.part").exists()
    assert capsys.readouterr().err == ""
    tomorrow = time.time() + 86_400
    for path in (crops, crops / "row.npy", raw / ".x.7.part"):
        os.utime(path, (tomorrow, tomorrow))
    put_right(tmp_path)
    assert max(crops.stat().st_mtime, (crops / "row.npy").stat().st_mtime) <= time.time()
    assert (raw / ".x.7.part").stat().st_mtime == tomorrow
    (crops / "depth.npy").unlink()
    put_right(tmp_path)
    assert not (crops / "store.json").exists(), "without its card snakemake makes it again"
    assert capsys.readouterr().err == f"handbench: {crops}: depth.npy has vanished; it is made again\n"


def test_the_fit_of_the_published_labels_is_whole_with_its_segments(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Its own folder holds a card and no poses."""
    whole = tmp_path / "fit/nyu/published"
    for folder in (whole / "segment_1", whole / "segment_2", whole / "segment_3"):
        folder.mkdir(parents=True)
        (folder / "poses.npz").write_text("")
        (folder / "fit.json").write_text("")
    (whole / "fit.json").write_text("")
    put_right(tmp_path)
    assert (whole / "fit.json").exists()
    assert capsys.readouterr().err == ""
    (whole / "segment_2/poses.npz").unlink()
    put_right(tmp_path)
    assert not (whole / "fit.json").exists()


def test_cards_speak_of_the_files_that_stages_write() -> None:
    assert (pose_file.PUBLISHED, tuple(NYU_SEGMENTS)) == (FIT_OF_RECORD, SEGMENTS)
    assert set(CARDS["store.json"]) == {"index.csv", *array_layout(64, 14)}
    assert CARDS[checkpoint.CARD] == (checkpoint.TENSORS,)
    assert CARDS[pose_file.CARD] == (pose_file.FILE,)
    assert prediction_file.CARD in CARDS
