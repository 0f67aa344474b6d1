"""The depth GAN of crossing (Sec. 3.2, 4.2 and 4.3, Fig. 2): generator, alignment, and a discriminator of three tasks.

C. Wan, T. Probst, L. Van Gool, A. Yao, "Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for Hand Pose
Estimation", CVPR 2017.

    z_x      noise         (batch, 23)      in [-1, 1], the GAN's own latent space
    z_y      latents       (batch, 23)      of the pose VAE, the shared space
    x        images        (batch, 1, S, S) patch in [-1, 1]
    Ali      Alignment     z_y to z_x: one layer, tanh
    Gen      Generator     23 - 32x4x4, then transposed 32 of 6x6 with stride 2 up to the patch, tanh
    Dis      judge         real or synthesized, before the sigmoid
    smo      compare       z_1 - z_2 of two images (Eq. 9)
    pos      estimate      z_y of an image (Eq. 11)

All convolutions have 32 maps, 6x6 filters, stride 2 and two pixels of padding, so that sizes halve and double exactly:
128 pixels have five of them each way, 64 four. The discriminator's first two are shared by its tasks; behind them each
has convolutions of its own down to 4x4. Then Dis is one linear layer; pos has a hidden layer of 23 units and smo one
of 512. Fig. 2 draws such numbers and the text does not say them: they are from the authors' published program.

Batch normalisation stands in every hidden layer, Ali's too, which is one when Gen follows: ahead of ReLU in the
generator, of leaky ReLU (0.2) in the discriminator, of tanh in Ali.

smo is Siamese: both images pass the same layers and the results are subtracted, so that smo(a, b) = -smo(b, a) and
smo(a, a) = 0, as the difference has it that is estimated. Ours: in its own layers both are normalised as one batch. The
program normalises real and synthesized images apart: each batch has mean zero then, whatever the two differ in. The
first layers and Dis see them apart here too, as is usual; a mixed batch would tell one by the other.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.errors import BadInput
from handbench.networks.initialise import initialise_layers
from handbench.networks.patches import put_channels_last
from handbench.networks.pose_vae import LATENT_DIMS

FIRST_PX = 4
SHARED = 2
"""Convolutions that the three tasks have in common (Sec. 4.4)."""
KERNEL_PX = 6
PADDING_PX = 2
LEAK = 0.2
COMPARING = 512
"""Hidden units behind the convolutions of smo."""
START_DEPTH = 0.8
"""The last bias of an untrained generator, as in the authors' program: it draws the background, as most pixels are."""


class Alignment(nn.Module):
    """Ali(z_y): the shared latent space to the GAN's (Eq. 6)."""

    def __init__(self, dims: int = LATENT_DIMS, *, seed: int = 0) -> None:
        super().__init__()
        self.dense = nn.Linear(dims, dims, bias=False)
        self.scale = nn.BatchNorm1d(dims)
        initialise_layers(self, last=[], seed=seed, gain=1.0)

    def forward(self, latents: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch dims"]:
        return self.scale(self.dense(latents)).tanh()


class Generator(nn.Module):
    """Gen(z_x): noise to normalised depth."""

    def __init__(self, size_px: int, *, dims: int = LATENT_DIMS, filters: int = 32, seed: int = 0) -> None:
        super().__init__()
        doublings = count_doublings(size_px)
        self.filters = filters
        self.dense = nn.Linear(dims, filters * FIRST_PX**2, bias=False)
        self.scale = nn.BatchNorm1d(filters * FIRST_PX**2)
        self.enlarge = nn.Sequential(*(_make_enlargement(filters) for _ in range(doublings - 1)))
        self.image = nn.ConvTranspose2d(filters, 1, KERNEL_PX, 2, PADDING_PX)
        initialise_layers(self, last=[self.image], seed=seed)
        nn.init.constant_(self.image.bias, START_DEPTH)  # type: ignore[arg-type]

    def forward(self, noise: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch 1 size size"]:
        features = self.scale(self.dense(noise)).relu()
        maps = features.unflatten(1, (self.filters, FIRST_PX, FIRST_PX))
        return self.image(self.enlarge(maps.contiguous(memory_format=torch.channels_last))).tanh()


class RenderRoute(nn.Module):
    """Gen(Ali(z_y)): the generator of the joint training, from the shared latent space (Sec. 4.3)."""

    def __init__(self, alignment: Alignment, generator: Generator) -> None:
        super().__init__()
        self.alignment, self.generator = alignment, generator

    def forward(self, latents: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch 1 size size"]:
        return self.generator(self.alignment(latents))


class Discriminator(nn.Module):
    """Dis, smo and pos on common first layers."""

    def __init__(self, size_px: int, *, dims: int = LATENT_DIMS, filters: int = 32, seed: int = 0) -> None:
        super().__init__()
        own = count_doublings(size_px) - SHARED
        numbers = filters * FIRST_PX**2
        self.shared = nn.Sequential(_make_shrinking(1, filters), _make_shrinking(filters, filters))
        self.judging = _make_own(filters, own)
        self.verdict = nn.Linear(numbers, 1)
        self.comparing = nn.Sequential(
            *_make_own(filters, own),
            nn.Linear(numbers, COMPARING, bias=False),
            nn.BatchNorm1d(COMPARING),
            nn.LeakyReLU(LEAK),
        )
        # A bias would vanish in the difference.
        self.difference = nn.Linear(COMPARING, dims, bias=False)
        self.estimating = nn.Sequential(
            *_make_own(filters, own), nn.Linear(numbers, dims, bias=False), nn.BatchNorm1d(dims), nn.LeakyReLU(LEAK)
        )
        self.posterior = nn.Linear(dims, dims)
        initialise_layers(self, last=[self.verdict, self.difference, self.posterior], seed=seed)

    def look(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch filters rows rows"]:
        """What all tasks see: the maps of the first two convolutions, which cost most, so once an image."""
        return self.shared(put_channels_last(images))

    def describe(self, maps: Float[Tensor, "batch filters rows rows"]) -> Float[Tensor, "batch features"]:
        """The last hidden layer of the GAN task, whose features the generator matches (Sec. 3.2)."""
        return self.judging(maps)

    def judge(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch"]:
        """The logit of Dis(x), from what `describe` gives: positive for real."""
        return self.verdict(features).squeeze(1)

    def compare(
        self,
        firsts: Sequence[Float[Tensor, "batch filters rows rows"]],
        second: Float[Tensor, "batch filters rows rows"],
    ) -> list[Float[Tensor, "batch dims"]]:
        """smo(x_1, x_2), an estimate of z_1 - z_2 (Eq. 9), for every x_1 that is given."""
        places = self.difference(self.comparing(torch.cat([*firsts, second])))
        *others, own = places.split(second.shape[0])
        return [other - own for other in others]

    def estimate(self, maps: Float[Tensor, "batch filters rows rows"]) -> Float[Tensor, "batch dims"]:
        """pos(x): the shared latent variable (Eq. 11)."""
        return self.posterior(self.estimating(maps))


class DepthGan(nn.Module):
    """Generator and discriminator as they learn from images alone (Sec. 3.2)."""

    def __init__(self, size_px: int, *, seed: int = 0) -> None:
        super().__init__()
        self.generator, self.discriminator = Generator(size_px, seed=seed), Discriminator(size_px, seed=seed)


def count_doublings(size_px: int) -> int:
    """How often 4 pixels double to the patch; three times at least, so that every task has a convolution of its own."""
    doublings = max(size_px // FIRST_PX, 1).bit_length() - 1
    if size_px != FIRST_PX << doublings or doublings <= SHARED:
        raise BadInput(
            "depth GAN", expected="a patch size of 32, 64, 128, ...", found=str(size_px), fix="use 64 or 128"
        )
    return doublings


def _make_enlargement(filters: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(filters, filters, KERNEL_PX, 2, PADDING_PX, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(filters), nn.ReLU())


def _make_shrinking(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, KERNEL_PX, 2, PADDING_PX, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(LEAK))


def _make_own(filters: int, convolutions: int) -> nn.Sequential:
    return nn.Sequential(*(_make_shrinking(filters, filters) for _ in range(convolutions)), nn.Flatten())
