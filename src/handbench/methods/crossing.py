"""Crossing Nets: a VAE of poses and a GAN of depth images that share a latent space. Here: the losses.

C. Wan, T. Probst, L. Van Gool, A. Yao, "Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for Hand Pose
Estimation", CVPR 2017.

    x, X_l   images        (batch, 1, S, S) depth patches in [-1, 1], of labelled frames
    X_u      unlabelled    (more, 1, S, S)  of frames without labels
    y        poses         (batch, J, 3)    in half cube edges around the crop's centre
    q(z|y)   Encoded       (batch, 20)      networks/pose_vae.py, and Enc, Dec
    Z_l      latents       (batch, 23)      Enc(Y_l), the shared latent variable of labelled frames
    Z_r      noise         (drawn, 23)      the same of no frame
    Ali, Gen RenderRoute                    networks/depth_gan.py, and Dis, smo, pos
    X-bar_l  drawn.own     (batch, 1, S, S) Gen(Ali(Z_l))
    X-bar_r  drawn.mixed   (drawn, 1, S, S) Gen(Ali(Z_r))
    tau      TAU                            Eq. 6

What differs from the print, each in docs/crossing.md with its reason. Eq. 6 has max(., tau) where the text means a
clipped error: the minimum, of every pixel. Eq. 5 is what Dis maximises, as Algorithm 1 has it; Eqs. 7 and 8 need the
opposite sign: L_gan here is the cross entropy, which Dis minimises. The generator matches features wherever -L_gan
stands. Algorithm 1 has Enc(X_l) where it means Enc(Y_l), and Sec. 4.2 once Ali(z_x) for Ali(z_y). Squared norms are
means over frames and numbers.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from handbench.networks.depth_gan import Discriminator, RenderRoute
from handbench.networks.pose_vae import Encoded

TAU = 1.0
"""Sec. 4.2."""
PARENTS = 5
"""Labelled latents in one combination: the authors' published program."""

Images = Float[Tensor, "batch 1 size size"]
Poses = Float[Tensor, "batch joints 3"]
Latents = Float[Tensor, "batch latents"]
Maps = Float[Tensor, "_ filters rows rows"]
Scalar = Float[Tensor, ""]


def vae_loss(decoded: Poses, poses: Poses, encoded: Encoded, spread: float) -> Scalar:
    """Reconstruction and prior (Eq. 2)."""
    return pose_reconstruction(decoded, poses, spread) + latent_prior(encoded)


def pose_reconstruction(decoded: Poses, poses: Poses, spread: float) -> Scalar:
    """-E[log p(y|z)] but for a constant, by one sample of z (Eq. 3); p(y|z) is normal around Dec(z), `spread` wide."""
    return ((decoded - poses) / spread).square().sum(dim=(1, 2)).mean() / 2


def latent_prior(encoded: Encoded) -> Scalar:
    """KL(q(z|y) || N(0, I)) on average over the batch (Eq. 4); of the 20 dimensions that have a distribution."""
    mean, log_variance = encoded.mean, encoded.log_variance
    return (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1).mean() / 2


def adversarial_loss(real: Float[Tensor, "real"], drawn: Float[Tensor, "drawn"]) -> Scalar:
    """-log Dis(x) - log(1 - Dis(x-bar)) on average over either, from logits: Eq. 5 turned round, and L_gan (Eq. 10)."""
    return softplus(-real).mean() + softplus(drawn).mean()


def matching_loss(real: Float[Tensor, "real features"], drawn: Float[Tensor, "drawn features"]) -> Scalar:
    """How far the mean features of drawn images are from those of real ones: the generator's side of Eqs. 5 and 10."""
    return (real.mean(dim=0) - drawn.mean(dim=0)).abs().mean()


def image_reconstruction(drawn: Images, images: Images) -> Scalar:
    """min(|x - Gen(Ali(z_y))|^2, tau) of every pixel, on average (Eq. 6)."""
    return (drawn - images).square().clamp_max(TAU).mean()


def smoothness_loss(to_mixed: Latents, between: Latents, to_own: Latents) -> Scalar:
    """d_comb + d_self (Eq. 9): smo(X-bar_r, X_l) is to be `between`, Z_r - Z_l, and smo(X-bar_l, X_l) nothing."""
    return (to_mixed - between).square().mean() + to_own.square().mean()


def posterior_loss(estimated: Latents, latents: Latents) -> Scalar:
    """|pos(X_l) - Z_l|^2 (Eq. 11)."""
    return (estimated - latents).square().mean()


def mix_latents(
    latents: Float[Tensor, "labelled latents"], count: int, generator: torch.Generator
) -> Float[Tensor, "count latents"]:
    """Z_r: convex combinations of labelled latents, with random weights (Sec. 4.4)."""
    parents = torch.randint(len(latents), (count, PARENTS), generator=generator).to(latents.device)
    shares = torch.rand(count, PARENTS, generator=generator).to(latents)
    shares = shares / shares.sum(dim=1, keepdim=True)
    return (latents[parents] * shares[..., None]).sum(dim=1)


class Batch(NamedTuple):
    """What one step of Algorithm 1 sees: as many latents of no frame as labelled frames, and any number unlabelled."""

    images: Images
    latents: Latents
    unlabelled: Float[Tensor, "more 1 size size"]
    noise: Latents


class Drawn(NamedTuple):
    """X-bar_l and X-bar_r."""

    own: Images
    mixed: Images

    def detach(self) -> "Drawn":
        return Drawn(self.own.detach(), self.mixed.detach())


@dataclass(frozen=True)
class Tasks:
    """Which of the losses take part; Sec. 5.2 leaves out one or the other."""

    smoothness: bool = True
    gan: bool = True


class Terms(NamedTuple):
    """The three losses of either side; a task that is left out has zero."""

    target: Scalar
    """L_recons of the generator, L_pos of the discriminator."""
    smoothness: Scalar
    gan: Scalar

    def total(self) -> Scalar:
        """L_G (Eq. 7) or L_D (Eq. 8): equal weights (Sec. 4.3)."""
        return self.target + self.smoothness + self.gan


def draw(route: RenderRoute, batch: Batch) -> Drawn:
    """Gen(Ali(.)) of labelled and other latents, in one batch (Algorithm 1)."""
    labelled = len(batch.latents)
    images = route(torch.cat([batch.latents, batch.noise]))
    return Drawn(images[:labelled], images[labelled:])


def generator_terms(discriminator: Discriminator, batch: Batch, drawn: Drawn, tasks: Tasks) -> Terms:
    """L_recons + L_smo - L_gan (Eq. 7), feature matching in the last one's place."""
    real, synthesized = look_at(discriminator, batch, drawn, tasks)
    target = image_reconstruction(drawn.own, batch.images)
    smoothness, gan = torch.zeros_like(target), torch.zeros_like(target)
    if tasks.smoothness:
        smoothness = compare_latents(discriminator, batch, real, synthesized)
    if tasks.gan:
        gan = matching_loss(discriminator.describe(real), discriminator.describe(synthesized))
    return Terms(target, smoothness, gan)


def discriminator_terms(discriminator: Discriminator, batch: Batch, drawn: Drawn, tasks: Tasks) -> Terms:
    """L_pos + L_smo + L_gan (Eq. 8); what is drawn is taken as it is, without a gradient for the generator."""
    real, synthesized = look_at(discriminator, batch, drawn.detach(), tasks)
    target = posterior_loss(discriminator.estimate(real[: len(batch.images)]), batch.latents)
    smoothness, gan = torch.zeros_like(target), torch.zeros_like(target)
    if tasks.smoothness:
        smoothness = compare_latents(discriminator, batch, real, synthesized)
    if tasks.gan:
        gan = adversarial_loss(discriminator.judge(real), discriminator.judge(synthesized))
    return Terms(target, smoothness, gan)


def look_at(discriminator: Discriminator, batch: Batch, drawn: Drawn, tasks: Tasks) -> tuple[Maps, Maps]:
    """Shared maps of real images, labelled ones first, and of drawn ones; only the GAN task needs those unlabelled."""
    real = torch.cat([batch.images, batch.unlabelled]) if tasks.gan else batch.images
    return discriminator.look(real), discriminator.look(torch.cat(drawn))


def compare_latents(discriminator: Discriminator, batch: Batch, real: Maps, synthesized: Maps) -> Scalar:
    """Eq. 9 of a batch, from what `look_at` gives."""
    labelled = len(batch.images)
    own, mixed = synthesized.split(labelled)
    to_mixed, to_own = discriminator.compare([mixed, own], real[:labelled])
    return smoothness_loss(to_mixed, batch.noise - batch.latents, to_own)
