"""How the localizer of feedback19 is trained: its paper's loss on the offsets of augmented crops."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from handbench.loop.augmentation import CropBatch, augment
from handbench.loop.crop_data import Data, Division, apply, as_batch
from handbench.loop.descent import Descent, count_steps
from handbench.loop.localization import find_joint_mm, find_offsets, find_points_mm
from handbench.modules import Fitting

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


class LocalizerTraining(Descent):
    """`loss(network, depth, offsets)`, and how far off the joint is found in the frames held back."""

    def __init__(self, network: nn.Module, settings: Fitting, steps: int, loss: Loss, held_back: Data) -> None:
        super().__init__(network, settings, steps)
        self.loss = loss
        self.held_back = held_back

    def training_step(self, batch: Data, index: int) -> Tensor:
        # A moved cube has another offset to the same joint, so that it is found after the crop has been moved.
        crops = augment(as_batch(batch), self.ranges)
        loss = self.loss(self.network, crops.depth, find_offsets(crops))
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        crops = CropBatch(**self.held_back)
        found_mm = find_points_mm(apply(self.network, crops.depth), crops)
        self.log("validation_mm", float((found_mm - find_joint_mm(crops)).norm(dim=1).mean()))


def fit_localizer(network: nn.Module, settings: Fitting, crops: Division, loss: Loss, fit: Callable[..., Any]) -> None:
    """All epochs, on crops of the one joint that is to be found."""
    steps = count_steps(len(crops.seen["depth"]), settings.epochs, settings.batch)
    training = LocalizerTraining(network, settings, steps, loss, crops.held_back)
    fit(training, crops.seen, epochs=settings.epochs, batch=settings.batch, precision=settings.precision)
