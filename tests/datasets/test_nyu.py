"""NYU: packing, numbering, signs, views and people; against the one real frame and the published labels."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import make_depth, make_joints, size_palm, write_nyu

from handbench.conventions import NYU, NYU_LABEL_CAMERA, NYU_SCORED
from handbench.datasets import nyu
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points, project_points


def write_mat(path: Path, **fields: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, fields)


def write_packed(path: Path, depth: np.ndarray) -> None:
    """Depth in a colour PNG by a general encoder (OpenCV's channel order is blue, green, red)."""
    cv2.imwrite(str(path), np.stack([depth & 255, depth >> 8, np.zeros_like(depth)], axis=-1).astype(np.uint8))


def test_real_frame_decodes(shared: Path) -> None:
    """Trap 1, 4: 731..2001 mm in the file, 187,127 saturated pixels, no zeros; an independent decoder agrees."""
    path = shared / "real/nyu/depth_1_0000001.png"
    depth_mm = nyu.read_depth(path)
    bgr = cv2.imread(str(path)).astype(int)
    packed = bgr[..., 1] * 256 + bgr[..., 0]
    assert (packed.min(), packed.max()) == (731, 2001)
    assert np.count_nonzero(depth_mm == 0) == 187_127
    np.testing.assert_array_equal(depth_mm, np.where(packed == 2001, 0, packed))


def test_real_joints_lie_inside_the_hand(shared: Path) -> None:
    depth_mm = nyu.read_depth(shared / "real/nyu/depth_1_0000001.png")
    labels = np.loadtxt(shared / "real/nyu/joint_1_uvd_first_frame.csv", delimiter=",")[list(NYU_SCORED)]
    u, v = np.rint(labels[:, :2]).astype(int).T
    behind_mm = np.rint(labels[:, 2] - depth_mm[v, u])
    assert (behind_mm.min(), behind_mm.max()) == (3, 33)


def test_trap_01_green_is_high_and_blue_is_low(tmp_path: Path) -> None:
    values = np.full((480, 640), 0x0312, np.int64)  # 786 mm
    write_packed(tmp_path / "a.png", values)
    assert np.unique(nyu.read_depth(tmp_path / "a.png")).tolist() == [786.0]


def test_trap_02_no_overflow_over_the_whole_range(tmp_path: Path) -> None:
    values = np.arange(480 * 640).reshape(480, 640) % 2001
    write_packed(tmp_path / "a.png", values)
    np.testing.assert_array_equal(nyu.read_depth(tmp_path / "a.png"), values)


def test_trap_03_files_count_from_one_and_labels_from_zero(tmp_path: Path) -> None:
    listing = nyu.list_frames(write_nyu(tmp_path), "train")
    assert listing.names == tuple(f"train/depth_1_000000{n}.png" for n in (1, 2, 3))
    for row in range(3):
        np.testing.assert_array_equal(listing.frame(row).depth_mm, make_depth(NYU, row))


def test_trap_04_both_saturation_and_zero_mean_not_measured(tmp_path: Path) -> None:
    values = np.zeros((480, 640), np.int64)
    values[0, :4] = (2000, 2001, 2002, 40000)
    write_packed(tmp_path / "a.png", values)
    depth_mm = nyu.read_depth(tmp_path / "a.png")
    assert depth_mm[0, :4].tolist() == [2000, 0, 0, 0]
    assert np.count_nonzero(depth_mm) == 1


def test_written_background_is_saturated_as_in_the_real_frame(tmp_path: Path) -> None:
    nyu.write_depth(tmp_path / "a.png", make_depth(NYU))
    bgr = cv2.imread(str(tmp_path / "a.png")).astype(int)
    assert (bgr[..., 1] * 256 + bgr[..., 0])[0, 0] == 2001
    assert not bgr[..., 2].any()


def test_trap_05_y_is_up_in_the_file_and_down_here(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    mat = scipy.io.loadmat(tmp_path / "train/joint_data.mat")
    joints_mm = nyu.list_frames(tmp_path, "train").joints_mm
    np.testing.assert_allclose(mat["joint_xyz"][0], joints_mm * [1, -1, 1], rtol=1e-6)
    above = mat["joint_xyz"][0, ..., 1] > 0
    assert (mat["joint_uvd"][0, ..., 1][above] < 240).all()
    assert (mat["joint_xyz"][0, ..., 2] > 0).all()


def test_trap_05_labels_turned_by_someone_are_refused(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    path = tmp_path / "train/joint_data.mat"
    mat = scipy.io.loadmat(path)
    write_mat(path, joint_xyz=mat["joint_xyz"] * [1, -1, 1], joint_uvd=mat["joint_uvd"])
    with pytest.raises(BadInput, match="project onto joint_uvd"):
        nyu.list_frames(tmp_path, "train")


@pytest.mark.parametrize("fx", [587.075, 588.03, 588.235])
def test_trap_06_xyz_of_any_published_camera_is_within_half_a_millimetre(tmp_path: Path, fx: float) -> None:
    """joint_uvd is square-pixel; whichever focal length made joint_xyz, the file is accepted and agrees to 0.5 mm."""
    write_nyu(tmp_path)
    path = tmp_path / "train/joint_data.mat"
    mat = scipy.io.loadmat(path)
    xyz = mat["joint_xyz"].copy()
    xyz[..., 0] *= 587.075 / fx
    write_mat(path, joint_xyz=xyz, joint_uvd=mat["joint_uvd"])
    joints_mm = nyu.list_frames(tmp_path, "train").joints_mm
    from_uvd = back_project_points(mat["joint_uvd"][0], NYU_LABEL_CAMERA)
    assert np.abs(joints_mm - from_uvd).max() < 0.5


def test_trap_07_camera_one_is_the_default(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    for camera in (2, 3):
        nyu.write_depth(tmp_path / "train" / nyu.depth_name(0, camera), make_depth(NYU, 9))
        (tmp_path / "train" / f"synthdepth_{camera}_0000001.png").touch()
    listing = nyu.list_frames(tmp_path, "train")
    assert len(listing) == 3
    assert all("depth_1_" in name for name in listing.names)


def test_trap_07_side_views_swap_within_the_training_set() -> None:
    assert set(nyu.choose_cameras("train", 30000, 1)) == {1}
    second = nyu.choose_cameras("train", 30000, 2)
    third = nyu.choose_cameras("train", 30000, 3)
    assert (second[29115], second[29116]) == (3, 2)
    assert (third[29115], third[29116]) == (2, 3)
    assert set(nyu.choose_cameras("test", 30000, 2)) == {2}


def test_trap_07_side_view_takes_the_labels_of_its_camera(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    views = [make_joints(NYU, 3, seed) for seed in (1, 2, 3)]
    nyu.write_joint_data(tmp_path / "train/joint_data.mat", views[0], side_views_mm=np.stack(views[1:]))
    listing = nyu.list_frames(tmp_path, "train", view=2)  # camera 3 before the swap
    assert listing.names[0] == "train/depth_3_0000001.png"
    np.testing.assert_allclose(listing.joints_mm, views[2], rtol=1e-6)


def test_side_view_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="view 3, row 1"):
        nyu.list_frames(write_nyu(tmp_path), "train", view=3)


def test_trap_08_joint_order_is_the_files(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    names = [str(name[0]) for name in scipy.io.loadmat(tmp_path / "train/joint_data.mat")["joint_names"][0]]
    assert tuple(names) == NYU.joints.names
    assert [names[i] for i in NYU_SCORED][:2] == ["F1_KNU3_A", "F1_KNU2_B"]


def test_trap_09_palm_is_32_of_36_and_13_of_14() -> None:
    assert NYU.joints.index(NYU.centre_joint) == 32
    assert NYU_SCORED.index(32) == 13
    assert NYU.joints.index("PALM_5") == 34


def test_trap_10_palm_size_is_the_2440_rule_on_every_published_row(shared: Path) -> None:
    """The first of the second person is depth_1_0002441.png; rows before it are all the first person's."""
    uvd = np.loadtxt(shared / "published/nyu/nyu_test_groundtruth_label.txt").reshape(-1, 14, 3)
    joints_mm = np.zeros((len(uvd), 36, 3), np.float32)
    joints_mm[:, list(NYU_SCORED)] = back_project_points(uvd, NYU_LABEL_CAMERA)
    assert nyu._name_subjects(joints_mm, "test") == ("test_1",) * 2440 + ("test_2",) * 5812


def test_trap_10_people_of_a_partial_test_set(tmp_path: Path) -> None:
    listing = nyu.list_frames(write_nyu(tmp_path, test=(2, 3)), "test")
    assert listing.subjects == ("test_1", "test_1", "test_2", "test_2", "test_2")
    assert [NYU.cube_of(subject) for subject in listing.subjects] == [300, 300, 250, 250, 250]
    assert set(nyu.list_frames(tmp_path, "train").subjects) == {"train"}


def test_trap_11_there_is_one_test_folder(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    with pytest.raises(BadInput, match="'train' or 'test'"):
        nyu.list_frames(tmp_path, "test_1")


def test_trap_12_predictions_are_not_taken_for_labels(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    write_mat(
        tmp_path / "test/joint_data.mat",
        conv_joint_names=np.array(["PALM_3"], dtype=object),
        pred_joint_uvconf=np.zeros((1, 4, 36, 3)),
    )
    with pytest.raises(BadInput, match="no joint_xyz"):
        nyu.list_frames(tmp_path, "test")


def test_trap_13_a_missing_picture_shifts_no_row(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    before = nyu.list_frames(tmp_path, "train")
    (tmp_path / "train/depth_1_0000002.png").unlink()
    after = nyu.list_frames(tmp_path, "train")
    assert after.names == before.names
    np.testing.assert_array_equal(after.joints_mm, before.joints_mm)
    np.testing.assert_array_equal(after.frame(2).depth_mm, make_depth(NYU, 2))
    with pytest.raises(BadInput, match=r"depth_1_0000002\.png.*no such file"):
        after.frame(1)


@pytest.mark.parametrize("folder", ["", "dataset", "nyu_hand_dataset_v2/dataset"])
def test_any_of_the_usual_folders_may_be_named(tmp_path: Path, folder: str) -> None:
    write_nyu(tmp_path / folder, train=1)
    listing = nyu.list_frames(tmp_path, "train")
    assert listing.root == tmp_path / folder
    assert listing.frame(0).name == "train/depth_1_0000001.png"


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        nyu.list_frames(tmp_path / "nowhere", "train")
    with pytest.raises(BadInput, match="nothing in it"):
        nyu.list_frames(tmp_path, "train")


def test_missing_mat_says_where_it_belongs(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    (tmp_path / "test/joint_data.mat").unlink()
    with pytest.raises(BadInput, match=r"one in train/ and one in test/, found no such file"):
        nyu.list_frames(tmp_path, "test")


def test_fewer_labels_than_pictures_are_refused(tmp_path: Path) -> None:
    write_nyu(tmp_path)
    nyu.write_joint_data(tmp_path / "train/joint_data.mat", make_joints(NYU, 2))
    with pytest.raises(BadInput, match="the last is number 3, found 2 rows"):
        nyu.list_frames(tmp_path, "train")


def test_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    write_nyu(tmp_path, train=0)
    nyu.write_joint_data(tmp_path / "train/joint_data.mat", make_joints(NYU, 2))
    with pytest.raises(BadInput, match=r"depth_1_0000001\.png and so on, found none"):
        nyu.list_frames(tmp_path, "train")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not one"),
        (b"<html>404</html>" * 20, "not one"),
        (
            b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + b"\x89HDF" * 200,
            r"MATLAB 7\.3 .*saved anew with -v7",
        ),
    ],
)
def test_a_file_that_is_no_mat_is_refused(tmp_path: Path, content: bytes, match: str) -> None:
    write_nyu(tmp_path)
    (tmp_path / "train/joint_data.mat").write_bytes(content)
    with pytest.raises(BadInput, match=match):
        nyu.list_frames(tmp_path, "train")


def test_truncated_mat_is_refused_at_every_length(tmp_path: Path) -> None:
    path = write_nyu(tmp_path) / "train/joint_data.mat"
    content = path.read_bytes()
    for kept in range(0, len(content) - 1, len(content) // 40):
        path.write_bytes(content[:kept])
        with pytest.raises(BadInput, match=r"joint_data\.mat"):
            nyu.list_frames(tmp_path, "train")


@pytest.mark.parametrize(
    ("xyz", "match"),
    [
        (np.zeros((3, 2, 14, 3)), "joint_xyz of 3x2x14x3 double"),
        (np.zeros((2, 36, 3)), "joint_xyz of 2x36x3 double"),
        (np.zeros((3, 2, 36, 3), np.int32), "joint_xyz of 3x2x36x3 int32"),
        (np.zeros((3, 4, 36, 3)), "different lengths"),
        (np.zeros((3, 2, 36, 3), np.complex128), "complex"),
        (np.array([{"a": 1}], dtype=object), "joint_xyz of 1x1 cell"),
    ],
)
def test_mat_of_other_shape_or_kind_is_refused(tmp_path: Path, xyz: np.ndarray, match: str) -> None:
    """Structs and objects are recognised by their header and never read."""
    write_nyu(tmp_path)
    write_mat(tmp_path / "train/joint_data.mat", joint_xyz=xyz, joint_uvd=np.zeros((3, 2, 36, 3)))
    with pytest.raises(BadInput, match=match):
        nyu.list_frames(tmp_path, "train")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_joint_that_is_no_number_names_its_row(tmp_path: Path, value: float) -> None:
    path = write_nyu(tmp_path) / "train/joint_data.mat"
    mat = scipy.io.loadmat(path)
    mat["joint_xyz"][0, 1, 7, 2] = value
    write_mat(path, joint_xyz=mat["joint_xyz"], joint_uvd=mat["joint_uvd"])
    with pytest.raises(BadInput, match="view 1, row 2"):
        nyu.list_frames(tmp_path, "train")
    with pytest.raises(BadInput, match="finite joints to write"):
        nyu.write_joint_data(path, np.full((1, 36, 3), value, np.float32))


def test_sixteen_bit_picture_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((480, 640), np.uint16))
    with pytest.raises(BadInput, match="8-bit RGB, found 640x480 PNG, 16-bit grey"):
        nyu.read_depth(tmp_path / "a.png")


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**32), st.floats(77, 95), st.floats(40, 75))
def test_written_labels_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, seed: int, large: float, small: float
) -> None:
    root = write_nyu(tmp_path_factory.mktemp("nyu"), train=1, test=(1, 1))
    joints_mm = make_joints(NYU, 2, seed)
    size_palm(joints_mm[:1], large)
    size_palm(joints_mm[1:], small)
    nyu.write_joint_data(root / "test/joint_data.mat", joints_mm)
    listing = nyu.list_frames(root, "test")
    np.testing.assert_allclose(listing.joints_mm, joints_mm, atol=1e-4)
    assert listing.subjects == ("test_1", "test_2")
    uvd = scipy.io.loadmat(root / "test/joint_data.mat")["joint_uvd"][0]
    np.testing.assert_allclose(project_points(listing.joints_mm.astype(float), NYU_LABEL_CAMERA), uvd, atol=1e-3)


def test_trap_01_a_picture_with_red_and_blue_swapped_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    nyu.write_depth(path, make_depth(NYU))
    bgr = cv2.imread(str(path))
    for filters in (cv2.IMWRITE_PNG_FILTER_NONE, cv2.IMWRITE_PNG_FILTER_SUB, cv2.IMWRITE_PNG_FILTER_PAETH):
        cv2.imwrite(str(path), bgr[..., ::-1], [cv2.IMWRITE_PNG_FILTER, filters])
        with pytest.raises(BadInput, match=r"a\.png: expected depth in green and blue alone, found values in red"):
            nyu.read_depth(path)


def test_unreadable_picture_names_the_way_to_leave_it_out(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    nyu.write_depth(path, make_depth(NYU))
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BadInput, match=r"cut off after 500 bytes; .*--allow-skips N"):
        nyu.read_depth(path)


@pytest.mark.parametrize("name", ["joint_xyz", "joint_uvd"])
def test_variable_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    path = write_nyu(tmp_path) / "train/joint_data.mat"
    mat = scipy.io.loadmat(path)
    write_mat(path, joint_xyz=mat["joint_xyz"], joint_uvd=mat["joint_uvd"])
    whole = path.read_bytes()
    write_mat(path, **{name: mat[name]})
    path.write_bytes(whole + path.read_bytes()[128:])
    with pytest.raises(BadInput, match=f"two variables named {name}"):
        nyu.list_frames(tmp_path, "train")


def test_one_red_value_anywhere_is_found(tmp_path: Path) -> None:
    for row, column in ((0, 0), (479, 639), (217, 5)):
        bgr = np.full((480, 640, 3), 3, np.uint8)
        bgr[..., 2] = 0
        bgr[row, column, 2] = 1
        cv2.imwrite(str(tmp_path / "a.png"), bgr)
        with pytest.raises(BadInput, match="values in red"):
            nyu.read_depth(tmp_path / "a.png")
