"""Named arrays in one .npz, whole or not there at all."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handbench.datasets.files import replace_file


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Compressed, without anything that reading would have to run."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    replace_file(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}
