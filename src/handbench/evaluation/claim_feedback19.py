"""Claims of feedback19: a decider a claim; see `claim_list` for what each asks."""

from handbench.evaluation.claim_rules import Evidence, Finding, Outcome
from handbench.evaluation.paper_numbers import FEEDBACK19_TABLE_1
from handbench.evaluation.tables import feedback19_table_1

NEAR_PRINT_MM = 0.3
ROWS_NEAR_PRINT = 7
_FIGURE = "feedback19_table_1"


def decide_gf10(evidence: Evidence) -> Finding:
    """The rows of Table 1 whose predictions are published, each against its printed mean."""
    lacks = evidence.explain_record("nyu", [row.key for row in FEEDBACK19_TABLE_1 if row.key])
    if evidence.record is None or lacks:
        return Finding("not-run", lacks, figure=_FIGURE)
    table = feedback19_table_1(evidence.record)
    measured = table[table["recomputed_mm"].notna()]
    near = measured["difference_mm"].abs() <= NEAR_PRINT_MM
    exceptions = ", ".join(
        f"{row.method} {row.recomputed_mm:.2f} recomputed, {row.printed_mm:g} printed"
        for row in measured[~near].itertuples()
    )
    found = f"{near.sum()} of {len(measured)} rows within {NEAR_PRINT_MM:g} mm of print"
    enough = Outcome(bool(near.sum() >= ROWS_NEAR_PRINT), f"{found}; exceptions: {exceptions or 'none'}")
    return Finding(
        enough.status,
        enough.reason if enough.holds else f"size: {enough.reason}",
        measured=found,
        value=float(near.sum()),
        figure=_FIGURE,
    )


DECIDERS = {"GF10": decide_gf10}
