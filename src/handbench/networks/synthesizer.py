"""The synthesizer of both feedback papers (Sec. 3.3 in feedback15, Sec. 3.4 in feedback19): a pose to its depth image.

M. Oberweger, P. Wohlhart, V. Lepetit, "Training a Feedback Loop for Hand Pose Estimation", ICCV 2015, and
"Generalized Feedback Loop for Joint Hand-Object Pose Estimation", TPAMI 2019.

Four fully connected layers end in 2048 numbers, which are 32 maps of 8x8. A stage doubles the maps: unpooling spreads
each number over 2x2 places, three of them zero, and 32 filters of 5x5 and ReLU follow. A last convolution makes one
image of the 32 maps, linear in 2015, through tanh in 2019. A patch of 64 has three stages, one of 128 four.

Left open by the text, ours: 1024 neurons in the first three layers; 5x5 in the last convolution; a last convolution
of its own for every resolution, so that training can start with images of 8x8 and add a stage at a time.

Two exact rewritings make it fast. Unpooling and a 5x5 convolution are one transposed convolution, whose filters are
the same mirrored: no operation is spent on zeros. A convolution with a single output leaves most of a processor's
lanes idle, so the last one computes blocks of 4x4 pixels as 16 outputs of one 8x8 filter each, which hold the same 25
weights in 16 places.
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, pixel_shuffle

from handbench.errors import BadInput
from handbench.networks.dense import Dense
from handbench.networks.initialise import initialise_layers

FIRST_PX = 8
BLOCK_PX = 4
START_DEPTH = 1.0
"""An untrained synthesizer draws the background, which most pixels show. From zero, the first steps push every output
there at once, and with tanh behind them none comes back: its error stayed that of an empty image.
"""


class Enlarge(nn.Module):
    """Unpooling by 2, convolution by 5x5, ReLU."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(filters, filters, 5, 2, 2, output_padding=1, bias=False)
        self.bias = nn.Parameter(torch.zeros(filters))

    def forward(self, maps: Float[Tensor, "batch filters rows rows"]) -> Float[Tensor, "batch filters larger larger"]:
        # Added by itself: inside the transposed convolution the bias's gradient takes as long as the other two.
        larger = self.convolution(maps)
        return larger.add_(self.bias.to(larger.dtype)[:, None, None]).relu_()


class LastConvolution(nn.Module):
    """A 5x5 convolution to one image, in blocks of pixels."""

    taps: Tensor

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(filters, 1, 5, bias=False)
        self.bias = nn.Parameter(torch.full((1,), START_DEPTH))
        self.register_buffer("taps", _list_taps(), persistent=False)

    def forward(self, maps: Float[Tensor, "batch filters rows rows"]) -> Float[Tensor, "batch 1 rows rows"]:
        weights = pad(self.convolution.weight.flatten(2)[0], (0, 1))
        filters = weights.index_select(1, self.taps).unflatten(1, (BLOCK_PX**2, BLOCK_PX + 4, BLOCK_PX + 4))
        blocks = conv2d(maps, filters.transpose(0, 1), self.bias.expand(BLOCK_PX**2), stride=BLOCK_PX, padding=2)
        return pixel_shuffle(blocks, BLOCK_PX)


def _list_taps() -> Int64[Tensor, "taps"]:
    """Which of the 25 weights stands at each place of the 16 filters of 8x8; the 26th is a zero."""
    weights, places = torch.arange(25).view(1, 1, 5, 5), range(BLOCK_PX)
    left = BLOCK_PX - 1
    filters = [pad(weights, (column, left - column, row, left - row), value=25) for row in places for column in places]
    return torch.cat(filters).flatten()


class Synthesizer(nn.Module):
    """synth(p): normalised joints to normalised depth (Eq. 2)."""

    def __init__(
        self, joints: int, size_px: int, *, tanh: bool, filters: int = 32, hidden: int = 1024, seed: int = 0
    ) -> None:
        super().__init__()
        self.stages = count_stages(size_px)
        self.tanh, self.filters = tanh, filters
        widths = (3 * joints, hidden, hidden, hidden, filters * FIRST_PX**2)
        self.dense = nn.ModuleList(Dense(*pair) for pair in pairwise(widths))
        self.enlarge = nn.ModuleList(Enlarge(filters) for _ in range(self.stages))
        self.images = nn.ModuleList(LastConvolution(filters) for _ in range(self.stages + 1))
        initialise_layers(self, last=list(self.images), seed=seed)

    def forward(
        self, poses: Float[Tensor, "batch joints 3"], stage: int | None = None
    ) -> Float[Tensor, "batch 1 rows rows"]:
        """The image after `stage` enlargements, 8 * 2^stage pixels wide; the whole patch where none is given."""
        stage = self.stages if stage is None else self.require_stage(stage)
        features = poses.flatten(1)
        for layer in self.dense:
            features = layer(features).relu()
        maps = features.unflatten(1, (self.filters, FIRST_PX, FIRST_PX)).contiguous(memory_format=torch.channels_last)
        for enlarge in self.enlarge[:stage]:
            maps = enlarge(maps)
        image = self.images[stage](maps)
        return image.tanh() if self.tanh else image

    def stage_parameters(self, stage: int) -> Iterator[nn.Parameter]:
        """What a stage adds: its enlargement (the dense layers for stage 0) and its last convolution."""
        added = self.dense if self.require_stage(stage) == 0 else self.enlarge[stage - 1]
        yield from added.parameters()
        yield from self.images[stage].parameters()

    def require_stage(self, stage: int) -> int:
        """The stage, where there is one of this number."""
        if not 0 <= stage <= self.stages:
            raise BadInput(
                "synthesizer stage",
                expected=f"0 to {self.stages}",
                found=str(stage),
                fix="stage k shows 8 * 2^k pixels",
            )
        return stage


def count_stages(size_px: int) -> int:
    """How often 8 pixels double to the patch."""
    stages = max(size_px // FIRST_PX, 1).bit_length() - 1
    if size_px != FIRST_PX << stages or stages < 1:
        raise BadInput(
            "synthesizer", expected="a patch size of 16, 32, 64, 128, ...", found=str(size_px), fix="use 64 or 128"
        )
    return stages
