"""A generator and a discriminator that learn at once: each by the gradient of its own loss, from the same images.

Nothing is drawn or looked at twice: both gradients are taken of one forward pass, and then both sides step, as
Algorithm 1 of crossing has it. The files that a killed training goes on from hold both optimisers.

Each epoch counts how far drawn and real images differ among themselves, and how many images are told right: by that a
collapse is seen (loop/collapse.py).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from handbench.crossing_modules import TwoSided
from handbench.loop.augmentation import CropBatch
from handbench.loop.collapse import Health, tell_collapse
from handbench.loop.crop_data import Data, as_batch
from handbench.loop.descent import as_ranges
from handbench.loop.labelled_training import move

Scalar = Float[Tensor, ""]
Logits = tuple[Float[Tensor, "real"], Float[Tensor, "drawn"]]


class Step(NamedTuple):
    """What one batch comes to."""

    generator: Scalar
    discriminator: Scalar
    health: Float[Tensor, "3"]
    """The numbers of `Health`."""
    told: dict[str, Tensor]
    """The losses apart, to be logged."""


@torch.no_grad()
def watch(
    real: Float[Tensor, "real 1 size size"], drawn: Float[Tensor, "drawn 1 size size"], logits: Logits | None
) -> Float[Tensor, "3"]:
    """The numbers of `Health` of one batch, from the images and what the discriminator says of both kinds."""
    spreads = [images.float().std(dim=0, correction=0).mean() for images in (real, drawn)]
    told = torch.full_like(spreads[0], torch.nan)
    if logits is not None:
        told = ((logits[0] > 0).float().mean() + (logits[1] < 0).float().mean()) / 2
    return torch.stack([*spreads, told])


class AdversarialTraining(LightningModule):
    """`step(crops)` of both sides; `late` parts learn from an epoch on, `measure()` is asked after each one."""

    health: Float[Tensor, "3"]

    def __init__(
        self,
        sides: tuple[nn.Module, nn.Module],
        settings: TwoSided,
        steps: int,
        step: Callable[[CropBatch], Step],
        *,
        late: Sequence[nn.Module] = (),
        late_from: int = 0,
        measure: Callable[[], float] | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.sides = nn.ModuleList(sides)
        self.settings, self.steps = settings, steps
        self.ranges = as_ranges(settings.augmentation)
        self.step, self.measure = step, measure
        self.late, self.late_from = tuple(late), late_from
        # Part of what is saved: a training killed after its last epoch still knows how that went.
        self.register_buffer("health", torch.zeros(3))
        self._seen: list[Tensor] = []

    def configure_optimizers(self) -> Any:
        settings = self.settings
        moments, rates = (settings.first_moment, 0.999), (settings.generator_rate, settings.learning_rate)
        optimizers = [
            torch.optim.Adam(side.parameters(), lr=rate, betas=moments, fused=True)
            for side, rate in zip(self.sides, rates, strict=True)
        ]
        # A plain function, as in `Descent`.
        schedules = [LambdaLR(one, lambda step: self.rate_share(step)) for one in optimizers]
        return optimizers, [{"scheduler": one, "interval": "step"} for one in schedules]

    def rate_share(self, step: int) -> float:
        """Of both learning rates: as in `Descent`."""
        rise = min((step + 1) / (self.settings.warm_up_steps + 1), 1.0)
        return rise * float(self.settings.last_rate_share ** (step / self.steps))

    def on_train_epoch_start(self) -> None:
        self._seen.clear()
        for part in self.late:
            part.requires_grad_(self.current_epoch >= self.late_from)

    def training_step(self, batch: Data, index: int) -> None:
        done = self.step(move(as_batch(batch), self.ranges))
        optimizers: Any = self.optimizers()
        for place, (side, loss) in enumerate(zip(self.sides, (done.generator, done.discriminator), strict=True)):
            optimizers[place].zero_grad()
            learned = [one for one in side.parameters() if one.requires_grad]
            self.manual_backward(loss, inputs=learned, retain_graph=place == 0)
        schedules: Any = self.lr_schedulers()
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        self._seen.append(done.health)
        self.log_dict(done.told, on_step=False, on_epoch=True)

    @torch.no_grad()
    def on_train_epoch_end(self) -> None:
        self.health.copy_(torch.stack(self._seen).mean(dim=0))
        health = self.read_health()
        told = {"spread_real": health.spread_real, "spread_drawn": health.spread_drawn}
        told |= {} if math.isnan(health.accuracy) else {"accuracy": health.accuracy}
        self.log_dict({**told, "collapsed": float(health.collapsed)})
        if self.measure is not None:
            self.sides.eval()
            self.log("validation_mm", self.measure())
            self.sides.train()

    def read_health(self) -> Health:
        """Of the last epoch."""
        return Health(*self.health.tolist())


def run_adversarial(training: AdversarialTraining, data: Data, settings: TwoSided, run: Any, epoch_steps: int) -> None:
    """All epochs; a GAN that has collapsed at their end is no secret."""
    run.fit(
        training,
        data,
        epochs=settings.epochs,
        batch=settings.batch,
        precision=settings.precision,
        epoch_steps=epoch_steps,
    )
    health = training.read_health()
    if health.collapsed:
        run.remark(tell_collapse(health))
