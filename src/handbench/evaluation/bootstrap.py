"""Intervals that know that neighbouring frames are alike: whole blocks of frames are drawn, never single ones.

A block is at least 50 neighbouring frames of one sequence, more where there are many frames: the errors of a long
recording stay alike for longer than that. Its frames move together, and for a difference both methods' errors on a
frame move together (paired). The interval is that of the middle 95 % of the means of 10,000 draws, widened for what so
few blocks cannot know (n / (n - 1) and Student's t in place of the normal).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float64, Int64, Real

BLOCK_FRAMES = 50
BLOCKS_WANTED = 40
"""Longer blocks than 50 frames where that many of them are left: 206 frames of NYU's 8,252."""
REPLICATES = 10_000
FEWEST_BLOCKS = 5
"""Of fewer nothing is said: the interval would be as wide as everything that is possible."""
LEVEL = 0.95
NORMAL = 1.959964
"""Quantile of the normal distribution at that level."""
Values = Float[np.ndarray, "frames *joints"]


@dataclass(frozen=True)
class Interval:
    """A mean and the interval around it; low and high are NaN where too few blocks leave nothing to say."""

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


def cut_blocks(sequences: Sequence[str], *, block_frames: int | None = None) -> Int64[np.ndarray, "frames"]:
    """The block of every frame: runs of one sequence cut into pieces of nearly one size, none below `block_frames`.

    A run shorter than that is one block of its own.
    """
    return _cut_runs(tuple(sequences), block_frames or max(BLOCK_FRAMES, len(sequences) // BLOCKS_WANTED))


def bootstrap_mean(
    values: Values, sequences: Sequence[str], *, seed: int = 0, replicates: int = REPLICATES
) -> Interval:
    """Mean over everything that is not NaN, with its interval."""
    return bootstrap_blocks(*sum_blocks(values, sequences), seed=seed, replicates=replicates)


def sum_blocks(
    values: Values, sequences: Sequence[str], rows: Int64[np.ndarray, "frames"] | None = None
) -> tuple[Float64[np.ndarray, "blocks"], Int64[np.ndarray, "blocks"]]:
    """Sum and number of everything in a block that is not NaN: all that an interval needs to know of the frames.

    `sequences` are those of the whole set; where the values are of some of its frames only, `rows` says of which. A
    block is a stretch of the set, so that of every twentieth frame it holds few values.
    """
    axes = tuple(range(1, values.ndim))
    blocks = cut_blocks(sequences) if rows is None else _number_anew(cut_blocks(sequences)[rows])
    sums = values.sum(axis=axes, dtype=np.float64)
    if not np.isnan(sums).any():
        return _add_up(blocks, sums), np.bincount(blocks) * (values.size // max(len(values), 1))
    known = ~np.isnan(values)
    sums, counts = np.where(known, values, 0.0).sum(axis=axes, dtype=np.float64), known.sum(axis=axes)
    return _add_up(blocks, sums), np.bincount(blocks, counts).astype(np.int64)


def name_blocks(sequences: Sequence[str], rows: Int64[np.ndarray, "frames"] | None = None) -> tuple[str, ...]:
    """The sequence that each block of `sum_blocks` belongs to."""
    blocks = cut_blocks(sequences) if rows is None else cut_blocks(sequences)[rows]
    frames = np.arange(len(sequences)) if rows is None else rows
    _, first = np.unique(blocks, return_index=True)
    return tuple(sequences[int(frames[place])] for place in first)


def bootstrap_blocks(
    sums: Float64[np.ndarray, "blocks"],
    counts: Real[np.ndarray, "blocks"],
    *,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Interval:
    """Mean and interval of the values behind the sums and counts of blocks, or behind weighed ones."""
    # Blocks without one measured value have nothing to say and are not drawn.
    block_sums, block_counts = sums[counts > 0], counts[counts > 0]
    number = len(block_sums)
    mean = float(block_sums.sum() / block_counts.sum()) if number else float("nan")
    if number < FEWEST_BLOCKS:
        return Interval(mean, float("nan"), float("nan"), number)
    drawn = _draw_counts(number, seed, replicates)
    # Not a matrix product: its threads wait for one another on a busy machine, for far longer than the sums take.
    means = np.einsum("rb,b->r", drawn, block_sums) / np.einsum("rb,b->r", drawn, block_counts.astype(np.float64))
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    wider = widen(number)
    return Interval(mean, mean + wider * (float(low) - mean), mean + wider * (float(high) - mean), number)


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


def _number_anew(blocks: Int64[np.ndarray, "frames"]) -> Int64[np.ndarray, "frames"]:
    """The same blocks counted without gaps: those of which no frame was measured are left out."""
    return np.unique(blocks, return_inverse=True)[1].astype(np.int64)


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


def widen(blocks: int) -> float:
    """How much wider an interval of few blocks must be than the percentiles of their draws: 1.6 for 5, 1.05 for 40."""
    return float(np.sqrt(blocks / (blocks - 1)) * _find_students(blocks - 1) / NORMAL)


def _find_students(freedom: int) -> float:
    """Student's t that leaves 2.5 % above it, by Fisher's expansion in 1 / freedom: to 0.3 % from 4 up.

    Not scipy's, which a command that reads two files would wait a quarter of a second for.
    """
    z = NORMAL
    terms = (z, (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return sum(term / freedom**power for power, term in enumerate(terms))


@lru_cache(maxsize=4)
def _draw_counts(blocks: int, seed: int, replicates: int) -> Float64[np.ndarray, "replicates blocks"]:
    """How often each block is drawn in each replicate; kept, since every method on a test set has the same blocks."""
    drawn = np.random.default_rng(seed).integers(0, blocks, (replicates, blocks))
    places = drawn + blocks * np.arange(replicates)[:, None]
    return np.bincount(places.ravel(), minlength=replicates * blocks).reshape(replicates, blocks).astype(np.float64)
