"""What of an error two skeletons differ by (refine 4.5): beside the raw error two that know more of the target's hand.

    raw           the predicted joints against the labels, as everywhere
    removed       less the smallest error that each joint has over the training set: the paper's optimistic bound
    re-expressed  the predicted rotations put through the target's own hand, from the predicted wrist: the true error

The last is only known of embedded data, whose truth.npz has the hand of every frame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int64

from handbench.errors import BadInput
from handbench.evaluation.blocks import Blocks, make_blocks, parse_blocks
from handbench.evaluation.metrics import Curve, Errors, frames_within
from handbench.evaluation.score import plain
from handbench.evaluation.skeleton_bias import remove_bias
from handbench.geometry.rotation import quaternion_to_rotation
from handbench.hand.keypoints import Keypoints, place_keypoints
from handbench.hand.kinematics import place_turned_bones
from handbench.hand.skeleton import HandShape
from handbench.training.probe_file import read_probe

REMOVED, RE_EXPRESSED = "removed", "re_expressed"
SMALLEST = "smallest_mm"
"""Of a probe: the smallest error of each scored joint over the training frames, in their order."""
RIGID_MM = 1.0
"""Predicted joints lie so near to those of their hand, at most: numbers on disk are float32."""
Joints = Float[np.ndarray, "frames joints 3"]
Rotations = Float64[np.ndarray, "frames 16 3 3"]


@dataclass(frozen=True)
class SkeletonResult:
    """Errors beside the raw one of one module with one seed."""

    errors: Mapping[str, Blocks]
    """By name; what could not be measured is not in it."""
    curves: Mapping[str, Curve]
    """Share of frames with every joint within 0 to 80 mm."""

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON."""
        return {
            name: {
                "mean_error_mm": plain(blocks.mean),
                "curve": [plain(value) for value in self.curves[name]],
                "blocks": blocks.as_dict(),
            }
            for name, blocks in self.errors.items()
        }


@dataclass(frozen=True)
class SkeletonScore:
    """The same with every frame."""

    errors_mm: Mapping[str, Float64[np.ndarray, "frames joints"]]
    result: SkeletonResult


def score_skeleton(
    errors_mm: Mapping[str, Errors], sequences: Sequence[str], rows: Int64[np.ndarray, "frames"]
) -> SkeletonScore:
    """Measure once; `sequences` of the whole set and `rows` are for the intervals, as `sum_blocks` has them."""
    result = SkeletonResult(
        {name: make_blocks(one, sequences, rows) for name, one in errors_mm.items()},
        {name: frames_within(one) for name, one in errors_mm.items()},
    )
    return SkeletonScore({name: one.astype(np.float64) for name, one in errors_mm.items()}, result)


def parse_skeleton(saved: Mapping[str, Any] | None) -> SkeletonResult | None:
    """What `SkeletonResult.as_dict` gave; None for predictions that it was not measured of."""
    if not saved:
        return None
    curves = {name: [float("nan") if v is None else float(v) for v in one["curve"]] for name, one in saved.items()}
    return SkeletonResult(
        {name: parse_blocks(one["blocks"]) for name, one in saved.items()},
        {name: np.array(curve, np.float64) for name, curve in curves.items()},
    )


def remove_smallest(errors_mm: Errors, probe: Path, card: Mapping[str, Any]) -> Float64[np.ndarray, "frames joints"]:
    """Errors less the smallest of their joint over the training frames, as the probe of the same module found it."""
    content = read_probe(probe)
    wrong = [key for key in ("module", "dataset", "seed") if content.get(key) != card[key]]
    if wrong:
        found, fix = f"{wrong[0]} {content.get(wrong[0])}", "name the probe of what predicted"
        raise BadInput(probe, expected=f"a probe of {wrong[0]} {card[wrong[0]]}", found=found, fix=fix)
    # A joint that is never labelled has none to remove.
    smallest_mm = np.nan_to_num(np.array(content["numbers"].get(SMALLEST, ()), np.float64))
    if smallest_mm.shape != errors_mm.shape[1:]:
        found, fix = f"{smallest_mm.size}", "probe it again with this release"
        raise BadInput(probe, expected=f"{SMALLEST} of {errors_mm.shape[1]} joints", found=found, fix=fix)
    return remove_bias(errors_mm, smallest_mm)


def re_express(
    where: Path,
    predicted_mm: Joints,
    quaternions: Float[np.ndarray, "frames 16 4"],
    keypoints: Keypoints,
    own: HandShape,
    targets: Sequence[tuple[HandShape, Int64[np.ndarray, "some"]]],
) -> Float64[np.ndarray, "frames joints 3"]:
    """The predicted pose on the target's hand: its rotations, from the wrist of the prediction.

    `own` is the hand that the predicted joints lie on; of each target's hand the frames that show it are given.
    """
    rotations, origins_mm = place_hand(where, predicted_mm, quaternions, keypoints, own)
    found = np.full(predicted_mm.shape, np.nan)
    for shape, frames in targets:
        found[frames] = origins_mm[frames, :1] + _place(rotations[frames], keypoints, shape)
    return found


def place_hand(
    where: Path,
    predicted_mm: Joints,
    quaternions: Float[np.ndarray, "frames 16 4"],
    keypoints: Keypoints,
    own: HandShape,
) -> tuple[Rotations, Float64[np.ndarray, "frames 16 3"]]:
    """Rotation and origin of every bone of the predicted hand, in camera axes."""
    rotations = quaternion_to_rotation(quaternions.astype(np.float64))
    wrist_mm = _find_wrist(where, predicted_mm.astype(np.float64), rotations, keypoints, own)
    return rotations, wrist_mm[:, None] + place_turned_bones(rotations, own)


def _place(rotations: Rotations, keypoints: Keypoints, shape: HandShape) -> Float64[np.ndarray, "frames joints 3"]:
    joints_mm: np.ndarray = place_keypoints(keypoints, shape, rotations, place_turned_bones(rotations, shape))
    return joints_mm


def _find_wrist(
    where: Path, predicted_mm: Joints, rotations: Rotations, keypoints: Keypoints, own: HandShape
) -> Float64[np.ndarray, "frames 3"]:
    """What every joint agrees on: prediction moves the hand as a whole."""
    shifts_mm = predicted_mm - _place(rotations, keypoints, own)
    wrist_mm = shifts_mm.mean(axis=1)
    off_mm = float(np.linalg.norm(shifts_mm - wrist_mm[:, None], axis=2).max(initial=0.0))
    if not off_mm <= RIGID_MM:
        raise BadInput(
            where,
            expected="joints of the hand that its card names, in the rotations beside them",
            found=f"joints up to {off_mm:.1f} mm beside those",
            fix="predict anew; the card's `hand` is the one whose joints are predicted",
        )
    return wrist_mm
