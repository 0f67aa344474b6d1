"""Image-based optimisation beside the loop on the same frames: curves, the path of both errors, a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.errors import BadInput
from handbench.evaluation.claim_feedback15 import LOOP_BESIDE, SEARCHES
from handbench.evaluation.claim_loop import ITERATIONS, mean_of, stop_at
from handbench.evaluation.metrics import THRESHOLDS_MM, Curve, frames_within, measure_errors
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Pooled, Result, compare_results, pool_seeds
from handbench.report.comparisons import PRINTED
from handbench.report.figures import draw_accuracy
from handbench.report.frame_data import open_frames
from handbench.report.items import Absent, Column, Figure, Item, Table
from handbench.report.loop_figures import draw_searches
from handbench.report.loop_items import find_loop, tell_results
from handbench.report.probe_stamps import stamp_probes
from handbench.report.sources import NOT_RUN, ONLY_NYU, Sources
from handbench.report.stamps import stamp_results
from handbench.training.prediction_file import FILE, read_steps


@dataclass(frozen=True)
class Search:
    """Image-based optimisation by one optimiser."""

    optimiser: str
    module: str
    beside: str
    """The loop on the frames that it was given."""


OF_2015 = tuple(Search(word, SEARCHES[word], LOOP_BESIDE[word]) for word in SEARCHES)
OF_2019 = (Search("L-BFGS-B", "feedback19_lbfgsb", "feedback19_beside_lbfgsb"),)
INITIALIZATION = "Initialization"
PRINTED_MM = {"feedback19_lbfgsb": (12.2, 32.3)}
"""Before and after, feedback19 5.4."""


def build_search_curves(
    name: str, title: str, search: Search, sources: Sources, *, printed: str, dataset: str = "nyu"
) -> Item:
    """Accuracy of the initialisation, the loop and image-based optimisation on the frames of the latter (Fig. 10)."""
    modules = (search.beside, search.module)
    pooled = [pool_seeds(found) for module in modules if (found := find_loop(sources, module, dataset))]
    if len(pooled) < len(modules):
        return Absent(name, title, f"This run: {NOT_RUN}. {printed}")
    results = [one for group in pooled for one in group.results]
    start, why_not = _read_start(sources, pooled[1])
    curves = [*start, *(_as_curve(one.results[0].method, one.curves["frames"]) for one in pooled)]
    means = {one.results[0].method: one.interval.mean for one in pooled}
    means |= {INITIALIZATION: mean_of(stop_at(pooled[1].results, 0))} if start else {}
    stamp = stamp_results(results)
    notes = [f"Evenly spaced: {tell_results(results)}", *why_not, printed, *sources.caution]
    words = ", ".join(f"{method} {mean_mm:.2f} mm" for method, mean_mm in means.items())
    draw = partial(_draw_curves, pd.concat(curves, ignore_index=True), means, title, stamp)
    return Figure(name, title, f"Mean errors: {words}", draw, stamp, tuple(notes))


def _read_start(sources: Sources, pooled: Pooled) -> tuple[list[pd.DataFrame], list[str]]:
    """The curve of the pose that optimisation starts from, which predictions hold and evaluations do not."""
    try:
        curve = np.mean([measure_start(sources, result) for result in pooled.results], axis=0)
    except BadInput as missing:
        where = f"{missing.where}: {missing.found}"
        return [], [f"Not drawn: the initialisation, whose predictions are not at hand ({where})."]
    return [_as_curve(INITIALIZATION, curve)], []


def measure_start(sources: Sources, result: Result) -> Curve:
    """Share of frames with every joint within each threshold before the first iteration."""
    data = open_frames(sources.run, result)
    path = sources.run / "predict" / result.dataset / result.module / f"seed{result.seed}" / FILE
    truth_mm = data.truth_mm[:, list(data.store.scored)]
    return frames_within(measure_errors(read_steps(path)[0], truth_mm))


def _as_curve(method: str, curve: Curve) -> pd.DataFrame:
    return pd.DataFrame({"method": method, "threshold_mm": THRESHOLDS_MM, "fraction": curve})


def build_search_paths(
    name: str, title: str, searches: Sequence[Search], sources: Sources, *, dataset: str = "nyu"
) -> Item:
    """Image error and pose error after each iteration of each optimiser, the loop's final error beside them."""
    probes = {one.optimiser: found for one in searches if (found := sources.find_probes(one.module, dataset))}
    if not probes:
        return Absent(name, title, f"{sources.not_probed} The papers print neither path.")
    traces = pd.concat([_frame_path(word, found) for word, found in probes.items()], ignore_index=True)
    beside = {one.optimiser: find_loop(sources, one.beside, dataset) for one in searches}
    ends = [(word, mean_of(stop_at(beside[word], ITERATIONS))) for word in probes if beside[word]]
    loops = pd.DataFrame(ends, columns=["method", "pose_error_mm"])
    told = "; ".join(_tell_path(word, found) for word, found in probes.items())
    stamp = stamp_probes(sources, [one for found in probes.values() for one in found])
    notes = (f"Evenly spaced test frames: {told}. Means over frames and seeds.", *sources.caution)
    draw = partial(_draw_searches, traces, loops, title, stamp)
    return Figure(name, title, f"Image error and pose error by iteration: {told}", draw, stamp, notes)


def _frame_path(optimiser: str, probes: Sequence[Probe]) -> pd.DataFrame:
    """method, iteration, image_error, image_percent, pose_error_mm: means over seeds."""
    image, pose_mm = (np.mean([one.read(key) for one in probes], axis=0) for key in ("image_error", "pose_error_mm"))
    percent = 100 * image / image[0]
    numbers = {"image_error": image, "image_percent": percent, "pose_error_mm": pose_mm}
    return pd.DataFrame({"method": optimiser, "iteration": np.arange(len(image)), **numbers})


def _tell_path(optimiser: str, probes: Sequence[Probe]) -> str:
    path = _frame_path(optimiser, probes)
    first, last = path.iloc[0], path.iloc[-1]
    return (
        f"{optimiser} on {probes[0].frames:,} frames, image error {last.image_percent:.0f} % of that at the start, "
        f"pose error {first.pose_error_mm:.2f} to {last.pose_error_mm:.2f} mm"
    )


def build_search_table(
    name: str, title: str, searches: Sequence[Search], sources: Sources, *, dataset: str = "nyu"
) -> Item:
    """Optimisers in rows: pose error before and after beside print (NYU alone), and the loop on the same frames."""
    results = [one for search in searches for one in find_loop(sources, search.module, dataset)]
    if not results:
        return Absent(name, title, f"This run: {NOT_RUN}. {_tell_printed(dataset)}")
    frame = pd.DataFrame([_describe_search(sources, search, dataset) for search in searches])
    group = sources.this_run
    printed = (
        Column("printed_before_mm", "before, mm", PRINTED, decimals=1),
        Column("printed_after_mm", "after, mm", PRINTED, decimals=1),
    )
    columns = (
        Column("method", "optimiser"),
        *(printed if dataset == "nyu" else ()),
        Column("frames", "frames", group, decimals=0, otherwise="status"),
        Column("image_percent", "image error left, %", group, decimals=1),
        Column("before_mm", "before, mm", group, decimals=2),
        Column("after_mm", "after, mm", group, decimals=2),
        Column("low_mm", "95 % interval of the change, mm", group, decimals=2, high="high_mm"),
        Column("loop_mm", "the loop on these frames, mm", group, decimals=2),
    )
    told = "Print has numbers for feedback19 alone (Section 5.4)." if dataset == "nyu" else ONLY_NYU
    return Table(name, title, frame, columns, stamp_results(results), (told, *sources.caution))


def _tell_printed(dataset: str) -> str:
    if dataset != "nyu":
        return ONLY_NYU
    before_mm, after_mm = PRINTED_MM[OF_2019[0].module]
    return f"feedback19 prints {before_mm} mm before and {after_mm} mm after L-BFGS-B on the image difference."


def _describe_search(sources: Sources, search: Search, dataset: str) -> Mapping[str, object]:
    results = find_loop(sources, search.module, dataset)
    printed = PRINTED_MM.get(search.module, (np.nan, np.nan)) if dataset == "nyu" else (np.nan, np.nan)
    row: dict[str, object] = {
        "method": search.optimiser,
        "printed_before_mm": printed[0],
        "printed_after_mm": printed[1],
        **dict.fromkeys(("frames", "image_percent", "before_mm", "after_mm", "low_mm", "high_mm", "loop_mm"), np.nan),
        "status": NOT_RUN,
    }
    if not results:
        return row
    start = stop_at(results, 0)
    change = compare_results(results, start).difference
    probes = sources.find_probes(search.module, dataset)
    loop = find_loop(sources, search.beside, dataset)
    return row | {
        "frames": results[0].frames,
        "image_percent": _frame_path(search.optimiser, probes)["image_percent"].iloc[-1] if probes else np.nan,
        "before_mm": mean_of(start),
        "after_mm": mean_of(results),
        "low_mm": change.low,
        "high_mm": change.high,
        "loop_mm": mean_of(stop_at(loop, ITERATIONS)) if loop else np.nan,
        "status": "run",
    }


def _draw_searches(traces: pd.DataFrame, loops: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_searches(traces, loops, out, title=title, stamp=stamp)


def _draw_curves(
    curves: pd.DataFrame, means: Mapping[str, float], title: str, stamp: str, out: Path
) -> tuple[Path, ...]:
    return draw_accuracy(curves, means, out, title=title, stamp=stamp)
