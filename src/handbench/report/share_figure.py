"""Error against the share of labels (crossing, Fig. 3): a panel a data set, the spread of the seeds as a band."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
ROOM = 1.08
"""On either side of the shares, on a logarithmic axis."""


def draw_shares(errors: pd.DataFrame, out: Path, *, title: str, stamp: str) -> tuple[Path, ...]:
    """Lines of (panel, method, share_percent, error_mm, low_mm, high_mm); low and high are the best and worst seed."""
    panels, methods = list(dict.fromkeys(errors["panel"])), _methods(errors)
    with _open_figure(3.9, wide=len(panels) > 1) as figure:
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for place, panel in enumerate(panels):
            _draw_panel(axes[place], errors[errors["panel"] == panel], methods)
            axes[place].set_title(panel, fontsize=9, fontweight="normal", color=FAINT_INK)
            _name_axes(axes[place], "frames with labels (%)", "mean error (mm)" if place == 0 else "")
        axes[0].set_ylim(bottom=0)
        handles, labels = _gather_legend(axes)
        legend: dict[str, Any] = {"loc": "outside upper left", "ncols": 3, "frameon": False, "handlelength": 3.2}
        _spell_out(figure.legend(handles, labels, **legend))
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


def _gather_legend(axes: "list[Axes]") -> tuple[list[Any], list[str]]:
    """Each method once, wherever it is drawn."""
    found = {label: handle for one in axes for handle, label in zip(*one.get_legend_handles_labels(), strict=True)}
    return list(found.values()), list(found)
