"""The rival of the eight corners (feedback19 Sec. 4.4): the same network with a place and a rotation for outputs.

Which form of rotation the cited comparison had is not said in the text. Here it is two columns of the matrix, six
numbers, and the third column is their cross product. Unlike angles and quaternions these have no jump and no second
name for the same turn, so that the rival does not lose for a reason that has nothing to do with corners; unlike all
nine numbers they need no decomposition.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from handbench.networks.point_predictor import PlainNetwork


class RigidPredictor(PlainNetwork):
    """Depth to the middle of the object, normalised to the cube, and the rotation object -> camera."""

    name = "rigid predictor"

    def __init__(self, size_px: int, *, filters: int = 8, hidden: int = 1024, seed: int = 0) -> None:
        super().__init__(9, size_px, filters=filters, hidden=hidden, seed=seed)

    def forward(
        self, images: Float[Tensor, "batch 1 size size"]
    ) -> tuple[Float[Tensor, "batch 3"], Float[Tensor, "batch 3 3"]]:
        numbers = self.read_numbers(images)
        return numbers[:, :3], make_rotation(numbers[:, 3:])


def make_rotation(numbers: Float[Tensor, "batch 6"]) -> Float[Tensor, "batch 3 3"]:
    """Gram and Schmidt's way from two columns to three; zeros mean no turn.

    The columns are counted from those of no turn, where small first weights start and where lengths are safe to
    divide by.
    """
    start = numbers.new_tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    first, second = (numbers + start).split(3, dim=1)
    x = normalize(first, dim=1)
    y = normalize(second - (x * second).sum(dim=1, keepdim=True) * x, dim=1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=2)
