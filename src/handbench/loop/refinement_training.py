"""How network and point cloud are trained on together without a label (refine Eq. 1, Sec. 4.1).

The crops' own labels never come in here: `hide_labels` leaves them behind. What tells whether a training goes on to
gain is the loss itself, on frames that are held back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.hand.keypoints import Hand
from handbench.loop.augmentation import CropBatch, Ranges, augment
from handbench.loop.crop_data import AT_ONCE, VALIDATION_SHARE, Data, Division, as_batch, read_crops
from handbench.loop.descent import Descent
from handbench.networks.crop_view import CropView, view_crop
from handbench.networks.refine import RefinedHand
from handbench.refine_modules import RefineAdapted

Measure = Callable[[RefinedHand, CropBatch], dict[str, Tensor]]
"""The loss of a batch, as `loss`, and its parts."""


@dataclass(frozen=True)
class Look:
    """How crops are splatted and where in them a posed cloud is put."""

    radius: float
    """r of Eq. 5, in half cube edges."""
    block: Hand | None = None
    """Whose joints the crops are the boxes around; None where they were cut by what is seen."""

    def __call__(self, crops: CropBatch) -> CropView:
        return view_crop(crops.depth, crops.frame, self.radius, self.block)


def hide_labels(data: Data) -> Data:
    """The same crops with no joint in them."""
    return {**data, "joints": data["joints"][:, :0]}


def divide_unlabelled(crops: CropDataset) -> Division:
    """All frames, labelled or not; the last of the list are held back."""
    return divide_hidden(read_crops(crops), str(crops.store.path))


def divide_hidden(data: Data, where: str) -> Division:
    data, frames = hide_labels(data), len(data["depth"])
    if frames < 2:
        fix = "take more frames"
        raise BadInput(where, expected="at least two frames", found=str(frames), fix=fix)
    seen = frames - max(int(VALIDATION_SHARE * frames), 1)
    return Division(
        {name: values[:seen] for name, values in data.items()}, {name: values[seen:] for name, values in data.items()}
    )


class RefinementTraining(Descent):
    """Eq. 1 on batches of unlabelled crops; weights and P each have a rate of their own."""

    network: RefinedHand

    def __init__(
        self,
        network: RefinedHand,
        settings: RefineAdapted,
        steps: int,
        measure: Measure,
        held_back: Data,
        *,
        patience: int | None = None,
    ) -> None:
        """With `patience` it ends once so many epochs have not lowered the loss of the frames held back; what did best
        is then there to be taken."""
        super().__init__(network, settings, steps)
        self.measure, self.held_back, self.patience = measure, held_back, patience
        self.start_loss = float("nan")
        """Of the frames held back before anything was learned; asked for with `patience` alone."""
        self.best: dict[str, Any] = {"loss": float("inf"), "epoch": -1, "state": {}}

    def on_train_start(self) -> None:
        if self.patience is not None and not self.best["state"]:
            self.start_loss = measure_unlabelled(self.network, self.measure, self.held_back)["loss"]
            self._keep_best(self.start_loss, -1)
        # Killed between its last epoch and its end, it had ended all the same.
        self._stop_in_time(self.current_epoch - 1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        assert isinstance(self.settings, RefineAdapted)
        groups = [
            {"params": list(self.network.network.parameters()), "lr": self.settings.learning_rate},
            {"params": list(self.network.cloud.parameters()), "lr": self.settings.cloud_rate_mm},
        ]
        optimizer = torch.optim.Adam(groups, fused=True)
        schedule = LambdaLR(optimizer, lambda step: self.rate_share(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def training_step(self, batch: Data, index: int) -> Tensor:
        crops = as_batch(batch)
        if self.ranges != Ranges(0.0, 0.0, 0.0):
            crops = augment(crops, self.ranges)
        told = self.measure(self.network, crops)
        for name, value in told.items():
            self.log(name, value, on_step=False, on_epoch=True)
        return told["loss"]

    def on_train_epoch_end(self) -> None:
        losses = measure_unlabelled(self.network, self.measure, self.held_back)
        self.log("validation_loss", losses["loss"])
        self.log("validation_depth", losses["depth_loss"])
        if self.patience is not None:
            self._keep_best(losses["loss"], self.current_epoch)

    def _keep_best(self, loss: float, epoch: int) -> None:
        if loss < self.best["loss"]:
            state = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
            self.best = {"loss": loss, "epoch": epoch, "state": state}
        self._stop_in_time(epoch)

    def _stop_in_time(self, epoch: int) -> None:
        if self.patience is not None and epoch - self.best["epoch"] >= self.patience:
            self.trainer.should_stop = True

    def take_best(self) -> None:
        """Leave what did best, be it the start. To be called when training has ended: where all epochs were done by a
        process that was killed then, Lightning starts no other and calls no hook."""
        self.network.load_state_dict(self.best["state"])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["best"], checkpoint["start_loss"] = self.best, self.start_loss

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.best, self.start_loss = checkpoint["best"], checkpoint["start_loss"]


@torch.no_grad()
def measure_unlabelled(network: RefinedHand, measure: Measure, data: Data) -> dict[str, float]:
    """The loss and its parts on average over frames that nothing is learned from."""
    was_training, device = network.training, network.cloud.points_mm.device
    network.eval()
    sums: dict[str, float] = {}
    for rows in torch.arange(len(data["depth"])).split(AT_ONCE):
        part = {name: values[rows].to(device) for name, values in data.items()}
        for name, value in measure(network, as_batch(part)).items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(rows)
    network.train(was_training)
    return {name: value / len(data["depth"]) for name, value in sums.items()}
