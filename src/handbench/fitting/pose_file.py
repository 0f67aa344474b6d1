"""Poses fitted to the labels of a split on disk: an .npz of parameters, and a sealed card with the hand they belong to.

What `handbench fit` leaves, trainings and evaluations read: bone lengths and the bounds of the angles are the card's.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, Int64

from handbench.datasets.array_file import Layout, check_layout, read_arrays, write_arrays
from handbench.datasets.files import check_digest, digest_file, replace_file
from handbench.errors import BadInput
from handbench.hand.keypoints import KEYPOINTS, Hand, Keypoints, learned_keypoints
from handbench.hand.skeleton import REFERENCE_SHAPE, SHAPE_FIELDS, HandShape
from handbench.sealed import read_sealed, seal

FORMAT = "handbench fitted poses"
VERSION = 3
CARD = "fit.json"
FILE = "poses.npz"
ARRAYS = ("pose", "row", "hand_scale", "left_mm")
HOLDS, FIX = "poses as `handbench fit` left them", "fit again"
LAYOUT: Layout = {
    "pose": ("f", ("frames", 26)),
    "row": ("i", ("frames",)),
    "hand_scale": ("f", ("frames",)),
    "left_mm": ("f", ("frames",)),
}
CARD_LAYOUT: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "keypoints_mm": ("f", ("joints", 3)),
    "limits_rad": ("f", (20, 2)),
}
INNER = "inner_limits_rad"
PUBLISHED = "published"
"""Stands where a split does: the real labels of the published record, whatever data a run has."""


@dataclass(frozen=True)
class FittedPoses:
    """The pose of every labelled frame, and whose hand takes it."""

    hand: Hand
    """With the joints that it was fitted to: the dataset's scored ones first."""
    limits_rad: Float[np.ndarray, "20 2"]
    """Bounds of the finger angles: what the poses of the training frames were seen to take."""
    pose: Float32[np.ndarray, "frames 26"]
    """Wrist in camera millimetres, then radians, in the order of skeleton.DOFS."""
    row: Int64[np.ndarray, "frames"]
    """The place of each frame in the published list."""
    hand_scale: Float32[np.ndarray, "frames"]
    """Size of the hand that takes each pose: 1 is `hand` itself."""
    left_mm: Float32[np.ndarray, "frames"]
    """Mean distance of the hand's joints from the labels."""
    card: dict[str, Any]
    """Dataset, split, source, optimisers and what they left; empty before it is saved."""
    inner_limits_rad: Float[np.ndarray, "20 2"] | None = None
    """Narrower bounds, the 0.5 and 99.5 percentiles of the training's angles; None where labels set no bounds."""

    def locate(self, rows: Int[np.ndarray, "wanted"]) -> Int64[np.ndarray, "wanted"]:
        """Where the poses of frames stand, by their place in the list; -1 where none was fitted."""
        places = {int(row): place for place, row in enumerate(self.row)}
        return np.array([places.get(row, -1) for row in rows.tolist()], np.int64)

    def find(self, rows: Int[np.ndarray, "wanted"]) -> Float32[np.ndarray, "wanted 26"]:
        """The poses of frames by their place in the list, NaN where none was fitted."""
        places, found = self.locate(rows), np.full((len(rows), 26), np.nan, np.float32)
        found[places >= 0] = self.pose[places[places >= 0]]
        return found


def save_poses(out: Path, poses: FittedPoses, card: dict[str, Any]) -> None:
    """The poses first, the card last; `card` has the dataset, the split and what is to be told of the fit."""
    out.mkdir(parents=True, exist_ok=True)
    (out / CARD).unlink(missing_ok=True)
    write_arrays(out / FILE, {name: getattr(poses, name) for name in ARRAYS})
    shape, keypoints = poses.hand.shape, poses.hand.keypoints
    inner = {} if poses.inner_limits_rad is None else {INNER: poses.inner_limits_rad.tolist()}
    content = {
        "format": FORMAT,
        "version": VERSION,
        **card,
        "hand": {name: getattr(shape, name).tolist() for name in SHAPE_FIELDS},
        "keypoints_mm": keypoints.offsets_mm.tolist(),
        "limits_rad": poses.limits_rad.tolist(),
        **inner,
        "sha256_of_file": digest_file(out / FILE),
    }
    write_card(out, content)


def write_card(out: Path, content: dict[str, Any]) -> None:
    replace_file(out / CARD, (json.dumps(seal(content), indent=1) + "\n").encode())


def load_poses(folder: Path) -> FittedPoses:
    """What `save_poses` wrote, untouched."""
    card = _read_card(folder)
    arrays = read_arrays(folder / FILE, names=ARRAYS, holds=HOLDS, fix=FIX)
    check_layout(folder / FILE, arrays, LAYOUT, holds=HOLDS, fix=FIX, finite=None)
    told = [*CARD_LAYOUT, INNER] if INNER in card else [*CARD_LAYOUT]  # those of older releases have none
    numbers = {name: card.get(name) for name in told}
    hand = card.get("hand")
    numbers |= {name: hand.get(name) for name in SHAPE_FIELDS} if isinstance(hand, dict) else {}
    known = {name: _as_array(folder / CARD, name, value) for name, value in numbers.items()}
    layout = CARD_LAYOUT | {INNER: CARD_LAYOUT["limits_rad"]} if INNER in known else CARD_LAYOUT
    layout = layout | {name: ("f", getattr(REFERENCE_SHAPE, name).shape) for name in SHAPE_FIELDS}
    check_layout(folder / CARD, known, layout, holds=HOLDS, fix=FIX, finite=None)
    places = {name: known[name] for name in SHAPE_FIELDS}
    keypoints = _name_keypoints(folder / CARD, card, known["keypoints_mm"])
    return FittedPoses(
        hand=Hand(HandShape(**places), keypoints),
        limits_rad=known["limits_rad"],
        card=card,
        inner_limits_rad=known.get(INNER),
        **arrays,
    )


def _as_array(path: Path, name: str, numbers: Any) -> Float[np.ndarray, "..."]:
    try:
        return np.array(numbers, np.float64)
    except (ValueError, TypeError, OverflowError):
        raise BadInput(path, expected=f"{HOLDS}, with numbers for {name}", found=repr(numbers), fix=FIX) from None


def _name_keypoints(path: Path, card: dict[str, Any], offsets_mm: Float[np.ndarray, "joints 3"]) -> Keypoints:
    """The points that a dataset labels, at the places that the fit has learned."""
    known = learned_keypoints(card["dataset"]) if card.get("dataset") in tuple(KEYPOINTS) else None
    if known is None or not 0 < len(offsets_mm) <= len(known.offsets_mm):
        found = f"{len(offsets_mm)} points of {card.get('dataset')!r}"
        raise BadInput(path, expected=f"{HOLDS}, of a dataset's points", found=found, fix=FIX)
    return replace(known.take(range(len(offsets_mm))), offsets_mm=offsets_mm)


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / CARD
    if not path.exists():
        raise BadInput(path, expected="the card of fitted poses", found="no file", fix="run `handbench fit`")
    card = read_sealed(path, FORMAT, VERSION, holds=HOLDS, fix=FIX)
    check_digest(folder / FILE, card.get("sha256_of_file"), holds=HOLDS, by="its card", fix=FIX)
    return card
