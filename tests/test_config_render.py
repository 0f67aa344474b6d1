"""The rendered sets of the config: hands with objects, and hands alone."""

import pytest

from handbench.config import check_config
from handbench.conventions import HANDOBJECT, HANDS
from handbench.errors import BadInput


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ({"hands": ["msra", "nyu"]}, "expected render.hands.1 to be 'msra' or 'msra14', found 'nyu'"),
        ({"hands": ["msra", "msra"]}, "render.hands: one stands twice in msra, msra"),
        ({"sets": {"train": {"semi": 1, "full": 1}}}, "render.sets has no 'spheres'"),
        ({"frames": 3}, "found render.frames"),
    ],
)
def test_wrong_rendered_sets_are_one_line(values: dict, patch: dict, said: str) -> None:
    values["render"] |= patch
    with pytest.raises(BadInput, match=said):
        check_config(values)


def test_a_rendered_set_has_frames_of_known_hands(values: dict) -> None:
    values["render"]["sets"]["spheres"] = {"semi": 0, "full": 0}
    with pytest.raises(BadInput, match=r"render\.sets\.spheres has neither semi nor full frames"):
        check_config(values)
    values["render"]["sets"]["spheres"] = {"semi": 0, "full": 5}
    del values["datasets"]["msra14"]
    values["use"].remove("msra14")
    with pytest.raises(BadInput, match="has no entry under datasets"):
        check_config(values)


def test_hands_alone_have_no_recorded_ones(values: dict) -> None:
    values["render"]["sets"]["hands"] = {"semi": 2, "full": 5}
    with pytest.raises(BadInput, match=r"render\.sets\.hands has full frames alone"):
        check_config(values)


def test_rendered_sets_are_those_of_the_convention(values: dict) -> None:
    assert list(check_config(values).render.sets) == [*HANDOBJECT.splits, HANDS.name]
