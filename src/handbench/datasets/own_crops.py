"""A ready normalised crop of a person's own, turned into the frame of a camera that sees nothing but its cube.

So a crop takes the road of every other frame, and a joint's pixel is one of the file that was given. For its camera
square pixels are assumed; on the joints in millimetres no camera has any influence, only the cube.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from handbench.conventions import BACKGROUND, Camera
from handbench.datasets.centres import Centre
from handbench.datasets.listing import Frame
from handbench.datasets.own_depth import load_array, read_own_file
from handbench.datasets.own_frames import unlabelled_frame
from handbench.datasets.own_hand import check_cube
from handbench.errors import BadInput

Values = Float32[np.ndarray, "height width"]

HOLDS = "a ready crop: an 8-bit PNG of (value + 1) / 2 * 255, or .npy in [-1, 1]"
_FRAME = "leave out --centre and --cube if it is a whole depth frame"


def read_own_crop(path: Path, cube: Centre, size_px: int) -> Frame:
    """The crop as a frame: pixels on the back face of the cube, and behind it, are not measured."""
    check_cube(cube)
    patch = _read_array(path) if path.suffix.lower() == ".npy" else _read_picture(path)
    _check_patch(path, patch, size_px)
    half_mm, z = cube.cube_mm / 2, float(cube.centre_mm[2])
    depth_mm = np.where(patch < BACKGROUND, patch * np.float32(half_mm) + np.float32(z), np.float32(0))
    return unlabelled_frame(path, depth_mm, camera_of_crop(cube, size_px))


def camera_of_crop(cube: Centre, size_px: int) -> Camera:
    """The camera whose image the cube fills: its window, as `crop_cube` cuts it, begins at pixel 0."""
    x, y, z = cube.centre_mm.tolist()
    focal = size_px * z / cube.cube_mm
    return Camera(focal, focal, size_px / 2 - focal * x / z, size_px / 2 - focal * y / z, size_px, size_px)


def _read_picture(path: Path) -> Values:
    """DeepModel publishes its crops as grey in three equal channels."""
    import cv2

    content = np.frombuffer(read_own_file(path, HOLDS), np.uint8)
    pixels = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if pixels is None:
        raise BadInput(path, expected=HOLDS, found="no whole picture", fix="save it again")
    channels = pixels.reshape(*pixels.shape[:2], -1)
    if pixels.dtype != np.uint8 or not (channels == channels[..., :1]).all():
        kind = "16-bit picture" if pixels.dtype != np.uint8 else "coloured picture"
        raise BadInput(path, expected=HOLDS, found=f"a {kind}", fix=_FRAME)
    return channels[..., 0].astype(np.float32) / np.float32(255) * np.float32(2) - np.float32(1)


def _read_array(path: Path) -> Values:
    array = load_array(path)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]  # as `open_crops` gives them
    if array.ndim != 2 or not -1.001 <= float(array.min()) <= float(array.max()) <= 1.001:
        found = f"shape {array.shape}, values from {array.min():.4g} to {array.max():.4g}"
        raise BadInput(path, expected=f"{HOLDS}, of (size, size)", found=found, fix=_FRAME)
    return np.clip(array.astype(np.float32), -1, 1)


def _check_patch(path: Path, patch: Values, size_px: int) -> None:
    if patch.shape != (size_px, size_px):
        found = "x".join(map(str, patch.shape[::-1]))
        fix = "crop at that size, or give the whole frame and leave out --centre and --cube"
        raise BadInput(path, expected=f"{size_px}x{size_px} pixels, as the model takes", found=found, fix=fix)
    if not (patch < BACKGROUND).any():
        found = "an empty crop: every pixel is background"
        raise BadInput(path, expected="a hand in the crop", found=found, fix="cut it around the hand")
