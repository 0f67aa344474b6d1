"""What the quick doctor says of labels and bare depth files that an importer will refuse."""

import shutil
from pathlib import Path

import miniature
import numpy as np
import pytest
import scipy.io
from doctor_fixtures import assert_said

from handbench.conventions import MSRA
from handbench.datasets import dexter, msra
from handbench.datasets.doctor import contents, examine


@pytest.mark.parametrize("damage", ["no joint_xyz", "NaN"])
def test_nyu_labels_that_the_importer_refuses(tmp_path: Path, damage: str) -> None:
    path = miniature.write_nyu(tmp_path) / "test/joint_data.mat"
    arrays = {name: array for name, array in scipy.io.loadmat(path).items() if not name.startswith("__")}
    if damage == "NaN":
        arrays["joint_xyz"][0, 2, 5] = np.nan
    else:
        del arrays["joint_xyz"]
    scipy.io.savemat(path, arrays)
    assert_said(examine(tmp_path), "the importer refuses test", "joint_xyz" if damage != "NaN" else "row 3")


@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_nyu_labels_with_a_flipped_byte(tmp_path: Path, at: float) -> None:
    path = miniature.write_nyu(tmp_path) / "test/joint_data.mat"
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 0x5A
    path.write_bytes(content)
    assert_said(examine(tmp_path), "the importer refuses test", "joint_data.mat")


@pytest.mark.parametrize("word", ["abc", "nan", "inf"])
@pytest.mark.parametrize("text", ["Training/labels.txt", "Testing/test_seq_2.txt"])
def test_icvl_label_that_is_no_number(tmp_path: Path, text: str, word: str) -> None:
    path = miniature.write_icvl(tmp_path) / text
    path.write_bytes(path.read_bytes().replace(path.read_bytes().split()[7], word.encode(), 1))
    assert_said(examine(tmp_path), "the importer refuses", text.rpartition("/")[2], word)


@pytest.mark.parametrize("word", ["abc", "nan"])
def test_dexter_label_that_is_no_number(tmp_path: Path, word: str) -> None:
    path = miniature.write_dexter(tmp_path) / "data/Rotate/annotations/Rotate3D.txt"
    path.write_text(path.read_text().replace(path.read_text().split(",")[0], word, 1))
    assert_said(examine(tmp_path), "the importer refuses it", "Rotate3D.txt", word)


def test_dexter_labels_of_another_sequence(tmp_path: Path) -> None:
    base = miniature.write_dexter(tmp_path) / "data"
    shutil.copy(base / "Rotate/annotations/Rotate3D.txt", base / "Grasp1/annotations/Grasp13D.txt")
    assert_said(examine(tmp_path), "the importer refuses it", "Grasp13D.txt", "px")


def convert_dexter(folder: Path, suffix: str, head: bytes, kind: str) -> Path:
    """The depth of one sequence in another of the forms the importer takes; returns the first file."""
    for path in sorted(folder.iterdir()):
        path.with_suffix(suffix).write_bytes(head + dexter.read_depth(path).astype(kind).tobytes())
        path.unlink()
    return folder / f"00000_depth{suffix}"


@pytest.mark.parametrize(
    ("suffix", "head", "kind"),
    [(".pgm", b"P5\n# made by hand\n320 240\n65535\n", ">u2"), (".bin", b"", "<u2"), (".bin", b"", "<f4")],
)
def test_dexter_bare_depth_by_header_and_length(tmp_path: Path, suffix: str, head: bytes, kind: str) -> None:
    path = convert_dexter(miniature.write_dexter(tmp_path) / "data/Rotate/depth", suffix, head, kind)
    assert examine(tmp_path).usable
    assert examine(tmp_path, deep=True).usable
    content = path.read_bytes()
    for spoiled in (content[:5], content[:-1], content + b"x", b""):
        path.write_bytes(spoiled)
        assert_said(examine(tmp_path), "in Rotate/depth", path.name)


def test_dexter_pgm_of_another_size_or_depth(tmp_path: Path) -> None:
    path = convert_dexter(miniature.write_dexter(tmp_path) / "data/Rotate/depth", ".pgm", b"P5 320 240 65535\n", ">u2")
    body = path.read_bytes()[-2 * 320 * 240 :]
    for head in (b"P5 240 320 65535\n", b"P5 320 240 255\n", b"P2 320 240 65535\n"):
        path.write_bytes(head + body)
        assert_said(examine(tmp_path), "not binary 16-bit PGMs of 320x240 in Rotate/depth")


def test_a_fault_that_no_importer_foresaw_is_a_line_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise ValueError("x" * 5000)

    monkeypatch.setattr("handbench.datasets.importers.list_frames", stumble)
    listing, fault = contents.ask_importer("nyu", tmp_path, "test")
    assert listing is None
    assert fault.startswith("labels that cannot be read (ValueError: xxx")
    assert len(fault) < 500


def test_a_hand_outside_the_image_is_named(tmp_path: Path) -> None:
    miniature.write_msra(tmp_path)
    joints_mm = miniature.make_joints(MSRA, 3)
    joints_mm[1, :, 0] += 2000.0
    msra.write_labels(tmp_path / "P0/1/joint.txt", joints_mm)
    diagnosis = examine(tmp_path)
    assert not diagnosis.usable
    assert_said(diagnosis, "1 frames whose labelled hand lies outside the image, the first P0/1/000001_depth.bin")
