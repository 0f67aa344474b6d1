"""The papers' comparisons with others, printed and recomputed side by side, as frames to draw tables and figures of.

Every function takes the open record and returns pandas frames of plain numbers, one row a thing that is drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from handbench.conventions import DATASETS
from handbench.evaluation.metrics import THRESHOLDS_MM
from handbench.evaluation.paper_numbers import (
    DEEPMODEL_FIGURE_7,
    DEEPMODEL_FIGURES_5_6,
    FEEDBACK15_FIGURE_8A,
    FEEDBACK19_TABLE_1,
    REFINE_FIGURE_8,
    Printed,
)
from handbench.evaluation.published import PublishedScore, Record
from handbench.evaluation.score import Score

ROUNDING_MM = 0.05
"""A printed number has one decimal: it agrees with a measured one within half a step."""
MEAN = "mean"
"""Of all joints: the last of the bars."""


@dataclass(frozen=True)
class FigureData:
    """What a comparison figure is drawn from, and what it cannot show."""

    curves: pd.DataFrame
    """method, threshold_mm, fraction of frames with every joint within it."""
    joints: pd.DataFrame
    """method, joint, error_mm: mean of each joint, in the order the bars stand."""
    means: pd.DataFrame
    """As `compare_with_print`: the legend's numbers, printed and recomputed."""
    own: tuple[str, ...] = ()
    """Methods of a run of this project that were set beside them."""

    @property
    def not_drawn(self) -> tuple[str, ...]:
        """Methods of the printed figure without 3D predictions, and why."""
        missing = self.means[self.means["recomputed_mm"].isna()]
        return tuple(f"{row.method}: {row.status}" for row in missing.itertuples())


def feedback19_table_1(record: Record) -> pd.DataFrame:
    """Mean error on NYU of twelve methods: printed, recomputed, difference (feedback19 Table 1)."""
    return compare_with_print(FEEDBACK19_TABLE_1, _score_rows(record, "nyu", FEEDBACK19_TABLE_1))


def feedback15_figure_8a(record: Record) -> FigureData:
    """The feedback loop against its rivals on NYU (feedback15 Fig. 8a)."""
    return _build_figure(record, "nyu", FEEDBACK15_FIGURE_8A)


def deepmodel_figures_5_6(record: Record) -> FigureData:
    """Curves (Fig. 5) and bars of each joint (Fig. 6) of deepmodel on NYU."""
    return _build_figure(record, "nyu", DEEPMODEL_FIGURES_5_6)


def deepmodel_figure_7(record: Record) -> FigureData:
    """Curves and bars of deepmodel on ICVL; DeepPrior published sequence 1 alone, which its `frames` say."""
    return _build_figure(record, "icvl", DEEPMODEL_FIGURE_7)


def refine_figure_8(record: Record, dataset: str) -> FigureData:
    """The rivals of refine on NYU or ICVL."""
    return _build_figure(record, dataset, REFINE_FIGURE_8[dataset])


def compare_with_print(rows: Sequence[Printed], scores: dict[str, PublishedScore]) -> pd.DataFrame:
    """One row a method in the paper's order; `status` says whether print and predictions agree, or why only one is."""
    return pd.DataFrame([_compare_row(row, scores.get(row.key or "")) for row in rows])


def curve_frame(scores: Sequence[tuple[str, Score]]) -> pd.DataFrame:
    """Accuracy curves in long form."""
    return pd.concat(
        [
            pd.DataFrame({"method": name, "threshold_mm": THRESHOLDS_MM, "fraction": score.frames_within})
            for name, score in scores
        ],
        ignore_index=True,
    )


def joint_frame(dataset: str, scores: Sequence[tuple[str, Score]]) -> pd.DataFrame:
    """Mean error of each joint in long form, then `mean`; NYU's bars stand palm first, as in the published charts."""
    means = {
        name: dict(zip(score.joint_names, score.joint_means_mm, strict=True)) | {MEAN: score.mean_error_mm}
        for name, score in scores
    }
    return joint_frame_of_means(dataset, means)


def joint_frame_of_means(dataset: str, means_mm: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """The same of errors by method and joint, the last one of them `mean`."""
    parts, names, scored = DATASETS[dataset].joints.parts, DATASETS[dataset].joints.names, DATASETS[dataset].scored
    places = scored[::-1] if dataset == "nyu" else scored
    rows = [
        {"method": method, "joint": names[place], "part": parts[place], "error_mm": joints[names[place]]}
        for method, joints in means_mm.items()
        for place in places
    ]
    rows += [{"method": m, "joint": MEAN, "part": "all", "error_mm": joints[MEAN]} for m, joints in means_mm.items()]
    return pd.DataFrame(rows)


def _build_figure(record: Record, dataset: str, rows: Sequence[Printed]) -> FigureData:
    scores = _score_rows(record, dataset, rows)
    drawn = [(row.name, scores[row.key].score) for row in rows if row.key]
    return FigureData(curve_frame(drawn), joint_frame(dataset, drawn), compare_with_print(rows, scores))


def _score_rows(record: Record, dataset: str, rows: Sequence[Printed]) -> dict[str, PublishedScore]:
    truth = record.read_truth(dataset)
    return {row.key: record.score(row.key, truth) for row in rows if row.key}


def _compare_row(row: Printed, one: PublishedScore | None) -> dict[str, object]:
    printed = np.nan if row.mean_mm is None else row.mean_mm
    if one is None:
        nothing = dict.fromkeys(("recomputed_mm", "low_mm", "high_mm", "difference_mm"), np.nan)
        return {"method": row.name, "printed_mm": printed, **nothing, "frames": 0, "status": row.why_not}
    score = one.score
    difference = score.mean_error_mm - printed
    return {
        "method": row.name,
        "printed_mm": printed,
        "recomputed_mm": score.mean_error_mm,
        "low_mm": score.interval.low,
        "high_mm": score.interval.high,
        "difference_mm": difference,
        "frames": score.frames,
        "status": _judge(difference),
    }


def _judge(difference_mm: float) -> str:
    if np.isnan(difference_mm):
        return "recomputed; the paper prints no number"
    if abs(difference_mm) <= ROUNDING_MM:
        return "agrees to the printed digit"
    return f"differs by {difference_mm:+.2f} mm"
