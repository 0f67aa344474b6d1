"""Time two ways of doing one thing, fairly on a busy machine.

Candidates take turns within one process, in an order that rotates each round, and processor time is counted, not
time on the wall. Whatever slows the machine down in a round slows both, so the ratio of a round is steadier than
either time: the result is the median of these ratios, with their quartiles.
"""

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import quantiles

import numpy as np

SAMPLE_S = 0.01
"""A shorter sample would measure the clock as well."""
FEWEST_ROUNDS, MOST_ROUNDS = 7, 101


@dataclass(frozen=True)
class Candidate:
    """One way of doing it; a call of `run` works through `items` of what the row counts."""

    run: Callable[[], object]
    items: int = 1


@dataclass(frozen=True)
class Race:
    """Two candidates; `check` raises DisagreementError where their results differ."""

    ours: Candidate
    peer: Candidate
    check: Callable[[], None]


class DisagreementError(Exception):
    """The candidates do not do the same work, so their times say nothing."""


class GpuMissingError(Exception):
    """There is nothing to measure on."""


def make_race(ours: Callable[[], object], theirs: Callable[[], object], items: int, check: Callable[[], None]) -> Race:
    """A race over the same items."""
    return Race(Candidate(ours, items), Candidate(theirs, items), check)


def require_share(agrees: np.ndarray, share: float, what: str) -> None:
    """At least this share of the numbers must agree."""
    found = float(agrees.mean()) if agrees.size else 0.0
    if found < share:
        raise DisagreementError(f"{what}: expected {100 * share:g} % to agree, found {100 * found:.2f} %")


@dataclass(frozen=True)
class Quartiles:
    """The middle half of many measurements."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Timing:
    """Peer's time over ours, and both times in seconds an item."""

    ratio: Quartiles
    ours_s: Quartiles
    peer_s: Quartiles
    rounds: int


@dataclass(frozen=True)
class Speed:
    """Frames a second, and what made them: the device by its name, and how it was called."""

    fps: Quartiles
    device: str


def time_race(race: Race, *, seconds: float, clock: Callable[[], float] = time.process_time) -> Timing:
    """Run a race for about `seconds` of the clock."""
    ours, peer = interleave([race.ours, race.peer], seconds=seconds, clock=clock)
    ratios = [slow / fast for fast, slow in zip(ours, peer, strict=True)]
    return Timing(find_quartiles(ratios), find_quartiles(ours), find_quartiles(peer), len(ratios))


def interleave(
    candidates: Sequence[Candidate], *, seconds: float, clock: Callable[[], float] = time.process_time
) -> list[list[float]]:
    """Seconds an item of each candidate in each round."""
    for candidate in candidates:
        candidate.run()
    calls = [_count_calls(candidate, clock) for candidate in candidates]
    samples: list[list[float]] = [[] for _ in candidates]
    collecting = gc.isenabled()
    gc.disable()
    try:
        start = clock()
        for round_number in range(MOST_ROUNDS):
            if round_number >= FEWEST_ROUNDS and clock() - start >= seconds:
                break
            for turn in range(len(candidates)):
                index = (round_number + turn) % len(candidates)
                samples[index].append(_sample(candidates[index], calls[index], clock))
    finally:
        if collecting:
            gc.enable()
    return samples


def find_quartiles(values: Sequence[float]) -> Quartiles:
    """Quartiles of at least two values."""
    return Quartiles(*quantiles(values, n=4, method="inclusive"))


def _count_calls(candidate: Candidate, clock: Callable[[], float]) -> int:
    once_s = _sample(candidate, 1, clock) * candidate.items
    return max(1, math.ceil(SAMPLE_S / max(once_s, 1e-7)))


def _sample(candidate: Candidate, calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        candidate.run()
    return (clock() - start) / (calls * candidate.items)
