"""DeepPrior, the "Init 2" of feedback15 (its reference [21]): three convolutions and a bottleneck of 30 coefficients.

The printed text of feedback15 gives the 30 dimensions. Layers and sizes are those of the authors' published program:
8 filters of 5x5 and pooling by 4, 8 of 5x5 and pooling by 2, 8 of 3x3, two hidden layers of 1024. Ours: padded
borders, so that 64 and 128 pixels pool evenly.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from handbench.networks.dense import Dense
from handbench.networks.initialise import initialise_layers
from handbench.networks.patches import put_channels_last, require_size
from handbench.networks.pose_prior import COMPONENTS, PriorLayer


class DeepPrior(nn.Module):
    """Depth to joints by way of the prior's coefficients; `prior.set_prior` starts the last layer."""

    def __init__(
        self,
        joints: int,
        size_px: int,
        *,
        components: int = COMPONENTS,
        filters: int = 8,
        hidden: int = 1024,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_size("DeepPrior", size_px)
        self.convolution_1 = nn.Conv2d(1, filters, 5, padding=2)
        self.convolution_2 = nn.Conv2d(filters, filters, 5, padding=2)
        self.convolution_3 = nn.Conv2d(filters, filters, 3, padding=1)
        self.hidden_1 = Dense(filters * (size_px // 8) ** 2, hidden)
        self.hidden_2 = Dense(hidden, hidden)
        self.coefficients = Dense(hidden, components)
        self.prior = PriorLayer(components, joints)
        initialise_layers(self, last=[self.coefficients, self.prior], seed=seed)

    def forward(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch joints 3"]:
        maps = max_pool2d(self.convolution_1(put_channels_last(images)), 4).relu()
        maps = max_pool2d(self.convolution_2(maps), 2).relu()
        maps = self.convolution_3(maps).relu()
        features = self.hidden_2(self.hidden_1(maps.flatten(1)).relu()).relu()
        return self.prior(self.coefficients(features))
