"""Which tracking store a results folder has, and what of it is written down: results/mlflow/store.json and calls/.

The default store is the database beside store.json. Its address is written relative to that file and its artifacts
lie beside it, so that the folder can be moved; MLFLOW_TRACKING_URI names any other store.
"""

import json
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from handbench.datasets.files import replace_file
from handbench.json_file import parse_object, read_noted_object
from handbench.plain_file import read_if_plain
from handbench.provenance import read_call, read_place

FOLDER, STORE, CALLS, ARTIFACTS = "mlflow", "store.json", "calls", "artifacts"
ENDS = "calls.jsonl"
"""Beside call.json: how each call of a run ended, so that a lost store can be told again."""
SQLITE = "sqlite:///"
DEFAULT = f"{SQLITE}mlflow.db"
WORKFLOW = "workflow"
EXPERIMENTS = ("feedback15", "feedback19", "deepmodel", "refine", "crossing", WORKFLOW)
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}


@dataclass(frozen=True)
class Store:
    """Where runs are sent; `uri` may hold a password and is never written down as it is."""

    folder: Path
    uri: str
    id: str
    """Drawn when store.json was made: one server may hold the runs of many results folders."""
    experiments: Mapping[str, str] = field(default_factory=dict)
    available: bool = True

    @property
    def name(self) -> str:
        """Which store took a run, for tracking.sent.json; the same after the folder has moved."""
        inside = database_of(self.uri) == self.folder / "mlflow.db"
        return f"{DEFAULT if inside else hide_password(self.uri)} {self.id}".strip()

    @property
    def artifacts(self) -> Path:
        """Where artifacts lie of a database that is written to without a server."""
        database = database_of(self.uri)
        return (database.parent if database else self.folder) / ARTIFACTS


def find_store(results: Path) -> Store | None:
    """The store of a results folder: MLFLOW_TRACKING_URI, else the one that `handbench mlflow` has made."""
    folder = results.absolute() / FOLDER
    known = read_noted_object(folder / STORE)
    asked = os.environ.get("MLFLOW_TRACKING_URI")
    if not known:
        return Store(folder, resolve_uri(asked, Path.cwd()), "") if asked else None
    made = resolve_uri(str(known.get("uri")), folder)
    uri = resolve_uri(asked, Path.cwd()) if asked else made
    if hide_password(uri) != made:
        return Store(folder, uri, str(known.get("id")))
    return Store(folder, uri, str(known.get("id")), known.get("experiments", {}), known.get("available") is True)


def is_ready(results: Path) -> bool:
    """Whether jobs can send: store.json has it so, and its database is there. MLflow is not imported to tell."""
    store = find_store(results)
    return store is not None and store.available and bool(store.experiments) and not lacks_database(store)


def lacks_database(store: Store) -> bool:
    """Whether the store is a database whose file is gone or was never written."""
    database = database_of(store.uri)
    return database is not None and not (database.exists() and (database.is_dir() or database.stat().st_size))


def write_store(store: Store) -> None:
    inside = database_of(store.uri) == store.folder / "mlflow.db"
    content = {
        "uri": DEFAULT if inside else hide_password(store.uri),
        "id": store.id,
        "available": store.available,
        "experiments": dict(store.experiments),
    }
    replace_file(store.folder / STORE, (json.dumps(content, indent=1) + "\n").encode())


def resolve_uri(uri: str, base: Path) -> str:
    """A database's address in full; every other address as it is."""
    path = uri.removeprefix(SQLITE)
    return f"{SQLITE}{base.absolute() / path}" if uri.startswith(SQLITE) and path else uri


def database_of(uri: str) -> Path | None:
    """The file of an sqlite address."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def hide_password(text: str) -> str:
    """Without the `user:password@` of addresses; for files and messages."""
    return re.sub(r"://[^/@\s]+@", "://", text)


def find_endpoint(uri: str) -> tuple[str, int] | None:
    """Host and port that must answer; None for a file, and for what has its own ways (databricks)."""
    parts = urlsplit(uri)
    port = PORTS.get(parts.scheme.partition("+")[0])
    return (parts.hostname, parts.port or port) if parts.hostname and port else None


def find_results(folder: Path, call: Path | None) -> Path | None:
    """The results folder that a job's output lies in: above the call, else as the output's own path has it."""
    if call is not None and (words := read_call(call)):
        above = call.absolute().parent.parent
        told = Path(str(words.get("results", above)))
        return above if folder.absolute().is_relative_to(above) or not told.is_dir() else told
    place = read_place(folder)
    return folder.absolute().parents[5 if place.fold else 4] if place else None


def name_output(folder: Path, results: Path | None) -> str:
    """The folder as every run of the same output names it, wherever the results lie."""
    here = folder.absolute()
    return here.relative_to(results).as_posix() if results and here.is_relative_to(results) else here.name


def call_file(folder: Path, call: str) -> Path:
    """What is known of a workflow call that tracked something: its parent run, and how it ended."""
    return folder / CALLS / f"{call}.json"


def read_note(folder: Path, call: str) -> dict[str, Any]:
    return read_noted_object(call_file(folder, call))


def write_note(folder: Path, call: str, note: Mapping[str, Any]) -> None:
    path = call_file(folder, call)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, (json.dumps(note) + "\n").encode())


def keep_end(run: Path, call: str, end: Mapping[str, Any]) -> None:
    """Note beside call.json how a call ended."""
    with (run / ENDS).open("ab", buffering=0) as file:
        file.write((json.dumps({"call": call, **end}) + "\n").encode())


def read_end(run: Path, call: str) -> dict[str, Any]:
    """How a call of this run ended; empty where nobody has noted it."""
    found: dict[str, Any] = {}
    for line in (read_if_plain(run / ENDS) or b"").splitlines():
        try:
            content = parse_object(line)
        except (ValueError, RecursionError):
            continue  # torn by a kill or a full disk
        if content is not None and content.pop("call", None) == call and {"status", "time"} <= content.keys():
            found = content
    return found


def name_track_command(results: Path | None) -> str:
    """What a person types to send what was kept."""
    return f"`handbench track {shlex.quote(str(results))}`" if results else "`handbench track`"
