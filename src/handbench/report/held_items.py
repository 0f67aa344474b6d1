"""Tables and figures of hand and object on Dexter+Object: Table 2, its variants, errors by iteration, time."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.evaluation.claim_handobject import (
    DATASET,
    hold,
    measure,
)
from handbench.evaluation.claim_loop import ITERATIONS
from handbench.evaluation.hand_object_score import KNOWN, METRICS, WHOLE, Measured, compare_average, pool_average
from handbench.evaluation.paper_numbers import (
    FEEDBACK19_TABLE_2,
    FEEDBACK19_TABLE_2_SEQUENCES,
)
from handbench.evaluation.results import Result
from handbench.report.held_pictures import find_held
from handbench.report.held_stages import Stage, explain_missing, find_stages, list_results
from handbench.report.items import Absent, Column, Figure, Item, Table
from handbench.report.loop_figures import draw_iterations
from handbench.report.loop_items import tell_results
from handbench.report.run_card import join_words
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamps import SEPARATOR, stamp_printed, stamp_results

SEQUENCES = FEEDBACK19_TABLE_2_SEQUENCES[:-1]
AVERAGE = FEEDBACK19_TABLE_2_SEQUENCES[-1]
STAGES = {
    "initialization": ("handobject", 0),
    "single network": ("handobject_single", -1),
    "feedback": ("handobject", ITERATIONS),
}
"""Rows of Table 2 that are the paper's own, and the module and iteration that stand for them."""
METRIC_WORDS = {"tips": "tips", "corners": "corners", WHOLE: "corners, by the whole box", "combined": "combined"}
NUMBERS = (
    *(f"mean_{one}" for one in (*SEQUENCES, AVERAGE)),
    *(f"{end}_{one}" for one in SEQUENCES for end in ("low", "high")),
    "low_mm",
    "high_mm",
)
LESS_FIRST = ("less_first_mm", "less_first_low_mm", "less_first_high_mm")
MEANS = "mean error, mm"
UNMEASURED = "not measured on every sequence"
"""In the place of an average where a sequence has no frame with the labels: all three corners, or any tip."""
SAME_GRASPS = (
    "The fully synthetic frames that networks learn from have grasps of the generator that made these sequences, and "
    "their two boxes among others, held by other hands and seen from other sides: recordings are harder than that."
)
NEAREST = {
    True: "Which three of a predicted box's corners are the labelled ones: corners of the labelled face; of the four "
    "choices that half turns of the box exchange the nearest in each frame, for every method alike. The rows `by the "
    "whole box` take the choice that brings all eight corners nearest to the true box, which labels do not tell.",
    False: "Which three of a predicted box's corners are the labelled ones: corners of the labelled face; of the four "
    "choices that half turns of the box exchange, and of their mirror images, since labels do not tell on which side "
    "of them the box lies, the nearest in each frame, for every method alike.",
}


def build_table_2(name: str, title: str, sources: Sources) -> Table:
    """Every row of print; below each of the paper's own rows the same of this run, which has some more."""
    found = find_stages(STAGES, sources)
    results = list_results(found)
    printed = {(method, metric): values for method, metric, values in FEEDBACK19_TABLE_2}
    rows = []
    for method in dict.fromkeys(method for method, _, _ in FEEDBACK19_TABLE_2):
        for metric in METRIC_WORDS:
            if (method, metric) in printed:
                rows.append(_list_printed(method, metric, printed[method, metric]))
            if method in STAGES:
                rows += _list_measured(method, metric, found[method], sources, asked=(method, metric) in printed)
    columns = (
        Column("method", "method"),
        Column("metric_words", "metric"),
        Column("origin", "numbers"),
        *(Column(f"mean_{one}", one, MEANS, decimals=1) for one in SEQUENCES),
        Column(f"mean_{AVERAGE}", AVERAGE, MEANS, decimals=1, otherwise="run_status"),
        Column("low_mm", "95 % interval", MEANS, decimals=1, high="high_mm"),
        Column("seeds_mm", "each seed", MEANS),
    )
    stamp = stamp_printed(DATASET, sources.card)
    stamp = f"{stamp}{SEPARATOR}this run: {stamp_results(results)}" if results else stamp
    return Table(name, title, pd.DataFrame(rows), columns, stamp, _tell_table_2(results, sources))


def _list_printed(method: str, metric: str, values: Sequence[float | None]) -> dict[str, object]:
    means = zip((*SEQUENCES, AVERAGE), values, strict=True)
    row = _start_row(method, metric, "printed")
    return row | {f"mean_{one}": np.nan if value is None else value for one, value in means}


def _list_measured(method: str, metric: str, stage: Stage, sources: Sources, *, asked: bool) -> list[dict[str, object]]:
    """This run's row; none of a metric that neither print nor the results have."""
    row = _start_row(method, metric, f"this run, {sources.card.source}")
    if not stage.results:
        return [row | {"run_status": stage.status}] if asked else []
    if not stage.gives(metric):
        return []
    return [row | describe_average(stage.measure(metric)) | {"run_status": UNMEASURED}]


def _start_row(method: str, metric: str, origin: str) -> dict[str, object]:
    row: dict[str, object] = {"method": method, "metric": metric, "metric_words": METRIC_WORDS[metric]}
    row |= {"origin": origin, "seeds_mm": "", "run_status": ""}
    return row | dict.fromkeys(NUMBERS, np.nan) | {f"seeds_{one}": "" for one in SEQUENCES}


def describe_average(seeds: Sequence[Measured]) -> dict[str, object]:
    """Every sequence and their average: mean, interval, and the mean of each seed."""
    row: dict[str, object] = {}
    for name in seeds[0].names:
        alone = [one.on(name) for one in seeds]
        interval = pool_average(alone)
        row |= {f"mean_{name}": interval.mean, f"low_{name}": interval.low, f"high_{name}": interval.high}
        row[f"seeds_{name}"] = list_seeds([one.average for one in alone])
    interval = pool_average(seeds)
    row |= {f"mean_{AVERAGE}": interval.mean, "low_mm": interval.low, "high_mm": interval.high}
    return row | {"seeds_mm": list_seeds([one.average for one in seeds])}


def list_seeds(means_mm: Sequence[float]) -> str:
    """Nothing of what was not measured: all seeds lack the same labels."""
    return "" if np.isnan(means_mm).any() else ", ".join(f"{one:.1f}" for one in means_mm)


def _tell_table_2(results: Sequence[Result], sources: Sources) -> tuple[str, ...]:
    notes = [
        "Tips, object corners and both combined (Eq. 23): means of each sequence, and of the six. Published "
        "predictions for Dexter+Object are not at hand, so nothing is recomputed.",
    ]
    if not results:
        return tuple(notes)
    annotations = join_words(one.protocol.get("annotations", "shipped") for one in results)
    known = {hold(one).side == KNOWN for one in results}
    return (
        *notes,
        *(NEAREST[side] for side in sorted(known)),
        f"Annotations: {annotations}. {tell_results(results)} The interval draws blocks of at least 50 neighbouring "
        "frames with all their seeds; a sequence counts as much as another, however long it is.",
        *sources.caution,
        *([SAME_GRASPS] if sources.card.source == "embedded" else []),
    )


def build_held_variants(
    name: str,
    title: str,
    modules: Mapping[str, tuple[str, int]],
    sources: Sources,
    *,
    metrics: Sequence[str],
    printed: str,
) -> Item:
    """Modules in rows, each after so many iterations: every sequence, and the difference to the first row."""
    found = find_stages(modules, sources)
    results = list_results(found)
    if not results:
        return Absent(name, title, f"This run: {explain_missing(found)}. {printed}")
    first = next(iter(found.values()))
    rows = [_describe_variant(label, metric, stage, first) for metric in metrics for label, stage in found.items()]
    group = f"{sources.this_run}, mm"
    columns = (
        Column("method", "method"),
        Column("metric_words", "metric"),
        Column(f"mean_{AVERAGE}", AVERAGE, group, decimals=2, otherwise="run_status"),
        Column("low_mm", "95 % interval", group, decimals=2, high="high_mm"),
        Column("less_first_mm", "less the first", group, decimals=2, signed=True),
        Column("less_first_low_mm", "its 95 % interval", group, decimals=2, high="less_first_high_mm", signed=True),
        Column("seeds_mm", "each seed", group),
        *(Column(f"mean_{one}", one, group, decimals=1) for one in SEQUENCES),
    )
    notes = (tell_results(results), printed, *sources.caution)
    return Table(name, title, pd.DataFrame(rows), columns, stamp_results(results), notes)


def _describe_variant(label: str, metric: str, stage: Stage, first: Stage) -> dict[str, object]:
    row = _start_row(label, metric, "") | dict.fromkeys(LESS_FIRST, np.nan)
    if not stage.gives(metric):
        return row | {"run_status": NOT_RUN if stage.results else stage.status}
    ours = stage.measure(metric)
    row |= describe_average(ours) | {"run_status": UNMEASURED}
    if stage is not first and stage.pairs_with(first):
        less = compare_average(ours, first.measure(metric)).difference
        row |= dict(zip(LESS_FIRST, (less.mean, less.low, less.high), strict=True))
    return row


def build_held_iterations(name: str, title: str, modules: Sequence[str], sources: Sources, *, printed: str) -> Item:
    """Tips, corners and both combined, averages of the sequences, at the start and after each iteration.

    Of the modules, which differ in how often they iterate, the first that was run.
    """
    results = next(filter(None, (find_held(sources, module, DATASET) for module in modules)), ())
    if not results:
        return Absent(name, title, f"This run: {NOT_RUN}. {printed}")
    rows = _list_iterations(results)
    if not rows:
        return Absent(name, title, f"This run: {UNMEASURED}. {printed}")
    errors = pd.DataFrame(rows)
    words = ", ".join(
        f"{method} {one['error_mm'].iloc[0]:.2f} to {one['error_mm'].iloc[-1]:.2f} mm"
        for method, one in errors.groupby("method", sort=False)
    )
    stamp = stamp_results(results)
    draw = partial(_draw_iterations, errors, title, stamp)
    left_out = [metric for metric in METRICS if metric not in set(errors["method"])]
    notes = (
        f"Averages of the sequences. {tell_results(results)} Bars are 95 % intervals.",
        *([f"{join_words(left_out).capitalize()}: {UNMEASURED}."] if left_out else []),
        printed,
        *sources.caution,
    )
    return Figure(name, title, f"Mean errors by iteration: {words}", draw, stamp, notes)


def _list_iterations(results: Sequence[Result]) -> list[dict[str, object]]:
    """method, iteration, error_mm, low_mm, high_mm and seeds_mm of the average, then the same of every sequence."""
    rows: list[dict[str, object]] = []
    for metric in METRICS:
        for step in range(min(len(hold(one).steps) for one in results)):
            told = describe_average(measure(results, metric, step))
            row: dict[str, object] = {"method": metric, "iteration": step, "error_mm": told.pop(f"mean_{AVERAGE}")}
            rows.append(row | {key: told.pop(key) for key in ("low_mm", "high_mm", "seeds_mm")} | told)
    return [row for row in rows if not pd.isna(row["error_mm"])]


def _draw_iterations(errors: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_iterations(errors, out, title=title, stamp=stamp)
