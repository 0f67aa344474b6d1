"""One small run and one report of it, and one run of the feedback papers, made once for all tests of the report."""

import shutil
from pathlib import Path

import pytest
from loop_fixtures import write_loop_run
from run_fixtures import write_run

from handbench.report.build import build_report


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("results") / "demo-embedded")
    sheet = run / "show" / "nyu" / "test.png"
    sheet.parent.mkdir(parents=True)
    shutil.copyfile(Path(__file__).parents[2] / "docs" / "images" / "keypoints.png", sheet)
    return run


@pytest.fixture(scope="session")
def small_report(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report without the published record."""
    return build_report(small_run, tmp_path_factory.mktemp("out") / "report", record=None).parent


@pytest.fixture(scope="session")
def loop_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_loop_run(tmp_path_factory.mktemp("results") / "demo-embedded")
