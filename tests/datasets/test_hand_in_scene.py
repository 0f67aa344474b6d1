"""What of a hand and an object the camera sees, by hand: one pixel, one surface at a time."""

import numpy as np
import pytest

from handbench.conventions import HANDOBJECT
from handbench.datasets.hand_in_scene import FOREARM, HAND, OBJECT, see_points

NOTHING, BEHIND = -1, 3
Z_MM, FLESH_MM = 500.0, 8.0
CAMERA = HANDOBJECT.camera


def is_seen(of: str, surface_mm: float, layer: int) -> bool:
    """A point on the axis of the camera, of the hand (under 8 mm of flesh) or of the object."""
    depth_mm = np.full((CAMERA.height, CAMERA.width), surface_mm, np.float32)
    layers = np.full(depth_mm.shape, layer, np.int16)
    own_mm = np.full(int(of == "hand"), FLESH_MM)
    return bool(see_points(np.array([[0.0, 0.0, Z_MM]]), own_mm, depth_mm, layers, CAMERA)[0])


@pytest.mark.parametrize(
    ("of", "surface_mm", "layer", "seen"),
    [
        ("hand", Z_MM - FLESH_MM, HAND, True),
        ("hand", Z_MM - FLESH_MM, FOREARM, True),
        ("hand", Z_MM - 40.0, HAND, False),
        # A thin object before a finger, a finger before a corner: nearer by less than flesh is thick.
        ("hand", Z_MM - FLESH_MM - 1.0, OBJECT, False),
        ("object", Z_MM - 2.0, HAND, False),
        ("object", Z_MM - 2.0, OBJECT, True),
        ("object", Z_MM - 20.0, OBJECT, False),
        # The pixel has missed the outline.
        ("hand", Z_MM + 3.0, OBJECT, True),
        ("object", Z_MM + 30.0, BEHIND, True),
        ("object", 0.0, NOTHING, True),
    ],
)
def test_only_what_a_point_belongs_to_may_lie_before_it(of, surface_mm, layer, seen):
    assert is_seen(of, surface_mm, layer) is seen
