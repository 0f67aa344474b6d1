"""A linear prior on poses (feedback19 Sec. 3.3): the first principal components of the training poses.

The bottleneck of DeepPrior and DeepPrior++ predicts 30 coefficients; a last linear layer, started at the prior and
then trained with the rest, makes joints of them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.errors import BadInput

COMPONENTS = 30


@dataclass(frozen=True)
class PosePrior:
    """A mean pose and orthonormal directions around it, most varied first."""

    mean: Float[Tensor, "joints 3"]
    basis: Float[Tensor, "components joints 3"]

    def encode(self, poses: Float[Tensor, "batch joints 3"]) -> Float[Tensor, "batch components"]:
        """Coefficients of the nearest pose that the prior can show."""
        return (poses - self.mean).flatten(1) @ self.basis.flatten(1).T

    def decode(self, coefficients: Float[Tensor, "batch components"]) -> Float[Tensor, "batch joints 3"]:
        """P^-1 of Eq. 6: coefficients to joints."""
        return self.mean + torch.tensordot(coefficients, self.basis, 1)


class PriorLayer(nn.Linear):
    """Coefficients to joints; `set_prior` makes it the prior's decoder."""

    def __init__(self, components: int, joints: int) -> None:
        super().__init__(components, 3 * joints)
        self.joints = joints

    def set_prior(self, prior: PosePrior) -> None:
        """Start from the prior; a checkpoint brings its own weights and needs none."""
        expected, found = (self.in_features, self.joints), tuple(prior.basis.shape[:2])
        if found != expected:
            raise BadInput(
                "pose prior",
                expected=f"{expected[0]} components of {expected[1]} joints",
                found=f"{found[0]} of {found[1]}",
                fix="fit it to the poses that the network predicts",
            )
        with torch.no_grad():
            self.weight.copy_(prior.basis.flatten(1).T)
            self.bias.copy_(prior.mean.flatten())

    def forward(self, input: Float[Tensor, "batch components"]) -> Float[Tensor, "batch joints 3"]:
        return super().forward(input).unflatten(1, (self.joints, 3))


def fit_prior(poses: Float[np.ndarray | Tensor, "frames joints 3"], components: int = COMPONENTS) -> PosePrior:
    """Principal components of normalised poses; in each, the number furthest from zero is positive."""
    data = torch.as_tensor(poses).double().cpu()
    most = min(data.shape[0] - 1, data.shape[1] * 3)
    if not 1 <= components <= most:
        raise BadInput(
            "pose prior",
            expected=f"1 to {most} components, as {data.shape[0]} poses of {data.shape[1]} joints allow",
            found=str(components),
            fix="give more poses or ask for fewer components",
        )
    mean = data.mean(0)
    offsets = (data - mean).flatten(1)
    _, directions = torch.linalg.eigh(offsets.T @ offsets)
    basis = directions.flip(1)[:, :components].T
    furthest = basis.gather(1, basis.abs().argmax(1, keepdim=True))
    return PosePrior(mean.float(), (basis * furthest.sign()).unflatten(1, (-1, 3)).float().contiguous())
