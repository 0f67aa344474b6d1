"""Embedded datasets that several tests look at: a dozen frames each, written once a session."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.recordings import Recording
from handbench.datasets.synthesize import synthesize
from handbench.datasets.takes import Take, prepare_take

FRAMES = {
    "nyu": {"train": 3, "test": 12},
    "icvl": {"train": 13, "test": 6},
    "msra": {"all": 20},
    "msra14": {"all": 12},
    "dexter": {"test": 30},
}
SEED = 4


@dataclass(frozen=True)
class EmbeddedSet:
    """What was written, and the plan it was written from."""

    dataset: str
    out: Path
    frames: dict[str, int]
    takes: list[Take]

    @property
    def recordings(self) -> list[Recording]:
        return [take.recording for take in self.takes]

    def takes_of(self, split: str) -> list[Take]:
        return [take for take in self.takes if take.recording.split == split]


@pytest.fixture(scope="session")
def embedded_sets(tmp_path_factory) -> dict[str, EmbeddedSet]:
    """Do not change what lies there: copy it first."""
    root = tmp_path_factory.mktemp("embedded")
    sets = {}
    for dataset, frames in FRAMES.items():
        synthesize(dataset, root / dataset, frames=frames, seed=SEED)
        takes = [prepare_take(recording) for recording in plan_recordings(dataset, frames, SEED)]
        sets[dataset] = EmbeddedSet(dataset, root / dataset, frames, takes)
    return sets
