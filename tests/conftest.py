"""Shapes in annotations are checked while the tests run; ../shared is used where it is present."""

import copy
import os
from pathlib import Path

import pytest
import yaml
from jaxtyping import install_import_hook

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
install_import_hook("handbench", "beartype.beartype")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and published predictions beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is absent: the real data and the published record are not part of the project")
    return SHARED


@pytest.fixture
def values() -> dict:
    """config.yaml as tables that a test may change."""
    return copy.deepcopy(yaml.safe_load((Path(__file__).resolve().parents[1] / "config.yaml").read_text()))
