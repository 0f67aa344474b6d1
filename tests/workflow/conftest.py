"""Copies of the workflow to run in."""

from pathlib import Path

import pytest
from checkout import Checkout, copy_checkout, double_stages


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """The workflow with the real stages."""
    return copy_checkout(tmp_path)


@pytest.fixture
def doubled(tmp_path: Path) -> Checkout:
    """The workflow with doubles for its stages, two datasets of a few frames."""
    return double_stages(copy_checkout(tmp_path))
