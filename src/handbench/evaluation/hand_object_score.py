"""Hand and object of one method on Dexter+Object, iteration by iteration: what is measured, and what of it is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int64

from handbench.errors import BadInput
from handbench.evaluation.blocks import Blocks, make_blocks, parse_blocks
from handbench.evaluation.bootstrap import Comparison, Interval, bootstrap_blocks, name_blocks
from handbench.evaluation.hand_object import average_sequences, measure_hand_object

METRICS = ("tips", "corners", "combined")
WHOLE = "corners_whole"
"""The labelled corners, found by all eight of the true box: where that is known."""
Frames = Float64[np.ndarray, "frames"]
KNOWN, UNKNOWN = "known", "unknown"
"""Whether it is known on which side of the labelled face the box lies."""


@dataclass(frozen=True)
class Parts:
    """What is measured of one iteration."""

    tips_mm: Float[np.ndarray, "frames 5 3"]
    corners_mm: Float[np.ndarray, "frames 3 3"]
    """Those of the eight that count as the labelled ones."""
    whole_mm: Float[np.ndarray, "frames 3 3"] | None
    """The same found without the labels."""


@dataclass(frozen=True)
class HandObjectResult:
    """One module with one seed: sums of each block of frames, of the errors in millimetres."""

    steps: tuple[Mapping[str, Blocks], ...]
    """By metric, at the start and after every iteration; of a method that does not iterate the result alone."""
    sequences: tuple[str, ...]
    """Of each block."""
    side: str

    def at(self, metric: str, step: int = -1) -> "Measured":
        if not -len(self.steps) <= step < len(self.steps):
            raise BadInput(
                "hand and object",
                expected=f"errors after {step} iterations",
                found=f"those after 0 to {len(self.steps) - 1}",
                fix="let the loop iterate so often",
            )
        return Measured(self.steps[step][metric], self.sequences)

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(self.steps[-1])

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {
            "side": self.side,
            "sequences": list(self.sequences),
            "steps": [{metric: blocks.as_dict() for metric, blocks in step.items()} for step in self.steps],
        }


@dataclass(frozen=True)
class HandObjectScore:
    """The same with every frame."""

    frames_mm: Mapping[str, Float64[np.ndarray, "steps frames"]]
    """By metric; NaN where a frame has nothing to measure."""
    result: HandObjectResult


@dataclass(frozen=True)
class Measured:
    """One quantity of one method with one seed, block by block."""

    blocks: Blocks
    sequences: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.sequences))

    def of_sequence(self, name: str) -> Blocks:
        inside = np.array([sequence == name for sequence in self.sequences], bool)
        return Blocks(self.blocks.sums[inside], self.blocks.counts[inside])

    def on(self, name: str) -> "Measured":
        """The same of one sequence alone."""
        blocks = self.of_sequence(name)
        return Measured(blocks, (name,) * len(blocks.sums))

    @property
    def average(self) -> float:
        """The mean of the means of the sequences, as Table 2 has it; NaN where one of them measures nothing."""
        return float(np.mean([self.of_sequence(name).mean for name in self.names]))

    @property
    def shares(self) -> Float64[np.ndarray, "blocks"]:
        """What a value of each block counts in the average: sequences weigh the same, however long they are."""
        counts = {name: self.of_sequence(name).count for name in self.names}
        weights = [1.0 / (len(counts) * counts[name]) if counts[name] else np.nan for name in self.sequences]
        return np.array(weights, np.float64)


def score_hand_object(
    steps: Sequence[Parts],
    true_tips_mm: Float[np.ndarray, "frames 5 3"],
    true_corners_mm: Float[np.ndarray, "frames 3 3"],
    sequences: Sequence[str],
    rows: Int64[np.ndarray, "frames"],
) -> HandObjectScore:
    """Measure every iteration; `sequences` of the whole set and `rows` are as `sum_blocks` has them."""
    frames: list[dict[str, Frames]] = []
    for parts in steps:
        errors = measure_hand_object(parts.tips_mm, true_tips_mm, parts.corners_mm, true_corners_mm)
        measured = {"tips": errors.tips_mm, "corners": errors.corners_mm, "combined": errors.combined_mm}
        if parts.whole_mm is not None:
            whole = measure_hand_object(parts.tips_mm, true_tips_mm, parts.whole_mm, true_corners_mm)
            measured[WHOLE] = whole.corners_mm
        frames.append(measured)
    result = HandObjectResult(
        steps=tuple({metric: make_blocks(one, sequences, rows) for metric, one in step.items()} for step in frames),
        sequences=name_blocks(sequences, rows),
        side=UNKNOWN if steps[-1].whole_mm is None else KNOWN,
    )
    return HandObjectScore({metric: np.stack([step[metric] for step in frames]) for metric in frames[-1]}, result)


def average_metrics(score: HandObjectScore, sequences: Sequence[str]) -> dict[str, dict[str, float]]:
    """Of the result: every metric, of each sequence and on average."""
    return {metric: average_sequences(steps[-1], sequences) for metric, steps in score.frames_mm.items()}


def parse_hand_object(saved: Mapping[str, Any] | None) -> HandObjectResult | None:
    """What `HandObjectResult.as_dict` gave; None for predictions without an object."""
    if saved is None:
        return None
    steps = [{metric: parse_blocks(blocks) for metric, blocks in step.items()} for step in saved["steps"]]
    return HandObjectResult(tuple(steps), tuple(saved["sequences"]), saved["side"])


def pool_average(seeds: Sequence[Measured]) -> Interval:
    """The average of the sequences, mean over seeds; a block is drawn with all its seeds."""
    _check_same(seeds)
    return _draw([one.blocks.sums for one in seeds], seeds[0])


def compare_average(ours: Sequence[Measured], theirs: Sequence[Measured]) -> Comparison:
    """The paired difference of two averages, seed by seed; negative where the first is lower."""
    _check_same((*ours, *theirs))
    differences = [a.blocks.sums - b.blocks.sums for a, b in zip(ours, theirs, strict=True)]
    pooled = _draw(differences, ours[0])
    per_seed = tuple(a.average - b.average for a, b in zip(ours, theirs, strict=True))
    return Comparison(pooled, per_seed, all(np.sign(value) == np.sign(pooled.mean) for value in per_seed))


def compare_metrics(ours: Sequence[Measured], theirs: Sequence[Measured]) -> Comparison:
    """The average of one metric less that of another, which other frames have: a block is drawn with both.

    Each block stands for what it moves both averages by; with all blocks that is the difference of the averages.
    """
    values = [_spread(a) - _spread(b) for a, b in zip(ours, theirs, strict=True)]
    pooled = bootstrap_blocks(np.mean(values, axis=0), np.ones(len(values[0]), np.int64))
    per_seed = tuple(a.average - b.average for a, b in zip(ours, theirs, strict=True))
    return Comparison(pooled, per_seed, all(np.sign(value) == np.sign(pooled.mean) for value in per_seed))


def _spread(one: Measured) -> Float64[np.ndarray, "blocks"]:
    """The average, and what each block moves it by: their mean is the average."""
    sums, counts = one.blocks.sums * one.shares, one.blocks.counts * one.shares
    return one.average + len(sums) * (sums - one.average * counts)


def _draw(sums: Sequence[Float64[np.ndarray, "blocks"]], like: Measured) -> Interval:
    """Blocks drawn as everywhere, each value weighing what it counts in the average of the sequences."""
    shares = like.shares
    if np.isnan(shares).any():
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    return bootstrap_blocks(np.mean(sums, axis=0) * shares, like.blocks.counts * shares)


def _check_same(found: Sequence[Measured]) -> None:
    first = found[0]
    if any(
        one.sequences != first.sequences or not np.array_equal(one.blocks.counts, first.blocks.counts) for one in found
    ):
        raise BadInput(
            "hand and object",
            expected="errors on the same frames",
            found=f"{first.blocks.count:,} values and others",
            fix="evaluate all on one test set",
        )
