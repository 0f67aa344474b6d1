"""A training that dies after each epoch and is started again."""

from pathlib import Path
from typing import Any

import pytest

from handbench.training import lightning_loop
from handbench.training.train import Job, train


class KilledError(BaseException):
    """No exception that anything could catch on its way."""


def train_with_kills(job: Job, store: Path, out: Path, monkeypatch: pytest.MonkeyPatch, *, starts: int) -> int:
    """How often it died; the kill comes after each epoch's file is written."""
    train_epoch_end = lightning_loop.EpochEnd.on_train_epoch_end

    def end_and_die(self: Any, trainer: Any, module: Any) -> None:
        train_epoch_end(self, trainer, module)
        raise KilledError

    monkeypatch.setattr(lightning_loop.EpochEnd, "on_train_epoch_end", end_and_die)
    for killed in range(starts):
        try:
            train(job, store, out)
        except KilledError:
            continue
        return killed
    return starts
