"""Crops whose images tell their poses, and the modules of crossing trained on them for a moment."""

from pathlib import Path
from typing import Any

from handbench.datasets.crops import build_crops
from handbench.training.train import Job
from tests.datasets.crop_fixtures import make_listing

SIZE_PX = 32
QUICK: dict[str, Any] = {"epochs": 3, "batch": 8, "epoch_steps": 3}
SHARE = {"labelled_share": 0.3}
PARTS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "vae": ("vae", (), SHARE),
    "gan": ("gan", (), {}),
    "alignment": ("alignment", ("vae", "gan"), SHARE),
    "estimator": ("estimator", ("vae", "gan", "alignment"), {"unlabelled": 8, "head_epochs": 1, **SHARE}),
    "posterior": ("posterior", ("vae",), SHARE),
    "pretrained": ("posterior", ("vae", "gan"), SHARE),
}
"""What each is: its kind's part, what it needs, its settings."""


def make_data(folder: Path, frames: int = 60, tested: int = 20) -> None:
    for split, number in (("train", frames), ("test", tested)):
        build_crops(make_listing(number, split=split), centre="joint", size_px=SIZE_PX, out=folder / split)


def make_job(module: str, folder: Path, **changes: Any) -> Job:
    part, needs, settings = PARTS[module]
    return Job(
        kind=f"crossing.{part}",
        module=module,
        paper="crossing",
        settings=QUICK | settings | changes,
        seed=0,
        fold=None,
        needs=tuple(folder / needed for needed in needs),
    )
