"""Sums over the blocks of a bootstrap: all that intervals, pooled seeds and paired differences need of the frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from handbench.errors import BadInput
from handbench.evaluation.bootstrap import Comparison, Interval, Values, bootstrap_blocks, sum_blocks

DECIMALS = 6


@dataclass(frozen=True)
class Blocks:
    """One quantity of one method with one seed."""

    sums: Float64[np.ndarray, "blocks"]
    counts: Int64[np.ndarray, "blocks"]
    """How many values were known: of frames, or of all angles of them."""

    @property
    def total(self) -> float:
        return float(self.sums.sum())

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """NaN where nothing was known."""
        return self.total / self.count if self.count else float("nan")

    @property
    def interval(self) -> Interval:
        return bootstrap_blocks(self.sums, self.counts)

    def as_dict(self) -> dict[str, list[float] | list[int]]:
        return {"sum": [round(float(value), DECIMALS) for value in self.sums], "count": self.counts.tolist()}


def make_blocks(values: Values, sequences: Sequence[str], rows: Int64[np.ndarray, "frames"]) -> Blocks:
    """Of values frame by frame, NaN where there is none; `sequences` are those of the whole set."""
    return Blocks(*sum_blocks(values, sequences, rows))


def parse_blocks(saved: Mapping[str, Any]) -> Blocks:
    """What `as_dict` gave."""
    return Blocks(np.array(saved["sum"], np.float64), np.array(saved["count"], np.int64))


def pool_blocks(seeds: Sequence[Blocks]) -> Interval:
    """The mean over seeds; a block is drawn with all its seeds."""
    _check_same_frames(seeds)
    sums, counts = np.sum([one.sums for one in seeds], axis=0), np.sum([one.counts for one in seeds], axis=0)
    return bootstrap_blocks(sums, counts)


def compare_blocks(ours: Sequence[Blocks], theirs: Sequence[Blocks]) -> Comparison:
    """The paired difference, seed by seed; negative where the first is lower."""
    _check_same_frames((*ours, *theirs))
    differences = [a.sums - b.sums for a, b in zip(ours, theirs, strict=True)]
    pooled = bootstrap_blocks(np.sum(differences, axis=0), np.sum([one.counts for one in ours], axis=0))
    per_seed = tuple(a.mean - b.mean for a, b in zip(ours, theirs, strict=True))
    return Comparison(pooled, per_seed, all(np.sign(value) == np.sign(pooled.mean) for value in per_seed))


def _check_same_frames(found: Sequence[Blocks]) -> None:
    if any(not np.array_equal(one.counts, found[0].counts) for one in found):
        raise BadInput(
            "evaluations",
            expected="results on the same frames",
            found=f"{found[0].count:,} values and others",
            fix="evaluate all with the same fitted poses",
        )
