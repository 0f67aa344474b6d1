"""One file a paper, or a baseline: its equations in its order, then what trains and predicts with them.

Here is only what every one of them keeps to.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from handbench.datasets.torch_dataset import CropDataset
from handbench.datasets.truth import Truth
from handbench.errors import BadInput
from handbench.fitting.pose_file import FittedPoses
from handbench.hand.skeleton import HandShape
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import find_device
from handbench.modules import Precision

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule

State = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)
Numbers = dict[str, Any]
"""What JSON can hold."""


@dataclass(frozen=True)
class Trained:
    """A module after its training."""

    kind: str
    settings: Any
    """Those of its kind, checked."""
    state: State
    """Everything of its own that predicting needs."""
    joints: int
    size_px: int
    parts: tuple["Trained", ...] = ()
    """The modules that it is put together from, in the order of its kind's needs; of the other kinds none."""

    def build(self) -> nn.Module:
        """The whole of it as one module in eval mode, on the GPU where there is one."""
        return load_method(self.kind).build_model(self).eval().to(find_device())

    def load_into(self, network: Network) -> Network:
        """The network with what was learned."""
        try:
            network.load_state_dict(self.state)
        except RuntimeError as error:
            found = " ".join(str(error).split())
            raise BadInput(self.kind, expected="the tensors of its network", found=found, fix="train again") from None
        return network


@runtime_checkable
class TrainingRun(Protocol):
    """What a training is given to work with: the training room makes one."""

    seed: int
    needs: tuple[Trained, ...]
    """The modules that it starts from, in the order of its kind's needs."""
    poses: FittedPoses | None
    """Fitted to the labels of the training frames, with the hand that takes them; None where its kind needs none."""
    quaternions: Float[Tensor, "frames 16 4"] | None
    """Turns of all bones in every frame of the crops; None where its kind learns from none."""

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Say how it goes: an epoch's numbers at once."""

    def remark(self, text: str) -> None:
        """Say what whoever reads the results has to know."""

    def fit(
        self,
        module: "LightningModule",
        data: Mapping[str, Tensor],
        *,
        epochs: int,
        batch: int,
        precision: Precision = "float32",
        epoch_steps: int | None = None,
    ) -> None:
        """Train a module on batches of resident tensors; after a kill it goes on from its last whole epoch.

        An epoch sees all frames once, or makes so many steps.
        """


@dataclass(frozen=True)
class SeenHands:
    """Crops with all that a method may be told of them at test time."""

    dataset: str
    """Whose scored joints are asked for."""
    protocol: Mapping[str, Any]
    """Of the crops, as a store tells it: their own dataset, and what stands where the hand's centre is."""
    crops: CropBatch


@dataclass(frozen=True)
class PosedHands:
    """What is said of them by a method that knows a hand by the turns of its bones."""

    joints: Float[Tensor, "frames joints 3"]
    """In half cube edges around the crops' centres."""
    quaternions: Float[Tensor, "frames 16 4"]
    """(w, x, y, z) of every bone in camera axes, w >= 0."""
    shape: HandShape
    """The hand that the joints lie on."""
    besides: tuple[str, ...]
    """Joints of the dataset that its paper scores beside the usual ones."""
    others: Float[Tensor, "frames besides 3"]
    """Where those are."""


@dataclass(frozen=True)
class Method:
    """How one kind is trained and used; a file in methods/ makes one for each kind that it holds."""

    train: Callable[[CropDataset, Any, TrainingRun], State]
    """Crops, the kind's settings and the run, to everything of its own that predicting needs, and to what has become
    of its parts, where it trains them on."""
    build_model: Callable[[Trained], nn.Module]
    """What was trained as one module."""
    predict: Callable[[Trained, Tensor], Float[Tensor, "steps frames joints 3"]] | None = None
    """Depth (frames, 1, S, S) to joints in units of half the cube's edge, as they are after every step of an
    iteration: the last is the result. Methods that do not iterate give one step. None where a kind gives no joints.
    """
    probe: Callable[[Trained, CropDataset, CropDataset], Numbers] | None = None
    """What else is to be known of it, from test crops and those it learned from; None where joints tell it all."""
    pose: Callable[[Trained, Tensor], Float[Tensor, "frames 26"]] | None = None
    """Depth (frames, 1, S, S) to pose parameters: the wrist in units of half the cube's edge around its centre, then
    radians in the order of skeleton.DOFS. None where a kind knows no hand."""
    pose_of_all: Callable[[Trained, Tensor], Float[Tensor, "frames 26"]] | None = None
    """Where `pose` is fitted to the joints that are told: the same of all joints that were learned."""
    pose_bones: Callable[[Trained, SeenHands], PosedHands] | None = None
    """In the place of `predict`: joints of any dataset, by way of the turns of bones."""
    probe_truth: Callable[[Trained, CropDataset, Truth], Numbers] | None = None
    """What besides is to be known of it where the test crops are embedded, whose truth is at hand."""
    describe_held: Callable[[CropDataset], dict[str, Any]] | None = None
    """What the hands that it learns from hold, for its card; None where a kind gives no object."""


def keep(network: nn.Module) -> State:
    """What a training leaves of a network."""
    return {name: value.detach().cpu() for name, value in network.state_dict().items()}


def keep_parts(networks: Sequence[nn.Module]) -> State:
    """The same of networks that were trained on: each under its place among the needs, as a checkpoint has them."""
    return {f"{place}/{name}": value for place, one in enumerate(networks) for name, value in keep(one).items()}


def load_method(kind: str) -> Method:
    """How a kind is trained and used: METHOD of its file, or for `file.part` the METHODS["part"] of it."""
    file, _, part = kind.partition(".")
    loaded = importlib.import_module(f"handbench.methods.{file}")
    method: Method = loaded.METHODS[part] if part else loaded.METHOD
    return method
