"""What fitting the hand model to labels left: the numbers on the cards of `handbench fit`, read from a run's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handbench.errors import BadInput
from handbench.fitting.pose_file import CARD, PUBLISHED
from handbench.json_file import read_object
from handbench.sealed import check_seal

HOLDS, FIX = "a fit as `handbench fit` left it", "fit again"

OPTIMISERS = {"pso": "PSO", "lbfgs": "L-BFGS"}
"""Their keys on a card and their names; the paper's own comes first."""
NOT_TRACKED = "fits are files in the run's folder, which the tracking store does not hold"


@dataclass(frozen=True)
class Left:
    """How far one optimiser leaves the model's joints from the labels."""

    mean_mm: float
    """Over frames: of each the mean over its joints."""
    variance_mm2: float
    """Of the frames' means."""
    worst_mm: Mapping[str, float]
    """Of the worst frames, by their names, the worst first."""
    frames: int
    seconds: float


@dataclass(frozen=True)
class Fit:
    """The fitted labels of one split."""

    dataset: str
    split: str
    left: Mapping[str, Left]
    """By the key of the optimiser."""
    truth: Mapping[str, Any] = field(default_factory=dict)
    """On embedded data: how far the fitted angles are from the true ones."""

    @property
    def published(self) -> bool:
        return self.split == PUBLISHED


def read_fits(run: Path) -> tuple[Fit, ...]:
    """Every fit of a run, sorted by dataset and split."""
    return tuple(_read_fit(path) for path in sorted(run.glob(f"fit/*/*/{CARD}")))


def select_fits(fits: Sequence[Fit], settings: Mapping[str, Any]) -> tuple[Fit, ...]:
    """Those of the data sets that a call uses; published labels belong to every call."""
    return tuple(one for one in fits if one.published or one.dataset in settings["use"])


def _read_fit(path: Path) -> Fit:
    card = read_object(path, holds=HOLDS, fix=FIX)
    check_seal(path, card, holds=HOLDS, fix=FIX)
    try:
        left = {
            key: Left(**{name: card[key][name] for name in Left.__dataclass_fields__})
            for key in OPTIMISERS
            if card.get(key)
        }
    except (KeyError, TypeError) as error:
        found = f"a damaged or older one ({type(error).__name__}: {error})"
        raise BadInput(path, expected=HOLDS, found=found, fix=FIX) from None
    return Fit(path.parent.parent.name, path.parent.name, left, card.get("truth") or {})
