"""What the doctor says of each dataset: its releases, its known gaps, its labels."""

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import miniature
import pytest
from doctor_fixtures import FIRST, WRITERS, assert_said, errors

from handbench.conventions import ICVL, ICVL_SESSION_LINES, ICVL_SESSIONS, MSRA_GESTURES, MSRA_RELEASES, MSRA_SUBJECTS
from handbench.datasets import icvl, msra14
from handbench.datasets.crops import build_crops
from handbench.datasets.doctor import examine
from handbench.datasets.doctor import msra as examine_msra
from handbench.datasets.doctor import tree as walking
from handbench.datasets.doctor.diagnosis import Record
from handbench.datasets.importers import list_frames
from handbench.datasets.published import PUBLISHED
from handbench.errors import BadInput

POSED = " ".join(f"{i % 5}.0 {i // 5}.0 -400.0" for i in range(21))
"""A line of joint.txt: 21 joints in front of the camera, y up."""

# --- NYU --------------------------------------------------------------------------------------------------------


def test_nyu_without_labels(tmp_path: Path) -> None:
    miniature.write_nyu(tmp_path)
    (tmp_path / "train/joint_data.mat").unlink()
    assert_said(examine(tmp_path), "train/joint_data.mat is absent")


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file" + bytes(500), b"\x89HDF\r\n\x1a\n", b"junk" * 300])
def test_nyu_with_labels_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    miniature.write_nyu(tmp_path)
    (tmp_path / "test/joint_data.mat").write_bytes(content)
    assert_said(examine(tmp_path), "the importer refuses test", "test/joint_data.mat")


def test_nyu_labels_of_the_other_split(tmp_path: Path) -> None:
    miniature.write_nyu(tmp_path, train=3, test=(4, 4))
    shutil.copy(tmp_path / "train/joint_data.mat", tmp_path / "test/joint_data.mat")
    assert_said(examine(tmp_path), "importer refuses test", "labels for all frames on disk", "8", "found 3 rows")


def test_nyu_counts_pictures_per_test_person(tmp_path: Path) -> None:
    """Rows 1 to 5 are the first person's, 6 to 8 the second's; a missing picture is missing of its person."""
    miniature.write_nyu(tmp_path, test=(5, 3))
    (tmp_path / "test/depth_1_0000007.png").unlink()
    diagnosis = examine(tmp_path)
    assert diagnosis.counts == {"train": 3, "test": 7, "test_1": 5, "test_2": 2}
    assert diagnosis.expected == {"train": 72757, "test": 8252, "test_1": 2440, "test_2": 5812}
    assert diagnosis.release == "a miniature, 10 of 81,009 frames"


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
    assert diagnosis.usable, "as complete as the release is"
    assert_said(diagnosis, "image_-001.png is listed but was never released; a crop stops at it", level="warning")
    assert "crop --allow-skips 1" in diagnosis.findings[0].mend
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
    assert not any("without 48 numbers" in said for said in errors(diagnosis))
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
def test_msra_empty_boxes_are_counted_and_stop_a_crop(tmp_path: Path, header: tuple[int, ...]) -> None:
    miniature.write_msra(tmp_path)
    for name in (FIRST["msra"], "P1/I/000002_depth.bin"):
        (tmp_path / name).write_bytes(struct.pack("<6I", *header))
    for deep in (False, True):
        diagnosis = examine(tmp_path, deep=deep)
        assert errors(diagnosis) == [
            "2 frames hold an empty box: P0/1/000000_depth.bin, P1/I/000002_depth.bin; a crop stops at the first"
        ]
        assert_said(diagnosis, "2 frames hold an empty box")
        assert "`crop --allow-skips 2`, or allow_skips: 2 in the configuration" in diagnosis.findings[0].mend


def test_msra_crop_takes_what_the_doctor_says(tmp_path: Path) -> None:
    """The count named by the doctor is the one that lets a crop pass; one less stops it."""
    miniature.write_msra(tmp_path / "raw")
    for name in (FIRST["msra"], "P1/I/000002_depth.bin"):
        (tmp_path / "raw" / name).write_bytes(struct.pack("<6I", 320, 240, 9, 9, 3, 3))
    listing = list_frames("msra", tmp_path / "raw", "all")
    with pytest.raises(BadInput, match="an empty box"):
        build_crops(listing, centre="com", size_px=32, out=tmp_path / "stopped", allow_skips=1)
    build_crops(listing, centre="com", size_px=32, out=tmp_path / "crops", allow_skips=2)
    assert (tmp_path / "crops/store.json").is_file()


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


@pytest.mark.parametrize("first", ["9" * 5000, "frames", "3 3"])
def test_msra_count_that_is_none(tmp_path: Path, first: str) -> None:
    """MSRA15's first line must be a count; what MSRA14's says is not known, so anything but a wrong count passes."""
    for word in ("msra", "msra14"):
        labels = (WRITERS[word](tmp_path / word) / FIRST[word]).with_name("joint.txt")
        labels.write_text(labels.read_text().replace("3", first, 1))
    assert_said(examine(tmp_path / "msra"), "P0/1/joint.txt does not begin with the number of frames")
    diagnosis = examine(tmp_path / "msra14")
    assert diagnosis.usable == (not first.isdecimal())
    assert max(len(said) for said in [*errors(diagnosis), ""]) < 500


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
    row = POSED
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


@pytest.mark.slow
def test_whole_msra_release_in_seconds(tmp_path: Path) -> None:
    """76,375 files with the published counts, each a box of one pixel."""
    box = struct.pack("<6If", 320, 240, 10, 10, 11, 11, 400.0)
    row = POSED
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
