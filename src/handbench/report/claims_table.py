"""Every claim with its status, as the claims page and as a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from handbench.evaluation.claims import Verdict
from handbench.report.items import Column, Table

STATUS_WORDS = {"holds": "holds", "fails": "does not hold", "not-run": "not run at this scale"}
STATUS_MARKS = {"holds": "✓", "fails": "✕", "not-run": "○"}
"""Told apart by shape and by word, not by colour alone."""


@dataclass(frozen=True)
class ClaimRow:
    """One claim as the page prints it."""

    id: str
    paper: str
    place: str
    statement: str
    printed: str
    criterion: str
    status: str
    mark: str
    word: str
    reason: str
    measured: str
    interval: str
    origin: str
    link: str


def list_rows(verdicts: Sequence[Verdict], anchors: frozenset[str]) -> tuple[ClaimRow, ...]:
    """The rows of the page; a figure is linked only where the report has a place of that name."""
    return tuple(
        ClaimRow(
            id=one.claim.id,
            paper=one.claim.paper,
            place=one.claim.place,
            statement=one.claim.statement,
            printed=one.claim.printed,
            criterion=one.claim.criterion,
            status=one.status,
            mark=STATUS_MARKS[one.status],
            word=STATUS_WORDS[one.status],
            reason=one.reason,
            measured=one.measured,
            interval=_format_interval(one),
            origin=_format_origin(one),
            link=f"index.html#{one.figure}" if one.figure in anchors else "",
        )
        for one in verdicts
    )


def count_statuses(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many of each, every status named."""
    counts = Counter[str](one.status for one in verdicts)
    return {status: counts[status] for status in STATUS_WORDS}


def build_claims_table(rows: Sequence[ClaimRow], stamp: str) -> Table:
    columns = (
        Column("id", "id"),
        Column("paper", "paper"),
        Column("statement", "claim"),
        Column("printed", "printed in the paper"),
        Column("criterion", "reproduced when"),
        Column("word", "status"),
        Column("measured", "measured"),
        Column("interval", "95 % interval"),
        Column("reason", "reason"),
        Column("origin", "measured on"),
    )
    keys = ["status", *(column.key for column in columns)]
    frame = pd.DataFrame([{key: getattr(row, key) for key in keys} for row in rows])
    return Table("claims", "What the papers claim, and what became of it", frame, columns, stamp)


def _format_interval(one: Verdict) -> str:
    return "" if one.low is None or one.high is None else f"[{one.low:.4g}, {one.high:.4g}]"


def _format_origin(one: Verdict) -> str:
    """Nothing where nothing was measured."""
    if one.status == "not-run":
        return ""
    if not one.seeds:
        return f"{one.source} predictions" if one.source == "published" else f"{one.source} data, {one.scale}"
    seeds = ", ".join(map(str, one.seeds))
    return f"{one.source} data, {one.scale}, seed{'s' * (len(one.seeds) != 1)} {seeds}"
