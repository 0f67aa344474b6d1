"""Joint errors and what is taken of them: means, fractions, curves. A missing label is masked and counted.

An error is NaN where a label is missing, and only there. Every function takes errors of shape (frames, joints).
"""

import numpy as np
from jaxtyping import Float, Float64

THRESHOLDS_MM = np.arange(81)
"""0 to 80 mm in steps of 1 mm: the axis of every accuracy curve."""

_PIECE = 1024
"""Frames at a time: what is computed on the way then stays in the processor's cache."""

Errors = Float[np.ndarray, "frames joints"]
Curve = Float64[np.ndarray, "81"]


def measure_errors(
    predicted_mm: Float[np.ndarray, "frames joints 3"], truth_mm: Float[np.ndarray, "frames joints 3"]
) -> Float64[np.ndarray, "frames joints"]:
    """Euclidean distance of every joint, NaN where the label is missing."""
    errors_mm = np.empty(predicted_mm.shape[:2])
    for first in range(0, len(errors_mm), _PIECE):
        piece = slice(first, first + _PIECE)
        squares = np.subtract(predicted_mm[piece], truth_mm[piece], dtype=np.float64)
        squares *= squares
        # Plain sums are several times faster than one over a last axis of three.
        np.add(squares[..., 0], squares[..., 1], out=errors_mm[piece])
        errors_mm[piece] += squares[..., 2]
    np.sqrt(errors_mm, out=errors_mm)
    if not np.isnan(errors_mm).any():
        return errors_mm
    labelled = ~np.isnan(truth_mm).any(axis=-1)
    if np.isnan(errors_mm[labelled]).any():
        raise ValueError("a prediction is NaN where a label exists; leaving it out would flatter the method")
    return errors_mm


def count_missing(errors_mm: Errors) -> int:
    """Joints without a label."""
    return int(np.isnan(errors_mm).sum())


def mean_error(errors_mm: Errors) -> float:
    """Mean over all labelled joints of all frames."""
    return _mean(errors_mm.ravel())


def joint_means(errors_mm: Errors) -> Float64[np.ndarray, "joints"]:
    """Mean of each joint over the frames that label it; NaN for a joint that is never labelled."""
    if len(errors_mm) and not np.isnan(errors_mm).any():
        return errors_mm.sum(axis=0, dtype=np.float64) / len(errors_mm)
    return _divide(np.nansum(errors_mm, axis=0), (~np.isnan(errors_mm)).sum(axis=0))


def frame_means(errors_mm: Errors) -> Float64[np.ndarray, "frames"]:
    """Mean of each frame over its labelled joints; NaN for a frame without labels."""
    if not np.isnan(errors_mm).any():
        return _by_joint(errors_mm).sum(axis=1, dtype=np.float64) / errors_mm.shape[1]
    return _divide(np.nansum(errors_mm, axis=1), (~np.isnan(errors_mm)).sum(axis=1))


def frame_maxima(errors_mm: Errors) -> Float64[np.ndarray, "frames"]:
    """The worst labelled joint of each frame; NaN for a frame without labels."""
    worst = _by_joint(errors_mm).max(axis=1).astype(np.float64)
    if not np.isnan(worst).any():
        return worst
    worst = np.where(np.isnan(errors_mm), -1.0, errors_mm).max(axis=1)
    return np.where(worst < 0, np.nan, worst)


def frames_within(errors_mm: Errors) -> Curve:
    """Fraction of frames whose labelled joints all lie within t of the truth (max <= t)."""
    return _fraction_within(frame_maxima(errors_mm))


def joints_within(errors_mm: Errors) -> Curve:
    """Fraction of joints within t."""
    return _fraction_within(errors_mm.ravel())


def frame_means_within(errors_mm: Errors) -> Curve:
    """Fraction of frames whose mean error is within t."""
    return _fraction_within(frame_means(errors_mm))


def area_under(curve: Curve) -> float:
    """Area below a curve from 0 to 80 mm (trapezoids) as a share of the whole, so between 0 and 1."""
    return float((curve[1:] + curve[:-1]).mean() / 2)


def _fraction_within(values_mm: Float[np.ndarray, "values"]) -> Curve:
    missing = np.isnan(values_mm)
    valid = values_mm[~missing] if missing.any() else values_mm
    if not len(valid):
        return np.full(len(THRESHOLDS_MM), np.nan)
    # For a whole number t, e <= t exactly where ceil(e) <= t: one count of whole millimetres serves every threshold.
    steps = np.minimum(np.ceil(valid), len(THRESHOLDS_MM)).astype(np.int64)
    return np.cumsum(np.bincount(steps, minlength=len(THRESHOLDS_MM) + 1))[:-1] / len(valid)


def _by_joint(errors_mm: Errors) -> Errors:
    """The same errors, with those of a joint side by side in memory: sums over joints are then sums of long rows."""
    return np.asfortranarray(errors_mm)


def _mean(values: Float[np.ndarray, "values"]) -> float:
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if len(valid) else float("nan")


def _divide(sums: np.ndarray, counts: np.ndarray) -> Float64[np.ndarray, "values"]:
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
