"""The table of the hand's centres: how far each lies from the joint, and the pose on crops around it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from handbench.evaluation.bootstrap import Interval, bootstrap_mean
from handbench.evaluation.probes import Probe, compare_centres
from handbench.evaluation.results import Result, compare_results, pool_seeds
from handbench.report.items import Absent, Column, Item, Table
from handbench.report.loop_items import tell_results
from handbench.report.probe_stamps import stamp_probes, tell_seeds
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamps import stamp_results

LABELS = {"first": "centre of mass", "shifted": "moved by the mean offset of training", "localized": "localizer"}
"""What a localizer's probe calls its centres, and their rows."""
NOTHING = Interval(np.nan, np.nan, np.nan, 0)


def build_centres(
    name: str, title: str, localizer: str, predictors: Mapping[str, str], sources: Sources, *, printed: str
) -> Item:
    """Centres in rows; `predictors` are the modules that learned from crops around them."""
    probes = sources.find_probes(localizer)
    results = {key: sources.find_results(dataset="nyu", module=module) for key, module in predictors.items()}
    beside = [one for found in results.values() for one in found]
    if not probes and not results["localized"]:
        return Absent(name, title, f"{sources.not_probed} {printed}")
    first = results.get("first", ())
    rows = [_describe_centre(key, probes, results.get(key, ()), first) for key in LABELS]
    group = sources.this_run
    distance, pose = f"{group}: distance from the joint", f"{group}: pose error"
    columns = (
        Column("centre", "centre of the cube"),
        Column("distance_mm", "mean, mm", distance, decimals=2, otherwise="distance_status"),
        Column("distance_low_mm", "95 % interval, mm", distance, decimals=2, high="distance_high_mm"),
        Column("median_mm", "median, mm", distance, decimals=2),
        Column("distance_less_mm", "less the first row, mm", distance, decimals=2, signed=True),
        Column("pose_mm", "mean, mm", pose, decimals=2, otherwise="pose_status"),
        Column("pose_low_mm", "95 % interval, mm", pose, decimals=2, high="pose_high_mm"),
        Column("pose_less_mm", "less the first row, mm", pose, decimals=2, signed=True),
    )
    told = [f"The joint is {probes[0].read('joint')}; {tell_seeds(probes)}"] if probes else []
    told += [f"Pose: DeepPrior++ on crops around either centre, {tell_results(beside)}"] if beside else []
    stamp = stamp_probes(sources, probes) if probes else stamp_results(beside)
    return Table(name, title, pd.DataFrame(rows), columns, stamp, (*told, printed, *sources.caution))


def _describe_centre(
    centre: str, probes: Sequence[Probe], results: Sequence[Result], first: Sequence[Result]
) -> dict[str, object]:
    distance, pose = _pool_distances(probes, centre), pool_seeds(results).interval if results else NOTHING
    medians = [one.read(centre, "median_mm") for one in probes]
    others = probes and centre != "first"
    paired = results and results is not first and [one.seed for one in results] == [one.seed for one in first]
    return {
        "centre": LABELS[centre],
        "distance_mm": distance.mean,
        "distance_low_mm": distance.low,
        "distance_high_mm": distance.high,
        "median_mm": float(np.mean(medians)) if medians else np.nan,
        "distance_less_mm": compare_centres(probes, centre, "first").difference.mean if others else np.nan,
        "distance_status": "" if probes else NOT_RUN,
        "pose_mm": pose.mean,
        "pose_low_mm": pose.low,
        "pose_high_mm": pose.high,
        "pose_less_mm": compare_results(results, first).difference.mean if paired else np.nan,
        "pose_status": "" if results or centre == "shifted" else NOT_RUN,
    }


def _pool_distances(probes: Sequence[Probe], centre: str) -> Interval:
    """Mean over frames and seeds; a block of frames is drawn with all its seeds."""
    if not probes:
        return NOTHING
    return bootstrap_mean(
        np.stack([one.frame_distances_mm(centre) for one in probes], axis=1), probes[0].read("sequences")
    )
