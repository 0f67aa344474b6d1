"""How the updater of hand or object is trained: the hinge of Eq. 22 over both pose sets, on the merged image."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.geometry.corner_loss import nearest_corners
from handbench.geometry.patch_frame import points_to_cube, points_to_mm
from handbench.held_modules import HeldUpdater
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import AT_ONCE, Data, Division, as_batch
from handbench.loop.descent import Descent, count_steps
from handbench.loop.hand_object_iteration import HandObjectLoop, Placed, Side, Step, look
from handbench.loop.held_data import CORNER_POINTS, HAND_POINTS, TARGETS, Target, held_of, list_symmetries
from handbench.loop.held_model import Poses, Started, find_poses
from handbench.loop.held_object import Held
from handbench.loop.held_poses import OTHER, PosesOfSide, measure_steps_mm, pick_points
from handbench.loop.held_view import split_points
from handbench.loop.iteration import hinge
from handbench.loop.pose_set import Shares
from handbench.loop.updater_training import EPOCHS_A_ROUND, FRAME, augment_with


class HeldUpdaterTraining(Descent):
    """All other networks are as their own trainings left them; the other side's updater leaves poses as they are.

    `validation_mm` is measured on the frames held back, and errors that the networks make there are drawn for both pose
    sets: it tells when a training is at its end, not how well strangers are served.
    """

    def __init__(
        self, loop: HandObjectLoop, target: Target, settings: HeldUpdater, steps: int, crops: Division, kind: str
    ) -> None:
        side: Side = getattr(loop, target)
        super().__init__(side.updater, settings, steps)
        self.settings: HeldUpdater = settings
        # In a tuple, so that it is no part of this module: only the updater is trained and saved.
        self.fixed = (loop,)
        self.target, self.crops, self.kind = target, crops, kind
        predicted = [self._run(Started(loop.hand, loop.object), data) for data in (crops.seen, crops.held_back)]
        half_mm = float(crops.seen["cube_mm"].mean()) / 2
        noise = settings.noise_mm / half_mm
        own = Shares(settings.truth_share, settings.error_share, settings.noise_share, noise)
        other = Shares(OTHER.truth, OTHER.errors, OTHER.noise, noise)
        self.poses = {
            name: PosesOfSide(
                name,
                kind,
                crops.seen,
                crops.held_back,
                (predicted[0], predicted[1]),
                own if name == target else other,
                turn_rad=settings.noise_deg * torch.pi / 180,
                rounds=settings.kept_rounds,
            )
            for name in TARGETS
        }

    @property
    def loop(self) -> HandObjectLoop:
        return self.fixed[0]

    def on_fit_start(self) -> None:
        self.loop.to(self.device)
        for one in self.poses.values():
            one.poses.to(self.device)

    def training_step(self, batch: Data, index: int) -> Tensor:
        drawn = self._draw(batch[FRAME])
        crops, drawn = augment_with(as_batch(batch), drawn, self.ranges)
        held = held_of(batch)
        with torch.no_grad():
            step = self._place(drawn, crops, held)
            merged = self.loop.draw_merged(step, crops.frame, held)
            placed = pick_side(step, self.target)
            images = look(crops, merged, placed.frame)
            truth = points_to_cube(self._find_truth_mm(placed, crops, held), placed.frame)
        updated = placed.points + self.network(*images)
        loss = hinge(updated, placed.points, truth, self.settings.lam).mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        held_back = self.crops.held_back
        poses = self._run(self.loop, held_back)
        errors_mm = measure_steps_mm(poses, held_back, self.target, self.kind).mean(dim=1)
        self.log("start_mm", errors_mm[0])
        self.log("validation_mm", errors_mm[-1])
        if (self.current_epoch + 1) % EPOCHS_A_ROUND == 0:
            self.poses[self.target].add(self._update_all(), pick_points(poses, self.target)[1])
        self.network.train()

    def _draw(self, rows: Tensor) -> Float[Tensor, "batch 29 3"]:
        """A pose of each set for every frame: hand, then object."""
        return torch.cat([self.poses[name].draw(rows) for name in TARGETS], dim=1)

    def _place(self, drawn: Float[Tensor, "batch 29 3"], crops: CropBatch, held: Held) -> Step:
        """Both poses in the frames that they have in use: at the pose, or where a localizer might have put them."""
        points_mm = points_to_mm(drawn, crops.frame)
        hand_mm = points_mm[:, HAND_POINTS]
        corners_mm = self.loop.object.settle(points_mm[:, CORNER_POINTS], held)
        shown_mm = (hand_mm, corners_mm) if self.settings.recrop == "pose" else split_points(crops, held)
        sides = (self.loop.hand, self.loop.object)
        middles_mm = [side.find_middle(one_mm) for side, one_mm in zip(sides, shown_mm, strict=True)]
        if self.settings.recrop == "localizer":
            middles_mm = [one + self.settings.place_noise_mm * torch.randn_like(one) for one in middles_mm]
        frames = [side.frame_at(middle_mm) for side, middle_mm in zip(sides, middles_mm, strict=True)]
        return Step(Placed(hand_mm, frames[0]), Placed(corners_mm, frames[1]))

    def _find_truth_mm(self, placed: Placed, crops: CropBatch, held: Held) -> Float[Tensor, "batch points 3"]:
        """The true pose; of what looks like the true box the one nearest to the pose that is to be corrected."""
        hand_mm, corners_mm = split_points(crops, held)
        if self.target == "hand":
            return hand_mm
        return nearest_corners(placed.points_mm, corners_mm, list_symmetries(self.kind), held.which)

    @torch.no_grad()
    def _update_all(self) -> Float[Tensor, "frames points 3"]:
        """p2 = p + updater(c, S) for one pose of every frame's sets."""
        seen, outputs = self.crops.seen, []
        side: Side = getattr(self.loop, self.target)
        for rows in torch.arange(len(seen["depth"])).split(AT_ONCE):
            part = {name: values[rows].to(self.device) for name, values in seen.items()}
            crops, held = as_batch(part), held_of(part)
            with self._precision():
                step = self._place(self._draw(rows.to(self.device)), crops, held)
                merged = self.loop.draw_merged(step, crops.frame, held)
                outputs.append(side.correct(pick_side(step, self.target), crops, merged, held).points_mm.cpu())
        return torch.cat(outputs)

    def _run(self, model: nn.Module, data: Data) -> Poses:
        with self._precision():
            return find_poses(model, data)

    def _precision(self) -> torch.autocast:
        """That of the training: all frames pass here, in float32 for as long as in an epoch."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["pose_set"] = self.poses[self.target].poses.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.poses[self.target].poses.restore(checkpoint["pose_set"])


def pick_side(step: Step, target: Target) -> Placed:
    return step.hand if target == "hand" else step.object


def fit_held_updater(
    loop: HandObjectLoop, target: Target, settings: HeldUpdater, crops: Division, fit: Callable[..., Any], *, kind: str
) -> None:
    """All epochs of the updater that the loop has at this side."""
    steps = count_steps(len(crops.seen["depth"]), settings.epochs, settings.batch)
    training = HeldUpdaterTraining(loop, target, settings, steps, crops, kind)
    numbered = {**crops.seen, FRAME: torch.arange(len(crops.seen["depth"]))}
    fit(training, numbered, epochs=settings.epochs, batch=settings.batch, precision=settings.precision)
