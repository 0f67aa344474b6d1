"""Claims of crossing: a decider a claim; see `claim_list` for what each asks."""

from collections.abc import Sequence

import numpy as np

from handbench.evaluation.claim_rules import (
    BlockRatio,
    Evidence,
    Finding,
    compare_ratios,
    judge_all,
    judge_difference,
)
from handbench.evaluation.results import Result, compare_results

NN_SEARCH = "nn_search"
ESTIMATOR = "crossing"
"""The module that is the paper's own estimator: trained semi-supervised with every task."""
FAIR_ON, UNFAIR_ON = "msra", ("nyu", "icvl")
_FIGURE = "crossing_figure_4_msra"


def decide_cn5(evidence: Evidence) -> Finding:
    """nn-search's error over the estimator's on three data sets: MSRA's ratio is below each of the others."""
    datasets = (*UNFAIR_ON, FAIR_ON)
    missing = evidence.list_missing((NN_SEARCH, ESTIMATOR), datasets)
    if missing:
        run = f"{evidence.scale}-{evidence.source}"
        return Finding("not-run", f"no {run} results of {'; of '.join(missing)}", figure=_FIGURE)
    unsure = [one for one in datasets if not all(result.converged for result in evidence.find(ESTIMATOR, one))]
    if unsure:
        reason = f"{ESTIMATOR} on {', '.join(unsure)} was not trained until its validation error stopped falling"
        return Finding("not-run", reason, figure=_FIGURE)
    pairs = {one: (evidence.find(NN_SEARCH, one), evidence.find(ESTIMATOR, one)) for one in datasets}
    ratios = {one: _ratio_of(*pair) for one, pair in pairs.items()}
    outcomes = [
        judge_difference(
            compare_ratios(ratios[FAIR_ON], ratios[other]),
            expect="lower",
            what=f"ratio on {FAIR_ON.upper()} less that on {other.upper()}",
        )
        for other in UNFAIR_ON
    ]
    outcome = judge_all(outcomes)
    measured = "nn-search over estimator: " + ", ".join(f"{one.upper()} {ratios[one].pooled:.3f}" for one in datasets)
    seeds = tuple(result.seed for result in evidence.find(ESTIMATOR, FAIR_ON))
    return Finding(outcome.status, outcome.reason, measured=measured, seeds=seeds, figure=_FIGURE)


def _ratio_of(ours: Sequence[Result], theirs: Sequence[Result]) -> BlockRatio:
    compare_results(ours, theirs)  # refuses other frames, and seeds that do not pair
    sums_mm = [
        np.stack([one.block_sums_mm for one in sorted(results, key=lambda one: one.seed)]) for results in (ours, theirs)
    ]
    return BlockRatio(*sums_mm)


DECIDERS = {"CN5": decide_cn5}
