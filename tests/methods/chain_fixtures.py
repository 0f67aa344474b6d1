"""Jobs of the trainings of a chain, as short as they can be."""

from pathlib import Path
from typing import Any

from handbench.modules import KINDS
from handbench.training.train import Job

PARTS = ("predictor", "synthesizer", "updater")
QUICK: dict[str, dict[str, Any]] = {
    "predictor": {"epochs": 2, "batch": 8},
    "synthesizer": {"epochs": 2, "batch": 8, "filters": 2, "stage_epochs": [1]},
    "updater": {"epochs": 4, "batch": 8},
    "joint": {"epochs": 3, "batch": 8, "iterations": 3},
    "localizer": {"epochs": 3, "batch": 8, "joint": "middle_root"},
}
NARROW = {"stage_filters": [8, 8], "residual_modules": 1, "components": 5}


def make_job(part: str, paper: str, needs: tuple[Path, ...] = (), **changes: Any) -> Job:
    settings = QUICK[part] | ({"learning_rate": 0.0003} if paper == "feedback15" else {})
    settings |= NARROW if (part, paper) == ("predictor", "feedback19") else {}
    return Job(
        kind=f"{paper}.{part}",
        module=f"{paper}_{part}",
        paper=paper,
        settings=settings | changes,
        seed=0,
        fold=None,
        needs=needs,
    )


def find_parts(place: Path, paper: str, part: str = "joint") -> tuple[Path, ...]:
    """Where the checkpoints lie that a part of a chain needs; both papers have the same parts."""
    return tuple(place / f"{paper}_{name}" for name in KINDS[f"feedback19.{part}"].needs)
