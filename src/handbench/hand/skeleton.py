"""The kinematic tree: 16 bones, 26 degrees of freedom with anatomical limits, and the shape of a person's hand.

The hand frame has its origin at the wrist of a right hand. Fingers point along -y, the thumb side is +x and the palm
faces -z, so that the identity rotation shows an open palm to the camera, fingers up. A bone's frame has its origin at
the bone's proximal joint, the bone lies along -y, and flexion is a positive rotation about +x.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from handbench.conventions import FINGERS

SEGMENTS = ("proximal", "middle", "distal")
"""Of the thumb these are the metacarpal, the proximal and the distal bone."""

BONES = ("palm",) + tuple(f"{finger}_{segment}" for finger in FINGERS for segment in SEGMENTS)
PARENTS = (-1,) + tuple(0 if segment == 0 else 3 * finger + segment for finger in range(5) for segment in range(3))

GLOBAL_DOFS = ("x_mm", "y_mm", "z_mm", "yaw", "pitch", "roll")
FINGER_DOFS = ("flexion_1", "abduction", "flexion_2", "flexion_3")
DOFS = GLOBAL_DOFS + tuple(f"{finger}_{dof}" for finger in FINGERS for dof in FINGER_DOFS)
"""The order of a pose vector: wrist position, hand rotation, then four angles a finger; angles in radians.

The hand turns by yaw about its own long axis (pronation), then by pitch about the camera's x, then by roll about the
viewing direction. Yaw and roll go all the way round; only a hand pointing at the camera meets the singularity.
"""

_FINGER_LIMITS_DEG = {
    "thumb": ((-25.0, 40.0), (-25.0, 35.0), (-10.0, 60.0), (-15.0, 85.0)),
    "index": ((-20.0, 90.0), (-18.0, 18.0), (0.0, 110.0), (0.0, 80.0)),
    "middle": ((-20.0, 90.0), (-14.0, 14.0), (0.0, 110.0), (0.0, 80.0)),
    "ring": ((-20.0, 90.0), (-16.0, 16.0), (0.0, 115.0), (0.0, 80.0)),
    "little": ((-20.0, 90.0), (-22.0, 22.0), (0.0, 110.0), (0.0, 80.0)),
}
ANGLE_LIMITS_RAD: Float[np.ndarray, "20 2"] = np.radians(
    np.array([limit for finger in FINGERS for limit in _FINGER_LIMITS_DEG[finger]])
)
"""Lower and upper bound of the 20 finger angles, in the order of DOFS[6:]."""


@dataclass(frozen=True)
class HandShape:
    """A person's hand. Lengths are those of the bones; girths and palm stretch scale the flesh around them."""

    bases_mm: Float[np.ndarray, "5 3"]
    """Where each finger's first joint sits in the palm."""
    lengths_mm: Float[np.ndarray, "5 3"]
    rest_rotations: Float[np.ndarray, "5 3 3"]
    """Palm frame from the frame of a finger's first bone at zero angles: the fan of the fingers, the thumb's turn."""
    girths: Float[np.ndarray, "5"]
    """Thickness of each finger relative to the reference hand, 1 = as thick."""
    palm_stretch: Float[np.ndarray, "3"]
    """Width, length and thickness of the palm relative to the reference hand."""


SHAPE_FIELDS = tuple(HandShape.__dataclass_fields__)


def _rotation_from_columns(x: tuple[float, ...], minus_y: tuple[float, ...]) -> Float[np.ndarray, "3 3"]:
    """The frame whose -y is the given bone direction and whose x is the nearest to the given flexion axis."""
    down = -np.asarray(minus_y) / np.linalg.norm(minus_y)
    across = np.asarray(x) - np.dot(x, down) * down
    across /= np.linalg.norm(across)
    return np.stack([across, down, np.cross(across, down)], axis=1)


def _fan(degrees: float) -> Float[np.ndarray, "3 3"]:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


# A large hand: the one whose NYU labels have 81.3 mm between wrist and palm centre; most people's is 0.75-1.0 of it.
REFERENCE_SHAPE = HandShape(
    bases_mm=np.array(
        [
            [18.0, -16.0, -9.0],
            [27.0, -98.0, -1.0],
            [5.0, -104.0, -3.0],
            [-15.0, -98.0, -1.5],
            [-35.0, -86.0, 2.5],
        ]
    ),
    lengths_mm=np.array(
        [[55.0, 44.0, 29.0], [47.0, 29.0, 27.0], [50.0, 33.0, 28.0], [48.0, 32.0, 26.0], [38.0, 24.0, 23.0]]
    ),
    rest_rotations=np.stack(
        [
            # The thumb leaves the palm sideways and forward; its flexion axis lies about along the palm's normal.
            _rotation_from_columns(x=(0.25, 0.40, -0.88), minus_y=(0.74, -0.58, -0.34)),
            _fan(4.0),
            _fan(0.0),
            _fan(-6.0),
            _fan(-15.0),
        ]
    ),
    girths=np.ones(5),
    palm_stretch=np.ones(3),
)


def vary_shape(
    shape: HandShape,
    *,
    size: float = 1.0,
    finger_lengths: Float[np.ndarray, "5"] | None = None,
    girth: float = 1.0,
    palm_stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> HandShape:
    """Another person's hand: all of it scaled by `size`, then fingers, girth and palm changed against that size."""
    palm = size * np.asarray(palm_stretch)
    fingers = np.ones(5) if finger_lengths is None else finger_lengths
    return replace(
        shape,
        bases_mm=shape.bases_mm * palm,
        lengths_mm=shape.lengths_mm * size * fingers[:, None],
        girths=shape.girths * size * girth,
        palm_stretch=shape.palm_stretch * palm,
    )


def sample_shape(rng: np.random.Generator) -> HandShape:
    """A random adult hand: 0.74 to 1.02 of the reference in size, proportions within a few per cent."""
    return vary_shape(
        REFERENCE_SHAPE,
        size=float(np.clip(rng.normal(0.88, 0.06), 0.74, 1.02)),
        finger_lengths=np.clip(rng.normal(1.0, 0.03, 5), 0.92, 1.08),
        girth=float(np.clip(rng.normal(1.0, 0.06), 0.85, 1.15)),
        palm_stretch=tuple(np.clip(rng.normal(1.0, 0.04, 3), 0.9, 1.1)),
    )


def neutral_pose() -> Float[np.ndarray, "26"]:
    """All angles zero, the wrist at the origin."""
    return np.zeros(len(DOFS))
