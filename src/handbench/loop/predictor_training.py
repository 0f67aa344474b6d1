"""How a predictor of either paper is trained: its paper's loss over augmented batches."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from handbench.loop.augmentation import CropBatch, augment
from handbench.loop.crop_data import Data, Division, apply, as_batch, measure_error_mm
from handbench.loop.descent import Descent, count_steps
from handbench.modules import Fitting

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


class PredictorTraining(Descent):
    """`loss(network, depth, joints)` of its paper, and the error on the frames held back."""

    def __init__(self, network: nn.Module, settings: Fitting, steps: int, loss: Loss, held_back: Data) -> None:
        super().__init__(network, settings, steps)
        self.loss = loss
        self.held_back = held_back

    def training_step(self, batch: Data, index: int) -> Tensor:
        crops = augment(as_batch(batch), self.ranges)
        loss = self.loss(self.network, crops.depth, self.find_target(crops))
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        self.log("validation_mm", self.measure_mm(apply(self.network, self.held_back["depth"])))

    def find_target(self, crops: CropBatch) -> Tensor:
        """What the network is to say of moved crops."""
        return crops.joints

    def measure_mm(self, answers: Tensor) -> float:
        """How far off it is in the frames held back."""
        return measure_error_mm(answers, self.held_back)


def fit_predictor(
    network: nn.Module,
    settings: Fitting,
    crops: Division,
    loss: Loss,
    fit: Callable[..., Any],
    training_of: type[PredictorTraining] = PredictorTraining,
) -> None:
    """All epochs; every frame with all its joints labelled is trained on or held back."""
    steps = count_steps(len(crops.seen["depth"]), settings.epochs, settings.batch)
    training = training_of(network, settings, steps, loss, crops.held_back)
    fit(training, crops.seen, epochs=settings.epochs, batch=settings.batch, precision=settings.precision)
