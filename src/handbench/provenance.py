"""Where a number comes from: the commit, the settings of the workflow call, and what the path of a result says.

A call of the workflow leaves one small file, call.json, in its run's folder before the first job starts. Jobs read it
as they run; it is no input of theirs, so a new call starts nothing again.
"""

import hashlib
import json
import re
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handbench.errors import BadInput
from handbench.json_file import read_object
from handbench.sealed import SEAL, check_seal, seal

CALL = "call.json"
PLACES = ("results", "renderer", "path", "mirrors")
CHECKOUT = Path(__file__).resolve().parents[2]
_PLACE = re.compile(
    r"(?P<scale>smoke|demo|claims|paper)-(?P<source>embedded|real)/(?P<stage>[a-z]+)/(?P<dataset>[^/]+)/(?P<module>[^/]+)"
    r"/seed(?P<seed>\d+)(?:/fold-(?P<fold>[^/]+))?/?$"
)


@dataclass(frozen=True)
class Place:
    """What the path results/<scale>-<source>/<stage>/<dataset>/<module>/seed<k>[/fold-<f>] says."""

    scale: str
    source: str
    stage: str
    dataset: str
    module: str
    seed: int
    fold: str | None


def read_place(folder: Path) -> Place | None:
    """The words of a result's path; None for a folder that lies elsewhere."""
    match = _PLACE.search(folder.absolute().as_posix())
    if match is None:
        return None
    scale, source, stage, dataset, module, seed, fold = match.groups()
    return Place(scale, source, stage, dataset, module, int(seed), fold)


def read_commit(checkout: Path = CHECKOUT) -> str | None:
    """The commit that the code is at, "-dirty" behind it where files differ; None outside a checkout."""
    if not (checkout / ".git").exists():
        return None
    try:
        commit = _git(checkout, "rev-parse", "--short=12", "HEAD").strip()
        return commit + ("-dirty" if _git(checkout, "status", "--porcelain", "--untracked-files=no").strip() else "")
    except (OSError, subprocess.SubprocessError):
        return None


def tell_commit(call: Path | None) -> str | None:
    """The commit of a workflow's call; for a command that is given by hand that of the code itself."""
    return read_call(call).get("commit") or read_commit()


def _git(checkout: Path, *words: str) -> str:
    command = ["git", "-C", str(checkout), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout


def digest_settings(settings: Mapping[str, Any]) -> str:
    """Digest of a run's settings, less what says only where files lie and what draws."""
    return hashlib.sha256(json.dumps(_drop_places(settings), sort_keys=True).encode()).hexdigest()[:16]


def _drop_places(settings: Any) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    return {key: _drop_places(value) for key, value in settings.items() if key not in PLACES}


def write_call(run: Path, settings: Mapping[str, Any], command: Sequence[str]) -> None:
    """Leave call.json in a run's folder; replaced whole, by whoever starts the workflow last."""
    call = {
        "call": uuid.uuid4().hex,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join(command),
        "scale": settings["scale"],
        "source": settings["source"],
        "commit": read_commit(),
        "config_digest": digest_settings(settings),
        "results": str(run.parent.absolute()),
        "settings": dict(settings),
    }
    run.mkdir(parents=True, exist_ok=True)
    partial = run / f".{CALL}.part"
    partial.write_text(json.dumps(seal(call), indent=1) + "\n", encoding="utf-8")
    partial.replace(run / CALL)


def read_call(path: Path | None) -> dict[str, Any]:
    """What a call left; empty where there is none, as for a command that a person gives by hand.

    A damaged one counts as none: no job of hours ends for a note.
    """
    try:
        return read_asked_call(path) if path is not None else {}
    except BadInput:
        return {}


def read_asked_call(path: Path) -> dict[str, Any]:
    """The same for a report: a damaged one is refused, since what was asked for must not be guessed."""
    if not (path.exists() or path.is_symlink()):
        return {}
    holds, fix = "the note of a workflow call", "delete it; the next call of snakemake writes it anew"
    call = read_object(path, holds=holds, fix=fix)
    if SEAL in call:  # notes of older releases have none
        check_seal(path, call, holds=holds, fix=fix)
    return call
