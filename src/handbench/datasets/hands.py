"""Rendered hands alone on disk: 21 joints a frame, all of one set and one hand, and the turns of its bones beside them.

A set's truth.npz holds `poses` (frames, 26) and `quaternions` (frames, 16, 4), (w, x, y, z) with w >= 0 in camera axes,
in list order, and the fields of the hand. The importer never reads it; refine's base network learns from nothing else.

Whose hand it is stands here and nowhere else. A network carries it in its point cloud, predictions in their card.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from handbench.conventions import HANDS
from handbench.datasets.array_file import check_layout, read_arrays
from handbench.datasets.rendered_files import RenderedFiles
from handbench.errors import BadInput
from handbench.hand.skeleton import BONES, REFERENCE_SHAPE, SHAPE_FIELDS, vary_shape

SET = "hands"
"""Its word among the sets of `handbench render`."""
SEQUENCE = "alone"
FILES = RenderedFiles(HANDS, (SEQUENCE,))
SHAPE = vary_shape(
    REFERENCE_SHAPE,
    size=0.9,
    finger_lengths=np.array([0.98, 1.055, 1.01, 1.0, 0.93]),
    girth=0.85,
    palm_stretch=(0.92, 1.03, 0.92),
)
"""A slender hand with a long index finger, between NYU's training person and the people of ICVL in size: nobody's in
the embedded sets, so that each of them is a target with another hand."""


def read_quaternions(path: Path, frames: int) -> Float32[np.ndarray, "frames 16 4"]:
    """The turns of all bones in every frame of a set that has so many, and shows the hand that is known here."""
    holds = f"the truth.npz of the rendered set {SET!r} with {frames:,} frames"
    fix, name = "name the one that `handbench render hands` left beside these frames", "quaternions"
    arrays = read_arrays(path, holds=holds, fix=fix)
    check_layout(path, arrays, {name: ("f", (frames, len(BONES), 4))}, holds=holds, fix=fix, finite=None)
    if not all(field in arrays and _is_same(arrays[field], getattr(SHAPE, field)) for field in SHAPE_FIELDS):
        found, fix = "another one, or none", "render and crop the set again with this release"
        raise BadInput(path, expected="frames of the hand that this release renders", found=found, fix=fix)
    return arrays[name].astype(np.float32)


def _is_same(given: np.ndarray, known: np.ndarray) -> bool:
    return given.dtype == known.dtype and np.array_equal(given, known)
