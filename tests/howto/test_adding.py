"""Adding a method and a dataset is what their pages say: seven lines each, and no edit elsewhere."""

import re
from pathlib import Path

import pytest
import torch
from howto_page import PAGES, SECONDS, Reader, set_up

from handbench.datasets.crops import build_crops
from handbench.datasets.torch_dataset import open_crops
from handbench.loop.crop_data import as_batch, divide
from tests.datasets.crop_fixtures import make_listing


def read_checklist(page: Path) -> list[str]:
    """The numbered lines at the page's head."""
    return re.findall(r"^\d+\. (.*)$", page.read_text(), re.MULTILINE)


def touched(checklist: list[str]) -> set[str]:
    """Files and folders that the lines name."""
    return {name for line in checklist for name in re.findall(r"`([\w./-]+/[\w./-]*)`", line)}


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return set_up(tmp_path / "handbench")


def test_depth_is_as_precise_as_the_page_says(tmp_path: Path) -> None:
    """Half precision of `divide`, single in what networks and `crops.tensors()` get."""
    build_crops(make_listing(6), centre="joint", size_px=16, out=tmp_path / "crops")
    crops = open_crops(store=tmp_path / "crops", joints="scored")
    seen = divide(crops).seen
    assert 'reads `divide(crops).seen["depth"]` by itself' in (PAGES / "add-a-method.md").read_text()
    assert seen["depth"].dtype == torch.float16
    assert as_batch(seen).depth.dtype == crops.tensors()["depth"].dtype == torch.float32


HOLD_ALL = ("tests/test_config.py", "tests/test_scales.py", "tests/test_imports.py", "tests/test_conventions.py")
HOLD_ALL += ("tests/datasets/test_importers.py", "tests/datasets/test_embedded_files.py")
HOLD_ALL += ("tests/test_house.py::test_files_and_functions_stay_short",)
HOLD_ALL += ("tests/report/test_report_build.py::test_sections_stand_in_the_papers_order",)
CALMLY = "-q -p no:cacheprovider"
SCHEMA = "workflow/schemas/config.schema.yaml"


def hold(reader: Reader, words: str, seconds: int = SECONDS) -> None:
    checked = reader.run(words, seconds)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", ["add-a-method", "add-a-dataset"])
def test_the_checklist_is_all_that_it_takes(reader: Reader, name: str) -> None:
    page = PAGES / f"{name}.md"
    checklist = read_checklist(page)
    assert len(checklist) == 7
    reader.follow(page)
    # What is added is in the house's style, and the tests that hold every method and dataset take it in.
    hold(reader, f"ruff format --check . && ruff check . && python -m pytest {' '.join(HOLD_ALL)} {CALMLY}")
    named = touched(checklist) | {SCHEMA}
    changes = reader.list_changes()
    assert {path for path in changes if not any(path == one or path.startswith(one) for one in named)} == set()
    unused = {one for one in named if not any(path == one or path.startswith(one) for path in changes)}
    assert unused == set(), "the checklist names what the page never touches"


@pytest.mark.slow
def test_no_test_of_the_house_minds_what_was_added(reader: Reader) -> None:
    """Both pages in one checkout, then all that `make test` runs but these pages, which are followed once."""
    for name in ("add-a-method", "add-a-dataset"):
        reader.write_all(PAGES / f"{name}.md")
    everything = f"python -m pytest -m 'not slow and not cluster' --ignore tests/howto {CALMLY}"
    hold(reader, f"make schema && {everything}", seconds=4 * SECONDS)
