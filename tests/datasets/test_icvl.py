"""ICVL: 16-bit depth, label texts with their line ends, missing and rotated images, two layouts."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import make_depth, make_joints, write_icvl

from handbench.conventions import ICVL
from handbench.datasets import icvl
from handbench.errors import BadInput
from handbench.geometry.camera import project_points

LINE = " ".join(["1.000"] * 48)


def read_real(shared: Path, tmp_path: Path) -> icvl.Listing:
    """The real labels of sequence 1 in a tree whose pictures are empty files; sequence 2 is one frame of ours."""
    text = (shared / "real/icvl/test_seq_1.txt").read_bytes()
    (tmp_path / "test_seq_1.txt").write_bytes(text)
    icvl.write_labels(tmp_path / "test_seq_2.txt", ["test_seq_2/image_0000.png"], make_joints(ICVL, 1))
    for sequence, last in ((1, 701), (2, 0)):
        (tmp_path / f"Depth/test_seq_{sequence}").mkdir(parents=True)
        (tmp_path / "Depth" / icvl.image_name(f"test_seq_{sequence}", last)).touch()
    return icvl.list_frames(tmp_path, "test")


def test_trap_14_real_labels_have_702_rows_despite_their_line_ends(shared: Path, tmp_path: Path) -> None:
    assert (shared / "real/icvl/test_seq_1.txt").read_bytes().count(b" \r\r\n") == 702
    listing = read_real(shared, tmp_path)
    assert listing.sequences.count("test_seq_1") == 702
    assert listing.names[:702] == tuple(f"test_seq_1/image_{n:04d}.png" for n in range(702))
    published = np.loadtxt(shared / "published/icvl/icvl_test_groundtruth_label.txt")[:702].reshape(-1, 16, 3)
    uvd = project_points(listing.joints_mm[:702].astype(float), ICVL.camera)
    np.testing.assert_allclose(uvd, published, atol=2e-3)


def test_real_labels_hold_frozen_pairs(shared: Path, tmp_path: Path) -> None:
    """Rows 44/45, 93/94 and 244..247 (0-based) among them: 28 of the 45 pairs of both sequences."""
    published = np.loadtxt(shared / "published/icvl/icvl_test_groundtruth_label.txt")
    same = (published[1:] == published[:-1]).all(axis=1)
    assert np.count_nonzero(same) == 45
    joints_mm = read_real(shared, tmp_path).joints_mm[:702]
    frozen = np.flatnonzero((joints_mm[1:] == joints_mm[:-1]).all(axis=(1, 2)))
    assert {44, 93, 244, 245, 246} <= set(frozen.tolist())
    np.testing.assert_array_equal(frozen, np.flatnonzero(same[:701]))
    assert len(frozen) == 28


def test_trap_14_written_test_labels_end_as_the_real_ones(tmp_path: Path) -> None:
    text = (write_icvl(tmp_path) / "Testing/test_seq_1.txt").read_bytes()
    assert text.count(b" \r\r\n") == 3
    assert text.count(b"\n") == 3
    assert b"\r" not in (tmp_path / "Training/labels.txt").read_bytes()


@pytest.mark.parametrize("end", ["\n", "\r\n", " \r\r\n", "\t\n", " \n\n"])
def test_trap_49_any_line_end_and_any_space(tmp_path: Path, end: str) -> None:
    write_icvl(tmp_path)
    path = tmp_path / "Testing/test_seq_1.txt"
    expected = icvl.list_frames(tmp_path, "test").joints_mm
    lines = [line.replace(" ", "\t", 1) for line in path.read_text().split("\n") if line.strip()]
    path.write_bytes("".join(line.rstrip() + end for line in lines).encode())
    np.testing.assert_array_equal(icvl.list_frames(tmp_path, "test").joints_mm, expected)


def test_trap_49_backslashes_in_names(tmp_path: Path) -> None:
    path = write_icvl(tmp_path) / "Testing/test_seq_1.txt"
    path.write_bytes(path.read_bytes().replace(b"/", b"\\"))
    listing = icvl.list_frames(tmp_path, "test")
    np.testing.assert_array_equal(listing.frame(1).depth_mm, make_depth(ICVL, 1))


def test_trap_15_a_missing_image_shifts_no_row(tmp_path: Path) -> None:
    """One label names image_-001.png, which no download contains."""
    path = write_icvl(tmp_path) / "Training/labels.txt"
    path.write_text(f"201403121135/image_-001.png {LINE}\n" + path.read_text())
    listing = icvl.list_frames(tmp_path, "train")
    assert listing.names[:2] == ("201403121135/image_-001.png", "201403121135/image_0003.png")
    np.testing.assert_array_equal(listing.frame(1).depth_mm, make_depth(ICVL, 0))
    with pytest.raises(BadInput, match=r"image_-001\.png.*no such file"):
        listing.frame(0)


def test_trap_16_names_with_gaps_five_digits_and_repetitions(tmp_path: Path) -> None:
    path = write_icvl(tmp_path) / "Training/labels.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *lines]))
    names = icvl.list_frames(tmp_path, "train").names
    assert names == (
        "201403121135/image_0003.png",
        "201403121135/image_0003.png",
        "201403121135/image_0007.png",
        "201403121135/image_14080.png",
        "201403121140/image_0001.png",
    )


def test_trap_17_rotated_copies_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    write_icvl(tmp_path)
    assert len(icvl.list_frames(tmp_path, "train")) == 4
    listing = icvl.list_frames(tmp_path, "train", rotated=True)
    assert len(listing) == 7
    assert listing.names[3] == "22-5/201403121135/image_0003.png"
    assert listing.sequences[3] == "201403121135"
    np.testing.assert_array_equal(listing.frame(3).depth_mm, make_depth(ICVL, 3))


def test_trap_18_the_layout_of_2014(tmp_path: Path) -> None:
    """train.txt and test_seq_k.txt beside one Depth folder that holds everything."""
    write_icvl(tmp_path)
    old = tmp_path / "old"
    old.mkdir()
    (tmp_path / "Training/labels.txt").rename(old / "train.txt")
    (tmp_path / "Training/Depth").rename(old / "Depth")
    for name in ("test_seq_1", "test_seq_2"):
        (tmp_path / f"Testing/{name}.txt").rename(old / f"{name}.txt")
        (tmp_path / f"Testing/Depth/{name}").rename(old / f"Depth/{name}")
    assert icvl.list_frames(old, "train").frame(3).name == "201403121140/image_0001.png"
    assert icvl.list_frames(old, "test").frame(3).name == "test_seq_2/image_0000.png"


def test_trap_19_zero_and_beyond_30000_are_not_measured(tmp_path: Path) -> None:
    values = np.zeros((240, 320), np.uint16)
    values[0, :5] = (1, 30000, 30001, 32001, 65535)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    depth_mm = icvl.read_depth(tmp_path / "a.png")
    assert depth_mm[0, :5].tolist() == [1, 30000, 0, 0, 0]
    assert np.count_nonzero(depth_mm) == 2


def test_trap_20_sixteen_bits_are_millimetres(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((240, 320), 397, np.uint16))
    assert np.unique(icvl.read_depth(tmp_path / "a.png")).tolist() == [397.0]


@pytest.mark.parametrize("pixels", [np.zeros((240, 320), np.uint8), np.zeros((240, 320, 3), np.uint8)])
def test_trap_20_eight_bit_pictures_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    with pytest.raises(BadInput, match="320x240 PNG, 16-bit grey, found 320x240 PNG, 8-bit"):
        icvl.read_depth(tmp_path / "a.png")


def test_trap_21_and_23_leaderboard_camera_with_y_down(tmp_path: Path) -> None:
    """By hand: (160 + 240.99 / 2, 120 + 240.96 / 4) at 400 mm is (200, 100, 400)."""
    path = write_icvl(tmp_path) / "Testing/test_seq_1.txt"
    numbers = " ".join(["280.495 180.240 400.000"] * 16)
    path.write_text("".join(f"test_seq_1/image_{n:04d}.png {numbers}\n" for n in range(3)))
    np.testing.assert_allclose(icvl.list_frames(tmp_path, "test").joints_mm[0, 0], [200, 100, 400], atol=1e-3)


def test_trap_22_sequence_two_follows_sequence_one(tmp_path: Path) -> None:
    listing = icvl.list_frames(write_icvl(tmp_path), "test")
    assert listing.sequences == ("test_seq_1",) * 3 + ("test_seq_2",) * 2
    assert listing.frame(3).name == "test_seq_2/image_0000.png"


@pytest.mark.parametrize("name", ["../image_0001.png", "/etc/image_0001.png", "a/b/c/image_0001.png", "x.png"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = write_icvl(tmp_path) / "Training/labels.txt"
    path.write_text(f"{name} {LINE}\n" + path.read_text())
    with pytest.raises(BadInput, match="line 1: expected session/image_NNNN"):
        icvl.list_frames(tmp_path, "train")


@pytest.mark.parametrize(
    ("numbers", "match"),
    [
        (LINE[:-6], "line 2: expected 48 numbers, found 47"),
        (LINE + " 1", "found 49"),
        (LINE[:-5] + "nan", "line 2: expected finite numbers, found nan"),
        (LINE[:-5] + "wood", "'wood'"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, numbers: str, match: str) -> None:
    path = write_icvl(tmp_path) / "Training/labels.txt"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([first, f"201403121135/image_0004.png {numbers}", *rest]))
    with pytest.raises(BadInput, match=match):
        icvl.list_frames(tmp_path, "train")


@pytest.mark.parametrize(("split", "file"), [("train", "Training/labels.txt"), ("test", "Testing/test_seq_1.txt")])
def test_labels_shorter_than_their_pictures_are_refused(tmp_path: Path, split: str, file: str) -> None:
    path = write_icvl(tmp_path) / file
    lines = [line for line in path.read_text().split("\n") if line.strip()]
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(BadInput, match="the file is shorter than its pictures"):
        icvl.list_frames(tmp_path, split)
    path.write_text("\n")
    with pytest.raises(BadInput, match="an empty file"):
        icvl.list_frames(tmp_path, split)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"ICVL's training labels \(labels\.txt or train\.txt"):
        icvl.list_frames(tmp_path, "train")
    write_icvl(tmp_path)
    (tmp_path / "Testing/test_seq_2.txt").unlink()
    with pytest.raises(BadInput, match=r"test_seq_2\.txt.*no such file"):
        icvl.list_frames(tmp_path, "test")


def test_label_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write_icvl(tmp_path) / "Training/labels.txt"
    path.write_bytes(b"\x89PNG\x00\xff")
    with pytest.raises(BadInput, match="not text"):
        icvl.list_frames(tmp_path, "train")


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_written_frames_are_read_back(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = write_icvl(tmp_path_factory.mktemp("icvl"))
    joints_mm, depth_mm = make_joints(ICVL, 2, seed), make_depth(ICVL, seed)
    names = [icvl.image_name("test_seq_2", n) for n in range(2)]
    icvl.write_labels(root / "Testing/test_seq_2.txt", names, joints_mm, line_end=icvl.TEST_LINE_END)
    icvl.write_depth(root / "Testing/Depth" / names[0], depth_mm)
    listing = icvl.list_frames(root, "test")
    np.testing.assert_allclose(listing.joints_mm[3:], joints_mm, atol=5e-3)  # three decimals of a pixel
    np.testing.assert_array_equal(listing.frame(3).depth_mm, depth_mm)


def test_a_missing_line_in_the_middle_of_a_test_sequence_is_refused(tmp_path: Path) -> None:
    """Rows follow the labels, so every row after it would move up by one."""
    path = write_icvl(tmp_path) / "Testing/test_seq_1.txt"
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b"image_0001" not in line]
    path.write_bytes(b"".join(kept))
    with pytest.raises(BadInput, match=r"test_seq_1\.txt: .*found 2 lines, none for test_seq_1/image_0001\.png"):
        icvl.list_frames(tmp_path, "test")
    (tmp_path / "Testing/Depth/test_seq_1/image_0001.png").unlink()  # now all that is there is listed
    with pytest.raises(BadInput, match=r"none for test_seq_1/image_0001\.png"):
        icvl.list_frames(tmp_path, "test")


def test_a_line_twice_and_another_sequence_are_refused(tmp_path: Path) -> None:
    path = write_icvl(tmp_path) / "Testing/test_seq_1.txt"
    text = path.read_text()
    path.write_text(text.replace("image_0001", "image_0002"))
    with pytest.raises(BadInput, match=r"none for test_seq_1/image_0001\.png; .*there twice"):
        icvl.list_frames(tmp_path, "test")
    path.write_text(text.replace("test_seq_1/image_0000", "test_seq_2/image_0000"))
    with pytest.raises(BadInput, match=r"none for test_seq_1/image_0000\.png"):
        icvl.list_frames(tmp_path, "test")


def test_a_picture_missing_from_a_test_sequence_shifts_no_row(tmp_path: Path) -> None:
    write_icvl(tmp_path)
    (tmp_path / "Testing/Depth/test_seq_1/image_0001.png").unlink()
    listing = icvl.list_frames(tmp_path, "test")
    np.testing.assert_array_equal(listing.frame(2).depth_mm, make_depth(ICVL, 2))


def test_a_name_of_five_thousand_digits_is_refused(tmp_path: Path) -> None:
    path = write_icvl(tmp_path) / "Training/labels.txt"
    path.write_text(path.read_text() + f"201403121140/image_{'1' * 5000}.png {LINE}\n")
    with pytest.raises(BadInput, match="line 8: expected session/image_NNNN"):
        icvl.list_frames(tmp_path, "train")
