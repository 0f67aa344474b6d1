"""The network of deepmodel (Sec. 3.2): three convolutions, two hidden layers, pose parameters, the hand model layer.

X. Zhou, Q. Wan, W. Zhang, X. Xue, Y. Wei, "Model-based Deep Hand Pose Estimation", IJCAI 2016.

    D        depth    (batch, 1, S, S)  patch in [-1, 1]
    Theta    pose     (batch, 26)       in the units of hand_layer
    F(Theta) joints   (batch, J, 3)     in half cube edges around the crop's centre

Convolutions have no padding and poolings round up, as in the authors' framework: that makes the printed 12 x 12 x 8 of
128 pixels (124, 31, 27, 14, 12), and 4 x 4 x 8 of 64. The direct joint baseline (Table 1) ends in 3J numbers instead of
26 and is otherwise the same.

The start is ours. The output's biases are the mean pose (or the mean joints) of the training frames, in front of small
weights: no constant is nearer, and with all parameters zero the wrist would lie at the cube's centre, and joints 115 mm
from their labels. The other weights have the variance 1 / inputs, as was usual before He's 2 / inputs, which all
other networks here take. Features grow with it, and with them every step: at the printed rate of 0.003 and He's start
the first step throws the hand meters away and the second is NaN. Filters behind a ReLU have a sum of 0: what they see
is nowhere negative, so eight drawn filters give up to two maps that are off on every patch, and hidden units that only
read them stay so.

Ours too is a matrix that stands behind the last weights. Shifted by 1, the palm moves all J joints by 1, and a turn of
the palm moves fingertips much as bending all fingers does: in Theta's own coordinates descent is 30,000 times as
fast in one direction as in another. The last weights give Theta in coordinates of which a step of 1 moves the joints
by 1 together whatever its direction, on average over the training poses (`find_steps`); a constant matrix turns them
into Theta. Theta and both losses stay what they are.

And the palm's turn may be read from six numbers in place of its three angles (palm_turn.py), since hands of NYU turn
all round. Theta keeps its 26 parameters; the last weights give 29 numbers then.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import jacfwd, vmap
from torch.nn.functional import max_pool2d

from handbench.errors import BadInput
from handbench.hand.skeleton import DOFS
from handbench.networks.dense import Dense
from handbench.networks.hand_layer import PALM, HandLayer, keep_digits
from handbench.networks.initialise import initialise_layers
from handbench.networks.palm_turn import COLUMNS, read_columns, tell_columns
from handbench.networks.patches import put_channels_last, require_size

HIDDEN = 1024
GAIN = 1.0
"""Of the first weights; see above."""
LEAST_MOVE = 0.05
"""Of the joints, squares added up, by a unit of any parameter: so that last joints' angles, which move a fingertip by
next to nothing, are not chased."""
TURN = 3
"""Parameters of the palm's turn."""
LEAST_PX = 40
"""Of which a single cell is left after convolutions without padding."""


class DeepModel(nn.Module):
    """Depth to joints, by way of a pose unless they are read directly."""

    steps: Float[Tensor, "outputs outputs"]
    """What the last weights give times this are the numbers that Theta is read from, or the joints."""

    def __init__(
        self,
        layer: HandLayer,
        size_px: int,
        *,
        direct: bool = False,
        channels: int = 8,
        dropout: float = 0.3,
        palm_numbers: int = TURN,
        seed: int = 0,
        told: int | None = None,
    ) -> None:
        """`told`: so many joints, the first of those that are learned, are what others get to see; all by default.

        `direct`: the last layer gives the joints themselves; the hand model is carried along for fitting to them.
        `palm_numbers`: what it gives for the palm's turn, three angles or six numbers of columns.
        """
        super().__init__()
        self.told = told
        require_size("deepmodel", size_px)
        if size_px < LEAST_PX:
            fix = "crop with larger patches"
            raise BadInput("deepmodel", expected=f"a patch of {LEAST_PX} pixels or more", found=str(size_px), fix=fix)
        self.direct, self.palm_numbers = direct, palm_numbers
        self.convolution_1 = nn.Conv2d(1, channels, 5)
        self.convolution_2 = nn.Conv2d(channels, channels, 5)
        self.convolution_3 = nn.Conv2d(channels, channels, 3)
        self.hidden_1 = Dense(channels * count_cells(size_px) ** 2, HIDDEN)
        self.hidden_2 = Dense(HIDDEN, HIDDEN)
        self.dropout = nn.Dropout(dropout)
        self.output = Dense(HIDDEN, 3 * len(layer.bones) if direct else len(DOFS) - TURN + palm_numbers)
        self.layer = layer
        self.register_buffer("steps", torch.eye(self.output.out_features))
        initialise_layers(self, last=[self.output], seed=seed, gain=GAIN)
        with torch.no_grad():
            for behind_relu in (self.convolution_2, self.convolution_3):
                behind_relu.weight -= behind_relu.weight.mean((1, 2, 3), keepdim=True)

    def start_at(self, mean: Float[Tensor, "outputs"], steps: Float[Tensor, "outputs outputs"] | None = None) -> None:
        """What every image is answered with, up to the small first weights, before anything is learned."""
        with torch.no_grad():
            if steps is not None:
                self.steps.copy_(steps)
            self.output.bias.copy_(torch.linalg.solve(self.steps, mean))

    def forward(
        self, images: Float[Tensor, "batch 1 size size"], cube_mm: Float[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch joints 3"]:
        """The joints that are asked for."""
        return self.read_joints(images, cube_mm)[:, : self.told]

    def read_joints(
        self, images: Float[Tensor, "batch 1 size size"], cube_mm: Float[Tensor, "batch"] | None = None
    ) -> Float[Tensor, "batch learned 3"]:
        """F(Theta) with all that it gives, in crops of these edges."""
        numbers = self.read_numbers(images)
        return numbers.unflatten(1, (-1, 3)) if self.direct else self.layer(self.as_pose(numbers), cube_mm)

    def read_pose(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch 26"]:
        """Theta."""
        return self.as_pose(self.read_numbers(images))

    def as_pose(self, numbers: Float[Tensor, "batch outputs"]) -> Float[Tensor, "batch 26"]:
        """Theta from what the last weights give of it."""
        if self.palm_numbers == TURN:
            return numbers
        place, palm, fingers = numbers.split([PALM - TURN, COLUMNS, len(DOFS) - PALM], dim=1)
        return torch.cat([place, read_columns(palm), fingers], dim=1)

    def as_numbers(self, pose: Float[Tensor, "batch 26"]) -> Float[Tensor, "batch outputs"]:
        """Numbers that Theta is read from."""
        if self.palm_numbers == TURN:
            return pose
        place, turn, fingers = pose.split([PALM - TURN, TURN, len(DOFS) - PALM], dim=1)
        return torch.cat([place, tell_columns(turn), fingers], dim=1)

    def as_started(self, pose: Float[Tensor, "poses 26"]) -> Float[Tensor, "poses outputs"]:
        """The same, columns as short as their means, where they start: the shorter, the further a step turns them."""
        numbers = self.as_numbers(pose)
        if self.palm_numbers == TURN:
            return numbers
        palm = slice(PALM - TURN, PALM - TURN + COLUMNS)
        lengths = numbers[:, palm].mean(0).unflatten(0, (-1, 3)).norm(dim=1).repeat_interleave(3)
        return torch.cat([numbers[:, : palm.start], numbers[:, palm] * lengths, numbers[:, palm.stop :]], dim=1)

    def read_numbers(self, images: Float[Tensor, "batch 1 size size"]) -> Float[Tensor, "batch outputs"]:
        """What Theta is read from, or the joints one after the other."""
        maps = max_pool2d(self.convolution_1(put_channels_last(images)), 4, ceil_mode=True).relu()
        maps = max_pool2d(self.convolution_2(maps), 2, ceil_mode=True).relu()
        maps = self.convolution_3(maps).relu()
        features = self.dropout(self.hidden_1(maps.flatten(1)).relu())
        features = self.dropout(self.hidden_2(features).relu())
        with keep_digits(features):
            return self.output(features.float()) @ self.steps


def find_steps(network: DeepModel, pose: Float[Tensor, "poses 26"]) -> Float[Tensor, "outputs outputs"]:
    """(J^T J)^(-1/2) on average over these poses, J how joints move with the numbers of Theta: symmetric."""
    # A layer in use consists of operations that have a forward derivative.
    layer, was_training = network.layer, network.layer.training
    layer.eval()
    moves = vmap(jacfwd(lambda numbers: layer(network.as_pose(numbers[None]))[0].flatten()))(network.as_started(pose))
    layer.train(was_training)
    curvature, directions = torch.linalg.eigh((moves.mT @ moves).mean(0).double())
    return (directions * (curvature + LEAST_MOVE).rsqrt() @ directions.T).to(pose)


def count_cells(size_px: int) -> int:
    """Edge of the last maps: 12 of 128 pixels, 4 of 64."""
    first = -(-(size_px - 4) // 4)
    return -(-(first - 4) // 2) - 2
