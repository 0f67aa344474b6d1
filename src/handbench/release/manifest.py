"""The list of a folder of models: which they are, with the digest of every file, and a line of each card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handbench.datasets.files import digest_file, replace_file
from handbench.errors import BadInput
from handbench.sealed import read_sealed, seal
from handbench.training.card_layout import check_listed
from handbench.training.handed_on import CARD, CONTENT, NAME, list_names, read_model_card

FORMAT, VERSION, MANIFEST = "handbench models", 1, "manifest.json"
FILES = (CARD, *CONTENT)
SHOWN = ("kind", "paper", "data", "protocol", "error", "real_frame", "commit")
"""What a list shows of a card."""


def write_manifest(folder: Path) -> None:
    """Of all models that lie in the folder."""
    _write(folder, {name: _describe(folder / name) for name in list_names(folder)})


def list_readable(folder: Path) -> None:
    """The same where a model may be damaged: of one whose card cannot be read stands what stood there before, if any.

    A manifest that says so already is left as it is.
    """
    try:
        before = read_manifest(folder / MANIFEST)
    except BadInput:
        before = None  # none, or a damaged one
    told, names = (before or {}) | describe_readable(folder), list_names(folder)
    models = {name: told[name] for name in names if name in told}
    if models != before:
        _write(folder, models)


def describe_readable(folder: Path) -> dict[str, dict[str, Any]]:
    """What the models of a folder say of themselves; one whose card cannot be read says nothing."""
    found = {}
    for name in list_names(folder):
        try:
            found[name] = _describe(folder / name)
        except BadInput:
            continue
    return found


def read_place(place: Path) -> dict[str, dict[str, Any]]:
    """What the manifest of a folder lists, and what else lies there: a killed fetch may not have come to its list."""
    return describe_readable(place) | read_listed(place)


def read_listed(place: Path) -> dict[str, dict[str, Any]]:
    """What the manifest of a folder lists; nothing where there is none."""
    return read_manifest(place / MANIFEST) if (place / MANIFEST).is_file() else {}


def refuse_strangers(folder: Path) -> None:
    """BadInput where something lies in a model's folder that is no part of it."""
    if strangers := sorted(path.name for path in folder.iterdir() if path.name not in FILES):
        fix = "delete what is no part of it, or fetch the model again"
        raise BadInput(folder, expected=f"{', '.join(FILES)} alone", found=", ".join(strangers), fix=fix)


def read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    """Its models, by their names."""
    holds, again = "a manifest as packing wrote it", "fetch it again, or write it anew with `handbench models pack`"
    if not path.exists():
        fix = "name a folder that `handbench models pack` or `fetch` wrote"
        raise BadInput(path, expected="the manifest of a folder of models", found="no file", fix=fix)
    content = read_sealed(path, FORMAT, VERSION, holds=holds, fix=again, older="name another")
    models = content.get("models")
    # Names of a stranger's manifest become folders here.
    if not isinstance(models, dict) or not all(map(NAME.fullmatch, models)):
        raise BadInput(path, expected=holds, found="no models by their names", fix=again)
    for name, entry in models.items():
        check_listed(path, name, entry, holds=holds, fix=again)
    return models


def count_bytes(entry: Mapping[str, Any]) -> int:
    return sum(int(told["bytes"]) for told in entry["files"].values())


def _write(folder: Path, models: Mapping[str, Mapping[str, Any]]) -> None:
    content = seal({"format": FORMAT, "version": VERSION, "models": models})
    replace_file(folder / MANIFEST, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def _describe(folder: Path) -> dict[str, Any]:
    card = read_model_card(folder)
    own = {CARD: {"bytes": (folder / CARD).stat().st_size, "sha256": digest_file(folder / CARD)}}
    return {"files": own | card["files"], **{key: card[key] for key in SHOWN}}
