"""truth.npz of a rendered set: what is held and how, what the camera sees, where each hand comes from.

The importer never reads it; labels alone are what a network learns from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int, Int32

from handbench.conventions import FULLY_SYNTHETIC, HANDOBJECT, SEMI_SYNTHETIC
from handbench.datasets.array_file import Layout, check_layout, read_arrays
from handbench.datasets.drawn_object import REASONS, TOUCH_MM, ObjectFrame
from handbench.errors import BadInput
from handbench.hand.skeleton import DOFS

LAYOUT: Layout = {
    "sequence": ("U", ("frames",)),
    "subject": ("U", ("frames",)),
    "visible": ("b", ("frames", len(HANDOBJECT.joints.names))),
    "object_kind": ("U", ("frames",)),
    "object_centre_mm": ("f", ("frames", 3)),
    "object_rotation": ("f", ("frames", 3, 3)),
    "object_size_mm": ("f", ("frames", 3)),
    "hand_row": ("i", ("frames",)),
    "rejected": ("i", ("frames", len(REASONS))),
    "poses": ("f", ("full", len(DOFS))),
    "penetration_mm": ("f", ("full",)),
    "gap_mm": ("f", ("full",)),
    "released": ("b", ("full",)),
}

FORMAT = "handbench rendered hands with objects"
"""Of the manifest."""


@dataclass(frozen=True)
class RenderTruth:
    """Arrays in list order of the set; those of the hand model hold the fully synthetic frames alone, in order."""

    sequence: np.ndarray
    """semi or full."""
    subject: np.ndarray
    visible: Bool[np.ndarray, "frames 29"]
    """Whether the nearest surface at the pixel of a joint or corner is what it belongs to."""
    object_kind: np.ndarray
    object_centre_mm: Float32[np.ndarray, "frames 3"]
    object_rotation: Float32[np.ndarray, "frames 3 3"]
    """Camera from object; of a sphere the identity, of a cylinder the one of its equals nearest to the identity."""
    object_size_mm: Float32[np.ndarray, "frames 3"]
    hand_row: Int32[np.ndarray, "frames"]
    """Of a semi-synthetic frame the row among all frames of --hands, one set behind the other; else -1."""
    rejected: Int[np.ndarray, "frames reasons"]
    """Places that were drawn before this one and not taken, by reason (drawn_object.REASONS)."""
    poses: Float32[np.ndarray, "full 26"]
    penetration_mm: Float32[np.ndarray, "full"]
    gap_mm: Float32[np.ndarray, "full"]
    """How deep the faces of the skin reach into the object, and how far they end before it."""
    released: Bool[np.ndarray, "full"]
    """Whether the hand was opened a little after it had closed around the object."""


def describe_frames(frames: Sequence[ObjectFrame], hand_rows: Sequence[int]) -> dict[str, np.ndarray]:
    """The arrays of a few frames of one sequence, labels among them."""
    posed = [frame for frame in frames if frame.pose is not None]
    sequence = FULLY_SYNTHETIC if posed else SEMI_SYNTHETIC
    return {
        "labels_mm": np.stack([frame.labels_mm for frame in frames]),
        "sequence": np.array([sequence] * len(frames)),
        "subject": np.array([frame.subject for frame in frames]),
        "visible": np.stack([frame.visible for frame in frames]),
        "object_kind": np.array([frame.kind for frame in frames]),
        "object_centre_mm": np.stack([frame.place.centre_mm for frame in frames]).astype(np.float32),
        "object_rotation": np.stack([frame.place.rotation for frame in frames]).astype(np.float32),
        "object_size_mm": np.stack([frame.place.size_mm for frame in frames]).astype(np.float32),
        "hand_row": np.array(hand_rows, np.int32),
        "rejected": np.array([[frame.rejected[reason] for reason in REASONS] for frame in frames]),
        "poses": np.array([frame.pose for frame in posed], np.float32).reshape(-1, 26),
        "penetration_mm": np.array([frame.penetration_mm for frame in posed], np.float32),
        "gap_mm": np.array([frame.gap_mm for frame in posed], np.float32),
        "released": np.array([frame.released for frame in posed], bool),
    }


def summarise(truth: RenderTruth) -> dict[str, object]:
    """What a manifest says of a set: counts, rejections, penetration, what can be seen."""
    tips = [HANDOBJECT.joints.names.index(name) for name in HANDOBJECT.joints.names if name.endswith("_tip")]
    said: dict[str, object] = {}
    for sequence in (SEMI_SYNTHETIC, FULLY_SYNTHETIC):
        mine = truth.sequence == sequence
        if not mine.any():
            continue
        rejected = truth.rejected[mine].sum(axis=0)
        said[sequence] = {
            "frames": int(mine.sum()),
            "rejection_rate": _round(rejected.sum() / (rejected.sum() + mine.sum())),
            "rejected": {reason: int(count) for reason, count in zip(REASONS, rejected, strict=True) if count},
            "visible_tips": _round(truth.visible[mine][:, tips].mean()),
            "visible_corners": _round(truth.visible[mine][:, -8:].mean()),
        }
    held = ~truth.released
    said["grasps"] = {"frames": len(held), "released_share": _round(truth.released.mean())} if len(held) else {}
    if held.any():
        deep, gaps = truth.penetration_mm[held], truth.gap_mm[held]
        said["held"] = {
            "penetration_mm": {"mean": _round(deep.mean()), "max": _round(deep.max())},
            "touching_share": _round((gaps < TOUCH_MM).mean()),
            "gap_mm": {"mean": _round(gaps.mean()), "max": _round(gaps.max())},
        }
    return said


def read_render_truth(path: Path) -> RenderTruth:
    """The truth of a rendered set."""
    holds, fix = "the truth.npz of a rendered set", "run handbench render again"
    arrays = read_arrays(path, names=LAYOUT, holds=holds, fix=fix)
    check_layout(path, arrays, LAYOUT, holds=holds, fix=fix, finite=None)
    full = int((arrays["sequence"] == FULLY_SYNTHETIC).sum())
    if full != len(arrays["poses"]):
        found = f"{len(arrays['poses']):,} poses for {full:,} fully synthetic frames"
        raise BadInput(path, expected=f"{holds}, with a pose for each", found=found, fix=fix)
    return RenderTruth(**{name: arrays[name] for name in LAYOUT})


def _round(number: np.floating[Any]) -> float:
    return round(float(number), 4)
