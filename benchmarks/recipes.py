"""How published code prepares a frame, restated from facts in our own words: the peers of the crop and file rows.

Each takes the centre as given, as ours does. What a recipe does only once a dataset, or for a second output, is left
out, to its advantage.
"""

import struct
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32

from handbench.conventions import Camera

Depth = Float32[np.ndarray, "height width"]
Centre = Float[np.ndarray, "3"]


def crop_as_deepprior(depth_mm: Depth, centre_mm: Centre, cube_mm: float, camera: Camera, size: int = 128) -> Depth:
    """DeepPrior++: clear the frame's far and near pixels in place, then window, clamp, resize, paste, normalise.

    Left out: its test for an empty frame and its search for the commonest invalid value, both over the whole frame.
    """
    farthest, nearest = min(1500, depth_mm.max()), max(10, depth_mm.min())
    depth_mm[depth_mm > farthest] = 0.0
    depth_mm[depth_mm < nearest] = 0.0

    x, y, z = centre_mm
    half = cube_mm / 2.0
    left, right = (int(np.floor((x + side) * camera.fx / z + camera.cx + 0.5)) for side in (-half, half))
    top, bottom = (int(np.floor((y + side) * camera.fy / z + camera.cy + 0.5)) for side in (-half, half))
    height, width = depth_mm.shape
    window = depth_mm[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)].copy()
    outside = ((max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)))
    window = np.pad(window, outside, mode="constant", constant_values=0)
    in_front = np.logical_and(window < z - half, window != 0)
    behind = np.logical_and(window > z + half, window != 0)
    window[in_front] = z - half
    window[behind] = 0.0

    columns, rows = right - left, bottom - top
    scaled = (size, rows * size // columns) if columns > rows else (columns * size // rows, size)
    shrunk = cv2.resize(window, scaled, interpolation=cv2.INTER_NEAREST)
    patch = np.zeros((size, size), np.float32)
    # An odd margin goes above and to the left, as ours does; the original puts it below and to the right.
    paste_left, paste_top = (size - shrunk.shape[1] + 1) // 2, (size - shrunk.shape[0] + 1) // 2
    patch[paste_top : paste_top + shrunk.shape[0], paste_left : paste_left + shrunk.shape[1]] = shrunk

    shift, scale, offset = np.eye(3), np.eye(3), np.eye(3)
    shift[:2, 2] = -left, -top
    scale[0, 0] = scale[1, 1] = scaled[0] / columns
    offset[:2, 2] = paste_left, paste_top
    np.dot(offset, np.dot(scale, shift))

    normalised = np.asarray(patch.copy(), "float32")
    normalised[normalised == 0] = z + half
    normalised -= z
    normalised /= half
    return normalised


def crop_as_a2j(
    depth_mm: Depth, centre_mm: Centre, sideways_mm: float, ahead_mm: float, camera: Camera, size: int = 176
) -> Depth:
    """A2J: window cut at the image's edge, aspect not kept, everything out of range set to the centre's depth.

    Millimetres from the centre, as if its dataset mean were 0 and its deviation 1; left out: the labels.
    """
    x, y, z = centre_mm
    left = max(camera.fx * (x - sideways_mm) / z + camera.cx, 0)
    right = min(camera.fx * (x + sideways_mm) / z + camera.cx, depth_mm.shape[1] - 1)
    top = max(camera.fy * (y - sideways_mm) / z + camera.cy, 0)
    bottom = min(camera.fy * (y + sideways_mm) / z + camera.cy, depth_mm.shape[0] - 1)
    window = depth_mm[int(top) : int(bottom), int(left) : int(right)].copy()
    patch = np.asarray(cv2.resize(window, (size, size), interpolation=cv2.INTER_NEAREST), dtype="float32")
    patch[np.where(patch >= z + ahead_mm)] = z
    patch[np.where(patch <= z - ahead_mm)] = z
    patch = patch - z
    patch = (patch - 0.0) / 1.0
    output = np.ones((size, size, 1), dtype="float32")
    output[:, :, 0] = patch
    return output.transpose(2, 0, 1)[0]


def crop_as_pixelwise(depth_mm: Depth, centre_mm: Centre, cube_mm: float, camera: Camera, size: int = 128) -> Depth:
    """PixelwiseRegression: masks over the whole frame, the frame padded all round, bilinear resize; background 0.

    Left out: its centre of mass over the whole frame and its second, smaller picture.
    """
    x, y, z = centre_mm
    u, v = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    half = cube_mm / 2.0
    reach_u, reach_v = half / z * camera.fx, half / z * camera.fy
    height, width = depth_mm.shape
    rows = slice(max(int(v - reach_v), 0), min(int(v + reach_v), height))
    columns = slice(max(int(u - reach_u), 0), min(int(u + reach_u), width))
    box = np.zeros_like(depth_mm)
    box[rows, columns] = 1
    image = depth_mm * box
    image = image * np.logical_and(image < z + half, image > z - half)

    reach = int(reach_u + reach_v) // 2
    padded = np.pad(image, ((reach, reach), (reach, reach)), "constant", constant_values=0)
    window = padded[int(v) : int(v) + 2 * reach, int(u) : int(u) + 2 * reach]
    window = window * np.logical_and(window > z - half, window < z + half)
    window[window > 0] -= z
    return cv2.resize(window, (size, size)) / half


def read_png_as_deepprior(path: Path) -> Depth:
    """DeepPrior++ on NYU: PIL decodes, the channels are split and put together as integers."""
    from PIL import Image

    _, green, blue = Image.open(path).split()
    high, low = np.asarray(green, np.int32), np.asarray(blue, np.int32)
    return np.asarray(np.bitwise_or(np.left_shift(high, 8), low), np.float32)


def read_bin_by_pixel(path: Path, height: int, width: int) -> Depth:
    """MSRA15 as the scripts around it read it: a read and an unpack a pixel."""
    depth_mm = np.zeros((height, width), np.float32)
    with path.open("rb") as file:
        _, _, left, top, right, bottom = (struct.unpack("<i", file.read(4))[0] for _ in range(6))
        for row in range(top, bottom):
            for column in range(left, right):
                depth_mm[row, column] = struct.unpack("<f", file.read(4))[0]
    return depth_mm
