"""The section of deepmodel: its ablation as printed, and its curves and bars against others, recomputed."""

import numpy as np
import pandas as pd

from handbench.evaluation import tables
from handbench.evaluation.paper_numbers import DEEPMODEL_FIGURE_7, DEEPMODEL_FIGURES_5_6, DEEPMODEL_TABLE_1
from handbench.evaluation.tables import FigureData
from handbench.report.comparisons import (
    PRINTED,
    RECOMPUTED,
    build_bars,
    build_comparison,
    build_curves,
    read_figure,
    rename_methods,
)
from handbench.report.items import Absent, Column, Section, Table
from handbench.report.sources import HOW_TO_GET, NOT_RUN, Sources

OURS = "DeepModel (ours)"
MODULES = {"Feedback": "feedback15", OURS: "deepmodel"}
"""Rows of the figures and the modules of this project that stand for them."""


def build_section(sources: Sources) -> Section:
    nyu = read_figure(tables.deepmodel_figures_5_6, sources)
    icvl = read_figure(tables.deepmodel_figure_7, sources)
    covered = () if icvl is None else _tell_coverage(icvl)
    drawn = None if icvl is None else _name_partial(icvl)
    stamp_nyu, stamp_icvl = sources.stamp("nyu"), sources.stamp("icvl")
    return Section(
        paper="deepmodel",
        title="Model-based Deep Hand Pose Estimation",
        citation="Zhou, Wan, Zhang, Xue and Wei, IJCAI 2016",
        intro=("A network estimates the parameters of a hand model, and a layer turns them into joints.",),
        items=(
            _build_table_1(sources, nyu, stamp_nyu),
            Absent(
                "deepmodel_figure_3",
                "Fig. 3: the approach against its baselines",
                f"This run: {NOT_RUN}. The paper prints curves and bars without numbers.",
            ),
            build_curves("deepmodel_figure_5", "deepmodel, Fig. 5: accuracy on NYU", nyu, stamp_nyu),
            build_bars("deepmodel_figure_6", "deepmodel, Fig. 6: error of each joint on NYU", nyu, stamp_nyu),
            _compare_means("nyu", "5", nyu, sources, stamp_nyu),
            build_curves("deepmodel_figure_7", "deepmodel, Fig. 7: accuracy on ICVL", drawn, stamp_icvl, covered),
            build_bars(
                "deepmodel_figure_7_bars", "deepmodel, Fig. 7: error of each joint on ICVL", drawn, stamp_icvl, covered
            ),
            _compare_means("icvl", "7", icvl, sources, stamp_icvl),
        ),
    )


def _build_table_1(sources: Sources, nyu: FigureData | None, stamp: str) -> Table:
    frame = pd.DataFrame(DEEPMODEL_TABLE_1, columns=["method", "printed_joint_mm", "printed_angle_deg"])
    recomputed = np.nan if nyu is None else nyu.means.set_index("method").loc[OURS, "recomputed_mm"]
    ours = frame["method"] == "ours"
    frame["recomputed_joint_mm"] = np.where(ours, recomputed, np.nan)
    frame["recomputed_status"] = np.where(ours & (nyu is None), "not at hand", "not published")
    frame["run_status"] = NOT_RUN
    columns = (
        Column("method", "method"),
        Column("printed_joint_mm", "joint error, mm", PRINTED, decimals=1),
        Column("printed_angle_deg", "angle error, degrees", PRINTED, decimals=1),
        Column("recomputed_joint_mm", "joint error, mm", RECOMPUTED, decimals=2, otherwise="recomputed_status"),
        Column("run_status", "joint and angle error", sources.this_run),
    )
    notes = ["Published are the joints of the full method; angles cannot be recomputed from them."]
    if nyu is None:
        notes.append(HOW_TO_GET)
    return Table(
        "deepmodel_table_1", "Table 1: the approach and its baselines on NYU", frame, columns, stamp, tuple(notes)
    )


def _compare_means(dataset: str, number: str, data: FigureData | None, sources: Sources, stamp: str) -> Table:
    rows = DEEPMODEL_FIGURES_5_6 if dataset == "nyu" else DEEPMODEL_FIGURE_7
    return build_comparison(
        f"deepmodel_figure_{number}_means",
        f"Mean errors of the methods in Fig. {number}",
        rows,
        None if data is None else data.means,
        sources,
        dataset=dataset,
        modules=MODULES,
        stamp=stamp,
        notes=_tell_coverage(data) if data is not None and dataset == "icvl" else (),
    )


def _tell_coverage(data: FigureData) -> tuple[str, ...]:
    """Methods that published less than the whole test set."""
    known = data.means.dropna(subset="recomputed_mm")
    whole = known["frames"].max()
    return tuple(
        f"{row.method} published {row.frames:,} of {whole:,} frames (sequence 1 alone): its numbers are of those."
        for row in known.itertuples()
        if row.frames < whole
    )


def _name_partial(data: FigureData) -> FigureData:
    """A method on fewer frames says so in the legend."""
    known = data.means.dropna(subset="recomputed_mm")
    partial = known[known["frames"] < known["frames"].max()]
    return rename_methods(data, {str(row.method): f"{row.method}, {row.frames} frames" for row in partial.itertuples()})
