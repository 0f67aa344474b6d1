"""One method on one test set in angles: what is measured of its poses, and what of that is kept.

The true angles are those that the hand model was fitted to the labels with (deepmodel Sec. 4).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int64

from handbench.evaluation.angles import angles_out_of_range, rotation_errors_deg, turn_errors_deg
from handbench.evaluation.blocks import Blocks, make_blocks, parse_blocks
from handbench.hand.angle_errors import angle_errors_deg
from handbench.hand.kinematics import hand_rotation
from handbench.hand.skeleton import DOFS

TURNS = slice(3, 6)
"""Of a pose: yaw, pitch and roll; the position stands before, the angles of the fingers behind."""
FINGERS = slice(6, None)
ANGLES = DOFS[3:]
"""All angles of theta: what the paper averages over."""
BLOCKS = ("errors", "rotation", "outside", "beyond", "true_beyond")
Poses = Float[np.ndarray, "frames 26"]


@dataclass(frozen=True)
class AngleResult:
    """The angles of one module with one seed: means, and sums of each block of frames."""

    error_deg: dict[str, float]
    """Mean of each angle; NaN for one that is never known."""
    errors: Blocks
    """Errors of all angles, degrees."""
    rotation: Blocks
    """Of each frame: how far the hand is turned from the true one, degrees."""
    outside: Blocks
    """Of each frame: 1 where at least one finger angle is out of its range."""
    beyond: Blocks | None = None
    """The same of the training's percentiles, where the fit tells them; `true_beyond` of the true poses themselves."""
    true_beyond: Blocks | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers for JSON; None where nothing is known."""
        return {
            "mean_error_deg": _plain(self.errors.mean),
            "angle_error_deg": {name: _plain(value) for name, value in self.error_deg.items()},
            "rotation_error_deg": _plain(self.rotation.mean),
            "out_of_range": _plain(self.outside.mean),
            **({"beyond_percentiles": _plain(self.beyond.mean)} if self.beyond else {}),
            "frames": self.rotation.count,
            "blocks": {name: blocks.as_dict() for name in BLOCKS if (blocks := getattr(self, name)) is not None},
        }


@dataclass(frozen=True)
class AngleScore:
    """The same with every frame."""

    errors_deg: Float64[np.ndarray, "frames angles"]
    """In the order of ANGLES; NaN where no pose was fitted to the labels."""
    rotation_deg: Float64[np.ndarray, "frames"]
    outside: Float64[np.ndarray, "frames"]
    result: AngleResult

    @property
    def unknown(self) -> int:
        """Frames without a fitted pose."""
        return int(np.isnan(self.errors_deg).all(axis=1).sum())


def score_angles(
    predicted: Poses,
    truth: Poses,
    limits_rad: Float[np.ndarray, "20 2"],
    sequences: Sequence[str],
    rows: Int64[np.ndarray, "frames"],
    inner_limits_rad: Float[np.ndarray, "20 2"] | None = None,
) -> AngleScore:
    """Measure poses once; `sequences` of the whole set and `rows` are for the intervals, as `sum_blocks` has them."""
    errors_deg = np.concatenate(
        [
            turn_errors_deg(predicted[:, TURNS], truth[:, TURNS]),
            angle_errors_deg(predicted[:, FINGERS], truth[:, FINGERS]),
        ],
        axis=1,
    )
    # In float64: a float32 rotation is off by more than the smallest turns.
    turns = (hand_rotation(pose[:, TURNS].astype(np.float64)) for pose in (predicted, truth))
    rotation_deg, outside = rotation_errors_deg(*turns), angles_out_of_range(predicted[:, FINGERS], limits_rad)
    beyond = {
        name: make_blocks(angles_out_of_range(pose[:, FINGERS], inner_limits_rad), sequences, rows)
        for name, pose in (("beyond", predicted), ("true_beyond", truth))
        if inner_limits_rad is not None
    }
    result = AngleResult(
        error_deg=dict(zip(ANGLES, _average_known(errors_deg), strict=True)),
        errors=make_blocks(errors_deg, sequences, rows),
        rotation=make_blocks(rotation_deg, sequences, rows),
        outside=make_blocks(outside, sequences, rows),
        **beyond,
    )
    return AngleScore(errors_deg, rotation_deg, outside, result)


def parse_angles(saved: Mapping[str, Any] | None) -> AngleResult | None:
    """What `AngleResult.as_dict` gave; None for predictions without angles."""
    if saved is None:
        return None
    means = {name: float("nan") if value is None else float(value) for name, value in saved["angle_error_deg"].items()}
    # Those of percentiles are not in evaluations of older releases.
    blocks = {name: parse_blocks(saved["blocks"][name]) for name in BLOCKS if name in {*BLOCKS[:3], *saved["blocks"]}}
    return AngleResult(means, **blocks)


def _average_known(errors_deg: Float64[np.ndarray, "frames angles"]) -> list[float]:
    known = ~np.isnan(errors_deg)
    sums, counts = np.where(known, errors_deg, 0.0).sum(axis=0), known.sum(axis=0)
    return [float(total / number) if number else float("nan") for total, number in zip(sums, counts, strict=True)]


def _plain(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None
