"""What a model says of one frame: of the crop that is handed on with it, and of a real frame."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from handbench.conventions import NYU
from handbench.datasets.centres import Centre
from handbench.datasets.own_crops import read_own_crop
from handbench.datasets.own_frames import Intrinsics, parse_intrinsics, read_own_frame
from handbench.datasets.own_hand import DEFAULT_REACH, crop_named_place, crop_own_hand
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points
from handbench.modules import KINDS
from handbench.report.own_hand_model import refine_centre
from handbench.report.own_model import OwnModel
from handbench.report.own_prediction import make_model
from handbench.training.checkpoint import Checkpoint
from handbench.training.handed_on import FRAME
from handbench.training.localize import TrainedLocalizer, as_localizer

BOX = "box:60x40x120"
"""What a hand in the crop of a model of both is said to hold: the answer is to be the same, not to be right."""


@dataclass(frozen=True)
class RealFrame:
    """A frame of NYU's own and the labels of its 36 joints."""

    depth: Path
    joints_mm: Float64[np.ndarray, "36 3"]


def read_real_frame(depth: Path, labels: Path) -> RealFrame:
    """`labels` has u, v in pixels and d in millimetres in every row, a joint each."""
    try:
        uvd = np.loadtxt(labels, delimiter=",", ndmin=2)
    except (OSError, ValueError) as error:
        fix = "name the file of the frame's labels behind the frame"
        raise BadInput(labels, expected="36 rows of u,v,d", found=str(error).splitlines()[0], fix=fix) from None
    if uvd.shape != (len(NYU.joints.names), 3):
        raise BadInput(labels, expected="36 rows of u,v,d", found=f"shape {uvd.shape}", fix="name NYU's own labels")
    return RealFrame(depth, back_project_points(uvd, NYU.camera))


def is_localizer(checkpoint: Checkpoint) -> bool:
    return bool(KINDS[checkpoint.card["kind"]].gives == "localizer")


def point_out(checkpoint: Checkpoint, path: Path, cube: Centre) -> Float64[np.ndarray, "points 3"]:
    """The last joints, and corners behind them, that a model finds in a ready crop; of a localizer the centre."""
    if is_localizer(checkpoint):
        localizer = as_localizer(checkpoint)
        frame = read_own_crop(path, cube, localizer.card["size_px"])
        crop = crop_named_place(frame, NYU, localizer.card["size_px"], cube)
        return refine_centre(localizer, crop, frame.camera)[None].astype(np.float64)
    model = make_model(checkpoint, cube.cube_mm, held=BOX if KINDS[checkpoint.card["kind"]].renders else None)
    frame = read_own_crop(path, cube, model.size_px)
    told = model.answer([model.find_hand(frame, cube, DEFAULT_REACH)], frame.camera)
    corners = [] if told.corners is None else [told.corners[-1, 0]]
    return np.concatenate([told.steps_mm[-1, 0], *corners]).astype(np.float64)


def look_at_crop(checkpoint: Checkpoint, folder: Path, told: dict[str, Any]) -> Float64[np.ndarray, "points 3"]:
    """The same of the crop that lies beside a model."""
    return point_out(
        checkpoint, folder / FRAME, Centre(np.array(told["centre_mm"], np.float32), float(told["cube_mm"]))
    )


def measure_real(checkpoint: Checkpoint, real: RealFrame, localizer: Checkpoint | None) -> dict[str, Any] | None:
    """Errors on the real frame: found as `handbench predict` finds a hand, and with the cube where training had it.

    None of a model that knows other joints.
    """
    seen_by = parse_intrinsics([NYU.name])
    if is_localizer(checkpoint):
        return _measure_real_centre(as_localizer(checkpoint), real, seen_by)
    if KINDS[checkpoint.card["kind"]].renders or checkpoint.card["dataset"] != NYU.name:
        return None
    model = make_model(checkpoint, None, localizer=as_localizer(localizer) if localizer else None)
    errors = {"found_mm": _measure_joints(model, real, seen_by, None)}
    word, _, joint = checkpoint.card["centre"]["strategy"].partition("-")
    if word == "joint":
        place = NYU.joints.names.index(joint or NYU.centre_joint)
        cube = Centre(real.joints_mm[place].astype(np.float32), model.cube_mm)
        errors["labelled_centre_mm"] = _measure_joints(model, real, seen_by, cube)
    return errors


def _measure_joints(model: OwnModel, real: RealFrame, seen_by: Intrinsics, cube: Centre | None) -> float:
    frame = read_own_frame(real.depth, seen_by)
    crop = model.find_hand(frame, cube or seen_by, DEFAULT_REACH)
    joints_mm = model.answer([crop], frame.camera).steps_mm[-1, 0]
    return _round(np.linalg.norm(joints_mm - real.joints_mm[list(NYU.scored)], axis=1).mean())


def _measure_real_centre(localizer: TrainedLocalizer, real: RealFrame, seen_by: Intrinsics) -> dict[str, Any] | None:
    joint = localizer.card["settings"]["joint"]
    if localizer.card["dataset"] != NYU.name:
        return None
    frame = read_own_frame(real.depth, seen_by)
    crop = crop_own_hand(frame, NYU, localizer.card["size_px"], DEFAULT_REACH)
    joint_mm = real.joints_mm[NYU.joints.names.index(joint)]
    found_mm = refine_centre(localizer, crop, frame.camera)
    before, after = (_round(np.linalg.norm(place - joint_mm)) for place in (crop.centre_mm, found_mm))
    return {"found_mm": after, "centre_of_mass_mm": before}


def _round(value: Any) -> float:
    return round(float(value), 2)
