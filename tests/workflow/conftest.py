"""Copies of the workflow to run in."""

import textwrap
from pathlib import Path

import pytest
from checkout import DOUBLES, Checkout, copy_checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """The workflow with the real stages."""
    return copy_checkout(tmp_path)


@pytest.fixture
def doubled(tmp_path: Path) -> Checkout:
    """The workflow with doubles for its stages, two datasets of a few frames."""
    copied = copy_checkout(tmp_path)
    for name, text in DOUBLES.items():
        path = tmp_path / "src" / "handbench" / name
        path.write_text(textwrap.dedent(text).lstrip())
    (tmp_path / "tiny.yaml").write_text(
        "scale: smoke\nuse: [msra, icvl]\n"
        "datasets:\n  msra: {frames: {all: 3}}\n  icvl: {frames: {train: 2, test: 1}}\n"
    )
    return copied
