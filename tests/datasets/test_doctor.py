"""What the doctor says of whole, miniature, damaged and foreign folders."""

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path

import miniature
import numpy as np
import pytest

from handbench.conventions import ICVL, ICVL_SESSION_LINES, ICVL_SESSIONS, MSRA_GESTURES, MSRA_RELEASES, MSRA_SUBJECTS
from handbench.datasets import icvl, msra14
from handbench.datasets.doctor import Diagnosis, examine
from handbench.datasets.doctor import msra as examine_msra
from handbench.datasets.doctor import tree as walking
from handbench.datasets.doctor.diagnosis import Record
from handbench.datasets.published import PUBLISHED

WRITERS: dict[str, Callable[[Path], Path]] = {
    "nyu": miniature.write_nyu,
    "icvl": miniature.write_icvl,
    "msra": miniature.write_msra,
    "msra14": miniature.write_msra14,
    "dexter": miniature.write_dexter,
}


def errors(diagnosis: Diagnosis) -> list[str]:
    return [finding.what for finding in diagnosis.findings if finding.level == "error"]


def assert_said(diagnosis: Diagnosis, *parts: str, level: str = "error") -> None:
    """One finding of that level has all the parts, one line each, and says how to mend it."""
    matching = [f for f in diagnosis.findings if f.level == level and all(part in f.what for part in parts)]
    assert matching, str(diagnosis)
    for finding in matching:
        assert finding.mend or level == "note"
        assert "\n" not in finding.what + finding.mend
    assert diagnosis.usable == (not errors(diagnosis))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("word", list(WRITERS))
@pytest.mark.parametrize("above", ["", "results/raw"])
def test_miniatures_are_recognised_and_sound(tmp_path: Path, word: str, above: str, deep: bool) -> None:
    WRITERS[word](tmp_path / above)
    diagnosis = examine(tmp_path, deep=deep)
    assert diagnosis.dataset == word
    assert diagnosis.usable, str(diagnosis)
    assert "a miniature" in diagnosis.release
    assert_said(diagnosis, "layout and encoding are right", level="note")
    root = tmp_path / above / "data" if word == "dexter" else tmp_path / above
    assert diagnosis.root == str(root)


def test_counts_of_miniatures(tmp_path: Path) -> None:
    counts = {word: examine(write(tmp_path / word)).counts for word, write in WRITERS.items()}
    assert counts["nyu"] == {"train": 3, "test": 4}
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

FIRST = {
    "nyu": "test/depth_1_0000001.png",
    "icvl": "Testing/Depth/test_seq_1/image_0000.png",
    "msra": "P0/1/000000_depth.bin",
    "msra14": "Subject1/000000_depth.bin",
    "dexter": "data/Grasp1/depth/00000_depth.png",
}


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


# --- NYU --------------------------------------------------------------------------------------------------------


def test_nyu_without_labels(tmp_path: Path) -> None:
    miniature.write_nyu(tmp_path)
    (tmp_path / "train/joint_data.mat").unlink()
    assert_said(examine(tmp_path), "train/joint_data.mat is absent")


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file" + bytes(500), b"\x89HDF\r\n\x1a\n", b"junk" * 300])
def test_nyu_with_labels_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    miniature.write_nyu(tmp_path)
    (tmp_path / "test/joint_data.mat").write_bytes(content)
    assert_said(examine(tmp_path), "test/joint_data.mat: no joint_uvd")


def test_nyu_labels_of_the_other_split(tmp_path: Path) -> None:
    miniature.write_nyu(tmp_path, train=3, test=(4, 4))
    shutil.copy(tmp_path / "train/joint_data.mat", tmp_path / "test/joint_data.mat")
    assert_said(examine(tmp_path), "5 pictures in test/ have no label row", "depth_1_0000004.png")


def test_nyu_test_set_alone_is_usable(tmp_path: Path) -> None:
    shutil.rmtree(miniature.write_nyu(tmp_path) / "train")
    diagnosis = examine(tmp_path)
    assert diagnosis.usable
    assert_said(diagnosis, "train/ is absent", level="warning")


def test_nyu_depth_saved_in_another_encoding(tmp_path: Path) -> None:
    miniature.write_nyu(tmp_path)
    icvl.write_depth(tmp_path / "test/depth_1_0000002.png", miniature.make_depth(ICVL))
    assert_said(examine(tmp_path), "PNGs of 320x240 16-bit grey instead of 640x480 8-bit RGB", "depth_1_0000002.png")


def test_nyu_real_frame(shared: Path, tmp_path: Path) -> None:
    miniature.write_nyu(tmp_path)
    shutil.copy(shared / "real/nyu/depth_1_0000001.png", tmp_path / "test")
    assert examine(tmp_path, deep=True).usable


# --- ICVL -------------------------------------------------------------------------------------------------------


def test_icvl_older_layout(tmp_path: Path) -> None:
    miniature.write_icvl(tmp_path)
    (tmp_path / "Training/labels.txt").rename(tmp_path / "train.txt")
    for part in ("Training", "Testing"):
        shutil.copytree(tmp_path / part / "Depth", tmp_path / "Depth", dirs_exist_ok=True)
    for k in (1, 2):
        (tmp_path / f"Testing/test_seq_{k}.txt").rename(tmp_path / f"test_seq_{k}.txt")
    for part in ("Training", "Testing"):
        shutil.rmtree(tmp_path / part)
    diagnosis = examine(tmp_path)
    assert "older train.txt layout" in diagnosis.release
    assert diagnosis.usable
    assert diagnosis.counts["train"] == 4


def test_icvl_without_rotated_copies(tmp_path: Path) -> None:
    shutil.rmtree(miniature.write_icvl(tmp_path) / "Training/Depth/22-5")
    diagnosis = examine(tmp_path)
    assert diagnosis.usable
    assert_said(diagnosis, "no rotated copy is here", level="note")


def test_icvl_picture_that_was_never_released(tmp_path: Path) -> None:
    miniature.write_icvl(tmp_path)
    labels = tmp_path / "Training/labels.txt"
    lines = labels.read_text().splitlines(keepends=True)
    numbers = lines[0].partition(" ")[2]
    repeat = f"{lines[-1].split(' ')[0]} {numbers}"
    labels.write_text("".join([f"201406030937/image_-001.png {numbers}", *lines, repeat]))
    diagnosis = examine(tmp_path)
    assert diagnosis.usable
    assert_said(diagnosis, "201406030937/image_-001.png is listed but was never released", level="note")
    assert_said(diagnosis, "1 original lines repeat another", level="note")


def test_icvl_label_line_cut_short(tmp_path: Path) -> None:
    miniature.write_icvl(tmp_path)
    labels = tmp_path / "Training/labels.txt"
    labels.write_bytes(labels.read_bytes()[:-30])
    assert_said(examine(tmp_path), "1 lines of labels.txt without 48 numbers, the first 7")


def test_icvl_test_labels_shorter_than_pictures(tmp_path: Path) -> None:
    miniature.write_icvl(tmp_path)
    text = tmp_path / "Testing/test_seq_1.txt"
    text.write_bytes(text.read_bytes().split(b"\n", 1)[0] + b"\n")
    assert_said(examine(tmp_path), "2 pictures are not in test_seq_1.txt", "image_0001.png")


def test_icvl_real_label_file(shared: Path, tmp_path: Path) -> None:
    """702 lines that end in a space and CR CR LF; every picture is listed and none is there."""
    (tmp_path / "Testing/Depth/test_seq_1").mkdir(parents=True)
    shutil.copy(shared / "real/icvl/test_seq_1.txt", tmp_path / "Testing")
    diagnosis = examine(tmp_path)
    assert_said(diagnosis, "702 pictures listed in test_seq_1.txt are absent", "test_seq_1/image_0000.png")
    assert not any("48 numbers" in said for said in errors(diagnosis))
    assert any("test labels equal the one before" in finding.what for finding in diagnosis.findings)


def test_icvl_whole_release_by_its_lines(tmp_path: Path) -> None:
    """All 22,068 original lines with the published counts per session, without a single picture."""
    numbers = " ".join(["1.000"] * 48)
    folder = tmp_path / "Training"
    (folder / "Depth").mkdir(parents=True)
    with (folder / "labels.txt").open("w") as file:
        for session, lines in zip(ICVL_SESSIONS, ICVL_SESSION_LINES, strict=True):
            for number in range(lines):
                file.write(f"{session}/image_{number:04d}.png {numbers} \n")
    diagnosis = examine(tmp_path)
    assert diagnosis.release == "labels.txt release, 22,068 lines, without rotated copies"
    assert diagnosis.counts["lines of 201405151126"] == diagnosis.expected["lines of 201405151126"] == 3475
    assert_said(diagnosis, "22,068 listed original pictures are absent")


# --- MSRA15 and MSRA14 ------------------------------------------------------------------------------------------


def name_msra_release(frames: dict[str, int]) -> Record:
    record = Record()
    totals = [sum(n for g, n in frames.items() if g.startswith(f"{s}/")) for s in MSRA_SUBJECTS]
    examine_msra._name_release(frames, totals, record)
    return record


def full_gestures() -> dict[str, int]:
    return {f"{subject}/{gesture}": 500 for subject in MSRA_SUBJECTS for gesture in MSRA_GESTURES}


def test_msra_gesture_table_adds_up_to_the_release() -> None:
    frames = full_gestures() | examine_msra.SHORT_GESTURES
    assert sum(frames.values()) == 76375
    record = name_msra_release(frames)
    assert record.release == "the 76,375-frame release"
    assert tuple(record.counts.values()) == MSRA_RELEASES["76375"]
    assert not record.findings


def test_msra_releases() -> None:
    assert name_msra_release(full_gestures()).release == "the 76,500-frame release"
    other = full_gestures() | examine_msra.SHORT_GESTURES
    # Known differences: seven frames more in P1, six fewer in P2, ten more in P3, one in P6, four in P8.
    for gesture, change in (("P1/1", 7), ("P2/MP", -6), ("P3/1", 10), ("P6/1", 1), ("P8/1", 4)):
        other[gesture] += change
    assert name_msra_release(other).release == "the 76,391-frame release"
    other["P0/1"] -= 3
    record = name_msra_release(other)
    assert record.release == "no release we know, 76,388 frames; nearest is the 76,391-frame one"
    assert any("P0/1 has 497 of 500" in finding.what for finding in record.findings)


def test_msra_known_bad_frames_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    miniature.write_msra(tmp_path, ("P1/7", "P1/T"))
    frames = walking.scan_tree(tmp_path)
    record = Record()
    examine_msra._note_bad_frames(frames, "", full_gestures(), record)
    assert "1 of 126 frames flagged as wrong" in record.findings[0].what


@pytest.mark.parametrize("header", [(320, 240, 5, 5, 5, 9), (320, 240, 9, 9, 3, 3)])
def test_msra_empty_box_is_a_warning(tmp_path: Path, header: tuple[int, ...]) -> None:
    miniature.write_msra(tmp_path)
    (tmp_path / FIRST["msra"]).write_bytes(struct.pack("<6I", *header))
    diagnosis = examine(tmp_path)
    assert diagnosis.usable
    assert_said(diagnosis, "1 frames with an empty box in P0/1", level="warning")


@pytest.mark.parametrize("header", [(320, 240, 5, 5, 400, 9), (640, 480, 0, 0, 5, 5)])
def test_msra_box_of_another_sensor(tmp_path: Path, header: tuple[int, ...]) -> None:
    miniature.write_msra(tmp_path)
    (tmp_path / FIRST["msra"]).write_bytes(struct.pack("<6I", *header) + bytes(100))
    assert_said(examine(tmp_path), "P0/1", "000000_depth.bin")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("3\n", "500\n", 1), "promises 500 frames and holds 3"),
        (lambda text: "\n".join(text.split("\n")[:2]), "promises 3 frames and holds 1"),
        (lambda text: text.replace(text.split()[5], "nan", 1), "row 1 is not 63 finite numbers"),
        (lambda text: text.rstrip().rpartition(" ")[0], "row 3 is not 63 finite numbers"),
        (lambda text: "", "promises nothing and holds 0"),
        (lambda text: "\0\1\2", "promises nothing and holds 0"),
    ],
)
@pytest.mark.parametrize("word", ["msra", "msra14"])
def test_msra_labels_that_do_not_fit(tmp_path: Path, word: str, change: Callable[[str], str], said: str) -> None:
    path = WRITERS[word](tmp_path) / FIRST[word]
    labels = path.with_name("joint.txt")
    labels.write_text(change(labels.read_text()))
    assert_said(examine(tmp_path), "joint.txt", said)


def test_msra_labels_absent_and_folders_unknown(tmp_path: Path) -> None:
    miniature.write_msra(tmp_path)
    (tmp_path / "P0/1/joint.txt").unlink()
    (tmp_path / "P0/backup").mkdir()
    diagnosis = examine(tmp_path)
    assert_said(diagnosis, "P0/1/joint.txt is absent")
    assert_said(diagnosis, "folders that no release has: P0/backup")


def test_msra_and_msra14_files_mixed_up(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first, second = miniature.write_msra(tmp_path / "a"), miniature.write_msra14(tmp_path / "b")
    (first / FIRST["msra"]).replace(tmp_path / "swap")
    shutil.copy(second / FIRST["msra14"], first / FIRST["msra"])
    shutil.copy(tmp_path / "swap", second / FIRST["msra14"])
    assert_said(examine(first), "whole images without a header, as MSRA14 has them")
    assert_said(examine(second), "boxes with a header, as MSRA15 has them")


def test_msra14_complete(tmp_path: Path) -> None:
    image = msra14._SHAPE[0] * msra14._SHAPE[1] * 4
    row = " ".join(["1.0"] * 63)
    for subject in range(1, 7):
        folder = tmp_path / f"Release_2014_5_28/Subject{subject}"
        folder.mkdir(parents=True)
        (folder / "joint.txt").write_text("400\n" + f"{row}\n" * 400)
        (folder / "sphere.txt").write_text("400\n")
        for number in range(400):
            with (folder / f"{number:06d}_depth.bin").open("wb") as file:
                file.truncate(image)  # sparse: takes no room
    diagnosis = examine(tmp_path)
    assert diagnosis.release == "complete"
    assert diagnosis.counts == dict.fromkeys((f"Subject{i}" for i in range(1, 7)), 400)
    assert diagnosis.findings == ()


# --- Dexter+Object ----------------------------------------------------------------------------------------------


def test_dexter_revised_annotations(tmp_path: Path) -> None:
    miniature.write_dexter(tmp_path)
    assert examine(tmp_path).release.endswith("shipped annotations")
    (tmp_path / "data/revised.txt").write_text(" ".join(["1.0"] * 72) + "\n")
    assert examine(tmp_path).release.endswith("shipped annotations, and revised ones")


def test_dexter_annotations_absent_or_uneven(tmp_path: Path) -> None:
    miniature.write_dexter(tmp_path)
    folder = tmp_path / "data/Grasp1/annotations"
    (folder / "Grasp13D.txt").rename(folder / "my_Grasp13D.txt")
    text = folder / "Grasp12D.txt"
    lines = text.read_text().splitlines()
    text.write_text("\n".join([lines[0].rpartition(";")[0], *lines[1:]]))
    diagnosis = examine(tmp_path)
    assert_said(diagnosis, "Grasp13D.txt is absent (an edited my_ file is here)")
    assert_said(diagnosis, "Grasp12D.txt has 7 or 8 entries a line")


# --- the published record ---------------------------------------------------------------------------------------


def test_published_record(shared: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(shared / "published", raw)
    for path in (raw, *raw.rglob("*")):
        path.chmod(0o755)
    diagnosis = examine(tmp_path)
    assert (diagnosis.dataset, diagnosis.release, diagnosis.usable) == ("published", "complete", True)
    assert diagnosis.counts == {"nyu files": 12, "icvl files": 7}
    (raw / PUBLISHED[0].file).write_bytes(b"")
    (raw / PUBLISHED[1].file).unlink()
    diagnosis = examine(tmp_path)
    assert_said(diagnosis, "1 files are absent", PUBLISHED[1].file)
    assert_said(diagnosis, "1 files do not have the published checksum", PUBLISHED[0].file)


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


@pytest.mark.parametrize("word", ["nyu", "msra"])
def test_piece_of_a_dataset(tmp_path: Path, word: str) -> None:
    piece = (WRITERS[word](tmp_path) / FIRST[word]).parent
    assert_one_line(examine(piece), "files like", "but not its folders")


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


@pytest.mark.slow
def test_whole_msra_release_in_seconds(tmp_path: Path) -> None:
    """76,375 files with the published counts, each a box of one pixel."""
    box = struct.pack("<6If", 320, 240, 10, 10, 11, 11, 400.0)
    row = " ".join(["1.0"] * 63)
    for gesture, frames in (full_gestures() | examine_msra.SHORT_GESTURES).items():
        folder = tmp_path / gesture
        folder.mkdir(parents=True)
        (folder / "joint.txt").write_text(f"{frames}\n" + f"{row}\n" * frames)
        for number in range(frames):
            (folder / f"{number:06d}_depth.bin").write_bytes(box)
    diagnosis = examine(tmp_path)
    assert diagnosis.release == "the 76,375-frame release"
    assert diagnosis.usable
    assert_said(diagnosis, "126 of 126 frames flagged as wrong", "2 of 2 in doubt", level="note")
