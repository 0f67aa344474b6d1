"""Models packed once for all tests, and a machine on which none has been fetched."""

import shutil
from pathlib import Path

import pytest

from handbench.training import handed_on
from tests.release.models_packed import Packed, make_packed


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return make_packed(tmp_path_factory.mktemp("packed"))


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, an empty cache, and a repository without models; returns the cache."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(handed_on, "REPOSITORY", tmp_path / "no-models")
    return handed_on.find_cache()


@pytest.fixture
def copy(packed: Packed, tmp_path: Path) -> Path:
    """Models that a test may break."""
    shutil.copytree(packed.models, tmp_path / "models")
    return tmp_path / "models"
