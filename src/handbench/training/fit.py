"""One training run as a method sees it: the seed, a place for the numbers of an epoch, a way to train a module."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule

RESUME = "resume"


class Fit:
    """What `methods.TrainingRun` asks for, over a folder that a killed training goes on from."""

    def __init__(self, seed: int, folder: Path, log: Callable[[Mapping[str, float], int], None]) -> None:
        self.seed = seed
        self.shown: dict[str, float] = {}
        """The last value of everything that was logged."""
        self._folder = folder / RESUME
        self._log = log
        self._fits = 0

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self._log(metrics, step)
        self.shown.update(metrics)

    def fit(self, module: "LightningModule", data: Mapping[str, Tensor], *, epochs: int, batch: int) -> None:
        """Train on batches of resident tensors; of several fits of one training each goes on by itself."""
        # Lightning takes seconds to load; what has nothing to fit does not wait for it.
        from handbench.training.lightning_loop import run_epochs

        self._fits += 1
        place = self._folder / str(self._fits)
        run_epochs(module, data, epochs=epochs, batch=batch, seed=self.seed, place=place, tell=self.log)

    def forget(self) -> None:
        """The checkpoint is saved: nothing is left to go on from."""
        shutil.rmtree(self._folder, ignore_errors=True)
