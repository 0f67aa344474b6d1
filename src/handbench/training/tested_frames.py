"""The frames of Dexter+Object as networks that learned from rendered hands see them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from handbench.conventions import DEXTER
from handbench.datasets.mirror import mirror_store
from handbench.datasets.torch_dataset import CropDataset
from handbench.datasets.true_labels import label_by_truth

MIRROR = "mirror"


def is_mirrored(card: Mapping[str, Any], crops: CropDataset) -> bool:
    """Whether a module of this card sees these frames in a mirror: those of left hands, as its settings say."""
    left = crops.store.card["protocol"]["dataset"] == DEXTER.name
    return left and bool(card["settings"].get(MIRROR))


def prepare_frames(crops: CropDataset, card: Mapping[str, Any], truth: Path | None) -> CropDataset:
    """All frames of a store with all their labels, or those of the truth; in a mirror where the card says so."""
    store = label_by_truth(crops.store, truth) if truth else crops.store
    if is_mirrored(card, crops):
        store = mirror_store(store)
    return CropDataset(store, np.arange(len(store)), range(len(store.joint_names)))
