"""What fitting the hand model to labels left: the numbers on the cards of `handbench fit`, read from a run's folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from handbench.entries import check_dataset
from handbench.errors import BadInput
from handbench.fitting.pose_file import CARD, PUBLISHED
from handbench.hand.skeleton import ANGLE_LIMITS_RAD
from handbench.sealed import SEAL, read_whole

HOLDS, FIX = "a fit as `handbench fit` left it", "fit again"

OPTIMISERS = {"pso": "PSO", "lbfgs": "L-BFGS"}
"""Their keys on a card and their names; the paper's own comes first."""
ALWAYS = ("mean_mm", "variance_mm2", "worst_mm", "frames", "seconds")
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
    start_mm: float | None = None
    """Of swarms: the mean at their starts, where the fit tells it."""


@dataclass(frozen=True)
class Fit:
    """The fitted labels of one split."""

    dataset: str
    split: str
    left: Mapping[str, Left]
    """By the key of the optimiser."""
    truth: Mapping[str, Any] = field(default_factory=dict)
    """On embedded data: how far the fitted angles are from the true ones."""
    at_wall: int | None = None
    """Bounds, of the 40 that training labels have set, that are the anatomical limits themselves; None of others."""
    hand_of: str = ""
    """The dataset whose training labels gave the hand; empty of segments that have hands of their own."""

    @property
    def published(self) -> bool:
        return self.split == PUBLISHED


def read_fits(run: Path) -> tuple[Fit, ...]:
    """Every fit of a run, sorted by dataset and split."""
    cards = {path: read_whole(path, holds=HOLDS, fix=FIX) for path in sorted(run.glob(f"fit/*/*/{CARD}"))}
    known = {card[SEAL]: card for card in cards.values()}
    return tuple(_read_fit(path, card, known) for path, card in cards.items())


def select_fits(fits: Sequence[Fit], settings: Mapping[str, Any]) -> tuple[Fit, ...]:
    """Those of the data sets that a call uses; published labels belong to every call."""
    return tuple(one for one in fits if one.published or one.dataset in settings["use"])


def _read_fit(path: Path, card: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> Fit:
    dataset = path.parent.parent.name
    check_dataset(path, dataset)
    try:
        left = {
            key: Left(**{name: card[key][name] for name in ALWAYS}, start_mm=card[key].get("start_mm"))
            for key in OPTIMISERS
            if card.get(key)
        }
        at_wall = _count_at_wall(card) if path.parent.name == "train" else None
        hand_of = _tell_hand(card, known)
    except (KeyError, TypeError, ValueError) as error:
        found = f"a damaged or older one ({type(error).__name__}: {error})"
        raise BadInput(path, expected=HOLDS, found=found, fix=FIX) from None
    if hand_of:
        check_dataset(path, hand_of)
    return Fit(dataset, path.parent.name, left, card.get("truth") or {}, at_wall, hand_of)


def _tell_hand(card: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]]) -> str:
    """A card names the dataset of the fit that its hand was taken from, which may have taken it from another."""
    before = known.get(card.get("hand_from", ""))
    return _tell_hand(before, known) if before else str(card.get("hand_of", ""))


def _count_at_wall(card: Mapping[str, Any]) -> int:
    """Fits are clamped to the anatomical limits, in single precision."""
    return int((np.abs(np.array(card["limits_rad"], np.float64) - ANGLE_LIMITS_RAD) < 1e-6).sum())
