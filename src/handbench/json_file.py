"""JSON that other stages have left: an object, whole, with every key once."""

import json
from pathlib import Path
from typing import Any

from handbench.errors import BadInput
from handbench.plain_file import read_if_plain, read_plain


def read_object(path: Path, *, holds: str, fix: str) -> dict[str, Any]:
    """The object in a file; `holds` and `fix` are for the error."""
    content = read_plain(path, holds=holds, fix=fix)
    try:
        found = parse_object(content)
    except (ValueError, RecursionError) as error:
        raise BadInput(path, expected=holds, found=f"no JSON ({error})", fix=fix) from None
    if found is None:
        raise BadInput(path, expected=holds, found="no object", fix=fix)
    return found


def read_noted_object(path: Path) -> dict[str, Any]:
    """The object in a file that nobody depends on; empty where there is none that can be read."""
    try:
        return parse_object(read_if_plain(path) or b"{}") or {}
    except (ValueError, RecursionError):
        return {}


def parse_object(content: bytes) -> dict[str, Any] | None:
    """None for JSON that is no object; ValueError or RecursionError for what is no JSON."""
    found = json.loads(content.decode("utf-8"), object_pairs_hook=_take_once)
    return found if isinstance(found, dict) else None


def _take_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a key that stands twice Python would take the last and others the first."""
    taken = dict(pairs)
    if len(taken) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"a key twice: {next(name for name in names if names.count(name) > 1)!r}")
    return taken
