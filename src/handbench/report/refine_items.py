"""Tables and figures of refine: its curves before and after, its errors beside others', its depth errors, its time."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.conventions import DATASETS
from handbench.evaluation.blocks import pool_blocks
from handbench.evaluation.claim_loop import SUBJECTS, mean_of
from handbench.evaluation.claim_refine import (
    BASE,
    NAMES,
    NOISY,
    OWN,
    REFINED,
    RETRAIN_FRAMES,
    TARGETS,
    blocks_of,
    find_minutes,
    read_depth_errors,
    read_jitter,
)
from handbench.evaluation.evaluation_text import SKELETON_WORDS
from handbench.evaluation.metrics import THRESHOLDS_MM
from handbench.evaluation.paper_numbers import REFINE_FORWARD_MS, REFINE_RETRAIN_MINUTES, REFINE_VARIANCES
from handbench.evaluation.probes import Probe, group_by_device, list_batches
from handbench.evaluation.results import Pooled, Result
from handbench.evaluation.score import NO_LABELS
from handbench.evaluation.skeleton_score import RE_EXPRESSED, REMOVED
from handbench.evaluation.tables import refine_figure_8
from handbench.report.comparisons import PRINTED, build_curves, build_run_curves
from handbench.report.figures import draw_accuracy
from handbench.report.items import Absent, Column, Figure, Item, Table
from handbench.report.loop_items import tell_results
from handbench.report.probe_stamps import stamp_probes, tell_seeds
from handbench.report.refine_figures import draw_depth_errors
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamps import SEPARATOR, stamp_results
from handbench.training.prediction_file import POSITIONS

CURVES_ONLY = "The paper prints curves without numbers."
BEFORE_AND_AFTER = (BASE, REFINED)
RAW = "as predicted"
PRINTED_DEVICE = "GTX 1060"


def build_self_comparison(name: str, title: str, dataset: str, sources: Sources) -> Item:
    """Fig. 5: the network as it learned from rendered hands, refined by the depth loss alone, and by all losses."""
    pooled = [one for module in NAMES for one in sources.pool(dataset=dataset, module=module)]
    if not pooled:
        return Absent(name, title, f"This run: {NOT_RUN}. {CURVES_ONLY}")
    results = [one for group in pooled for one in group.results]
    if all(np.isnan(one.mean_error_mm) for one in results):
        why = f"This run: {NO_LABELS}. Of this recording only the depth error is measured (Fig. 7)."
        return Absent(name, title, why)
    missing = [module for module in NAMES if not sources.find_results(dataset=dataset, module=module)]
    told = (f"Not drawn, as this run has not made them: {', '.join(missing)}.",) if missing else ()
    notes = (tell_results(results), *_tell_people(pooled), *told, CURVES_ONLY, *sources.caution)
    return build_run_curves(name, title, pooled, (), stamp_results(results), notes)


def _tell_people(pooled: Sequence[Pooled]) -> tuple[str, ...]:
    """Of NYU each person apart: network and cloud adapt to the one whom the training frames show."""
    told = []
    for subject, words in SUBJECTS.items():
        if all(subject in one.block_sequences for group in pooled for one in group.results):
            means_mm = [mean_of([one.of_sequence(subject) for one in group.results]) for group in pooled]
            named = zip(pooled, means_mm, strict=True)
            told.append(
                f"{words}: " + ", ".join(f"{NAMES[group.results[0].module]} {mm:.2f} mm" for group, mm in named)
            )
    return (f"The paper adapts to a single hand; of NYU's, {'; '.join(told)}.",) if told else ()


def build_against(name: str, title: str, dataset: str, sources: Sources) -> Item:
    """Fig. 8: raw, without the bias and on the target's own hand; published methods beside them where data is real."""
    pooled = sources.pool(dataset=dataset, module=REFINED)
    if not pooled:
        return Absent(name, title, f"This run: {NOT_RUN}. {CURVES_ONLY}")
    one = pooled[0]
    curves, means = _skeleton_curves(one)
    stamp, rivals = stamp_results(one.results), ()
    if _is_comparable(one, dataset, sources):
        data = refine_figure_8(sources.record, dataset)  # type: ignore[arg-type]  # checked: there is a record
        curves = pd.concat([curves, data.curves], ignore_index=True)
        drawn = data.means.dropna(subset="recomputed_mm")
        means |= dict(zip(drawn["method"], drawn["recomputed_mm"], strict=True))
        stamp, rivals = f"{stamp}{SEPARATOR}{sources.stamp(dataset)}", tuple(drawn["method"])
    beside = () if rivals else ("Published methods were measured on the real frames: see the next figure.",)
    notes = (tell_results(one.results), *_tell_lacking(one.results, sources), *beside, CURVES_ONLY, *sources.caution)
    words = ", ".join(f"{method} {mean_mm:.2f} mm" for method, mean_mm in means.items())
    return Figure(
        name, title, f"Mean errors: {words}", partial(_draw_curves, curves, means, title, stamp), stamp, notes
    )


def build_published(name: str, title: str, dataset: str, sources: Sources) -> Item:
    """The rivals of Fig. 8 alone, from what they published."""
    data = None if sources.record is None else refine_figure_8(sources.record, dataset)
    return build_curves(name, title, data, sources.stamp(dataset), (CURVES_ONLY,))


def _skeleton_curves(one: Pooled) -> tuple[pd.DataFrame, dict[str, float]]:
    """Method, threshold_mm, fraction, means over seeds; and the mean error of each."""
    method = one.results[0].method
    parts = [
        pd.DataFrame({"method": f"{method}, {RAW}", "threshold_mm": THRESHOLDS_MM, "fraction": one.curves["frames"]})
    ]
    means = {f"{method}, {RAW}": one.interval.mean}
    for key, words in SKELETON_WORDS.items():
        found = [
            result.skeleton.curves[key] for result in one.results if result.skeleton and key in result.skeleton.curves
        ]
        if len(found) == len(one.results):
            curve = {"method": words, "threshold_mm": THRESHOLDS_MM, "fraction": np.mean(found, axis=0)}
            parts.append(pd.DataFrame(curve))
            means[words] = pool_blocks(blocks_of(one.results, key)).mean
    return pd.concat(parts, ignore_index=True), means


def build_positions(name: str, title: str, sources: Sources) -> Item:
    """What every network errs by on the joints that others score, and on the paper's own positions."""
    convention, results = DATASETS[NOISY], list[Result]()
    rows: list[dict[str, object]] = []
    for module, words in NAMES.items():
        for one in sources.pool(dataset=NOISY, module=module):
            means = {key: blocks_of(one.results, key) for key in SKELETON_WORDS}
            told = {key: pool_blocks(blocks).mean if blocks else np.nan for key, blocks in means.items()}
            rows.append({"network": words, "usual": one.interval.mean, "without": "not measured", **told})
            results += one.results
    printed = "The paper scores 16 of 36 positions, which it does not list, and prints curves without numbers."
    if not rows:
        return Absent(name, title, f"This run: {NOT_RUN}. {printed}")
    group = sources.this_run
    columns = (
        Column("network", "network"),
        Column("usual", f"{len(convention.scored)} joints, mm", group, decimals=2),
        Column(POSITIONS, "16 positions, mm", group, decimals=2, otherwise="without"),
        Column(REMOVED, "less the bias, mm", group, decimals=2, otherwise="without"),
        Column(RE_EXPRESSED, "on the target's hand, mm", group, decimals=2, otherwise="without"),
    )
    notes = (
        "The 14 are those of every published number, and of every claim. The 16 are ours: the same with PALM_4 and "
        "PALM_5. The two last columns are of the 14.",
        printed,
        tell_results(results),
        *sources.caution,
    )
    return Table(name, title, pd.DataFrame(rows), columns, stamp_results(results), notes)


def _is_comparable(one: Pooled, dataset: str, sources: Sources) -> bool:
    """Whether published methods were measured on the frames of this run."""
    whole = one.results[0].frames == DATASETS[dataset].frames["test"]
    return sources.record is not None and sources.card.source == "real" and whole


def _tell_lacking(results: Sequence[Result], sources: Sources) -> tuple[str, ...]:
    lacks = [key for key in (REMOVED, RE_EXPRESSED) if len(blocks_of(results, key)) < len(results)]
    told = {
        REMOVED: "Without the bias nothing is drawn: the errors on training frames were not measured.",
        RE_EXPRESSED: "The target's own hand is known in embedded data alone."
        if sources.card.source == "real"
        else "On the target's own hand nothing is drawn: the predictions do not say how bones are turned.",
    }
    return tuple(told[key] for key in lacks)


def _draw_curves(curves: pd.DataFrame, means: dict[str, float], title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_accuracy(curves, means, out, title=title, stamp=stamp)


def build_depth_errors(name: str, title: str, dataset: str, sources: Sources) -> Item:
    """Fig. 7: how many frames have which depth error, before and after."""
    first, last = REFINE_VARIANCES
    printed = f"Printed of the authors' own recording: the variance falls from {first} to {last}."
    found = {module: sources.find_probes(module, dataset) for module in BEFORE_AND_AFTER}
    found = {module: probes for module, probes in found.items() if all("depth_error" in one.numbers for one in probes)}
    if len(found) < len(BEFORE_AND_AFTER) or not all(found.values()):
        return Absent(name, title, f"{sources.not_probed} {printed}")
    probes = [one for group in found.values() for one in group]
    frame = pd.concat(
        [
            pd.DataFrame({"method": NAMES[module], "seed": one.seed, "error": read_depth_errors(one)})
            for module, group in found.items()
            for one in group
        ],
        ignore_index=True,
    )
    means = frame.groupby("method", sort=False)["error"].agg(["mean", "var"])
    words = ", ".join(f"{row.Index}: mean {row.mean:.4f}, variance {row.var:.2e}" for row in means.itertuples())
    stamp = stamp_probes(sources, probes)
    notes = (
        f"{tell_seeds(probes)} Frames of all seeds are counted together. Vertical lines are means; errors beyond the "
        "99th percentile are counted in the last bin.",
        printed,
        *sources.caution,
    )
    return Figure(name, title, words, partial(_draw_errors, frame, title, stamp), stamp, notes)


def _draw_errors(frame: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_depth_errors(frame, out, title=title, stamp=stamp)


def build_steadiness(name: str, title: str, sources: Sources) -> Item:
    """Mean and variance of the depth error and jitter, every data set and network in rows."""
    rows, probes = [], []
    for dataset in TARGETS:
        for module, words in NAMES.items():
            found = [one for one in sources.find_probes(module, dataset) if "depth_error" in one.numbers]
            if found:
                rows.append(_describe_steadiness(dataset, module, words, found))
                probes += found
    printed = "The paper prints variances of its own recording alone, in numbers of its own pictures, and no jitter."
    if not rows:
        return Absent(name, title, f"{sources.not_probed} {printed}")
    group = sources.this_run
    columns = (
        Column("dataset", "data set"),
        Column("network", "network"),
        Column("printed_variance", "variance", PRINTED, decimals=4),
        Column("mean", "depth MSE, mean", group, decimals=5),
        Column("variance_e6", "variance, 1e-6", group, decimals=3),
        Column("jitter_mm", "jitter, mm", group, decimals=2, otherwise="without"),
    )
    notes = (
        "Jitter: second difference of the joints of neighbouring frames, on average over joints. Where each n-th frame "
        "of a recording was kept it is as much motion as jitter.",
        printed,
        *sources.caution,
    )
    return Table(name, title, pd.DataFrame(rows), columns, stamp_probes(sources, probes), notes)


def _describe_steadiness(dataset: str, module: str, words: str, probes: Sequence[Probe]) -> dict[str, object]:
    errors = [read_depth_errors(one) for one in probes]
    jitter = [one for probe in probes if (one := read_jitter(probe)) is not None and len(one)]
    printed = dict(zip(BEFORE_AND_AFTER, REFINE_VARIANCES, strict=True)) if dataset == OWN else {}
    return {
        "dataset": DATASETS[dataset].title,
        "network": words,
        "printed_variance": printed.get(module, np.nan),
        "mean": float(np.mean([one.mean() for one in errors])),
        "variance_e6": 1e6 * float(np.mean([one.var() for one in errors])),
        "jitter_mm": float(np.mean([np.nanmean(one) for one in jitter])) if jitter else np.nan,
        "without": "" if jitter else "no neighbours",
    }


def build_speed(name: str, title: str, sources: Sources) -> Item:
    """Milliseconds of a forward pass, and minutes of ten epochs of 50,000 frames, beside print."""
    printed = (
        f"Printed: {REFINE_FORWARD_MS:g} ms forward, 10 epochs of 50,000 frames in {REFINE_RETRAIN_MINUTES:g} min "
        f"({PRINTED_DEVICE}); the text also claims real time on a CPU, without a number."
    )
    probes = [
        one
        for dataset in TARGETS
        for module in NAMES
        for one in sources.find_probes(module, dataset)
        if "milliseconds" in one.numbers
    ]
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {printed}")
    rows: list[dict[str, object]] = [
        {"where": f"print, {PRINTED_DEVICE}", "batch": 1, "ms": REFINE_FORWARD_MS, "fps": 1000 / REFINE_FORWARD_MS}
        | {"minutes": REFINE_RETRAIN_MINUTES, "words": ""}
    ]
    for device, timed in group_by_device(probes).items():
        minutes = find_minutes([one for one in timed if one.module != BASE])
        for batch in list_batches(timed):
            ms = float(np.mean([one.read("milliseconds", batch, "network") for one in timed]))
            row = {"where": f"{sources.this_run}, {device}", "batch": int(batch), "ms": ms, "fps": 1000 / ms}
            rows.append(row | {"minutes": np.nan if minutes is None else minutes, "words": "not timed"})
    columns = (
        Column("where", "timed on"),
        Column("batch", "frames in a batch", decimals=0),
        Column("ms", "a frame takes, ms", decimals=3),
        Column("fps", "frames a second", decimals=1),
        Column("minutes", f"{RETRAIN_FRAMES:,} frames refined on, min", decimals=1, otherwise="words"),
    )
    notes = (
        "Medians over repeated calls of the network; a batch's time is divided by its frames. The minutes are those of "
        "the timed update steps, not of a whole training.",
        printed,
        f"Timed on the crops of {tell_seeds(probes)}",
    )
    return Table(name, title, pd.DataFrame(rows), columns, stamp_probes(sources, probes), notes)
