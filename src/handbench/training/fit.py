"""One training run as a method sees it: the seed, a place for the numbers of an epoch, a way to train a module."""

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from handbench.loop import processes
from handbench.modules import Precision

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule

    from handbench.fitting.pose_file import FittedPoses
    from handbench.methods import Trained

RESUME = "resume"
VALIDATIONS = ("validation_mm", "validation_loss")
"""The metrics that tell whether a training has come to its end; of one without labels the loss."""
LAST_SHARE, STILL_FALLING = 0.2, 0.01


class Fit:
    """What `methods.TrainingRun` asks for, over a folder that a killed training goes on from."""

    def __init__(
        self,
        seed: int,
        folder: Path,
        log: Callable[[Mapping[str, float], int], None],
        *,
        needs: "tuple[Trained, ...]" = (),
        poses: "FittedPoses | None" = None,
        quaternions: "Tensor | None" = None,
        key: str = "any",
    ) -> None:
        """`key` stands for all that the training depends on: what was begun under another one is not gone on with."""
        self.seed = seed
        self.needs = needs
        self.poses = poses
        self.quaternions = quaternions
        self.shown: dict[str, float] = {}
        """The last value of everything that was logged."""
        self.remarks: list[str] = []
        self._stopped: list[bool] = []
        self._folder = folder / RESUME
        self._place = self._folder / key
        for other in self._folder.glob("*") if processes.own() == 0 else ():
            if other != self._place:
                shutil.rmtree(other)
        self._log = log
        self._fits = 0

    @property
    def converged(self) -> bool | None:
        """Whether the validation error has stopped falling: so of what is solved in one step; None: nobody looked."""
        return all(self._stopped) if self._stopped or not self._fits else None

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._log(metrics, step)
        self.shown.update(metrics)

    def remark(self, text: str) -> None:
        """Say it at once; at the end it stands in the card and in the line that tells what was done."""
        if processes.own() == 0:
            print(text, file=sys.stderr, flush=True)
        self.remarks.append(text)

    def fit(
        self,
        module: "LightningModule",
        data: Mapping[str, Tensor],
        *,
        epochs: int,
        batch: int,
        precision: Precision = "float32",
        epoch_steps: int | None = None,
    ) -> None:
        """Train on batches of resident tensors; of several fits of one training each goes on by itself."""
        # Lightning takes seconds to load; what has nothing to fit does not wait for it.
        from handbench.training.lightning_loop import run_epochs

        self._fits += 1
        place = self._place / str(self._fits)
        history = run_epochs(
            module,
            data,
            epochs=epochs,
            batch=batch,
            seed=self.seed,
            place=place,
            tell=self.log,
            precision=precision,
            epoch_steps=epoch_steps,
        )
        held_back = [metrics[name] for name in VALIDATIONS for metrics in history if name in metrics]
        if held_back:
            self._stopped.append(has_stopped_falling(held_back))

    def forget(self) -> None:
        """The checkpoint is saved: nothing is left to go on from."""
        shutil.rmtree(self._folder, ignore_errors=True)


def has_stopped_falling(errors: Sequence[float]) -> bool:
    """Whether the last fifth of at least ten epochs has found nothing that is 1 % better than all before."""
    last = max(round(LAST_SHARE * len(errors)), 1)
    if len(errors) < 10:
        return False
    return min(errors[-last:]) > (1 - STILL_FALLING) * min(errors[:-last])
