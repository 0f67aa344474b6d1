"""How localizers of feedback19 are trained: as predictors are, on the offsets of augmented crops of one point."""

from collections.abc import Callable
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from handbench.loop import processes
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import Division
from handbench.loop.localization import find_joint_mm, find_offsets, find_points_mm
from handbench.loop.predictor_training import PredictorTraining, fit_predictor
from handbench.modules import Fitting


def localizer_loss(
    network: nn.Module, depth: Float[Tensor, "batch 1 size size"], offsets: Float[Tensor, "batch 3"]
) -> Float[Tensor, ""]:
    """|loc(D) - l|^2 on average over the batch (Eq. 5; of hand and object Eqs. 14 and 15)."""
    return (network(depth) - offsets).square().sum(dim=1).mean()


class LocalizerTraining(PredictorTraining):
    """`loss(network, depth, offsets)`, and how far off the joint is found in the frames held back."""

    def find_target(self, crops: CropBatch) -> Tensor:
        """A moved cube has another offset to the same joint, so that it is found after the crop has been moved."""
        return find_offsets(crops)

    def measure_mm(self, answers: Tensor) -> float:
        crops = CropBatch(**self.held_back)
        return processes.mean((find_points_mm(answers, crops) - find_joint_mm(crops)).norm(dim=1))


def fit_localizer(network: nn.Module, settings: Fitting, data: Division, fit: Callable[..., Any]) -> None:
    """`data` has one point a frame for its joints."""
    fit_predictor(network, settings, data, localizer_loss, fit, LocalizerTraining)
