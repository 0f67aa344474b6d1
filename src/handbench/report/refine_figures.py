"""Figures of refinement: losses of fits over their steps, depth errors of frames before and after."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.report.figures import (
    DASHES,
    FAINT_INK,
    _colours,
    _methods,
    _name_axes,
    _open_figure,
    _printable,
    _save,
    _spell_out,
)
from handbench.report.loop_figures import _finish_panels
from handbench.report.stamped_csv import write_csv

FAINT = 0.28
"""Of the lines of single images, behind that of their median."""


def draw_losses(
    traces: pd.DataFrame, limits: Mapping[str, float], out: Path, *, title: str, stamp: str
) -> tuple[Path, ...]:
    """Losses of fitted images (group, image, step, percent of the first), a panel a group with the median drawn over.

    `limits` are what is asked of a group, in percent.
    """
    groups = list(dict.fromkeys(traces["group"]))
    highest = max(105.0, 1.05 * float(traces["percent"].max()))
    with _open_figure(3.5) as figure:
        panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for axes, group, colour in zip(panels, groups, _colours(len(groups)), strict=True):
            mine = traces[traces["group"] == group]
            for _, one in mine.groupby("image", sort=False):
                axes.plot(one["step"], one["percent"], color=colour, linewidth=0.9, alpha=FAINT)
            middle = mine.groupby("step")["percent"].median()
            label = f"median of {mine['image'].nunique()} images, {middle.iloc[-1]:.0f} % left"
            axes.plot(middle.index, middle, color=colour, linewidth=2.2, label=label)
            if group in limits:
                asked = f"asked: below {limits[group]:g} %"
                axes.axhline(limits[group], color=FAINT_INK, linewidth=1.0, linestyle=(0, (4, 2)), label=asked)
            axes.set(xlim=(0, mine["step"].max()), ylim=(0, highest))
            axes.set_title(_printable(group), fontsize=8, fontweight="normal", loc="right")
            _name_axes(axes, "update steps", "depth loss (% of the first)" if axes is panels[0] else "")
            _spell_out(axes.legend(loc="best"))
        _finish_panels(figure, title, stamp)
        pictures = _save(figure, out)
    return (*pictures, write_csv(traces, out, stamp))


def draw_depth_errors(errors: pd.DataFrame, out: Path, *, title: str, stamp: str) -> tuple[Path, ...]:
    """Shares of frames by their depth error (method, frame, error), with the mean of each as a vertical line."""
    methods = _methods(errors)
    # A few frames far out would press all others into a few bins: they are counted in the last one.
    last = float(np.quantile(errors["error"], 0.99))
    edges = np.linspace(0.0, max(last, 1e-9), 41)
    with _open_figure(3.8) as figure:
        axes = figure.add_subplot()
        for place, (method, colour) in enumerate(zip(methods, _colours(len(methods)), strict=True)):
            values = errors.loc[errors["method"] == method, "error"].to_numpy()
            counts, _ = np.histogram(values.clip(max=edges[-1]), edges)
            label = f"{_printable(method)}: mean {values.mean():.4f}, variance {values.var():.2e}"
            first = place == 0
            axes.stairs(
                100 * counts / len(values),
                edges,
                fill=not first,
                color=colour,
                alpha=0.9 if first else 0.45,
                hatch="////" if first else "",
                linewidth=1.3,
                label=label,
            )
            dash = DASHES[place % len(DASHES)]
            axes.axvline(values.mean(), color=colour, linewidth=1.8, linestyle=(0, dash) if dash else "-")
        axes.set_xlim(0, edges[-1])
        axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
        _name_axes(axes, "mean squared difference of the drawn depth images (1: the cube's edge)", "frames (%)")
        _spell_out(axes.legend(loc="upper right"))
        _finish_panels(figure, title, stamp)
        pictures = _save(figure, out)
    return (*pictures, write_csv(errors, out, stamp))
