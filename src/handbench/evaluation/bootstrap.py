"""Intervals that know that neighbouring frames are alike: whole blocks of frames are drawn, never single ones.

A block is at least 50 neighbouring frames of one sequence. Its frames move together, and for a difference both
methods' errors on a frame move together (paired). The interval holds the middle 95 % of the means of 10,000 draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float64, Int64

BLOCK_FRAMES = 50
REPLICATES = 10_000
LEVEL = 0.95
Values = Float[np.ndarray, "frames *joints"]


@dataclass(frozen=True)
class Interval:
    """A mean and the interval around it; low and high are NaN where fewer than two blocks leave nothing to draw."""

    mean: float
    low: float
    high: float
    blocks: int

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0

    def lies_within(self, low: float, high: float) -> bool:
        return self.low >= low and self.high <= high


@dataclass(frozen=True)
class Comparison:
    """A difference between two methods over one or more seeds."""

    difference: Interval
    """Seeds pooled; negative where the first method errs less."""
    per_seed: tuple[float, ...]
    agree: bool
    """Every seed has the sign of the pooled difference."""

    @property
    def decided(self) -> bool:
        """The rule for a claimed difference: the interval excludes zero and every seed agrees in sign."""
        return self.difference.excludes_zero and self.agree


def cut_blocks(sequences: Sequence[str], *, block_frames: int = BLOCK_FRAMES) -> Int64[np.ndarray, "frames"]:
    """The block of every frame: runs of one sequence cut into pieces of nearly one size, none below `block_frames`.

    A run shorter than that is one block of its own.
    """
    return _cut_runs(tuple(sequences), block_frames)


def bootstrap_mean(
    values: Values, sequences: Sequence[str], *, seed: int = 0, replicates: int = REPLICATES
) -> Interval:
    """Mean over everything that is not NaN, with its interval."""
    return bootstrap_blocks(*sum_blocks(values, sequences), seed=seed, replicates=replicates)


def sum_blocks(
    values: Values, sequences: Sequence[str]
) -> tuple[Float64[np.ndarray, "blocks"], Int64[np.ndarray, "blocks"]]:
    """Sum and number of everything in a block that is not NaN: all that an interval needs to know of the frames."""
    axes = tuple(range(1, values.ndim))
    blocks = cut_blocks(sequences)
    sums = values.sum(axis=axes, dtype=np.float64)
    if not np.isnan(sums).any():
        return _add_up(blocks, sums), np.bincount(blocks) * (values.size // max(len(values), 1))
    known = ~np.isnan(values)
    sums, counts = np.where(known, values, 0.0).sum(axis=axes, dtype=np.float64), known.sum(axis=axes)
    return _add_up(blocks, sums), np.bincount(blocks, counts).astype(np.int64)


def bootstrap_blocks(
    sums: Float64[np.ndarray, "blocks"],
    counts: Int64[np.ndarray, "blocks"],
    *,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Interval:
    """Mean and interval of the values behind the sums and counts of blocks."""
    # Blocks without one measured value have nothing to say and are not drawn.
    block_sums, block_counts = sums[counts > 0], counts[counts > 0]
    number = len(block_sums)
    mean = float(block_sums.sum() / block_counts.sum()) if number else float("nan")
    if number < 2:
        return Interval(mean, float("nan"), float("nan"), number)
    drawn = _draw_counts(number, seed, replicates)
    # Not a matrix product: its threads wait for one another on a busy machine, for far longer than the sums take.
    means = np.einsum("rb,b->r", drawn, block_sums) / np.einsum("rb,b->r", drawn, block_counts.astype(np.float64))
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(mean, float(low), float(high), number)


def bootstrap_difference(
    ours: Values, theirs: Values, sequences: Sequence[str], *, seed: int = 0, replicates: int = REPLICATES
) -> Interval:
    """Mean of ours less theirs over what both have measured, with its interval."""
    return bootstrap_mean(ours.astype(np.float64) - theirs, sequences, seed=seed, replicates=replicates)


def compare_seeds(
    ours: Sequence[Values], theirs: Sequence[Values], sequences: Sequence[str], *, seed: int = 0
) -> Comparison:
    """The paired difference of two methods, one array of errors a seed each; frames are drawn with all their seeds."""
    differences = np.stack([a.astype(np.float64) - b for a, b in zip(ours, theirs, strict=True)], axis=1)
    pooled = bootstrap_mean(differences, sequences, seed=seed)
    per_seed = tuple(float(np.nanmean(differences[:, k])) for k in range(differences.shape[1]))
    return Comparison(pooled, per_seed, all(np.sign(value) == np.sign(pooled.mean) for value in per_seed))


def _add_up(blocks: Int64[np.ndarray, "frames"], sums: Float64[np.ndarray, "frames"]) -> Float64[np.ndarray, "blocks"]:
    return np.bincount(blocks, sums).astype(np.float64)  # without frames numpy counts in whole numbers


@lru_cache(maxsize=4)
def _cut_runs(sequences: tuple[str, ...], block_frames: int) -> Int64[np.ndarray, "frames"]:
    """Kept, since every method on a test set has the same sequences; so it must not be written to."""
    changes = [row for row, (one, other) in enumerate(pairwise(sequences), 1) if one != other]
    blocks = np.empty(len(sequences), np.int64)
    first_block = 0
    for start, end in pairwise([0, *changes, len(sequences)]):
        pieces = max((end - start) // block_frames, 1)
        blocks[start:end] = first_block + np.arange(end - start) * pieces // max(end - start, 1)
        first_block += pieces
    blocks.flags.writeable = False
    return blocks


@lru_cache(maxsize=4)
def _draw_counts(blocks: int, seed: int, replicates: int) -> Float64[np.ndarray, "replicates blocks"]:
    """How often each block is drawn in each replicate; kept, since every method on a test set has the same blocks."""
    drawn = np.random.default_rng(seed).integers(0, blocks, (replicates, blocks))
    places = drawn + blocks * np.arange(replicates)[:, None]
    return np.bincount(places.ravel(), minlength=replicates * blocks).reshape(replicates, blocks).astype(np.float64)
