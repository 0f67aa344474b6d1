"""Dexter+Object: annotations and their signs, what is not annotated, and every form the depth may come in."""

import itertools
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import make_depth, make_joints, write_dexter

from handbench.conventions import DEXTER, DEXTER_HAND, DEXTER_SEQUENCES
from handbench.datasets import dexter
from handbench.datasets.crops import build_crops
from handbench.datasets.importers import list_frames
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.geometry.camera import project_points


def write_texts(root: Path, three: str, two: str) -> Path:
    folder = root / "Grasp1"
    (folder / "annotations").mkdir(parents=True)
    (folder / "annotations/Grasp13D.txt").write_text(three + "\n")
    (folder / "annotations/Grasp12D.txt").write_text(two + "\n")
    return folder


def test_trap_37_what_was_not_annotated_is_nan_for_that_finger_alone(tmp_path: Path) -> None:
    listing = dexter.list_frames(write_dexter(tmp_path), "test")
    assert "32001.000" in (tmp_path / "data/Grasp1/annotations/Grasp13D.txt").read_text()
    missing = np.isnan(listing.joints_mm).all(axis=2)
    assert np.argwhere(missing).tolist() == [[1, 0], [4, 0]]


def test_trap_37_a_point_in_the_camera_itself_is_not_annotated(tmp_path: Path) -> None:
    three, two = "; ".join(["100,-50,500"] * 5 + ["0,0,0"]), "; ".join(["204.9004,96.9506"] * 5 + ["0,0"])
    joints_mm = dexter.read_annotations(write_texts(tmp_path, three, two), "Grasp1")
    assert np.isnan(joints_mm[0]).all(axis=1).tolist() == [False] * 5 + [True] * 3


def test_trap_38_entries_by_hand(tmp_path: Path) -> None:
    """Tips on the optical axis's row, 50 mm apart; spaces anywhere, a ';' after the last entry, three corners."""
    xs = (-100, -50, 0, 50, 100, 10, 20, 30)
    three = ";".join(f" {x} ,0,  500" for x in xs) + "; \n"
    two = " ; ".join(f"{160 + 224.502 * x / 500}, 120" for x in xs) + "\n"
    joints_mm = dexter.read_annotations(write_texts(tmp_path, three, two), "Grasp1")
    np.testing.assert_allclose(joints_mm[0], [[x, 0, 500] for x in xs], atol=1e-4)


@pytest.mark.parametrize("corners", [0, 1, 3, 8])
def test_trap_38_any_number_of_corners(tmp_path: Path, corners: int) -> None:
    xs = range(10, 10 * (6 + corners), 10)
    three = ";".join(f"{x},5,500" for x in xs)
    two = ";".join(f"{160 + 224.502 * x / 500},{120 + 230.494 / 100}" for x in xs)
    joints_mm = dexter.read_annotations(write_texts(tmp_path, three, two), "Grasp1")
    assert joints_mm.shape == (1, 8, 3)
    assert np.isfinite(joints_mm[0, :, 0]).sum() == 5 + min(corners, 3)


@pytest.mark.parametrize("signs", list(itertools.product((-1.0, 1.0), repeat=2)))
def test_trap_39_signs_are_those_that_project_onto_the_image(tmp_path: Path, signs: tuple[float, float]) -> None:
    (tmp_path / "annotations").mkdir()
    joints_mm = make_joints(DEXTER, 5)
    dexter.write_annotations(tmp_path, "Pinch", joints_mm, signs=signs)
    np.testing.assert_allclose(dexter.read_annotations(tmp_path, "Pinch"), joints_mm, atol=1e-3)


def test_trap_39_z_may_be_negative_too(tmp_path: Path) -> None:
    two = "; ".join(["204.9004, 143.0494"] * 5)
    joints_mm = dexter.read_annotations(write_texts(tmp_path, "; ".join(["100, -50, -500"] * 5), two), "Grasp1")
    np.testing.assert_allclose(joints_mm[0, 0], [100, 50, 500], atol=1e-3)


def test_trap_39_some_wrong_2d_labels_do_not_decide_but_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    joints_mm = make_joints(DEXTER, 9)
    dexter.write_annotations(tmp_path, "Pinch", joints_mm)
    path = tmp_path / "annotations/Pinch2D.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:6], *lines[:3]]))
    np.testing.assert_allclose(dexter.read_annotations(tmp_path, "Pinch"), joints_mm, atol=1e-3)
    path.write_text("\n".join(["; ".join(["300, 10"] * 8)] * 9) + "\n")
    with pytest.raises(BadInput, match=r"Pinch3D\.txt.*of the 2D labels under some choice of signs"):
        dexter.read_annotations(tmp_path, "Pinch")


def test_trap_40_left_hands_are_recorded_and_not_mirrored(tmp_path: Path) -> None:
    assert DEXTER_HAND == "left"
    listing = dexter.list_frames(write_dexter(tmp_path), "test")
    np.testing.assert_allclose(listing.joints_mm[0], make_joints(DEXTER, 3)[0], atol=1e-3)
    np.testing.assert_array_equal(listing.frame(0).depth_mm, make_depth(DEXTER, 0))


def write_revised(path: Path, joints_mm: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    uvd = project_points(joints_mm.astype(float), DEXTER.camera).reshape(len(joints_mm), -1)
    path.write_text("\n".join(" ".join(f"{number:.4f}" for number in row) for row in uvd))


@pytest.mark.parametrize("together", [False, True])
def test_trap_40_revised_annotations_replace_the_shipped_ones(tmp_path: Path, together: bool) -> None:
    write_dexter(tmp_path)
    rng = np.random.default_rng(7)
    points_mm = rng.uniform(-80, 80, (6, 24, 3)) + np.array([0, 0, 400.0])
    if together:
        where = tmp_path / "revised.txt"
        write_revised(where, points_mm)
    else:
        where = tmp_path / "revised"
        write_revised(where / "Grasp1.txt", points_mm[:3])
        write_revised(where / "Rotate.txt", points_mm[3:])
    listing = dexter.list_frames(tmp_path, "test", revised=where)
    np.testing.assert_allclose(listing.joints_mm, points_mm[:, [4, 8, 12, 16, 20, 21, 22, 23]], atol=1e-3)
    with pytest.raises(BadInput, match="found 3 lines"):
        dexter.list_frames(tmp_path, "test", revised=_shorten(tmp_path / "short.txt", points_mm[:3]))


def _shorten(path: Path, points_mm: np.ndarray) -> Path:
    write_revised(path, points_mm)
    return path


def test_revised_points_without_depth_are_nan(tmp_path: Path) -> None:
    numbers = ["160, 120, 400"] * 22 + ["160, 120, 0", "nan, nan, nan"]
    (tmp_path / "a.txt").write_text("; ".join(numbers) + ";\n")
    points_mm = dexter.read_revised(tmp_path / "a.txt")
    assert np.isnan(points_mm[0]).all(axis=1).tolist() == [False] * 22 + [True] * 2
    np.testing.assert_allclose(points_mm[0, 0], [0, 0, 400])


@pytest.mark.parametrize("folder", ["", "data", "dexter+object/data"])
def test_sequences_in_published_order_under_any_usual_folder(tmp_path: Path, folder: str) -> None:
    write_dexter(tmp_path, tuple(reversed(DEXTER_SEQUENCES)), frames=2, folder=folder)
    listing = dexter.list_frames(tmp_path, "test")
    assert listing.sequences == tuple(name for name in DEXTER_SEQUENCES for _ in range(2))
    assert listing.names[2] == "Grasp2/depth/00000_depth.png"


def test_depth_files_are_ordered_by_number(tmp_path: Path) -> None:
    folder = write_dexter(tmp_path, ("Rigid",)) / "data/Rigid/depth"
    for row, number in ((2, 10), (1, 9), (0, 2)):
        (folder / dexter.depth_name(row)).rename(folder / f"image{number}.png")
    (folder / "Thumbs.db").touch()
    listing = dexter.list_frames(tmp_path, "test")
    assert [Path(name).name for name in listing.names] == ["image2.png", "image9.png", "image10.png"]
    np.testing.assert_array_equal(listing.frame(2).depth_mm, make_depth(DEXTER, 2))


def test_png_depth_with_both_codes(tmp_path: Path) -> None:
    values = np.zeros((240, 320), np.uint16)
    values[0, :4] = (500, 30000, 32001, 65535)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    assert dexter.read_depth(tmp_path / "a.png")[0, :4].tolist() == [500, 30000, 0, 0]


def test_alternative_depth_files(tmp_path: Path) -> None:
    values = make_depth(DEXTER)
    values[0, 0] = 32001
    expected = make_depth(DEXTER)
    cv2.imwrite(str(tmp_path / "a.pgm"), values.astype(np.uint16))
    (tmp_path / "b.pgm").write_bytes(b"P5\n# a comment\n320 240\n65535\n" + values.astype(">u2").tobytes())
    (tmp_path / "float.bin").write_bytes(values.astype("<f4").tobytes())
    (tmp_path / "short.bin").write_bytes(values.astype("<u2").tobytes())
    for name in ("a.pgm", "b.pgm", "float.bin", "short.bin"):
        np.testing.assert_array_equal(dexter.read_depth(tmp_path / name), expected)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.bin", b"123", "307200 bytes of float32 or 153600 of uint16, found 3"),
        ("a.pgm", b"P5 320 240 255\n" + bytes(76800), "16-bit PGM"),
        ("a.pgm", b"P5 320 240 65535\n" + bytes(9), "16-bit PGM"),
        ("a.pgm", b"P2 nonsense", "16-bit PGM"),
        ("a.png", b"P5 320 240 65535\n", "not a PNG"),
    ],
)
def test_depth_in_no_known_form_is_refused(tmp_path: Path, name: str, content: bytes, match: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=match):
        dexter.read_depth(tmp_path / name)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("1,2,3;" * 4, "five tips"),
        ("1,2,3;" * 7, "the same number of corners"),
        ("1,2;" + "1,2,3;" * 7, "expected 3 numbers, found 2"),
        ("1,2,x;" + "1,2,3;" * 7, "'x'"),
        ("1,2,nan;" + "1,2,3;" * 7, "found nan"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, match: str) -> None:
    path = write_dexter(tmp_path) / "data/Rotate/annotations/Rotate3D.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, lines[2]]))
    with pytest.raises(BadInput, match=f"Rotate3D.txt, line 2.*{match}"):
        dexter.list_frames(tmp_path, "test")


def test_missing_pictures_or_labels_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Dexter\\+Object's sequences"):
        dexter.list_frames(tmp_path, "test")
    write_dexter(tmp_path)
    annotations = tmp_path / "data/Rotate/annotations"
    two = (annotations / "Rotate2D.txt").read_text()
    (annotations / "Rotate2D.txt").write_text("\n".join(two.splitlines()[:2]))
    with pytest.raises(BadInput, match=r"the 2 frames of 8 points of Rotate2D\.txt, found 3 of 8"):
        dexter.list_frames(tmp_path, "test")
    (annotations / "Rotate2D.txt").unlink()
    with pytest.raises(BadInput, match=r"Rotate2D\.txt.*no such file"):
        dexter.list_frames(tmp_path, "test")
    (annotations / "Rotate2D.txt").write_text(two)
    (tmp_path / "data/Rotate/depth/00001_depth.png").unlink()
    with pytest.raises(BadInput, match="each of 2 depth images, found 3 lines"):
        dexter.list_frames(tmp_path, "test")
    for path in (tmp_path / "data/Rotate/depth").iterdir():
        path.rename(path.with_suffix(".tif"))
    with pytest.raises(BadInput, match=r"found \.tif; .*convert it to 16-bit PNG"):
        dexter.list_frames(tmp_path, "test")


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_written_frames_are_read_back(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = write_dexter(tmp_path_factory.mktemp("dexter"), ("Grasp2",), frames=2)
    joints_mm, depth_mm = make_joints(DEXTER, 2, seed), make_depth(DEXTER, seed)
    dexter.write_annotations(root / "data/Grasp2", "Grasp2", joints_mm)
    dexter.write_depth(root / "data/Grasp2/depth" / dexter.depth_name(1), depth_mm)
    frame = dexter.list_frames(root, "test").frame(1)
    np.testing.assert_array_equal(frame.depth_mm, depth_mm)
    np.testing.assert_allclose(frame.joints_mm, joints_mm[1], atol=1e-3)


@pytest.mark.parametrize("name", [b"00001_\xff.png", b"00001_\n.png"])
def test_a_name_that_no_index_can_hold_is_refused(tmp_path: Path, name: bytes) -> None:
    folder = write_dexter(tmp_path) / "data/Rotate/depth"
    (folder / dexter.depth_name(1)).rename(os.fsdecode(os.fsencode(folder) + b"/" + name))
    with pytest.raises(BadInput, match=r"Rotate/depth: expected printable file names, found '00001_") as caught:
        dexter.list_frames(tmp_path, "test")
    assert str(caught.value).encode().isascii()


def test_pgm_of_five_thousand_digits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 " + b"3" * 5000 + b" 240 65535\n" + bytes(153600))
    with pytest.raises(BadInput, match="16-bit PGM"):
        dexter.read_depth(tmp_path / "a.pgm")


@pytest.mark.parametrize("depth", ["inf", "-400", "20000", "1e300"])
def test_revised_points_with_impossible_depth_are_refused(tmp_path: Path, depth: str) -> None:
    numbers = ["160, 120, 400"] * 23 + [f"160, 120, {depth}"]
    (tmp_path / "a.txt").write_text("; ".join(numbers) + ";\n")
    with pytest.raises(BadInput, match=r"a\.txt, line 1: .*joint 24 at"):
        dexter.read_revised(tmp_path / "a.txt")


def test_which_annotations_they_are_goes_with_the_frames(tmp_path: Path) -> None:
    write_dexter(tmp_path)
    points_mm = np.random.default_rng(7).uniform(-80, 80, (6, 24, 3)) + np.array([0, 0, 400.0])
    write_revised(tmp_path / "revised.txt", points_mm)
    listings = {
        "shipped": list_frames("dexter", tmp_path, "test"),
        "revised": list_frames("dexter", tmp_path, "test", revised=tmp_path / "revised.txt"),
    }
    for word, listing in listings.items():
        assert listing.annotations == word
        build_crops(listing, centre="block", size_px=16, out=tmp_path / word)
        assert open_store(tmp_path / word).card["protocol"]["annotations"] == word
    differences = np.abs(listings["shipped"].joints_mm - listings["revised"].joints_mm)
    assert np.nanmax(differences) > 1


@pytest.mark.parametrize(
    ("dataset", "revised", "said"),
    [
        ("icvl", "revised.txt", "expected dexter with revised annotations, found icvl"),
        ("dexter", "missing.txt", "expected revised annotations, a file or a folder, found no such path"),
    ],
)
def test_revised_annotations_that_are_not_there_are_named(
    tmp_path: Path, dataset: str, revised: str, said: str
) -> None:
    write_dexter(tmp_path)
    with pytest.raises(BadInput, match=said):
        list_frames(dataset, tmp_path, "test", revised=tmp_path / revised)
