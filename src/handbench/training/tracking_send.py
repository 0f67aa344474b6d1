"""What is sent to a tracking store, in which order, and how a second sending finds the first.

Each step may be done twice without a second effect: a run is found again by its uuid, parameters and tags keep their
value, a metric that the store has already is passed over, an artifact is replaced by itself.
"""

import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from handbench.provenance import CALL, read_call
from handbench.training.tracking_client import ALL_RUNS, LONGEST_TAG, Found, Point, Tracker
from handbench.training.tracking_log import (
    LOG,
    LoggedRun,
    Progress,
    hold,
    is_gone,
    is_held,
    read_log,
    read_progress,
    resolve_artifact,
    write_progress,
)
from handbench.training.tracking_store import CALLS, WORKFLOW, hide_password, read_end, read_note, write_note

UUID, OUTPUT, RESULTS, CALL_ID = "handbench.uuid", "handbench.output", "handbench.results", "handbench.call"
PROCESS = ("host", "boot", "pid", "born")
STAGES = ("train", "fit", "evaluate")
BATCH_EVENTS = 200


@dataclass
class Sent:
    """What a sending came to, in runs."""

    sent: int = 0
    already: int = 0
    running: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Output and reason."""
    damaged: dict[str, int] = field(default_factory=dict)
    """Output and how many lines of what was sent now could not be read."""

    def __str__(self) -> str:
        words = f"{self.sent} sent, {self.already} sent before"
        return words + (f", {self.running} still running" if self.running else "") + f", {len(self.failed)} failed"


def start_run(tracker: Tracker, start: Mapping[str, Any], *, search: bool) -> str:
    """The id of a run in the store, made there if `search` does not find it; its output's earlier runs step back."""
    experiment = tracker.find_experiment(start["experiment"])
    if search and (known := tracker.find([experiment], match_tag(UUID, start["uuid"]))):
        return known[0].run_id
    parent = _find_parent(tracker, start.get("call"))
    tags = {**start["tags"], UUID: start["uuid"], OUTPUT: start["output"], RESULTS: tracker.store.id, "current": "true"}
    tags |= {f"handbench.{key}": str(start[key]) for key in PROCESS}
    if parent:
        tags |= {"mlflow.parentRunId": parent, CALL_ID: start["call"]["call"]}
    run_id = tracker.create(experiment, start["name"], start["time"], tags)
    _supersede(tracker, experiment, start["output"])
    return run_id


def _supersede(tracker: Tracker, experiment: str, output: str) -> None:
    """Of all runs of one output the latest is current; an earlier one that never ended was killed."""
    runs = tracker.find([experiment], f"{match_tag(OUTPUT, output)} AND {match_tag(RESULTS, tracker.store.id)}")
    for place, run in enumerate(runs):
        current = "true" if place == 0 else "false"
        if run.tags.get("current") != current:
            tracker.tag(run.run_id, "current", current)
        if place and run.status == "RUNNING":
            tracker.end(run.run_id, "KILLED", now_ms())


def send_events(tracker: Tracker, run_id: str, folder: Path, events: Sequence[Mapping[str, Any]]) -> None:
    """All events in their order, metrics that follow one another together."""
    points: list[Point] = []
    for event in events:
        if event["event"] == "metrics":
            points += [(key, value, step, event["time"]) for key, value, step in event["rows"]]
            continue
        tracker.log(run_id, points)
        points = []
        if event["event"] == "start":
            tracker.log(run_id, params=event["params"])
        elif event["event"] == "file":
            _send_file(tracker, run_id, folder, event)
        elif event["event"] == "end":
            tracker.end(run_id, event["status"], event["time"])
    tracker.log(run_id, points)


def _send_file(tracker: Tracker, run_id: str, folder: Path, event: Mapping[str, Any]) -> None:
    """A file that has changed since belongs to a later run; that it is missing is said in a tag."""
    path = resolve_artifact(folder, event)
    inside = Path(event["path"]).parent.as_posix().removeprefix(".")
    if path is None:
        tracker.tag(run_id, f"handbench.missing.{Path(event['path']).name}", event["sha256"])
    else:
        tracker.log_file(run_id, path, "" if inside.startswith(("/", "..")) else inside)


def send_all(tracker: Tracker, results: Path) -> Sent:
    """Every run below a results folder that the store does not have in full, and what was left open closed."""
    report = send_below(tracker, [run for stage in STAGES for run in sorted(results.glob(f"*/{stage}"))])
    try:
        _close_gone(tracker, results)
        end_calls(tracker)
        _close_quiet(tracker, results)
    except Exception as error:
        report.failed[str(results)] = tell_error(error)
    return report


def send_below(tracker: Tracker, folders: Sequence[Path]) -> Sent:
    report, known, lost = Sent(), dict[str, Found](), ""
    try:
        known = _list_known(tracker)
    except Exception as error:
        lost = tell_error(error)
    for folder, run, held in _list_runs(folders):
        found = known.get(run.uuid)
        progress = _trust(read_progress(folder, run.uuid), found, tracker)
        if held:
            report.running += 1
        elif found and found.deleted:
            report.already += 1  # somebody has taken it out of the store on purpose
        elif progress and (progress.done or not (run.events[progress.events :] or _is_over(run))):
            report.already += 1
        elif lost:
            report.failed[str(folder)] = lost
        else:
            try:
                _send_run(tracker, folder, run, found)
                report.sent += 1
                if run.damaged:
                    report.damaged[str(folder)] = report.damaged.get(str(folder), 0) + run.damaged
            except Exception as error:
                report.failed[str(folder)] = tell_error(error)
                lost = _ask_if_lost(tracker)
    return report


def _list_known(tracker: Tracker) -> dict[str, Found]:
    """What the store has of this results folder, by uuid, and what somebody has removed from it in the dashboard."""
    experiments = tracker.list_all()
    runs = tracker.find(experiments, match_tag(RESULTS, tracker.store.id), view=ALL_RUNS)
    # Newest first: of two that a fault made of one, the older stays, as when a run is searched for.
    return {run.tags[UUID]: run for run in runs if UUID in run.tags}


def _trust(progress: Progress | None, found: Found | None, tracker: Tracker) -> Progress | None:
    """What was noted as sent, as far as the store bears it out: its database may be lost, or restored from before."""
    if progress is None or found is None or progress.store != tracker.store.name:
        return None
    return None if progress.done and found.status == "RUNNING" else progress


def find_logs(folders: Sequence[Path]) -> Iterator[Path]:
    """Every tracking.jsonl below the folders, in links to other places too; each place once, however links run."""
    seen: set[tuple[int, int]] = set()
    for top in folders:
        for folder, below, files in os.walk(top, followlinks=True):
            place = Path(folder).stat()
            if (place.st_dev, place.st_ino) in seen:
                below.clear()
                continue
            seen.add((place.st_dev, place.st_ino))
            below.sort()
            if LOG in files:
                yield Path(folder, LOG)


def _list_runs(folders: Sequence[Path]) -> Iterator[tuple[Path, LoggedRun, bool]]:
    """Every run with its folder, and whether a living job is still writing it."""
    for path in find_logs(folders):
        held = is_held(path)
        runs = read_log(path)
        for run in runs:
            yield path.parent, run, held and run is runs[-1]


def _ask_if_lost(tracker: Tracker) -> str:
    """Why nothing more can be sent; empty if only one run was refused."""
    try:
        tracker.ping()
    except Exception as error:
        return tell_error(error)
    return ""


def _send_run(tracker: Tracker, folder: Path, run: LoggedRun, found: Found | None) -> None:
    """All of a run from its start: what the store has it does not take twice, and what it lost it gets again."""
    run_id, done = found.run_id if found else start_run(tracker, run.start, search=True), 0
    while done < len(run.events):
        events = run.events[done : done + BATCH_EVENTS]
        send_events(tracker, run_id, folder, events)
        done += len(events)
        write_progress(
            folder, run.uuid, Progress(tracker.store.name, run_id, done, run.ended and done == len(run.events))
        )
    if not run.ended and _is_over(run):
        if tracker.read(run_id).status == "RUNNING":
            tracker.end(run_id, "KILLED", run.events[-1].get("time", now_ms()))
        write_progress(folder, run.uuid, Progress(tracker.store.name, run_id, done, True))


def _is_over(run: LoggedRun) -> bool:
    """Whether nothing more will come: nobody holds the file, and its writer was a process of this host that is gone."""
    return not run.ended and is_gone(run.start)


def _find_parent(tracker: Tracker, call: Mapping[str, Any] | None) -> str | None:
    """The run of a workflow call, made by the first job that asks; the others wait for it."""
    if not call:
        return None
    if noted := _read_parent(tracker, call["call"]):
        return noted
    store = tracker.store
    (store.folder / CALLS).mkdir(parents=True, exist_ok=True)
    with hold(store.folder / CALLS):
        if noted := _read_parent(tracker, call["call"]):
            return noted
        _close_gone(tracker, store.folder.parent)
        run_id = _make_parent(tracker, call)
        # A lost store has lost the notes in it as well; what lies beside call.json says how the call ended.
        end = read_end(_run_folder(call, store.folder.parent), call["call"])
        note = {**end, **read_note(store.folder, call["call"]), "run_id": run_id, "store": store.name, "ended": False}
        write_note(store.folder, call["call"], note)
    return run_id


def _read_parent(tracker: Tracker, call: str) -> str | None:
    """The run that was noted for a call, if this store still has it."""
    noted = read_note(tracker.store.folder, call)
    if not noted.get("run_id") or noted.get("store") != tracker.store.name or not tracker.has(noted["run_id"]):
        return None
    return str(noted["run_id"])


def _make_parent(tracker: Tracker, call: Mapping[str, Any]) -> str:
    experiment = tracker.find_experiment(WORKFLOW)
    if known := tracker.find([experiment], match_tag(CALL_ID, call["call"])):
        return known[0].run_id
    words = ("command", "scale", "source", "commit", "config_digest")
    tags = {key: str(call[key])[:LONGEST_TAG] for key in words if call.get(key)}
    tags |= {CALL_ID: call["call"], RESULTS: tracker.store.id, "handbench.host": socket.gethostname()}
    name = f"{call.get('scale')}-{call.get('source')} {call['call'][:8]}"
    return tracker.create(experiment, name, _read_time(call.get("started")), tags)


def _close_gone(tracker: Tracker, results: Path) -> None:
    """Killed jobs and workflows cannot say that they ended; whoever comes next to these results says it for them.

    A job has gone when its process has and nobody holds its file; a workflow call when its run has a later one.
    """
    experiments = tracker.list_all()
    here = f"attributes.status = 'RUNNING' AND {match_tag('handbench.host', socket.gethostname())}"
    for run in tracker.find(experiments, here):
        # A server may hold the runs of other machines that have the same name.
        if run.tags.get(RESULTS) != tracker.store.id:
            continue
        if _has_gone(run, results) if "handbench.pid" in run.tags else _is_replaced(run, results):
            tracker.end(run.run_id, "KILLED", now_ms())


def _is_replaced(parent: Found, results: Path) -> bool:
    latest = read_call(_run_folder(parent.tags, results) / CALL).get("call")
    return latest is not None and latest != parent.tags.get(CALL_ID)


def _run_folder(words: Mapping[str, Any], results: Path) -> Path:
    return results / f"{words.get('scale')}-{words.get('source')}"


def _close_quiet(tracker: Tracker, results: Path) -> None:
    """End the calls of which nobody has noted the end and no job lives; a workflow that still goes on corrects it.

    They ended as their jobs did. So it is after a kill, and for calls of before their ends were noted.
    """
    experiments, own = tracker.list_all(), match_tag(RESULTS, tracker.store.id)
    for parent in tracker.find([tracker.find_experiment(WORKFLOW)], f"attributes.status = 'RUNNING' AND {own}"):
        folder = _run_folder(parent.tags, results)
        jobs = tracker.find(experiments, f"{match_tag(CALL_ID, parent.tags.get(CALL_ID, ''))} AND {own}")
        jobs = [job for job in jobs if job.run_id != parent.run_id]
        alive = any(job.status == "RUNNING" for job in jobs)
        if jobs and not alive and not any(is_held(path) for path in find_logs([folder / stage for stage in STAGES])):
            ends = {job.status for job in jobs}
            status = next((word for word in ("FAILED", "KILLED") if word in ends), "FINISHED")
            tracker.end(parent.run_id, status, max(job.ended_ms for job in jobs))


def _has_gone(run: Found, results: Path) -> bool:
    process = {key: run.tags.get(f"handbench.{key}", "") for key in PROCESS}
    return is_gone(process) and not is_held(results / run.tags.get(OUTPUT, "") / LOG)


def end_calls(tracker: Tracker) -> None:
    """End the parents of the calls that have closed."""
    for path in sorted((tracker.store.folder / CALLS).glob("*.json")):
        note = read_note(tracker.store.folder, path.stem)
        if note.get("status") and note.get("run_id") and note.get("store") == tracker.store.name and not note["ended"]:
            if tracker.has(note["run_id"]):
                tracker.end(note["run_id"], note["status"], note["time"])
            write_note(tracker.store.folder, path.stem, note | {"ended": True})


def match_tag(key: str, value: str) -> str:
    """A condition on a tag, in MLflow's words."""
    quote = '"' if "'" in value else "'"
    return f"tags.`{key}` = {quote}{value}{quote}"


def _read_time(iso: str | None) -> int:
    try:
        return int(datetime.fromisoformat(str(iso)).timestamp() * 1000)
    except ValueError:
        return now_ms()


def now_ms() -> int:
    return int(time.time() * 1000)


def tell_error(error: BaseException) -> str:
    """What an error comes down to, in one line without passwords: `Connection refused`, `database is locked`."""
    chain = [error]
    while below := chain[-1].__cause__ or (None if chain[-1].__suppress_context__ else chain[-1].__context__):
        chain.append(below)
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    root = next((one for one in reversed(chain) if isinstance(one, OSError)), root)
    line = (str(root).strip() or type(root).__name__).splitlines()[0]
    return hide_password(line)[:200]
