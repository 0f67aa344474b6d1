"""Which results a report takes, what it refuses to replace a good one with, and what its stamps say of the data."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from run_fixtures import COMMIT, DIGEST, FRAMES

from handbench.conventions import DATASETS
from handbench.errors import BadInput
from handbench.evaluation.results import read_results
from handbench.report.build import build_report
from handbench.report.run_card import RunCard
from handbench.report.stamps import describe_protocol, stamp_sheet


@pytest.fixture
def changed_run(small_run: Path, tmp_path: Path) -> Path:
    """The small run after a call that asks for one seed and one data set only."""
    run = tmp_path / "results" / "demo-embedded"
    shutil.copytree(small_run, run)
    call = json.loads((run / "call.json").read_text())
    call["settings"] |= {"seeds": [1], "use": ["nyu"]}
    (run / "call.json").write_text(json.dumps(call))
    return run


@pytest.mark.parametrize("tracked", [False, True])
def test_a_folder_that_is_no_run_leaves_the_old_report(tmp_path: Path, tracked: bool) -> None:
    out = tmp_path / "report"
    out.mkdir()
    (out / "index.html").write_text("old")
    (tmp_path / "typo-embedded").mkdir()
    for name, found in (("typo-embedded", "a folder with neither"), ("absent", "no such folder")):
        with pytest.raises(BadInput, match=f"such as results/demo-embedded.*found {found}"):
            build_report(tmp_path / name, out, record=None, results=() if tracked else None)
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [("index.html", "old")]


@pytest.mark.parametrize("tracked", [False, True])
def test_what_the_last_call_did_not_ask_for_is_left_out(changed_run: Path, tmp_path: Path, tracked: bool) -> None:
    results = [replace(one, folder=None) for one in read_results(changed_run)] if tracked else None
    page = build_report(changed_run, tmp_path / "report", record=None, results=results, pictures=False)
    runs = pd.read_csv(page.parent / "tables" / "runs.csv")
    assert set(runs["dataset"]) == {"nyu"}
    assert set(runs["seeds"]) == {1}
    assert "6 older results of other settings were left out" in page.read_text()
    assert "This run holds 2 evaluations" in page.read_text()


def test_nothing_is_said_where_nothing_is_left_out(small_report: Path) -> None:
    assert "left out" not in (small_report / "index.html").read_text()


def test_a_data_set_without_splits_says_how_it_was_split(small_run: Path, small_report: Path) -> None:
    by_dataset = {one.dataset: one for one in read_results(small_run)}
    assert describe_protocol(by_dataset["nyu"]).startswith("NYU Hand Pose, test split, 120 frames")
    msra = by_dataset["msra"]
    assert describe_protocol(msra).startswith("MSRA15 Hand Gesture, all frames, leave-one-subject-out over 1 fold, 120")
    nine = replace(msra, protocol=msra.protocol | {"cube_mm": {f"P{k}": [200.0, 200.0] for k in range(9)}})
    assert "leave-one-subject-out over 9 folds," in describe_protocol(nine)
    page = (small_report / "index.html").read_text()
    assert "MSRA15 Hand Gesture, test split" not in page


def test_contact_sheets_are_stamped(small_report: Path) -> None:
    page = (small_report / "index.html").read_text()
    section = page[page.index('<section id="data">') : page.index('<section id="frames">')]
    (stamp,) = re.findall(r'<p class="stamp">([^<]*)</p>', section)
    camera = DATASETS["nyu"].camera
    assert stamp.startswith(
        f"NYU Hand Pose, test split, {FRAMES} frames, 36 joints, centre and cube: around the labels"
    )
    for fact in (f"fx {camera.fx:g}", "data: embedded", "scale: demo", "seed of the data: 7", COMMIT, DIGEST):
        assert fact in stamp


def test_a_sheet_of_recordings_takes_the_frames_of_the_convention() -> None:
    card = RunCard("paper", "real", (0,), None, None, None)
    assert "all frames, 76,375 frames" in stamp_sheet("msra", "all", card)
    assert "seed of the data: none, recorded" in stamp_sheet("msra", "all", card)
    assert "unknown number of frames" in stamp_sheet("msra", "all", replace(card, source="embedded"))


def test_the_interval_note_tells_of_short_sequences(small_report: Path) -> None:
    assert "(a shorter sequence is one block)" in (small_report / "tables" / "runs.md").read_text()


@pytest.mark.parametrize("source", ["embedded", "real"])
def test_the_sheet_of_a_rendered_set_says_how_many_were_rendered(source: str) -> None:
    settings = {"render": {"seed": 3, "sets": {"spheres": {"semi": 4000, "full": 2000}}}}
    card = RunCard("demo", source, (0,), "abc", "123", None, settings)
    stamp = stamp_sheet("handobject", "spheres", card)
    assert "spheres split, 6,000 frames, 29 joints" in stamp
    assert "seed of the data: 3" in stamp
    alone = replace(card, settings={"render": {"seed": 3, "sets": {"hands": {"full": 12000}}}})
    assert "train split, 12,000 frames" in stamp_sheet("hands", "train", alone)
    assert "unknown number of frames" in stamp_sheet("hands", "train", card)
