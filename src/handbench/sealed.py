"""JSON that notices its own changes."""

import hashlib
import json
from pathlib import Path
from typing import Any

from handbench.errors import BadInput
from handbench.json_file import read_object

SEAL = "sha256"


def seal(content: dict[str, Any]) -> dict[str, Any]:
    """The content with a sha256 over all of it as its last entry."""
    return {**content, SEAL: _digest_json(content)}


def is_sealed(content: dict[str, Any]) -> bool:
    return content.get(SEAL) == _digest_json({name: value for name, value in content.items() if name != SEAL})


def _digest_json(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_sealed(path: Path, form: str, version: int, *, holds: str, fix: str, older: str = "") -> dict[str, Any]:
    """The object of a file of this format, as it was sealed; `older` is what mends one of another release."""
    content = read_object(path, holds=holds, fix=fix)
    if (content.get("format"), content.get("version")) != (form, version):
        found = f"{content.get('format')!r} version {content.get('version')!r}"
        raise BadInput(path, expected=f"{form!r} version {version}", found=found, fix=older or fix)
    check_seal(path, content, holds=holds, fix=fix)
    return content


def read_whole(path: Path, *, holds: str, fix: str) -> dict[str, Any]:
    """The object of a file of whatever format, as it was sealed."""
    content = read_object(path, holds=holds, fix=fix)
    check_seal(path, content, holds=holds, fix=fix)
    return content


def check_seal(path: Path, content: dict[str, Any], *, holds: str, fix: str) -> None:
    if not is_sealed(content):
        found = (
            "a changed one (its own sha256 differs)" if SEAL in content else "an older or damaged one without a seal"
        )
        raise BadInput(path, expected=holds, found=found, fix=fix)
