"""Published methods beside this run's: only on real recordings, and each with its own protocol card."""

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from handbench.evaluation.published import Record
from handbench.evaluation.results import Result, read_results
from handbench.report.build import build_report
from handbench.report.items import Absent, Figure, Table
from handbench.report.run_card import RunCard
from handbench.report.sections import SECTIONS, crossing, deepmodel, feedback19
from handbench.report.sources import Sources


@pytest.fixture
def record(shared: Path) -> Record:
    folder = shared / "published"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: the published record is not part of the project")
    return Record(folder)


@pytest.fixture
def nyu(small_run: Path) -> tuple[Result, ...]:
    return tuple(one for one in read_results(small_run) if (one.dataset, one.module) == ("nyu", "nn_search"))


def make_sources(results: tuple[Result, ...], record: Record | None, source: str) -> Sources:
    return Sources(Path("run"), RunCard("paper", source, (0, 1), "abc", "123", None), results, record)


def find(sources: Sources, section: object, name: str) -> Table | Figure | Absent:
    return next(item for item in section.build_section(sources).items if item.name == name)


def test_published_curves_join_this_runs_only_on_the_whole_real_test_set(
    nyu: tuple[Result, ...], record: Record, tmp_path: Path
) -> None:
    whole = tuple(replace(one, source="real", frames=8252) for one in nyu)
    for results, source, expected in (
        (whole, "real", ["NN search (PCA 512)", "Feedback (published)"]),
        (nyu, "real", ["NN search (PCA 512)"]),
        (nyu, "embedded", ["NN search (PCA 512)"]),
    ):
        figure = find(make_sources(results, record, source), crossing, "crossing_figure_4_nyu")
        drawn = pd.read_csv(figure.draw(tmp_path / "figure")[2])
        assert drawn["method"].unique().tolist() == expected
        assert any("not comparable" in note for note in figure.notes) == (source == "embedded")


def test_a_paper_that_has_its_module_fills_the_column_of_this_run(nyu: tuple[Result, ...]) -> None:
    ours = tuple(replace(one, module="deepmodel", method="DeepModel") for one in nyu)
    table = find(make_sources(ours, None, "embedded"), feedback19, "feedback19_table_1")
    row = table.frame.set_index("method").loc["DeepModel"]
    mean_mm = sum(one.mean_error_mm for one in ours) / 2
    assert row["run_mm"] == pytest.approx(mean_mm, abs=1e-4)
    assert row["run_low_mm"] < mean_mm < row["run_high_mm"]
    assert (row["run_seeds"], row["run_status"]) == ("0 1", "run")
    assert table.columns[-1].key == "run_low_mm"
    assert "this run: NYU Hand Pose, test split, 120 frames" in table.stamp
    assert any("not comparable" in note for note in table.notes)
    assert table.frame.set_index("method").loc["Feedback", "run_status"] == "not run at this scale"


def test_frames_of_a_part_are_named_where_a_method_published_a_part(record: Record, tmp_path: Path) -> None:
    figure = find(make_sources((), record, "embedded"), deepmodel, "deepmodel_figure_7")
    drawn = pd.read_csv(figure.draw(tmp_path / "figure")[2])
    assert drawn["method"].unique().tolist() == ["LRF", "DeepPrior, 702 frames", "DeepModel (ours)"]
    table = find(make_sources((), record, "embedded"), deepmodel, "deepmodel_figure_7_means")
    assert table.frame["frames"].tolist() == [1596, 702, 1596]
    assert "frames" in [column.key for column in table.columns]


def test_somebody_elses_method_has_no_row_of_this_run() -> None:
    table = find(make_sources((), None, "embedded"), feedback19, "feedback19_table_2")
    status = table.frame.groupby(["method", "origin"])["run_status"].unique().map(list).to_dict()
    ours = {method for method, origin in status if origin != "printed"}
    assert ours == {"initialization", "single network", "feedback"}
    assert all(status[method, "this run, embedded"] == ["not run at this scale"] for method in ours)
    assert status["Sridhar et al., depth", "printed"] == [""]


def test_names_are_given_once() -> None:
    items = [item for build in SECTIONS for item in build(make_sources((), None, "embedded")).items]
    names = [item.name for item in items]
    assert len(set(names)) == len(names)


def test_the_report_with_the_record(small_run: Path, record: Record, tmp_path: Path) -> None:
    # Processor time: on a busy machine the clock on the wall tells of others.
    start = time.process_time()
    out = build_report(small_run, tmp_path / "report", record=record).parent
    assert time.process_time() - start < 30
    page = (out / "index.html").read_text()
    table = pd.read_csv(out / "tables" / "feedback19_table_1.csv").set_index("method")
    assert table.loc["3DCNN", "difference_mm"] == pytest.approx(3.513, abs=0.001)
    assert "Of 8 rows with published 3D predictions, 3 agree with print to its digit, 5 differ: 3DCNN +3.51 mm" in page
    assert "DeepPrior published 702 of 1,596 frames" in page
    for name in ("feedback15_figure_8a", "deepmodel_figure_5", "deepmodel_figure_6", "deepmodel_figure_7"):
        assert (out / "figures" / f"{name}.png").is_file()
    drawn = pd.read_csv(out / "figures" / "feedback15_figure_8a.csv")
    means = drawn.groupby("method", sort=False)["mean_error_mm"].first()
    assert [*means.index] == ["DeepPrior", "Feedback (ours)", "NN search (PCA 512), this run, embedded data"]
    assert means[:2].tolist() == pytest.approx([20.750, 15.973], abs=0.001)
    assert "This run&#39;s curves are dashed." in page
    claims = pd.read_csv(out / "claims.csv").set_index("id")["status"]
    assert claims["GF10"] == "holds"
    assert 'href="index.html#feedback19_table_1"' in (out / "claims.html").read_text()
