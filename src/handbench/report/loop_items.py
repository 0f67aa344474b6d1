"""Tables and figures of the loop: error by iteration, its variants, its two initialisations, its time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.conventions import DATASETS
from handbench.evaluation.baselines import BASELINES
from handbench.evaluation.bootstrap import Interval, bootstrap_blocks
from handbench.evaluation.claim_loop import ITERATIONS, SUBJECTS, mean_of, stop_at
from handbench.evaluation.probes import Probe, find_on_cpu, group_by_device, list_batches, name_device
from handbench.evaluation.results import Result, compare_results
from handbench.report.comparisons import PRINTED, build_run_curves
from handbench.report.items import Absent, Column, Figure, Item, Table
from handbench.report.loop_figures import draw_iterations
from handbench.report.probe_stamps import stamp_probes, tell_iterations, tell_seeds
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamps import stamp_results

PARTS = ("predictor", "synthesizer", "updater", "loop")
TIMED = {
    "localizer": "localizer, ms",
    "predictor": "predictor, ms",
    "iteration": "iteration: synthesizer and updater, ms",
    "synthesizer": "of it the synthesizer, ms",
    "updater": "of it the updater, ms",
    "loop": "predictor and {iterations}, ms",
    "fps": "frames a second",
}
"""Rows of the runtime; only 2019 has a localizer."""
SUBJECTS_PRINTED = "The paper does not tell the subjects apart."
LOOP_DATASETS = ("nyu", "icvl", "msra")


def build_iterations(
    name: str, title: str, modules: Sequence[str], sources: Sources, *, printed: str, dataset: str = "nyu"
) -> Item:
    """The error at the start and after each iteration, of every loop that was run."""
    found = [loop for module in modules if (loop := find_loop(sources, module, dataset))]
    if not found:
        return Absent(name, title, f"This run: {NOT_RUN}. {printed}")
    errors = pd.concat([frame_iterations(loop) for loop in found], ignore_index=True)
    results = [one for group in found for one in group]
    last = errors.groupby("method", sort=False)["error_mm"].agg(["first", "last"])
    words = ", ".join(f"{row.Index} {row.first:.2f} to {row.last:.2f} mm" for row in last.itertuples())
    stamp = stamp_results(results)
    notes = (f"{tell_results(results)} Bars are 95 % intervals.", printed, *sources.caution)
    draw = partial(_draw_iterations, errors, title, stamp)
    return Figure(name, title, f"Mean errors by iteration: {words}", draw, stamp, notes)


def frame_iterations(results: Sequence[Result]) -> pd.DataFrame:
    """method, iteration, error_mm (mean over seeds), low_mm, high_mm."""
    steps = range(min(len(one.steps_mm) for one in results if one.steps_mm is not None))
    rows = []
    for step in steps:
        interval = _pool_blocks(stop_at(results, step))
        row = {"method": results[0].method, "iteration": step, "error_mm": interval.mean}
        rows.append({**row, "low_mm": interval.low, "high_mm": interval.high})
    return pd.DataFrame(rows)


def build_subjects(name: str, title: str, module: str, sources: Sources) -> Item:
    """One loop in rows: on all test frames, and on those of each subject."""
    found = find_loop(sources, module)
    if not found:
        return Absent(name, title, f"This run: {NOT_RUN}. {SUBJECTS_PRINTED}")
    if any(not set(SUBJECTS) <= set(one.block_sequences) for one in found):
        return Absent(name, title, f"The test frames of this run do not show both. {SUBJECTS_PRINTED}")
    parts = {"all frames": found}
    parts |= {words: tuple(one.of_sequence(subject) for one in found) for subject, words in SUBJECTS.items()}
    rows = [_describe_loop(label, group, group) for label, group in parts.items()]
    columns = tuple(column for column in _loop_columns(sources, of="frames") if column.key != "less_first_mm")
    notes = (tell_results(found), SUBJECTS_PRINTED, *sources.caution)
    return Table(name, title, pd.DataFrame(rows), columns, stamp_results(found), notes)


def build_datasets(name: str, title: str, module: str, sources: Sources, *, printed: str) -> Item:
    """The loop and the baselines on each data set that the loop was run on; frames differ from one to the next."""
    found = {dataset: loop for dataset in LOOP_DATASETS if (loop := find_loop(sources, module, dataset))}
    results = [one for group in found.values() for one in group]
    if not results:
        return Absent(name, title, f"This run: {NOT_RUN}. {printed}")
    rows, rivals, frames = [], [], []
    for dataset, loop in found.items():
        beside = {label: sources.find_results(dataset=dataset, module=one) for label, one in BASELINES.items()}
        rivals += [one for group in beside.values() for one in group]
        words = DATASETS[dataset].title
        rows.append({"dataset": words, **_describe_loop(loop[0].method, loop, loop)})
        rows += [{"dataset": words, **_describe_baseline(label, group)} for label, group in beside.items()]
        frames.append(f"{words}: {tell_results(loop)}")
    columns = [column for column in _loop_columns(sources, of="method") if column.key != "less_first_mm"]
    stamp = stamp_results([*results, *rivals])
    notes = ("; ".join(frames), "A baseline's error stands under start: it takes no steps.", printed, *sources.caution)
    return Table(name, title, pd.DataFrame(rows), (Column("dataset", "data set"), *columns), stamp, notes)


def _describe_baseline(label: str, results: Sequence[Result]) -> dict[str, object]:
    interval = _pool_blocks(results) if results else None
    return {
        "method": label,
        "after_0_mm": mean_of(results) if results else np.nan,
        "low_mm": interval.low if interval else np.nan,
        "high_mm": interval.high if interval else np.nan,
        "status": "run" if results else NOT_RUN,
    }


def build_variants(
    name: str, title: str, modules: Mapping[str, str], sources: Sources, *, printed: str, dataset: str = "nyu"
) -> Item:
    """Loops in rows: the error before, after each of two iterations, and how it differs from the first row's."""
    found = {label: find_loop(sources, module, dataset) for module, label in modules.items()}
    results = [one for group in found.values() for one in group]
    if not results:
        return Absent(name, title, f"This run: {NOT_RUN}. {printed}")
    first = next(iter(found.values()))
    rows = [_describe_loop(label, group, first) for label, group in found.items()]
    notes = (tell_results(results), printed, *sources.caution)
    return Table(name, title, pd.DataFrame(rows), _loop_columns(sources, of="loop"), stamp_results(results), notes)


def _loop_columns(sources: Sources, *, of: str) -> tuple[Column, ...]:
    group = sources.this_run
    return (
        Column("method", of),
        Column("after_0_mm", "start, mm", group, decimals=2, otherwise="status"),
        *(Column(f"after_{step}_mm", f"after {step}, mm", group, decimals=2) for step in range(1, ITERATIONS + 1)),
        Column("low_mm", "95 % interval, mm", group, decimals=2, high="high_mm"),
        Column("change_percent", "change, %", group, decimals=1, signed=True),
        Column("less_first_mm", "less the first row, mm", group, decimals=2, signed=True),
    )


def _describe_loop(label: str, results: Sequence[Result], first: Sequence[Result]) -> dict[str, object]:
    keys = [f"after_{step}_mm" for step in range(ITERATIONS + 1)]
    if not results:
        nothing = dict.fromkeys((*keys, "low_mm", "high_mm", "change_percent", "less_first_mm"), np.nan)
        return {"method": label, **nothing, "status": NOT_RUN}
    stopped = [stop_at(results, step) for step in range(ITERATIONS + 1)]
    means, interval = [mean_of(one) for one in stopped], _pool_blocks(stopped[-1])
    paired = results is not first and [one.seed for one in results] == [one.seed for one in first]
    less = compare_results(stopped[-1], stop_at(first, ITERATIONS)).difference.mean if paired else np.nan
    return {
        "method": label,
        **dict(zip(keys, means, strict=True)),
        "low_mm": interval.low,
        "high_mm": interval.high,
        "change_percent": 100 * (means[-1] / means[0] - 1),
        "less_first_mm": less,
        "status": "run",
    }


def build_two_starts(
    name: str, title: str, modules: Sequence[str], sources: Sources, *, printed: str, dataset: str = "nyu"
) -> Item:
    """Accuracy curves of two predictors and of the loop from either."""
    pooled = [one for module in modules for one in sources.pool(dataset=dataset, module=module)]
    if not any(one.results[0].steps_mm is not None for one in pooled):
        return Absent(name, title, f"This run: {NOT_RUN}. {printed}")
    results = [one for group in pooled for one in group.results]
    without = [module for module in modules if not sources.find_results(dataset=dataset, module=module)]
    notes = [tell_results(results), printed]
    notes += [f"Not drawn, as this run has not made them: {', '.join(without)}."] if without else []
    return build_run_curves(name, title, pooled, (), stamp_results(results), (*notes, *sources.caution))


@dataclass(frozen=True)
class Runtime:
    """What a paper prints of its time."""

    device: str
    milliseconds: Mapping[str, float]
    """Of a frame, by part."""
    speed: str

    def __str__(self) -> str:
        told = [f"{part} {self.milliseconds[part]} ms" for part in TIMED if part in self.milliseconds]
        return f"Printed: {', '.join(told)}, {self.speed} fps."


def build_runtime(
    name: str,
    title: str,
    module: str,
    sources: Sources,
    printed: Runtime,
    *,
    localizer: str = "",
    dataset: str = "nyu",
) -> Item:
    """Milliseconds a frame of each part, in batches of one and of many, for every device that was timed on."""
    probes = sources.find_probes(module, dataset)
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {printed}")
    located = [one for one in sources.find_probes(localizer, dataset) if "milliseconds" in one.numbers]
    iterations = tell_iterations(probes)
    labels = {
        key: label.format(iterations=iterations) for key, label in TIMED.items() if localizer or key != "localizer"
    }
    frame = pd.DataFrame(
        {"part": list(labels.values()), "printed": [printed.milliseconds.get(key, np.nan) for key in labels]}
    )
    frame["printed_words"] = [printed.speed if key == "fps" else "" for key in labels]
    columns = [
        Column("part", "a frame takes"),
        Column("printed", printed.device, PRINTED, decimals=2, otherwise="printed_words"),
    ]
    located += find_on_cpu(located)
    elsewhere = "on another device" if located else NOT_RUN
    frame["words"] = [elsewhere if key == "localizer" else "" for key in labels]
    for place, (device, timed) in enumerate(group_by_device(probes).items()):
        beside = [one for one in located if name_device(one) == name_device(timed[0])]
        for batch in list_batches(timed):
            key = f"device_{place}_batch_{batch}"
            numbers = _average_times(timed, batch) | {"localizer": _average_time(beside, batch, "localizer")}
            frame[key] = [numbers[part] for part in labels]
            group = f"{sources.this_run}; {device}"
            columns.append(Column(key, f"batch {batch}", group, decimals=2, otherwise="words"))
    notes = _tell_timing(probes, located, separate=bool(localizer))
    return Table(name, title, frame, tuple(columns), stamp_probes(sources, probes), notes)


def _average_times(probes: Sequence[Probe], batch: str) -> dict[str, float]:
    """Milliseconds a frame, means over seeds."""
    parts = {part: _average_time(probes, batch, part) for part in PARTS}
    speeds = [1000 / one.read("milliseconds", batch, "loop") for one in probes]
    return {**parts, "iteration": parts["synthesizer"] + parts["updater"], "fps": float(np.mean(speeds))}


def _average_time(probes: Sequence[Probe], batch: str, part: str) -> float:
    """NaN where this batch was not timed."""
    timed = [one.read("milliseconds", batch, part) for one in probes if batch in one.read("milliseconds")]
    return float(np.mean(timed)) if timed else np.nan


def _tell_timing(probes: Sequence[Probe], located: Sequence[Probe], *, separate: bool) -> tuple[str, ...]:
    notes = [
        "Medians over repeated calls; a batch's time is divided by its frames. Print gives neither its batch nor its "
        "precision.",
        f"Timed on the crops of {tell_seeds(probes)}",
    ]
    if separate:
        rest = f"frames a second are those of the predictor and {tell_iterations(probes)}"
        notes.append(f"The localizer is timed by itself; {rest}.")
    plain = {part: why for one in (*probes, *located) for part, why in one.numbers.get("not_captured", {}).items()}
    if plain:
        told = "; ".join(f"{part} ({why})" for part, why in plain.items())
        notes.append(f"Not captured as a CUDA graph, but called as it is: {told}.")
    return tuple(notes)


def tell_results(results: Sequence[Result]) -> str:
    """How many frames and seeds a number is the mean of."""
    seeds = len({one.seed for one in results})
    return f"{results[0].frames:,} test frames{f', means over {seeds} seeds' if seeds > 1 else ''}."


def find_loop(sources: Sources, module: str, dataset: str = "nyu") -> tuple[Result, ...]:
    """All seeds of an iterating module; nothing where one of them has not iterated as often as the papers do."""
    found = sources.find_results(dataset=dataset, module=module)
    return found if all(one.steps_mm is not None and len(one.steps_mm) > ITERATIONS for one in found) else ()


def _pool_blocks(results: Sequence[Result]) -> Interval:
    sums_mm = np.sum([one.block_sums_mm for one in results], axis=0)
    return bootstrap_blocks(sums_mm, np.sum([one.block_counts for one in results], axis=0))


def _draw_iterations(errors: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_iterations(errors, out, title=title, stamp=stamp)
