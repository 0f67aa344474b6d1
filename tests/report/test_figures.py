"""Figures: the same bytes twice, a CSV of what is drawn, nothing left in matplotlib's global state."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from handbench.report import figures
from handbench.report.figures import HATCHES, MARKERS, draw_accuracy, draw_joint_bars, draw_view_errors
from handbench.report.page import read_size

STAMP = "NYU, 3 frames | data: embedded | seeds: 0"
MEANS = {"one": 12.0, "two, $x^2$ & #1": 15.5}


def make_curves(methods: int = 2) -> pd.DataFrame:
    names = [*MEANS, *(f"method {place}" for place in range(2, methods))][:methods]
    rows = [(name, t, min(1.0, t / (60 + 2 * place))) for place, name in enumerate(names) for t in range(81)]
    return pd.DataFrame(rows, columns=["method", "threshold_mm", "fraction"])


def make_joints() -> pd.DataFrame:
    rows = [("palm", "palm", 5.0), ("thumb_tip", "thumb", 11.0), ("never", "thumb", np.nan), ("mean", "all", 8.0)]
    return pd.DataFrame([(m, *row) for m in MEANS for row in rows], columns=["method", "joint", "part", "error_mm"])


def make_bins() -> pd.DataFrame:
    rows = [("one", "yaw", d, 20.0, 3) for d in range(-40, 41, 2)] + [("one", "pitch", d, np.nan, 0) for d in (0, 2)]
    return pd.DataFrame(rows, columns=["method", "angle", "angle_deg", "error_mm", "frames"])


def draw_all(folder: Path) -> list[Path]:
    written = [*draw_accuracy(make_curves(), MEANS, folder / "curves", title="$ < &", stamp=STAMP, highlight="one")]
    written += draw_joint_bars(make_joints(), folder / "bars", title="Bars", stamp=STAMP)
    written += draw_view_errors(make_bins(), MEANS, folder / "view", title="View", stamp=STAMP)
    return written


def test_drawn_twice_every_file_has_the_same_bytes(tmp_path):
    """Also in another process with other hashes of words, and with a date between."""
    first = draw_all(tmp_path / "a")
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from pathlib import Path; "
        f"from test_figures import draw_all; draw_all(Path({str(tmp_path / 'b')!r}))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)
    assert len(first) == 9
    for path in first:
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_no_file_names_a_day_or_a_program(tmp_path):
    for path in draw_all(tmp_path):
        content = path.read_bytes()
        assert b"CreationDate" not in content
        assert b"Software" not in content
        assert b"Matplotlib v" not in content


def test_the_csv_holds_what_is_drawn_and_where_it_is_from(tmp_path):
    path = draw_accuracy(make_curves(), MEANS, tmp_path / "curves", title="Curves", stamp=STAMP)[2]
    for options in ({}, {"comment": "#"}):
        read = pd.read_csv(path, **options)
        if not options:
            assert read["fraction"].tolist() == make_curves()["fraction"].tolist()
            assert dict(zip(read["method"], read["mean_error_mm"], strict=True)) == MEANS
        assert set(read["stamp"].dropna()) == {STAMP}
    bars = pd.read_csv(draw_joint_bars(make_joints(), tmp_path / "bars", title="Bars", stamp=STAMP)[2])
    assert bars["error_mm"].isna().sum() == 2
    assert bars["part"].tolist() == make_joints()["part"].tolist()


def test_a_figure_of_views_names_the_mean_error(tmp_path, monkeypatch):
    legends = []
    monkeypatch.setattr(figures, "_write_legend", lambda *words: legends.append(words[2]))
    path = draw_view_errors(make_bins(), MEANS, tmp_path / "view", title="View", stamp=STAMP)[2]
    assert legends == [["one (12.00\N{NO-BREAK SPACE}mm)"]]
    assert set(pd.read_csv(path)["mean_error_mm"]) == {12.0}


def test_pictures_are_large_enough_for_print(tmp_path):
    width, height = read_size(draw_accuracy(make_curves(), MEANS, tmp_path / "a", title="A", stamp=STAMP)[0])
    assert width == pytest.approx(6.8 * 180, abs=1)
    assert height > 700


def test_a_dozen_methods_are_told_apart(tmp_path):
    curves = make_curves(12)
    assert draw_accuracy(curves, {}, tmp_path / "many", title="Many", stamp=STAMP)[0].stat().st_size > 10_000
    assert len(set(MARKERS)) == len(MARKERS) >= 11
    assert len(set(HATCHES)) == len(HATCHES) >= 11


def test_long_names_beside_the_axes_leave_them_their_width(tmp_path, monkeypatch):
    curves, widths, save = make_curves(6), [], figures._save
    curves["method"] += ", this run, embedded data, and more words than a line beside the axes holds"

    def measure(figure, out):
        written = save(figure, out)
        widths.append(figure.axes[0].get_position().width)
        return written

    monkeypatch.setattr(figures, "_save", measure)
    draw_accuracy(curves, {}, tmp_path / "long", title="Long", stamp=STAMP)
    assert widths[0] > 0.4


@pytest.mark.parametrize("letters", ["llll", "0123", "WWWW"])
def test_a_stamp_of_any_letters_keeps_off_the_edge(tmp_path, letters):
    """So many narrow ones go into a line that wide ones would run over the edge."""
    path = draw_accuracy(make_curves(), MEANS, tmp_path / "a", title="A", stamp=" ".join(200 * [letters]))[0]
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    foot = picture[-40:]
    assert foot.min() < 200
    assert foot[:, -8:].min() == 255
    assert foot[:, -100:-8].min() < 200, "lines as long as they may be"


@pytest.mark.parametrize(("powers", "beside"), [((1, 1.1, 1.2), False), ((0.1, 0.5, 1, 2, 9), True)])
def test_a_legend_that_would_cover_a_curve_stands_beside_the_axes(tmp_path, monkeypatch, powers, beside):
    """Curves side by side leave it a corner; others do not."""
    rows = [(f"{power}, this run, embedded data", t, (t / 80) ** power) for power in powers for t in range(81)]
    curves = pd.DataFrame(rows, columns=["method", "threshold_mm", "fraction"])
    boxes, save = [], figures._save

    def measure(figure, out):
        written = save(figure, out)
        boxes.append((figure.axes[0].get_legend().get_window_extent(), figure.axes[0].get_window_extent()))
        return written

    monkeypatch.setattr(figures, "_save", measure)
    draw_accuracy(curves, {}, tmp_path / "a", title="A", stamp=STAMP)
    legend, axes = boxes[0]
    assert (legend.x0 > axes.x1) == beside


def test_matplotlib_is_left_as_it_was(tmp_path):
    before, backend = dict(mpl.rcParams), mpl.get_backend()
    draw_all(tmp_path)
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before
    assert mpl.get_backend() == backend


def test_a_name_that_reads_as_a_formula_is_drawn_as_it_is(tmp_path):
    name = "net $\\frac{$"
    curves, joints = make_curves(1).assign(method=name), make_joints().assign(method=name)
    assert draw_accuracy(curves, {name: 3.0}, tmp_path / "a", title=name, stamp=name)[1].stat().st_size > 1000
    assert draw_joint_bars(joints, tmp_path / "b", title=name, stamp=name)[1].stat().st_size > 1000
