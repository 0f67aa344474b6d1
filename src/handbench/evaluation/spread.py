"""How much values differ among themselves, with the intervals of block bootstraps."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from handbench.evaluation.bootstrap import (
    FEWEST_BLOCKS,
    LEVEL,
    REPLICATES,
    Comparison,
    Interval,
    cut_blocks,
    widen,
)

Seeds = Float64[np.ndarray, "seeds frames"]


def compare_variances(
    ours: Sequence[Float[np.ndarray, "frames"]],
    theirs: Sequence[Float[np.ndarray, "frames"]],
    sequences: Sequence[str],
    *,
    seed: int = 0,
) -> Comparison:
    """The variance over frames of one method less that of another, mean over seeds; a block is drawn with both.

    Negative where the first varies less.
    """
    first, second = (np.stack(one).astype(np.float64) for one in (ours, theirs))
    per_seed = first.var(axis=1) - second.var(axis=1)
    mean = float(per_seed.mean())
    blocks = cut_blocks(sequences)
    number = int(blocks.max(initial=-1)) + 1
    agree = all(np.sign(value) == np.sign(mean) for value in per_seed)
    if number < FEWEST_BLOCKS:
        return Comparison(Interval(mean, float("nan"), float("nan"), number), tuple(per_seed.tolist()), agree)
    times = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), REPLICATES)
    drawn = (_draw_variances(first, blocks, times) - _draw_variances(second, blocks, times)).mean(axis=1)
    low, high = mean + widen(number) * (np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) - mean)
    return Comparison(Interval(mean, float(low), float(high), number), tuple(per_seed.tolist()), agree)


def _draw_variances(values: Seeds, blocks: np.ndarray, times: np.ndarray) -> Float64[np.ndarray, "replicates seeds"]:
    """Variance of the frames of the drawn blocks, from each block's number, sum and sum of squares."""
    counts = times @ np.bincount(blocks)
    # About the mean of all: sums of squares of large numbers that differ little would lose what tells them apart.
    moved = values - values.mean(axis=1, keepdims=True)
    sums, squares = (
        times @ np.stack([np.bincount(blocks, one) for one in numbers], axis=1) for numbers in (moved, moved**2)
    )
    return squares / counts[:, None] - (sums / counts[:, None]) ** 2
