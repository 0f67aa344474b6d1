"""The localizer of feedback19 (Sec. 3.2, Fig. 4): from a crop around the centre of mass to the middle finger's MCP.

M. Oberweger, P. Wohlhart, V. Lepetit, "Generalized Feedback Loop for Joint Hand-Object Pose Estimation", TPAMI 2019.

The text names convolutions, max-pooling, fully connected layers, ReLU and a linear output, and calls the network
simple; filters and sizes stand in the drawing only. Ours: the three convolutions and two hidden layers of DeepPrior.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from handbench.networks.initialise import initialise_layers
from handbench.networks.patches import put_channels_last, require_size


class Localizer(nn.Module):
    """loc(D): the offset (u, v, d) from the centre of mass, in image coordinates and depth (Eq. 5)."""

    def __init__(self, size_px: int, *, filters: int = 8, hidden: int = 1024, seed: int = 0) -> None:
        super().__init__()
        require_size("localizer", size_px)
        self.convolution_1 = nn.Conv2d(1, filters, 5, padding=2)
        self.convolution_2 = nn.Conv2d(filters, filters, 5, padding=2)
        self.convolution_3 = nn.Conv2d(filters, filters, 3, padding=1)
        self.hidden_1 = nn.Linear(filters * (size_px // 8) ** 2, hidden)
        self.hidden_2 = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, 3)
        initialise_layers(self, last=[self.output], seed=seed)

    def forward(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch 3"]:
        maps = max_pool2d(self.convolution_1(put_channels_last(images)), 4).relu()
        maps = max_pool2d(self.convolution_2(maps), 2).relu()
        maps = self.convolution_3(maps).relu()
        return self.output(self.hidden_2(self.hidden_1(maps.flatten(1)).relu()).relu())
