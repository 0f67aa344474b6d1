"""A few of many frames, at even distances."""

import numpy as np
from jaxtyping import Int64


def spread_evenly(frames: int, most: int) -> Int64[np.ndarray, "some"]:
    """Places of at most so many of them, the first and the last among them."""
    return np.unique(np.linspace(0, frames - 1, min(most, frames)).round().astype(np.int64))
