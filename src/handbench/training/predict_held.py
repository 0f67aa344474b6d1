"""Hand and object of every frame of a crop store, by a module that learned from rendered ones."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from numpy import ndarray

from handbench.conventions import MSRA_JOINTS
from handbench.datasets.mirror import mirror_corners, mirror_points
from handbench.datasets.torch_dataset import CropDataset
from handbench.loop.held_data import gather_tested
from handbench.loop.held_model import find_poses
from handbench.training.checkpoint import Checkpoint
from handbench.training.prediction_card import describe_predictions
from handbench.training.prediction_file import GIVES_OBJECT, save_predictions
from handbench.training.tested_frames import is_mirrored, prepare_frames


def predict_held(checkpoint: Checkpoint, crops: CropDataset, out: Path, truth: Path | None) -> int:
    """Write joints and corners in the axes of the image as it is; returns the number of frames.

    `truth` is the truth.npz of embedded frames: it says how large the boxes are; of real ones the settings say it.
    """
    trained, mirrored = checkpoint.trained, is_mirrored(checkpoint.card, crops)
    seen = prepare_frames(crops, checkpoint.card, truth)
    torch.manual_seed(checkpoint.card["seed"])
    poses = find_poses(trained.build(), gather_tested(seen, trained.settings.boxes_mm))
    hands_mm, corners_mm = as_seen(poses.hand_mm.numpy(), poses.corners_mm.numpy(), mirrored)
    card = describe_predictions([checkpoint], crops, len(seen)) | {
        "gives_angles": False,
        GIVES_OBJECT: True,
        "joints": list(MSRA_JOINTS.names),
        "learned_from": checkpoint.card["dataset"],
        "mirrored": mirrored,
    }
    before = len(hands_mm) > 1
    save_predictions(
        out,
        hands_mm[-1],
        seen.names,
        np.asarray(seen.store.row)[seen.places],
        card,
        before_mm=hands_mm[:-1] if before else None,
        corners=corners_mm[-1],
        corners_before=corners_mm[:-1] if before else None,
    )
    return len(seen)


def as_seen(
    hands_mm: Float32[ndarray, "steps frames 21 3"], corners_mm: Float32[ndarray, "steps frames 8 3"], mirrored: bool
) -> tuple[Float32[ndarray, "steps frames 21 3"], Float32[ndarray, "steps frames 8 3"]]:
    """Back through the mirror, if they have come through one."""
    if mirrored:
        hands_mm, corners_mm = mirror_points(hands_mm), mirror_corners(corners_mm)
    return hands_mm.astype(np.float32), corners_mm.astype(np.float32)
