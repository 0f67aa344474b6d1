"""The table of everything that this run measured: one row a dataset and module, seeds pooled."""

import numpy as np
import pandas as pd

from handbench.conventions import DATASETS
from handbench.evaluation.results import Pooled
from handbench.evaluation.score import NO_LABELS
from handbench.report.items import Absent, Column, Item, Table
from handbench.report.sources import Sources
from handbench.report.stamps import stamp_results

NAME, TITLE = "runs", "What this run measured"
EVERY = "frames with every joint within"
COLUMNS = (
    Column("title", "dataset"),
    Column("method", "method"),
    Column("mean_error_mm", "mean error, mm", decimals=2, otherwise="without"),
    Column("low_mm", "95 % interval, mm", decimals=2, high="high_mm"),
    Column("seeds", "seeds"),
    Column("within_20_percent", "20 mm, %", EVERY, decimals=1),
    Column("within_40_percent", "40 mm, %", EVERY, decimals=1),
    Column("area", "area", EVERY, decimals=3),
    Column("frames", "frames", decimals=0),
    Column("labels_missing", "labels missing", decimals=0),
    Column("centre_words", "centre of the crop"),
)


def build_run_table(sources: Sources) -> Item:
    """The table, or that there is nothing to tabulate."""
    pooled = sources.pool()
    if not pooled:
        return Absent(NAME, TITLE, "No module has been evaluated in this run.")
    rows = [_build_row(one) for one in pooled]
    notes = (
        "Means over seeds. The area is that below the curve from 0 to 80 mm, as a share of the whole. The interval "
        "draws blocks of at least 50 neighbouring frames (a shorter sequence is one block) with all their seeds.",
        *sources.caution,
    )
    return Table(NAME, TITLE, pd.DataFrame(rows), COLUMNS, stamp_results(sources.results), notes)


def _build_row(pooled: Pooled) -> dict[str, object]:
    first, interval = pooled.results[0], pooled.interval
    centre = first.protocol["centre"]
    return {
        "dataset": first.dataset,
        "title": DATASETS[first.dataset].title,
        "module": first.module,
        "method": first.method,
        "paper": first.paper,
        "mean_error_mm": interval.mean,
        "without": NO_LABELS if np.isnan(interval.mean) else "",
        "low_mm": interval.low,
        "high_mm": interval.high,
        "seeds": ", ".join(map(str, pooled.seeds)),
        "each_seed_mm": " ".join(f"{mean_mm:.6g}" for mean_mm in pooled.per_seed),
        "within_20_percent": 100 * pooled.within(20),
        "within_40_percent": 100 * pooled.within(40),
        "area": sum(one.area for one in pooled.results) / len(pooled.results),
        "frames": first.frames,
        "labels_missing": first.labels_missing,
        "centre": centre["strategy"],
        "uses_ground_truth": centre["uses_ground_truth"],
        "centre_words": f"{centre['strategy']}{', uses ground truth' if centre['uses_ground_truth'] else ''}",
        "source": first.source,
        "scale": first.scale,
    }
