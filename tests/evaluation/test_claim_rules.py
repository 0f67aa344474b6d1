"""The rules that claims share, by hand and against loops."""

import numpy as np
import pytest

from handbench.evaluation.bootstrap import Comparison, Interval, widen
from handbench.evaluation.claim_rules import (
    BlockRatio,
    Outcome,
    compare_ratios,
    judge_all,
    judge_difference,
    judge_likeness,
    judge_size,
    judge_speed,
)

NAN = float("nan")


def _difference(low: float, high: float, per_seed: tuple[float, ...]) -> Comparison:
    mean = float(np.mean(per_seed))
    return Comparison(Interval(mean, low, high, 20), per_seed, all(np.sign(v) == np.sign(mean) for v in per_seed))


@pytest.mark.parametrize(
    ("low", "high", "per_seed", "expect", "reason"),
    [
        (-3.0, -1.0, (-2.5, -1.5, -2.0), "lower", ""),
        (1.0, 3.0, (2.5, 1.5), "higher", ""),
        (1.0, 3.0, (2.5, 1.5), "lower", "direction: "),
        (-3.0, -1.0, (-2.0,), "higher", "direction: "),
        (-3.0, 0.5, (-1.0, -1.5), "lower", "inconclusive: "),
        (-3.0, 0.0, (-1.0, -1.5), "lower", "inconclusive: "),
        (-3.0, -0.1, (-3.5, 0.5), "lower", "inconclusive: "),
        (NAN, NAN, (-1.0,), "lower", "inconclusive: "),
    ],
)
def test_a_difference(low: float, high: float, per_seed: tuple[float, ...], expect: str, reason: str) -> None:
    outcome = judge_difference(_difference(low, high, per_seed), expect=expect, what="error")  # type: ignore[arg-type]
    assert outcome.holds == (reason == "")
    assert outcome.status == ("holds" if outcome.holds else "fails")
    assert outcome.reason.startswith(reason or "error: 95 % interval")


def test_a_difference_names_what_the_seeds_say() -> None:
    one, two = (
        judge_difference(_difference(-3.0, -1.0, s), expect="lower", what="x").reason for s in ((-2.0,), (-2.0, -2.0))
    )
    assert "every seed agrees" not in one
    assert "every seed agrees" in two
    assert "(-3.5, +0.5)" in judge_difference(_difference(-3.0, -1.0, (-3.5, 0.5)), expect="lower", what="x").reason


def test_a_size_is_judged_on_the_mean_over_seeds() -> None:
    # 12 % and 8 % are 10 % on average, though one seed falls short.
    assert judge_size((12.0, 8.0), at_least=10.0, what="gain in %").holds
    short = judge_size((12.0, 7.0), at_least=10.0, what="gain in %")
    assert (short.holds, short.reason) == (
        False,
        "size: gain in % 9.5 on average of 2 seeds, at least 10 asked",
    )
    assert judge_size((11.0,), at_most=11.0, what="ms").holds
    assert not judge_size((11.1,), at_most=11.0, what="ms").holds
    assert judge_size((NAN, 1.0), at_most=11.0, what="ms").reason.startswith("inconclusive")
    assert judge_size((), at_most=11.0, what="ms").reason.startswith("inconclusive")


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [(-0.04, 0.05, ""), (-0.06, 0.01, "inconclusive: "), (0.06, 0.09, "size: "), (-0.2, 0.2, "inconclusive: ")]
    + [(-0.2, -0.1, "size: "), (NAN, NAN, "inconclusive: ")],
)
def test_a_likeness(low: float, high: float, reason: str) -> None:
    outcome = judge_likeness(Interval(0.0, low, high, 9), low=-0.05, high=0.05, what="change")
    assert outcome.holds == (reason == "")
    assert outcome.reason.startswith(reason or "change")


def test_not_above_is_a_likeness_without_a_lower_end() -> None:
    assert judge_likeness(Interval(-1.0, -2.0, 0.0, 9), low=-np.inf, high=0.0, what="x").holds
    assert not judge_likeness(Interval(-1.0, -2.0, 0.1, 9), low=-np.inf, high=0.0, what="x").holds


def test_a_speed_reaches_the_printed_one_or_not() -> None:
    assert judge_speed(400.0, 400.0, unit="fps", device="H200").holds
    slow = judge_speed(399.0, 400.0, unit="fps", device="two cores")
    assert (slow.holds, slow.reason) == (False, "size: 399 fps on two cores, 400 printed")


def test_several_conditions() -> None:
    good, bad, worse = Outcome(True, "a"), Outcome(False, "size: b"), Outcome(False, "direction: c")
    assert judge_all([good, good]) == Outcome(True, "a; a")
    assert judge_all([good, bad, worse]) == Outcome(False, "size: b; direction: c")


def test_ratios_by_hand() -> None:
    # Errors 2 and 4 over 1 and 2 are a ratio of 2 in every draw; 3 over 2 is 1.5 in every draw.
    first = BlockRatio(np.array([[2.0, 4.0, 2.0, 4.0, 2.0]]), np.array([[1.0, 2.0, 1.0, 2.0, 1.0]]))
    second = BlockRatio(np.full((1, 5), 3.0), np.full((1, 5), 2.0))
    comparison = compare_ratios(first, second)
    assert comparison.difference == Interval(0.5, 0.5, 0.5, 5)
    assert comparison.per_seed == (0.5,)
    assert comparison.decided
    assert np.isnan(compare_ratios(BlockRatio(np.array([[2.0]]), np.array([[1.0]])), second).difference.low)


def test_seeds_of_ratios_must_agree() -> None:
    first = BlockRatio(np.array([[4.0, 4.0], [1.0, 1.0]]), np.full((2, 2), 2.0))
    second = BlockRatio(np.full((2, 2), 2.2), np.full((2, 2), 2.0))
    comparison = compare_ratios(first, second)
    assert comparison.per_seed == pytest.approx((0.9, -0.6))
    assert comparison.difference.mean == pytest.approx(1.25 - 1.1)
    assert not comparison.agree


def test_ratios_equal_a_loop() -> None:
    rng = np.random.default_rng(3)
    ratios = [BlockRatio(rng.uniform(5, 15, (2, 12)), rng.uniform(4, 8, (2, 12))) for _ in range(2)]
    draws = []
    for _ in range(20_000):
        drawn = []
        for ratio in ratios:
            chosen = rng.integers(0, 12, 12)
            ours = sum(ratio.ours[seed, block] for seed in range(2) for block in chosen)
            theirs = sum(ratio.theirs[seed, block] for seed in range(2) for block in chosen)
            drawn.append(ours / theirs)
        draws.append(drawn[0] - drawn[1])
    interval = compare_ratios(*ratios).difference
    low, high = interval.mean + widen(12) * (np.quantile(draws, [0.025, 0.975]) - interval.mean)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=0.02)
