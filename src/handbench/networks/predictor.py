"""The simple predictor of feedback15 (Sec. 3.2, Eq. 1): one convolution, one hidden layer.

M. Oberweger, P. Wohlhart, V. Lepetit, "Training a Feedback Loop for Hand Pose Estimation", ICCV 2015.

Left open by the paper, ours: the border is padded, so that 64 and 128 pixels pool evenly; ReLU after the pooling.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from handbench.networks.dense import Dense
from handbench.networks.initialise import initialise_layers
from handbench.networks.patches import put_channels_last, require_size


class SimplePredictor(nn.Module):
    """pred(D): depth to joints, both normalised to the cube."""

    def __init__(self, joints: int, size_px: int, *, filters: int = 8, hidden: int = 1024, seed: int = 0) -> None:
        super().__init__()
        require_size("simple predictor", size_px)
        self.joints = joints
        self.convolution = nn.Conv2d(1, filters, 5, padding=2)
        self.hidden = Dense(filters * (size_px // 4) ** 2, hidden)
        self.output = Dense(hidden, 3 * joints)
        initialise_layers(self, last=[self.output], seed=seed)

    def forward(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch joints 3"]:
        maps = max_pool2d(self.convolution(put_channels_last(images)), 4).relu()
        return self.output(self.hidden(maps.flatten(1)).relu()).unflatten(1, (self.joints, 3))
