"""The pipeline's predictions on disk: an .npz that anyone can read, and a sealed card that says where it comes from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int

from handbench.datasets.array_file import Layout, check_layout, read_arrays, write_arrays
from handbench.datasets.files import check_digest, digest_file, replace_file
from handbench.errors import BadInput
from handbench.sealed import read_sealed, seal

FORMAT = "handbench predictions"
VERSION = 1
CARD = "predictions.json"
FILE = "predictions.npz"
HOLDS, FIX = "predictions as `handbench predict` left them", "predict again"
LAYOUT: Layout = {
    "joints_mm": ("f", ("frames", "joints", 3)),
    "row": ("iu", ("frames",)),
    "before_mm": ("f", ("iterations", "frames", "joints", 3)),
    "pose": ("f", ("frames", 26)),
    "pose_of_all": ("f", ("frames", 26)),
    "hand_scale": ("f", ("frames",)),
    "quaternions": ("f", ("frames", 16, 4)),
    "corners": ("f", ("frames", 8, 3)),
    "corners_before": ("f", ("iterations", "frames", 8, 3)),
}
GIVES_OBJECT = "gives_object"
"""The entry of a card that tells of corners; beside it `joints` names what is predicted of the hand."""
TRAINED_AT = "trained_at"
"""Entry of a card: the commits of the code that trained what predicts; empty where checkpoints do not tell."""
POSITIONS = "paper_positions"
"""In a card: the names of the joints that a paper scores in the place of the usual ones. Also the error's name."""
PARTS_CONVERGED = "parts_converged"
"""Where a card says of each part whether it was trained until its validation error had stopped falling."""


def save_predictions(
    out: Path,
    joints_mm: Float32[np.ndarray, "frames joints 3"],
    names: tuple[str, ...],
    row: Int[np.ndarray, "frames"],
    card: dict[str, Any],
    before_mm: Float32[np.ndarray, "iterations frames joints 3"] | None = None,
    pose: Float32[np.ndarray, "frames 26"] | None = None,
    hand_scale: Float32[np.ndarray, "frames"] | None = None,
    corners: Float32[np.ndarray, "frames 8 3"] | None = None,
    corners_before: Float32[np.ndarray, "iterations frames 8 3"] | None = None,
    quaternions: Float32[np.ndarray, "frames 16 4"] | None = None,
    pose_of_all: Float32[np.ndarray, "frames 26"] | None = None,
) -> None:
    """The joints first, the card last: a folder without a card holds no predictions.

    Of a method that iterates `before_mm` is what each iteration began with; `pose` is that of one that gives angles,
    `hand_scale` the size of the hand in each frame against the card's: a smaller cube is read as of a smaller person.
    Where poses are fitted to joints, `pose` is that of the scored ones and `pose_of_all` that of all that were read.
    `corners` are those of the box around an object, in camera millimetres and the order of `geometry.box`;
    `quaternions` the turns of bones in camera axes, of a method that gives them, in the order of skeleton.BONES.
    """
    if corners is not None:
        _check_object(out, card, joints_mm, before_mm, corners, corners_before)
    arrays = {"joints_mm": joints_mm, "names": np.array(names), "row": row}
    arrays |= {} if before_mm is None else {"before_mm": before_mm}
    arrays |= {} if pose is None else {"pose": pose}
    arrays |= {} if pose_of_all is None else {"pose_of_all": pose_of_all}
    arrays |= {} if hand_scale is None else {"hand_scale": hand_scale}
    arrays |= {} if quaternions is None else {"quaternions": quaternions}
    arrays |= {} if corners is None else {"corners": corners}
    arrays |= {} if corners_before is None else {"corners_before": corners_before}
    out.mkdir(parents=True, exist_ok=True)
    (out / CARD).unlink(missing_ok=True)
    write_arrays(out / FILE, arrays)
    content = {"format": FORMAT, "version": VERSION, **card, "sha256_of_file": digest_file(out / FILE)}
    replace_file(out / CARD, (json.dumps(seal(content), indent=1) + "\n").encode())


def read_card(prediction: Path) -> dict[str, Any] | None:
    """The card beside the pipeline's own predictions; None for anyone else's file."""
    path = prediction.with_name(CARD)
    if prediction.name != FILE or not (path.exists() or path.is_symlink()):
        return None
    card = read_sealed(path, FORMAT, VERSION, holds=HOLDS, fix=FIX)
    check_digest(prediction, card.get("sha256_of_file"), holds=HOLDS, by="its card", fix=FIX)
    return card


def _read(prediction: Path, *names: str) -> dict[str, np.ndarray]:
    """The joints, and as many of the other arrays as are there; all of one number of frames."""
    arrays = read_arrays(prediction, names=("joints_mm", "row", *names), holds=HOLDS, fix=FIX)
    layout = {name: shape for name, shape in LAYOUT.items() if name in arrays or name in ("joints_mm", "row")}
    check_layout(prediction, arrays, layout, holds=HOLDS, fix=FIX)
    return arrays


def read_joints(prediction: Path) -> tuple[Float32[np.ndarray, "frames joints 3"], Int[np.ndarray, "frames"]]:
    """Joints in camera millimetres, and the place of each frame in the published list."""
    arrays = _read(prediction)
    return arrays["joints_mm"], arrays["row"]


def read_hand_scale(prediction: Path) -> Float32[np.ndarray, "frames"] | None:
    """The size of the hand in each frame against the card's; None where all are as the card has it."""
    return _read(prediction, "hand_scale").get("hand_scale")


def read_steps(prediction: Path) -> Float32[np.ndarray, "steps frames joints 3"]:
    """Joints at the start and after every iteration; of a method that does not iterate the result alone."""
    arrays = _read(prediction, "before_mm")
    before_mm = arrays.get("before_mm", np.empty((0, *arrays["joints_mm"].shape)))
    return np.concatenate([before_mm, arrays["joints_mm"][None]]).astype(np.float32)


def read_pose(prediction: Path) -> Float32[np.ndarray, "frames 26"] | None:
    """Wrist in camera millimetres, then radians, in the order of skeleton.DOFS; None where no angles are given."""
    return _read(prediction, "pose").get("pose")


def read_pose_of_all(prediction: Path) -> Float32[np.ndarray, "frames 26"] | None:
    """The same fitted to all joints that were read; None where poses are fitted to none."""
    return _read(prediction, "pose_of_all").get("pose_of_all")


def read_quaternions(prediction: Path) -> Float32[np.ndarray, "frames 16 4"] | None:
    """Rotation of every bone in camera axes, (w, x, y, z); None where it is not given."""
    return _read(prediction, "quaternions").get("quaternions")


def pick_joints(
    card: Mapping[str, Any], joints_mm: Float[np.ndarray, "*batch joints 3"], names: Sequence[str]
) -> Float[np.ndarray, "*batch names 3"]:
    """The joints of these names; of a card that names none they are what was predicted, in this order."""
    if "joints" not in card or card["joints"] == list(names):
        return joints_mm
    held = card["joints"]
    if not isinstance(held, list) or len(held) != joints_mm.shape[-2]:
        raise BadInput(CARD, expected=f"the names of {joints_mm.shape[-2]} joints", found=str(held), fix=FIX)
    if missing := [name for name in names if name not in held]:
        raise BadInput(CARD, expected=f"the joint {missing[0]} among its joints", found=str(held), fix=FIX)
    return joints_mm[..., [held.index(name) for name in names], :]


def read_corners(prediction: Path, card: Mapping[str, Any]) -> Float32[np.ndarray, "steps frames 8 3"] | None:
    """The object's corners at the start and after every iteration; None where the card tells of no object."""
    if not card.get(GIVES_OBJECT):
        return None
    arrays = _read(prediction, "before_mm", "corners", "corners_before")
    corners, before = arrays.get("corners"), arrays.get("corners_before")
    joints_mm, joints_before = arrays["joints_mm"], arrays.get("before_mm")
    if corners is None:
        raise _damaged(prediction, "no corners of the object that its card tells of")
    _check_object(prediction, card, joints_mm, joints_before, corners, before)
    return corners[None] if before is None else np.concatenate([before, corners[None]])


def _check_object(
    where: Path,
    card: Mapping[str, Any],
    joints_mm: np.ndarray,
    before_mm: np.ndarray | None,
    corners: np.ndarray,
    corners_before: np.ndarray | None,
) -> None:
    """As many corners as joints in frames and iterations, all of them numbers, and named joints."""
    frames, steps = len(joints_mm), None if before_mm is None else len(before_mm)
    if len(card.get("joints", ())) != joints_mm.shape[-2] or not card.get(GIVES_OBJECT):
        raise BadInput(
            where,
            expected=f"a card with {GIVES_OBJECT} and the names of {joints_mm.shape[-2]} joints",
            found=f"{len(card.get('joints', ()))} names",
            fix="write them into the card",
        )
    wanted = (frames, 8, 3), None if steps is None else (steps, frames, 8, 3)
    found = corners.shape, None if corners_before is None else corners_before.shape
    if wanted != found:
        raise BadInput(where, expected=f"corners of shapes {wanted}", found=str(found), fix="predict again")
    if not all(np.isfinite(one).all() for one in (corners, corners_before) if one is not None):
        raise BadInput(where, expected="finite corners", found="NaN or infinity", fix="train again")


def _damaged(path: Path, found: str) -> BadInput:
    return BadInput(path, expected=HOLDS, found=found, fix=FIX)
