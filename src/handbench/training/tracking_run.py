"""A job's run while it lasts: written beside the result first, then sent if there is a store that takes it.

Nothing here raises into the job. The first failure of a kind is one line on stderr; after that the run is only kept.
"""

import os
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, SupportsFloat

import numpy as np

from handbench.datasets.files import digest_file
from handbench.provenance import read_call, read_place
from handbench.training.tracking_client import Tracker
from handbench.training.tracking_log import (
    Outbox,
    Progress,
    Row,
    clean_key,
    clean_rows,
    describe_process,
    write_progress,
)
from handbench.training.tracking_send import now_ms, send_events, start_run, tell_error
from handbench.training.tracking_store import (
    FOLDER,
    Store,
    call_file,
    find_results,
    find_store,
    name_output,
    name_track_command,
)

CALL_WORDS = ("call", "started", "command", "scale", "source", "commit", "config_digest")
Connect = Callable[[Store], Tracker]
SaveModel = Callable[[Any, np.ndarray, Path], None]


class TrackedRun:
    """What a job may tell of itself."""

    def __init__(self, folder: Path, results: Path | None, save_model: SaveModel) -> None:
        self.folder = folder
        self._results = results
        self._save_model = save_model
        self._outbox: Outbox | None = None
        self._tracker: Tracker | None = None
        self._uuid = uuid.uuid4().hex
        self._run_id = ""
        self._events = 0

    def log(self, metrics: Mapping[str, SupportsFloat], step: int = 0) -> None:
        """The metrics of one step, an epoch for example, in one call to the store."""
        self.log_rows([(key, value, step) for key, value in metrics.items()])

    def log_rows(self, rows: Sequence[Row]) -> None:
        """Many metrics at once: key, value, step."""
        with self._warned("some metrics are lost"):
            self._tell({"event": "metrics", "rows": clean_rows(rows)})

    def log_file(self, path: Path) -> None:
        """An artifact: a file that lies in the run's folder and stays there."""
        with self._warned(f"{path.name} is not kept as an artifact"):
            where = path.absolute()
            inside = where.is_relative_to(self.folder.absolute())
            name = where.relative_to(self.folder.absolute()).as_posix() if inside else str(where)
            self._tell({"event": "file", "path": name, "sha256": digest_file(path)})

    def log_model(self, model: Any, example: np.ndarray) -> None:
        """The whole model (in eval mode, on the CPU) in MLflow's format, with the signature of an example batch.

        It takes seconds, so only where it is asked for.
        """
        with self._warned("the model is not logged"):
            place = self.folder / "model"
            shutil.rmtree(place, ignore_errors=True)
            self._save_model(model, example, place)
            for path in sorted(path for path in place.rglob("*") if path.is_file()):
                self.log_file(path)

    def _start(self, start: Mapping[str, Any], connect: Connect | None, store: Store | None) -> None:
        with self._warned("nothing of it is kept"):
            self._outbox = Outbox(self.folder)
        if connect and store and store.available:
            with self._sending():
                self._tracker = connect(store)
        self._tell({"event": "start", "uuid": self._uuid, **start, **describe_process()})

    def _end(self, status: str) -> None:
        self._tell({"event": "end", "status": status})
        if self._outbox:
            self._outbox.close()

    def _tell(self, words: Mapping[str, Any]) -> None:
        """Write an event, then send it; either may fail without the other."""
        event = {**words, "time": now_ms()}
        if self._outbox:
            try:
                self._outbox.append(event)
            except Exception as error:
                self._outbox = None
                tell(self.folder, f"nothing more of it is kept ({tell_error(error)}); the job goes on")
        self._events += 1
        if self._tracker:
            with self._sending():
                self._send(self._tracker, event)

    def _send(self, tracker: Tracker, event: Mapping[str, Any]) -> None:
        if event["event"] == "start":
            self._run_id = start_run(tracker, event, search=False)
        send_events(tracker, self._run_id, self.folder, [event])
        done = event["event"] == "end"
        if self._outbox:
            write_progress(self.folder, self._uuid, Progress(tracker.store.name, self._run_id, self._events, done))

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """The first failure ends the sending of this run; what is left stays in the file."""
        try:
            yield
        except Exception as error:
            self._tracker = None
            again = name_track_command(self._results)
            tell(self.folder, f"not sent ({tell_error(error)}); the job goes on, {again} sends it later")

    @contextmanager
    def _warned(self, loss: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            tell(self.folder, f"{loss} ({tell_error(error)}); the job goes on")


@contextmanager
def follow_run(
    folder: Path,
    *,
    experiment: str,
    name: str,
    params: Mapping[str, str | int | float | bool],
    tags: Mapping[str, str],
    call: Path | None,
    connect: Connect | None,
    save_model: SaveModel,
) -> Iterator[TrackedRun]:
    """A run from its start to its end; `connect` is None where the run is not to be sent as it goes."""
    results = find_results(folder, call)
    words = {key: value for key, value in read_call(call).items() if key in CALL_WORDS}
    run = TrackedRun(folder, results, save_model)
    with run._warned("the end of its call is not tracked"):
        _note_call(results, words)
    with run._warned("nothing of it is kept"):
        start = {
            "experiment": experiment,
            "name": name,
            "params": {clean_key(key): str(value) for key, value in params.items()},
            "tags": _complete_tags(folder, tags, words),
            "call": words or None,
            "output": name_output(folder, results),
        }
        run._start(start, connect, _find_live_store(results, words))
    try:
        yield run
    except KeyboardInterrupt:
        run._end("KILLED")
        raise
    except BaseException:
        run._end("FAILED")
        raise
    run._end("FINISHED")


def _find_live_store(results: Path | None, words: Mapping[str, Any]) -> Store | None:
    """Where to send at once: the store of the call's results folder, or the one that the environment names."""
    named_by_environment = bool(os.environ.get("MLFLOW_TRACKING_URI"))
    return find_store(results or Path("results")) if words or named_by_environment else None


def _note_call(results: Path | None, words: Mapping[str, Any]) -> None:
    """Leave word that this call has tracked something, so that its end is worth a look."""
    if results and words.get("call"):
        path = call_file(results / FOLDER, words["call"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _complete_tags(folder: Path, tags: Mapping[str, str], call: Mapping[str, Any]) -> dict[str, str]:
    """What the job says, and beneath it what the path and the call say; an empty word says nothing."""
    place = read_place(folder)
    known = {key: str(value) for key, value in vars(place).items() if value is not None} if place else {}
    known |= {key: str(call[key]) for key in ("scale", "source", "commit", "config_digest") if call.get(key)}
    return {clean_key(key): str(value) for key, value in {**known, **tags}.items() if str(value)}


def tell(folder: Path, words: str) -> None:
    """One line on stderr, if anybody still reads there."""
    with suppress(OSError):
        print(f"handbench: tracking of {folder}: {words}", file=sys.stderr)
