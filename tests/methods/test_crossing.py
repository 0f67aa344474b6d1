"""The equations of crossing, by hand and against torch's own."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from handbench.methods.crossing import (
    Batch,
    Tasks,
    Terms,
    adversarial_loss,
    draw,
    image_reconstruction,
    iterate,
    latent_prior,
    matching_loss,
    mix_latents,
    pose_reconstruction,
    posterior_loss,
    smoothness_loss,
    vae_loss,
)
from handbench.networks.depth_gan import Alignment, Discriminator, Generator, RenderRoute
from handbench.networks.pose_vae import Encoded

SIZE_PX = 32


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make_encoded(seed: int = 0) -> Encoded:
    return Encoded(normal(5, 20, seed=seed), normal(5, 20, seed=seed + 1), normal(5, 3, seed=seed + 2))


def test_eq_2_and_3_are_the_likelihood_but_for_a_constant() -> None:
    decoded, poses, encoded = normal(5, 14, 3), normal(5, 14, 3, seed=3), make_encoded()
    exact = torch.distributions.Normal(decoded, 0.05).log_prob(poses).sum(dim=(1, 2)).mean()
    constant = 14 * 3 * (math.log(0.05) + math.log(2 * math.pi) / 2)
    reconstruction = pose_reconstruction(decoded, poses, 0.05)
    torch.testing.assert_close(reconstruction + constant, -exact)
    torch.testing.assert_close(vae_loss(decoded, poses, encoded, 0.05), reconstruction + latent_prior(encoded))


def test_eq_4_is_the_divergence_from_the_prior() -> None:
    encoded = make_encoded()
    posterior = torch.distributions.Normal(encoded.mean, (encoded.log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros_like(encoded.mean), torch.ones_like(encoded.mean))
    exact = torch.distributions.kl_divergence(posterior, prior).sum(dim=1).mean()
    torch.testing.assert_close(latent_prior(encoded), exact)
    assert latent_prior(Encoded(torch.zeros(2, 20), torch.zeros(2, 20), torch.ones(2, 3))) == 0


def test_eq_5_and_10_are_the_cross_entropy() -> None:
    real, drawn = normal(7), normal(4, seed=1)
    exact = real.sigmoid().log().mean() + (1 - drawn.sigmoid()).log().mean()
    torch.testing.assert_close(adversarial_loss(real, drawn), -exact)
    torch.testing.assert_close(adversarial_loss(torch.zeros(3), torch.zeros(2)), torch.tensor(2 * math.log(2)))
    # The better Dis tells them apart, the less; far off it still has a slope.
    assert adversarial_loss(torch.full((3,), 90.0), torch.full((2,), -90.0)) < 1e-30
    wrong = torch.full((3,), -90.0, requires_grad=True)
    adversarial_loss(wrong, torch.zeros(2)).backward()
    torch.testing.assert_close(wrong.grad, torch.full((3,), -1 / 3))


def test_matching_compares_means_and_not_images() -> None:
    real = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    assert matching_loss(real, real.flip(0)) == 0
    assert matching_loss(real, torch.tensor([[2.0, 4.0]])) == 0
    assert matching_loss(real, torch.tensor([[0.0, 5.0], [0.0, 5.0], [3.0, 5.0]])) == 1.0


def test_eq_6_is_clipped_pixel_by_pixel_from_above() -> None:
    images, drawn = torch.zeros(1, 1, 2, 2), torch.tensor([[[[0.5, 2.0], [-0.1, -1.5]]]], requires_grad=True)
    loss = image_reconstruction(drawn, images)
    torch.testing.assert_close(loss, torch.tensor((0.25 + 1 + 0.01 + 1) / 4))
    loss.backward()
    # As printed, with a maximum, the small errors would have no slope and the large ones no bound.
    torch.testing.assert_close(drawn.grad, torch.tensor([[[[0.25, 0.0], [-0.05, 0.0]]]]))


def test_eq_9_is_zero_for_exact_differences_only() -> None:
    between, zeros = normal(4, 23), torch.zeros(4, 23, dtype=torch.float64)
    assert smoothness_loss(between, between, zeros) == 0
    torch.testing.assert_close(smoothness_loss(-between, between, zeros), 4 * between.square().mean())
    torch.testing.assert_close(smoothness_loss(between, between, zeros + 0.5), torch.tensor(0.25).double())


def test_eq_11_by_hand() -> None:
    latents = torch.zeros(2, 23)
    assert posterior_loss(latents + 2, latents) == 4
    assert posterior_loss(latents, latents) == 0


GRADIENTS: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
    "eq_3": (lambda a, b: pose_reconstruction(a, b, 0.05), (normal(2, 3, 3), normal(2, 3, 3, seed=1))),
    "eq_4": (lambda a, b: latent_prior(Encoded(a, b, torch.zeros(2, 3))), (normal(2, 4), normal(2, 4, seed=1))),
    "eq_5": (adversarial_loss, (normal(4), normal(3, seed=1))),
    "matching": (matching_loss, (normal(3, 4), normal(2, 4, seed=1))),
    "eq_6": (image_reconstruction, (normal(2, 1, 3, 3), normal(2, 1, 3, 3, seed=1))),
    "eq_9": (smoothness_loss, (normal(2, 4), normal(2, 4, seed=1), normal(2, 4, seed=2))),
    "eq_11": (posterior_loss, (normal(2, 4), normal(2, 4, seed=1))),
    "sampling": (lambda a, b: Encoded(a, b, normal(2, 3)).sample(normal(2, 4, seed=5)), (normal(2, 4), normal(2, 4))),
}


@pytest.mark.parametrize("equation", list(GRADIENTS))
def test_gradients(equation: str) -> None:
    loss, inputs = GRADIENTS[equation]
    assert torch.autograd.gradcheck(loss, tuple(one.clone().requires_grad_() for one in inputs))


def test_mixed_latents_lie_among_those_they_are_made_of() -> None:
    corners = torch.eye(23)
    mixed = mix_latents(corners, 300, torch.Generator().manual_seed(0))
    assert mixed.shape == (300, 23)
    assert mixed.min() >= 0
    torch.testing.assert_close(mixed.sum(1), torch.ones(300))
    parents = (mixed > 0).sum(1)
    assert parents.max() == 5
    assert parents.min() >= 2
    assert torch.equal(mixed, mix_latents(corners, 300, torch.Generator().manual_seed(0)))
    one = mix_latents(corners[:1], 3, torch.Generator())
    torch.testing.assert_close(one, corners[:1].expand(3, 23))


def make_batch() -> Batch:
    images = (normal(4, 1, SIZE_PX, SIZE_PX).float() / 3).clamp(-1, 1)
    more = (normal(3, 1, SIZE_PX, SIZE_PX, seed=1).float() / 3).clamp(-1, 1)
    return Batch(images, normal(4, 23).float(), more, normal(4, 23, seed=2).float())


def make_networks() -> tuple[RenderRoute, Discriminator]:
    return RenderRoute(Alignment(), Generator(SIZE_PX)), Discriminator(SIZE_PX)


def without_gradient(network: torch.nn.Module) -> set[str]:
    return {name for name, value in network.named_parameters() if value.grad is None or value.grad.abs().max() == 0}


def test_eq_7_and_8_are_the_losses_of_their_parts() -> None:
    route, discriminator = make_networks()
    route.eval(), discriminator.eval()
    batch = make_batch()
    with torch.no_grad():
        done = iterate(route, discriminator, batch, Tasks())
        drawn = draw(route, batch)
        assert torch.equal(torch.cat(drawn), route(torch.cat([batch.latents, batch.noise])))
        # In eval mode no image depends on another: one by one they give the same.
        seen, unlabelled, own, mixed = map(discriminator.look, (batch.images, batch.unlabelled, *drawn))
        (to_mixed,), (to_own,) = discriminator.compare([mixed], seen), discriminator.compare([own], seen)
        real, synthesized = (discriminator.describe(torch.cat(two)) for two in ([seen, unlabelled], [own, mixed]))
        smoothness = smoothness_loss(to_mixed, batch.noise - batch.latents, to_own)
        matching = matching_loss(real, synthesized)
        adversarial = adversarial_loss(discriminator.judge(real), discriminator.judge(synthesized))
        reconstruction = image_reconstruction(drawn.own, batch.images)
        posterior = posterior_loss(discriminator.estimate(seen), batch.latents)
    torch.testing.assert_close(done.generator, Terms(reconstruction, smoothness, matching))
    torch.testing.assert_close(done.discriminator, Terms(posterior, smoothness, adversarial))
    torch.testing.assert_close(done.generator.total(), reconstruction + smoothness + matching)
    torch.testing.assert_close(done.discriminator.total(), posterior + smoothness + adversarial)


def test_each_side_can_be_taught_by_itself_from_one_pass() -> None:
    route, discriminator = make_networks()
    done = iterate(route, discriminator, make_batch(), Tasks())
    done.generator.total().backward(inputs=list(route.parameters()), retain_graph=True)
    assert without_gradient(route) == set()
    assert without_gradient(discriminator) == {name for name, _ in discriminator.named_parameters()}
    kept = [one.grad.clone() for one in route.parameters() if one.grad is not None]
    done.discriminator.total().backward(inputs=list(discriminator.parameters()))
    assert without_gradient(discriminator) == set()
    assert all(torch.equal(one.grad, before) for one, before in zip(route.parameters(), kept, strict=True))


@pytest.mark.parametrize(("tasks", "silent"), [(Tasks(smoothness=False), "compar"), (Tasks(gan=False), "judg")])
def test_a_task_that_is_left_out_is_zero_and_teaches_nothing(tasks: Tasks, silent: str) -> None:
    route, discriminator = make_networks()
    done = iterate(route, discriminator, make_batch(), tasks)
    for found in (done.generator, done.discriminator):
        assert (found.smoothness == 0) == (not tasks.smoothness)
        assert (found.gan == 0) == (not tasks.gan)
    (done.generator.total() + done.discriminator.total()).backward()
    last = {"compar": {"difference.weight"}, "judg": {"verdict.weight", "verdict.bias"}}[silent]
    still = without_gradient(discriminator)
    assert last <= still
    assert all(name.startswith((silent, *last)) for name in still)


def test_unlabelled_images_matter_to_the_gan_task_only() -> None:
    route, discriminator = make_networks()
    discriminator.eval()
    route.eval()
    batch = make_batch()
    other = batch._replace(unlabelled=-batch.unlabelled)
    with torch.no_grad():
        first, second = (iterate(route, discriminator, one, Tasks()).discriminator for one in (batch, other))
    torch.testing.assert_close(first[:2], second[:2])
    assert (first.gan - second.gan).abs() > 1e-6


def test_any_number_of_unlabelled_images_and_none() -> None:
    route, discriminator = make_networks()
    batch = make_batch()._replace(unlabelled=torch.zeros(0, 1, SIZE_PX, SIZE_PX))
    done = iterate(route, discriminator, batch, Tasks())
    assert done.generator.total().isfinite()
    assert done.discriminator.total().isfinite()


def test_steps_of_algorithm_1_teach_both_sides() -> None:
    """Squares of one depth whose rows and columns two latents say; the noise draws others between them."""
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(16, 23, generator=generator)
    rows = torch.arange(SIZE_PX)
    inside = [(rows - 16 - 6 * latents[:, axis, None].clamp(-1, 1)).abs() < 5 for axis in (0, 1)]
    images = torch.where(inside[0][:, :, None] & inside[1][:, None], 0.2, 1.0)[:, None]
    route, discriminator = make_networks()
    drawing = torch.optim.Adam(route.parameters(), 0.004, betas=(0.5, 0.999))
    judging = torch.optim.Adam(discriminator.parameters(), 0.001, betas=(0.5, 0.999))
    found = []
    for _ in range(60):
        batch = Batch(images, latents, images.flip(3), mix_latents(latents, 16, generator))
        ours, theirs, *_ = iterate(route, discriminator, batch, Tasks())
        drawing.zero_grad()
        ours.total().backward(inputs=list(route.parameters()), retain_graph=True)
        judging.zero_grad()
        theirs.total().backward(inputs=list(discriminator.parameters()))
        drawing.step()
        judging.step()
        found.append((theirs.target.item(), theirs.smoothness.item(), ours.target.item()))
    for first, last in zip(found[0], found[-1], strict=True):
        assert last < 0.5 * first
