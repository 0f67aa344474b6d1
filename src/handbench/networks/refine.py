"""The base network of refine (Sec. 3.2, 4.1): AlexNet with one fully connected layer, from depth to turns of bones.

E. Dibra, T. Wolf, C. Oztireli, M. Gross, "How to Refine 3D Hand Pose Estimation from Unlabelled Depth Data?", 3DV 2017.

    D      images        (batch, 1, S, S)   patch in [-1, 1]
           seen          (batch, 1, s, s)   its middle, nearness in [0, 1]: s = 120 of S = 128, 60 of 64
    theta  quaternions   (batch, 16, 4)     (w, x, y, z) of length 1, of every bone in camera axes

The text says: AlexNet, 120x120 pixels scaled to [0, 1], one fully connected layer of 4096 with ReLU, dropout that
keeps 0.75, a linear layer to 16 quaternions. The rest stands in a supplement that is not at hand and is ours. Kernels
and channels are AlexNet's but for the first: its 11x11 with stride 4 is made for 224 pixels, so here it is 7x7 with
stride 2, which makes maps of 30, 15 and 8 where AlexNet has 27, 13 and 6. There is no response normalisation, which
later networks have found to be of no use, and no grouped channels. Widths are settings.

Nearness is (1 - D) / 2: 0 on the back face of the cube and where nothing was measured, 1 on its front face. It is the
1 - z of Eq. 4, so that what the network sees and what the loss compares grow in the same direction. A patch of 128
pixels becomes one of 120 by leaving out four on each side, which hold background alone around a hand in its padded
block: no pixel is resampled, and so none mixes hand and background.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, normalize

from handbench.networks.dense import Dense
from handbench.networks.initialise import initialise_layers
from handbench.networks.patches import put_channels_last, require_size
from handbench.networks.posed_cloud import PosedCloud

BONES = 16
HIDDEN = 4096
RIM = 32
"""One pixel on each side is left out for so many of the patch."""
ALEXNET = (96, 256, 384, 384, 256)


class BaseNetwork(nn.Module):
    """Depth to the turns of the 16 bones."""

    def __init__(
        self, size_px: int, *, channels: Sequence[int] = ALEXNET, dropout: float = 0.25, seed: int = 0
    ) -> None:
        super().__init__()
        require_size("refine", size_px)
        self.rim = size_px // RIM
        first, second, third, fourth, fifth = channels
        self.convolution_1 = nn.Conv2d(1, first, 7, stride=2, padding=3)
        self.convolution_2 = nn.Conv2d(first, second, 5, padding=2)
        self.convolution_3 = nn.Conv2d(second, third, 3, padding=1)
        self.convolution_4 = nn.Conv2d(third, fourth, 3, padding=1)
        self.convolution_5 = nn.Conv2d(fourth, fifth, 3, padding=1)
        self.hidden = Dense(fifth * count_cells(size_px) ** 2, HIDDEN)
        self.dropout = nn.Dropout(dropout)
        self.output = Dense(HIDDEN, 4 * BONES)
        initialise_layers(self, last=[self.output], seed=seed)
        with torch.no_grad():
            # Unturned: of a number near 0 no quaternion of length 1 could be made.
            self.output.bias.view(BONES, 4)[:, 0] = 1.0

    def forward(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch 16 4"]:
        seen = cut_rim(images, self.rim).contiguous()
        maps = max_pool2d(self.convolution_1(put_channels_last(to_nearness(seen))).relu(), 3, 2, 1)
        maps = max_pool2d(self.convolution_2(maps).relu(), 3, 2, 1)
        maps = self.convolution_4(self.convolution_3(maps).relu()).relu()
        maps = max_pool2d(self.convolution_5(maps).relu(), 3, 2, 1)
        features = self.dropout(self.hidden(maps.flatten(1)).relu())
        return normalize(self.output(features).float().unflatten(1, (BONES, 4)), dim=-1)


class RefinedHand(nn.Module):
    """The base network and P: what is trained together, and all that a checkpoint holds."""

    def __init__(self, network: BaseNetwork, cloud: PosedCloud) -> None:
        super().__init__()
        self.network, self.cloud = network, cloud

    def forward(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch 16 4"]:
        quaternions: Tensor = self.network(images)
        return quaternions


def cut_rim(images: Float[Tensor, "batch 1 size size"], rim: int) -> Float[Tensor, "batch 1 seen seen"]:
    """The middle of a patch."""
    return images[..., rim : images.shape[-2] - rim, rim : images.shape[-1] - rim]


def to_nearness(depth: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """1 - z of a z that goes from 0 on the front face to 1 on the back face and beyond."""
    return (1 - depth) / 2


def count_cells(size_px: int) -> int:
    """Edge of the last maps: 8 of 128 pixels, 4 of 64."""
    edge = size_px - 2 * (size_px // RIM)
    for _ in range(4):
        edge = -(-edge // 2)
    return edge
