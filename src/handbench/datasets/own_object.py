"""The object in a person's own hand: a word with its size, as `box:60x40x120`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handbench.errors import BadInput
from handbench.geometry.solids import Solid, make_cuboid, make_cylinder, make_sphere

EDGES_MM = (10.0, 300.0)
"""Of what a hand holds and a cube of 400 mm has room for; others are in centimetres or metres."""
OBJECT_WORDS = "box:AxBxC, sphere:DIAMETER or cylinder:DIAMETERxLENGTH in mm"
_MAKERS: dict[str, tuple[int, Callable[[Sequence[float]], Solid]]] = {
    "box": (3, make_cuboid),
    "sphere": (1, lambda numbers: make_sphere(numbers[0])),
    "cylinder": (2, lambda numbers: make_cylinder(numbers[0], numbers[1])),
}
"""How many numbers a shape has, and the solid of them."""


@dataclass(frozen=True)
class OwnObject:
    """What is held, known by its shape and size alone."""

    word: str
    """As it was given."""
    solid: Solid


def parse_object(word: str) -> OwnObject:
    """The object of a word; BadInput where the word is none or its size is no hand's."""
    shape, _, text = word.partition(":")
    count, make = _MAKERS.get(shape, (0, None))
    numbers = text.split("x")
    if (
        make is None
        or len(numbers) != count
        or not all(re.fullmatch(r"[0-9]+(\.[0-9]+)?", number) for number in numbers)
    ):
        raise BadInput("object", expected=OBJECT_WORDS, found=repr(word), fix="for example --object box:60x40x120")
    edges_mm = [float(number) for number in numbers]
    least_mm, most_mm = EDGES_MM
    wrong = [edge for edge in edges_mm if not least_mm <= edge <= most_mm]
    if wrong:
        raise BadInput(
            "object",
            expected=f"edges of {least_mm:g} to {most_mm:g} mm",
            found=f"{wrong[0]:g} in {word}",
            fix="give millimetres",
        )
    return OwnObject(word, make(edges_mm))
