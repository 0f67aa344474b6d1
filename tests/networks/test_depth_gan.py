"""The depth GAN: printed sizes at 64 and 128, what tasks share, the Siamese difference, a render route that learns."""

import pytest
import torch
from torch import nn

from handbench.errors import BadInput
from handbench.methods.crossing import image_reconstruction
from handbench.networks.depth_gan import Alignment, Discriminator, Generator, RenderRoute, count_doublings
from handbench.networks.pose_vae import LATENT_DIMS


def draw_images(frames: int, size_px: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(frames, 1, size_px, size_px, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def draw_latents(frames: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(frames, LATENT_DIMS, generator=torch.Generator().manual_seed(seed))


def convolutions(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


FILTER = 32 * 32 * 36
PAIR = 2 * 32


@pytest.mark.parametrize(("size_px", "layers"), [(64, 4), (128, 5)])
def test_generator_has_the_printed_sizes(size_px: int, layers: int) -> None:
    generator = Generator(size_px)
    rows: list[tuple[int, ...]] = []
    for layer in convolutions(generator):
        layer.register_forward_hook(lambda module, inputs, output: rows.append(tuple(output.shape[1:])))
    images = generator(draw_latents(3))
    assert images.shape == (3, 1, size_px, size_px)
    assert images.abs().max() <= 1
    assert rows == [(32, 4 << step, 4 << step) for step in range(1, layers)] + [(1, size_px, size_px)]
    assert count(generator) == 23 * 512 + 2 * 512 + (layers - 1) * (FILTER + PAIR) + 32 * 36 + 1


@pytest.mark.parametrize(("size_px", "layers"), [(64, 4), (128, 5)])
def test_discriminator_has_the_printed_sizes(size_px: int, layers: int) -> None:
    network = Discriminator(size_px)
    maps = network.look(draw_images(3, size_px))
    assert maps.shape == (3, 32, size_px // 4, size_px // 4)
    assert network.describe(maps).shape == (3, 32 * 4 * 4)
    assert network.judge(network.describe(maps)).shape == (3,)
    assert network.estimate(maps).shape == (3, 23)
    assert [one.shape for one in network.compare([maps, maps], maps)] == [(3, 23), (3, 23)]
    own = (layers - 2) * (FILTER + PAIR)
    heads = (512 + 1) + (512 * 512 + 2 * 512 + 512 * 23) + (512 * 23 + 2 * 23 + 23 * 23 + 23)
    assert count(network) == 32 * 36 + FILTER + 2 * PAIR + 3 * own + heads
    assert {(one.kernel_size, one.stride, one.out_channels) for one in convolutions(network)} == {((6, 6), (2, 2), 32)}


def test_every_hidden_layer_is_normalised() -> None:
    for network, plain in ((RenderRoute(Alignment(), Generator(64)), 1), (Discriminator(64), 3)):
        layers = [one for one in network.modules() if isinstance(one, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
        scales = [one for one in network.modules() if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)]
        assert len(layers) - len(scales) == plain
    leaks = {one.negative_slope for one in Discriminator(64).modules() if isinstance(one, nn.LeakyReLU)}
    assert leaks == {0.2}


def reached_by(network: Discriminator, task: str) -> set[str]:
    network.zero_grad()
    maps = network.look(draw_images(6, 64))
    if task == "compare":
        (answer,) = network.compare([maps[:3]], maps[3:])
    else:
        answer = network.judge(network.describe(maps)) if task == "judge" else network.estimate(maps)
    answer.square().sum().backward()
    return {name for name, value in network.named_parameters() if value.grad is not None and value.grad.abs().max() > 0}


def test_three_tasks_share_two_convolutions_and_nothing_else() -> None:
    network = Discriminator(64)
    judged, compared, estimated = (reached_by(network, task) for task in ("judge", "compare", "estimate"))
    shared = {f"shared.{place}.{part}" for place in (0, 1) for part in ("0.weight", "1.weight", "1.bias")}
    assert judged & compared == judged & estimated == compared & estimated == shared
    assert judged | compared | estimated == {name for name, _ in network.named_parameters()}


def test_a_comparison_is_a_difference() -> None:
    network = Discriminator(64)
    for training in (True, False):
        network.train(training)
        with torch.no_grad():
            first, second, third = (network.look(draw_images(4, 64, seed)) for seed in range(3))
            (there,), (back,), (none,) = (
                network.compare([a], b) for a, b in ((first, second), (second, first), (first, first))
            )
            one, other = network.compare([first, second], third)
        assert there.abs().max() > 1e-4
        torch.testing.assert_close(there, -back, atol=1e-6, rtol=0)
        assert torch.equal(none, torch.zeros_like(none))
        if not training:
            torch.testing.assert_close(one - other, there, atol=1e-5, rtol=0)


def test_an_untrained_generator_draws_background() -> None:
    with torch.no_grad():
        images = RenderRoute(Alignment(), Generator(64))(draw_latents(16))
    assert abs(images.mean() - torch.tensor(0.8).tanh()) < 0.05
    assert images.std() < 0.2


def test_alignment_gives_noise_of_the_gan_s_kind() -> None:
    noise = Alignment()(5 * draw_latents(2000) + 3)
    assert noise.abs().max() < 1
    # Uniform noise in [-1, 1] has a deviation of 0.577.
    torch.testing.assert_close(noise.std(0), torch.full((23,), 0.6), atol=0.06, rtol=0)
    torch.testing.assert_close(noise.mean(0), torch.zeros(23), atol=0.06, rtol=0)


def test_gradients_reach_every_parameter_of_the_render_route() -> None:
    route = RenderRoute(Alignment(), Generator(64))
    (route(draw_latents(6)) - draw_images(6, 64)).square().mean().backward()
    for name, value in route.named_parameters():
        assert value.grad is not None
        assert value.grad.isfinite().all(), name
        assert value.grad.abs().max() > 0, name


def test_a_start_comes_from_its_seed() -> None:
    for build in (lambda seed: Generator(64, seed=seed), lambda seed: Discriminator(64, seed=seed)):
        first, again, other = (nn.utils.parameters_to_vector(build(seed).parameters()) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)


def test_patch_sizes() -> None:
    assert [count_doublings(size_px) for size_px in (32, 64, 128)] == [3, 4, 5]
    for size_px in (0, 16, 72, 96):
        with pytest.raises(BadInput, match=r"32, 64, 128.*use 64 or 128"):
            count_doublings(size_px)


def test_the_render_route_learns_a_batch() -> None:
    """A square, whose place two latents say, in front of the background; Eq. 6 alone.

    It is less than 1 away from the background: further, it would cost the clipped loss nothing more and stay undrawn.
    """
    latents = draw_latents(16)
    rows = torch.arange(32)
    inside = [(rows - 16 - 6 * latents[:, axis, None].clamp(-1, 1)).abs() < 5 for axis in (0, 1)]
    images = torch.where(inside[0][:, :, None] & inside[1][:, None], 0.2, 1.0)[:, None]
    route = RenderRoute(Alignment(), Generator(32))
    optimiser = torch.optim.Adam(route.parameters(), 0.005)
    losses = []
    for _ in range(80):
        optimiser.zero_grad()
        loss = image_reconstruction(route(latents), images)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
