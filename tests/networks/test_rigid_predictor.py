"""Place and rotation: a proper rotation whatever comes out, no turn at the start, and it learns one."""

import torch

from handbench.networks.rigid_predictor import RigidPredictor, make_rotation


def test_six_numbers_are_a_proper_rotation() -> None:
    numbers = 3 * torch.randn(200, 6, generator=torch.manual_seed(0)).double()
    rotation = make_rotation(numbers)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).double().expand(200, 3, 3))
    torch.testing.assert_close(torch.det(rotation), torch.ones(200).double())
    assert torch.autograd.gradcheck(make_rotation, (numbers[:5].requires_grad_(),))


def test_its_own_columns_are_given_back() -> None:
    rotation = make_rotation(torch.randn(50, 6, generator=torch.manual_seed(0)).double())
    start = torch.tensor([1.0, 0, 0, 0, 1, 0]).double()
    torch.testing.assert_close(make_rotation(rotation.mT.flatten(1)[:, :6] - start), rotation)


def test_zeros_are_no_turn_and_columns_on_one_line_stay_finite() -> None:
    assert torch.equal(make_rotation(torch.zeros(1, 6))[0], torch.eye(3))
    numbers = torch.tensor([[0.0, 0, 0, 1, -1, 0], [-1.0, 0, 0, 0, -1, 0]], requires_grad=True)
    make_rotation(numbers).sum().backward()
    assert numbers.grad is not None
    assert numbers.grad.isfinite().all()


def test_the_network_starts_near_no_turn() -> None:
    network = RigidPredictor(64, seed=3)
    with torch.no_grad():
        middle, rotation = network(torch.rand(4, 1, 64, 64) * 2 - 1)
    assert middle.shape == (4, 3)
    assert middle.abs().max() < 0.5
    assert (rotation - torch.eye(3)).abs().max() < 0.5


def test_it_learns_a_batch() -> None:
    torch.manual_seed(0)
    images = torch.rand(8, 1, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    turns, places = make_rotation(torch.randn(8, 6)), torch.randn(8, 3) / 5
    network = RigidPredictor(32, hidden=128)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    for _ in range(150):
        optimiser.zero_grad()
        middle, rotation = network(images)
        loss = (middle - places).square().sum(dim=1).mean() + (rotation - turns).square().sum(dim=(1, 2)).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
