"""A file is replaced whole or not at all, and an unreadable one is named."""

import os
from pathlib import Path

import pytest

from handbench.datasets.files import read_file, replace_file
from handbench.errors import BadInput


def test_replacing_leaves_the_new_content_and_nothing_else(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        replace_file(tmp_path / "a.bin", content)
    assert read_file(tmp_path / "a.bin", holds="a file") == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_file(tmp_path / "a.bin", b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "a.bin", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"old"


def test_missing_file_and_folder_in_its_place_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a\.bin: expected a depth \.bin, found no such file"):
        read_file(tmp_path / "a.bin", holds="a depth .bin")
    with pytest.raises(BadInput, match=r"an unreadable file \(Is a directory\)"):
        read_file(tmp_path, holds="a depth .bin")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "depth.png")
    with pytest.raises(BadInput, match="found something that is not a plain file"):
        read_file(tmp_path / "depth.png", holds="a depth image")
