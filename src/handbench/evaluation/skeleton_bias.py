"""The error less what two skeletons differ by (refine 4.5): an optimistic bound, drawn beside the raw curve."""

import numpy as np
from jaxtyping import Float64

from handbench.evaluation.metrics import Errors


def estimate_bias(training_errors_mm: Errors) -> Float64[np.ndarray, "joints"]:
    """The smallest error of each joint over the whole training set: what no prediction of that skeleton undercuts.

    A joint that is never labelled has no bias to remove, 0.
    """
    smallest = np.where(np.isnan(training_errors_mm), np.inf, training_errors_mm).min(axis=0, initial=np.inf)
    return np.where(np.isinf(smallest), 0.0, smallest)


def remove_bias(errors_mm: Errors, bias_mm: Float64[np.ndarray, "joints"]) -> Float64[np.ndarray, "frames joints"]:
    """Errors less the bias of their joint, never below 0."""
    return np.maximum(errors_mm - bias_mm, 0.0)
