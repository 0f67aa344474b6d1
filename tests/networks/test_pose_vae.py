"""The pose VAE: sizes, the origin, sampling, a batch that is learned, a walk."""

from collections.abc import Iterator

import pytest
import torch

from handbench.errors import BadInput
from handbench.methods.crossing import vae_loss
from handbench.networks.pose_vae import LATENT_DIMS, LEAST_DEVIATION, Encoded, PoseVae

JOINTS, ROOT = 14, 13


def draw_hands(frames: int, seed: int = 0) -> torch.Tensor:
    """Poses with three degrees of freedom besides their place."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(3, JOINTS, 3, generator=torch.Generator().manual_seed(99)) / 10
    mean = torch.randn(JOINTS, 3, generator=torch.Generator().manual_seed(98)) / 5
    bends = torch.randn(frames, 3, generator=generator)
    places = torch.randn(frames, 1, 3, generator=generator) * torch.tensor([0.1, 0.1, 0.02]) + 0.05
    return mean + torch.tensordot(bends, directions, 1) + places


def make_vae(root: int = ROOT) -> PoseVae:
    network = PoseVae(JOINTS, root)
    network.start_at(draw_hands(500))
    return network


def test_sizes_are_the_printed_ones() -> None:
    network, poses = make_vae(), draw_hands(7)
    encoded = network.encode(poses)
    assert encoded.mean.shape == encoded.log_variance.shape == (7, 20)
    assert encoded.centre().shape == (7, LATENT_DIMS) == (7, 23)
    assert network(poses, torch.zeros(7, 20))[0].shape == poses.shape
    numbers = 3 * (JOINTS - 1)
    by_hand = (numbers * 40 + 80) + 2 * (40 * 20 + 20) + (20 * 40 + 80) + (40 * numbers + numbers)
    assert sum(parameter.numel() for parameter in network.parameters()) == by_hand


@pytest.fixture
def one_thread() -> Iterator[None]:
    """How many threads multiply changes a last digit with a hand's place among the others."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("root", [0, 5, 13])
def test_the_root_comes_back_and_the_pose_moves_with_it(root: int, one_thread: None) -> None:
    network, poses = make_vae(root).eval(), draw_hands(6)
    shift = torch.tensor([0.3, -0.2, 0.1])
    with torch.no_grad():
        here, there = (network.decode(network.encode(poses + move).centre()) for move in (torch.zeros(3), shift))
        assert torch.equal(network.encode(poses).mean, network.encode(poses.roll(1, 0)).mean.roll(-1, 0))
    torch.testing.assert_close(here[:, root], poses[:, root])
    torch.testing.assert_close(there, here + shift, atol=1e-5, rtol=0)


def test_an_untrained_decoder_gives_the_mean_pose_in_its_order() -> None:
    poses = draw_hands(500)
    network = make_vae(5).eval()
    with torch.no_grad():
        network.output.weight.zero_()
        decoded = network.decode(torch.zeros(1, LATENT_DIMS))
    torch.testing.assert_close(decoded[0], poses.mean(0), atol=1e-5, rtol=0)


def test_origins_of_training_frames_have_the_prior_s_scale() -> None:
    origin = make_vae().eval().encode(draw_hands(500)).origin
    torch.testing.assert_close(origin.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(origin.std(0, correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_crops_centred_on_the_root_stay_finite() -> None:
    poses = draw_hands(50)
    poses = poses - poses[:, ROOT : ROOT + 1]
    network = PoseVae(JOINTS, ROOT)
    network.start_at(poses)
    assert torch.equal(network.origin_deviation, torch.full((3,), LEAST_DEVIATION))
    assert torch.equal(network.encode(poses).origin, torch.zeros(50, 3))


def test_a_sample_has_the_distribution_that_is_told() -> None:
    frames = 200_000
    mean, deviation = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    encoded = Encoded(mean.expand(frames, 2), deviation.square().log().expand(frames, 2), torch.ones(frames, 3))
    drawn = encoded.sample(torch.randn(frames, 2, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(drawn[:, :2].mean(0), mean, atol=0.03, rtol=0)
    torch.testing.assert_close(drawn[:, :2].std(0), deviation, atol=0.02, rtol=0.01)
    assert torch.equal(drawn[:, 2:], encoded.origin)
    assert torch.equal(encoded.sample(torch.zeros(frames, 2)), encoded.centre())


def test_gradients_reach_every_parameter_through_the_sample() -> None:
    network, poses = make_vae(), draw_hands(8)
    decoded, encoded = network(poses, torch.randn(8, 20, generator=torch.Generator().manual_seed(0)))
    vae_loss(decoded, poses, encoded, 0.05).backward()
    for name, value in network.named_parameters():
        assert value.grad is not None
        assert value.grad.isfinite().all(), name
        assert value.grad.abs().max() > 0, name


def test_a_root_that_is_not_there() -> None:
    with pytest.raises(BadInput, match="a root among 14 joints, found 14"):
        PoseVae(JOINTS, 14)


@pytest.fixture(scope="module")
def trained() -> PoseVae:
    generator = torch.Generator().manual_seed(1)
    poses, network = draw_hands(512), make_vae()
    optimiser = torch.optim.Adam(network.parameters(), 0.005)
    for step in range(400):
        batch = poses[step % 4 * 128 : step % 4 * 128 + 128]
        decoded, encoded = network(batch, torch.randn(128, 20, generator=generator))
        optimiser.zero_grad()
        vae_loss(decoded, batch, encoded, 0.05).backward()
        optimiser.step()
    return network.eval()


def test_it_learns_poses_that_it_has_not_seen(trained: PoseVae) -> None:
    poses, known = draw_hands(200, seed=5), draw_hands(500)
    relative, mean = poses - poses[:, ROOT, None], (known - known[:, ROOT, None]).mean(0)
    with torch.no_grad():
        encoded = trained.encode(poses)
        error = (trained.decode(encoded.centre()) - poses).norm(dim=2).mean()
    assert error < 0.1 * (relative - mean).norm(dim=2).mean()
    # Three degrees of freedom: some dimensions tell them, the others stay as wide as the prior lets them.
    assert 3 <= (encoded.log_variance.exp().mean(0) < 0.1).sum() <= 10


def test_a_walk_between_two_latents_is_continuous(trained: PoseVae) -> None:
    with torch.no_grad():
        ends = trained.encode(draw_hands(2, seed=7)).centre()
        shares = torch.linspace(0, 1, 50)[:, None]
        joints = trained.decode(ends[:1] + shares * (ends[1:] - ends[:1]))
    assert joints.isfinite().all()
    steps = joints.diff(dim=0).norm(dim=2).mean(dim=1)
    assert 0 < steps.max() <= 3 * steps.median()
    torch.testing.assert_close(joints[[0, -1]], trained.decode(ends).detach(), atol=1e-5, rtol=0)
