"""JSON that notices its own changes, and vouches for the files beside it by their digests."""

import hashlib
import json
from pathlib import Path
from typing import Any

from handbench.datasets.files import check_plain, digest_file
from handbench.datasets.json_file import read_object
from handbench.errors import BadInput

SEAL = "sha256"


def seal(content: dict[str, Any]) -> dict[str, Any]:
    """The content with a sha256 over all of it as its last entry."""
    return {**content, SEAL: _digest_json(content)}


def is_sealed(content: dict[str, Any]) -> bool:
    return content.get(SEAL) == _digest_json({name: value for name, value in content.items() if name != SEAL})


def _digest_json(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_sealed(path: Path, form: str, version: int, *, holds: str, fix: str) -> dict[str, Any]:
    """The object of a file of this format, as it was sealed."""
    content = read_object(path, holds=holds, fix=fix)
    if (content.get("format"), content.get("version")) != (form, version):
        found = f"{content.get('format')!r} version {content.get('version')!r}"
        raise BadInput(path, expected=f"{form!r} version {version}", found=f"another format ({found})", fix=fix)
    check_seal(path, content, holds=holds, fix=fix)
    return content


def check_seal(path: Path, content: dict[str, Any], *, holds: str, fix: str) -> None:
    if not is_sealed(content):
        raise BadInput(path, expected=holds, found="a changed one (its own sha256 differs)", fix=fix)


def check_digest(path: Path, sha256: object, *, holds: str, by: str, fix: str) -> None:
    """Refuse a file that is not the one of this digest; `by` is who has named it."""
    check_plain(path, holds=holds, fix=fix)
    if digest_file(path) != sha256:
        raise BadInput(path, expected=holds, found=f"a file that {by} does not describe", fix=fix)
