"""Gradient descent as the papers have it: RMSprop with truncated gradients, Adam, or plain descent with momentum."""

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from handbench.loop import processes
from handbench.loop.augmentation import Ranges
from handbench.modules import Augmentation, DeepModelFitting, Fitting, RootMeanSquare


class Descent(LightningModule):
    """What every training here does alike; each says in `training_step` what it minimises."""

    def __init__(self, network: nn.Module, settings: Fitting, steps: int) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.steps = steps
        self.ranges = as_ranges(settings.augmentation)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        settings, learned = self.settings, [one for one in self.network.parameters() if one.requires_grad]
        optimizer: torch.optim.Optimizer
        if isinstance(settings, RootMeanSquare):
            optimizer = torch.optim.RMSprop(learned, lr=settings.learning_rate, alpha=settings.rms_decay)
        elif isinstance(settings, DeepModelFitting):
            optimizer = torch.optim.SGD(learned, lr=settings.learning_rate, momentum=settings.momentum)
        else:
            optimizer = torch.optim.Adam(learned, lr=settings.learning_rate, fused=True)
        # A plain function: of anything else the scheduler keeps the attributes in what a killed training goes on from.
        schedule = LambdaLR(optimizer, lambda step: self.rate_share(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def rate_share(self, step: int) -> float:
        """Of the learning rate: it decays by the same factor each step, after a rise where the settings have one."""
        rise = min((step + 1) / (self.settings.warm_up_steps + 1), 1.0)
        return rise * float(self.settings.last_rate_share ** (step / self.steps))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        if isinstance(self.settings, RootMeanSquare):
            nn.utils.clip_grad_value_(self.network.parameters(), self.settings.gradient_limit)


def as_ranges(augmentation: Augmentation) -> Ranges:
    return Ranges(augmentation.scale, augmentation.shift_mm, augmentation.turn_deg * torch.pi / 180)


def count_steps(frames: int, epochs: int, batch: int) -> int:
    """Gradient steps of so many epochs; a last short batch is left out. `frames`: those of this process."""
    return epochs * max(processes.total(frames) // batch, 1)
