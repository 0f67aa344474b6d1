"""The metric of Dexter+Object: visible fingertips, and object corners where all three are seen (feedback19 Eq. 23)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from handbench.evaluation.metrics import measure_errors

CORNERS = 3


@dataclass(frozen=True)
class HandObjectErrors:
    """Per frame, in millimetres; NaN where a frame has nothing to measure."""

    tips_mm: Float64[np.ndarray, "frames"]
    """Mean over the visible fingertips V."""
    corners_mm: Float64[np.ndarray, "frames"]
    """Mean over the three corners, only where all three are visible (1_M = 1)."""
    combined_mm: Float64[np.ndarray, "frames"]
    """E of Eq. 23: the corners together weigh as much as one fingertip."""


def measure_hand_object(
    tips_mm: Float[np.ndarray, "frames tips 3"],
    true_tips_mm: Float[np.ndarray, "frames tips 3"],
    corners_mm: Float[np.ndarray, "frames 3 3"],
    true_corners_mm: Float[np.ndarray, "frames 3 3"],
) -> HandObjectErrors:
    """E = (sum over V of |X - G| + 1_M / 3 * sum over M of |Y - F|) / (|V| + 1_M) (Eq. 23); NaN = not visible.

    The paper's words make the indicator 3 where all corners are visible, which would have the corners count three
    times. With 1 the printed rows agree with each other (docs/hand-object.md).
    """
    tip_errors = measure_errors(tips_mm, true_tips_mm)
    corner_errors = measure_errors(corners_mm, true_corners_mm)
    visible = (~np.isnan(tip_errors)).sum(axis=1)
    all_corners = ~np.isnan(corner_errors).any(axis=1)
    tip_sum = np.nansum(tip_errors, axis=1)
    corner_mean = np.where(all_corners, np.nansum(corner_errors, axis=1) / CORNERS, 0.0)
    terms = visible + all_corners
    return HandObjectErrors(
        tips_mm=np.where(visible > 0, tip_sum / np.maximum(visible, 1), np.nan),
        corners_mm=np.where(all_corners, corner_mean, np.nan),
        combined_mm=np.where(terms > 0, (tip_sum + corner_mean) / np.maximum(terms, 1), np.nan),
    )


def average_sequences(values_mm: Float[np.ndarray, "frames"], sequences: Sequence[str]) -> dict[str, float]:
    """Mean of each sequence over its measured frames, and `average`: the mean of the sequences, as Table 2 has it."""
    names = np.asarray(sequences)
    means = {}
    for name in dict.fromkeys(sequences):
        values = values_mm[names == name]
        valid = values[~np.isnan(values)]
        means[name] = float(valid.mean()) if len(valid) else float("nan")
    # A sequence without one measured frame makes the average NaN: leaving it out would change what is averaged.
    means["average"] = float(np.mean(list(means.values()))) if means else float("nan")
    return means
