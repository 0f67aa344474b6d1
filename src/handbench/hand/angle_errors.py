"""How far apart two angles are, in degrees: the formula that fits and evaluations share."""

import numpy as np
from jaxtyping import Float, Float64

Angles = Float[np.ndarray, "frames angles"]


def angle_errors_deg(predicted_rad: Angles, truth_rad: Angles) -> Float64[np.ndarray, "frames angles"]:
    """The smaller way round between two angles, in degrees, 0 to 180; NaN where the true angle is not known."""
    if np.isnan(predicted_rad[~np.isnan(truth_rad)]).any():
        raise ValueError(
            "a predicted angle is NaN where the true one is known; leaving it out would flatter the method"
        )
    turn = np.degrees(predicted_rad.astype(np.float64) - truth_rad) % 360.0
    return np.minimum(turn, 360.0 - turn)
