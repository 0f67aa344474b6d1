"""How the predictors of hand and object are trained: D augmented, cut as in use, the paper's loss of what is seen."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.geometry.corner_loss import nearest_corners
from handbench.loop import processes
from handbench.loop.augmentation import augment
from handbench.loop.crop_data import AT_ONCE, Data, Division, as_batch
from handbench.loop.descent import Descent, count_steps
from handbench.loop.held_data import BOX_CORNERS, JOINTS, held_of, list_symmetries
from handbench.loop.held_view import Seen, View
from handbench.modules import Fitting

Loss = Callable[[nn.Module, Seen], Tensor]
Answer = Callable[[nn.Module, Seen], Float[Tensor, "batch points 3"]]


def look(network: nn.Module, seen: Seen) -> Float[Tensor, "batch points 3"]:
    """What most networks say: points."""
    points: Tensor = network(seen.images)
    return points


class HeldTraining(Descent):
    """`loss(network, seen)`, and the mean distance of points in the frames held back."""

    def __init__(
        self,
        network: nn.Module,
        settings: Fitting,
        steps: int,
        view: View,
        loss: Loss,
        held_back: Data,
        kind: str,
        answer: Answer = look,
    ) -> None:
        super().__init__(network, settings, steps)
        self.view, self.loss, self.answer = view, loss, answer
        self.held_back, self.kind = held_back, kind

    def training_step(self, batch: Data, index: int) -> Tensor:
        seen = self.view(augment(as_batch(batch), self.ranges), held_of(batch), 1.0)
        loss = self.loss(self.network, seen)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    @torch.no_grad()
    def on_train_epoch_end(self) -> None:
        self.network.eval()
        distances = []
        for rows in torch.arange(len(self.held_back["depth"])).split(AT_ONCE):
            part = {name: values[rows].to(self.device) for name, values in self.held_back.items()}
            seen = self.view(as_batch(part), held_of(part), 0.0)
            distances.append(measure_points_mm(self.answer(self.network, seen), seen, self.kind))
        self.network.train()
        self.log("validation_mm", processes.mean(torch.cat(distances)))


def measure_points_mm(points: Float[Tensor, "batch points 3"], seen: Seen, kind: str) -> Float[Tensor, "batch"]:
    """Mean distance of each frame's points from those that look like the true ones."""
    truth = match_truth(points, seen, kind)
    return (points - truth).norm(dim=2).mean(dim=1) * seen.frame.cube_mm / 2


def match_truth(points: Float[Tensor, "batch points 3"], seen: Seen, kind: str) -> Float[Tensor, "batch points 3"]:
    """The true points; the corners, which stand last where there are any, are of those that look alike the nearest."""
    if points.shape[1] == JOINTS:
        return seen.points
    before, corners = seen.points[:, :-BOX_CORNERS], seen.points[:, -BOX_CORNERS:]
    alike = nearest_corners(points[:, -BOX_CORNERS:], corners, list_symmetries(kind), seen.held.which)
    return torch.cat([before, alike], dim=1)


@torch.no_grad()
def collect_points(data: Data, view: View, seed: int) -> Float[Tensor, "frames points 3"]:
    """The points of all frames as a network is asked for them; the noise of their places depends on the seed alone."""
    points = []
    with torch.random.fork_rng(devices=[]):
        processes.seed(seed)
        for rows in torch.arange(len(data["depth"])).split(AT_ONCE):
            part = {name: values[rows] for name, values in data.items()}
            points.append(view(as_batch(part), held_of(part), 1.0).points)
    return torch.cat(points)


def fit_held(
    network: nn.Module,
    settings: Fitting,
    crops: Division,
    view: View,
    loss: Loss,
    fit: Callable[..., Any],
    *,
    kind: str,
    answer: Answer = look,
) -> None:
    """All epochs."""
    steps = count_steps(len(crops.seen["depth"]), settings.epochs, settings.batch)
    training = HeldTraining(network, settings, steps, view, loss, crops.held_back, kind, answer)
    fit(training, crops.seen, epochs=settings.epochs, batch=settings.batch, precision=settings.precision)
