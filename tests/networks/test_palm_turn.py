"""A rotation as two columns of its matrix."""

import numpy as np
import torch

from handbench.hand.kinematics import hand_rotation, unify_turn
from handbench.networks.palm_turn import SHORT, read_columns, tell_columns

ANY = torch.tensor(np.random.default_rng(0).uniform(-4.0, 4.0, (500, 3)))
"""Turns with a pitch of any size and a yaw beyond half a turn."""


def test_columns_tell_every_turn_and_are_read_back() -> None:
    columns = tell_columns(ANY)
    torch.testing.assert_close(columns[:, :3], hand_rotation(ANY)[:, :, 0])
    torch.testing.assert_close(columns[:, 3:], hand_rotation(ANY)[:, :, 1])
    off = hand_rotation(read_columns(columns)) - hand_rotation(ANY)
    # Where the pitch comes within 0.1 degrees of 90 it is read as 89.9.
    assert off.abs().max() < 2e-3
    away = ANY[(torch.cos(ANY[:, 1]).abs() > 0.1)]
    torch.testing.assert_close(read_columns(tell_columns(away)), unify_turn(away), atol=1e-4, rtol=0.0)


def test_lengths_and_a_slant_change_nothing() -> None:
    columns = tell_columns(ANY)
    slanted = torch.cat([3.0 * columns[:, :3], 0.5 * columns[:, 3:] - 0.7 * columns[:, :3]], dim=1)
    torch.testing.assert_close(
        hand_rotation(read_columns(slanted)), hand_rotation(read_columns(columns)), atol=1e-4, rtol=0.0
    )


def test_both_sides_of_the_seam_have_columns_that_are_near() -> None:
    """A whole turn apart in yaw, a hair apart as hands."""
    sides = torch.tensor([[np.pi - 0.01, 0.2, 0.3], [-np.pi + 0.01, 0.2, 0.3]])
    assert (tell_columns(sides)[0] - tell_columns(sides)[1]).abs().max() < 0.021
    assert (read_columns(tell_columns(sides))[0, 0] - read_columns(tell_columns(sides))[1, 0]).abs() > 6


def test_the_slope_is_that_of_differences_and_has_an_end_everywhere() -> None:
    columns = (tell_columns(ANY[:20]) * 1.3).requires_grad_()
    away = torch.cos(ANY[:20, 1]).abs() > 0.1
    assert torch.autograd.gradcheck(lambda numbers: read_columns(numbers), columns[away].detach().requires_grad_())
    worst = torch.zeros(3, 6)
    worst[1, 0], worst[1, 3] = 1.0, 1.0
    worst[2] = tell_columns(torch.tensor([[0.3, np.pi / 2, 0.1]]))[0]
    worst.requires_grad_()
    read_columns(worst).sum().backward()
    assert worst.grad is not None
    assert worst.grad.isfinite().all()


def test_what_is_short_learns_no_faster_than_at_its_least_length() -> None:
    """The direction of the slope stays; a quarter of that length has it a quarter as steep as it would be."""
    slopes = {}
    for length in (1.0, SHORT, SHORT / 4):
        columns = (length * tell_columns(torch.tensor([[0.3, 0.2, 0.1]], dtype=torch.float64))).requires_grad_()
        read_columns(columns)[0, 0].backward()
        assert columns.grad is not None
        slopes[length] = columns.grad[0]
    torch.testing.assert_close(slopes[SHORT], slopes[1.0] / SHORT, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(slopes[SHORT / 4], slopes[SHORT], atol=1e-2, rtol=1e-2)
