"""What the command line and the workflow cost beside the work they start."""

import csv
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.frames import scratch_folder
from benchmarks.rows import Limit

ROOT = Path(__file__).resolve().parents[1]
_OVERLAY = """\
scale: smoke
use: [icvl, msra14]
crop: {size_px: 64}
datasets:
  icvl: {frames: {train: 2, test: 2}}
  msra14: {frames: {all: 6}}
"""


def measure_help() -> float:
    """Processor time of `handbench --help`, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "handbench", "--help"], check=True, capture_output=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure_overhead() -> float:
    """Seconds on the wall that a small run takes beyond its stages' own, less 0.1 s a job; one job at a time."""
    folder = _copy_workflow()
    (folder / "bench.yaml").write_text(_OVERLAY, encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--configfile", "bench.yaml"]
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache")}
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    wall_s = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"the workflow failed: {done.stderr.strip().splitlines()[-1:]}")
    stages_s = [_read_seconds(path) for path in (folder / "results").glob("*/benchmarks/**/*.tsv")]
    return wall_s - sum(stages_s) - 0.1 * len(stages_s)


def _copy_workflow() -> Path:
    folder = scratch_folder() / "workflow-run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("workflow", "config", "envs", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return folder


def _read_seconds(path: Path) -> float:
    with path.open(encoding="utf-8", newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


ROWS = (
    Limit("help", "handbench --help, processor time", measure_help, 0.3, 0.3),
    Limit(
        "pipeline",
        "workflow beyond its stages and 0.1 s a job, wall",
        measure_overhead,
        None,
        2.0,
        samples=1,
        needs=("snakemake",),
    ),
)
