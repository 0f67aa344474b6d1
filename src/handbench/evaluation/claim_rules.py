"""How claims are decided: the evidence a rule may look at, the rules that all claims share, and what comes out.

A decider of one claim takes the Evidence and returns a Finding; it takes its numbers from results and hands them to
the rules here. A claim that fails says why: `direction` (the difference points the other way), `size` (right way, too
small) or `inconclusive` (the frames and seeds at hand do not tell).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64, Int64

from handbench.evaluation.bootstrap import FEWEST_BLOCKS, LEVEL, REPLICATES, Comparison, Interval, widen
from handbench.evaluation.fits import NOT_TRACKED as FITS_NOT_TRACKED
from handbench.evaluation.fits import OPTIMISERS, Fit
from handbench.evaluation.probes import NOT_TRACKED, Probe
from handbench.evaluation.published import HOW_TO_GET, Record
from handbench.evaluation.results import Result

Status = Literal["holds", "fails", "not-run"]


@dataclass(frozen=True)
class Evidence:
    """All that a claim may be decided from."""

    results: Mapping[tuple[str, str], tuple[Result, ...]]
    """(module, dataset): one result a seed."""
    record: Record | None
    scale: str
    source: str
    probes: Mapping[tuple[str, str], tuple[Probe, ...]] | None = field(default_factory=dict)
    """(module, dataset): one probe a seed; None where there are no files of the run, as in a report from tracking."""
    fits: Sequence[Fit] | None = ()
    """The hand model fitted to labels; None as of probes."""
    modules: Mapping[str, Any] = field(default_factory=dict)
    """The settings of every module as the run's call had them; empty where the call is not known."""

    def find(self, module: str, dataset: str) -> tuple[Result, ...]:
        """The results of all seeds; empty where the module has not been run."""
        return self.results.get((module, dataset), ())

    def list_missing(self, modules: Sequence[str], datasets: Sequence[str]) -> list[str]:
        """`module on dataset, dataset` for every module that lacks results."""
        absent = {module: [one for one in datasets if not self.find(module, one)] for module in modules}
        return [f"{module} on {', '.join(without)}" for module, without in absent.items() if without]

    def find_probes(self, module: str, dataset: str) -> tuple[Probe, ...]:
        """The probes of all seeds; empty where the module has not been probed."""
        return (self.probes or {}).get((module, dataset), ())

    def explain_missing(self, dataset: str, results: Sequence[str] = (), probes: Sequence[str] = ()) -> str:
        """Which of these modules lack results or probes on a dataset; empty where nothing is missing."""
        run = f"{self.scale}-{self.source}"
        without = self.list_missing(results, (dataset,))
        unprobed = [f"{module} on {dataset}" for module in probes if not self.find_probes(module, dataset)]
        reasons = [f"no {run} results of {'; of '.join(without)}"] if without else []
        if unprobed:
            why = f" ({NOT_TRACKED})" if self.probes is None else ""
            reasons.append(f"no {run} probes of {'; of '.join(unprobed)}{why}")
        return "; ".join(reasons)

    def find_fit(self, dataset: str, split: str) -> Fit | None:
        return next((one for one in self.fits or () if (one.dataset, one.split) == (dataset, split)), None)

    def explain_unfitted(self, dataset: str, split: str) -> str:
        """Which optimiser has not fitted a split's labels; empty where all have."""
        if self.fits is None:
            return FITS_NOT_TRACKED
        fit = self.find_fit(dataset, split)
        lacks = [name for key, name in OPTIMISERS.items() if fit is None or key not in fit.left]
        run = f"{self.scale}-{self.source}"
        return f"no {run} fit of {dataset}'s {split} labels by {' and '.join(lacks)}" if lacks else ""

    def explain_record(self, dataset: str, keys: Sequence[str]) -> str:
        """Why the record cannot decide: it is not there, or lacks labels or predictions; empty where it can."""
        if self.record is None:
            return f"no published record: {HOW_TO_GET}"
        held = {entry.key for entry in self.record.list_entries(dataset)}
        lacks = [] if self.record.has_truth(dataset) else [f"labels of {dataset}"]
        lacks += [key for key in keys if key not in held]
        return f"the published record lacks {', '.join(lacks)}: {HOW_TO_GET}" if lacks else ""


@dataclass(frozen=True)
class Finding:
    """What a decider found; the fields are those of the page's row (`claims.Verdict`)."""

    status: Status
    reason: str
    measured: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: tuple[int, ...] = ()
    figure: str | None = None

    def beside(self, *words: str) -> "Finding":
        """The same with words that have no say; of what was not run there is nothing to tell."""
        return self if self.status == "not-run" else replace(self, reason="; ".join((self.reason, *words)))


@dataclass(frozen=True)
class Outcome:
    """Whether one condition of a claim is met, and what tells."""

    holds: bool
    reason: str

    @property
    def status(self) -> Status:
        return "holds" if self.holds else "fails"


def judge_all(outcomes: Sequence[Outcome]) -> Outcome:
    """A claim of several conditions holds where all do; otherwise the reason names each that is not met."""
    failing = [one.reason for one in outcomes if not one.holds]
    return Outcome(not failing, "; ".join(failing or [one.reason for one in outcomes]))


def judge_difference(comparison: Comparison, *, expect: Literal["lower", "higher"], what: str) -> Outcome:
    """The first of two is lower (or higher): the 95 % interval excludes zero and every seed agrees in sign."""
    difference = comparison.difference
    between = f"{what}: 95 % interval {difference.low:.4g} to {difference.high:.4g}"
    if np.isnan(difference.low):
        return Outcome(False, f"inconclusive: {what}: {difference.blocks} blocks of frames are too few to draw from")
    if not difference.excludes_zero:
        return Outcome(False, f"inconclusive: {between} holds zero")
    if not comparison.agree:
        seeds = ", ".join(f"{value:+.4g}" for value in comparison.per_seed)
        return Outcome(False, f"inconclusive: {what}: the seeds disagree in sign ({seeds})")
    if (difference.mean < 0) != (expect == "lower"):
        return Outcome(False, f"direction: {between} is not {expect}")
    return Outcome(True, f"{between}, every seed agrees" if len(comparison.per_seed) > 1 else between)


def judge_size(
    per_seed: Sequence[float], *, what: str, at_least: float | None = None, at_most: float | None = None
) -> Outcome:
    """A size is the mean over seeds, held against what is asked."""
    mean = float(np.mean(per_seed)) if len(per_seed) else float("nan")
    if np.isnan(mean):
        return Outcome(False, f"inconclusive: {what} could not be measured with every seed")
    limits = (("at least", at_least), ("at most", at_most))
    asked = " and ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)
    met = (at_least is None or mean >= at_least) and (at_most is None or mean <= at_most)
    found = f"{what} {mean:.4g} on average of {len(per_seed)} seeds, {asked} asked"
    return Outcome(met, found if met else f"size: {found}")


def judge_likeness(interval: Interval, *, low: float, high: float, what: str) -> Outcome:
    """Alike, `within` or `not above`: the whole interval lies inside the margin."""
    if np.isnan(interval.low):
        return Outcome(False, f"inconclusive: {what}: {interval.blocks} blocks of frames are too few to draw from")
    found = f"{what}: 95 % interval {interval.low:.4g} to {interval.high:.4g}, margin {low:g} to {high:g}"
    if interval.lies_within(low, high):
        return Outcome(True, found)
    outside = interval.low > high or interval.high < low
    return Outcome(False, f"{'size' if outside else 'inconclusive'}: {found}")


def judge_speed(measured: float, printed: float, *, unit: str, device: str) -> Outcome:
    """A speed (more is faster) holds when the one measured here reaches the printed one; the device is named."""
    found = f"{measured:.4g} {unit} on {device}, {printed:g} printed"
    return Outcome(measured >= printed, found if measured >= printed else f"size: {found}")


@dataclass(frozen=True)
class BlockRatio:
    """One method's error over another's on one data set, a seed a row: sums of each block of frames, in any unit."""

    ours: Float64[np.ndarray, "seeds blocks"]
    theirs: Float64[np.ndarray, "seeds blocks"]

    @property
    def per_seed(self) -> Float64[np.ndarray, "seeds"]:
        return self.ours.sum(axis=1) / self.theirs.sum(axis=1)

    @property
    def pooled(self) -> float:
        return float(self.ours.sum() / self.theirs.sum())


def bootstrap_ratio(ratio: BlockRatio, *, seed: int = 0) -> Interval:
    """The ratio of all seeds with its interval: a block is drawn with both methods' errors of every seed."""
    blocks = ratio.ours.shape[1]
    if blocks < FEWEST_BLOCKS:
        return Interval(ratio.pooled, float("nan"), float("nan"), blocks)
    ends = np.quantile(_draw_ratios(ratio, np.random.default_rng(seed)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = ratio.pooled + widen(blocks) * (ends - ratio.pooled)
    return Interval(ratio.pooled, float(low), float(high), blocks)


def compare_ratios(first: BlockRatio, second: BlockRatio, *, seed: int = 0) -> Comparison:
    """First ratio less second, measured on different frames: the blocks of each data set are drawn by themselves.

    Within a data set both methods' errors of a block are drawn together.
    """
    rng = np.random.default_rng(seed)
    drawn = _draw_ratios(first, rng) - _draw_ratios(second, rng)
    mean = first.pooled - second.pooled
    blocks = min(first.ours.shape[1], second.ours.shape[1])
    ends = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if blocks >= FEWEST_BLOCKS else np.full(2, np.nan)
    low, high = mean + (widen(blocks) if blocks >= FEWEST_BLOCKS else 1.0) * (ends - mean)
    per_seed = tuple((first.per_seed - second.per_seed).tolist())
    agree = all(np.sign(value) == np.sign(mean) for value in per_seed)
    return Comparison(Interval(mean, float(low), float(high), blocks), per_seed, agree)


def _draw_ratios(ratio: BlockRatio, rng: np.random.Generator) -> Float64[np.ndarray, "replicates"]:
    blocks = ratio.ours.shape[1]
    times: Int64[np.ndarray, "replicates blocks"] = rng.multinomial(blocks, np.full(blocks, 1 / blocks), REPLICATES)
    # Every replicate draws every seed of a block, as pooling does.
    return (times @ ratio.ours.sum(axis=0)) / (times @ ratio.theirs.sum(axis=0))
