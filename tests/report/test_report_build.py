"""The report's folder: what is in it, that its numbers are those of the files, and what a rebuild or a kill leaves."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from run_fixtures import COMMIT, DIGEST, FRAMES, MODULES

from handbench.errors import BadInput
from handbench.evaluation.results import read_results
from handbench.evaluation.viewpoint import view_bins
from handbench.report import build
from handbench.report.build import build_report
from handbench.report.frame_data import open_frames
from handbench.report.sections import SECTIONS

PAPERS = ("feedback15", "feedback19", "deepmodel", "refine", "crossing")
"""In the order of the README; a method that is added stands behind them."""
TEXTS = ("*.html", "*.csv", "*.md", "*.tex")


@pytest.fixture
def empty_run(tmp_path: Path) -> Path:
    """A run that has only begun."""
    run = tmp_path / "smoke-embedded"
    run.mkdir()
    (run / "call.json").write_text("{}")
    return run


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_there(small_report: Path) -> None:
    files = set(read_tree(small_report))
    assert {"index.html", "claims.html", "claims.csv", "sheets/nyu-test.png"} <= files
    for table in ("feedback19_table_1", "feedback19_table_2", "deepmodel_table_1", "runs", "claims"):
        assert {f"tables/{table}.{kind}" for kind in ("html", "csv", "md", "tex")} <= files
    figures = ["crossing_figure_4_nyu", "crossing_figure_4_msra", *(f"msra_view_{module}" for module in MODULES)]
    for figure in figures:
        assert {f"figures/{figure}.{kind}" for kind in ("png", "pdf", "csv")} <= files
    frames = {
        f"frames/{d}-{m}-seed0-{k}.png" for d in ("nyu", "msra") for m in MODULES for k in ("best", "median", "worst")
    }
    assert {name for name in files if name.startswith("frames/")} == frames


def test_sections_stand_in_the_papers_order(small_report: Path) -> None:
    page = (small_report / "index.html").read_text()
    sections = tuple(re.findall(r'<section id="(\w+)"', page))
    assert sections[:6] == ("summary", *PAPERS)
    assert sections[6:-2] == tuple(one.__module__.rpartition(".")[2] for one in SECTIONS[5:])
    assert sections[-2:] == ("data", "frames")
    items = re.findall(r'id="(deepmodel_\w+)"', page)
    assert items[:3] == ["deepmodel_table_1", "deepmodel_figure_3", "deepmodel_figure_3_angles"]


def test_the_table_of_runs_holds_the_numbers_of_the_files(small_run: Path, small_report: Path) -> None:
    runs = pd.read_csv(small_report / "tables" / "runs.csv").set_index(["dataset", "module"])
    assert len(runs) == 4
    for (dataset, module), row in runs.iterrows():
        errors_mm = []
        for seed in (0, 1):
            with np.load(small_run / "evaluate" / dataset / module / f"seed{seed}" / "errors.npz") as arrays:
                errors_mm.append(arrays["errors_mm"].astype(float))
        assert row["mean_error_mm"] == pytest.approx(np.mean(errors_mm), abs=1e-4)
        assert row["low_mm"] < row["mean_error_mm"] < row["high_mm"]
        worst = np.max(errors_mm, axis=2)
        assert row["within_40_percent"] == pytest.approx(100 * np.mean(worst <= 40), abs=1e-3)
        assert (row["frames"], row["seeds"], row["centre"]) == (FRAMES, "0, 1", "com")
        assert f"commit: {COMMIT}" in row["stamp"]
        assert f"config: {DIGEST}" in row["stamp"]


def test_every_stamp_tells_the_whole_protocol(small_report: Path) -> None:
    for path in (*small_report.glob("tables/*.csv"), *small_report.glob("figures/*.csv")):
        stamp = pd.read_csv(path, comment="#")["stamp"].unique()
        assert len(stamp) == 1
        facts = ("data: ", "scale: ", "seeds: ", "commit: ", "config: ")
        if path.stem != "claims":
            facts = (*facts, "frames", "joints", "centre", "cube")
            assert "test split" in stamp[0] or "leave-one-subject-out" in stamp[0]
        for fact in facts:
            assert fact in stamp[0], f"{path.name} has no {fact}"


def test_embedded_numbers_say_that_they_are_not_comparable(small_report: Path) -> None:
    page = (small_report / "index.html").read_text()
    assert "not comparable with those that papers print" in page
    assert "this run, embedded data" in page
    assert "run <code>handbench download published</code>" in page


def test_without_the_record_nothing_is_recomputed(small_report: Path) -> None:
    table = pd.read_csv(small_report / "tables" / "feedback19_table_1.csv")
    assert table["recomputed_mm"].isna().all()
    # Below the paper's rows stand baselines of this run.
    assert table["printed_mm"].notna().tolist() == [True] * 12 + [False] * 3
    assert set(table["status"][:12]) == {
        "printed only: no published 3D predictions",
        "published predictions not at hand",
    }
    assert "not run at this scale" in set(table["run_status"])
    assert not (small_report / "figures" / "deepmodel_figure_5.png").exists()
    assert 'id="deepmodel_figure_5"' in (small_report / "index.html").read_text()


def test_claims_csv_has_the_columns_that_are_asked_for(small_report: Path) -> None:
    claims = pd.read_csv(small_report / "claims.csv")
    assert claims.columns.tolist() == ["id", "status", "reason", "measured", "low", "high", "scale", "source", "seeds"]
    assert set(claims["status"]) <= {"holds", "fails", "not-run"}
    assert {"FB1", "GF11", "DM5", "RF7", "CN6"} <= set(claims["id"])


def test_nothing_points_outside_of_the_folder(small_run: Path, small_report: Path) -> None:
    for pattern in TEXTS:
        for path in small_report.rglob(pattern):
            text = path.read_text()
            assert str(small_run.parent) not in text, path.name
            assert str(small_report.parent) not in text, path.name
            for link in re.findall(r'(?:href|src)="([^"#]*)', text):
                if link and not link.startswith("data:"):
                    assert (path.parent / link).is_file(), f"{path.name} names {link}"
            assert "http" not in text, path.name


def test_twice_the_same_bytes(small_run: Path, small_report: Path, tmp_path: Path) -> None:
    assert read_tree(build_report(small_run, tmp_path / "again", record=None).parent) == read_tree(small_report)


def test_an_older_report_goes_with_its_stale_files(empty_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    (out / "figures").mkdir(parents=True)
    (out / "figures" / "stale.png").touch()
    build_report(empty_run, out, record=None, pictures=False)
    assert not (out / "figures" / "stale.png").exists()
    assert list((out / "frames").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"report", "smoke-embedded"}


def test_a_kill_leaves_the_old_report_whole(empty_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "report"
    out.mkdir()
    (out / "index.html").write_text("old")

    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "render_index", stop)
    with pytest.raises(KeyboardInterrupt):
        build_report(empty_run, out, record=None, pictures=False)
    assert read_tree(out) == {"index.html": b"old"}
    assert {path.name for path in tmp_path.iterdir()} == {"report", "smoke-embedded"}


def test_what_a_killed_build_left_is_cleared_away(empty_run: Path, tmp_path: Path) -> None:
    left = tmp_path / ".report.partial" / "figures" / "half.png"
    left.parent.mkdir(parents=True)
    left.touch()
    out = build_report(empty_run, tmp_path / "report", record=None).parent
    assert not (out / "figures" / "half.png").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"report", "smoke-embedded"}


def test_a_folder_that_is_no_report_is_left_alone(small_run: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(BadInput, match=r"found 'thesis\.txt' in it"):
        build_report(small_run, tmp_path, record=None)
    with pytest.raises(BadInput, match="found a file"):
        build_report(small_run, tmp_path / "thesis.txt", record=None)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_full_disk_is_one_line(empty_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "write_plain_tables", refuse)
    with pytest.raises(BadInput, match="found No space left on device"):
        build_report(empty_run, tmp_path / "report", record=None)
    assert list(tmp_path.iterdir()) == [empty_run]


def test_results_of_the_tracking_store_give_the_same_tables(
    small_run: Path, small_report: Path, tmp_path: Path
) -> None:
    tracked = [replace(one, folder=None) for one in read_results(small_run)]
    out = build_report(small_run, tmp_path / "tracked", record=None, results=tracked).parent
    mine, theirs = read_tree(out), read_tree(small_report)
    for name in theirs:
        # Claims say of probes that the store does not hold them.
        if name.startswith(("tables/", "figures/crossing_figure")) and not name.startswith("tables/claims."):
            assert mine[name] == theirs[name], name
    assert list((out / "frames").iterdir()) == []
    assert "No frames of NN search" in (out / "index.html").read_text()


def test_a_moved_run_still_shows_its_frames(small_run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "demo-embedded"
    shutil.copytree(small_run, moved)
    for card in moved.rglob("predictions.json"):
        assert json.loads(card.read_text())["store"]
    build_report(moved, tmp_path / "report", record=None)
    assert len(list((tmp_path / "report" / "frames").iterdir())) == 12


def test_a_run_without_anything_is_reported_as_such(empty_run: Path, tmp_path: Path) -> None:
    page = build_report(empty_run, tmp_path / "report", record=None).read_text()
    assert "This run holds no evaluation yet." in page
    assert "Report of the smoke run on embedded data" in page


def test_view_errors_are_those_of_the_evaluation(small_run: Path, small_report: Path) -> None:
    binned = pd.read_csv(small_report / "figures" / "msra_view_other.csv").set_index(["angle", "angle_deg"])["error_mm"]
    seeds = [one for one in read_results(small_run) if (one.dataset, one.module) == ("msra", "other")]
    data = [open_frames(small_run, one) for one in seeds]
    errors_mm = np.mean([one.errors_mm for one in data], axis=0)
    expected = view_bins(errors_mm.astype(np.float64), data[0].truth_mm)
    assert np.nanmax(binned) > 0
    for angle, part in expected.items():
        known = [np.nan if value is None else value for value in part["error_mm"]]
        np.testing.assert_allclose(binned[angle].to_numpy(), np.array(known, float), atol=1e-3)
