"""The harness itself: a seed gives the same kills, and no difference between two runs escapes it."""

import json
import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from handbench.training.tracking_log import LOG, Outbox
from tests.trust import kills
from tests.trust.__main__ import Table, find_unseen, tell_rules
from tests.trust.compare import find_differences, find_store_differences
from tests.trust.kills import AIMS, ANYWHERE, RULES, TRAINING, Blow, Struck, draw_blows
from tests.trust.miniature import COMMAND, Attempt, Miniature, TrustError, make
from tests.trust.processes import EVERYTHING, JOB, OTHERS, SCHEDULER, WORKER, GoneError, Seen, strike
from tests.workflow.checkout import Checkout


def test_a_seed_draws_the_same_kills_and_each_run_others() -> None:
    assert draw_blows(3, 0, 5) == draw_blows(3, 0, 5)
    assert len({tuple(draw_blows(seed, run, 5)) for seed in range(3) for run in range(4)}) == 12


@pytest.mark.parametrize("seed", range(20))
def test_every_victim_falls_in_every_run_and_enough_inside_training(seed: int) -> None:
    runs = [draw_blows(seed, run, 5) for run in range(4)]
    for blows in runs:
        assert blows[0].victim == WORKER
        assert {blow.victim for blow in blows[1:]} == set(OTHERS)
    assert sum(blow.where == TRAINING for blows in runs for blow in blows) == 8
    # The workers' are synthesize's; each of the others is aimed at once.
    assert sorted(blow.where for blows in runs for blow in blows[1:] if blow.where != TRAINING) == sorted(AIMS)
    for blows in runs:
        places = [RULES.index(blow.where) for blow in blows if blow.where in RULES]
        assert places == sorted(places), "what an earlier kill waited for may have ended the later one's rule"
    assert len(draw_blows(seed, 0, 9)) == 9
    assert all(blow.after >= 1 for blows in runs for blow in blows if blow.where == TRAINING)


def test_kills_are_aimed_at_every_rule_of_the_miniature(tmp_path: Path) -> None:
    """Rules as snakemake tells them, in the very table that an attempt is read by."""
    miniature = make(tmp_path / "miniature")
    said = tmp_path / "said"
    said.write_text(miniature.checkout.snakemake("--dry-run", *COMMAND).stdout)
    told = Attempt(None, said).rules
    assert set(told) - {"all"} == set(RULES) == {*AIMS, "synthesize", TRAINING} - {"anywhere"}
    assert sum(told.values()) == 31


def test_rules_that_were_never_killed_are_told() -> None:
    table = Table()
    for rule in ("train nn_search", "train deepmodel", "report", "none yet"):
        table.add(0, 0, "", rule, "", "", "yes")
    never = "synthesize, crop, show, fit, predict, probe, evaluate"
    assert tell_rules(table) == f"rules that were killed: train 2, report 1; never: {never}"


def end_process() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen(["true"], start_new_session=True)
    process.wait()
    return process.pid


@pytest.mark.parametrize("victim", [JOB, WORKER, EVERYTHING])
def test_a_victim_that_ended_by_itself_is_told(victim: str) -> None:
    gone = end_process()
    with pytest.raises(GoneError):
        strike(gone, Seen(gone, os.getpid(), ()), victim)


def attempt_of(folder: Path, *words: str) -> Attempt:
    said = folder / "said"
    said.write_text("")
    return Attempt(subprocess.Popen(words, start_new_session=True), said)


def test_a_blow_that_came_too_late_falls_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is a failure of the case, not of the harness, where nobody is left."""
    blows: list[str] = []

    def come_late_once(scheduler: int, job: Seen | None, victim: str) -> None:
        blows.append(victim)
        if len(blows) == 1:
            raise GoneError
        os.kill(scheduler, signal.SIGKILL)

    monkeypatch.setattr(kills, "strike", come_late_once)
    miniature = Miniature(Checkout(tmp_path))
    attempt = attempt_of(tmp_path, "sleep", "60")
    struck = kills._deliver(miniature, attempt, Blow(SCHEDULER, ANYWHERE), miniature)
    assert (blows, struck.rule, attempt.process.returncode) == ([SCHEDULER] * 2, "none yet", -signal.SIGKILL)
    blows.clear()
    ended = attempt_of(tmp_path, "true")
    ended.process.wait()
    with pytest.raises(TrustError, match="it ended before"):
        kills._deliver(miniature, ended, Blow(SCHEDULER, ANYWHERE), miniature)


BEGUN = """\
rule train:
    input: results/smoke-embedded/crop/nyu/com/train/store.json
    output: results/smoke-embedded/train/nyu/a/seed0/checkpoint.json
    log: results/smoke-embedded/logs/train/nyu/a/seed0.log
    jobid: 4
"""
"""As snakemake says it."""


@pytest.mark.parametrize(
    ("told", "undisturbed", "again", "begun", "lost"),
    [
        (
            [1, 2, 3],
            [1, 2, 3, 4, 5],
            [1, 2],
            True,
            "train a starts anew, though 2 epochs of it were kept when it was killed",
        ),
        (
            [4],
            [1, 2, 3, 4, 5],
            [1],
            True,
            "train a starts anew, though 3 epochs of it were kept when it was killed",
        ),
        ([1, 2, 3], [1, 2, 3, 4, 5], [3, 4], True, ""),
        ([1], [1, 2, 3, 4, 5], [1], True, ""),
        ([1, 2, 3], [1, 2, 3, 1, 2, 3], [1], True, ""),
        ([1, 2], [1, 2, 3, 4, 5], [1, 2], False, ""),
    ],
    ids=[
        "anew",
        "anew after a resume",
        "goes on",
        "the first was told and not kept",
        "two networks",
        "an orphan's words",
    ],
)
def test_epochs_that_a_restart_has_lost_are_a_failure(
    tmp_path: Path, told: list[int], undisturbed: list[int], again: list[int], begun: bool, lost: str
) -> None:
    whole = write_epochs(tmp_path / "whole.log", undisturbed)
    log = Path("results/smoke-embedded/logs/train/nyu/a/seed0.log")
    write_epochs(tmp_path / log, again)
    struck = Struck(Blow(JOB, TRAINING), "train a", log, 3, kills._count_kept(told, whole))
    attempt = attempt_of(tmp_path, "true")
    attempt.process.wait()
    attempt.said_in.write_text(BEGUN if begun else "")
    attempt.begun_at = 0.0
    kills._follow(Miniature(Checkout(tmp_path)), [struck], attempt)
    assert struck.lost == lost
    assert bool(struck.resumed) == begun


def test_a_training_is_struck_by_the_name_that_snakemake_gives_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    miniature, log = Miniature(Checkout(tmp_path)), "results/smoke-embedded/logs/train/nyu/a/seed0.log"
    write_epochs(tmp_path / log, [1, 2, 3])
    # Of a living process /proc tells the whole path, whatever the run was told.
    with (tmp_path / log).open("a") as words, subprocess.Popen(["sleep", "60"], stdout=words) as process:
        job = Seen(process.pid, os.getpid(), ("python", "-m", "handbench", "train", "a"))
        monkeypatch.setattr(kills, "_await", lambda *_: job)
        monkeypatch.setattr(kills, "strike", lambda *_: process.kill())
        struck = kills._deliver(miniature, attempt_of(tmp_path, "false"), Blow(JOB, TRAINING), miniature)
    assert (str(struck.log), struck.kept) == (log, 2)
    assert f" {struck.log}\n" in BEGUN


@pytest.mark.parametrize(
    ("kept", "resumed", "unseen"),
    [([2, 3], ["", "training goes on with epoch 3"], 0), ([2, 3], ["", ""], 1), ([0, 0], ["", ""], 0), ([], [], 0)],
)
def test_a_harness_that_sees_nothing_go_on_says_so(kept: list[int], resumed: list[str], unseen: int) -> None:
    struck = [
        Struck(Blow(JOB, TRAINING), "train a", Path("a.log"), 3, epochs, resumed=words)
        for epochs, words in zip(kept, resumed, strict=True)
    ]
    assert len(find_unseen(struck)) == unseen


def write_epochs(log: Path, numbers: list[int]) -> Path:
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(f"epoch {number} of 5: loss 0.5\n" for number in numbers))
    return log


RESULTS = {
    "smoke-embedded/call.json": json.dumps(
        {"call": "a", "started": "now", "scale": "smoke", "results": "/a/results", "settings": {"results": "results"}}
    ),
    "smoke-embedded/calls.jsonl": '{"call": "killed", "status": "FAILED"}\n{"call": "a", "status": "FINISHED"}\n',
    "smoke-embedded/crop/nyu/com/test/depth.npy": "bytes",
    "smoke-embedded/fit/nyu/test/fit.json": json.dumps(
        {
            "lbfgs": {"seconds": 1.5, "mean_mm": 2.0},
            "sha256": "x",
            "hand_from": "12 frames",
            "segments": {"sha256": "y"},
        }
    ),
    "smoke-embedded/train/nyu/a/seed0/tracking.jsonl": "\n".join(
        json.dumps(event)
        for event in (
            {"event": "start", "uuid": "1", "time": 1, "name": "a"},
            {"event": "metrics", "rows": [["loss", 1.0, 0]], "time": 2},
            {"event": "file", "path": "checkpoint.json", "sha256": "of weights", "time": 2},
            {"event": "file", "path": "probe.json", "sha256": "of times", "time": 2},
            {"event": "end", "status": "FINISHED", "time": 3},
        )
    ),
    "smoke-embedded/logs/train/nyu/a/seed0.log": "epoch 1",
    "report/tables/runs.csv": "# called 2026-11-27 14:00:00+00:00\nerror,1.5\n",
    "mlflow/mlflow.db": "a store",
    "slurm/rule_train/7.log": "a node's words",
}


def write_results(root: Path, **changed: str) -> Path:
    for name, content in (RESULTS | changed).items():
        path = root / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name == LOG:
            write_log(path, content)
        else:
            path.write_text(content)
    return root


def write_log(path: Path, content: str) -> None:
    """Lines as jobs write them, each with its sum; a torn one as it is."""
    box = Outbox(path.parent)
    for line in content.splitlines():
        try:
            box.append(json.loads(line))
        except ValueError:
            with path.open("a") as file:
                file.write(f"{line}\n")
    box.close()


def change(name: str, old: str, new: str) -> dict[str, str]:
    assert old in RESULTS[name]
    return {name: RESULTS[name].replace(old, new)}


CALL, CALLS, _, FIT, TRACKED, PRINTED, TABLE = list(RESULTS)[:7]


@pytest.mark.parametrize(
    "changed",
    [
        change(CALL, "now", "later"),
        change(CALLS, '"a"', '"of jobs that are tracked"'),
        change(CALL, "/a/results", "/b/results"),
        change(FIT, "1.5", "2.5"),
        change(FIT, '"x"', '"z"'),
        change(TRACKED, "of times", "of other times"),
        change(TRACKED, '"uuid": "1"', '"uuid": "2"'),
        change(PRINTED, "1", "2"),
        change(TABLE, "14:00", "15:00"),
        {"slurm/rule_train/8.log": "of a job that failed"},
        {TRACKED: '{"event": "start", "uuid": "0", "name": "killed"}\n{"event": "met\n' + RESULTS[TRACKED]},
    ],
    ids=[
        "call",
        "a call of the report alone",
        "folder",
        "duration",
        "seal of a card with a duration",
        "digest of a file with a duration",
        "run's number",
        "log",
        "stamp",
        "Slurm's log",
        "a killed run before",
    ],
)
def test_time_and_processes_are_no_difference(tmp_path: Path, changed: dict[str, str]) -> None:
    assert find_differences(write_results(tmp_path / "a"), write_results(tmp_path / "b", **changed)) == []


@pytest.mark.parametrize(
    "changed",
    [
        change(CALL, '"smoke"', '"demo"'),
        change(CALL, '"results": "results"', '"results": "elsewhere"'),
        change(FIT, "12 frames", "13 frames"),
        change(FIT, '"y"', '"z"'),
        change(TRACKED, "of weights", "of other weights"),
        change(CALLS, "FINISHED", "FAILED"),
        change("smoke-embedded/crop/nyu/com/test/depth.npy", "bytes", "bytez"),
        change(FIT, "2.0", "2.1"),
        change(TRACKED, '"loss", 1.0, 0', '"loss", 1.5, 0'),
        change(TRACKED, "FINISHED", "FAILED"),
        change(TABLE, "1.5", "1.6"),
        {"smoke-embedded/train/nyu/a/seed0/.checkpoint.json.12.part": ""},
        {"smoke-embedded/logs/train/nyu/b/seed0.log": ""},
    ],
)
def test_anything_else_is_a_difference(tmp_path: Path, changed: dict[str, str]) -> None:
    (found,) = find_differences(write_results(tmp_path / "a"), write_results(tmp_path / "b", **changed))
    assert next(iter(changed)) in found


def test_a_missing_file_is_a_difference(tmp_path: Path) -> None:
    whole, other = write_results(tmp_path / "a"), write_results(tmp_path / "b")
    (other / "results" / PRINTED).unlink()
    assert find_differences(whole, other) == [f"{PRINTED}: only in the whole run"]


def test_of_a_fit_with_anothers_hand_the_digest_is_left_out(tmp_path: Path) -> None:
    """The card that it is of holds durations; that there is one is compared."""
    one, other = (change(FIT, "12 frames", digit * 64) for digit in "ab")
    whole = write_results(tmp_path / "one", **one)
    assert find_differences(whole, write_results(tmp_path / "other", **other)) == []
    assert find_differences(whole, write_results(tmp_path / "none")) == [f"{FIT}: differs"]


def make_store(path: Path, *, status: str = "FINISHED", value: float = 1.0) -> Path:
    with sqlite3.connect(path) as store:
        store.executescript(
            "CREATE TABLE runs (run_uuid, status, lifecycle_stage); CREATE TABLE tags (run_uuid, key, value);"
            "CREATE TABLE params (run_uuid, key, value); CREATE TABLE metrics (run_uuid, key, step, value, is_nan);"
            f"INSERT INTO runs VALUES ('1', '{status}', 'active');"
            "INSERT INTO tags VALUES ('1', 'current', 'true'), ('1', 'handbench.output', 'train/a');"
            f"INSERT INTO metrics VALUES ('1', 'loss', 0, {value}, 0);"
        )
    store.close()
    return path


def test_a_tracked_number_or_an_open_run_is_a_difference(tmp_path: Path) -> None:
    whole = make_store(tmp_path / "whole.db")
    assert find_store_differences(whole, make_store(tmp_path / "same.db")) == []
    other = make_store(tmp_path / "value.db", value=2.0)
    assert find_store_differences(whole, other) == ["tracked run train/a: differs"]
    running = make_store(tmp_path / "running.db", status="RUNNING")
    assert len(find_store_differences(whole, running)) == 2


def test_a_second_current_run_of_an_output_is_a_difference(tmp_path: Path) -> None:
    """Even one that says the same, and even where the whole run has it as well."""
    whole, other = (make_store(tmp_path / f"{name}.db") for name in ("whole", "other"))
    with sqlite3.connect(other) as store:
        store.executescript(
            "INSERT INTO runs VALUES ('2', 'FINISHED', 'active');"
            "INSERT INTO tags VALUES ('2', 'current', 'true'), ('2', 'handbench.output', 'train/a');"
            "INSERT INTO metrics VALUES ('2', 'loss', 0, 1.0, 0);"
        )
    store.close()
    twice = "tracked run train/a: 2 current runs"
    assert find_store_differences(whole, other) == ["tracked run train/a: differs", twice]
    assert find_store_differences(other, other) == [twice]
