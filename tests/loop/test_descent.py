"""The rate of a training step by step, and the truncated gradients of 2015."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from handbench.loop.descent import Descent, count_steps
from handbench.modules import Feedback15Updater, Feedback19Updater, Fitting


def collect_rates(settings: Fitting, steps: int) -> list[float]:
    configured: Any = Descent(nn.Linear(2, 1), settings, steps).configure_optimizers()
    optimizer, schedule = configured["optimizer"], configured["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_a_rate_decays_by_the_same_factor_each_step() -> None:
    rates = collect_rates(Feedback19Updater(learning_rate=0.001, last_rate_share=0.01), 100)
    assert rates[0] == pytest.approx(0.001)
    assert rates[50] == pytest.approx(0.0001)
    assert [b / a for a, b in pairwise(rates)] == pytest.approx([0.01**0.01] * 99)


def test_a_rate_rises_evenly_before_it_decays() -> None:
    rates = collect_rates(Feedback15Updater(learning_rate=0.001, last_rate_share=1.0, warm_up_steps=4), 10)
    assert rates == pytest.approx([0.0002, 0.0004, 0.0006, 0.0008, *[0.001] * 6])


def test_gradients_are_truncated_in_2015_alone() -> None:
    for settings, expected in ((Feedback15Updater(), 0.01), (Feedback19Updater(), 5.0)):
        training = Descent(nn.Linear(2, 1), settings, 1)
        for weights in training.network.parameters():
            weights.grad = torch.full_like(weights, 5.0)
        training.on_before_optimizer_step(training.configure_optimizers()["optimizer"])
        assert all(float(weights.grad.max()) == pytest.approx(expected) for weights in training.network.parameters())


@pytest.mark.parametrize(("frames", "steps"), [(640, 20), (650, 20), (63, 2)])
def test_a_short_batch_is_left_out(frames: int, steps: int) -> None:
    assert count_steps(frames, 2, 64) == steps
