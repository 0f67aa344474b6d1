"""Which of a predicted box's eight corners are the three that are labelled (Dexter+Object, feedback19 Table 2).

Labels hold three corners of one face and do not say of which; an untextured box does not tell either. A corner and an
order of the three axes that leave it give every corner a place: 8 x 6 = 48 ways to read a box. The labels' two edges
name the face, so that of a box with three different edges 8 are left: 4 that half turns make of one another, and their
mirror images, in which the box lies on the other side of the labels. Where the true box is known, so is the side.
"""

from itertools import permutations
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from handbench.errors import BadInput

BITS = (4, 2, 1)
"""What the number of a corner changes by along x, y and z."""
EQUAL_MM = 5.0
"""Sums of two edges that labels set by hand do not tell apart."""
RIGID_MM = 1.0
"""How far a corner may be from its place in a box: rounding, no more."""
LABEL_MM = 2.0
"""How far a label may be from the corner of the true box that it is of: rounding."""

Corners = Float[np.ndarray, "frames 8 3"]
Labels = Float[np.ndarray, "frames 3 3"]
Readings = Bool[np.ndarray, "frames 48"]

_AXES = tuple(permutations(range(3)))
ORDERS: Int64[np.ndarray, "48 8"] = np.array(
    [
        [q ^ (BITS[a] * i) ^ (BITS[b] * j) ^ (BITS[c] * k) for i in (0, 1) for j in (0, 1) for k in (0, 1)]
        for a, b, c in _AXES
        for q in range(8)
    ]
)
"""Place 4 i + 2 j + k of a reading: the corner i edges along its first axis, j along its second, k along its third."""
TRIPLES: Int64[np.ndarray, "48 3"] = ORDERS[:, [4, 0, 2]]
"""What is labelled in a reading: an end of its first edge, the corner between, an end of the second."""
SIDES: Int64[np.ndarray, "48"] = np.array(
    [round(np.linalg.det(np.eye(3)[list(axes)])) * (-1) ** q.bit_count() for axes in _AXES for q in range(8)]
)
"""1 or -1: no turn of a box makes a reading of one kind from one of the other."""
_MIDDLES = np.array([[0, 2, 1], [1, 0, 2], [0, 1, 2]])
"""Labels with the right angle in the middle, by which of the distances 0-1, 1-2, 0-2 is the longest."""


def match_corners(
    corners: Corners, labels: Labels, true_corners: Corners | None = None
) -> Float64[np.ndarray, "frames 3 3"]:
    """Of all readings that agree with the labels' edges the three corners that are nearest to the labels.

    Frame by frame; where the true box is known only readings of its side count. Of a frame without all three labels
    nothing is measured, and what is given for it means nothing.
    """
    corners, middle_first = straighten(corners), find_middles(labels)
    ordered = np.take_along_axis(labels, middle_first[:, :, None], axis=1)
    allowed = _allow(corners, ordered, true_corners)
    found = corners[:, TRIPLES]
    distances = np.linalg.norm(found - ordered[:, None], axis=-1).mean(axis=-1)
    return _put_back(_choose(found, distances, allowed), middle_first)


def match_whole(corners: Corners, labels: Labels, true_corners: Corners) -> Float64[np.ndarray, "frames 3 3"]:
    """The same, the reading chosen by all eight corners of the true box: labels have no say in it."""
    corners, true_corners, middle_first = straighten(corners), straighten(true_corners), find_middles(labels)
    ordered = np.take_along_axis(labels, middle_first[:, :, None], axis=1)
    allowed = _allow(corners, ordered, true_corners)
    true = np.take_along_axis(true_corners, ORDERS[read_true(true_corners, ordered)][:, :, None], axis=1)
    distances = np.linalg.norm(corners[:, ORDERS] - true[:, None], axis=-1).mean(axis=-1)
    return _put_back(_choose(corners[:, TRIPLES], distances, allowed), middle_first)


def measure_edges(corners: Corners) -> Float64[np.ndarray, "frames 3 3"]:
    """The edges of a box along x, y and z: of each axis the mean of four."""
    every = np.arange(8)
    ends = [[every[(every & bit) > 0], every[(every & bit) == 0]] for bit in BITS]
    return np.stack([(corners[:, far] - corners[:, near]).mean(axis=1) for far, near in ends], axis=1, dtype=np.float64)


def straighten(corners: Corners) -> Float64[np.ndarray, "frames 8 3"]:
    """A box that was mirrored, as left hands are, has its corners counted in a left-handed order: counted anew."""
    with np.errstate(invalid="ignore"):  # where nothing is held there are no edges
        mirrored = np.linalg.det(measure_edges(corners)) < 0
    return np.where(mirrored[:, None, None], corners[:, np.arange(8) ^ BITS[0]], corners).astype(np.float64)


def check_rigid(where: Path, corners: Float[np.ndarray, "*steps frames 8 3"]) -> None:
    """Refuse corners that no box has: a method makes them rigid before it gives them."""
    flat = corners.reshape(-1, 8, 3).astype(np.float64)
    edges = measure_edges(flat)
    lengths = np.linalg.norm(edges, axis=-1)
    signs = np.array([[1 if corner & bit else -1 for bit in BITS] for corner in range(8)])
    off_mm = np.linalg.norm(flat - flat.mean(axis=1, keepdims=True) - signs @ edges / 2, axis=-1).max(initial=0.0)
    # Of two edges the part of one along the other.
    products = np.abs(np.einsum("fai,fbi->fab", edges, edges)) / np.maximum(lengths[:, None], 1e-9)
    skew_mm = products[:, *np.triu_indices(3, 1)].max(initial=0.0)
    if max(off_mm, skew_mm) > RIGID_MM:
        found = f"corners {max(off_mm, skew_mm):.1f} mm out of shape"
        raise BadInput(where, expected="eight corners of a rigid box", found=found, fix="align them before saving")


def find_middles(labels: Labels) -> Int64[np.ndarray, "frames 3"]:
    """The order in which the corner of the right angle is the middle one: it faces the longest side."""
    sides = np.linalg.norm(labels[:, [0, 1, 0]] - labels[:, [1, 2, 2]], axis=-1)
    return _MIDDLES[np.nan_to_num(sides).argmax(axis=1)]


def read_true(true_corners: Corners, ordered: Labels) -> Int64[np.ndarray, "frames"]:
    """The reading under which the true box is what the labels say; of frames without three labels any."""
    distances = np.linalg.norm(true_corners[:, TRIPLES] - ordered[:, None], axis=-1).max(axis=-1)
    readings = np.nan_to_num(distances, nan=0.0).argmin(axis=1)
    off_mm = np.nan_to_num(distances[np.arange(len(ordered)), readings]).max(initial=0.0)
    if off_mm > LABEL_MM:
        raise BadInput(
            "the true boxes",
            expected="corners that the labels were made of",
            found=f"labels up to {off_mm:.0f} mm from them",
            fix="name the truth.npz of this dataset",
        )
    return readings.astype(np.int64)


def _allow(corners: Corners, ordered: Labels, true_corners: Corners | None) -> Readings:
    """Readings whose two edges are as long as the labels', and that are of the true box's side where it is known."""
    sizes = np.linalg.norm(measure_edges(corners), axis=-1)
    first, second = (np.nan_to_num(np.linalg.norm(ordered[:, end] - ordered[:, 1], axis=-1)) for end in (0, 2))
    pairs = np.array(_AXES)[:, :2]
    off_mm = np.abs(sizes[:, pairs[:, 0]] - first[:, None]) + np.abs(sizes[:, pairs[:, 1]] - second[:, None])
    allowed = (off_mm <= off_mm.min(axis=1, keepdims=True) + EQUAL_MM).repeat(8, axis=1)
    if true_corners is None:
        return allowed
    side = SIDES[read_true(straighten(true_corners), ordered)]
    return np.logical_and(allowed, SIDES[None] == side[:, None])


def _choose(
    found: Float64[np.ndarray, "frames 48 3 3"], distances: Float64[np.ndarray, "frames 48"], allowed: Readings
) -> Float64[np.ndarray, "frames 3 3"]:
    best = np.where(allowed, np.nan_to_num(distances), np.inf).argmin(axis=1)
    return found[np.arange(len(found)), best]


def _put_back(
    triples: Float64[np.ndarray, "frames 3 3"], order: Int64[np.ndarray, "frames 3"]
) -> Float64[np.ndarray, "frames 3 3"]:
    """In the order of the labels again."""
    return np.take_along_axis(triples, order.argsort(axis=1)[:, :, None], axis=1)
