"""The section of feedback19: the ranking on NYU, printed and recomputed, and the hand-object numbers of Table 2."""

import pandas as pd

from handbench.evaluation import tables
from handbench.evaluation.paper_numbers import FEEDBACK19_TABLE_1, FEEDBACK19_TABLE_2, FEEDBACK19_TABLE_2_SEQUENCES
from handbench.evaluation.tables import ROUNDING_MM
from handbench.report.comparisons import PRINTED, build_comparison
from handbench.report.items import Absent, Column, Section, Table
from handbench.report.sources import DASH, NOT_RUN, Sources
from handbench.report.stamps import stamp_printed

MODULES = {
    "Crossing Nets": "crossing",
    "Feedback": "feedback15",
    "DeepModel": "deepmodel",
    "Generalized Feedback (ours)": "feedback19",
}
"""Rows of Table 1 and the modules of this project that stand for them."""
STAGES = ("initialization", "single network", "feedback")
"""Rows of Table 2 that are the paper's own; the others are somebody else's method."""


def build_section(sources: Sources) -> Section:
    return Section(
        paper="feedback19",
        title="Generalized Feedback Loop for Joint Hand-Object Pose Estimation",
        citation="Oberweger, Wohlhart and Lepetit, TPAMI 2019",
        intro=("The feedback loop with a localizer, a stronger predictor, and a second loop for the held object.",),
        items=(
            _build_table_1(sources),
            Absent(
                "feedback19_section_5_4",
                "Section 5.4: image-based optimisation",
                f"This run: {NOT_RUN}. Printed: 12.2 mm before and 32.3 mm after L-BFGS-B on the image difference.",
            ),
            Absent(
                "feedback19_figure_13",
                "Fig. 13: errors before and after updates from noisy poses",
                f"This run: {NOT_RUN}. The paper prints histograms without numbers.",
            ),
            _build_table_2(sources),
        ),
    )


def _build_table_1(sources: Sources) -> Table:
    measured = tables.feedback19_table_1(sources.record) if sources.record else None
    return build_comparison(
        "feedback19_table_1",
        "Table 1: mean 3D error on NYU",
        FEEDBACK19_TABLE_1,
        measured,
        sources,
        dataset="nyu",
        modules=MODULES,
        stamp=sources.stamp("nyu"),
        notes=() if measured is None else _tell_differences(measured),
    )


def _tell_differences(measured: pd.DataFrame) -> tuple[str, ...]:
    """Which rows differ from print and by how much, the largest difference first."""
    known = measured.dropna(subset="difference_mm")
    off = known[known["difference_mm"].abs() > ROUNDING_MM].sort_values("difference_mm", key=abs, ascending=False)
    named = [
        f"{row.method} {row.difference_mm:+.2f} mm ({row.printed_mm:.1f} printed, {row.recomputed_mm:.2f} recomputed)"
        for row in off.itertuples()
    ]
    return (
        f"Of {len(known)} rows with published 3D predictions, {len(known) - len(off)} agree with print to its digit, "
        f"{len(off)} differ: {'; '.join(named)}.",
        f"{len(measured) - len(known)} rows have no published 3D predictions and stand as printed.",
    )


def _build_table_2(sources: Sources) -> Table:
    sequences = FEEDBACK19_TABLE_2_SEQUENCES
    rows = [
        {
            "method": method,
            "metric": metric,
            **dict(zip(sequences, values, strict=True)),
            "run_status": NOT_RUN if method in STAGES else "",
        }
        for method, metric, values in FEEDBACK19_TABLE_2
    ]
    frame = pd.DataFrame(rows).astype(dict.fromkeys(sequences, float))
    columns = (
        Column("method", "method"),
        Column("metric", "metric"),
        *(Column(sequence, sequence, f"{PRINTED}, mean error in mm", decimals=1) for sequence in sequences),
        Column("run_status", "average", sources.this_run),
    )
    notes = (
        "Tips, object corners and both combined (Eq. 23). The sequences are those of Dexter+Object; nobody published "
        "predictions for them, so nothing is recomputed.",
        DASH,
    )
    stamp = stamp_printed("dexter", sources.card)
    return Table("feedback19_table_2", "Table 2: hand and object on Dexter+Object", frame, columns, stamp, notes)
