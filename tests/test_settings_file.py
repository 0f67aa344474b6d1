"""Files of settings that are no settings: one clear line each."""

from pathlib import Path

import pytest

from handbench.config import load_config
from handbench.errors import BadInput

DEFAULT = Path(__file__).resolve().parents[1] / "config.yaml"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: [1", "expected YAML"),
        (b"- 1\n", "expected keys and values, found list"),
        (b"\xff\xfe\x00", "expected a readable YAML file"),
        (b"1: 2\n", "expected keys that are words, found 1"),
        (b"!!python/object/apply:os.system [true]\n", "expected YAML"),
    ],
)
def test_a_file_that_is_no_config_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=said) as caught:
        load_config([path])
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["seeds: [0]\nseeds: [1]\n", "crop:\n  size_px: 64\n  size_px: 32\n"])
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"expected YAML, found the key '(seeds|size_px)' twice in .* line [23]"):
        load_config([DEFAULT, tmp_path / "my.yaml"])


def test_a_tree_of_aliases_is_refused_in_one_line(tmp_path: Path) -> None:
    """Unfolded it would be 10^9 words."""
    lines = ["seeds: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    (tmp_path / "my.yaml").write_text("\n".join(lines).replace("seeds: &a", "x: &a") + "\nseeds: *i\n")
    with pytest.raises(BadInput) as caught:
        load_config([DEFAULT, tmp_path / "my.yaml"])
    assert len(str(caught.value)) < 2000


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="found no such file"):
        load_config([tmp_path / "my.yaml"])
