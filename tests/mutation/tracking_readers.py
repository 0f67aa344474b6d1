"""The reader of tracking files: it refuses nothing, and leaves out what is damaged."""

import json
from pathlib import Path
from typing import Any

from handbench.training.tracking_log import LOG, SENT, Outbox, Progress, read_log, read_progress, write_progress
from handbench.training.tracking_store import ENDS, STORE, Store, find_store, keep_end, read_end
from tests.mutation.damage import TEXT
from tests.mutation.reader import Reader
from tests.mutation.structures import JSON

CALL = "call"


def write_tracked(folder: Path) -> None:
    for run in ("first", "second"):
        box = Outbox(folder / "log")
        box.append({"event": "start", "uuid": run, "time": 1, "params": {"width": 8}})
        for step in range(4):
            box.append({"event": "metrics", "rows": [["loss", 0.5 / (1 + step), step]], "time": step})
        box.append({"event": "end", "status": "FINISHED", "time": 9})
        box.close()
        write_progress(folder / "log", run, Progress("store", f"id-{run}", 6, True))
    (folder / "results/mlflow").mkdir(parents=True)
    store = {"uri": "sqlite:///mlflow.db", "id": "x", "available": True, "experiments": {"crossing": "1"}}
    (folder / "results/mlflow" / STORE).write_text(json.dumps(store))
    keep_end(folder, CALL, {"status": "FINISHED", "time": 5})


def read_tracked(folder: Path) -> Any:
    runs = read_log(folder / "log" / LOG)
    told = [(run.uuid, run.ended, run.events) for run in runs]
    progress = [read_progress(folder / "log", run.uuid) for run in runs]
    return told, progress, find_store(folder / "results"), read_end(folder, CALL)


def fits_tracked(folder: Path, data: Any, whole: Any) -> bool:
    """Each line is one that was written, in its own run. Notes have no sum: they are what they say now, or nothing."""
    told, progress, store, end = data
    written = {uuid: set(map(json.dumps, events)) for uuid, _, events in whole[0]}
    lines = all(
        set(map(json.dumps, events)) <= written[uuid] and ended == (events[-1]["event"] == "end")
        for uuid, ended, events in told
    )
    sent = all(
        one is None or vars(one) == _load(folder / "log" / SENT)[uuid]
        for (uuid, *_), one in zip(told, progress, strict=True)
    )
    return lines and sent and _fits_store(folder, store) and (not end or end in _list_ends(folder / ENDS))


def _list_ends(path: Path) -> list[Any]:
    """Of lines that can be read."""
    found = []
    for line in path.read_bytes().splitlines():
        try:
            end = json.loads(line)
        except ValueError:
            continue
        if isinstance(end, dict) and end.pop("call", None) == CALL:
            found.append(end)
    return found


def _fits_store(folder: Path, store: Store | None) -> bool:
    if store is None:
        return True
    note = _load(folder / "results/mlflow" / STORE)
    known = note.get("experiments", {}), note.get("available") is True
    return store.id == str(note.get("id")) and (store.experiments, store.available) == known


def _load(path: Path) -> Any:
    return json.loads(path.read_text())


TRACKING_READERS = (
    Reader(
        "tracking files",
        write_tracked,
        (f"log/{LOG}", f"log/{SENT}", f"results/mlflow/{STORE}", ENDS),
        read_tracked,
        (*JSON, *TEXT),
        fits=fits_tracked,
    ),
)
