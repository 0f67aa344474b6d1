"""Properties for any content: a refusal is one line, a seal notices changes, a header is held to its bytes."""

import contextlib
import io
import json
from pathlib import Path
from tokenize import TokenError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from handbench.datasets.array_file import check_layout, parse_array, read_arrays, write_arrays
from handbench.errors import BadInput
from handbench.json_file import parse_object, read_noted_object, read_object
from handbench.sealed import is_sealed, seal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(), st.text(max_size=5000))
def test_a_refusal_is_one_line_of_bearable_length(where: str, found: str) -> None:
    line = str(BadInput(where[:80], expected="numbers", found=found, fix="mend it"))
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert len(line) < 10 * (80 + 300)


def test_what_was_found_is_kept_whole_beside_the_line() -> None:
    refusal = BadInput("a.txt", expected="numbers", found="9" * 5000, fix="mend it")
    assert refusal.found == "9" * 5000
    assert "99... (5,000 letters); mend it" in str(refusal)
    assert str(BadInput("a.txt", expected="x", found="\ufeff1\x1b[31m", fix="y")).count("\\") == 2


@given(st.dictionaries(st.text(), JSON, min_size=1, max_size=4), st.data())
def test_a_seal_notices_every_change(content: dict, data: st.DataObject) -> None:
    content.pop("sha256", None)
    sealed = json.loads(json.dumps(seal(content)))
    assert is_sealed(sealed)
    for key in content:
        other = data.draw(JSON)
        if json.dumps(other, sort_keys=True) != json.dumps(content[key], sort_keys=True):
            assert not is_sealed(sealed | {key: other})
        assert not is_sealed({name: value for name, value in sealed.items() if name != key})


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"b": {"a": 1, "c": [{"x": 1, "x": 2}]}}'])
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"expected a card, found no JSON .a key twice: '[ax]'.; mend it"):
        read_object(path, holds="a card", fix="mend it")
    assert read_noted_object(path) == {}


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_an_object_is_read_as_json_has_it(content: dict) -> None:
    assert parse_object(json.dumps(content).encode()) == content


@given(arrays(scalar_dtypes().filter(lambda kind: kind.kind in "fiub"), array_shapes(min_dims=0)), st.integers(-9, 9))
def test_a_header_is_held_to_what_follows(array: np.ndarray, more: int) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    content = buffer.getvalue()
    np.testing.assert_array_equal(parse_array(content), array)
    if more:
        with pytest.raises(ValueError, match="bytes where its header claims"):
            parse_array(content + bytes(more) if more > 0 else content[:more] if array.nbytes >= 9 else content + b"x")


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_an_array_or_an_exception(content: bytes) -> None:
    array = np.zeros(0)
    with contextlib.suppress(ValueError, TypeError, KeyError, SyntaxError, OverflowError, TokenError, RecursionError):
        array = parse_array(b"\x93NUMPY\x01\x00" + content)
    assert array.nbytes <= len(content)


LAYOUT = {"pose": ("f", ("frames", 3)), "row": ("iu", ("frames",))}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"pose": np.zeros((4, 3), np.int32)}, r"with pose of shape .frames, 3., found int32 of shape .4, 3."),
        ({"pose": np.zeros((4, 2))}, r"found float64 of shape .4, 2."),
        ({"row": np.zeros(5, int)}, r"with row of shape .4., found int64 of shape .5,."),
        ({"pose": np.full((4, 3), np.nan)}, "with finite pose, found NaN or infinity"),
    ],
)
def test_arrays_are_held_to_their_layout(tmp_path: Path, changed: dict, found: str) -> None:
    path = tmp_path / "poses.npz"
    write_arrays(path, {"pose": np.zeros((4, 3)), "row": np.arange(4)} | changed)
    held = read_arrays(path, holds="poses", fix="fit again")
    with pytest.raises(BadInput, match=f"expected poses, {found}" if found.startswith("with") else found):
        check_layout(path, held, LAYOUT, holds="poses", fix="fit again", finite=["pose"])


def test_an_array_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="found no row in it; fit again"):
        check_layout(tmp_path, {"pose": np.zeros((4, 3))}, LAYOUT, holds="poses", fix="fit again")
