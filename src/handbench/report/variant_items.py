"""deepmodel and its variants: errors of joints and angles, curves, bars of each angle, impossible hands."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.conventions import FINGERS
from handbench.evaluation.angle_score import ANGLES, AngleResult
from handbench.evaluation.blocks import pool_blocks
from handbench.evaluation.bootstrap import Interval
from handbench.evaluation.claim_variants import (
    DIRECT_JOINT,
    DIRECT_PARAMETER,
    DIRECT_PARAMETER_PHYSICAL,
    FULL,
    THREE_ANGLES,
    WITHOUT_PHYSICAL,
)
from handbench.evaluation.paper_numbers import DEEPMODEL_SECTION_4_1, DEEPMODEL_TABLE_1
from handbench.evaluation.results import Result, pool_seeds
from handbench.evaluation.tables import MEAN
from handbench.report.comparisons import PRINTED, RECOMPUTED, build_run_curves
from handbench.report.figures import draw_angle_bars
from handbench.report.items import Absent, Column, Figure, Item, Table
from handbench.report.sources import HOW_TO_GET, NOT_RUN, Sources
from handbench.report.stamps import SEPARATOR, stamp_results

VARIANTS = {
    DIRECT_JOINT: "direct joint",
    DIRECT_PARAMETER: "direct parameter",
    WITHOUT_PHYSICAL: "ours w/o phy",
    FULL: "ours",
    DIRECT_PARAMETER_PHYSICAL: "direct parameter with phy",
    THREE_ANGLES: "ours, palm by its angles",
}
"""Rows of Table 1 as the paper names them, then the variant of its footnote, and ours as printed to the last number."""
OF_ALL = f"{VARIANTS[DIRECT_JOINT]}, fitted to all its joints"
ROWS = tuple(
    (module, word, of_all)
    for module, name in VARIANTS.items()
    for word, of_all in ((name, False), *(((OF_ALL, True),) if module == DIRECT_JOINT else ()))
)
"""Of what tells angles: module, words, and whether they are those fitted to all joints."""
LAST_JOINTS = tuple(name for name in ANGLES if name.endswith("_flexion_3"))
"""Angles that move a fingertip by next to nothing."""
FOOTNOTE = '"little difference"'
"""What the footnote says of direct parameter with the physical loss, without numbers."""
NOTHING = Interval(float("nan"), float("nan"), float("nan"), 0)
TRUE_ANGLES = (
    "True angles are those of the hand model fitted to the labels. The angle error is the mean over yaw, pitch, roll "
    "and the 20 angles of the fingers, of two ways to say one rotation the nearer; the hand's turn is the angle of the "
    "one rotation between both hands, which has no singular places."
)
FITTED_JOINTS = (
    "Direct joint gives no angles: they are fitted to its scored joints, as in the paper, and a second time to all "
    "that it gives, which say more of fingers' last bones."
)
CLAMPED = (
    "Fits keep to the training's bounds: that direct joint has no frame out of range is so by construction and says "
    "nothing of its joints."
)
PALM = (
    "Ours, with and without the physical loss, gives the palm's turn as six numbers, which have no seam; by its three "
    "angles, as in the paper, stands in a row of its own."
)
CURVES_ONLY = "The paper prints curves and bars without numbers."
PARTS = ("the hand",) * 3 + tuple(finger for finger in FINGERS for _ in range(4))
"""Of each of ANGLES."""


def build_table_1(name: str, title: str, recomputed_mm: float, sources: Sources, stamp: str) -> Table:
    """Joint and angle error of every variant; `recomputed_mm` is that of the published predictions, NaN without."""
    printed = {word: (joint_mm, angle_deg) for word, joint_mm, angle_deg in DEEPMODEL_TABLE_1}
    rows = []
    for module, word, of_all in ROWS:
        found, ours = sources.find_results(dataset="nyu", module=module), module == FULL
        joint_mm, angle_deg = printed.get(word, (np.nan, np.nan))
        rows.append(
            {
                "method": word,
                "module": module,
                "fitted_to": "all its joints" if of_all else "the scored joints" if module == DIRECT_JOINT else "",
                "printed_joint_mm": joint_mm,
                "printed_angle_deg": angle_deg,
                "printed_words": FOOTNOTE if module == DIRECT_PARAMETER_PHYSICAL else "",
                "recomputed_joint_mm": recomputed_mm if ours else np.nan,
                "recomputed_status": _tell_recomputed(recomputed_mm) if ours else "not published",
                **_describe_variant(found, of_all),
            }
        )
    results = list_results(sources, VARIANTS)
    notes = ["Published are the joints of the full method; angles cannot be recomputed from them."]
    notes += [HOW_TO_GET] if sources.record is None else []
    notes += [TRUE_ANGLES, FITTED_JOINTS, PALM, *tell_frames(results), *sources.caution] if results else []
    stamp = f"{stamp}{SEPARATOR}this run: {stamp_results(results)}" if results else stamp
    return Table(name, title, pd.DataFrame(rows), _table_1_columns(sources), stamp, tuple(notes))


def _tell_recomputed(mean_mm: float) -> str:
    return "not at hand" if np.isnan(mean_mm) else "recomputed"


def _table_1_columns(sources: Sources) -> tuple[Column, ...]:
    group = sources.this_run
    return (
        Column("method", "method"),
        Column("printed_joint_mm", "joint, mm", PRINTED, decimals=1, otherwise="printed_words"),
        Column("printed_angle_deg", "angle, degrees", PRINTED, decimals=1, otherwise="printed_words"),
        Column("recomputed_joint_mm", "joint, mm", RECOMPUTED, decimals=2, otherwise="recomputed_status"),
        Column("run_joint_mm", "joint, mm", group, decimals=2, otherwise="run_status"),
        Column("joint_low_mm", "joint, 95 % interval", group, decimals=2, high="joint_high_mm"),
        Column("run_angle_deg", "angle, degrees", group, decimals=2, otherwise="angle_status"),
        Column("angle_low_deg", "angle, 95 % interval", group, decimals=2, high="angle_high_deg"),
        Column("run_others_deg", "angle less fingers' last, degrees", group, decimals=2),
        Column("run_last_deg", "fingers' last, degrees", group, decimals=2),
        Column("run_turn_deg", "hand's turn, degrees", group, decimals=2),
    )


def _describe_variant(results: Sequence[Result], of_all: bool) -> dict[str, object]:
    """Means over seeds; angles are missing where one seed has none."""
    angles = find_angles(results, of_all)
    joint = pool_seeds(results).interval if results else NOTHING
    angle = pool_blocks([one.errors for one in angles]) if angles else NOTHING
    turn = pool_blocks([one.rotation for one in angles]) if angles else NOTHING
    return {
        "run_joint_mm": joint.mean,
        "joint_low_mm": joint.low,
        "joint_high_mm": joint.high,
        "run_angle_deg": angle.mean,
        "angle_low_deg": angle.low,
        "angle_high_deg": angle.high,
        "run_others_deg": _average(angles, [name for name in ANGLES if name not in LAST_JOINTS]),
        "run_last_deg": _average(angles, LAST_JOINTS),
        "run_turn_deg": turn.mean,
        "run_seeds": " ".join(str(one.seed) for one in results),
        "joint_seeds_mm": " ".join(f"{one.mean_error_mm:.2f}" for one in results),
        "angle_seeds_deg": " ".join(f"{one.errors.mean:.2f}" for one in angles),
        "run_status": "run" if results else NOT_RUN,
        "angle_status": _tell_status(results, angles),
    }


def _average(angles: Sequence[AngleResult], names: Sequence[str]) -> float:
    """Mean error of some angles over seeds, degrees; NaN without angles."""
    return float(np.mean([one.error_deg[name] for one in angles for name in names])) if angles else float("nan")


def _tell_status(results: Sequence[Result], measured: Sequence[object]) -> str:
    """Whether angles were measured: the CSV has the word beside every number."""
    return "run" if measured else "not measured" if results else NOT_RUN


def build_variant_curves(name: str, title: str, sources: Sources) -> Item:
    """Frames within a threshold, a curve a variant (the upper half of Fig. 3)."""
    pooled = [
        replace(one, results=tuple(replace(result, method=word) for result in one.results))
        for module, word in VARIANTS.items()
        for one in sources.pool(dataset="nyu", module=module)
    ]
    if not pooled:
        return Absent(name, title, f"This run: {NOT_RUN}. {CURVES_ONLY}")
    results = [one for group in pooled for one in group.results]
    notes = (CURVES_ONLY, *tell_frames(results), *_tell_missing(sources), *sources.caution)
    return build_run_curves(name, title, pooled, (), stamp_results(results), notes)


def build_angle_bars(name: str, title: str, sources: Sources) -> Item:
    """The error of each angle, a bar a variant (the lower half of Fig. 3)."""
    found = {
        word: find_angles(sources.find_results(dataset="nyu", module=module), of_all) for module, word, of_all in ROWS
    }
    bars = [_frame_angles(word, angles) for word, angles in found.items() if angles]
    if not bars:
        return Absent(name, title, f"This run: {NOT_RUN}. {CURVES_ONLY}")
    results = [one for one in list_results(sources, VARIANTS) if one.angles]
    frame = pd.concat(bars, ignore_index=True)
    whole = frame[frame["angle"] == MEAN]
    means = ", ".join(f"{row.method} {row.error_deg:.2f}" for row in whole.itertuples())
    stamp = stamp_results(results)
    notes = (CURVES_ONLY, TRUE_ANGLES, FITTED_JOINTS, *_tell_missing(sources), *sources.caution)
    draw = partial(_draw_angles, frame, title, stamp)
    return Figure(name, title, f"Mean angle errors in degrees: {means}", draw, stamp, notes)


def _draw_angles(frame: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_angle_bars(frame, out, title=title, stamp=stamp)


def _frame_angles(word: str, angles: Sequence[AngleResult]) -> pd.DataFrame:
    """method, angle, part, error_deg: means over seeds, the last row that over all angles."""
    rows = [
        {
            "method": word,
            # The finger stands below its group of bars.
            "angle": angle.replace("_", " "),
            "part": part,
            "error_deg": float(np.mean([one.error_deg[angle] for one in angles])),
        }
        for angle, part in zip(ANGLES, PARTS, strict=True)
    ]
    mean = pool_blocks([one.errors for one in angles]).mean
    return pd.DataFrame([*rows, {"method": word, "angle": MEAN, "part": "all", "error_deg": mean}])


def build_impossible_table(name: str, title: str, sources: Sources) -> Item:
    """Frames with at least one finger angle out of its range, of every variant beside print."""
    results = [one for one in list_results(sources, VARIANTS) if one.angles]
    if not results:
        told = ", ".join(f"{word} {percent} %" for word, percent in DEEPMODEL_SECTION_4_1.items())
        return Absent(name, title, f"This run: {NOT_RUN}. Printed: {told}.")
    rows = [_describe_range(module, word, of_all, sources) for module, word, of_all in ROWS]
    group = sources.this_run
    columns = (
        Column("method", "method"),
        Column("printed_percent", "frames, %", PRINTED, decimals=1),
        Column("run_percent", "frames, %", group, decimals=2, otherwise="status"),
        Column("low_percent", "95 % interval, %", group, decimals=2, high="high_percent"),
        Column("outside", "frames of all seeds", group, decimals=0),
        Column("frames", "out of", group, decimals=0),
        Column("beyond_percent", "beyond percentiles, %", group, decimals=2),
    )
    notes = (
        "A frame counts where at least one of the 20 angles of the fingers is below or above what the poses of the "
        "training set were seen to take.",
        "Where no frame is out of range there is no interval: drawing frames cannot tell how rare that is.",
        FITTED_JOINTS,
        CLAMPED,
        *_tell_percentiles(results),
        *sources.caution,
    )
    return Table(name, title, pd.DataFrame(rows), columns, stamp_results(results), notes)


def _tell_percentiles(results: Sequence[Result]) -> tuple[str, ...]:
    """What narrower bounds are, and how many true poses lie beyond them."""
    true = [one.angles.true_beyond.mean for one in results if one.angles and one.angles.true_beyond]
    if not true:
        return ()
    return (
        "Beyond percentiles: the same by the 0.5 and 99.5 percentiles of each angle of the training's poses in place "
        f"of the least and the greatest; so are {100 * np.mean(true):.2f} % of the test frames' true poses.",
    )


def _describe_range(module: str, word: str, of_all: bool, sources: Sources) -> dict[str, object]:
    found = sources.find_results(dataset="nyu", module=module)
    angles = find_angles(found, of_all)
    blocks, beyond = [one.outside for one in angles], [one.beyond for one in angles if one.beyond]
    interval = pool_blocks(blocks) if blocks else NOTHING
    outside = sum(one.total for one in blocks)
    return {
        "method": word,
        "printed_percent": DEEPMODEL_SECTION_4_1.get(word, np.nan),
        "run_percent": 100 * interval.mean,
        # The widened interval of a rare thing reaches below none. Draws of nothing know no spread.
        "low_percent": 100 * np.maximum(interval.low, 0.0) if outside else np.nan,
        "high_percent": 100 * interval.high if outside else np.nan,
        "outside": outside if blocks else np.nan,
        "frames": sum(one.count for one in blocks) if blocks else np.nan,
        "beyond_percent": 100 * pool_blocks(beyond).mean if beyond else np.nan,
        "status": _tell_status(found, blocks),
    }


def list_results(sources: Sources, modules: Iterable[str]) -> list[Result]:
    """All results of these modules on NYU."""
    return [one for module in modules for one in sources.find_results(dataset="nyu", module=module)]


def find_angles(results: Sequence[Result], of_all: bool = False) -> list[AngleResult]:
    """Those of every seed, or those fitted to all joints; none where one seed has none."""
    given = [one.angles_of_all if of_all else one.angles for one in results]
    found = [one for one in given if one is not None]
    return found if len(found) == len(results) else []


def tell_frames(results: Sequence[Result]) -> tuple[str, ...]:
    """How many frames and seeds a number is the mean of."""
    seeds = len({one.seed for one in results})
    return (f"{results[0].frames:,} test frames{f', means over {seeds} seeds' if seeds > 1 else ''}.",)


def _tell_missing(sources: Sources) -> tuple[str, ...]:
    missing = [word for module, word in VARIANTS.items() if not sources.find_results(dataset="nyu", module=module)]
    return (f"Not drawn, as this run has not made them: {', '.join(missing)}.",) if missing else ()
