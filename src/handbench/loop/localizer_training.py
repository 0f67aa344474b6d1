"""How the localizer of feedback19 is trained: as a predictor is, on the offsets of augmented crops of one joint."""

from torch import Tensor

from handbench.loop.augmentation import CropBatch
from handbench.loop.localization import find_joint_mm, find_offsets, find_points_mm
from handbench.loop.predictor_training import PredictorTraining


class LocalizerTraining(PredictorTraining):
    """`loss(network, depth, offsets)`, and how far off the joint is found in the frames held back."""

    def find_target(self, crops: CropBatch) -> Tensor:
        """A moved cube has another offset to the same joint, so that it is found after the crop has been moved."""
        return find_offsets(crops)

    def measure_mm(self, answers: Tensor) -> float:
        crops = CropBatch(**self.held_back)
        return float((find_points_mm(answers, crops) - find_joint_mm(crops)).norm(dim=1).mean())
