"""Figures that read in print and for the colour-blind: every series differs in colour, dash and marker (or hatch).

Each figure is a PNG, a PDF and the CSV of the numbers it shows, stamped with where they come from. The same numbers
give the same bytes: no date, no software version and no random name goes into a file.
"""

import io
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from handbench.datasets.files import replace_file
from handbench.report.stamped_csv import write_csv
from handbench.report.text_lines import fold, load_font

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

DPI = 180
WIDTH_IN = 6.8
FRAMES_WITHIN = "frames with every joint within the threshold (%)"
INK, FAINT_INK, RULE = "#1d2330", "#5b6270", "#d9dce3"
PALETTE = "colorblind"
DASHES = ("", (5, 1.6), (1.4, 1.4), (6, 1.6, 1.4, 1.6), (3, 1.2), (8, 1.6, 1.4, 1.6, 1.4, 1.6), (2.4, 1, 1, 1))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", "h", ">")
HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "oo", "++", "||||", "**", "//..")
STAMP_SIZE = 5.6
"""Of the stamp's letters, in points."""
LEGEND_CHARACTERS = 100
"""Characters of a legend in a line across the figure."""
LEGEND_INSIDE = 5
"""A longer legend stands beside the axes, where it covers nothing."""
BESIDE_CHARACTERS = 34
"""Of a line there: longer names would leave the axes no width."""
RC: dict[Any, Any] = {
    "axes.edgecolor": FAINT_INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.7,
    "legend.fontsize": 8,
    "legend.framealpha": 0.92,
    "pdf.compression": 6,
    "pdf.fonttype": 42,
    "svg.hashsalt": "handbench",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": 8,
    "ytick.color": INK,
    "ytick.labelsize": 8,
}


def draw_accuracy(
    curves: pd.DataFrame,
    means: Mapping[str, float],
    out: Path,
    *,
    title: str,
    stamp: str,
    ylabel: str = FRAMES_WITHIN,
    highlight: str | None = None,
    apart: Collection[str] = (),
) -> tuple[Path, ...]:
    """Accuracy curves (method, threshold_mm, fraction), the mean error of each method in the legend.

    Methods keep their order in `curves`; `highlight` names one that is drawn thicker and above the others. Those of
    `apart` were measured on other frames: they alone are dashed. Written are `out` with .png, .pdf and .csv.
    """
    methods = _methods(curves)
    with _open_figure(4.3 if len(methods) <= LEGEND_INSIDE else 4.6) as figure:
        axes = figure.add_subplot()
        drawn = curves.assign(percent=100 * curves["fraction"])
        names = ("threshold_mm", "percent")
        _draw_lines(
            axes, drawn, names, methods, mark_every=10, highlight=highlight, dashes=_choose_dashes(methods, apart)
        )
        axes.set(xlim=(0, 80), ylim=(0, 100))
        axes.set_xticks(range(0, 81, 10))
        axes.set_yticks(range(0, 101, 20))
        _name_axes(axes, "error threshold (mm)", ylabel)
        _finish(figure, axes, title, stamp)
        _write_legend(figure, axes, [_with_mean(method, means.get(method)) for method in methods])
        pictures = _save(figure, out)
    shown = curves.assign(mean_error_mm=curves["method"].map(dict(means)))
    return (*pictures, write_csv(shown, out, stamp))


def draw_joint_bars(joints: pd.DataFrame, out: Path, *, title: str, stamp: str) -> tuple[Path, ...]:
    """Mean error of each joint (method, joint, part, error_mm) as bars, the joints grouped by finger."""
    return _draw_bars(joints, BarWords("joint", "error_mm", "mm"), out, title=title, stamp=stamp)


def draw_angle_bars(angles: pd.DataFrame, out: Path, *, title: str, stamp: str) -> tuple[Path, ...]:
    """Mean error of each angle (method, angle, part, error_deg) likewise."""
    return _draw_bars(angles, BarWords("angle", "error_deg", "degrees"), out, title=title, stamp=stamp)


@dataclass(frozen=True)
class BarWords:
    """What bars are of."""

    place: str
    """The column that names a group of bars; the last group, `mean`, is that over all."""
    error: str
    unit: str


def _draw_bars(bars: pd.DataFrame, words: BarWords, out: Path, *, title: str, stamp: str) -> tuple[Path, ...]:
    """Errors as bars, grouped by finger."""
    import seaborn as sns

    methods = _methods(bars)
    order = list(dict.fromkeys(bars[words.place]))
    with _open_figure(4.6, wide=len(order) * len(methods) > 70) as figure:
        axes = figure.add_subplot()
        sns.barplot(
            data=bars,
            x=words.place,
            y=words.error,
            hue="method",
            order=order,
            hue_order=methods,
            palette=_colours(len(methods)),
            saturation=0.9,
            errorbar=None,
            width=0.82,
            edgecolor=INK,
            linewidth=0.5,
            legend=False,
            ax=axes,
        )
        _hatch_bars(axes)
        axes.set_xlim(-0.6, len(order) - 0.4)
        axes.set_ylim(0, 1.1 * np.nanmax(bars[words.error], initial=1.0))
        axes.grid(axis="x", visible=False)
        _name_axes(axes, "", f"mean error ({words.unit})")
        _label_places(axes, order, dict(zip(bars[words.place], bars["part"], strict=True)))
        whole = bars[bars[words.place] == "mean"]
        overall = dict(zip(whole["method"], whole[words.error], strict=True))
        labels = [_with_mean(method, overall.get(method), words.unit) for method in methods]
        columns, plain = _count_columns(labels, figure), {"frameon": False, "columnspacing": 1.3, "handletextpad": 0.5}
        _spell_out(
            axes.legend(axes.containers, labels, loc="lower left", bbox_to_anchor=(-0.01, 1), ncols=columns, **plain)
        )
        _finish(figure, axes, title, stamp)
        axes.set_title(axes.get_title(loc="left"), pad=12 + 13 * -(-len(methods) // columns), parse_math=False)
        pictures = _save(figure, out)
    return (*pictures, write_csv(bars, out, stamp))


def draw_view_errors(
    bins: pd.DataFrame, means: Mapping[str, float], out: Path, *, title: str, stamp: str
) -> tuple[Path, ...]:
    """Mean error against yaw and pitch (method, angle, angle_deg, error_mm, frames), the frames of a bin below.

    `means` are those over all frames, for the legend.
    """
    methods = _methods(bins)
    with _open_figure(4.4) as figure:
        grid = figure.subplots(2, 2, sharex="col", sharey="row", height_ratios=(3, 1))
        for place, (angle, part) in enumerate(bins.groupby("angle", sort=False)):
            errors, counts = grid[0, place], grid[1, place]
            _draw_bins(errors, part, methods)
            _name_axes(errors, "", "mean error (mm)" if place == 0 else "")
            frames = part.groupby("angle_deg")["frames"].max()
            counts.bar(frames.index, frames, width=1.7, color=RULE, edgecolor=FAINT_INK, linewidth=0.4)
            _name_axes(counts, f"{angle} (degrees, bins of 2)", "frames" if place == 0 else "")
        grid[0, 0].set_ylim(0, 1.08 * np.nanmax(bins["error_mm"], initial=1.0))
        _finish(figure, grid[0, 0], title, stamp)
        _write_legend(figure, grid[0, 0], [_with_mean(method, means.get(method)) for method in methods], grid[0, 1])
        pictures = _save(figure, out)
    shown = bins.assign(mean_error_mm=bins["method"].map(dict(means)))
    return (*pictures, write_csv(shown, out, stamp))


def _count_columns(labels: Sequence[str], figure: "Figure") -> int:
    """As many entries of a legend as stand side by side above the axes."""
    return max(1, min(len(labels), int(LEGEND_CHARACTERS * figure.get_figwidth() / WIDTH_IN) // _entry_width(labels)))


def _entry_width(labels: Sequence[str]) -> int:
    """Characters of the longest entry with its sample and the gap behind it."""
    return max(map(len, labels), default=0) + 6


def _methods(frame: pd.DataFrame) -> list[str]:
    return [str(method) for method in frame["method"].unique()]


def _colours(number: int) -> list[tuple[float, float, float]]:
    import seaborn as sns

    palette = sns.color_palette(PALETTE)
    # The palette's last colours are pale: a line of yellow on white is read by nobody.
    usable = [palette[place] for place in (0, 1, 2, 3, 4, 5, 7, 9)]
    return [usable[place % len(usable)] for place in range(number)]


def _choose_dashes(methods: Sequence[str], apart: Collection[str]) -> dict[str, Any]:
    """A pattern a method; where some stand apart, whole lines for the others, which their marks then tell apart."""
    if not apart:
        return {method: DASHES[place % len(DASHES)] for place, method in enumerate(methods)}
    broken = [method for method in methods if method in apart]
    patterns = DASHES[1:]
    return dict.fromkeys(methods, "") | {method: patterns[place % len(patterns)] for place, method in enumerate(broken)}


def _draw_lines(
    axes: "Axes",
    frame: pd.DataFrame,
    columns: tuple[str, str],
    methods: Sequence[str],
    *,
    mark_every: int,
    highlight: str | None,
    dashes: Mapping[str, Any],
) -> None:
    import seaborn as sns

    shown = [method for method in methods if (frame["method"] == method).any()]
    if not shown:
        return
    styles = range(len(methods))
    sns.lineplot(
        data=frame,
        x=columns[0],
        y=columns[1],
        hue="method",
        style="method",
        hue_order=shown,
        style_order=shown,
        palette=dict(zip(methods, _colours(len(methods)), strict=True)),
        dashes=dict(dashes),
        markers={methods[place]: MARKERS[place % len(MARKERS)] for place in styles},
        estimator=None,
        errorbar=None,
        linewidth=1.7,
        markersize=5,
        legend=False,
        ax=axes,
    )
    for place, (method, line) in enumerate(zip(shown, axes.lines, strict=True)):
        # Marks of neighbouring curves stand apart, so that none hides another.
        line.set_markevery((mark_every * place // len(shown), mark_every))
        line.set(clip_on=False, zorder=3, markeredgewidth=0.6)
        if method == highlight:
            line.set(linewidth=2.8, zorder=4)


def _draw_bins(axes: "Axes", bins: pd.DataFrame, methods: Sequence[str]) -> None:
    """A mark a bin; the line between marks breaks where a bin has no frames."""
    for place, (method, colour) in enumerate(zip(methods, _colours(len(methods)), strict=True)):
        one = bins[bins["method"] == method]
        (line,) = axes.plot(one["angle_deg"], one["error_mm"], color=colour, marker=MARKERS[place % len(MARKERS)])
        line.set(linewidth=1.2, markersize=4.5, markeredgecolor="white", markeredgewidth=0.6)


def _hatch_bars(axes: "Axes") -> None:
    for place, bars in enumerate(axes.containers):
        for bar in bars:
            bar.set_hatch(HATCHES[place % len(HATCHES)])


def _label_places(axes: "Axes", order: Sequence[str], part_of: Mapping[str, str]) -> None:
    """Names below the bars, and below those the finger with a rule between fingers."""
    axes.set_xticks(range(len(order)), [_printable(joint) for joint in order], rotation=55, ha="right")
    axes.tick_params(axis="x", length=0, pad=1)
    for label in axes.get_xticklabels():
        label.set(rotation_mode="anchor", parse_math=False)
    starts = [place for place, joint in enumerate(order) if place == 0 or part_of[joint] != part_of[order[place - 1]]]
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        if start:
            axes.axvline(start - 0.5, color=FAINT_INK, linewidth=0.6, linestyle=(0, (2, 3)), zorder=0)
        part = part_of[order[start]]
        if part != "all":
            middle = (start + end - 1) / 2
            axes.annotate(
                part,
                (middle, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, -3),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=7,
                color=FAINT_INK,
            )


def _name_axes(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y, parse_math=False)


def _write_legend(figure: "Figure", axes: "Axes", labels: Sequence[str], last: "Axes | None" = None) -> None:
    """When all else is drawn, which decides how large the axes are; `last` are those farthest right of several."""
    if not axes.lines:
        return
    lines = axes.lines[: len(labels)]
    if len(labels) <= LEGEND_INSIDE:
        _spell_out(legend := axes.legend(lines, labels, handlelength=3.2, loc="best"))
        figure.draw_without_rendering()
        if not _covers_any(legend, axes):
            return
        legend.remove()
    labels = [textwrap.fill(label, BESIDE_CHARACTERS) for label in labels]
    beside = (last or axes).legend(
        lines, labels, handlelength=3.2, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1)
    )
    _spell_out(beside)


def _covers_any(legend: "Legend", axes: "Axes") -> bool:
    """Whether a line runs behind it: even the best place of a wide one may cover a curve."""
    box = legend.get_window_extent()
    points = np.concatenate([axes.transData.transform(line.get_xydata()) for line in axes.lines])
    return bool(box.count_contains(points))


def _spell_out(legend: "Legend") -> None:
    """A dollar sign in a method's name is a dollar sign."""
    for text in legend.get_texts():
        text.set_parse_math(False)


def _with_mean(method: str, mean: float | None, unit: str = "mm") -> str:
    known = mean is not None and np.isfinite(mean)
    # No line ends between a number and its unit.
    return f"{_printable(method)} ({mean:.2f}\N{NO-BREAK SPACE}{unit})" if known else _printable(method)


def _printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


@contextmanager
def _open_figure(height_in: float, *, wide: bool = False) -> "Iterator[Figure]":
    """A figure without pyplot: no window, no global state, no display needed; the settings end with the block."""
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context({**sns.axes_style("whitegrid"), **RC}):
        width_in = WIDTH_IN * (1.4 if wide else 1)
        figure = Figure(figsize=(width_in, height_in), dpi=DPI, facecolor="white", layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def _finish(figure: "Figure", axes: "Axes", title: str, stamp: str) -> None:
    axes.set_title(_printable(title), parse_math=False)
    left = 0.012
    lines = "\n".join(fold_stamp(stamp, int((1 - 2 * left) * figure.get_figwidth() * DPI)))
    figure.supxlabel(lines, x=left, ha="left", fontsize=STAMP_SIZE, color=FAINT_INK, parse_math=False)


def fold_stamp(stamp: str, width_px: int) -> list[str]:
    return fold(_printable(stamp), load_font(round(STAMP_SIZE * DPI / 72)), width_px)


def _save(figure: "Figure", out: Path) -> tuple[Path, Path]:
    out.parent.mkdir(parents=True, exist_ok=True)
    # Whatever varies from day to day or from release to release stays out of the files.
    unvarying: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    }
    written = []
    for suffix, metadata in unvarying.items():
        picture = io.BytesIO()
        figure.savefig(picture, format=suffix, metadata=metadata)
        path = out.with_name(f"{out.name}.{suffix}")
        replace_file(path, picture.getvalue())
        written.append(path)
    return written[0], written[1]
