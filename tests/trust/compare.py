"""Whether two runs have the same results: every byte of every file, but of those that tell of time every other field.

What is left out is named here, with the reason.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from handbench.training.tracking_log import read_log

TIMED = {
    "call.json": "when and where the run was called, and its number",
    "calls.jsonl": "when each call ended; a killed run has more calls",
    "tracking.jsonl": "when each number was measured; a killed job has begun more often",
    "tracking.sent.json": "numbers that the tracking store has drawn",
    "fit.json": "how long a fit took",
    "probe.json": "how long a network takes a frame",
}
"""Files of the run's folder that hold times. Their other fields are compared."""
ONLY_THERE = {
    "logs": "lines of processes that were killed, and times",
    "benchmarks": "time and memory of each job",
}
"""Folders of which the same files have to be there; what they hold is of one process and no result."""
TEXTS = (".html", ".csv", ".md", ".tex")
"""Texts of the report may hold the time of the call."""
MEASURED = (
    "feedback15_section_4_7",
    "feedback19_hand_object_runtime",
    "deepmodel_fits",
    "deepmodel_speed",
    "refine_speed",
    "crossing_speed",
    "claims",
    "index",
)
"""Tables and pages of the report with measured times in them. Their decimals are left out: what of these is no time
stands in other files, which are compared.
"""
TIME_FIELDS = {
    "call.json": ("call", "started", "command", "results", "sha256"),
    "fit.json": ("hand_seconds", "lbfgs/seconds", "pso/seconds", "sha256"),
    "probe.json": ("numbers/milliseconds", "numbers/step/milliseconds", "sha256"),
}
"""Fields of those files, by their place: times, durations, digests over a card that holds some, and of a call its
words (some cases end with a remedy) and the folder that the run lies in.
"""
HAND_FROM = "hand_from"
"""Of a fit: the digest of a card with times, or in words where the hand comes from. The words are compared."""
EVENT_FIELDS = ("time", "uuid", "host", "boot", "pid", "born", "call")
"""Fields of a line of tracking.jsonl: when it was written, by which process, in which call."""
BESIDE = ("mlflow", "slurm")
"""Folders beside the results: the tracking store, which is read as such, and what Slurm says of its jobs."""


def find_differences(whole: Path, other: Path) -> list[str]:
    """What two checkouts' results differ in, in words; empty where they are equal."""
    theirs, ours = _list_files(whole / "results"), _list_files(other / "results")
    wrong = [f"{name}: only in the whole run" for name in sorted(theirs - ours)]
    wrong += [f"{name}: not in the whole run" for name in sorted(ours - theirs)]
    for name in sorted(theirs & ours):
        one, two = whole / "results" / name, other / "results" / name
        if Path(name).parts[1] not in ONLY_THERE and _read(one) != _read(two):
            wrong.append(f"{name}: differs")
    return wrong


def _list_files(results: Path) -> set[str]:
    files = (path.relative_to(results) for path in results.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if path.parts[0] not in BESIDE}


def _read(path: Path) -> object:
    """What has to be equal of a file."""
    if path.name == "tracking.jsonl":
        return _read_last_run(path)
    if path.name == "tracking.sent.json":
        return list(json.loads(path.read_text()).values())[-1]["done"]
    if path.name == "calls.jsonl":
        return _read_end(path)
    if path.name in TIMED:
        return _read_card(path)
    return list(_read_report_text(path)) if _is_report_text(path) else path.read_bytes()


def _is_report_text(path: Path) -> bool:
    return "report" in path.parts and path.suffix in TEXTS


def _read_end(calls: Path) -> str:
    """How the last call ended. One whose jobs track nothing, as that of a report alone, is not told of: it counts as
    well ended, which its exit status says.
    """
    last = json.loads(calls.with_name("call.json").read_text())["call"]
    told = [end["status"] for end in map(json.loads, calls.read_text().splitlines()) if end["call"] == last]
    return told[-1] if told else "FINISHED"


def _read_card(path: Path) -> object:
    card = json.loads(path.read_text())
    for place in TIME_FIELDS[path.name]:
        *above, field = place.split("/")
        holder = card
        for word in above:
            holder = holder.get(word, {})
        holder.pop(field, None)
    if re.fullmatch("[0-9a-f]{64}", str(card.get(HAND_FROM))):
        card[HAND_FROM] = "<digest>"
    return card


def _read_last_run(log: Path) -> object:
    """Every number of the last run in a file, and its end."""
    start, *events = (_read_event(event, log) for event in read_log(log)[-1].events)
    # An epoch that was measured before a kill is told again: once more the same number.
    rows = {tuple(row) for event in events for row in event.get("rows", ())}
    return start, sorted(rows), [event for event in events if event["event"] != "metrics"]


def _read_event(event: dict[str, Any], log: Path) -> dict[str, Any]:
    """Less what differs from run to run; so does the digest of a file that holds times."""
    left_out = EVENT_FIELDS
    told = log.parent / event.get("path", "")
    if told.name in TIMED or _is_report_text(told):
        left_out += ("sha256",)
    return {key: value for key, value in event.items() if key not in left_out}


def _read_report_text(path: Path) -> Iterator[str]:
    for line in path.read_text().splitlines():
        undated = re.sub(r"\d{4}-\d\d-\d\dT?[ \d:+]*", "<time>", line)
        yield re.sub(r"\d[\d,]*\.\d+(e-?\d+)?", "<decimal>", undated) if path.stem in MEASURED else undated


OPEN = "runs that never ended"


def read_store(database: Path) -> dict[str, list[object]]:
    """The current runs of a tracking store by their output: status, parameters, each metric's steps and values."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as store:
        status = dict(store.execute("SELECT run_uuid, status FROM runs WHERE lifecycle_stage = 'active'"))
        tags: dict[str, dict[str, str]] = {run: {} for run in status}
        for run, key, value in store.execute("SELECT run_uuid, key, value FROM tags"):
            tags.get(run, {})[key] = value
        found: dict[str, list[object]] = {OPEN: sorted(run for run in status if status[run] == "RUNNING")}
        for run in status:
            if tags[run].get("current") == "true":
                params = store.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run,))
                rows = store.execute("SELECT key, step, value, is_nan FROM metrics WHERE run_uuid = ?", (run,))
                told = status[run], sorted(params), sorted(rows)
                # A second current run of an output must not hide behind the first.
                found.setdefault(tags[run]["handbench.output"], []).append(told)
        return {output: sorted(runs, key=repr) for output, runs in found.items()}


def find_store_differences(whole: Path, other: Path) -> list[str]:
    theirs, ours = read_store(whole), read_store(other)
    outputs = sorted(theirs.keys() | ours.keys())
    wrong = [f"tracked run {key}: differs" for key in outputs if theirs.get(key) != ours.get(key)]
    return wrong + [
        f"tracked run {key}: {len(runs)} current runs" for key, runs in ours.items() if key != OPEN and len(runs) != 1
    ]
