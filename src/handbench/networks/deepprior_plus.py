"""DeepPrior++, the predictor of feedback19 (Sec. 3.3, Fig. 5): a residual network that ends in the pose prior.

M. Oberweger, P. Wohlhart, V. Lepetit, "Generalized Feedback Loop for Joint Hand-Object Pose Estimation", TPAMI 2019.

The text names convolution, max-pooling, residual modules, fully connected layers, dropout and the bottleneck of 30;
the numbers stand in the drawing only. Numbers here are those of the authors' published program for DeepPrior++: 32
filters of 5x5, pooling by 2, four stages of five bottleneck modules with 64, 128, 256 and 256 filters, two hidden
layers of 1024, each followed by dropout of 0.3. There a module halves the maps where it changes the number of
filters, so the last stage keeps their size (8x8 for a patch of 128). A module is He's with the activation first;
where shapes change, both branches share it.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import dropout, max_pool2d

from handbench.networks.dense import Dense
from handbench.networks.initialise import initialise_layers
from handbench.networks.patches import put_channels_last, require_size
from handbench.networks.pose_prior import COMPONENTS, PriorLayer

FIRST_FILTERS = 32
STAGE_FILTERS = (64, 128, 256, 256)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions around a sum, each after normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner, stride = outputs // 4, 1 if inputs == outputs else 2
        self.norm_1 = nn.BatchNorm2d(inputs)
        self.norm_2 = nn.BatchNorm2d(inner)
        self.norm_3 = nn.BatchNorm2d(inner)
        self.convolution_1 = nn.Conv2d(inputs, inner, 1, stride=stride, bias=False)
        self.convolution_2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.convolution_3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.shortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, maps: Float[Tensor, "batch inputs rows rows"]) -> Float[Tensor, "batch outputs smaller smaller"]:
        active = self.norm_1(maps).relu()
        inner = self.norm_2(self.convolution_1(active)).relu()
        inner = self.norm_3(self.convolution_2(inner)).relu()
        passed = maps if self.shortcut is None else self.shortcut(active)
        return passed + self.convolution_3(inner)


class DeepPriorPlus(nn.Module):
    """Depth to joints by way of the prior's coefficients; `prior.set_prior` starts the last layer."""

    def __init__(
        self,
        joints: int,
        size_px: int,
        *,
        components: int = COMPONENTS,
        stage_filters: Sequence[int] = STAGE_FILTERS,
        modules: int = 5,
        hidden: int = 1024,
        dropout: float = 0.3,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_size("DeepPrior++", size_px)
        self.dropout = dropout
        self.convolution = nn.Conv2d(1, FIRST_FILTERS, 5, padding=2)
        self.residual = nn.Sequential()
        filters, rows = FIRST_FILTERS, size_px // 2
        for outputs in stage_filters:
            rows = rows if outputs == filters else -(-rows // 2)
            for _ in range(modules):
                self.residual.append(Bottleneck(filters, outputs))
                filters = outputs
        self.norm = nn.BatchNorm2d(filters)
        self.hidden_1 = Dense(filters * rows**2, hidden)
        self.hidden_2 = Dense(hidden, hidden)
        self.coefficients = Dense(hidden, components)
        self.prior = PriorLayer(components, joints)
        initialise_layers(self, last=[self.coefficients, self.prior], seed=seed)

    def forward(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch joints 3"]:
        maps = max_pool2d(self.convolution(put_channels_last(images)), 2)
        features = self.norm(self.residual(maps)).relu().flatten(1)
        features = dropout(self.hidden_1(features).relu(), self.dropout, self.training)
        features = dropout(self.hidden_2(features).relu(), self.dropout, self.training)
        return self.prior(self.coefficients(features))
