"""What the rendered hands hold: for each training set a way to draw objects, and five that are held in grasps.

The set `train` resembles the benchmark's two cuboids, as the paper's models do. The composed shape stands in for the
paper's duck: a body, a head, a beak and a tail.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from handbench.conventions import HANDOBJECT
from handbench.datasets.held_box import LARGE_BOX_MM, SMALL_BOX_MM
from handbench.geometry.box import Box
from handbench.geometry.rotation import quaternion_to_rotation
from handbench.geometry.solids import Primitive, Solid, make_composed, make_cuboid, make_cylinder, make_sphere

_SPREAD = 0.12
"""Standard deviation of the logarithm of a drawn object's size."""
_LARGE_SHARE = 0.5


@dataclass(frozen=True)
class Catalogue:
    """The objects of one set."""

    draw: Callable[[np.random.Generator], Solid]
    """For a hand that was recorded empty: sizes vary."""
    grasped: tuple[Solid, ...]
    """Five, as the paper's users had."""


def _scale(rng: np.random.Generator, numbers: int = 1) -> np.ndarray:
    return np.exp(_SPREAD * rng.normal(size=numbers))


def _draw_cuboid(rng: np.random.Generator) -> Solid:
    """The large or the small one of the benchmark; a common size and each edge on its own vary around it."""
    like = LARGE_BOX_MM if rng.random() < _LARGE_SHARE else SMALL_BOX_MM
    return make_cuboid((np.array(like) * _scale(rng) * _scale(rng, 3) ** 0.5).tolist())


def _draw_sphere(rng: np.random.Generator) -> Solid:
    return make_sphere(float(rng.uniform(36.0, 80.0)))


def _draw_cylinder(rng: np.random.Generator) -> Solid:
    return make_cylinder(float(rng.uniform(28.0, 62.0)), float(rng.uniform(50.0, 120.0)))


def make_duck(length_mm: float) -> Solid:
    """A composed shape without any symmetry, so long from beak to tail."""
    unit = length_mm / 110.0
    tilt = quaternion_to_rotation(np.array([0.92, 0.0, 0.0, 0.38]))

    def part(shape: str, centre: tuple[float, ...], size: tuple[float, ...], rotation: np.ndarray) -> Primitive:
        return Primitive(shape, Box(unit * np.array(centre), rotation, unit * np.array(size)))  # type: ignore[arg-type]

    upright = np.eye(3)
    return make_composed(
        [
            part("sphere", (0.0, 0.0, 0.0), (58.0, 58.0, 58.0), upright),
            part("sphere", (24.0, -32.0, 0.0), (38.0, 38.0, 38.0), upright),
            part("cuboid", (47.0, -30.0, 0.0), (26.0, 8.0, 16.0), upright),
            part("cylinder", (-29.0, -12.0, 0.0), (20.0, 40.0, 20.0), tilt),
            # One wing alone: nothing mirrors or turns the shape into itself.
            part("cuboid", (-6.0, -4.0, 26.0), (34.0, 14.0, 16.0), upright),
        ]
    )


CATALOGUES = {
    "train": Catalogue(
        _draw_cuboid,
        (
            make_cuboid(LARGE_BOX_MM),
            make_cuboid(SMALL_BOX_MM),
            make_cuboid((48.0, 90.0, 32.0)),
            make_cuboid((66.0, 98.0, 40.0)),
            make_cuboid((40.0, 62.0, 24.0)),
        ),
    ),
    "spheres": Catalogue(_draw_sphere, tuple(make_sphere(d) for d in (40.0, 48.0, 56.0, 64.0, 74.0))),
    "cylinders": Catalogue(
        _draw_cylinder,
        tuple(make_cylinder(d, h) for d, h in ((32.0, 70.0), (40.0, 100.0), (48.0, 60.0), (54.0, 110.0), (60.0, 85.0))),
    ),
    "composed": Catalogue(
        lambda rng: make_duck(float(rng.uniform(80.0, 115.0))),
        tuple(make_duck(length) for length in (80.0, 88.0, 96.0, 104.0, 112.0)),
    ),
}
assert tuple(CATALOGUES) == HANDOBJECT.splits
