"""One method on one test set: everything that is measured of a set of joint errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from handbench.evaluation.bootstrap import Interval, bootstrap_blocks, name_blocks, sum_blocks
from handbench.evaluation.metrics import (
    THRESHOLDS_MM,
    Curve,
    Errors,
    area_under,
    count_missing,
    frame_means_within,
    frames_within,
    joint_means,
    joints_within,
)

NO_LABELS = "no labels"
"""What stands for a joint error where nobody has labelled a frame."""


@dataclass(frozen=True)
class Score:
    """Errors in millimetres and the numbers that tables and figures take of them."""

    errors_mm: Float64[np.ndarray, "frames joints"]
    joint_names: tuple[str, ...]
    interval: Interval
    block_sums_mm: Float64[np.ndarray, "blocks"]
    """Sum of the errors of each block of the bootstrap; with `block_counts` enough to pool seeds and pair methods."""
    block_counts: Int64[np.ndarray, "blocks"]
    block_sequences: tuple[str, ...]
    """The sequence of each block: with it sequences, and subjects, are told apart."""
    joint_means_mm: Float64[np.ndarray, "joints"]
    frames_within: Curve
    joints_within: Curve
    frame_means_within: Curve
    missing: int
    """Joints without a label: masked, not averaged."""

    @property
    def frames(self) -> int:
        return len(self.errors_mm)

    @property
    def unlabelled(self) -> bool:
        """Whether nothing could be measured, as of a recording that nobody has labelled."""
        return self.missing == self.errors_mm.size

    @property
    def mean_error_mm(self) -> float:
        return self.interval.mean

    @property
    def area(self) -> float:
        """Area under the curve of frames, 0 to 80 mm, as a share."""
        return area_under(self.frames_within)

    def within(self, threshold_mm: int) -> float:
        """Fraction of frames with every joint within so many whole millimetres."""
        return float(self.frames_within[threshold_mm])

    def as_dict(self) -> dict[str, object]:
        """Plain numbers for JSON; None where nothing could be measured."""
        return {
            "mean_error_mm": plain(self.mean_error_mm),
            "interval": interval_or_none(self.interval),
            "frames": self.frames,
            "labels_missing": self.missing,
            "joint_error_mm": dict(zip(self.joint_names, map(plain, self.joint_means_mm), strict=True)),
            "area": plain(self.area),
            "curves": {
                "threshold_mm": THRESHOLDS_MM.tolist(),
                "frames": [plain(value) for value in self.frames_within],
                "joints": [plain(value) for value in self.joints_within],
                "frame_means": [plain(value) for value in self.frame_means_within],
            },
            "blocks": {
                "sum_mm": [plain(value) for value in self.block_sums_mm],
                "count": self.block_counts.tolist(),
                "sequence": list(self.block_sequences),
            },
        }


def score_errors(
    errors_mm: Errors,
    joint_names: Sequence[str],
    sequences: Sequence[str],
    rows: Int64[np.ndarray, "frames"] | None = None,
    *,
    seed: int = 0,
) -> Score:
    """Measure everything once; `sequences` and `rows` are for the interval, as `sum_blocks` has them."""
    block_sums_mm, block_counts = sum_blocks(errors_mm, sequences, rows)
    return Score(
        errors_mm=errors_mm.astype(np.float64),
        joint_names=tuple(joint_names),
        interval=bootstrap_blocks(block_sums_mm, block_counts, seed=seed),
        block_sums_mm=block_sums_mm,
        block_counts=block_counts,
        block_sequences=name_blocks(sequences, rows),
        joint_means_mm=joint_means(errors_mm),
        frames_within=frames_within(errors_mm),
        joints_within=joints_within(errors_mm),
        frame_means_within=frame_means_within(errors_mm),
        missing=count_missing(errors_mm),
    )


def plain(value: float | np.floating) -> float | None:
    """A number that JSON has a word for, rounded to what is measured: a millionth."""
    return round(float(value), 6) if np.isfinite(value) else None


def interval_or_none(interval: Interval) -> list[float] | None:
    return None if np.isnan(interval.low) else [round(interval.low, 6), round(interval.high, 6)]
