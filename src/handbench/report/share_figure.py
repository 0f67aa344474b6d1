"""Error against the share of labels (crossing, Fig. 3): a panel a data set, the spread of the seeds as a band."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from handbench.report.figures import (
    DASHES,
    FAINT_INK,
    MARKERS,
    _colours,
    _methods,
    _name_axes,
    _open_figure,
    _save,
    _spell_out,
)
from handbench.report.loop_figures import _finish_panels
from handbench.report.stamped_csv import write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FAINT_BAND = 0.18
LEGEND_SHARE = 0.17
"""Of a panel's height."""
EPOCHS = "epochs"
ROOM = 1.08
"""On either side of the shares, on a logarithmic axis, and above the largest error."""


def draw_shares(errors: pd.DataFrame, out: Path, *, title: str, stamp: str) -> tuple[Path, ...]:
    """Lines of (panel, method, share_percent, error_mm, low_mm, high_mm); low and high are the best and worst seed."""
    panels, methods = list(dict.fromkeys(errors["panel"])), _methods(errors)
    with _open_figure(4.0, wide=len(panels) > 1) as figure:
        grid = figure.add_gridspec(2, len(panels), height_ratios=(LEGEND_SHARE, 1))
        above, axes = figure.add_subplot(grid[0, :]), figure.add_subplot(grid[1, 0])
        drawn = [axes, *(figure.add_subplot(grid[1, place], sharey=axes) for place in range(1, len(panels)))]
        for place, (panel, one) in enumerate(zip(panels, drawn, strict=True)):
            _draw_panel(one, errors[errors["panel"] == panel], methods)
            one.set_title(panel, fontsize=9, fontweight="normal", color=FAINT_INK)
            _name_axes(one, "frames with labels (%)", "mean error (mm)" if place == 0 else "")
            one.tick_params(labelleft=place == 0)
        # Methods of one share may lie within a marker's height of one another.
        axes.set_ylim(0, ROOM * errors["high_mm"].max())
        _write_legend(above, drawn)
        _finish_panels(figure, title, stamp)
        pictures = _save(figure, out)
    return (*pictures, write_csv(errors, out, stamp))


def _draw_panel(axes: "Axes", errors: pd.DataFrame, methods: list[str]) -> None:
    shares = sorted(errors["share_percent"].unique())
    for place, (method, colour) in enumerate(zip(methods, _colours(len(methods)), strict=True)):
        one = errors[errors["method"] == method].sort_values("share_percent")
        if one.empty:
            continue
        dashes = DASHES[place % len(DASHES)]
        axes.fill_between(
            one["share_percent"], one["low_mm"], one["high_mm"], color=colour, alpha=FAINT_BAND, linewidth=0
        )
        axes.plot(
            one["share_percent"],
            one["error_mm"],
            color=colour,
            linestyle=(0, dashes) if dashes else "-",
            marker=MARKERS[place % len(MARKERS)],
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            linewidth=1.6,
            label=method,
        )
    axes.set_xscale("log")
    axes.set_xlim(shares[0] / ROOM, shares[-1] * ROOM)
    axes.set_xticks(shares, [f"{share:g}" for share in shares])
    axes.minorticks_off()
    axes.grid(axis="x", visible=False)


def _write_legend(above: "Axes", panels: "list[Axes]") -> None:
    """Each method once, wherever it is drawn; methods side by side, of equal epochs below."""
    found = {label: handle for one in panels for handle, label in zip(*one.get_legend_handles_labels(), strict=True)}
    words = [label for label in found if EPOCHS not in label], [label for label in found if EPOCHS in label]
    above.set_axis_off()
    place: dict[str, Any] = {"frameon": False, "handlelength": 3.2, "borderaxespad": 0.0, "columnspacing": 1.6}
    corners: tuple[Literal["upper left", "lower left"], ...] = ("upper left", "lower left")
    for labels, corner in zip(words, corners, strict=True):
        if labels:
            handles = [found[label] for label in labels]
            legend = above.legend(handles, labels, loc=corner, ncols=len(labels), **place)
            _spell_out(legend)
            # The next legend takes the place of this one, which stays as any artist.
            above.legend_ = None
            above.add_artist(legend)
