"""The updaters of the feedback papers (Eq. 4): from an observed and a synthesized image to a correction of the pose.

M. Oberweger, P. Wohlhart, V. Lepetit, "Training a Feedback Loop for Hand Pose Estimation", ICCV 2015, Sec. 3.4 and
Fig. 5, and "Generalized Feedback Loop for Joint Hand-Object Pose Estimation", TPAMI 2019, Sec. 3.5 and Fig. 7.

2015: two paths of four convolutions with shared weights, one an image, whose maps are concatenated. 2019: the two
images are channels of one input; 32 filters of 5x5 with stride 2 are printed beside the first two convolutions. ReLU
in all layers, a linear output.

Left open by the text, ours: 32 filters of 5x5 with stride 2 in all convolutions of both papers; four of them in 2019
also; two hidden layers of 1024. Also ours: images enter with the background at zero, and in 2019 the second channel is
the difference of the two. A first convolution could make either of the other; but started this way, training needs
half the steps (docs/feedback.md). For the same reason the two paths of 2015 enter the first hidden layer with
opposite weights at the start: it begins with what differs, and equal images move no pose. `pooling` puts max-pooling
by 2 in the place of the stride, the variant that both papers found worse.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from handbench.conventions import BACKGROUND
from handbench.networks.dense import Dense
from handbench.networks.initialise import initialise_layers
from handbench.networks.patches import put_channels_last, require_size

HALVINGS = 4


class Shrink(nn.Conv2d):
    """Convolution by 5x5, half the size by stride or by max-pooling, ReLU."""

    def __init__(self, inputs: int, outputs: int, *, pooling: bool) -> None:
        super().__init__(inputs, outputs, 5, stride=1 if pooling else 2, padding=2)
        self.pooling = pooling

    def forward(self, input: Float[Tensor, "batch inputs rows rows"]) -> Float[Tensor, "batch outputs smaller smaller"]:
        maps = super().forward(input)
        return (max_pool2d(maps, 2, ceil_mode=True) if self.pooling else maps).relu_()


class _Updater(nn.Module):
    """The layers of both: convolutions, two hidden layers and the correction; how images enter is for each to say."""

    images: int
    """Channels of the first convolution."""
    paths: int
    """How often the convolutions are passed."""

    def __init__(
        self,
        joints: int,
        size_px: int,
        *,
        pooling: bool = False,
        filters: int = 32,
        hidden: int = 1024,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_size("updater", size_px)
        self.joints = joints
        self.path = _make_path(self.images, filters, pooling)
        self.hidden_1 = Dense(self.paths * filters * count_rows(size_px) ** 2, hidden)
        self.hidden_2 = Dense(hidden, hidden)
        self.output = Dense(hidden, 3 * joints)
        initialise_layers(self, last=[self.output], seed=seed)
        if self.paths == 2:
            with torch.no_grad():
                observed, synthesized = self.hidden_1.weight.chunk(2, dim=1)
                synthesized.copy_(-observed)

    def _correct(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch joints 3"]:
        return self.output(self.hidden_2(self.hidden_1(features).relu()).relu()).unflatten(1, (self.joints, 3))


class Updater2015(_Updater):
    """Siamese: each image passes the same convolutions."""

    images, paths = 1, 2

    def forward(
        self, observed: Float[Tensor, "batch 1 size size"], synthesized: Float[Tensor, "batch 1 size size"]
    ) -> Float[Tensor, "batch joints 3"]:
        # The background becomes zero, which is what padded borders hold.
        maps = self.path(put_channels_last(BACKGROUND - torch.cat([observed, synthesized])))
        # Not chunk(2), not len(): an exported network would be bound to the number of frames that it was exported with.
        frames, features = observed.shape[0], maps.flatten(1)
        return self._correct(torch.cat([features[:frames], features[frames:]], 1))


class Updater2019(_Updater):
    """Both images as channels of one input."""

    images, paths = 2, 1

    def forward(
        self, observed: Float[Tensor, "batch 1 size size"], synthesized: Float[Tensor, "batch 1 size size"]
    ) -> Float[Tensor, "batch joints 3"]:
        # The background becomes zero here too.
        images = torch.cat([put_channels_last(BACKGROUND - observed), put_channels_last(synthesized - observed)], 1)
        maps = self.path(images.contiguous(memory_format=torch.channels_last))
        return self._correct(maps.flatten(1))


def count_rows(size_px: int) -> int:
    """Rows of the last maps; an odd number is halved upwards by stride and by pooling alike."""
    return -(-size_px >> HALVINGS)


def _make_path(images: int, filters: int, pooling: bool) -> nn.Sequential:
    inputs = (images, *[filters] * (HALVINGS - 1))
    return nn.Sequential(*(Shrink(count, filters, pooling=pooling) for count in inputs))
