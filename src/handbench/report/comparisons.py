"""Tables and figures that set a paper's printed numbers, published predictions and this run side by side."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.conventions import DATASETS
from handbench.evaluation.metrics import THRESHOLDS_MM
from handbench.evaluation.paper_numbers import Printed
from handbench.evaluation.published import PublishedScore, Record
from handbench.evaluation.results import Pooled, Result
from handbench.evaluation.tables import MEAN, FigureData, compare_with_print, curve_frame, joint_frame_of_means
from handbench.report.figures import draw_accuracy, draw_joint_bars
from handbench.report.items import Absent, Column, Figure, Item, Table
from handbench.report.sources import DASH, HOW_TO_GET, NOT_AT_HAND, NOT_RUN, Sources
from handbench.report.stamps import SEPARATOR, stamp_results

PRINTED = "printed in the paper"
RECOMPUTED = "recomputed from published predictions"


def build_comparison(
    name: str,
    title: str,
    rows: Sequence[Printed],
    measured: pd.DataFrame | None,
    sources: Sources,
    *,
    dataset: str,
    modules: Mapping[str, str],
    stamp: str,
    notes: Sequence[str] = (),
) -> Table:
    """The three columns of a comparison; `measured` is what `compare_with_print` made of the record, None without it.

    `modules` names the module of this project that stands for a row of the paper.
    """
    frame = compare_with_print(rows, {}) if measured is None else measured.copy()
    if measured is None:
        frame["status"] = frame["status"].where(frame["status"] != "", NOT_AT_HAND)
        notes = (*notes, HOW_TO_GET)
    whole = frame["frames"].max()
    frame["frames"] = frame["frames"].astype("Int64").where(frame["frames"] > 0)
    run = [_run_cells(sources, dataset, modules.get(row.name)) for row in rows]
    ours = [one for row in rows if row.name in modules for one in _find(sources, dataset, modules[row.name])]
    stamp = f"{stamp}{SEPARATOR}this run: {stamp_results(ours)}" if ours else stamp
    frame = pd.concat([frame, pd.DataFrame(run, index=frame.index)], axis=1)
    columns = [
        Column("method", "method"),
        Column("printed_mm", "mean, mm", PRINTED, decimals=1),
        Column("recomputed_mm", "mean, mm", RECOMPUTED, decimals=2),
        Column("low_mm", "95 % interval, mm", RECOMPUTED, decimals=2, high="high_mm"),
        Column("difference_mm", "difference, mm", RECOMPUTED, decimals=2, signed=True),
        Column("status", "agreement", RECOMPUTED),
        Column("run_mm", "mean, mm", sources.this_run, decimals=2, otherwise="run_status"),
    ]
    notes = [*notes, DASH]
    if frame["run_mm"].notna().any():
        notes += sources.caution
        columns.append(Column("run_low_mm", "95 % interval, mm", sources.this_run, decimals=2, high="run_high_mm"))
    if (frame["frames"].dropna() < whole).any():
        columns.insert(2, Column("frames", "frames", RECOMPUTED, decimals=0))
    return Table(name, title, frame, tuple(columns), stamp, tuple(notes))


def build_curves(name: str, title: str, data: FigureData | None, stamp: str, notes: Sequence[str] = ()) -> Item:
    """Accuracy curves of published methods, and which of the printed ones cannot be drawn; a run's own are dashed."""
    if data is None:
        return Absent(name, title, HOW_TO_GET)
    means = _mean_of_each(data)
    draw = partial(_draw_curves, data.curves, means, title, stamp, apart=data.own)
    return Figure(name, title, _describe(means), draw, stamp, (*notes, *_not_drawn(data)))


def build_bars(name: str, title: str, data: FigureData | None, stamp: str, notes: Sequence[str] = ()) -> Item:
    """Mean error of each joint of published methods."""
    if data is None:
        return Absent(name, title, HOW_TO_GET)
    draw = partial(_draw_bars, data.joints, title, stamp)
    return Figure(name, title, _describe(_mean_of_each(data)), draw, stamp, (*notes, *_not_drawn(data)))


def build_run_bars(
    name: str,
    title: str,
    modules: Sequence[str],
    sources: Sources,
    *,
    dataset: str = "nyu",
    printed: str = "The papers print no errors of single joints.",
) -> Item:
    """Mean error of each joint of this run's modules."""
    pooled = [one for module in modules for one in sources.pool(dataset=dataset, module=module)]
    if not pooled:
        return Absent(name, title, f"This run: {NOT_RUN}. {printed}")
    means = {one.results[0].method: one.joint_error_mm | {MEAN: one.interval.mean} for one in pooled}
    bars = joint_frame_of_means(dataset, means)
    stamp = stamp_results([one for group in pooled for one in group.results])
    whole = {method: joints[MEAN] for method, joints in means.items()}
    draw = partial(_draw_bars, bars, title, stamp)
    return Figure(name, title, _describe(whole), draw, stamp, sources.caution)


def build_run_curves(
    name: str,
    title: str,
    pooled: Sequence[Pooled],
    rivals: Sequence[tuple[str, PublishedScore]],
    stamp: str,
    notes: Sequence[str] = (),
) -> Figure:
    """Accuracy curves of this run's modules, and of published methods measured on the same labels."""
    ours = [
        pd.DataFrame(
            {
                "method": one.results[0].method,
                "threshold_mm": THRESHOLDS_MM,
                "fraction": one.curves["frames"],
            }
        )
        for one in pooled
    ]
    theirs = [curve_frame([(method, one.score) for method, one in rivals])] if rivals else []
    means = {one.results[0].method: one.interval.mean for one in pooled}
    means |= {method: one.score.mean_error_mm for method, one in rivals}
    draw = partial(_draw_curves, pd.concat([*ours, *theirs], ignore_index=True), means, title, stamp)
    return Figure(name, title, _describe(means), draw, stamp, tuple(notes))


def add_run(data: FigureData | None, dataset: str, pooled: Sequence[Pooled], sources: Sources) -> FigureData | None:
    """The same with this run's modules beside the published methods, each named after the frames that it saw."""
    if not pooled:
        return data
    named = {f"{one.results[0].method}, {_name_frames(one, dataset, sources)}": one for one in pooled}
    curves = [
        pd.DataFrame({"method": method, "threshold_mm": THRESHOLDS_MM, "fraction": one.curves["frames"]})
        for method, one in named.items()
    ]
    joints = joint_frame_of_means(
        dataset, {method: one.joint_error_mm | {MEAN: one.interval.mean} for method, one in named.items()}
    )
    means = pd.DataFrame(
        [
            {"method": method, "recomputed_mm": one.interval.mean, "frames": one.results[0].frames}
            for method, one in named.items()
        ]
    )
    if data is None:
        return FigureData(pd.concat(curves, ignore_index=True), joints, means, tuple(named))
    return FigureData(
        pd.concat([data.curves, *curves], ignore_index=True),
        pd.concat([data.joints, joints], ignore_index=True),
        pd.concat([data.means, means], ignore_index=True),
        tuple(named),
    )


def _name_frames(pooled: Pooled, dataset: str, sources: Sources) -> str:
    """Published methods were measured on the whole test set of the real data."""
    frames = pooled.results[0].frames
    part = sources.card.source == "real" and frames != DATASETS[dataset].frames["test"]
    return f"{sources.this_run}{f', {frames:,} frames' if part else ''}"


def rename_methods(data: FigureData, names: Mapping[str, str]) -> FigureData:
    """The same data under other names."""
    curves, joints, means = (
        frame.assign(method=frame["method"].replace(dict(names))) for frame in (data.curves, data.joints, data.means)
    )
    return FigureData(curves, joints, means, tuple(names.get(one, one) for one in data.own))


def read_figure(build: Callable[[Record], FigureData], sources: Sources) -> FigureData | None:
    return None if sources.record is None else build(sources.record)


def _find(sources: Sources, dataset: str, module: str) -> tuple[Result, ...]:
    return sources.find_results(dataset=dataset, module=module)


def _run_cells(sources: Sources, dataset: str, module: str | None) -> dict[str, object]:
    pooled = sources.pool(dataset=dataset, module=module) if module else ()
    if not pooled:
        nothing = dict.fromkeys(("run_mm", "run_low_mm", "run_high_mm"), np.nan)
        return {**nothing, "run_seeds": "", "run_status": NOT_RUN if module else ""}
    one = pooled[0]
    return {
        "run_mm": one.interval.mean,
        "run_low_mm": one.interval.low,
        "run_high_mm": one.interval.high,
        "run_seeds": " ".join(map(str, one.seeds)),
        "run_status": "run",
    }


def _mean_of_each(data: FigureData) -> dict[str, float]:
    drawn = data.means.dropna(subset="recomputed_mm")
    return {str(row.method): float(row.recomputed_mm) for row in drawn.itertuples()}  # type: ignore[arg-type]


def _not_drawn(data: FigureData) -> tuple[str, ...]:
    return tuple(f"Not drawn: {reason}." for reason in data.not_drawn)


def _describe(means: Mapping[str, float]) -> str:
    return "Mean errors: " + ", ".join(f"{method} {mean_mm:.2f} mm" for method, mean_mm in means.items())


def _draw_curves(
    curves: pd.DataFrame, means: Mapping[str, float], title: str, stamp: str, out: Path, apart: Sequence[str] = ()
) -> tuple[Path, ...]:
    return draw_accuracy(curves, means, out, title=title, stamp=stamp, apart=apart)


def _draw_bars(joints: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_joint_bars(joints, out, title=title, stamp=stamp)
