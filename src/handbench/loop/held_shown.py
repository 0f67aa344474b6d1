"""Hand and object where no test set has such an object (feedback19, Fig. 15): rendered frames of persons apart.

Every part holds back whole persons, the last of a sequence first, whatever rendered set it has learned from
(`choose_persons`). So none has seen that last one, though hand and object may have learned from different sets.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import nn

from handbench.datasets.torch_dataset import CropDataset
from handbench.loop.crop_data import choose_evenly, find_labelled
from handbench.loop.held_data import TARGETS, find_kind, gather_held
from handbench.loop.held_model import find_poses
from handbench.loop.held_poses import measure_steps_mm

SHOWN = 6


def show_held(model: nn.Module, crops: CropDataset) -> dict[str, Any]:
    """Mean errors after every step over those frames, and both poses of some of them."""
    kind, labelled = find_kind(crops), find_labelled(crops).numpy()
    rows = np.flatnonzero(choose_last_persons(crops)[labelled])
    data = {name: values[torch.from_numpy(rows)] for name, values in gather_held(crops, kind).items()}
    poses = find_poses(model, data)
    errors_mm = {target: measure_steps_mm(poses, data, target, kind) for target in TARGETS}
    chosen = choose_evenly(len(rows), SHOWN)
    return {
        "frames": len(rows),
        **{f"{target}_mm": errors.mean(dim=1).tolist() for target, errors in errors_mm.items()},
        "store": crops.store.path.as_posix(),
        "sha256_of_store": crops.store.card["sha256"],
        "shown": {
            "places": crops.places[labelled][rows][chosen.numpy()].tolist(),
            "hands": poses.hand_mm[:, chosen].tolist(),
            "corners": poses.corners_mm[:, chosen].tolist(),
            **{f"{target}_mm": errors[:, chosen].tolist() for target, errors in errors_mm.items()},
        },
    }


def choose_last_persons(crops: CropDataset) -> Bool[np.ndarray, "frames"]:
    """The frames of the last person of each sequence."""
    subjects = np.array(crops.subjects)
    sequences = np.array([crops.store.sequences[place] for place in crops.places])
    last = {sequence: max(subjects[sequences == sequence]) for sequence in set(sequences)}
    return np.array([last[one] for one in sequences]) == subjects
