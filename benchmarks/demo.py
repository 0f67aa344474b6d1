"""`python -m benchmarks.demo FOLDER`: how `make demo`'s time is shared between the papers, from a run's own notes.

Snakemake writes down what each job took; FOLDER is the run's results (results/demo-embedded), made at one go on a
machine with nothing else to do. A job is a paper's if no other paper waits for it; what several wait for, the data and
the report are rows of their own. Minutes are those of two cores: each part by itself, list-scheduled on them. Numbers
go into demo.json.
"""

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.dag import ROOT, DryJob, read_dag
from benchmarks.machine import name_processor
from benchmarks.schedule import Job, count_use, measure_makespan
from handbench.config import Config, Module, load_config

MEASURED = Path(__file__).with_name("demo.json")
CORES = 2
LIMITS_MIN = {
    "feedback15, feedback19: hands": 10.0,
    "handobject": 8.0,
    "deepmodel": 4.0,
    "crossing": 6.0,
    "refine": 5.0,
}
"""The most that each paper's part is to take."""
WHOLE, WHOLE_LIMIT_MIN = "all", 40.0
SHARED, DATA, REPORT = "of several papers", "data, crops, contact sheets", "report"


def name_part(module: Module) -> str:
    """A paper's, but the two feedback papers share the loop for hands and hand and object are by themselves."""
    if module.kind.startswith("handobject"):
        return "handobject"
    return "feedback15, feedback19: hands" if module.paper.startswith("feedback") else module.paper


def find_parts(graph: Sequence[DryJob], config: Config) -> dict[str, str]:
    """Whose each job is, by name: its own, or that of all who wait for it, as far as they are one."""
    waiting: dict[str, set[str]] = defaultdict(set)
    known = {job.name: job for job in graph}

    def wait_for(name: str, part: str) -> None:
        if part not in waiting[name]:
            waiting[name].add(part)
            for one in known[name].after:
                wait_for(one, part)

    for job in graph:
        if "module" in job.wildcards:
            wait_for(job.name, name_part(config.modules[job.wildcards["module"]]))
    return {job.name: _choose(job, waiting[job.name]) for job in graph}


def _choose(job: DryJob, parts: set[str]) -> str:
    if job.rule == REPORT:
        return REPORT
    if not parts:
        return DATA
    return next(iter(parts)) if len(parts) == 1 else SHARED


def read_seconds(path: Path) -> float:
    with path.open(encoding="utf-8", newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["s"])


def measure_parts(
    graph: Sequence[DryJob], parts: Mapping[str, str], seconds: Mapping[str, float]
) -> list[dict[str, Any]]:
    """A row a part. By itself each finds what others made lying there, so that it waits for its own jobs alone."""
    rows = []
    for part in [*LIMITS_MIN, SHARED, DATA, REPORT, WHOLE]:
        names = {job.name for job in graph if part in (WHOLE, parts[job.name])}
        jobs = [
            Job(job.name, seconds[job.name], tuple(set(job.after) & names), {"cores": float(min(job.threads, CORES))})
            for job in graph
            if job.name in names
        ]
        core_min = count_use(jobs, "cores") / 60
        two_cores_min = measure_makespan(jobs, {"cores": float(CORES)}) / 60 if jobs else 0.0
        rows.append({"part": part, "jobs": len(jobs), "core_min": core_min, "two_cores_min": two_cores_min})
    return rows


def measure_wall_min(files: Sequence[Path]) -> float:
    """From the first job's beginning to the last one's end."""
    begun = min(path.stat().st_mtime - read_seconds(path) for path in files)
    return (max(path.stat().st_mtime for path in files) - begun) / 60


def describe(measured: Mapping[str, Any]) -> str:
    """The table of docs/scaling.md."""
    limits = {**LIMITS_MIN, WHOLE: WHOLE_LIMIT_MIN}
    lines = ["| part | jobs | core minutes | minutes of two cores | at most |", "|---|---|---|---|---|"]
    for row in measured["rows"]:
        limit = f"{limits[row['part']]:g}" if row["part"] in limits else ""
        lines.append(
            f"| {row['part']} | {row['jobs']} | {row['core_min']:.1f} | {row['two_cores_min']:.1f} | {limit} |"
        )
    return "\n".join(
        [*lines, "", f"From the first job's beginning to the last one's end: {measured['wall_min']:.1f} minutes."]
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="none: print what was measured")
    folder: Path | None = parser.parse_args().folder
    if folder is not None:
        graph = read_dag(["config.yaml"])
        files = {job.name: folder / Path(*Path(job.benchmark).parts[1:]) for job in graph if job.benchmark}
        missing = [path for path in files.values() if not path.is_file()]
        if missing:
            raise SystemExit(f"{missing[0]} is not there: expected the results of a whole `make demo` of this checkout")
        parts = find_parts(graph, load_config([ROOT / "config.yaml"]))
        seconds = {job.name: read_seconds(files[job.name]) if job.name in files else 0.0 for job in graph}
        rows = measure_parts(graph, parts, seconds)
        measured = {"processor": name_processor(), "wall_min": measure_wall_min(list(files.values())), "rows": rows}
        MEASURED.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    print(describe(json.loads(MEASURED.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
