"""The pose VAE of crossing (Sec. 3.1, Eq. 1): a pose to a Gaussian over 20 numbers and back, beside where the hand is.

C. Wan, T. Probst, L. Van Gool, A. Yao, "Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for Hand Pose
Estimation", CVPR 2017.

    y        poses         (batch, J, 3)    in half cube edges around the crop's centre
    q(z|y)   Encoded       (batch, 20)      mean and logarithm of the variance, of the pose around its root
             origin        (batch, 3)       the root's place, counted from the training frames' mean in their deviations
    z_y      latents       (batch, 23)      20 of the pose, then the origin
    Enc      encode        3(J - 1) - 40 - 20 + 20
    Dec      decode        20 - 40 - 3(J - 1), and the origin added

The text gives 23 dimensions; that 20 are the pose's and 3 its place, and the 40 hidden units, are from the authors'
published program, whose roots are the wrist or the palm. Batch normalisation stands on the hidden layers, as the text
has it (the program has none here); ReLU follows.

Ours: the root itself is not encoded, since it is zero in every pose, so joints - 1 are and the decoded root lies at the
origin exactly. The origin is scaled by the training frames' deviation. In half cube edges it varies by a tenth, and the
losses on latents would hardly see it beside 20 numbers that the prior holds at a variance of 1. The decoder starts
at the mean pose, by the bias of its last layer in front of small weights.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from handbench.errors import BadInput
from handbench.networks.initialise import initialise_layers

POSE_DIMS = 20
ORIGIN_DIMS = 3
LATENT_DIMS = POSE_DIMS + ORIGIN_DIMS
LEAST_DEVIATION = 1e-3
"""In half cube edges, 0.15 mm of a cube of 300: crops centred on the root have none, and nothing to divide by."""


class Encoded(NamedTuple):
    """q(z|y), and the origin, which is known and has no distribution."""

    mean: Float[Tensor, "batch dims"]
    log_variance: Float[Tensor, "batch dims"]
    origin: Float[Tensor, "batch 3"]

    def sample(self, noise: Float[Tensor, "batch dims"]) -> Float[Tensor, "batch latents"]:
        """z_y ~ q(z|y) (Eq. 1) from normal noise, through which gradients reach the encoder."""
        return torch.cat([self.mean + (self.log_variance / 2).exp() * noise, self.origin], dim=1)

    def centre(self) -> Float[Tensor, "batch latents"]:
        """The most likely z_y."""
        return torch.cat([self.mean, self.origin], dim=1)


class PoseVae(nn.Module):
    """Enc and Dec."""

    origin_mean: Float[Tensor, "3"]
    origin_deviation: Float[Tensor, "3"]
    root_joint: Int64[Tensor, ""]

    def __init__(self, joints: int, root: int, *, dims: int = POSE_DIMS, hidden: int = 40, seed: int = 0) -> None:
        super().__init__()
        if not 0 <= root < joints:
            raise BadInput("pose VAE", expected=f"a root among {joints} joints", found=str(root), fix="count from 0")
        self.root, self.dims = root, dims
        self.others = [joint for joint in range(joints) if joint != root]
        numbers = 3 * len(self.others)
        self.encoder = _make_hidden(numbers, hidden)
        self.mean = nn.Linear(hidden, dims)
        self.log_variance = nn.Linear(hidden, dims)
        self.decoder = _make_hidden(dims, hidden)
        self.output = nn.Linear(hidden, numbers)
        self.register_buffer("root_joint", torch.tensor(root))
        self.register_buffer("origin_mean", torch.zeros(ORIGIN_DIMS))
        self.register_buffer("origin_deviation", torch.ones(ORIGIN_DIMS))
        initialise_layers(self, last=[self.log_variance, self.output], seed=seed)

    def start_at(self, poses: Float[Tensor, "frames joints 3"]) -> None:
        """Take the origin's scale and the mean pose from training frames; a checkpoint brings its own."""
        relative, origin = self._split(poses)
        with torch.no_grad():
            self.origin_mean.copy_(origin.mean(0))
            self.origin_deviation.copy_(origin.std(0, correction=0).clamp_min(LEAST_DEVIATION))
            self.output.bias.copy_(relative.mean(0).flatten())

    def encode(self, poses: Float[Tensor, "batch joints 3"]) -> Encoded:
        """Enc(y) (Eq. 1)."""
        relative, origin = self._split(poses)
        features = self.encoder(relative.flatten(1))
        scaled = (origin - self.origin_mean) / self.origin_deviation
        return Encoded(self.mean(features), self.log_variance(features), scaled)

    def decode(self, latents: Float[Tensor, "batch latents"]) -> Float[Tensor, "batch joints 3"]:
        """Dec(z_y) (Eq. 1): the mean of p(y|z_y)."""
        pose, scaled = latents.split([self.dims, ORIGIN_DIMS], dim=1)
        origin = (scaled * self.origin_deviation + self.origin_mean)[:, None]
        others = self.output(self.decoder(pose)).unflatten(1, (-1, 3)) + origin
        return torch.cat([others[:, : self.root], origin, others[:, self.root :]], dim=1)

    def forward(
        self, poses: Float[Tensor, "batch joints 3"], noise: Float[Tensor, "batch dims"]
    ) -> tuple[Float[Tensor, "batch joints 3"], Encoded]:
        """The pose again by way of a sample, and the distribution it is from: what Eq. 2 needs."""
        encoded = self.encode(poses)
        return self.decode(encoded.sample(noise)), encoded

    def _split(
        self, poses: Float[Tensor, "batch joints 3"]
    ) -> tuple[Float[Tensor, "batch others 3"], Float[Tensor, "batch 3"]]:
        origin = poses[:, self.root]
        return poses[:, self.others] - origin[:, None], origin


def _make_hidden(inputs: int, outputs: int) -> nn.Sequential:
    # The normalisation takes any bias away again.
    return nn.Sequential(nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU())


def read_vae(state: Mapping[str, Tensor], prefix: str = "") -> PoseVae:
    """A VAE of the size, and with the root, of the one whose tensors stand in a checkpoint after `prefix`."""
    joints = len(state[f"{prefix}output.bias"]) // 3 + 1
    hidden, dims = state[f"{prefix}mean.weight"].shape[::-1]
    return PoseVae(joints, int(state[f"{prefix}root_joint"]), dims=dims, hidden=hidden)
