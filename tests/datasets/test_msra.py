"""MSRA15: the .bin box and its header, the counted joint.txt, subjects and gestures in published order."""

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import make_depth, make_joints, write_msra

from handbench.conventions import MSRA, MSRA_GESTURES, MSRA_SUBJECTS
from handbench.datasets import msra
from handbench.datasets.msra_bad_frames import MSRA_BAD_FRAMES
from handbench.errors import BadInput
from handbench.geometry.camera import project_points

HEADER = "<6I"


def write_box(path: Path, left: int, top: int, right: int, bottom: int, values: np.ndarray) -> Path:
    content = struct.pack(HEADER, 320, 240, left, top, right, bottom) + values.astype("<f4").tobytes()
    path.write_bytes(content)
    return path


def test_trap_24_header_is_little_endian_with_exclusive_right_and_bottom(tmp_path: Path) -> None:
    msra.write_depth(tmp_path / "a.bin", make_depth(MSRA))
    content = (tmp_path / "a.bin").read_bytes()
    assert content[:24] == bytes.fromhex("40010000 f0000000 5a000000 3c000000 d2000000 a0000000")
    assert struct.unpack_from(HEADER, content) == (320, 240, 90, 60, 210, 160)
    assert len(content) == 24 + 4 * 120 * 100


@pytest.mark.parametrize("change", [-4, -1, 1, 4])
def test_trap_25_payload_must_match_the_header(tmp_path: Path, change: int) -> None:
    path = write_box(tmp_path / "a.bin", 10, 20, 12, 23, np.ones(6))
    path.write_bytes(path.read_bytes()[:change] if change < 0 else path.read_bytes() + bytes(change))
    with pytest.raises(BadInput, match=rf"a\.bin: expected 24 bytes of depth for that box, found {24 + change}"):
        msra.read_depth(path)


@pytest.mark.parametrize("box", [(10, 20, 10, 25), (10, 20, 15, 20), (0, 0, 0, 0), (15, 20, 10, 25)])
def test_trap_25_empty_box_is_refused(tmp_path: Path, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInput, match="an empty box"):
        msra.read_depth(write_box(tmp_path / "a.bin", *box, np.ones(0)))


@pytest.mark.parametrize("box", [(319, 0, 321, 1), (0, 239, 1, 241), (0, 0, 2**32 - 1, 1)])
def test_box_outside_the_image_is_refused(tmp_path: Path, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(BadInput, match="a box inside the 320x240 image"):
        msra.read_depth(write_box(tmp_path / "a.bin", *box, np.ones(2)))


@pytest.mark.parametrize("length", [0, 5, 23])
def test_truncated_header_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(length))
    with pytest.raises(BadInput, match=f"24-byte header, found {length} bytes"):
        msra.read_depth(tmp_path / "a.bin")


def test_big_endian_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(struct.pack(">6I", 320, 240, 0, 0, 1, 1) + bytes(4))
    with pytest.raises(BadInput, match="320x240 image"):
        msra.read_depth(tmp_path / "a.bin")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_depth_that_no_sensor_gives_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(BadInput, match="NaN, infinity or a negative number"):
        msra.read_depth(write_box(tmp_path / "a.bin", 0, 0, 2, 1, np.array([400, value])))


def test_trap_26_the_box_is_pasted_where_it_was(tmp_path: Path) -> None:
    path = write_box(tmp_path / "a.bin", 10, 20, 12, 23, np.arange(1, 7))
    depth_mm = msra.read_depth(path)
    assert depth_mm[20:23, 10:12].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert np.count_nonzero(depth_mm) == 6
    corner = msra.read_depth(write_box(tmp_path / "b.bin", 319, 239, 320, 240, np.array([7])))
    assert corner[239, 319] == 7


def test_trap_27_what_was_not_measured_is_zero(tmp_path: Path) -> None:
    depth_mm = msra.read_depth(write_box(tmp_path / "a.bin", 0, 0, 3, 1, np.array([0, 32001, 400])))
    assert depth_mm[0, :4].tolist() == [0, 0, 400, 0]


def test_blank_box_is_a_frame_without_depth(tmp_path: Path) -> None:
    assert not msra.read_depth(write_box(tmp_path / "a.bin", 0, 0, 2, 1, np.zeros(2))).any()


def test_trap_28_the_count_in_the_first_line_is_checked(tmp_path: Path) -> None:
    path = write_msra(tmp_path) / "P0/1/joint.txt"
    lines = path.read_text().splitlines()
    assert (lines[0], len(lines)) == ("3", 4)
    path.write_text("\n".join(["500", *lines[1:]]))
    with pytest.raises(BadInput, match=r"P0/1/joint\.txt: expected the 500 frames .*, found 3 lines"):
        msra.list_frames(tmp_path, "all")
    path.write_text("\n".join(lines[1:]))
    with pytest.raises(BadInput, match="line 1: expected the number of frames"):
        msra.list_frames(tmp_path, "all")
    path.write_text("")
    with pytest.raises(BadInput, match="an empty file"):
        msra.list_frames(tmp_path, "all")


def test_trap_28_fewer_labels_than_depth_files_are_refused(tmp_path: Path) -> None:
    write_msra(tmp_path)
    msra.write_labels(tmp_path / "P0/1/joint.txt", make_joints(MSRA, 2))
    with pytest.raises(BadInput, match=r"the last is 000002_depth\.bin, found 2 rows"):
        msra.list_frames(tmp_path, "all")


def test_trap_28_more_labels_than_depth_files_shift_no_row(tmp_path: Path) -> None:
    """As P2/MP 000414 in one circulating copy: the frame is an error only when it is read."""
    write_msra(tmp_path)
    (tmp_path / "P0/1/000001_depth.bin").unlink()
    listing = msra.list_frames(tmp_path, "all")
    np.testing.assert_array_equal(listing.frame(2).depth_mm, make_depth(MSRA, 2))
    with pytest.raises(BadInput, match=r"P0/1/000001_depth\.bin.*no such file"):
        listing.frame(1)


def test_trap_29_y_up_and_z_negative_in_the_file(tmp_path: Path) -> None:
    """By hand: (20, 30, -300) projects to u = 160 + 241.42 / 15, v = 120 - 241.42 / 10."""
    path = write_msra(tmp_path, ("P0/1",), frames=1) / "P0/1/joint.txt"
    path.write_text("1\n" + " ".join(["20 30 -300"] * 21) + "\n")
    joints_mm = msra.list_frames(tmp_path, "all").joints_mm
    assert joints_mm[0, 0].tolist() == [20, -30, 300]
    np.testing.assert_allclose(project_points(joints_mm[0, 0], MSRA.camera), [176.095, 95.858, 300], atol=1e-3)


def test_trap_30_joint_order() -> None:
    names = MSRA.joints.names
    assert (names[0], names[1], names[5], names[9], names[13], names[17], names[20]) == (
        ("wrist", "index_mcp", "middle_mcp") + ("ring_mcp", "little_mcp", "thumb_mcp", "thumb_tip")
    )


def test_trap_31_frames_are_counted_by_their_labels_and_named(tmp_path: Path) -> None:
    write_msra(tmp_path, ("P0/1",), frames=2)
    write_msra(tmp_path, ("P3/5",), frames=4)
    listing = msra.list_frames(tmp_path, "all")
    assert listing.subjects == ("P0",) * 2 + ("P3",) * 4
    assert listing.names[-1] == "P3/5/000003_depth.bin"


def test_trap_32_subjects_and_gestures_in_published_order(tmp_path: Path) -> None:
    order = [f"P{p}/{g}" for p in (0, 8) for g in MSRA_GESTURES]
    write_msra(tmp_path, tuple(reversed(order)), frames=1)
    assert list(msra.list_frames(tmp_path, "all").sequences) == order
    assert MSRA_SUBJECTS[0] == "P0"
    assert sorted(MSRA_GESTURES) == list(MSRA_GESTURES)


def test_trap_33_known_bad_frames_are_left_out_on_request(tmp_path: Path) -> None:
    assert sum(map(len, MSRA_BAD_FRAMES.values())) == 126
    write_msra(tmp_path, ("P1/7", "P1/9"), frames=2)  # P1/7 frame 0 is one of them
    assert len(msra.list_frames(tmp_path, "all")) == 4
    listing = msra.list_frames(tmp_path, "all", skip_bad=True)
    assert listing.names == ("P1/7/000001_depth.bin", "P1/9/000000_depth.bin", "P1/9/000001_depth.bin")
    np.testing.assert_array_equal(listing.frame(0).depth_mm, make_depth(MSRA, 1))


def test_trap_34_previews_are_not_frames(tmp_path: Path) -> None:
    write_msra(tmp_path, ("P0/1",), frames=2)
    for extra in range(5):
        (tmp_path / f"P0/1/{extra + 50:06d}_depth.jpg").touch()
    assert len(msra.list_frames(tmp_path, "all")) == 2


@pytest.mark.parametrize("folder", ["P0/W", "P0/10", "P9/1"])
def test_unlisted_folder_is_refused(tmp_path: Path, folder: str) -> None:
    write_msra(tmp_path)
    write_msra(tmp_path, (folder,))
    with pytest.raises(BadInput, match=f"found {folder}"):
        msra.list_frames(tmp_path, "all")


def test_archive_folder_may_be_named(tmp_path: Path) -> None:
    write_msra(tmp_path / "cvpr15_MSRAHandGestureDB")
    assert len(msra.list_frames(tmp_path, "all")) == 9


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="MSRA15's subject folders"):
        msra.list_frames(tmp_path, "all")
    write_msra(tmp_path)
    (tmp_path / "P0/1/joint.txt").unlink()
    with pytest.raises(BadInput, match=r"P0/1/joint\.txt.*no such file"):
        msra.list_frames(tmp_path, "all")


@pytest.mark.parametrize(
    ("line", "match"),
    [("1 2 3", "found 3"), (" ".join(["nan"] * 63), "found nan"), (" ".join(["x"] * 63), "'x'")],
)
def test_wrong_line_of_labels_is_named(tmp_path: Path, line: str, match: str) -> None:
    path = write_msra(tmp_path) / "P0/1/joint.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, lines[3]]))
    with pytest.raises(BadInput, match=f"line 3.*{match}"):
        msra.list_frames(tmp_path, "all")


def test_frame_without_depth_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="a measured pixel"):
        msra.write_depth(tmp_path / "a.bin", np.zeros((240, 320), np.float32))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 300), st.integers(0, 220))
def test_written_frames_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, seed: int, right: int, down: int
) -> None:
    root = write_msra(tmp_path_factory.mktemp("msra"), ("P4/TIP",), frames=1)
    depth_mm = np.roll(make_depth(MSRA, seed), (down, right), axis=(0, 1)) * np.float32(0.37)
    joints_mm = make_joints(MSRA, 1, seed)
    msra.write_depth(root / "P4/TIP/000000_depth.bin", depth_mm)
    msra.write_labels(root / "P4/TIP/joint.txt", joints_mm)
    frame = msra.list_frames(root, "all").frame(0)
    np.testing.assert_array_equal(frame.depth_mm, depth_mm)
    np.testing.assert_allclose(frame.joints_mm, joints_mm[0], atol=2e-5)


def test_empty_box_names_the_way_to_leave_it_out(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"an empty box .*--allow-skips N"):
        msra.read_depth(write_box(tmp_path / "a.bin", 10, 20, 10, 25, np.ones(0)))
