"""NYU Hand Pose on disk: depth packed in colour PNGs, labels in joint_data.mat (y up).

File numbers are 1-based, label rows 0-based: row i is depth_1_{i + 1}.png.
"""

import io
import re
from pathlib import Path

import numpy as np
import scipy.io
from jaxtyping import Float32, Int

from handbench.conventions import NYU, NYU_JOINTS, NYU_LABEL_CAMERA
from handbench.datasets.files import replace_file
from handbench.datasets.labels import Joints, check_joints, check_places
from handbench.datasets.layout import check_split, find_base, list_numbers
from handbench.datasets.listing import Listing
from handbench.datasets.mat_file import read_arrays
from handbench.datasets.png import GREEN_BLUE, Depth, read_depth_png, write_depth_png
from handbench.errors import BadInput
from handbench.geometry.camera import project_points

SATURATED_MM = 2001
"""What the real frames hold where nothing was measured: behind the range, and most of the background."""

VIEWS_SWAP_BEFORE_ROW = 29116
"""In the training set cameras 2 and 3 change places here (0-based), so a view is not a camera number."""

ROW_OFF_MM = 50.0

SMALL_HAND_BELOW_MM = 76.0
"""PALM_3 to PALM_1 is 81.3 mm on the first person of the test set, 70.6 and later 67.3 mm on the second."""

_FOLDERS = ("", "dataset", "nyu_hand_dataset_v2/dataset")
_DEPTH_NAME = re.compile(r"depth_[123]_(\d{7})\.png")
_MOST_FRAMES = 200_000  # an untrusted header could ask for all the memory there is
_NUMBERS = {"float64": "double", "float32": "single"}
_Y_UP = np.array([1.0, -1.0, 1.0])

_MAT_HEADER = b"MATLAB 5.0 MAT-file".ljust(116)
"""The 116 bytes of free text that begin a .mat file."""


def depth_name(row: int, camera: int = 1) -> str:
    """File name of a 0-based label row."""
    return f"depth_{camera}_{row + 1:07d}.png"


def read_depth(path: Path) -> Depth:
    """Millimetres; 0 and the saturated background (2001) both mean "not measured"."""
    return read_depth_png(
        path, GREEN_BLUE, width=NYU.camera.width, height=NYU.camera.height, farthest_mm=SATURATED_MM - 1
    )


def write_depth(path: Path, depth_mm: Depth) -> None:
    """Pixels without a measurement become the saturated background, as in the real frames."""
    write_depth_png(path, depth_mm, GREEN_BLUE, unmeasured=SATURATED_MM)


def list_frames(root: Path, split: str, *, view: int = 1) -> Listing:
    """View 1 is the frontal one that every published number is measured on; 2 and 3 are its neighbours."""
    check_split(NYU, split)
    base = find_base(root, _FOLDERS, (split,), holds=f"NYU's {split} folder")
    joints_mm, cameras = _read_view(base / split / "joint_data.mat", split, view)
    last = list_numbers(base / split, _DEPTH_NAME, holds="depth_1_0000001.png and so on")[-1]
    if last > len(joints_mm):
        raise BadInput(
            base / split / "joint_data.mat",
            expected=f"labels for all frames on disk, of which the last is number {last}",
            found=f"{len(joints_mm)} rows",
            fix="take joint_data.mat and the pictures from the same split of the same download",
        )
    subjects = _name_subjects(joints_mm, split)
    return Listing(
        convention=NYU,
        split=split,
        root=base,
        names=tuple(f"{split}/{depth_name(row, camera)}" for row, camera in enumerate(cameras.tolist())),
        subjects=subjects,
        sequences=subjects,
        joints_mm=joints_mm,
        read_depth=read_depth,
    )


def choose_cameras(split: str, frames: int, view: int) -> Int[np.ndarray, "frames"]:
    """The camera number (1 to 3) whose files show `view` at each row."""
    if view not in (1, 2, 3):
        raise BadInput("view", expected="1, 2 or 3", found=str(view), fix="choose 1 for the published protocol")
    cameras = np.full(frames, view)
    if split == "train" and view != 1:
        cameras[:VIEWS_SWAP_BEFORE_ROW] = 5 - view
    return cameras


def write_joint_data(
    path: Path, joints_mm: Joints, *, side_views_mm: Float32[np.ndarray, "2 frames joints 3"] | None = None
) -> None:
    """joint_data.mat: names, joint_uvd (square pixels) and joint_xyz (y up); cameras 2 and 3 are zero if not given."""
    check_joints(path, joints_mm)
    xyz = np.zeros((3, *joints_mm.shape))
    uvd = np.zeros_like(xyz)
    for camera, view_mm in enumerate((joints_mm,) if side_views_mm is None else (joints_mm, *side_views_mm)):
        xyz[camera] = view_mm * _Y_UP
        uvd[camera] = project_points(view_mm.astype(np.float64), NYU_LABEL_CAMERA)
    names = np.array(NYU_JOINTS.names, dtype=object).reshape(1, -1)
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"joint_names": names, "joint_uvd": uvd, "joint_xyz": xyz}, do_compression=True)
    # The header's text carries the time of writing: without it the same labels give the same bytes.
    replace_file(path, _MAT_HEADER + buffer.getvalue()[len(_MAT_HEADER) :])


def _read_view(path: Path, split: str, view: int) -> tuple[Joints, Int[np.ndarray, "frames"]]:
    """Joints of one view in camera axes, once pixels and millimetres of the file tell the same story."""
    arrays = _read_arrays(path)
    frames = arrays["joint_xyz"].shape[1]
    cameras = choose_cameras(split, frames, view)
    xyz, uvd = (arrays[name][cameras - 1, np.arange(frames)] for name in ("joint_xyz", "joint_uvd"))
    joints_mm = xyz * _Y_UP
    hint = "" if view == 1 else " (embedded data has labels of view 1 only)"
    check_places(lambda row: f"{path}, view {view}, row {row + 1}{hint}", joints_mm)
    with np.errstate(over="ignore", invalid="ignore"):  # impossible pixels are infinitely far apart
        apart_px = np.linalg.norm((project_points(joints_mm, NYU_LABEL_CAMERA) - uvd)[..., :2], axis=-1)
    _check_rows(path, joints_mm, uvd, apart_px)
    off_px = float(np.median(apart_px))
    if not off_px < 2.0:
        raise BadInput(
            path,
            expected="joint_xyz (y up) to project onto joint_uvd",
            found=f"{off_px:.4g} pixels between them at the median",
            fix="use joint_data.mat as published, not a converted copy",
        )
    return joints_mm.astype(np.float32), cameras


def _check_rows(path: Path, joints_mm: np.ndarray, uvd: np.ndarray, apart_px: np.ndarray) -> None:
    """Each frame for itself: pixels, depth and millimetres of one row must mean one place."""
    off_mm = np.median(np.abs(joints_mm[..., 2] - uvd[..., 2]), axis=1)
    wrong = (off_mm > ROW_OFF_MM) & (np.median(apart_px) < 2.0)
    if wrong.any():
        row = int(wrong.argmax())
        raise BadInput(
            f"{path}, row {row + 1}",
            expected=f"joint_xyz and joint_uvd within {ROW_OFF_MM:.0f} mm in depth",
            found=f"{off_mm[row]:.0f} mm between them",
            fix="use joint_data.mat as published, not an edited copy",
        )


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Both label arrays, plain numbers of the right shape."""
    names = ("joint_xyz", "joint_uvd")
    holds = "joint_data.mat, one in train/ and one in test/"
    arrays = read_arrays(path, names, most_bytes=_MOST_FRAMES * 3 * 36 * 3 * 8, holds=holds)
    for name in names:
        if name not in arrays:
            raise _refuse_mat(path, f"no {name} among its variables")
        shape, kind = arrays[name].shape, arrays[name].dtype.name
        if kind not in _NUMBERS or len(shape) != 4 or shape[0] != 3 or shape[1] == 0 or shape[2:] != (36, 3):
            raise _refuse_mat(path, f"{name} of {'x'.join(map(str, shape))} {_NUMBERS.get(kind, kind)}")
    if arrays["joint_xyz"].shape != arrays["joint_uvd"].shape:
        raise _refuse_mat(path, "joint_xyz and joint_uvd of different lengths")
    return arrays


def _refuse_mat(path: Path, found: str) -> BadInput:
    return BadInput(
        path,
        expected="a MATLAB 5 file with joint_xyz and joint_uvd of 3 cameras x frames x 36 joints x 3 numbers",
        found=found,
        fix="extract joint_data.mat of that split again",
    )


def _name_subjects(joints_mm: Joints, split: str) -> tuple[str, ...]:
    """One person trains; the two of the test set are told apart by the size of the rigid palm.

    Over the complete release this is exactly "from row 2440 on, the second person"; it holds for any part of it too.
    """
    if split == "train":
        return ("train",) * len(joints_mm)
    palm, wrist = NYU_JOINTS.index("PALM_3"), NYU_JOINTS.index("PALM_1")
    small = np.linalg.norm(joints_mm[:, palm] - joints_mm[:, wrist], axis=1) < SMALL_HAND_BELOW_MM
    return tuple("test_2" if is_small else "test_1" for is_small in small.tolist())
