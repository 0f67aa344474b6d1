"""Shapes in annotations are checked while the tests run; ../shared is used where it is present."""

import os
from pathlib import Path

import pytest
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
