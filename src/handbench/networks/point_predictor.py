"""The plain network of feedback19 (Sec. 3.2, Fig. 4; Sec. 4.4 for the object): depth to the coordinates of some points.

M. Oberweger, P. Wohlhart, V. Lepetit, "Generalized Feedback Loop for Joint Hand-Object Pose Estimation", TPAMI 2019.

The text names convolutions, max-pooling, fully connected layers, ReLU and a linear output, and calls the network
simple; filters and sizes stand in the drawing only. Ours: the three convolutions and two hidden layers of DeepPrior.

    localizer             1 point, an offset (u, v, d)          networks/localizer.py
    object predictor      8 points, the corners (3 * 8 neurons)
    hand predictor        J points behind the pose prior        networks/deepprior.py, the same layers
    single network        J + 8 points, of D                    the baseline of Sec. 6.3

The single network has no prior, as the text tells of none: its outputs are hand and object concatenated.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from handbench.networks.dense import Dense
from handbench.networks.initialise import initialise_layers
from handbench.networks.patches import put_channels_last, require_size


class PlainNetwork(nn.Module):
    """Depth to so many numbers."""

    name = "plain network"

    def __init__(self, outputs: int, size_px: int, *, filters: int = 8, hidden: int = 1024, seed: int = 0) -> None:
        super().__init__()
        require_size(self.name, size_px)
        self.convolution_1 = nn.Conv2d(1, filters, 5, padding=2)
        self.convolution_2 = nn.Conv2d(filters, filters, 5, padding=2)
        self.convolution_3 = nn.Conv2d(filters, filters, 3, padding=1)
        self.hidden_1 = Dense(filters * (size_px // 8) ** 2, hidden)
        self.hidden_2 = Dense(hidden, hidden)
        self.output = Dense(hidden, outputs)
        initialise_layers(self, last=[self.output], seed=seed)

    def read_numbers(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch outputs"]:
        maps = max_pool2d(self.convolution_1(put_channels_last(images)), 4).relu()
        maps = max_pool2d(self.convolution_2(maps), 2).relu()
        maps = self.convolution_3(maps).relu()
        return self.output(self.hidden_2(self.hidden_1(maps.flatten(1)).relu()).relu())


class PointPredictor(PlainNetwork):
    """pred(c): depth to points, both normalised to the cube."""

    name = "point predictor"

    def __init__(self, points: int, size_px: int, *, filters: int = 8, hidden: int = 1024, seed: int = 0) -> None:
        super().__init__(3 * points, size_px, filters=filters, hidden=hidden, seed=seed)

    def forward(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch points 3"]:
        return self.read_numbers(images).unflatten(1, (-1, 3))
