"""A Lightning training whose epochs depend on their number and the seed alone.

The order of its batches and every random draw in an epoch start anew from both. So a training that was killed and goes
on from its last whole epoch ends with the very same numbers.

Several processes train together as one would that had all their frames: the same batches in the same order, each
process with an even part of them, the gradient the mean of all.
"""

import logging
import os
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor
from torch.nn import BatchNorm1d
from torch.utils.data import DataLoader, Dataset

from handbench.errors import BadInput
from handbench.loop import processes
from handbench.modules import Precision
from handbench.training.exchange import exchange

EPOCH_FILE = "epoch.ckpt"
Tell = Callable[[Mapping[str, float], int], None]
_EPOCHS_APART = 1_000_003
"""Seeds of neighbouring epochs lie this far apart, so that no two trainings of a spread of seeds share a draw."""


def run_epochs(
    module: LightningModule,
    data: Mapping[str, Tensor],
    *,
    epochs: int,
    batch: int,
    seed: int,
    place: Path,
    tell: Tell,
    precision: Precision = "float32",
    epoch_steps: int | None = None,
) -> list[dict[str, float]]:
    """Train on batches of `data` (first axis: frames), each an index into what is already in memory, the GPU's if used.

    `place` holds the file to go on from after a kill; `tell` takes the numbers of each epoch. Returned are those of all
    epochs, whoever trained them. Of several processes each has its own frames in `data`; a batch is that of all.
    """
    order = BatchOrder(processes.total(len(next(iter(data.values())))), batch, seed, epoch_steps)
    _check_even(order.batch)
    _check_rows(order.batch, module)
    # A generator of its own: the loader would draw from the one that dropout and augmentation draw from.
    apart = torch.Generator()
    # Its advertisements and its list of devices would be all that a log holds.
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    ends = EpochEnd(tell, place)
    together = processes.count() > 1
    devices = int(os.environ["LOCAL_WORLD_SIZE"]) if together else 1
    trainer = Trainer(
        accelerator="auto",
        devices=devices,
        num_nodes=processes.count() // devices,
        # Not every weight has a part in every training: of a synthesizer's early stages the last layers have none.
        strategy=DDPStrategy(find_unused_parameters=True) if together else "auto",
        # Left to itself, Lightning takes a Slurm job's tasks for its processes.
        plugins=[LightningEnvironment()],
        # Torch has none for the CPU: there each process normalises its part of a batch by itself.
        sync_batchnorm=together and torch.cuda.is_available(),
        max_epochs=epochs,
        precision="bf16-mixed" if precision == "bfloat16" else "32-true",
        callbacks=[EpochSeed(seed), ends],
        logger=False,
        enable_checkpointing=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        default_root_dir=place,
    )
    resident = Resident(data, trainer.strategy.root_device)
    loader: DataLoader[Any] = DataLoader(resident, sampler=order, batch_size=None, generator=apart)
    # Asked when an epoch's first batch is drawn; after a resume Lightning draws that before it tells a sampler.
    order.ask_epoch = lambda: trainer.current_epoch
    saved = place / EPOCH_FILE
    # An earlier fit of the same network has left it in eval mode.
    module.train()
    whole = processes.agree(processes.own() == 0 and _is_whole(saved))
    with warnings.catch_warnings():
        # Numbers of an epoch are brought together where they are told; how a gradient lies in memory is no news.
        for said in (".*sync_dist=True", "Grad strides do not match"):
            warnings.filterwarnings("ignore", message=said)
        trainer.fit(module, loader, ckpt_path=saved if whole else None, weights_only=True)
    module.eval()
    return ends.history


def _check_even(batch: int) -> None:
    if batch % processes.count():
        number = processes.count()
        raise BadInput(
            "train",
            expected=f"a batch that {number} processes can share evenly",
            found=str(batch),
            fix="choose another batch or number of devices, or train on more frames than a batch has",
        )


def _check_rows(batch: int, module: LightningModule) -> None:
    """Of few frames a batch is as small as they are."""
    normalises = any(isinstance(part, BatchNorm1d) for part in module.modules())
    if normalises and batch < 2 * processes.count():
        raise BadInput(
            "train",
            expected="two frames for each process in a batch, which it normalises",
            found=f"{batch} for {processes.count()}",
            fix="train on more labelled frames, or by fewer devices",
        )


def _is_whole(saved: Path) -> bool:
    """Whether there is a file to go on from; one that a broken disk has left is deleted, and training starts anew."""
    if not saved.is_file():
        return False
    try:
        # torch itself does not look at the archive's sums.
        with zipfile.ZipFile(saved) as archive:
            if broken := archive.testzip():
                raise ValueError(broken)
        torch.load(saved, weights_only=True, map_location="cpu", mmap=True)
    except Exception:  # a damaged archive fails in a dozen ways
        print(f"{saved} is damaged; the training starts anew", flush=True)
        saved.unlink()
        return False
    return True


class Resident(Dataset[dict[str, Tensor]]):
    """Tensors in a device's memory; a batch is one index operation on each, or this process's part of it."""

    def __init__(self, data: Mapping[str, Tensor], device: torch.device) -> None:
        self.data = {name: values.to(device) for name, values in data.items()}
        self.device = device

    def __getitem__(self, rows: Int64[Tensor, "batch"]) -> dict[str, Tensor]:
        if processes.count() > 1:
            return exchange(self.data, rows)
        there = rows.to(self.device)
        return {name: values.index_select(0, there) for name, values in self.data.items()}

    def __len__(self) -> int:
        return len(next(iter(self.data.values())))


class BatchOrder:
    """Rows of every batch of an epoch, in an order that the seed and the epoch give; a last short batch is left out.

    With fewer frames than a batch there is one batch of all. Where an epoch has a number of `steps`, the frames come in
    a new order as often as it takes.
    """

    def __init__(self, frames: int, batch: int, seed: int, steps: int | None = None) -> None:
        self.frames, self.batch, self.seed = frames, min(batch, frames), seed
        self.steps = steps or self.frames // self.batch
        self.ask_epoch: Callable[[], int] = lambda: 0

    def __iter__(self) -> Iterator[Int64[Tensor, "batch"]]:
        generator = torch.Generator().manual_seed(_mix(self.seed, self.ask_epoch()))
        whole = self.frames // self.batch
        for given in range(0, self.steps, whole):
            rows = torch.randperm(self.frames, generator=generator)
            yield from rows[: min(whole, self.steps - given) * self.batch].split(self.batch)

    def __len__(self) -> int:
        return self.steps


class EpochSeed(Callback):
    """Dropout and augmentation of an epoch start from the seed and its number."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        processes.seed(_mix(self.seed, trainer.current_epoch) + 1)


class EpochEnd(Checkpoint):
    """Tells what the epoch came to and keeps a file to go on from, replaced whole.

    A Checkpoint, because those alone come after the module itself has logged what it measures at an epoch's end.
    """

    def __init__(self, tell: Tell, place: Path) -> None:
        self.tell = tell
        self.place = place
        self.history: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = list(state_dict["history"])
        # What earlier processes have measured belongs to this run as well. Told here and not as training starts: where
        # all epochs are done already, Lightning starts none.
        for epoch, metrics in enumerate(self.history):
            self.tell(metrics, epoch)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning steps those after this file is written: a resume would lose one step of the rate.
        if any(config.interval == "epoch" for config in trainer.lr_scheduler_configs):
            raise ValueError(f"{type(pl_module).__name__}: its learning rate must be scheduled by step, not by epoch")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        numbers = processes.average([float(value) for value in trainer.callback_metrics.values()])
        metrics = dict(zip(trainer.callback_metrics, numbers, strict=True))
        self.tell(metrics, trainer.current_epoch)
        self.history.append(metrics)
        partial, first = self.place / f".{EPOCH_FILE}.part", processes.own() == 0
        if first:
            said = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            print(f"epoch {trainer.current_epoch + 1} of {trainer.max_epochs}: {said}", file=sys.stderr, flush=True)
            self.place.mkdir(parents=True, exist_ok=True)
        # All take part in it, and the first one writes.
        trainer.save_checkpoint(partial)
        if first:
            partial.replace(self.place / EPOCH_FILE)


def _mix(seed: int, epoch: int) -> int:
    return seed * _EPOCHS_APART + 2 * epoch
