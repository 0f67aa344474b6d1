"""Eq. 4 and the hinge of Eq. 8 (2015) and Eq. 9 (2019), by hand."""

import pytest
import torch
from torch import Tensor, nn

from handbench.loop.iteration import FeedbackLoop, hinge, iterate, run_loop


class Shown(nn.Module):
    """A synthesizer that paints the sum of a pose."""

    def forward(self, poses: Tensor) -> Tensor:
        return poses.sum(dim=(1, 2))[:, None, None, None].expand(-1, 1, 2, 2)


class HalfWay(nn.Module):
    """An updater that goes half of the way from what is drawn to what is seen, in every coordinate alike."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.5))

    def forward(self, observed: Tensor, synthesized: Tensor) -> Tensor:
        missing = (observed - synthesized).mean(dim=(1, 2, 3))
        return (self.share * missing / 3)[:, None, None].expand(-1, 1, 3)


def test_equation_4_by_hand() -> None:
    """Seen is 12, the start shows 0: 6 after one iteration, 9 after two."""
    depth, start = torch.full((1, 1, 2, 2), 12.0), torch.zeros(1, 1, 3)
    poses = iterate(HalfWay(), Shown(), depth, start, 2)
    assert poses.sum(dim=(1, 2, 3)).tolist() == [0.0, 6.0, 9.0]


def test_many_frames_in_parts_are_the_same() -> None:
    torch.manual_seed(0)
    depth, start = torch.randn(600, 1, 2, 2), torch.randn(600, 1, 3)
    whole = iterate(HalfWay(), Shown(), depth, start, 3)
    torch.testing.assert_close(run_loop(HalfWay(), Shown(), depth.half(), start, 3), whole, atol=2e-3, rtol=1e-3)
    assert run_loop(HalfWay(), Shown(), depth, start, 0).shape == (1, 600, 1, 3)


def test_the_loop_as_one_network_gives_the_last_pose() -> None:
    class Nothing(nn.Module):
        def forward(self, depth: Tensor) -> Tensor:
            return torch.zeros(len(depth), 1, 3)

    loop = FeedbackLoop(Nothing(), Shown(), HalfWay(), iterations=2)
    assert float(loop(torch.full((1, 1, 2, 2), 12.0)).detach().sum()) == pytest.approx(9.0)


@pytest.mark.parametrize(
    ("updated", "pose", "cost"),
    [
        # |p' - p| = 5: an update may leave 3 of it for nothing.
        ((0.0, 3.0, 0.0), (3.0, 4.0, 0.0), 0.0),
        ((0.0, 4.0, 0.0), (3.0, 4.0, 0.0), 1.0),
        # From the truth itself any move costs its length.
        ((0.0, 0.0, 2.0), (0.0, 0.0, 0.0), 2.0),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0),
    ],
)
def test_equation_8_by_hand(updated: tuple[float, ...], pose: tuple[float, ...], cost: float) -> None:
    as_pose = [torch.tensor(values).reshape(1, 1, 3) for values in (updated, pose, (0.0, 0.0, 0.0))]
    assert hinge(*as_pose, 0.6).tolist() == pytest.approx([cost])


def test_the_hinge_has_a_gradient_at_the_truth() -> None:
    """Its norm is not differentiable there; the first step of every training meets it."""
    move = torch.zeros(2, 4, 3, requires_grad=True)
    hinge(move, torch.zeros(2, 4, 3), torch.zeros(2, 4, 3), 0.6).sum().backward()
    assert move.grad is not None
    assert move.grad.isfinite().all()
