"""A run in which a predictor, a localizer and a loop were trained for a moment, and what was packed of it."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from handbench.conventions import ICVL
from handbench.datasets.crops import build_crops
from handbench.release.pack import pack_models
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing

PARTS = ("predictor", "synthesizer", "updater")
BRIEF = {"epochs": 1, "batch": 8, "learning_rate": 0.0002}


@dataclass(frozen=True)
class Packed:
    run: Path
    models: Path
    image: Path
    """A square hand before a wall."""

    def find(self, module: str, seed: int = 0) -> Path:
        return self.run / "train" / ICVL.name / module / f"seed{seed}"


def make_packed(folder: Path) -> Packed:
    run = folder / "results" / "demo-real"
    packed = Packed(run, folder / "models", folder / "hand.png")
    crops = run / "crop" / ICVL.name / "joint"
    build_crops(make_listing(20, split="train"), centre="joint", size_px=16, out=crops / "train")
    build_crops(make_listing(12), centre="joint", size_px=16, out=crops / "test")
    needs: tuple[Path, ...] = ()
    for part in PARTS:
        settings = BRIEF | ({"filters": 2} if part == "synthesizer" else {})
        given = needs if part == "updater" else ()
        job = Job(f"feedback15.{part}", part, "feedback15", settings, 0, None, needs=given)
        train(job, crops / "train", packed.find(part))
        needs += (packed.find(part),)
    job = Job("feedback_loop", "loop", "feedback15", {"iterations": 2}, 0, None, needs=needs)
    train(job, crops / "train", packed.find("loop"))
    job = Job("feedback19.localizer", "localizer", "feedback19", BRIEF | {"joint": "middle_root"}, 0, None)
    train(job, crops / "train", packed.find("localizer"))
    depth_mm = np.full((240, 320), 1200, np.uint16)
    depth_mm[90:150, 130:190] = 480
    assert cv2.imwrite(str(packed.image), depth_mm)
    assert pack_models([run], packed.models) == 3
    return packed
