"""How refine's base network learns the turns of bones from rendered hands (Sec. 3.2)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.loop import processes
from handbench.loop.augmentation import augment
from handbench.loop.crop_data import Data, apply, as_batch
from handbench.loop.descent import Descent
from handbench.refine_modules import RefineBase

QUATERNIONS = "quaternions"
"""What stands beside the crops of rendered hands."""
Quaternions = Float[Tensor, "batch 16 4"]


def measure_turns_deg(quaternions: Quaternions, truth: Quaternions) -> Float[Tensor, "batch 16"]:
    """By how much each bone is turned away from where it should be."""
    return 2 * torch.rad2deg((quaternions * truth).sum(dim=-1).abs().clamp(max=1).acos())


class BaseTraining(Descent):
    """The loss of a batch of augmented crops; of the frames held back the error of joints and of turns."""

    def __init__(
        self,
        network: nn.Module,
        settings: RefineBase,
        steps: int,
        loss: Callable[[Quaternions, Quaternions], Tensor],
        held_back: Data,
        measure_mm: Callable[[Quaternions, Data], float],
    ) -> None:
        """`measure_mm`: mean joint error of frames whose bones are turned so."""
        super().__init__(network, settings, steps)
        self.loss, self.held_back, self.measure_mm = loss, held_back, measure_mm

    def training_step(self, batch: Data, index: int) -> Tensor:
        crops = augment(as_batch(batch), self.ranges)
        loss = self.loss(self.network(crops.depth), batch[QUATERNIONS])
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        told = apply(self.network, self.held_back["depth"])
        self.log("validation_deg", processes.mean(measure_turns_deg(told, self.held_back[QUATERNIONS])))
        self.log("validation_mm", self.measure_mm(told, self.held_back))
