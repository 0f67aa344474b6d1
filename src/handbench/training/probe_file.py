"""What a probe leaves: a sealed probe.json with its numbers, which vouches for the pictures beside it."""

import json
from pathlib import Path
from typing import Any

from handbench.datasets.files import digest_file, replace_file
from handbench.datasets.store import is_sealed, seal
from handbench.errors import BadInput
from handbench.training import picture_file
from handbench.training.picture_file import Pictures, save_pictures

FORMAT = "handbench probe"
VERSION = 1
FILE = "probe.json"


def save_probe(out: Path, card: dict[str, Any], pictures: Pictures) -> None:
    """The pictures first, the card last: a folder without a card holds no probe."""
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).unlink(missing_ok=True)
    save_pictures(out / picture_file.FILE, pictures)
    digest = digest_file(out / picture_file.FILE)
    content = {"format": FORMAT, "version": VERSION, **card, "sha256_of_pictures": digest}
    replace_file(out / FILE, (json.dumps(seal(content)) + "\n").encode())


def read_probe(path: Path) -> dict[str, Any]:
    """What `save_probe` has written, less the pictures."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _refuse(path, str(error)) from None
    if not isinstance(content, dict) or (content.get("format"), content.get("version")) != (FORMAT, VERSION):
        raise _refuse(path, "another format")
    if not is_sealed(content):
        raise _refuse(path, "a changed one (its own sha256 differs)")
    return content


def _refuse(path: Path, found: str) -> BadInput:
    return BadInput(path, expected="a probe as `handbench probe` left it", found=found, fix="probe again")
