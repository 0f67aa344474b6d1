"""One file a paper, or a baseline: its equations in its order, then what trains and predicts with them.

Here is only what every one of them keeps to.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor, nn

from handbench.datasets.torch_dataset import CropDataset

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule


@runtime_checkable
class TrainingRun(Protocol):
    """What a training is given to work with: the training room makes one."""

    seed: int

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Say how it goes: an epoch's numbers at once."""

    def fit(self, module: "LightningModule", data: Mapping[str, Tensor], *, epochs: int, batch: int) -> None:
        """Train a module on batches of resident tensors; after a kill it goes on from its last whole epoch."""


@dataclass(frozen=True)
class Method:
    """How one kind is trained and used; a file in methods/ makes one for each kind that it holds."""

    train: Callable[[CropDataset, Any, TrainingRun], dict[str, Tensor]]
    """Crops, the kind's settings and the run, to everything that predicting needs, as tensors."""
    predict: Callable[[dict[str, Tensor], Any, Tensor], Tensor]
    """Those tensors, the settings and depth (frames, 1, S, S), to joints in units of half the cube's edge."""
    build_model: Callable[[dict[str, Tensor], Any], nn.Module]
    """The same as one module in eval mode, depth in, joints out."""


def load_method(kind: str) -> Method:
    """How a kind is trained and used: METHOD of its file, or for `file.part` the METHODS["part"] of it."""
    file, _, part = kind.partition(".")
    loaded = importlib.import_module(f"handbench.methods.{file}")
    return loaded.METHODS[part] if part else loaded.METHOD
