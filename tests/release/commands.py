"""Commands as somebody gives them, and files of models that say something else."""

import json
from pathlib import Path

import pytest

from handbench.cli import main
from handbench.sealed import seal
from tests.datasets.loopback import Loopback


def say(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """What a command that ends well prints."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 0
    return capsys.readouterr().out


def refuse(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """The one line of a command that does not."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    return told


def rewrite(path: Path, **changes: object) -> None:
    """A card or manifest that says something else, sealed as if it had always said so."""
    content = {key: value for key, value in json.loads(path.read_text()).items() if key != "sha256"}
    path.write_text(json.dumps(seal(content | changes)))


def serve_models(server: Loopback, models: Path) -> None:
    """Below the address `r`."""
    for path in models.rglob("*"):
        if path.is_file():
            server.serve(f"r/{path.relative_to(models)}", path.read_bytes())
