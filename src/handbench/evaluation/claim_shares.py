"""Claims of crossing on shares of labels (Fig. 3): its training against two baselines at every share that was run.

Baselines learn from the labelled frames alone, a posterior network from scratch and one whose first layers are those of
a GAN's discriminator. Those that made as many updates as the estimator decide; those that made as many epochs are told
beside, since fewer labelled frames make fewer updates then, as in the paper.
"""

from collections.abc import Callable, Iterator, Sequence

from handbench.errors import BadInput
from handbench.evaluation.bootstrap import Interval
from handbench.evaluation.claim_loop import mean_of
from handbench.evaluation.claim_rivals import describe_training, explain_shorter, explain_unfinished
from handbench.evaluation.claim_rules import (
    Evidence,
    Finding,
    Outcome,
    judge_all,
    judge_difference,
    judge_likeness,
)
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result, compare_results

ESTIMATOR = "crossing"
"""The module that is the paper's own estimator: trained semi-supervised with every task."""
SCRATCH, PRETRAINED = "crossing_posterior", "crossing_pretrained"
RIVALS = {SCRATCH: "from scratch", PRETRAINED: "GAN-pretrained"}
SHARES = (2, 5, 10, 20, 50, 100)
"""Of the training frames, in percent."""
WHOLE = 100
SCARCE = 2
PANELS = ("nyu", "msra", "icvl")
"""The data sets of Figs. 3 and 4, in the order in which section 5.3 discusses them."""
FIGURE = "crossing_figure_3"


def name_module(base: str, share: int, *, epochs: bool = False) -> str:
    """A module at a share of the labels; `epochs` of a baseline that made as many epochs, not updates."""
    if share == WHOLE:
        return base
    return f"{base}_{share}_epochs" if epochs else f"{base}_{share}"


def choose_estimator(find: Callable[[str, str], Sequence[Probe]], dataset: str) -> str:
    """The estimator that learned from most labels of those that `find` has probes of; that of all where none is."""
    modules = [name_module(ESTIMATOR, share) for share in reversed(SHARES)]
    return next((one for one in modules if find(one, dataset)), ESTIMATOR)


def find_shares(evidence: Evidence, base: str) -> list[int]:
    """Those at which a module was run on any of the data sets."""
    return [share for share in SHARES if any(evidence.find(name_module(base, share), one) for one in PANELS)]


def decide_cn1(evidence: Evidence) -> Finding:
    """Lower error than either baseline at every share that was run, on three data sets."""
    shares = find_shares(evidence, ESTIMATOR)
    bases = (ESTIMATOR, *RIVALS)
    missing = _explain_missing(evidence, bases, shares or [SCARCE])
    if missing:
        return Finding("not-run", missing, figure=FIGURE)
    for share, dataset in _go_through(shares):
        method = _find(evidence, ESTIMATOR, share, dataset)
        for rival in RIVALS:
            if short := _explain_rival(_find(evidence, rival, share, dataset), method):
                return Finding("not-run", short, figure=FIGURE)
    outcomes, intervals = [], []
    for share, dataset in _go_through(shares):
        method = _find(evidence, ESTIMATOR, share, dataset)
        for rival, words in RIVALS.items():
            comparison = compare_results(method, _find(evidence, rival, share, dataset))
            intervals.append(comparison.difference)
            what = f"{share} % of {dataset.upper()}, crossing less {words}, in mm"
            outcomes.append(judge_difference(comparison, expect="lower", what=what))
    beside = _tell_epochs(evidence, shares)
    return _make_finding(evidence, judge_all(outcomes), intervals, shares, beside)


def decide_cn2(evidence: Evidence) -> Finding:
    """GAN-pretrained less from scratch: lower at 2 %, at no other share below."""
    shares = find_shares(evidence, PRETRAINED)
    more = [share for share in shares if share > SCARCE]
    # The claim is of scarce labels against more of them: it needs both.
    missing = _explain_missing(evidence, tuple(RIVALS), [SCARCE, *(more or [SHARES[1]])])
    if missing:
        return Finding("not-run", missing, figure=FIGURE)
    outcomes, intervals = [], []
    for share, dataset in _go_through([SCARCE, *more]):
        ours, theirs = (_find(evidence, base, share, dataset) for base in (PRETRAINED, SCRATCH))
        # Whoever is to come out behind must have been trained to its end.
        pair = (theirs, ours) if share == SCARCE else (ours, theirs)
        if short := _explain_rival(*pair):
            return Finding("not-run", short, figure=FIGURE)
        comparison = compare_results(ours, theirs)
        intervals.append(comparison.difference)
        what = f"{share} % of {dataset.upper()}, GAN-pretrained less from scratch, in mm"
        if share == SCARCE:
            outcomes.append(judge_difference(comparison, expect="lower", what=what))
        else:
            outcomes.append(judge_likeness(comparison.difference, low=0.0, high=float("inf"), what=what))
    return _make_finding(evidence, judge_all(outcomes), intervals, [SCARCE, *more], "")


def explain_rivals(method: Sequence[Result], *rivals: Sequence[Result]) -> str:
    """Why one of these counts as no rival: stopped too early, or by fewer updates; empty where all do."""
    return next(filter(None, (_explain_rival(rival, method) for rival in rivals)), "")


def _explain_rival(rival: Sequence[Result], method: Sequence[Result]) -> str:
    ours, theirs = (describe_training(one[0].module, one[0].settings) for one in (method, rival))
    return explain_unfinished(rival) or explain_shorter(theirs, ours)


def _find(evidence: Evidence, base: str, share: int, dataset: str) -> tuple[Result, ...]:
    return evidence.find(name_module(base, share), dataset)


def _go_through(shares: Sequence[int]) -> Iterator[tuple[int, str]]:
    return ((share, dataset) for share in shares for dataset in PANELS)


def _explain_missing(evidence: Evidence, bases: Sequence[str], shares: Sequence[int]) -> str:
    modules = [name_module(base, share) for share in shares for base in bases]
    without = evidence.list_missing(modules, PANELS)
    return f"no {evidence.scale}-{evidence.source} results of {'; of '.join(without)}" if without else ""


def _tell_epochs(evidence: Evidence, shares: Sequence[int]) -> str:
    """The same against baselines of as many epochs: told, not asked for."""
    told = []
    for share, dataset in _go_through([one for one in shares if one != WHOLE]):
        method = _find(evidence, ESTIMATOR, share, dataset)
        found = [
            (words, evidence.find(name_module(base, share, epochs=True), dataset)) for base, words in RIVALS.items()
        ]
        less = [_tell_less(method, rival, words) for words, rival in found if rival]
        if less:
            told.append(f"{share} % of {dataset.upper()} {', '.join(less)}")
    return f"crossing less baselines of as many epochs: {'; '.join(told)}" if told else ""


def _tell_less(method: Sequence[Result], rival: Sequence[Result], words: str) -> str:
    """The mean difference; or why there is none, which must not keep the claim from being decided."""
    try:
        return f"{compare_results(method, rival).difference.mean:+.2f} mm {words}"
    except BadInput as error:
        return f"not compared {words} (expected {error.expected}, found {error.found})"


def _make_finding(
    evidence: Evidence, outcome: Outcome, intervals: Sequence[Interval], shares: Sequence[int], beside: str
) -> Finding:
    """The number of the row is the difference that is least sure; `measured` has the means at every share."""
    weakest = min(intervals, key=lambda one: abs(one.mean) / max(one.high - one.low, 1e-12))
    bases = [base for base in (ESTIMATOR, *RIVALS) if _find(evidence, base, shares[0], PANELS[0])]
    rows = [
        f"{share} % of {dataset.upper()} "
        + " / ".join(f"{mean_of(found):.2f}" for base in bases if (found := _find(evidence, base, share, dataset)))
        for share, dataset in _go_through(shares)
    ]
    words = ["crossing" if base == ESTIMATOR else RIVALS[base] for base in bases]
    seeds = _find(evidence, bases[-1], shares[0], PANELS[0])
    return Finding(
        outcome.status,
        "; ".join(filter(None, (outcome.reason, beside))),
        measured=f"mm, {' / '.join(words)}: {', '.join(rows)}",
        value=weakest.mean,
        low=weakest.low,
        high=weakest.high,
        seeds=tuple(one.seed for one in seeds),
        figure=FIGURE,
    )


DECIDERS = {"CN1": decide_cn1, "CN2": decide_cn2}
