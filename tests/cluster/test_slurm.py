"""The workflow on a Slurm of its own: the results of a local run, one card a training, and trainings that are stopped.

`make cluster` runs them all as root; AGAINST=results takes a local run of config/smoke.yaml that is there already.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.cluster.own_slurm import CARDS, OwnSlurm, find_obstacle, start_slurm
from tests.trust.compare import find_differences
from tests.workflow.checkout import SMOKE_RUN, SNAKEMAKE, Checkout, copy_checkout

pytestmark = pytest.mark.cluster

PROFILE = "workflow/profiles/slurm"
SMOKE = ("--configfile", "config/smoke.yaml")
# This Slurm keeps no accounts, and its one node shows every file at once.
HERE = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10")
SUBMITTED = re.compile(r"has been submitted with SLURM jobid (\d+) \(log: .*/slurm/(?:rule|group)_([a-z_]+)/")
LONG_SECONDS = 900


@pytest.fixture(scope="module")
def slurm() -> Iterator[OwnSlurm]:
    obstacle = find_obstacle()
    if obstacle:
        pytest.skip(f"no Slurm of its own: {obstacle}")
    with start_slurm() as started:
        yield started


def on_cluster(checkout: Checkout, *words: str) -> list[str]:
    return [str(SNAKEMAKE), *words, "--profile", PROFILE, *HERE]


def run_on_cluster(checkout: Checkout, *words: str, status: int = 0) -> str:
    """What the workflow has said on Slurm."""
    done = subprocess.run(
        on_cluster(checkout, *words), cwd=checkout.root, env=checkout.environment(), text=True, capture_output=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def begin_on_cluster(checkout: Checkout, said: Path, *words: str) -> subprocess.Popen[bytes]:
    with said.open("w") as file:
        return subprocess.Popen(
            on_cluster(checkout, *words), cwd=checkout.root, env=checkout.environment(), stdout=file, stderr=file
        )


def take_checkout(folder: Path) -> Checkout:
    """What is to run on the cluster: at the commit of the local run, which stamps of tables and figures name."""
    against = os.environ.get("AGAINST")
    if not against:
        return copy_checkout(folder)
    subprocess.run(["git", "clone", "--quiet", Path(against).resolve().parent, folder], check=True)
    return Checkout(folder)


def find_local_run(folder: Path) -> Path:
    """A checkout whose results were made without a cluster: the one that AGAINST names, or one that is made here."""
    against = os.environ.get("AGAINST")
    if against:
        return Path(against).resolve().parent
    checkout = copy_checkout(folder)
    done = checkout.snakemake(*SMOKE)
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout.root


def list_submitted(said: str) -> dict[str, str]:
    """The rule, or the group, of every Slurm job of a call."""
    return dict(SUBMITTED.findall(said))


def count_at_once(jobs: list[dict[str, str]]) -> int:
    """How many of the jobs have run side by side, at most."""
    times = [[datetime.fromisoformat(job[word]) for word in ("StartTime", "EndTime")] for job in jobs]
    return max(sum(start <= moment < end for start, end in times) for moment, _ in times)


def check_cards(slurm: OwnSlurm, submitted: dict[str, str]) -> None:
    """What runs networks had one card each, never the one of another at the same time; what needs none saw none."""
    seen, jobs = dict(slurm.read_granted()), slurm.read_jobs()
    asking = [job for job, rule in submitted.items() if rule.startswith(("train", "network", "crop_localized"))]
    assert {seen[job] for job in asking} <= {str(number) for number in range(CARDS)}
    assert {seen[job] for job in submitted if job not in asking} == {""}
    for card in {seen[job] for job in asking}:
        assert count_at_once([jobs[job] for job in asking if seen[job] == card]) == 1, f"card {card} was given twice"


def test_the_pipeline_ends_in_the_bytes_of_a_local_run(
    slurm: OwnSlurm, tmp_path_factory: pytest.TempPathFactory
) -> None:
    checkout = take_checkout(tmp_path_factory.mktemp("slurm"))
    planned = checkout.planned(*SMOKE)
    started = time.monotonic()
    said = run_on_cluster(checkout, *SMOKE)
    seconds = time.monotonic() - started
    submitted = list_submitted(said)
    assert find_differences(find_local_run(tmp_path_factory.mktemp("local")), checkout.root) == []

    jobs = slurm.read_jobs()
    assert {jobs[job]["JobState"] for job in submitted} == {"COMPLETED"}
    check_cards(slurm, submitted)
    trainings = [jobs[job] for job, rule in submitted.items() if rule == "train"]
    assert len(trainings) == planned["train"] > 13
    assert len(list((checkout.root / SMOKE_RUN / "logs" / "train").rglob("*.log"))) == planned["train"]
    assert {job["Partition"] for job in trainings} == {"gpu"}
    assert {job["TimeLimit"] for job in trainings} == {"480"}
    # Nine folds side by side, and chains of trainings that wait for one another.
    assert 2 <= count_at_once(trainings) <= CARDS
    # One Slurm job for all that is done with a network, and one for several sheets.
    sheets = len(list((checkout.root / SMOKE_RUN / "logs" / "show").rglob("*.log")))
    assert 1 <= sum(rule.startswith("sheets") for rule in submitted.values()) < sheets
    assert len(submitted) < said.count("Shell command: ")
    assert checkout.planned(*SMOKE) == {}, "a local call finds nothing left to do"
    print(f"{len(submitted)} Slurm jobs in {seconds:.0f} s")


def test_what_a_failed_job_said_is_shown(slurm: OwnSlurm, tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path)
    checkout.replace(
        "datasets/synthesize.py", "def synthesize(", "raise SystemExit('the light went out')\ndef synthesize("
    )
    made = f"{SMOKE_RUN}/synthesize/msra14/manifest.json"
    said = run_on_cluster(checkout, made, *SMOKE, "--retries", "1", status=1)
    assert "the light went out" in said
    submitted = list_submitted(said)
    assert list(submitted.values()) == ["synthesize", "synthesize"], "sent again once"
    assert {slurm.read_jobs()[job]["JobState"] for job in submitted} == {"FAILED"}
    kept = {path.stem for path in (tmp_path / "results" / "slurm").rglob("*.log")}
    assert kept == set(submitted), "Slurm's own words of a failed job stay"


EPOCHS = 24
LONG = f"""
use: [nyu]
seeds: [0, 1]
modules: {{feedback15_predictor: {{settings: {{epochs: {EPOCHS}}}}}}}
"""
TO_BE_TRAINED = [Path(f"{SMOKE_RUN}/train/nyu/feedback15_predictor/seed{seed}/checkpoint.json") for seed in (0, 1)]
TOLD = re.compile(rf"^epoch (\d+) of {EPOCHS}:", re.MULTILINE)


@pytest.mark.slow
def test_a_stopped_training_goes_on_where_it_was(slurm: OwnSlurm, tmp_path: Path) -> None:
    """One is put back into the queue, as after a failed node; the other reaches its time limit and is sent again."""
    local = copy_checkout(make_folder(tmp_path / "local"))
    (local.root / "long.yaml").write_text(LONG)
    words = (*SMOKE, "long.yaml")
    assert local.snakemake(f"{SMOKE_RUN}/crop/nyu/com/train/store.json", *words).returncode == 0
    checkout = Checkout(shutil.copytree(local.root, tmp_path / "slurm", symlinks=True))
    words = (*map(str, TO_BE_TRAINED), *words)
    assert local.snakemake(*words).returncode == 0
    said = tmp_path / "said"
    running = begin_on_cluster(checkout, said, *words)
    try:
        for card in TO_BE_TRAINED:
            stand_still_after_an_epoch(checkout.root, card.parent)
        requeued, limited = (
            re.findall(rf"jobid (\d+) \(log: .*/rule_train/nyu_feedback15_predictor_{seed}_/", said.read_text())[0]
            for seed in (0, 1)
        )
        slurm.ask("scontrol", "requeue", requeued)
        slurm.ask("scontrol", "update", f"JobId={limited}", "TimeLimit=1")
        assert running.wait(timeout=LONG_SECONDS) == 0, said.read_text()
    finally:
        running.kill()
        running.wait()
    jobs = slurm.read_jobs()
    assert (jobs[requeued]["JobState"], jobs[limited]["JobState"]) == ("COMPLETED", "TIMEOUT")
    trainings = [job for job, rule in list_submitted(said.read_text()).items() if rule == "train"]
    assert sorted(jobs[job]["JobState"] for job in trainings) == ["COMPLETED", "COMPLETED", "TIMEOUT"]
    for seed, card in enumerate(TO_BE_TRAINED):
        log = checkout.root / SMOKE_RUN / f"logs/train/nyu/feedback15_predictor/seed{seed}.log"
        told = [int(epoch) for epoch in TOLD.findall(log.read_text())]
        assert told == list(range(told[0], EPOCHS + 1))
        assert told[0] > 1, "what was trained before the stop was not trained again"
        for name in ("checkpoint.json", "checkpoint.safetensors"):
            place = card.with_name(name)
            assert (checkout.root / place).read_bytes() == (local.root / place).read_bytes()


@pytest.mark.slow
def test_the_jobs_of_a_killed_snakemake_are_waited_for_and_not_sent_again(slurm: OwnSlurm, tmp_path: Path) -> None:
    checkout = copy_checkout(make_folder(tmp_path / "checkout"))
    (checkout.root / "long.yaml").write_text(LONG)
    card, said = TO_BE_TRAINED[0], tmp_path / "said"
    words = (f"{SMOKE_RUN}/predict/nyu/feedback15_predictor/seed0/predictions.json", *SMOKE, "long.yaml")
    running = begin_on_cluster(checkout, said, *words)
    try:
        training = stand_still_after_an_epoch(checkout.root, card.parent)
    finally:
        running.kill()
        running.wait()
    [job] = [job for job, rule in list_submitted(said.read_text()).items() if rule == "train"]
    refused = run_on_cluster(checkout, *words, status=1)
    assert f"expected that the Slurm jobs of the last run here have ended, found {job} (running); wait for" in refused
    assert "Traceback" not in refused
    os.kill(training, signal.SIGCONT)
    until = time.monotonic() + LONG_SECONDS
    while job not in slurm.read_jobs():
        assert time.monotonic() < until, "the training has not ended"
        time.sleep(0.5)
    assert slurm.read_jobs()[job]["JobState"] == "COMPLETED"
    trained = (checkout.root / card).stat().st_mtime_ns
    again = run_on_cluster(checkout, *words)
    assert "--unlock" not in again
    assert list(list_submitted(again).values()) == ["network"], "what has been trained is predicted with"
    assert (checkout.root / card).stat().st_mtime_ns == trained


def make_folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


def stand_still_after_an_epoch(root: Path, out: Path) -> int:
    """Halt a training, without ending it, as soon as there is an epoch to go on from; returns its process."""
    until = time.monotonic() + LONG_SECONDS
    while not list((root / out).glob("resume/**/epoch.ckpt")):
        assert time.monotonic() < until, f"no epoch in {out}"
        time.sleep(0.005)
    [training] = [number for number, words in list_python(root) if {"train", str(out)} <= set(words)]
    os.kill(training, signal.SIGSTOP)
    return training


def list_python(root: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and words of every Python process that runs in a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if (process / "cwd").resolve() == root and "python" in words[0]:
                yield int(process.name), words
        except OSError:  # it has just ended
            continue
