"""Figures of iterations: errors step by step, image error beside pose error, updates of noisy poses.

They look as those of `figures` do and keep the same promises: PNG, PDF and CSV, the same bytes for the same numbers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from handbench.report.arrow_panels import ArrowPanel, draw_panels
from handbench.report.figures import (
    DASHES,
    FAINT_INK,
    INK,
    MARKERS,
    _colours,
    _finish,
    _methods,
    _name_axes,
    _open_figure,
    _printable,
    _save,
    _spell_out,
)
from handbench.report.stamped_csv import write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

NUDGE = 0.03
"""Of an iteration: intervals of neighbouring methods stand side by side."""
PANELS_ACROSS = 3
HEADROOM, LEGEND_ROOM = 1.12, 1.3
DOTS = ((1, 2), (4, 1.5, 1, 1.5))
"""Lines of what is held beside a path."""


def draw_iterations(errors: pd.DataFrame, out: Path, *, title: str, stamp: str) -> tuple[Path, ...]:
    """Mean error at the start and after each iteration (method, iteration, error_mm, low_mm, high_mm)."""
    methods = _methods(errors)
    with _open_figure(4.0) as figure:
        axes = figure.add_subplot()
        for place, (method, colour) in enumerate(zip(methods, _colours(len(methods)), strict=True)):
            one = errors[errors["method"] == method]
            ends = [(one["error_mm"] - one["low_mm"]).clip(lower=0), (one["high_mm"] - one["error_mm"]).clip(lower=0)]
            shift = NUDGE * (place - (len(methods) - 1) / 2)
            last = one["error_mm"].iloc[-1]
            axes.errorbar(
                one["iteration"] + shift,
                one["error_mm"],
                ends,
                color=colour,
                linestyle=_dash(place),
                marker=MARKERS[place % len(MARKERS)],
                markersize=5,
                linewidth=1.6,
                elinewidth=1.0,
                capsize=2.5,
                label=f"{_printable(method)} ({one['error_mm'].iloc[0]:.2f} to {last:.2f} mm)",
            )
        axes.set_xticks(sorted(errors["iteration"].unique()))
        axes.set_ylim(0, HEADROOM * errors[["error_mm", "high_mm"]].max().max())
        axes.grid(axis="x", visible=False)
        _name_axes(axes, "iterations", "mean error (mm)")
        _spell_out(axes.legend(loc="lower left"))
        _finish(figure, axes, title, stamp)
        pictures = _save(figure, out)
    return (*pictures, write_csv(errors, out, stamp))


def _dash(place: int) -> Any:
    """The line style of a method, by its place among the others."""
    dashes = DASHES[place % len(DASHES)]
    return (0, dashes) if dashes else "-"


def draw_searches(traces: pd.DataFrame, loops: pd.DataFrame, out: Path, *, title: str, stamp: str) -> tuple[Path, ...]:
    """Image error and pose error after each iteration (method, iteration, image_percent, pose_error_mm, ...).

    `loops` holds the pose error of the loop on the frames of each search (method, pose_error_mm).
    """
    methods = _methods(traces)
    with _open_figure(3.6) as figure:
        left, right = figure.subplots(1, 2)
        for place, (method, colour) in enumerate(zip(methods, _colours(len(methods)), strict=True)):
            one = traces[traces["method"] == method]
            for axes, key in ((left, "image_percent"), (right, "pose_error_mm")):
                axes.plot(
                    one["iteration"],
                    one[key],
                    color=colour,
                    linestyle=_dash(place),
                    linewidth=1.7,
                    label=_printable(method),
                )
            for row in loops[loops["method"] == method].itertuples():
                label = f"the loop, frames of {_printable(method)}"
                dots = (0, DOTS[place % len(DOTS)])
                right.axhline(row.pose_error_mm, color=colour, linewidth=1.2, linestyle=dots, label=label)
        left.set_ylim(0, 105)
        right.set_ylim(0, HEADROOM * max(traces["pose_error_mm"].max(), loops["pose_error_mm"].max()))
        _name_axes(left, "iterations", "image error (% of that at the start)")
        _name_axes(right, "iterations", "mean pose error (mm)")
        _spell_out(left.legend(loc="upper right"))
        _spell_out(right.legend(loc="lower right"))
        _finish_panels(figure, title, stamp)
        pictures = _save(figure, out)
    ends = dict(zip(loops["method"], loops["pose_error_mm"], strict=True))
    return (*pictures, write_csv(traces.assign(loop_pose_error_mm=traces["method"].map(ends)), out, stamp))


def draw_updates(
    updates: pd.DataFrame,
    bins: pd.DataFrame,
    out: Path,
    *,
    title: str,
    stamp: str,
    arrows: Sequence[ArrowPanel] = (),
) -> tuple[Path, ...]:
    """Errors after one update against those before, and the histogram of both for the level named `predictor`.

    Above them single updates as arrows, a frame each, where there are any.
    """
    with _open_figure(6.5 if arrows else 3.7) as figure:
        below: Figure | SubFigure = figure
        if arrows:
            above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.25))[:, 0]
            draw_panels(above, arrows)
        left, right = below.subplots(1, 2, width_ratios=(1, 1.15))
        # Room for the number beside the last point.
        limit = HEADROOM**2 * updates[["before_mm", "after_mm"]].max().max()
        left.plot([0, limit], [0, limit], color=FAINT_INK, linewidth=1.0, linestyle=(0, (4, 2)), label="no update")
        colour = _colours(1)[0]
        left.plot(updates["before_mm"], updates["after_mm"], color=colour, marker="o", markersize=5, label="one update")
        for row in updates.itertuples():
            _write_share(left, row)
        left.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")
        _name_axes(left, "error of the noisy pose (mm)", "error after one update (mm)")
        left.legend(loc="upper left")
        shown = bins[bins["predictor"]]
        _draw_histogram(right, shown, legend=True, limit_mm=_find_limit(shown))
        right.set_title("noise as large as the predictor's error", fontsize=8, fontweight="normal")
        _name_axes(right, "mean error of a frame (mm)", "frames (%)")
        _finish_panels(figure, title, stamp)
        pictures = _save(figure, out)
    drawn = [*(one.as_frame() for one in arrows), updates.assign(panel="left"), shown.assign(panel="right")]
    return (*pictures, write_csv(pd.concat(drawn, ignore_index=True), out, stamp))


def _write_share(axes: "Axes", row: tuple) -> None:  # type: ignore[type-arg]
    """How many poses an update improves; of the truth itself it can improve none."""
    if row.noise_mm == 0:  # type: ignore[attr-defined]
        return
    axes.annotate(
        f"{100 * row.improved:.0f} %",  # type: ignore[attr-defined]
        (row.before_mm, row.after_mm),  # type: ignore[attr-defined]
        xytext=(4, -9),
        textcoords="offset points",
        fontsize=7,
        color=INK,
    )


def draw_histograms(bins: pd.DataFrame, out: Path, *, title: str, stamp: str) -> tuple[Path, ...]:
    """Errors before and after one update, a panel for each size of noise (level, bin_mm, before, after)."""
    levels = list(dict.fromkeys(bins["level"]))
    down, limit_mm = -(-len(levels) // PANELS_ACROSS), _find_limit(bins)
    with _open_figure(0.8 + 1.9 * down) as figure:
        grid = figure.subplots(down, PANELS_ACROSS, squeeze=False)
        for place, axes in enumerate(grid.flat):
            if place >= len(levels):
                axes.set_visible(False)
                continue
            _draw_histogram(axes, bins[bins["level"] == levels[place]], legend=place == 0, limit_mm=limit_mm)
            bottom = place + PANELS_ACROSS >= len(levels)
            _name_axes(axes, "mean error (mm)" if bottom else "", "frames (%)" if place % PANELS_ACROSS == 0 else "")
            axes.set_title(levels[place], fontsize=8, fontweight="normal", loc="right")
        _finish_panels(figure, title, stamp)
        pictures = _save(figure, out)
    return (*pictures, write_csv(bins, out, stamp))


def _find_limit(bins: pd.DataFrame) -> int:
    """Where the last frame lies, in whole centimetres."""
    filled = bins[(bins["before"] > 0) | (bins["after"] > 0)]
    return 10 * (int(filled["bin_mm"].max()) // 10 + 1)


def _draw_histogram(axes: "Axes", bins: pd.DataFrame, *, legend: bool, limit_mm: int) -> None:
    """Shares of frames in bins of a millimetre: a hatched outline before, a filled area after."""
    before, after = _colours(2)
    for key, colour, hatch in (("before", before, "////"), ("after", after, "")):
        shares = 100 * bins[key] / max(bins[key].sum(), 1)
        axes.stairs(
            shares,
            [*bins["bin_mm"], bins["bin_mm"].iloc[-1] + 1],
            fill=not hatch,
            color=colour,
            alpha=0.9 if hatch else 0.45,
            hatch=hatch,
            linewidth=1.2,
            label=f"{key} the update",
        )
    axes.set_xlim(0, limit_mm)
    if legend:
        axes.set_ylim(0, LEGEND_ROOM * axes.get_ylim()[1])
        axes.legend(loc="upper right")


def _finish_panels(figure: "Figure", title: str, stamp: str) -> None:
    """Panels may have titles of their own: the figure's stands above them all."""
    _finish(figure, figure.axes[0], "", stamp)
    heading = figure.suptitle(_printable(title), x=0.012, ha="left", fontsize=10.5, fontweight="bold")
    heading.set_parse_math(False)
