"""T_D: what is in it, how often it is drawn, what is kept."""

import pytest
import torch

from handbench.loop.pose_set import PoseSet, Shares, pick

FRAMES, JOINTS = 50, 2
TRUTH = torch.zeros(FRAMES, JOINTS, 3)
PREDICTED = torch.ones(FRAMES, JOINTS, 3)
ERRORS = torch.full((7, JOINTS, 3), 4.0)
EVERY = torch.arange(FRAMES).repeat(40)


def make_set(rounds: int = 3) -> PoseSet:
    return PoseSet(TRUTH, PREDICTED, ERRORS, rounds)


def test_only_the_truth() -> None:
    assert (make_set().draw(EVERY, Shares(truth=1.0, errors=0.0, noise=0.0, noise_size=9.0)) == 0).all()


def test_only_outputs_are_the_predictors_before_the_first_round() -> None:
    assert (make_set().draw(EVERY, Shares(truth=0.0, errors=0.0, noise=0.0, noise_size=9.0)) == 1).all()


def test_errors_are_those_of_frames_seen_and_as_often_of_frames_held_back() -> None:
    torch.manual_seed(0)
    drawn = make_set().draw(EVERY, Shares(truth=0.0, errors=1.0, noise=0.0, noise_size=9.0))[:, 0, 0]
    assert set(drawn.tolist()) == {1.0, 4.0}
    assert float((drawn == 4).float().mean()) == pytest.approx(0.5, abs=0.04)


def test_shares_are_kept() -> None:
    torch.manual_seed(1)
    drawn = make_set().draw(EVERY, Shares(truth=0.3, errors=0.5, noise=0.0, noise_size=0.0))[:, 0, 0]
    found = [float((drawn == value).float().mean()) for value in (0.0, 1.0, 4.0)]
    assert found == pytest.approx([0.3, 0.2 + 0.25, 0.25], abs=0.04)


def test_noise_comes_on_top_of_any_pose() -> None:
    torch.manual_seed(2)
    drawn = make_set().draw(EVERY, Shares(truth=1.0, errors=0.0, noise=0.5, noise_size=0.1))
    noisy = drawn.flatten(1).abs().sum(1) > 0
    assert float(noisy.float().mean()) == pytest.approx(0.5, abs=0.04)
    assert float(drawn[noisy].std()) == pytest.approx(0.1, rel=0.05)


def test_rounds_are_kept_up_to_a_number_and_the_predictor_for_good() -> None:
    poses = make_set(rounds=2)
    for value in (10.0, 20.0, 30.0):
        poses.add(torch.full_like(TRUTH, value), torch.full_like(ERRORS, value))
    torch.manual_seed(0)
    outputs = poses.draw(EVERY, Shares(truth=0.0, errors=0.0, noise=0.0, noise_size=0.0))
    assert set(outputs[:, 0, 0].tolist()) == {1.0, 20.0, 30.0}
    assert len(poses.errors_held_back) == 3


def test_what_is_restored_draws_the_same() -> None:
    first, second = make_set(), make_set()
    first.add(torch.full_like(TRUTH, 2.5), torch.full_like(ERRORS, 3.5))
    second.restore(first.state())
    shares, drawn = Shares(truth=0.1, errors=0.5, noise=0.5, noise_size=0.1), []
    for poses in (first, second):
        torch.manual_seed(3)
        drawn.append(poses.draw(EVERY, shares))
    assert torch.equal(*drawn)


def test_rows_stay_together_with_their_frames() -> None:
    rounds = [torch.arange(9.0).reshape(9, 1, 1).expand(9, 1, 3) + 100 * k for k in range(3)]
    rows = torch.tensor([8, 0, 3, 3])
    assert (pick(rounds, rows)[:, 0, 0] % 100).tolist() == rows.tolist()
