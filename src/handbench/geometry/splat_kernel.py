"""Max-splatting on the CPU (refine Eqs. 3 to 5): each point visits the few pixels in its reach, and no other.

Of 2,000 points and 120 x 120 pixels only one pair in 287 lies within a radius of four pixels. What is left behind for
the gradient is a map of the point that each pixel shows. Kernels let go of Python's lock, so that threads can take
images side by side.
"""

import math
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int32
from numba import njit

NOBODY = -1
"""In the maps: no point reaches this pixel, or nobody ties with the one that it shows."""

Points = Float[np.ndarray, "batch points 3"]
Images = Float[np.ndarray, "batch size size"]
Map = Int32[np.ndarray, "batch size size"]


def draw_points(points: Points, radius: float, image: Images, winner: Map) -> Bool[np.ndarray, "batch"]:
    """Fill the depth that each pixel shows, and whose it is, the first of those that tie; in which images some may."""
    tied = np.zeros(len(points), np.bool_)
    _draw(points, radius, image, winner, tied)
    return tied


def find_rivals(points: Points, radius: float, image: Images, winner: Map, rival: Map) -> None:
    """Fill the last of the points that have the very depth that a pixel shows, where it is not the winner itself."""
    _find_rivals(points, radius, image, winner, rival)


def pull_points(points: Points, radius: float, winner: Map, rival: Map, pull: Images, moved: Points) -> None:
    """Add to `moved` how the sum of image times `pull` changes with every point; who ties has half each."""
    _pull(points, radius, winner, rival, pull, moved)


# The kernels carry @no_type_check because the tests' shape checker would wrap them before numba can compile them.


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
@no_type_check
def _find_window(at, reach, size):
    """First and last pixel within reach; none of what is not a number."""
    if not (-reach < at < size + reach):
        return 0, -1
    return max(0, math.ceil(at - reach)), min(size - 1, math.floor(at + reach))


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _draw(points, radius, image, winner, tied):
    size = image.shape[1]
    zero, one, reach = image.dtype.type(0), image.dtype.type(1), radius * size / 2
    per_reach = image.dtype.type(1 / reach)
    left_over = np.empty(size, image.dtype)
    image[:] = 0
    winner[:] = NOBODY
    for frame in range(points.shape[0]):
        equal = False
        for k in range(points.shape[1]):
            height = image.dtype.type(0.5) * (one - points[frame, k, 2])
            # Pixels are counted in double precision: of 120 columns single precision loses a millionth of the depth.
            column, row = (points[frame, k, 0] + 1.0) * size / 2 - 0.5, (points[frame, k, 1] + 1.0) * size / 2 - 0.5
            left, right = _find_window(column, reach, size)
            top, bottom = _find_window(row, reach, size)
            if not (height > 0 and right >= left):
                continue
            # Unsigned, and slices: numba then leaves out checks, and the inner loop becomes a few vector operations.
            wide = np.uint32(right - left + 1)
            for j in range(wide):
                across = image.dtype.type(left - column + j) * per_reach
                left_over[j] = one - across * across
            for i in range(top, bottom + 1):
                down = image.dtype.type(i - row) * per_reach
                shown, whose = image[frame, i, left : left + wide], winner[frame, i, left : left + wide]
                for j in range(wide):
                    base = max(left_over[j] - down * down, zero)
                    value = height * base * base
                    nearer = value > shown[j]
                    equal |= (value == shown[j]) & (value > zero)
                    whose[j] = np.int32(k) if nearer else whose[j]
                    shown[j] = value if nearer else shown[j]
        tied[frame] = equal


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _find_rivals(points, radius, image, winner, rival):
    """The same walk, once the image is known."""
    size = image.shape[1]
    zero, one, reach = image.dtype.type(0), image.dtype.type(1), radius * size / 2
    per_reach = image.dtype.type(1 / reach)
    rival[:] = NOBODY
    for frame in range(points.shape[0]):
        for k in range(points.shape[1]):
            height = image.dtype.type(0.5) * (one - points[frame, k, 2])
            column, row = (points[frame, k, 0] + 1.0) * size / 2 - 0.5, (points[frame, k, 1] + 1.0) * size / 2 - 0.5
            left, right = _find_window(column, reach, size)
            top, bottom = _find_window(row, reach, size)
            for i in range(top, bottom + 1):
                down = image.dtype.type(i - row) * per_reach
                for j in range(left, right + 1):
                    across = image.dtype.type(left - column + (j - left)) * per_reach
                    base = max((one - across * across) - down * down, zero)
                    value = height * base * base
                    if value > zero and value == image[frame, i, j] and winner[frame, i, j] != k:
                        rival[frame, i, j] = k


@njit(nogil=True, cache=True, error_model="numpy")
@no_type_check
def _pull(points, radius, winner, rival, pull, moved):
    size = pull.shape[1]
    for frame in range(points.shape[0]):
        for i in range(size):
            for j in range(size):
                first, second = winner[frame, i, j], rival[frame, i, j]
                if first == NOBODY:
                    continue
                share = pull[frame, i, j]
                if second != NOBODY:
                    share *= pull.dtype.type(0.5)
                    _pull_one(points[frame, second], radius, size, i, j, share, moved[frame, second])
                _pull_one(points[frame, first], radius, size, i, j, share, moved[frame, first])


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
@no_type_check
def _pull_one(point, radius, size, i, j, share, moved):
    """height * base^2, differentiated by the point's three coordinates; in double precision, as pixels are counted."""
    across = (2.0 * j + 1.0) / size - 1.0 - point[0]
    down = (2.0 * i + 1.0) / size - 1.0 - point[1]
    base = 1.0 - (across * across + down * down) / (radius * radius)
    # height = (1 - z) / 2, and base changes by 2 across / radius^2.
    slope = share * 2.0 * (1.0 - point[2]) * base / (radius * radius)
    moved[0] += slope * across
    moved[1] += slope * down
    moved[2] -= share * base * base / 2.0
