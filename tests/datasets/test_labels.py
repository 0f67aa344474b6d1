"""Label texts: numbers that are plain, files that are whole, joints that can be."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from miniature import make_joints, size_palm, write_dexter, write_icvl, write_msra, write_msra14, write_nyu

from handbench.conventions import MSRA, NYU
from handbench.datasets import nyu
from handbench.datasets.importers import list_frames
from handbench.datasets.labels import check_places, parse_numbers, read_joint_text, read_lines, write_joint_text
from handbench.errors import BadInput

IMPOSSIBLE_MM = (32001.0, -32001.0, 1e30, 1e300, 0.0, -400.0)
TEXTS: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "icvl": (write_icvl, "test", "Testing/test_seq_1.txt"),
    "msra": (write_msra, "all", "P0/TIP/joint.txt"),
    "msra14": (write_msra14, "all", "Subject2/joint.txt"),
    "dexter": (write_dexter, "test", "data/Rotate/annotations/Rotate3D.txt"),
}


@pytest.fixture(autouse=True)
def _warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def change_depth(path: Path, line: int, depth: str) -> None:
    """Put `depth` in place of the last number of a 1-based line, whatever stands around it."""
    lines = path.read_bytes().decode().split("\n")
    lines[line - 1] = re.sub(r"[-.\d]+(\s*)$", rf"{depth}\1", lines[line - 1])
    path.write_bytes("\n".join(lines).encode())


@pytest.mark.parametrize("depth_mm", IMPOSSIBLE_MM)
@pytest.mark.parametrize(("dataset", "line"), [("icvl", 2), ("msra", 3), ("msra14", 3), ("dexter", 3)])
def test_impossible_depth_names_file_and_line(tmp_path: Path, dataset: str, line: int, depth_mm: float) -> None:
    write, split, name = TEXTS[dataset]
    path = write(tmp_path) / name
    # MSRA's z is negative before the camera.
    change_depth(path, line, str(-depth_mm if dataset.startswith("msra") else depth_mm))
    if dataset == "dexter" and depth_mm in (32001, -32001, 0):
        assert np.isnan(list_frames(dataset, tmp_path, split).joints_mm[-1, -1]).all()
        return
    with pytest.raises(BadInput, match=rf"{path.name}, line {line}: expected joints in front .* mm; download"):
        list_frames(dataset, tmp_path, split)


@pytest.mark.parametrize("depth_mm", IMPOSSIBLE_MM)
def test_impossible_depth_names_the_row_of_nyu(tmp_path: Path, depth_mm: float) -> None:
    path = write_nyu(tmp_path) / "train/joint_data.mat"
    mat = scipy.io.loadmat(path)
    mat["joint_xyz"][0, 1, 7, 2] = depth_mm
    scipy.io.savemat(path, {name: mat[name] for name in ("joint_xyz", "joint_uvd")})
    with pytest.raises(BadInput, match=r"joint_data\.mat, view 1, row 2.*joint 8 at"):
        nyu.list_frames(tmp_path, "train")


def test_impossible_pixels_of_nyu_are_refused_without_a_warning(tmp_path: Path) -> None:
    path = write_nyu(tmp_path) / "train/joint_data.mat"
    mat = scipy.io.loadmat(path)
    mat["joint_uvd"][:] = 1e300
    scipy.io.savemat(path, {name: mat[name] for name in ("joint_xyz", "joint_uvd")})
    with pytest.raises(BadInput, match="project onto joint_uvd"):
        nyu.list_frames(tmp_path, "train")


def test_joint_far_to_the_side_is_refused_too(tmp_path: Path) -> None:
    path = write_icvl(tmp_path) / "Testing/test_seq_1.txt"
    text = path.read_text()
    path.write_text(text.replace(text.split()[1], "1e40", 1))
    with pytest.raises(BadInput, match=r"test_seq_1\.txt, line 1: .*joint 1 at"):
        list_frames("icvl", tmp_path, "test")


def test_places_by_hand() -> None:
    def name_row(row: int) -> str:
        return f"row {row}"

    joints_mm = np.full((3, 2, 3), 1.0)
    joints_mm[1, :, 2] = 10_000
    check_places(name_row, joints_mm)
    joints_mm[2, 0] = (5, 6, 10_001)
    with pytest.raises(BadInput, match=r"^row 2: .*within 10,000 mm of it, found joint 1 at \(5, 6, 10001\) mm"):
        check_places(name_row, joints_mm)
    joints_mm[2, 0, 2] = np.nan
    with pytest.raises(BadInput, match=r"\(5, 6, nan\)"):
        check_places(name_row, joints_mm)
    unknown = np.zeros((3, 2), bool)
    unknown[2, 0] = True
    check_places(name_row, joints_mm, unknown=unknown)


def test_a_hand_wider_than_any_is_refused() -> None:
    joints_mm = np.full((3, 3, 3), 100.0)
    joints_mm[1, 0, 2] = 600.0
    check_places(str, joints_mm)
    joints_mm[1, 0, 2] = 601.0
    with pytest.raises(BadInput, match=r"^1: expected joints within 500 mm of each other, found joints 501 mm apart"):
        check_places(str, joints_mm)
    unknown = np.zeros((3, 3), bool)
    unknown[1, 0] = True
    check_places(str, joints_mm, unknown=unknown)


def test_a_row_of_nyu_that_contradicts_itself_is_named(tmp_path: Path) -> None:
    joints_mm = make_joints(NYU, 3)
    size_palm(joints_mm, 81.3)
    path = tmp_path / "joint_data.mat"
    nyu.write_joint_data(path, joints_mm)
    arrays = scipy.io.loadmat(path, variable_names=["joint_xyz", "joint_uvd"])
    arrays["joint_xyz"][0, 1] *= 1.2
    scipy.io.savemat(path, {name: arrays[name] for name in ("joint_xyz", "joint_uvd")})
    (tmp_path / "train").mkdir()
    path.rename(tmp_path / "train" / "joint_data.mat")
    with pytest.raises(BadInput, match=r"row 2: expected joint_xyz and joint_uvd within 50 mm in depth"):
        nyu.list_frames(tmp_path, "train")


@pytest.mark.parametrize("dataset", list(TEXTS))
def test_a_text_cut_inside_its_last_number_is_refused(tmp_path: Path, dataset: str) -> None:
    """Three decimals that lost one still read as a number; a cut after the number alone changes nothing."""
    write, split, name = TEXTS[dataset]
    path = write(tmp_path) / name
    whole = path.read_bytes().rstrip()
    expected = list_frames(dataset, tmp_path, split).joints_mm
    for lost in range(1, 5):
        path.write_bytes(whole[:-lost])
        with pytest.raises(BadInput, match=rf"{path.name}, line \d: expected a line end.*they are cut short"):
            list_frames(dataset, tmp_path, split)
    for end in (b"", b"\n", b" ", b" \r\r\n"):
        path.write_bytes(whole + end)
        np.testing.assert_array_equal(list_frames(dataset, tmp_path, split).joints_mm, expected)


def test_without_fixed_decimals_the_last_line_must_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in ("1 2 3", "1.5 2.25 3.5", "1.5", "1.5 2.5e10", "word"):
        path.write_text(text)
        with pytest.raises(BadInput, match="the file's end after"):
            read_lines(path, holds="numbers")
        path.write_text(text + "\n")
        assert read_lines(path, holds="numbers") == [(1, text)]


@pytest.mark.parametrize("token", ["1_0", "_1", "\u0661", "\uff11", "1__0.5", "x", "0x10", "1,5"])
def test_only_plain_numbers_are_numbers(tmp_path: Path, token: str) -> None:
    with pytest.raises(BadInput, match=r"line 7: expected 2 .*numbers, found '"):
        parse_numbers(tmp_path / "a.txt", 7, ["1.5", token], 2)
    assert parse_numbers(tmp_path / "a.txt", 7, ["-1.5", "+2e-3"], 2) == [-1.5, 0.002]


@pytest.mark.parametrize("header", ["9" * 5000, "0" * 10, "\u0661"])
@pytest.mark.parametrize("counted", [True, False])
def test_a_count_of_any_length_is_an_error_of_its_line(tmp_path: Path, header: str, counted: bool) -> None:
    path = tmp_path / "joint.txt"
    write_joint_text(path, make_joints(MSRA, 1))
    path.write_text("\n".join([header, *path.read_text().split("\n")[1:]]))
    with pytest.raises(BadInput, match=r"joint\.txt, line 1: expected the number of frames") as caught:
        read_joint_text(path, counted=counted)
    assert len(str(caught.value)) < 300


def test_the_last_joint_of_a_full_training_set_is_looked_at() -> None:
    joints_mm = np.full((72_757, 36, 3), 500.0)
    joints_mm[-1, -1, 2] = 32001
    with pytest.raises(BadInput, match="last 72756"):
        check_places(lambda row: f"last {row}", joints_mm)
