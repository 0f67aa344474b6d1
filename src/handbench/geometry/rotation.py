"""Conversions of rotations in numpy, by scipy; networks have their own few lines beside their equations."""

import numpy as np
from jaxtyping import Float


def rotation_to_quaternion(rotations: Float[np.ndarray, "*batch 3 3"]) -> Float[np.ndarray, "*batch 4"]:
    """(w, x, y, z) with w >= 0."""
    from scipy.spatial.transform import Rotation

    flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_quat(canonical=True, scalar_first=True)
    return flat.reshape(*rotations.shape[:-2], 4)


def quaternion_to_rotation(quaternions: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 3 3"]:
    """From (w, x, y, z) of any length."""
    from scipy.spatial.transform import Rotation

    flat = Rotation.from_quat(quaternions.reshape(-1, 4), scalar_first=True).as_matrix()
    return flat.reshape(*quaternions.shape[:-1], 3, 3)
