"""The DAG: what every config asks for, what re-runs and what does not, and how wrong settings are refused."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from checkout import Checkout

EMBEDDED = {"synthesize": 5, "crop": 13, "show": 7}
REAL = {"download": 5, "crop": 13, "show": 7}
TINY = ("--configfile", "tiny.yaml")


@pytest.mark.parametrize(
    ("overlays", "jobs"),
    [
        ([], EMBEDDED),
        (["smoke"], EMBEDDED),
        (["claims"], EMBEDDED),
        (["paper"], EMBEDDED),
        (["real"], REAL),
        (["paper", "real"], REAL),
    ],
    ids=lambda value: "+".join(value) or "default" if isinstance(value, list) else "",
)
def test_every_config_plans_its_jobs(checkout: Checkout, overlays: list[str], jobs: dict[str, int]) -> None:
    files = [f"config/{overlay}.yaml" for overlay in overlays]
    assert checkout.planned(*(["--configfile", *files] if files else [])) == jobs


def test_data_at_hand_are_not_downloaded(checkout: Checkout) -> None:
    (checkout.root / "my icvl").mkdir()
    (checkout.root / "mine.yaml").write_text("source: real\nuse: [icvl]\ndatasets: {icvl: {path: my icvl}}\n")
    assert checkout.planned("--configfile", "mine.yaml") == {"crop": 2, "show": 2}
    done = checkout.snakemake("--dry-run", "--configfile", "mine.yaml")
    assert "--root 'my icvl' --split test --centre joint" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "crop: {sizepx: 64}",
            "config: expected only known keys, found crop.sizepx (known here: size_px); did you mean size_px?",
        ),
        (
            "source: real\nuse: [icvl]\ndatasets: {icvl: {path: nowhere}}",
            "config: expected a folder at datasets.icvl.path, found none at nowhere; mend the path",
        ),
    ],
    ids=["misspelt key", "missing folder"],
)
def test_a_wrong_setting_is_one_line(checkout: Checkout, setting: str, said: str) -> None:
    (checkout.root / "wrong.yaml").write_text(setting)
    done = checkout.snakemake("--configfile", "wrong.yaml")
    ours = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(("Config file", "Using"))]
    assert done.returncode == 1
    assert ours == [said]


def test_the_lint_of_snakemake_is_content(checkout: Checkout) -> None:
    done = checkout.snakemake("--lint")
    assert "good condition" in done.stdout + done.stderr
    assert done.returncode == 0


def test_a_run_makes_everything_once_and_again_only_what_changed(doubled: Checkout) -> None:
    whole = {"synthesize": 2, "crop": 3, "show": 3}
    assert doubled.planned(*TINY) == whole
    # Jobs have to find their Python and the package with nothing of the project on PATH.
    done = doubled.snakemake(*TINY, PATH="/usr/local/bin:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    run = doubled.root / "results" / "smoke-embedded"
    assert json.loads((run / "synthesize/icvl/manifest.json").read_text())["frames"] == {"train": 2, "test": 1}
    assert (run / "crop/msra/joint/all/store.json").read_text().startswith("joint 128\nall 0\n")
    assert (run / "logs/crop/msra/joint/all.log").is_file()
    assert (run / "benchmarks/synthesize/icvl.tsv").read_text().startswith("s\t")
    assert doubled.planned(*TINY) == {}

    (doubled.root / "more.yaml").write_text("datasets: {icvl: {frames: {train: 5}}}\n")
    assert doubled.planned(*TINY, "more.yaml") == {"synthesize": 1, "crop": 2, "show": 2}
    (doubled.root / "seeds.yaml").write_text("seeds: [0, 1]\n")
    assert doubled.planned(*TINY, "seeds.yaml") == {}, "no stage here depends on the seeds of trainings"

    doubled.replace("datasets/double.py", "Write a line a frame;", "One line for every frame;")
    doubled.replace("datasets/importers.py", "def list_frames", "# the only door\ndef list_frames")
    assert doubled.planned(*TINY) == {}, "comments and docstrings re-run nothing"

    doubled.replace("datasets/importers.py", "at hand", "already here")
    assert doubled.planned(*TINY) == {"crop": 3, "show": 3}
    doubled.replace("datasets/double.py", "sleep(60)", "sleep(61)")
    assert doubled.planned(*TINY) == whole


def test_a_finished_download_is_not_thrown_away(doubled: Checkout) -> None:
    words = ("--configfile", "tiny.yaml", "config/real.yaml", "use.yaml")
    (doubled.root / "use.yaml").write_text("use: [icvl]\ndatasets: {icvl: {mirrors: ['file:///a b', 'file:///c']}}\n")
    assert doubled.snakemake(*words).returncode == 0
    manifest = doubled.root / "results/smoke-real/download/icvl/manifest.json"
    assert manifest.read_text() == "icvl ['file:///a b', 'file:///c']"
    # A better downloader, or another mirror, is no reason to fetch again.
    doubled.replace("datasets/download.py", "one line", "two lines")
    (doubled.root / "use.yaml").write_text("use: [icvl]\n")
    assert doubled.planned(*words) == {}


def wait_for(there: Callable[[], bool], *, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_nothing_half_written_is_taken_for_whole(doubled: Checkout, tmp_path: Path) -> None:
    waits = tmp_path / "waits"
    running = subprocess.Popen(
        doubled.command(*TINY),
        cwd=doubled.root,
        env=doubled.environment(DOUBLE_WAITS=str(waits)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(waits.exists)
    # The scheduler and every job at once, as when a machine goes down.
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not list(doubled.root.rglob("manifest.json"))

    locked = doubled.snakemake(*TINY)
    assert locked.returncode == 1
    assert "--unlock" in locked.stdout + locked.stderr
    assert doubled.snakemake(*TINY, "--unlock").returncode == 0
    assert doubled.snakemake(*TINY).returncode == 0
    run = doubled.root / "results" / "smoke-embedded"
    assert (run / "synthesize/msra/raw/frames.txt").read_text() == "all 0\nall 1\nall 2\n"
    assert doubled.planned(*TINY) == {}
