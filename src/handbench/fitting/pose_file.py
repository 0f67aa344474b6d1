"""Poses fitted to the labels of a split on disk: an .npz of parameters, and a sealed card with the hand they belong to.

What `handbench fit` leaves, trainings and evaluations read: bone lengths and the bounds of the angles are the card's.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, Int64

from handbench.datasets.array_file import read_arrays, write_arrays
from handbench.datasets.files import digest_file, replace_file
from handbench.datasets.store import is_sealed, seal
from handbench.errors import BadInput
from handbench.hand.keypoints import Hand, learned_keypoints
from handbench.hand.skeleton import SHAPE_FIELDS, HandShape

FORMAT = "handbench fitted poses"
VERSION = 3
CARD = "fit.json"
FILE = "poses.npz"
ARRAYS = ("pose", "row", "hand_scale", "left_mm")
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

    def find(self, rows: Int[np.ndarray, "wanted"]) -> Float32[np.ndarray, "wanted 26"]:
        """The poses of frames by their place in the list, NaN where none was fitted."""
        places = {int(row): place for place, row in enumerate(self.row)}
        found = np.full((len(rows), 26), np.nan, np.float32)
        for at, row in enumerate(rows.tolist()):
            if row in places:
                found[at] = self.pose[places[row]]
        return found


def save_poses(out: Path, poses: FittedPoses, card: dict[str, Any]) -> None:
    """The poses first, the card last; `card` has the dataset, the split and what is to be told of the fit."""
    out.mkdir(parents=True, exist_ok=True)
    (out / CARD).unlink(missing_ok=True)
    write_arrays(out / FILE, {name: getattr(poses, name) for name in ARRAYS})
    shape, keypoints = poses.hand.shape, poses.hand.keypoints
    content = {
        "format": FORMAT,
        "version": VERSION,
        **card,
        "hand": {name: getattr(shape, name).tolist() for name in SHAPE_FIELDS},
        "keypoints_mm": keypoints.offsets_mm.tolist(),
        "limits_rad": poses.limits_rad.tolist(),
        "sha256_of_file": digest_file(out / FILE),
    }
    write_card(out, content)


def write_card(out: Path, content: dict[str, Any]) -> None:
    replace_file(out / CARD, (json.dumps(seal(content), indent=1) + "\n").encode())


def load_poses(folder: Path) -> FittedPoses:
    """What `save_poses` wrote, untouched."""
    card = _read_card(folder)
    offsets_mm = np.array(card["keypoints_mm"])
    keypoints = learned_keypoints(card["dataset"]).take(range(len(offsets_mm)))
    shape = HandShape(**{name: np.array(card["hand"][name]) for name in SHAPE_FIELDS})
    hand = Hand(shape, replace(keypoints, offsets_mm=offsets_mm))
    return FittedPoses(hand=hand, limits_rad=np.array(card["limits_rad"]), card=card, **read_arrays(folder / FILE))


def _read_card(folder: Path) -> dict[str, Any]:
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(path, expected="the card of fitted poses", found="no file", fix="run `handbench fit`") from None
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, f"no JSON ({error})") from None
    if not isinstance(card, dict) or (card.get("format"), card.get("version")) != (FORMAT, VERSION):
        raise _damaged(path, "another format")
    if not is_sealed(card):
        raise _damaged(path, "a changed card (its own sha256 differs)")
    if not (folder / FILE).is_file() or digest_file(folder / FILE) != card["sha256_of_file"]:
        raise _damaged(folder / FILE, "a file that its card does not describe")
    return card


def _damaged(path: Path, found: str) -> BadInput:
    return BadInput(path, expected="poses as `handbench fit` left them", found=found, fix="fit again")
