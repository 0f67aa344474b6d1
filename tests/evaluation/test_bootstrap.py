"""Blocks by hand, intervals against a loop, and what intervals must do: cover the truth, shrink, exclude zero."""

import math

import numpy as np
import pytest
import scipy.special

from handbench.evaluation.bootstrap import (
    BLOCKS_WANTED,
    bootstrap_difference,
    bootstrap_mean,
    compare_seeds,
    cut_blocks,
    sum_blocks,
    widen,
)


def test_blocks_by_hand() -> None:
    """120 frames of one sequence are two blocks of 60; 30 of another are one; the first one's return is its own."""
    blocks = cut_blocks(["a"] * 120 + ["b"] * 30 + ["a"] * 50)
    assert np.bincount(blocks).tolist() == [60, 60, 30, 50]
    assert (np.diff(blocks) >= 0).all()


@pytest.mark.parametrize("frames", [50, 99, 100, 149, 702, 8252])
def test_no_block_is_below_fifty(frames: int) -> None:
    sizes = np.bincount(cut_blocks(["s"] * frames))
    assert sizes.min() >= 50
    assert sizes.max() < 2 * max(50, frames / BLOCKS_WANTED)


def test_no_frames_no_blocks() -> None:
    assert len(cut_blocks([])) == 0
    assert math.isnan(bootstrap_mean(np.empty(0), []).mean)


def test_an_interval_equals_a_loop() -> None:
    rng = np.random.default_rng(5)
    errors = rng.gamma(2, 6, (330, 3))
    errors[rng.random((330, 3)) < 0.2] = np.nan
    sequences = ["a"] * 70 + ["b"] * 60 + ["c"] * 55 + ["d"] * 90 + ["e"] * 55
    got = bootstrap_mean(errors, sequences, seed=9, replicates=300)
    blocks = np.split(errors, [70, 130, 185, 275])
    means = []
    for draw in np.random.default_rng(9).integers(0, 5, (300, 5)):
        values = np.concatenate([blocks[index].ravel() for index in draw])
        means.append(np.nanmean(values))
    assert got.mean == pytest.approx(np.nanmean(errors))
    # Five blocks: sqrt(5 / 4), and Student's t of four degrees of freedom, 2.776, over the normal's 1.960.
    wider = math.sqrt(5 / 4) * 2.77645 / 1.95996
    expected = [got.mean + wider * (end - got.mean) for end in np.quantile(means, [0.025, 0.975])]
    assert (got.low, got.high) == pytest.approx(tuple(expected), rel=5e-3)
    assert got.blocks == 5


@pytest.mark.parametrize(("blocks", "wider"), [(5, 1.584), (10, 1.217), (40, 1.045), (165, 1.011)])
def test_few_blocks_make_wide_intervals(blocks: int, wider: float) -> None:
    assert widen(blocks) == pytest.approx(wider, abs=5e-3)


def test_students_quantiles_are_those_of_scipy() -> None:
    for blocks in (5, 6, 7, 10, 30, 200):
        exact = math.sqrt(blocks / (blocks - 1)) * scipy.special.stdtrit(blocks - 1, 0.975) / scipy.special.ndtri(0.975)
        assert widen(blocks) == pytest.approx(exact, rel=3e-3)


@pytest.mark.parametrize("frames", [300, 500, 2000])
def test_an_interval_covers_the_truth_where_frames_are_alike(frames: int) -> None:
    """Errors that remember their neighbours (0.9 a frame, half forgotten after seven): 95 % is meant, 87 is asked."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(120):
        noise, values = rng.normal(size=frames) * math.sqrt(1 - 0.81), np.empty(frames)
        values[0] = rng.normal()
        for row in range(1, frames):
            values[row] = 0.9 * values[row - 1] + noise[row]
        got = bootstrap_mean(values, ["a"] * frames, replicates=1000)
        covered += got.low <= 0 <= got.high
    assert covered / 120 >= 0.87


def test_one_block_has_a_mean_and_no_interval() -> None:
    got = bootstrap_mean(np.array([1.0, 3.0]), ["a", "a"])
    assert got.mean == 2.0
    assert math.isnan(got.low)
    assert math.isnan(got.high)
    assert not got.excludes_zero


def test_a_constant_difference_is_certain() -> None:
    theirs = np.random.default_rng(0).gamma(2, 9, (400, 14))
    got = bootstrap_difference(theirs - 1.0, theirs, ["a"] * 400)
    assert (got.mean, got.low, got.high) == pytest.approx((-1, -1, -1))
    assert got.excludes_zero
    assert got.lies_within(-1.1, -0.9)


def test_pairing_uses_only_what_both_measured() -> None:
    ours, theirs = np.array([1.0, np.nan, 5.0, 7.0] * 30), np.array([2.0, 9.0, np.nan, 9.0] * 30)
    assert bootstrap_difference(ours, theirs, ["a"] * 120).mean == pytest.approx(-1.5)


def test_alike_neighbours_widen_the_interval() -> None:
    """The same numbers, once shuffled and once in runs of 50: whole blocks move together."""
    values = np.repeat(np.random.default_rng(1).normal(10, 3, 40), 50)
    runs = bootstrap_mean(values, ["a"] * 2000)
    mixed = bootstrap_mean(np.random.default_rng(2).permutation(values), ["a"] * 2000)
    assert runs.high - runs.low > 4 * (mixed.high - mixed.low)


def test_intervals_cover_the_true_mean_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(7)
    hits = 0
    for trial in range(200):
        values = np.repeat(rng.normal(0, 1, 60), 50)
        got = bootstrap_mean(values, ["a"] * 3000, seed=trial % 3, replicates=1000)
        hits += got.low <= 0 <= got.high
    assert 0.88 <= hits / 200 <= 0.99


def test_seeds_must_agree() -> None:
    rng = np.random.default_rng(0)
    theirs = [rng.gamma(2, 9, (300, 2)) for _ in range(3)]
    better = compare_seeds([errors - 2 for errors in theirs], theirs, ["a"] * 300)
    assert better.decided
    assert better.per_seed == pytest.approx((-2, -2, -2))
    mixed = compare_seeds(
        [errors + shift for errors, shift in zip(theirs, (-9.0, -9.0, 1.0), strict=True)], theirs, ["a"] * 300
    )
    assert mixed.difference.excludes_zero
    assert not mixed.agree
    assert not mixed.decided


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).gamma(2, 9, 500)
    assert bootstrap_mean(values, ["a"] * 500) == bootstrap_mean(values, ["a"] * 500)


def test_some_frames_of_a_set_are_drawn_by_stretches_of_the_set() -> None:
    """Every twentieth of 1,000 frames: 20 blocks of 50 frames hold 2 or 3 values each, as whole neighbours would."""
    rows = np.arange(0, 1000, 20)
    sums, counts = sum_blocks(np.ones(50), ["a"] * 1000, rows)
    assert counts.tolist() == [3, 2] * 10
    assert sums.tolist() == [3.0, 2.0] * 10
    everything = np.random.default_rng(0).normal(size=1000)
    assert [part.tolist() for part in sum_blocks(everything, ["a"] * 1000, np.arange(1000))] == [
        part.tolist() for part in sum_blocks(everything, ["a"] * 1000)
    ]


def test_stretches_without_a_measured_frame_are_left_out() -> None:
    sums, counts = sum_blocks(np.array([2.0, 4.0]), ["a"] * 200, np.array([0, 199]))
    assert (sums.tolist(), counts.tolist()) == ([2.0, 4.0], [1, 1])
