"""Hands with objects on a few small frames: rendered ones to learn from, Dexter+Object's to be tested on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handbench.datasets.crops import build_crops
from handbench.datasets.importers import list_frames
from handbench.datasets.render import render
from handbench.datasets.synthesize import synthesize
from handbench.held_modules import KINDS
from handbench.training.train import Job, train

SIZE = 32
"""Of D, in pixels."""
START = ("hand_localizer", "object_localizer", "hand_predictor", "object_predictor", "hand_synthesizer")
RENDERED = (*START, "object_renderer")
DRAWN = (*START, "object_synthesizer")
UPDATERS = ("hand_updater", "object_updater")
NEEDS: dict[str, tuple[str, ...]] = {
    "rotation": START[:3],
    **dict.fromkeys(UPDATERS, RENDERED),
    "loop": (*RENDERED, *UPDATERS),
}
QUICK: dict[str, dict[str, Any]] = {
    "hand_predictor": {"epochs": 2, "batch": 8, "components": 4},
    "hand_synthesizer": {"epochs": 1, "batch": 8, "filters": 2, "stage_epochs": [1]},
    "object_synthesizer": {"epochs": 1, "batch": 8, "filters": 2, "stage_epochs": [1]},
    "object_renderer": {},
    "hand_updater": {"epochs": 3, "batch": 8},
    "object_updater": {"epochs": 3, "batch": 8},
    "loop": {"iterations": 2},
    "shown": {"iterations": 2},
}


@dataclass(frozen=True)
class Held:
    """A folder with crops, and with a checkpoint of each part."""

    folder: Path

    @property
    def learned(self) -> Path:
        return self.folder / "crops" / "train"

    @property
    def tested(self) -> Path:
        return self.folder / "crops" / "test"

    @property
    def truth(self) -> Path:
        return self.folder / "dexter" / "truth.npz"

    def train(self, part: str, out: str = "", *, needs: tuple[str, ...] | None = None, **settings: Any) -> Path:
        """Train one part from those of the folder; returns its checkpoint."""
        place = self.folder / (out or part)
        train(self.job(part, needs=needs, **settings), self.learned, place)
        return place

    def job(self, part: str, *, needs: tuple[str, ...] | None = None, **settings: Any) -> Job:
        wanted = NEEDS.get(part, ()) if needs is None else needs
        assert len(wanted) == len(KINDS[f"handobject.{part}"].needs)
        return Job(
            kind=f"handobject.{part}",
            module=f"handobject_{part}",
            paper="feedback19",
            settings=QUICK.get(part, {"epochs": 2, "batch": 8}) | settings,
            seed=0,
            fold=None,
            needs=tuple(self.folder / one for one in wanted),
        )


def make_held(folder: Path) -> Held:
    """Render, synthesize and crop; nothing is trained yet."""
    held = Held(folder)
    for name, frames in (("msra", {"all": 18}), ("msra14", {"all": 12}), ("dexter", {"test": 18})):
        synthesize(name, folder / name, frames=frames, seed=1)
    hands = {name: folder / name / "raw" for name in ("msra", "msra14")}
    render("train", folder / "render", hands=hands, frames={"semi": 20, "full": 20}, seed=1)
    for root, name, split, out in (
        (folder / "render" / "raw", "handobject", "train", held.learned),
        (folder / "dexter" / "raw", "dexter", "test", held.tested),
    ):
        build_crops(list_frames(name, root, split), centre="com-400", size_px=SIZE, out=out)
    return held
