"""The networks of crossing as they stand after the joint training: what estimates, decodes and draws.

C. Wan, T. Probst, L. Van Gool, A. Yao, "Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for Hand Pose
Estimation", CVPR 2017.

    x        images        (batch, 1, S, S) depth patches in [-1, 1]
    z_y      latents       (batch, 23)      the shared latent space
    y        joints        (batch, J, 3)    in half cube edges around the crop's centre

The estimator is Dec(pos(x)) (Fig. 2, Sec. 4.3). On NYU all joints are estimated and the first `told` of them given, as
the paper has it ("36 joints are estimated and 14 scored"). Any point of the latent space has a pose, Dec(z_y), and a
depth image, Gen(Ali(z_y)).
"""

from jaxtyping import Float
from torch import Tensor, nn

from handbench.networks.depth_gan import Discriminator, RenderRoute
from handbench.networks.pose_vae import PoseVae


class PosteriorNets(nn.Module):
    """What estimates: the discriminator's posterior task, and the VAE that makes poses of latents."""

    def __init__(self, vae: PoseVae, discriminator: Discriminator, told: int) -> None:
        super().__init__()
        self.vae, self.discriminator, self.told = vae, discriminator, told

    def estimate(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch latents"]:
        """pos(x) (Eq. 11)."""
        return self.discriminator.estimate(self.discriminator.look(images))

    def decode(self, latents: Float[Tensor, "batch latents"]) -> Float[Tensor, "batch joints 3"]:
        """Dec(z_y): every joint that was learned."""
        return self.vae.decode(latents)

    def forward(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch told 3"]:
        joints: Tensor = self.decode(self.estimate(images))
        return joints[:, : self.told]


class CrossingNets(PosteriorNets):
    """Pose VAE, alignment with generator, and discriminator, on one latent space."""

    def __init__(self, vae: PoseVae, route: RenderRoute, discriminator: Discriminator, told: int) -> None:
        super().__init__(vae, discriminator, told)
        self.route = route

    def draw(self, latents: Float[Tensor, "batch latents"]) -> Float[Tensor, "batch 1 size size"]:
        """Gen(Ali(z_y))."""
        return self.route(latents)
