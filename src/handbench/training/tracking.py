"""The only door to MLflow: a run for every job, the store they go to, and the way back.

Nothing here imports MLflow before a store is really spoken to. What a job writes without a store, and what becomes of
it when a server is gone, stands in tracking_run.py; what is sent in which order in tracking_send.py.
"""

import logging
import os
import shlex
import socket
import sqlite3
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from handbench.collector import without_collector
from handbench.datasets.lock import hold_alone
from handbench.errors import BadInput
from handbench.provenance import read_call
from handbench.training.tracking_client import Found, Tracker
from handbench.training.tracking_log import LOG, hold
from handbench.training.tracking_run import TrackedRun, follow_run, tell
from handbench.training.tracking_send import (
    RESULTS,
    STAGES,
    Sent,
    end_calls,
    find_logs,
    match_tag,
    now_ms,
    send_all,
    send_below,
    tell_error,
)
from handbench.training.tracking_store import (
    CALLS,
    DEFAULT,
    FOLDER,
    Store,
    call_file,
    database_of,
    find_endpoint,
    find_results,
    find_store,
    keep_end,
    lacks_database,
    name_track_command,
    read_note,
    resolve_uri,
    write_note,
    write_store,
)

WAIT_S, PATIENT_S, BUSY_MS = 3, 30, 10_000
"""Seconds for a server's answer in a job, and where a person waits; milliseconds for a database that others use."""


@contextmanager
def open_run(
    folder: Path,
    *,
    experiment: str,
    name: str,
    params: Mapping[str, str | int | float | bool],
    tags: Mapping[str, str],
    call: Path | None,
    live: bool = True,
) -> Iterator[TrackedRun]:
    """A job's run: written to tracking.jsonl in `folder`, and sent as it goes where there is a store.

    `call` is the call.json of the workflow call, None for a job that a person starts. With `live=False` the run is
    sent when the call closes: MLflow's import costs a second, too much for a job that takes no longer. Whatever goes
    wrong here is one line on stderr; the job never notices.
    """
    with follow_run(
        folder,
        experiment=experiment,
        name=name,
        params=params,
        tags=tags,
        call=call,
        connect=connect if live else None,
        save_model=save_model,
    ) as run:
        yield run


def connect(store: Store, *, wait_s: int = WAIT_S) -> Tracker:
    """A client of a store that answers, else an exception within seconds; MLflow is imported here."""
    _check_answers(store.uri)
    return _open_client(store, wait_s)


def _open_client(store: Store, wait_s: int) -> Tracker:
    # Exactly this word switches it off, and only before the import.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(wait_s))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    # It would print addresses among what a job prints for machines.
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    with without_collector():
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        # Failures come as exceptions too, and are told in one line.
        logging.getLogger("mlflow").setLevel(logging.CRITICAL)
        if database_of(store.uri):
            _shorten_waits()
        tracker = Tracker(store, MlflowClient(tracking_uri=store.uri), Metric, Param)
        tracker.ping()
    return tracker


def _check_answers(uri: str) -> None:
    """Fail within seconds where nothing answers: MLflow itself tries a dead database for minutes."""
    database, endpoint = database_of(uri), find_endpoint(uri)
    if database:
        probe = sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True, timeout=WAIT_S)
        try:
            probe.execute("SELECT 1 FROM experiments").fetchone()
        except sqlite3.DatabaseError as error:
            raise sqlite3.DatabaseError(f"{database}: {error}") from None
        finally:
            probe.close()
    elif endpoint:
        socket.create_connection(endpoint, timeout=WAIT_S).close()


def _shorten_waits() -> None:
    """MLflow waits 20 s for a locked database; a job should not."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "before_cursor_execute", _shorten_wait):
        event.listen(Engine, "before_cursor_execute", _shorten_wait, retval=True)


def _shorten_wait(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    return statement.replace("busy_timeout = 20000", f"busy_timeout = {BUSY_MS}"), parameters


def create_store(results: Path) -> Store:
    """Make the store of a results folder and its experiments, once; jobs only ever use it.

    Where a server does not answer, store.json says so and jobs keep what they log: one line on stderr, no error. The
    next call tries again.
    """
    store, reason = _make_store(results)
    if not store.available:
        later = f"{name_track_command(results)} sends it when there is one"
        tell(store.folder, f"the store is not to be had ({reason}); jobs keep what they log, {later}")
    return store


def _make_store(results: Path) -> tuple[Store, str]:
    """The store, and why it is not available."""
    folder = results.absolute() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with hold(folder, seconds=120.0):
        store, reason = find_store(results) or Store(folder, resolve_uri(DEFAULT, folder), ""), ""
        store = replace(store, id=store.id or uuid.uuid4().hex, available=True, experiments={})
        try:
            _make_database(store)
            store = replace(store, experiments=connect(store).list_experiments())
        except Exception as error:
            store, reason = replace(store, available=False), tell_error(error)
        write_store(store)
    return store, reason


def _make_database(store: Store) -> None:
    """The tables of a new database, made under another name and renamed.

    Several processes that open a new one at once, or a kill in the midst of its migrations, break it for good.
    """
    database = database_of(store.uri)
    if database is None or not lacks_database(store):
        return
    if "?" in str(database):
        raise BadInput(database, expected="a path without ?", found="one with it", fix="name another results folder")
    database.parent.mkdir(parents=True, exist_ok=True)
    partial = database.with_name(f".{database.name}.part")
    partial.unlink(missing_ok=True)
    _open_client(replace(store, uri=f"sqlite:///{partial}"), WAIT_S)
    partial.replace(database)


def send_unsent(results: Path) -> Sent:
    """Send what jobs have kept beside their results and the store does not have: once, however often it is asked."""
    if not results.is_dir():
        raise BadInput(results, expected="a results folder", found="none", fix="name the folder that jobs wrote to")
    if not any(find_logs([folder for stage in STAGES for folder in sorted(results.glob(f"*/{stage}"))])):
        return Sent()
    (results / FOLDER).mkdir(exist_ok=True)
    with hold_alone(results / FOLDER / "track"):
        store, reason = find_store(results), ""
        if store is None or not store.experiments or lacks_database(store):
            store, reason = _make_store(results)
        if not store.available:
            raise _refuse(store, reason or "none")
        try:
            tracker = _connect_anew(store, PATIENT_S)
        except Exception as error:
            raise _refuse(store, tell_error(error)) from None
        report = send_all(tracker, results)
    _tell_troubles(report, results)
    return report


def _tell_troubles(report: Sent, results: Path) -> None:
    for folder, reason in report.failed.items():
        tell(Path(folder), f"not sent ({reason}); {name_track_command(results)} sends it later")
    for folder, count in report.damaged.items():
        tell(Path(folder), f"{count} damaged lines of {LOG} were left out; the tracked run lacks what they said")


def _connect_anew(store: Store, wait_s: int) -> Tracker:
    """A client that has looked the experiments up: another database may lie there than the one store.json tells of."""
    tracker = connect(replace(store, experiments={}), wait_s=wait_s)
    found = tracker.list_experiments()
    if store.id and found != store.experiments:
        write_store(replace(store, experiments=found))
    return tracker


def _refuse(store: Store, found: str) -> BadInput:
    fix = "start the server or mend the store, then run the same command again; nothing is lost meanwhile"
    return BadInput(store.name, expected="a tracking store that answers", found=found, fix=fix)


def close_call(call: Path, status: str) -> None:
    """End the run of a workflow call (FINISHED or FAILED) and send what its jobs have kept; never an error.

    A call none of whose jobs tracked anything has no file in results/mlflow/calls, and MLflow is not even imported.
    """
    name = read_call(call).get("call")
    results = find_results(call.parent, call)
    if not name or results is None or not call_file(results / FOLDER, name).exists():
        return
    try:
        end = {"status": status, "time": now_ms()}
        keep_end(call.parent, name, end)
        with hold(results / FOLDER / CALLS):
            write_note(results / FOLDER, name, read_note(results / FOLDER, name) | end | {"ended": False})
        store = find_store(results)
        if store is not None and (not store.available or lacks_database(store)):
            store = create_store(results)  # it may have come since; if not, this says so
        if store is None or not store.available:
            return
        with hold_alone(results / FOLDER / "track"):
            tracker = _connect_anew(store, WAIT_S)
            report = send_below(tracker, [call.parent / stage for stage in STAGES])
            end_calls(tracker)
        _tell_troubles(report, results)
    except Exception as error:
        later = f"{name_track_command(results)} does it later"
        tell(call.parent, f"the call is not closed ({tell_error(error)}); {later}")


@dataclass(frozen=True)
class Tracked:
    """A run read back, with the histories that were asked for: step and value of each."""

    run: Found
    histories: Mapping[str, list[tuple[int, float]]]


def read_tracked(
    uri: str,
    *,
    tags: Mapping[str, str],
    status: str | None = "FINISHED",
    results_id: str = "",
    history: Collection[str] = (),
) -> tuple[Tracked, ...]:
    """The current runs of these tags, newest first; of each output the latest one only.

    `results_id` (the id in store.json) keeps to one results folder, where a server holds the runs of several.
    """
    store = Store(Path(), resolve_uri(uri, Path.cwd()), results_id)
    try:
        tracker = connect(store, wait_s=PATIENT_S)
        known = tracker.list_all()
        told = {**tags, "current": "true"} | ({RESULTS: results_id} if results_id else {})
        conditions = [match_tag(key, value) for key, value in told.items()]
        conditions += [f"attributes.status = '{status}'"] if status else []
        runs = tracker.find(known, " AND ".join(conditions)) if known else []
        return tuple(
            Tracked(run, {key: tracker.read_history(run.run_id, key) for key in history if key in run.metrics})
            for run in _take_latest(runs)
        )
    except Exception as error:
        raise _refuse(store, tell_error(error)) from None


def _take_latest(runs: list[Found]) -> list[Found]:
    """One run an output: while a new run takes over from an old one, both are current for a moment."""
    latest: dict[str, Found] = {}
    for run in runs:
        latest.setdefault(run.tags.get("handbench.output", run.run_id), run)
    return list(latest.values())


def find_uri(results: Path) -> tuple[str, str]:
    """Address and results id of the store that a results folder sends to."""
    store = find_store(results)
    if store is None or not store.available:
        make = f"`handbench mlflow --results {shlex.quote(str(results))}`"
        fix = f"run {make}, then {name_track_command(results)} or the pipeline"
        raise BadInput(results / FOLDER, expected="a tracking store", found="none", fix=fix)
    return store.uri, store.id


def save_model(model: Any, example: np.ndarray, folder: Path) -> None:
    """The model in MLflow's own format, as a graph without pickle, with the signature that an example batch gives."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import mlflow.pytorch
    import torch
    from mlflow.models import infer_signature

    with torch.no_grad():
        output = model(torch.from_numpy(example)).numpy()
    versions = [f"torch=={torch.__version__}", f"numpy=={np.__version__}"]
    mlflow.pytorch.save_model(
        model,
        str(folder),
        signature=infer_signature(example, output),
        input_example=example,
        pip_requirements=versions,
        serialization_format="pt2",
    )
