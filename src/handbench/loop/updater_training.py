"""How an updater of either paper is trained: the hinge over poses of T_D that the synthesizer draws."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from handbench.loop import processes
from handbench.loop.augmentation import CropBatch, Ranges, augment
from handbench.loop.crop_data import Data, Division, apply, as_batch, measure_error_mm
from handbench.loop.descent import Descent, count_steps
from handbench.loop.iteration import hinge, run_loop
from handbench.loop.pose_set import PoseSet, Shares
from handbench.modules import UpdaterFitting

EPOCHS_A_ROUND = 2
"""After every 2 epochs T_D grows (Sec. 3.4 of 2015, 3.5 of 2019)."""
FRAME = "frame"
"""Beside the crops of the frames seen: which row of the pose set is a frame's."""


class UpdaterTraining(Descent):
    """Synthesizer and predictor are as their own trainings left them."""

    def __init__(
        self,
        network: nn.Module,
        synthesizer: nn.Module,
        predictor: nn.Module,
        settings: UpdaterFitting,
        steps: int,
        crops: Division,
    ) -> None:
        super().__init__(network, settings, steps)
        self.settings: UpdaterFitting = settings
        # In a tuple, so that they are no part of this module: they are neither trained nor saved with it.
        self.fixed = (synthesizer,)
        self.crops = crops
        self.start = apply(predictor, crops.held_back["depth"])
        predicted = apply(predictor, crops.seen["depth"])
        # Of the frames of all processes: a batch may hold any of them.
        every = (crops.seen["joints"], predicted, self.start - crops.held_back["joints"])
        truth, predicted, errors = (processes.join(one) for one in every)
        self.poses = PoseSet(truth, predicted, errors, settings.kept_rounds)
        half_mm = processes.mean(crops.seen["cube_mm"]) / 2
        self.shares = Shares(
            settings.truth_share, settings.error_share, settings.noise_share, settings.noise_mm / half_mm
        )

    def on_fit_start(self) -> None:
        self.fixed[0].to(self.device)
        self.poses.to(self.device)

    def training_step(self, batch: Data, index: int) -> Tensor:
        pose = self.poses.draw(batch[FRAME], self.shares)
        crops, pose = augment_with(as_batch(batch), pose, self.ranges)
        with torch.no_grad():
            image = self.fixed[0](pose)
        updated = pose + self.network(crops.depth, image)
        loss = hinge(updated, pose, crops.joints, self.settings.lam).mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        held_back = self.crops.held_back
        poses = self._run(held_back["depth"], self.start, self.settings.iterations)
        self.log("start_mm", measure_error_mm(poses[0], held_back))
        self.log("validation_mm", measure_error_mm(poses[-1], held_back))
        if (self.current_epoch + 1) % EPOCHS_A_ROUND == 0:
            self._add_round(poses[1] - held_back["joints"])

    def _add_round(self, errors_held_back: Tensor) -> None:
        """p2 = p + updater(D, synth(p)) for one pose of every frame's set (Eq. 9 of 2015, Eq. 10 of 2019)."""
        every = torch.arange(len(self.poses.truth), device=self.device)
        mine = processes.take_own(self.poses.draw(every, self.shares, whole=True))
        outputs = self._run(self.crops.seen["depth"], mine, 1)[1]
        self.poses.add(processes.join(outputs), processes.join(errors_held_back))

    def _run(self, depth: Tensor, start: Tensor, iterations: int) -> Tensor:
        """The loop in the precision of the training: all frames pass here, in float32 for as long as in an epoch."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            return run_loop(self.network, self.fixed[0], depth, start, iterations)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["pose_set"] = self.poses.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.poses.restore(checkpoint["pose_set"])


def augment_with(crops: CropBatch, pose: Tensor, ranges: Ranges) -> tuple[CropBatch, Tensor]:
    """Crops moved, and a second pose of each moved with them."""
    joints = crops.joints.shape[1]
    both = augment(replace(crops, joints=torch.cat([crops.joints, pose], dim=1)), ranges)
    return replace(both, joints=both.joints[:, :joints]), both.joints[:, joints:]


def fit_updater(
    network: nn.Module,
    predictor: nn.Module,
    synthesizer: nn.Module,
    settings: UpdaterFitting,
    crops: Division,
    fit: Callable[..., Any],
) -> None:
    """All epochs, with predictor and synthesizer as they are."""
    steps = count_steps(len(crops.seen["depth"]), settings.epochs, settings.batch)
    training = UpdaterTraining(network, synthesizer, predictor, settings, steps, crops)
    frames = torch.arange(processes.total(len(crops.seen["joints"])))
    numbered = {**crops.seen, FRAME: processes.take_own(frames)}
    fit(training, numbered, epochs=settings.epochs, batch=settings.batch, precision=settings.precision)
