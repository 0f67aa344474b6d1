"""A training on labelled frames that says by a function what it minimises, and by another how far off it is."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from handbench.crossing_modules import CrossingFitting
from handbench.loop import processes
from handbench.loop.augmentation import CropBatch, Ranges, augment
from handbench.loop.crop_data import Data, as_batch
from handbench.loop.descent import Descent
from handbench.loop.labelled_share import Shared
from handbench.modules import Fitting

UNMOVED = Ranges(0.0, 0.0, 0.0)


class LabelledTraining(Descent):
    """`loss(crops)` of a batch, and `measure()` of the frames held back, with the network in eval mode."""

    def __init__(
        self,
        network: nn.Module,
        settings: Fitting,
        steps: int,
        loss: Callable[[CropBatch], Tensor],
        measure: Callable[[], float],
    ) -> None:
        super().__init__(network, settings, steps)
        self.loss, self.measure = loss, measure

    def training_step(self, batch: Data, index: int) -> Tensor:
        loss = self.loss(move(as_batch(batch), self.ranges))
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    @torch.no_grad()
    def on_train_epoch_end(self) -> None:
        self.network.eval()
        self.log("validation_mm", self.measure())
        self.network.train()


def move(crops: CropBatch, ranges: Ranges) -> CropBatch:
    """Augmented where there is anything to augment by."""
    return crops if ranges == UNMOVED else augment(crops, ranges)


def count_epoch_steps(frames: int, settings: CrossingFitting) -> int:
    """As many steps as there are batches among the frames, but no more than the settings allow."""
    return min(max(frames // settings.batch, 1), settings.epoch_steps or frames)


def fit_labelled(
    network: nn.Module,
    settings: CrossingFitting,
    shared: Shared,
    run: Any,
    loss: Callable[[CropBatch], Tensor],
    measure: Callable[[], float],
    frames: int | None = None,
) -> None:
    """All epochs; each is as long as all frames make it, labelled or not, or as so many of this process do."""
    each = count_epoch_steps(processes.total(frames or len(shared.images)), settings)
    training = LabelledTraining(network, settings, settings.epochs * each, loss, measure)
    run.fit(
        training,
        shared.labelled,
        epochs=settings.epochs,
        batch=settings.batch,
        precision=settings.precision,
        epoch_steps=each,
    )
