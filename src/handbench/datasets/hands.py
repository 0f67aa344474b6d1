"""Rendered hands alone on disk: 21 joints a frame, all of one set and one hand, and the turns of its bones beside them.

A set's truth.npz holds `poses` (frames, 26) and `quaternions` (frames, 16, 4), (w, x, y, z) with w >= 0 in camera axes,
in list order. The importer never reads it; refine's base network learns from nothing else.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from handbench.conventions import HANDS
from handbench.datasets.array_file import check_layout, read_arrays
from handbench.datasets.rendered_files import RenderedFiles
from handbench.hand.skeleton import BONES

SET = "hands"
"""Its word among the sets of `handbench render`."""
SEQUENCE = "alone"
FILES = RenderedFiles(HANDS, (SEQUENCE,))


def read_quaternions(path: Path, frames: int) -> Float32[np.ndarray, "frames 16 4"]:
    """The turns of all bones in every frame of a set that has so many."""
    holds = f"the truth.npz of the rendered set {SET!r} with {frames:,} frames"
    fix, name = "name the one that `handbench render hands` left beside these frames", "quaternions"
    arrays = read_arrays(path, names=[name], holds=holds, fix=fix)
    check_layout(path, arrays, {name: ("f", (frames, len(BONES), 4))}, holds=holds, fix=fix, finite=None)
    return arrays[name].astype(np.float32)
