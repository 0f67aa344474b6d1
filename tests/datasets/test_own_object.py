"""The word of what a hand holds: its solid, and what is refused."""

import numpy as np
import pytest

from handbench.datasets.own_object import parse_object
from handbench.errors import BadInput


@pytest.mark.parametrize(
    ("word", "kind", "size_mm"),
    [
        ("box:60x40x120", "cuboid", (60, 40, 120)),
        ("sphere:65.5", "sphere", (65.5, 65.5, 65.5)),
        ("cylinder:50x110", "cylinder", (50, 110, 50)),
    ],
)
def test_a_word_is_a_solid(word, kind, size_mm):
    held = parse_object(word)
    assert (held.word, held.solid.kind) == (word, kind)
    np.testing.assert_allclose(held.solid.size_mm, size_mm, atol=0.5)


@pytest.mark.parametrize(
    "word",
    ["", "box", "box:", "box:60x40", "box:60x40x120x1", "box:60x40x1e2", "box:60x-40x20", "box:60x40xnan", "cube:40"]
    + ["sphere:40x40", "cylinder:40", "box 60x40x120", "Box:60x40x120", "box:60 x40x120", "box:60x40x\u0661\u0662"],
)
def test_a_malformed_word_is_refused(word):
    with pytest.raises(BadInput, match=r"object: expected box:AxBxC, sphere:DIAMETER or cylinder.*box:60x40x120"):
        parse_object(word)


@pytest.mark.parametrize(("word", "wrong"), [("box:6x4x12", "6"), ("sphere:0.07", "0.07"), ("cylinder:50x500", "500")])
def test_a_size_of_no_hand_is_refused(word, wrong):
    with pytest.raises(BadInput, match=f"object: expected edges of 10 to 300 mm, found {wrong} in {word}; give milli"):
        parse_object(word)
