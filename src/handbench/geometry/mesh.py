"""Triangle meshes as two arrays."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer


@dataclass(frozen=True)
class Mesh:
    """Vertices in millimetres and counter-clockwise faces seen from outside."""

    vertices_mm: Float[np.ndarray, "vertices 3"]
    faces: Integer[np.ndarray, "faces 3"]
