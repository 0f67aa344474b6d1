"""The localizer of feedback19 (Sec. 3.2, Fig. 4): from a crop around the centre of mass to the middle finger's MCP.

M. Oberweger, P. Wohlhart, V. Lepetit, "Generalized Feedback Loop for Joint Hand-Object Pose Estimation", TPAMI 2019.

Joint hand-object pose has two of them, which see the same crop: one for that joint, one for the object's middle
(Sec. 4.2, Eqs. 14 and 15).
"""

from jaxtyping import Float
from torch import Tensor

from handbench.networks.point_predictor import PlainNetwork


class Localizer(PlainNetwork):
    """loc(D): the offset (u, v, d) from the centre of mass, in image coordinates and depth (Eq. 5)."""

    name = "localizer"

    def __init__(self, size_px: int, *, filters: int = 8, hidden: int = 1024, seed: int = 0) -> None:
        super().__init__(3, size_px, filters=filters, hidden=hidden, seed=seed)

    def forward(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch 3"]:
        return self.read_numbers(images)
