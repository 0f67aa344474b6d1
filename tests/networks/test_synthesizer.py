"""The fast form against the literal one, stages, and learning a batch."""

import pytest
import torch
from network_builders import JOINTS

from benchmarks.networks import LiteralSynthesizer, unmirror, unpool
from handbench.errors import BadInput
from handbench.networks.synthesizer import Enlarge, LastConvolution, Synthesizer, count_stages


def make_pair(*, tanh: bool, size_px: int = 64) -> tuple[Synthesizer, LiteralSynthesizer]:
    fast = Synthesizer(JOINTS, size_px, tanh=tanh)
    with torch.no_grad():
        for parameter in fast.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return fast, LiteralSynthesizer(fast)


@pytest.mark.parametrize("size_px", [64, 128])
@pytest.mark.parametrize("tanh", [False, True])
def test_fast_form_equals_unpooling_and_convolution(tanh, size_px):
    torch.manual_seed(0)
    fast, literal = make_pair(tanh=tanh, size_px=size_px)
    poses = torch.randn(2, JOINTS, 3) / 2
    with torch.no_grad():
        require_close(fast(poses), literal(poses), 1e-5)
    # Gradients in float64: in float32 a number beside zero may pass one ReLU and not the other.
    fast, literal = fast.double(), literal.double()
    poses = poses.double().requires_grad_()
    pull = torch.randn(2, 1, size_px, size_px).double()
    for network in (fast, literal):
        (network(poses) * pull).mean().backward()
        if network is fast:
            gradient, poses.grad = poses.grad, None
    require_close(gradient, poses.grad, 1e-9)
    for enlarge, convolution in zip(fast.enlarge, literal.convolutions, strict=True):
        require_close(enlarge.convolution.weight.grad.flip(2, 3).transpose(0, 1), convolution.weight.grad, 1e-9)
        require_close(enlarge.bias.grad, convolution.bias.grad, 1e-9)
    require_close(fast.images[-1].convolution.weight.grad, literal.image.weight.grad, 1e-9)
    require_close(fast.images[-1].bias.grad, literal.image.bias.grad, 1e-9)
    for ours, theirs in zip(fast.dense, literal.dense, strict=True):
        require_close(ours.weight.grad, theirs.weight.grad, 1e-9)


def require_close(ours: torch.Tensor, theirs: torch.Tensor, share: float) -> None:
    """A share of the largest number."""
    assert float((ours - theirs).abs().max()) <= share * float(theirs.abs().max())


def test_one_enlargement_by_hand():
    enlarge = Enlarge(1)
    with torch.no_grad():
        enlarge.convolution.weight.copy_(torch.arange(25.0).view(1, 1, 5, 5))
        enlarge.bias.fill_(2.0)
        larger = enlarge(torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]]))
    # The number lies in the upper left corner; a transposed convolution lays the filter around it.
    assert larger[0, 0].tolist() == [[14, 15, 16, 2], [19, 20, 21, 2], [24, 25, 26, 2], [2, 2, 2, 2]]


def test_unpooling_by_hand():
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert unpool(maps)[0, 0].tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]
    assert unmirror(Enlarge(3)).weight.shape == (3, 3, 5, 5)


def test_last_convolution_in_blocks_is_a_convolution():
    last, maps = LastConvolution(4), torch.randn(2, 4, 12, 12)
    plain = torch.nn.functional.conv2d(maps, last.convolution.weight, last.bias, padding=2)
    assert torch.allclose(last(maps), plain, atol=1e-5)


def test_stages_double_the_image_and_own_their_parameters():
    network, poses = Synthesizer(JOINTS, 64, tanh=True), torch.randn(2, JOINTS, 3)
    owned: list[int] = []
    for stage in range(network.stages + 1):
        image = network(poses, stage=stage)
        assert image.shape == (2, 1, 8 << stage, 8 << stage)
        owned += [id(parameter) for parameter in network.stage_parameters(stage)]
        network.zero_grad()
        image.square().mean().backward()
        reached = {id(parameter) for parameter in network.parameters() if parameter.grad is not None}
        assert reached <= set(owned)
        assert {id(parameter) for parameter in network.stage_parameters(stage)} <= reached
    assert len(owned) == len(set(owned)) == len(list(network.parameters()))
    assert torch.equal(network(poses), network(poses, stage=3))


def test_a_stage_or_size_that_is_not_there():
    network = Synthesizer(JOINTS, 64, tanh=False)
    with pytest.raises(BadInput, match="expected 0 to 3, found 4"):
        network(torch.zeros(1, JOINTS, 3), stage=4)
    assert [count_stages(size) for size in (16, 32, 64, 128)] == [1, 2, 3, 4]
    for size_px in (0, 8, 72, 96):
        with pytest.raises(BadInput, match="16, 32, 64, 128"):
            count_stages(size_px)


def test_2019_stays_within_the_cube():
    network = Synthesizer(JOINTS, 64, tanh=True)
    assert float(network(100 * torch.randn(4, JOINTS, 3)).detach().abs().max()) <= 1


def test_bfloat16_is_near():
    fast, _ = make_pair(tanh=True)
    poses = torch.randn(2, JOINTS, 3) / 2
    with torch.no_grad():
        exact = fast(poses)
        with torch.autocast("cpu", torch.bfloat16):
            assert float((fast(poses).float() - exact).abs().mean()) < 0.02


def test_learns_a_batch():
    torch.manual_seed(0)
    network = Synthesizer(JOINTS, 32, tanh=False)
    poses = torch.randn(8, JOINTS, 3) / 2
    # Discs of different places and depths on the far side of the cube.
    grid = torch.stack(torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="xy"))
    inside = (grid - poses[:, 0, :2, None, None] / 2).square().sum(1) < 0.2
    images = torch.where(inside, poses[:, 0, 2, None, None] / 4, 1.0)[:, None]
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    for _ in range(80):
        optimiser.zero_grad()
        loss = (network(poses) - images).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 10
