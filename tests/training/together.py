"""What both processes of a pair do in tests: each by itself says what it has seen."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from handbench.datasets.torch_dataset import open_crops
from handbench.loop import processes
from handbench.loop.crop_data import divide
from handbench.training.exchange import exchange
from handbench.training.launch import Place, stand_together
from handbench.training.train import Job, prepare

CPU = torch.device("cpu")


def run_pair(folder: Path, jobs: Sequence[tuple[Job, Path]], large: Path) -> list[dict[str, Any]]:
    """What each of two processes has seen; their networks lie in the folders `0` and `1`."""
    place = Place(devices=2)
    with stand_together(place, Beside(folder, tuple(jobs), large)):
        Beside(folder, tuple(jobs), large)(place)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


class Beside:
    """A call with its arguments that can be sent to another process."""

    def __init__(self, folder: Path, jobs: tuple[tuple[Job, Path], ...], large: Path) -> None:
        self.folder, self.jobs, self.large = folder, jobs, large

    def __call__(self, place: Place) -> None:
        seen: dict[str, Any] = {"count": processes.count(), "own": processes.own()}
        seen |= {"memory": measure_crops(self.large), **use_all()}
        for job, store in self.jobs:
            told: list[float] = []
            state, fit = prepare(job, store, verify=False).learn(
                self.folder / job.module, lambda metrics, step, told=told: told.append(metrics["loss"])
            )
            seen[job.module] = {"losses": told, "shown": fit.shown}
            (self.folder / str(place.rank)).mkdir(exist_ok=True)
            save_file(state, self.folder / str(place.rank) / f"{job.module}.safetensors")
        (self.folder / f"{place.rank}.json").write_text(json.dumps(seen))


def measure_crops(store: Path) -> dict[str, int]:
    """How many frames are at hand, how large their patches are, and by how much this process has grown."""
    crops, before = open_crops(store=store, joints="scored", verify=False), count_own_bytes()
    data = divide(crops)
    grown = count_own_bytes() - before
    kept = sum(part["depth"].untyped_storage().nbytes() for part in (data.seen, data.held_back))
    return {"seen": len(data.seen["depth"]), "held_back": len(data.held_back["depth"]), "kept": kept, "grown": grown}


def count_own_bytes() -> int:
    """Memory that is this process's alone: pages of a mapped file are the system's and shared."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))


def use_all() -> dict[str, Any]:
    """Everything that processes.py gives, of seven frames with the numbers 0 to 6."""
    every = torch.arange(7)
    mine = processes.take_own(every)
    processes.seed(11)
    drawn = {
        "rand": processes.rand(3, 2, device=CPU).tolist(),
        "randn": processes.randn(3, device=CPU).tolist(),
        "randint": processes.randint(100, 3, device=CPU).tolist(),
        "whole": processes.rand(4, device=CPU, whole=True).tolist(),
        "apart": torch.rand(3).tolist(),
    }
    data = {"number": mine, "pair": torch.stack([mine, mine * 10], dim=1).half(), "odd": mine % 2 == 1}
    part = exchange(data, torch.tensor([6, 0, 3, 1, 2, 2]))
    return {
        "mine": mine.tolist(),
        "joined": processes.join(mine).tolist(),
        "chained": processes.chain(mine).tolist(),
        "total": processes.total(len(mine)),
        "mean": processes.mean(mine.float()),
        "average": processes.average([float(processes.own()), 5.0]),
        "agreed": processes.agree(processes.own() == 0),
        "part": {name: values.tolist() for name, values in part.items()},
        **drawn,
    }
