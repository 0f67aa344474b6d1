"""Error against the direction a hand faces, for every module that was measured on MSRA."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.errors import BadInput
from handbench.evaluation.metrics import frame_means
from handbench.evaluation.results import Pooled
from handbench.evaluation.viewpoint import BIN_DEG, PITCH_BINS_DEG, YAW_BINS_DEG, average_bins, measure_view
from handbench.report.figures import draw_view_errors
from handbench.report.frame_data import open_frames
from handbench.report.items import Absent, Figure, Item
from handbench.report.sources import Sources
from handbench.report.stamps import stamp_results

ANGLES = (("yaw", YAW_BINS_DEG), ("pitch", PITCH_BINS_DEG))


def build_view_figures(sources: Sources, paper: str, leave_out: Collection[str] = ()) -> tuple[Item, ...]:
    """One figure a module of the paper that was measured on MSRA, but for those that are left out."""
    pooled = sources.pool(dataset="msra", paper=paper)
    return tuple(_build_figure(sources, one) for one in pooled if one.results[0].module not in leave_out)


def bin_errors(sources: Sources, pooled: Pooled) -> pd.DataFrame:
    """method, angle, angle_deg, error_mm (mean of the frame means over frames and seeds), frames."""
    seeds = [open_frames(sources.run, result) for result in pooled.results]
    view_deg = measure_view(seeds[0].truth_mm)
    errors_mm = np.mean([frame_means(seed.errors_mm) for seed in seeds], axis=0)
    parts = []
    for place, (angle, bins_deg) in enumerate(ANGLES):
        means_mm, frames = average_bins(errors_mm, view_deg[:, place], bins_deg)
        parts.append(pd.DataFrame({"angle": angle, "angle_deg": bins_deg, "error_mm": means_mm, "frames": frames}))
    binned = pd.concat(parts, ignore_index=True)
    binned.insert(0, "method", pooled.results[0].method)
    return binned


def _build_figure(sources: Sources, pooled: Pooled) -> Item:
    first = pooled.results[0]
    name, title = f"msra_view_{first.module}", f"MSRA15: error against yaw and pitch, {first.method}"
    try:
        binned = bin_errors(sources, pooled)
    except BadInput as missing:
        return Absent(name, title, f"Not drawn: the frames are not at hand ({missing.where}: {missing.found}).")
    stamp = stamp_results(pooled.results)
    total = first.frames
    outside = [
        f"{total - int(binned.loc[binned['angle'] == angle, 'frames'].sum()):,} of {total:,} frames lie outside of the "
        f"{angle} range ({bins_deg[0]} to {bins_deg[-1]} degrees) or have no such angle."
        for angle, bins_deg in ANGLES
    ]
    notes = (f"Means of frame errors in bins of {BIN_DEG} degrees, the angles measured from the labels.", *outside)
    means = {first.method: pooled.interval.mean}
    describe = (
        f"Mean error of {first.method} ({pooled.interval.mean:.2f} mm over all frames) in bins of yaw and pitch, and "
        "the number of frames in each bin."
    )
    return Figure(name, title, describe, partial(_draw, binned, means, title, stamp), stamp, (*notes, *sources.caution))


def _draw(binned: pd.DataFrame, means: Mapping[str, float], title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_view_errors(binned, means, out, title=title, stamp=stamp)
