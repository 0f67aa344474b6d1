"""The page of claims: every claim with its status, computed from result files and the published record.

A paper brings a decider a claim in its own file, `claim_<paper>.py`; what has no decider yet says what it waits for.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from handbench.datasets.files import replace_file
from handbench.errors import BadInput
from handbench.evaluation import (
    claim_crossing,
    claim_deepmodel,
    claim_feedback15,
    claim_feedback19,
    claim_handobject,
    claim_refine,
)
from handbench.evaluation.claim_list import CLAIMS, Claim
from handbench.evaluation.claim_rules import Evidence, Finding, Status
from handbench.evaluation.fits import Fit
from handbench.evaluation.probes import Probe, group_probes
from handbench.evaluation.published import Record
from handbench.evaluation.results import Result

DECIDERS: Mapping[str, Callable[[Evidence], Finding]] = (
    claim_feedback15.DECIDERS
    | claim_feedback19.DECIDERS
    | claim_handobject.DECIDERS
    | claim_deepmodel.DECIDERS
    | claim_refine.DECIDERS
    | claim_crossing.DECIDERS
)
RECORD_SCALE, RECORD_SOURCE = "-", "published"
"""What stands for scale and source where no run of this project was needed."""
OF_RECORD = ("GF10", "DM4")
"""Claims that the published record decides alone, the same at every scale (smoke too) and from every source."""
NO_CLAIMS_AT = "smoke"


@dataclass(frozen=True)
class Verdict:
    """One row of the page of claims."""

    claim: Claim
    status: Status
    reason: str
    measured: str
    """The measured numbers, readable; empty where there are none."""
    value: float | None
    """The one number that decides, where there is one."""
    low: float | None
    high: float | None
    scale: str
    source: str
    seeds: tuple[int, ...]
    figure: str | None
    """Name of the report's figure or table that shows it."""


def decide_claims(
    results: Sequence[Result],
    record: Record | None,
    *,
    scale: str,
    source: str,
    probes: Sequence[Probe] | None = (),
    fits: Sequence[Fit] | None = (),
    modules: Mapping[str, Any] | None = None,
) -> tuple[Verdict, ...]:
    """Every claim in the order of the list; results and probes of another scale or source decide nothing here.

    `probes` and `fits` are None where there are no files to read them from; `modules` are their settings in the run's
    call.
    """
    kept = [one for one in results if (one.scale, one.source) == (scale, source)]
    measured = None if probes is None else [one for one in probes if (one.scale, one.source) == (scale, source)]
    grouped = None if measured is None else group_probes(measured)
    evidence = Evidence(_group_results(kept), record, scale, source, grouped, fits, modules or {})
    return tuple(_as_verdict(claim, _decide(claim, evidence), evidence) for claim in CLAIMS)


def claims_frame(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """One row a claim; `measured` is the deciding number where there is one (low and high are its interval)."""
    rows = [
        {
            "id": one.claim.id,
            "status": one.status,
            "reason": one.reason,
            "measured": one.measured if one.value is None else f"{one.value:.6g}",
            "low": float("nan") if one.low is None else one.low,
            "high": float("nan") if one.high is None else one.high,
            "scale": one.scale,
            "source": one.source,
            "seeds": " ".join(map(str, one.seeds)),
        }
        for one in verdicts
    ]
    return pd.DataFrame(rows)


def write_claims(verdicts: Iterable[Verdict], path: Path) -> None:
    """claims.csv, replaced whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = claims_frame(verdicts).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    replace_file(path, text.encode())


def _group_results(results: Iterable[Result]) -> dict[tuple[str, str], tuple[Result, ...]]:
    groups: dict[tuple[str, str], list[Result]] = {}
    for one in sorted(results, key=lambda result: result.seed):
        groups.setdefault((one.module, one.dataset), []).append(one)
    return {key: tuple(group) for key, group in groups.items()}


def _decide(claim: Claim, evidence: Evidence) -> Finding:
    if evidence.scale == NO_CLAIMS_AT and claim.id not in OF_RECORD:
        return Finding("not-run", f"{NO_CLAIMS_AT} runs only try the wiring: their numbers decide no claim")
    try:
        return DECIDERS[claim.id](evidence)
    except BadInput as error:  # results that do not fit together, or a damaged record: the other rows still stand
        return Finding("not-run", str(error))


def _as_verdict(claim: Claim, finding: Finding, evidence: Evidence) -> Verdict:
    of_record = claim.id in OF_RECORD
    return Verdict(
        claim=claim,
        status=finding.status,
        reason=finding.reason,
        measured=finding.measured,
        value=finding.value,
        low=finding.low,
        high=finding.high,
        scale=RECORD_SCALE if of_record else evidence.scale,
        source=RECORD_SOURCE if of_record else evidence.source,
        seeds=finding.seeds,
        figure=finding.figure,
    )
