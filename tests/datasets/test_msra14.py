"""MSRA14: whole images without a header, a joint.txt whose header is not known, spheres."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import make_depth, make_joints, write_msra14

from handbench.conventions import MSRA, MSRA14, MSRA14_SUBJECT_SCALE
from handbench.datasets import msra, msra14
from handbench.errors import BadInput


def test_trap_35_no_header_and_240_rows_of_320(tmp_path: Path) -> None:
    values = np.arange(76_800, dtype="<f4") % 30_000
    (tmp_path / "a.bin").write_bytes(values.tobytes())
    depth_mm = msra14.read_depth(tmp_path / "a.bin")
    assert depth_mm.shape == (240, 320)
    assert (depth_mm[0, 319], depth_mm[1, 0]) == (319, 320)


def test_trap_35_each_msra_refuses_the_others_files(tmp_path: Path) -> None:
    msra.write_depth(tmp_path / "15.bin", make_depth(MSRA))
    msra14.write_depth(tmp_path / "14.bin", make_depth(MSRA))
    assert (tmp_path / "14.bin").stat().st_size == 307_200
    with pytest.raises(BadInput, match="307200 bytes"):
        msra14.read_depth(tmp_path / "15.bin")
    with pytest.raises(BadInput, match="320x240 image as MSRA15"):
        msra.read_depth(tmp_path / "14.bin")


@pytest.mark.parametrize("length", [0, 307_199, 307_204])
def test_wrong_size_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(length))
    with pytest.raises(BadInput, match=f"found {length};"):
        msra14.read_depth(tmp_path / "a.bin")


def test_no_value_code_becomes_zero_and_nan_is_refused(tmp_path: Path) -> None:
    depth_mm = make_depth(MSRA)
    depth_mm[0, 0] = 32001
    msra14.write_depth(tmp_path / "a.bin", depth_mm)
    assert msra14.read_depth(tmp_path / "a.bin")[0, 0] == 0
    depth_mm[0, 0] = np.nan
    msra14.write_depth(tmp_path / "a.bin", depth_mm)
    with pytest.raises(BadInput, match="NaN"):
        msra14.read_depth(tmp_path / "a.bin")


@pytest.mark.parametrize("header", ["3", "3 21", "frames of Subject1", " ".join(["x", "y", "z"] * 21), None])
def test_trap_36_any_header_row_or_none(tmp_path: Path, header: str | None) -> None:
    path = write_msra14(tmp_path, ("Subject1",)) / "Subject1/joint.txt"
    expected = msra14.list_frames(tmp_path, "all").joints_mm
    rows = path.read_text().splitlines()[1:]
    path.write_text("\n".join(rows if header is None else [header, *rows]))
    np.testing.assert_array_equal(msra14.list_frames(tmp_path, "all").joints_mm, expected)


def test_trap_36_a_count_in_the_header_is_checked(tmp_path: Path) -> None:
    path = write_msra14(tmp_path, ("Subject1",)) / "Subject1/joint.txt"
    path.write_text("\n".join(["400", *path.read_text().splitlines()[1:]]))
    with pytest.raises(BadInput, match="the 400 frames"):
        msra14.list_frames(tmp_path, "all")


def test_trap_36_same_signs_as_msra15(tmp_path: Path) -> None:
    path = write_msra14(tmp_path, ("Subject1",), frames=1) / "Subject1/joint.txt"
    path.write_text("1\n" + " ".join(["20 30 -300"] * 21) + "\n")
    assert msra14.list_frames(tmp_path, "all").joints_mm[0, 0].tolist() == [20, -30, 300]


def test_trap_36_spheres_are_48_by_5_with_centres_in_camera_axes(tmp_path: Path) -> None:
    row = " ".join(["7 20 30 -300 9.5"] * 48)
    (tmp_path / "sphere.txt").write_text(f"some header\n{row}\n{row}\n")
    spheres = msra14.read_spheres(tmp_path / "sphere.txt")
    assert spheres.shape == (2, 48, 5)
    assert spheres[1, 47].tolist() == [7, 20, -30, 300, 9.5]
    msra14.write_spheres(tmp_path / "again.txt", spheres)
    np.testing.assert_array_equal(msra14.read_spheres(tmp_path / "again.txt"), spheres)
    (tmp_path / "sphere.txt").write_text(f"some header\n{row} 1\n")
    with pytest.raises(BadInput, match="line 2: expected 240 numbers, found 241"):
        msra14.read_spheres(tmp_path / "sphere.txt")


@pytest.mark.parametrize("folder", ["", "Release_2014_5_28"])
def test_subjects_in_order_with_their_scale(tmp_path: Path, folder: str) -> None:
    listing = msra14.list_frames(write_msra14(tmp_path / folder, ("Subject2", "Subject1")), "all")
    assert listing.subjects == ("Subject1",) * 3 + ("Subject2",) * 3
    assert listing.frame(5).name == "Subject2/000002_depth.bin"
    assert set(listing.subjects) <= set(MSRA14_SUBJECT_SCALE)


def test_missing_and_short_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="MSRA14's subject folders"):
        msra14.list_frames(tmp_path, "all")
    write_msra14(tmp_path)
    msra14.write_labels(tmp_path / "Subject2/joint.txt", make_joints(MSRA, 1))
    with pytest.raises(BadInput, match=r"Subject2/joint\.txt.*found 1 rows"):
        msra14.list_frames(tmp_path, "all")
    (tmp_path / "Subject2/joint.txt").unlink()
    with pytest.raises(BadInput, match=r"Subject2/joint\.txt.*no such file"):
        msra14.list_frames(tmp_path, "all")


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_written_frames_are_read_back(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = write_msra14(tmp_path_factory.mktemp("msra14"), ("Subject3",), frames=1)
    depth_mm, joints_mm = make_depth(MSRA14, seed) * np.float32(0.37), make_joints(MSRA14, 1, seed)
    msra14.write_depth(root / "Subject3/000000_depth.bin", depth_mm)
    msra14.write_labels(root / "Subject3/joint.txt", joints_mm)
    frame = msra14.list_frames(root, "all").frame(0)
    np.testing.assert_array_equal(frame.depth_mm, depth_mm)
    np.testing.assert_allclose(frame.joints_mm, joints_mm[0], atol=2e-5)
