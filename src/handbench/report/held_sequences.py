"""Tables of hand and object sequence by sequence: what the columns of Table 2 leave out, and localizers the same."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from handbench.evaluation.claim_handobject import (
    DATASET,
    LOCALIZERS,
    SPHERES,
    average_distances,
    compare_distances,
    compare_on,
)
from handbench.evaluation.hand_object_score import pool_average
from handbench.evaluation.paper_numbers import FEEDBACK19_TABLE_2
from handbench.evaluation.probes import Probe
from handbench.report.comparisons import PRINTED
from handbench.report.held_items import AVERAGE, METRIC_WORDS, SEQUENCES, list_seeds
from handbench.report.held_stages import Stage, explain_missing, find_stages, list_results
from handbench.report.items import Absent, Column, Item, Table
from handbench.report.loop_items import tell_results
from handbench.report.probe_stamps import stamp_probes, tell_seeds
from handbench.report.sources import Sources
from handbench.report.stamps import stamp_results

FEW_BLOCKS = "Without an interval: fewer than five blocks of 50 frames, which say nothing of how sure a mean is."
PLACES = ("mean", "low", "high")


def build_by_sequence(
    name: str, title: str, rows: Mapping[str, tuple[str, int]], sources: Sources, *, metrics: Sequence[str]
) -> Item:
    """Modules after so many iterations, each metric on each sequence: mean, interval, seeds, less the first of them.

    Rows that Table 2 has as well stand beside its numbers.
    """
    found = find_stages(rows, sources)
    results = list_results(found)
    if not results:
        return Absent(name, title, f"This run: {explain_missing(found)}.")
    first = next(iter(found))
    told = [
        _describe(label, metric, sequence, stage, found[first] if label != first else None)
        for metric in metrics
        for label, stage in found.items()
        if stage.gives(metric)
        for sequence in SEQUENCES
    ]
    ours, less = f"{sources.this_run}, mm", f"less {first}, mm"
    frame = pd.DataFrame(told)
    printed = [Column("printed_mm", "mean, mm", PRINTED, decimals=1)] if frame["printed_mm"].notna().any() else []
    columns = (
        Column("method", "method"),
        Column("metric_words", "metric"),
        Column("sequence", "sequence"),
        *printed,
        Column("mean_mm", "mean", ours, decimals=1),
        Column("low_mm", "95 % interval", ours, decimals=1, high="high_mm"),
        Column("seeds_mm", "each seed", ours),
        Column("less_mean_mm", "mean", less, decimals=2, signed=True),
        Column("less_low_mm", "95 % interval", less, decimals=2, high="less_high_mm", signed=True),
    )
    left_out = [f"{label}: {stage.status}." for label, stage in found.items() if not stage.results]
    notes = (tell_results(results), FEW_BLOCKS, *left_out)
    return Table(name, title, frame, columns, stamp_results(results), notes)


def _describe(label: str, metric: str, sequence: str, stage: Stage, first: Stage | None) -> dict[str, object]:
    """One row; `first` is what is to be subtracted."""
    ours = stage.measure(metric)
    alone = [one.on(sequence) for one in ours]
    row: dict[str, object] = {"method": label, "metric": metric, "metric_words": METRIC_WORDS[metric]}
    row |= {"sequence": sequence, "printed_mm": _find_printed(label, metric, sequence)}
    row |= _tell("", pool_average(alone)) | {"seeds_mm": list_seeds([one.average for one in alone])}
    row |= dict.fromkeys((f"less_{place}_mm" for place in PLACES), np.nan)
    if first and stage.pairs_with(first):
        row |= _tell("less_", compare_on(ours, first.measure(metric), sequence).difference)
    return row


def _tell(prefix: str, interval: object) -> dict[str, object]:
    return {f"{prefix}{place}_mm": getattr(interval, place) for place in PLACES}


def _find_printed(label: str, metric: str, sequence: str) -> float:
    for method, printed, values in FEEDBACK19_TABLE_2:
        if (method, printed) == (label, metric):
            value = dict(zip((*SEQUENCES, AVERAGE), values, strict=True))[sequence]
            return np.nan if value is None else value
    return np.nan


def build_spheres_by_sequence(name: str, title: str, sources: Sources) -> Item:
    """What localizers lose that learned from spheres, on each sequence."""
    found = {module: sources.find_probes(module, DATASET) for module in (*LOCALIZERS.values(), *SPHERES.values())}
    probes = [one for group in found.values() for one in group]
    rows = [
        _describe_localizer(part, sequence, found[LOCALIZERS[part]], found[SPHERES[part]])
        for part in LOCALIZERS
        if found[LOCALIZERS[part]] and found[SPHERES[part]]
        for sequence in SEQUENCES
    ]
    if not rows:
        return Absent(name, title, sources.not_probed)
    groups = {
        key: f"{sources.this_run}: {words}"
        for key, words in (
            ("cuboids", "trained with cuboids"),
            ("spheres", "trained with spheres"),
            ("worse", "worse by"),
        )
    }
    columns = [Column("part", "localizer of the"), Column("sequence", "sequence")]
    for key, group in groups.items():
        signed = key == "worse"
        columns += [
            Column(f"{key}_mean_mm", "mean, mm", group, decimals=2, signed=signed),
            Column(f"{key}_low_mm", "95 % interval, mm", group, decimals=2, high=f"{key}_high_mm", signed=signed),
        ]
    columns.append(Column("seeds_mm", "each seed, mm", groups["worse"]))
    notes = (f"Mean distance from the point that is looked for; {tell_seeds(probes)}", FEW_BLOCKS, *sources.caution)
    return Table(name, title, pd.DataFrame(rows), tuple(columns), stamp_probes(sources, probes), notes)


def _describe_localizer(
    part: str, sequence: str, cuboids: Sequence[Probe], spheres: Sequence[Probe]
) -> dict[str, object]:
    row: dict[str, object] = {"part": part, "sequence": sequence, "seeds_mm": ""}
    for key, probes in (("cuboids", cuboids), ("spheres", spheres)):
        distances_mm = np.stack([one.frame_distances_mm("localized") for one in probes], axis=1)
        row |= _tell(f"{key}_", average_distances(distances_mm, probes[0].read("sequences"), sequence))
    row |= dict.fromkeys((f"worse_{place}_mm" for place in PLACES), np.nan)
    if [one.seed for one in cuboids] == [one.seed for one in spheres]:
        worse = compare_distances(spheres, cuboids, sequence)
        row |= _tell("worse_", worse.difference)
        row["seeds_mm"] = ", ".join(f"{value:+.1f}" for value in worse.per_seed)
    return row
