"""A rotation as six numbers, of which a network gives any without a jump: two columns of its matrix.

Y. Zhou, C. Barnes, J. Lu, J. Yang, H. Li, "On the Continuity of Rotation Representations in Neural Networks",
CVPR 2019.

    columns   (batch, 6)   where the hand's x axis points and where its long axis does, of any length and angle
    turn      (batch, 3)   yaw, pitch and roll as in DOFS

Any three numbers of a rotation have a seam: hands on both of its sides look alike, and their angles are a whole turn
apart. A network, which is continuous, cannot follow, and what lies near the seam is answered with something between.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.hand.kinematics import hand_rotation

COLUMNS = 6
LEAST = 1e-6
"""Added to squared lengths, under the root: where a column vanishes or the pitch is 90 degrees there is an answer."""
SHORT = 0.4
"""A column that is shorter learns as if it had this length. The shorter it is, the further a step turns it, and a
network that cannot tell two hands apart gives short ones: without an end a few such frames throw away what all others
taught."""


def read_columns(columns: Float[Tensor, "batch 6"]) -> Float[Tensor, "batch 3"]:
    """Yaw, pitch and roll of the rotation that keeps the first column's direction and comes nearest to the second's."""
    first, second = columns[:, :3], columns[:, 3:]
    x = _normalise(first)
    y = _normalise(second - (x * second).sum(dim=1, keepdim=True) * x)
    z = torch.linalg.cross(x, y, dim=1)
    pitch = torch.atan2(y[:, 2], (x[:, 2].square() + z[:, 2].square() + LEAST).sqrt())
    return torch.stack([torch.atan2(-x[:, 2], z[:, 2]), pitch, torch.atan2(-y[:, 0], y[:, 1])], dim=1)


def tell_columns(turn: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 6"]:
    """Of unit length and at right angles."""
    return hand_rotation(turn)[:, :, :2].mT.flatten(1)


def _normalise(vectors: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 3"]:
    """Of unit length, with a slope that has an end."""
    lengths = (vectors.square().sum(dim=1, keepdim=True) + LEAST).sqrt()
    directions, share = vectors / lengths, (lengths.detach() / SHORT).clamp(max=1.0)
    return share * directions + ((1.0 - share) * directions).detach()
