"""What the doctor says of whole, miniature, damaged and foreign folders."""

import json
import os
import struct
from dataclasses import FrozenInstanceError
from pathlib import Path

import miniature
import numpy as np
import pytest
from doctor_fixtures import FIRST, WRITERS, assert_said

from handbench.datasets.doctor import Diagnosis, examine
from handbench.datasets.doctor import tree as walking


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("word", list(WRITERS))
@pytest.mark.parametrize("above", ["", "results/raw"])
def test_miniatures_are_recognised_and_sound(tmp_path: Path, word: str, above: str, deep: bool) -> None:
    WRITERS[word](tmp_path / above)
    diagnosis = examine(tmp_path, deep=deep)
    assert diagnosis.dataset == word
    assert diagnosis.usable, str(diagnosis)
    if word == "wristband":
        # A recording of one's own is as long as it is.
        assert diagnosis.release == "a recording of 6 frames, its test frames labelled"
    else:
        assert "a miniature" in diagnosis.release
        assert_said(diagnosis, "layout and encoding are right", level="note")
    root = tmp_path / above / "data" if word == "dexter" else tmp_path / above
    assert diagnosis.root == str(root)


def test_counts_of_miniatures(tmp_path: Path) -> None:
    counts = {word: examine(write(tmp_path / word)).counts for word, write in WRITERS.items()}
    assert counts["nyu"] == {"train": 3, "test": 4, "test_1": 2, "test_2": 2}
    assert counts["icvl"] == {
        "train": 4,
        "train, rotated copies": 3,
        "lines of 201403121135": 3,
        "lines of 201403121140": 1,
        "test_seq_1": 3,
        "test_seq_2": 2,
    }
    assert counts["msra"] == {"P0": 6, "P1": 3} | {f"P{i}": 0 for i in range(2, 9)}
    assert counts["msra14"] == {"Subject1": 3, "Subject2": 3} | {f"Subject{i}": 0 for i in range(3, 7)}
    assert counts["dexter"] == {"Grasp1": 3, "Rotate": 3, "all sequences": 6}


def test_embedded_data_is_told_from_a_part_of_a_download(tmp_path: Path) -> None:
    miniature.write_nyu(tmp_path / "raw")
    assert not examine(tmp_path).release.startswith("embedded")
    (tmp_path / "truth.npz").write_bytes(b"")
    (tmp_path / "manifest.json").write_text("{}")
    diagnosis = examine(tmp_path)
    assert diagnosis.release == "embedded data: a miniature, 7 of 81,009 frames"
    assert diagnosis.usable


def test_diagnosis_is_plain_and_frozen(tmp_path: Path) -> None:
    diagnosis = examine(miniature.write_msra(tmp_path))
    assert json.loads(json.dumps(diagnosis.as_dict()))["usable"] is True
    assert f"{tmp_path}: MSRA15 Hand Gesture (msra): a miniature" in str(diagnosis)
    with pytest.raises(FrozenInstanceError):
        diagnosis.dataset = "nyu"  # type: ignore[misc]


# --- damage that every format can have --------------------------------------------------------------------------


@pytest.mark.parametrize("word", list(WRITERS))
@pytest.mark.parametrize("damage", ["cut", "empty", "garbage"])
def test_damaged_depth_is_named(tmp_path: Path, word: str, damage: str) -> None:
    WRITERS[word](tmp_path)
    path = tmp_path / FIRST[word]
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "garbage": b"\x07" * 5000}[damage])
    diagnosis = examine(tmp_path)
    assert diagnosis.dataset == word
    assert_said(diagnosis, path.name)
    assert not diagnosis.usable


@pytest.mark.parametrize("word", ["nyu", "icvl", "dexter"])
def test_flipped_byte_inside_a_picture(tmp_path: Path, word: str) -> None:
    WRITERS[word](tmp_path)
    path = tmp_path / FIRST[word]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)
    assert_said(examine(tmp_path), "wrong checksum", path.name)
    assert_said(examine(tmp_path, deep=True), "wrong checksum", path.name)


@pytest.mark.parametrize("word", ["msra", "msra14"])
def test_only_deep_sees_numbers_that_no_sensor_gives(tmp_path: Path, word: str) -> None:
    WRITERS[word](tmp_path)
    path = tmp_path / FIRST[word]
    path.write_bytes(path.read_bytes()[:-4] + struct.pack("<f", np.nan))
    assert examine(tmp_path).usable
    assert_said(examine(tmp_path, deep=True), "NaN", path.name)


@pytest.mark.parametrize("word", list(WRITERS))
def test_missing_frame_in_the_middle(tmp_path: Path, word: str) -> None:
    WRITERS[word](tmp_path)
    first = tmp_path / FIRST[word]
    middle = first.with_name(sorted(path.name for path in first.parent.iterdir() if path.suffix == first.suffix)[1])
    middle.unlink()
    diagnosis = examine(tmp_path)
    assert_said(diagnosis, "3 lines for 2 depth images" if word == "dexter" else middle.name)


@pytest.mark.parametrize("word", list(WRITERS))
def test_what_is_extra_is_counted_and_harmless(tmp_path: Path, word: str) -> None:
    base = WRITERS[word](tmp_path) / ("data" if word == "dexter" else "")
    (base / "notes").mkdir()
    for name in ("notes/a.doc", "notes/b.doc", "Thumbs.db", "half.zip.part"):
        (base / name).write_bytes(b"x")
    diagnosis = examine(tmp_path)
    assert diagnosis.usable
    assert_said(diagnosis, "3 files are no part of the release", "Thumbs.db, notes/a.doc, notes/b.doc", level="note")
    assert_said(diagnosis, "1 unfinished files: half.zip.part", level="warning")


# --- folders that are no dataset --------------------------------------------------------------------------------


def assert_one_line(diagnosis: Diagnosis, *parts: str) -> None:
    assert not diagnosis.usable
    assert diagnosis.dataset == ""
    assert len(diagnosis.findings) == 1
    assert_said(diagnosis, *parts)


def test_junk(tmp_path: Path) -> None:
    assert_one_line(examine(tmp_path), "an empty folder")
    assert_one_line(examine(tmp_path / "nowhere"), "no such folder")
    (tmp_path / "file").write_bytes(b"\0\xff" * 1000)
    assert_one_line(examine(tmp_path / "file"), "a file, not a folder")
    assert_one_line(examine(tmp_path), "1 files of no dataset we know: file")


def test_archive_not_extracted(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    archive = tmp_path / "archives/nyu_hand_dataset_v2.zip.part"
    archive.write_bytes(b"PK")
    assert_one_line(examine(tmp_path), "a part of an archive: nyu_hand_dataset_v2.zip.part")
    archive.rename(archive.with_suffix(""))
    assert_one_line(examine(tmp_path), "an archive not extracted yet: nyu_hand_dataset_v2.zip")
    archive.with_suffix("").rename(archive.with_suffix(".bad"))
    assert_one_line(examine(tmp_path), "an archive that was refused: nyu_hand_dataset_v2.zip.bad")


@pytest.mark.parametrize("word", ["nyu", "msra"])
def test_piece_of_a_dataset(tmp_path: Path, word: str) -> None:
    piece = (WRITERS[word](tmp_path) / FIRST[word]).parent
    assert_one_line(examine(piece), "files like", "but not its folders")


def test_names_that_no_terminal_can_show(tmp_path: Path) -> None:
    name = b"a\nb\xff\x1b[31m"
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / os.fsdecode(name)).write_bytes(b"")
    assert_one_line(examine(tmp_path / "junk"), "a?b??[31m")
    (miniature.write_msra(tmp_path / "msra") / os.fsdecode(name)).write_bytes(b"")
    diagnosis = examine(tmp_path / "msra")
    assert diagnosis.usable
    assert "a?b??[31m" in str(diagnosis).encode().decode()


def test_more_than_one_dataset(tmp_path: Path) -> None:
    miniature.write_nyu(tmp_path / "a")
    miniature.write_msra(tmp_path / "b")
    assert_one_line(examine(tmp_path), "more than one dataset: nyu in", "msra in")


def test_links_in_circles_and_to_nowhere(tmp_path: Path) -> None:
    miniature.write_msra(tmp_path / "far/away")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/data").symlink_to(tmp_path / "far/away")
    (tmp_path / "here/circle").symlink_to(tmp_path / "here")
    (tmp_path / "here/data/P0/1/gone").symlink_to(tmp_path / "nowhere")
    diagnosis = examine(tmp_path / "here")
    assert (diagnosis.dataset, diagnosis.usable) == ("msra", True)
    assert_said(diagnosis, "1 places cannot be read", "gone", level="warning")


def test_somebodys_whole_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "MOST_ENTRIES", 5)
    for word in ("nyu", "msra"):
        (tmp_path / word).mkdir()
        diagnosis = examine(WRITERS[word](tmp_path / word / "raw"))
        assert_said(diagnosis, "the rest was not looked at", level="warning")


def test_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser may read anything, so the refusal is played."""
    miniature.write_msra(tmp_path)

    def refuse(tree: walking.Tree, folder: str) -> int:
        if folder in refused:
            raise PermissionError(13, "Permission denied")
        return scan(tree, folder)

    scan, refused = walking._scan_folder, {"P0/1"}
    monkeypatch.setattr(walking, "_scan_folder", refuse)
    assert_said(examine(tmp_path), "P0/1 (Permission denied)", level="warning")
    refused = {""}
    assert_one_line(examine(tmp_path), "a folder that cannot be read: . (Permission denied)")


def test_binary_garbage_under_the_right_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for word, write in WRITERS.items():
        root = write(tmp_path / word)
        for path in sorted(root.rglob("*")):
            if path.is_file():
                path.write_bytes(rng.bytes(1000))
        for deep in (False, True):
            diagnosis = examine(root, deep=deep)
            assert diagnosis.dataset == word
            assert not diagnosis.usable
            assert "\n" not in "".join(finding.what + finding.mend for finding in diagnosis.findings)
