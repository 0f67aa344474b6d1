"""Where each dataset puts its joints: points fixed to the bones of the one hand.

A finger's point is given as (bone, fraction of the bone's length, offset towards the thumb side, offset towards the
back of the hand), the offsets in millimetres of the reference hand. A palm's point is given in palm millimetres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from handbench.conventions import DATASETS, FINGERS, MSRA_JOINTS, NYU_JOINTS
from handbench.hand.flesh import FINGER_RADII_MM, PALM_HALF_THICKNESS_MM
from handbench.hand.kinematics import _like, _namespace, forward_kinematics
from handbench.hand.skeleton import BONES, HandShape

Array = Any


@dataclass(frozen=True)
class Keypoints:
    """The bone each point rides on, and its place there for the reference hand."""

    bones: Integer[np.ndarray, "joints"]
    fractions: Float[np.ndarray, "joints"]
    """Share of the bone's length; zero for points of the palm."""
    offsets_mm: Float[np.ndarray, "joints 3"]

    def take(self, places: Sequence[int]) -> "Keypoints":
        """Some of them, in this order."""
        return Keypoints(*(values[list(places)] for values in (self.bones, self.fractions, self.offsets_mm)))

    def local_mm(self, shape: HandShape) -> Float[np.ndarray, "joints 3"]:
        """The points in their bones' frames, for a person's hand."""
        finger, segment = np.divmod(self.bones - 1, 3)
        on_palm = self.bones == 0
        stretch = np.where(on_palm[:, None], shape.palm_stretch, shape.girths[finger][:, None])
        along = np.where(on_palm, 0.0, -self.fractions * shape.lengths_mm[finger, segment])
        return self.offsets_mm * stretch + np.stack([np.zeros_like(along), along, np.zeros_like(along)], axis=1)


@dataclass(frozen=True)
class Hand:
    """Whose hand it is, and which joints are looked for on it."""

    shape: HandShape
    keypoints: Keypoints


def keypoint_positions(
    keypoints: Keypoints, shape: HandShape, pose: Float[Array, "*batch 26"]
) -> Float[Array, "*batch joints 3"]:
    """The dataset's joints in camera axes, millimetres."""
    rotations, origins = forward_kinematics(pose, shape)
    return place_keypoints(keypoints, shape, rotations, origins)


def place_keypoints(
    keypoints: Keypoints,
    shape: HandShape,
    rotations: Float[Array, "*batch 16 3 3"],
    origins: Float[Array, "*batch 16 3"],
) -> Float[Array, "*batch joints 3"]:
    """The joints from bone frames that are already at hand."""
    local = _like(keypoints.local_mm(shape), origins)
    moved = _namespace(origins).einsum("...jik,jk->...ji", rotations[..., keypoints.bones, :, :], local)
    return origins[..., keypoints.bones, :] + moved


def _collect(points: list[tuple[str, float, tuple[float, float, float]]]) -> Keypoints:
    return Keypoints(
        bones=np.array([BONES.index(bone) for bone, _, _ in points]),
        fractions=np.array([fraction for _, fraction, _ in points]),
        offsets_mm=np.array([offset for _, _, offset in points]),
    )


# NYU labels come from a model made of spheres, an inner (B) and an outer (A) one on each bone. The fractions follow
# from the distances that stay constant in the published test labels of the first subject.
_NYU_FINGER = {
    "KNU3_A": ("distal", 0.95),
    "KNU3_B": ("distal", 0.28),
    "KNU2_A": ("middle", 0.55),
    "KNU2_B": ("middle", 0.07),
    "KNU1_A": ("proximal", 0.52),
    "KNU1_B": ("proximal", 0.02),
}
_NYU_THUMB = {
    "KNU3_A": ("distal", 0.95),
    "KNU3_B": ("distal", 0.10),
    "KNU2_A": ("middle", 0.55),
    "KNU2_B": ("middle", 0.07),
    "KNU1_A": ("proximal", 0.62),
    "KNU1_B": ("proximal", 0.02),
}
_NYU_PALM = {
    "PALM_1": (-17.7, 4.0, 0.0),
    "PALM_2": (17.7, 4.0, 0.0),
    "PALM_3": (0.0, -75.3, 0.0),
    "PALM_4": (-18.0, -68.0, -8.0),
    "PALM_5": (-3.0, -51.0, -1.0),
    "PALM_6": (0.0, 2.0, 2.0),
}


def _nyu_point(name: str, part: str) -> tuple[str, float, tuple[float, float, float]]:
    if part == "palm":
        return "palm", 0.0, _NYU_PALM[name]
    knuckle = name.split("_", 1)[1]
    segment, fraction = (_NYU_THUMB if part == "thumb" else _NYU_FINGER)[knuckle]
    return f"{part}_{segment}", fraction, (0.0, 0.0, 0.0)


def _msra_points() -> list[tuple[str, float, tuple[float, float, float]]]:
    points: list[tuple[str, float, tuple[float, float, float]]] = [("palm", 0.0, (0.0, 0.0, 0.0))]
    for part in MSRA_JOINTS.parts[1::4]:
        # A thumb's four points start at its second bone's proximal end only in anatomy books: MSRA starts at the root.
        points += [(f"{part}_{segment}", 0.0, (0.0, 0.0, 0.0)) for segment in ("proximal", "middle", "distal")]
        points.append((f"{part}_distal", 0.95, (0.0, 0.0, 0.0)))
    return points


def _icvl_points() -> list[tuple[str, float, tuple[float, float, float]]]:
    """ICVL marks the middle of each bone, and of the distal one a point nearer its joint."""
    points: list[tuple[str, float, tuple[float, float, float]]] = [("palm", 0.0, (0.0, -57.0, 0.0))]
    for finger in FINGERS:
        points += [(f"{finger}_proximal", 0.5, (0.0, 0.0, 0.0)), (f"{finger}_middle", 0.5, (0.0, 0.0, 0.0))]
        points.append((f"{finger}_distal", 0.35, (0.0, 0.0, 0.0)))
    return points


KEYPOINTS = {
    "nyu": _collect([_nyu_point(name, part) for name, part in zip(NYU_JOINTS.names, NYU_JOINTS.parts, strict=True)]),
    "icvl": _collect(_icvl_points()),
    "msra": _collect(_msra_points()),
    "msra14": _collect(_msra_points()),
    "handobject": _collect(_msra_points()),
    "wristband": _collect(_msra_points()),
    "hands": _collect(_msra_points()),
    "dexter": _collect([(f"{finger}_distal", 0.95, (0.0, 0.0, 0.0)) for finger in FINGERS]),
}


def scored_keypoints(dataset: str) -> Keypoints:
    """The joints of the hand that a dataset is scored on, in their order; an object's corners are on no bone."""
    every = KEYPOINTS[dataset]
    return every.take([joint for joint in DATASETS[dataset].scored if joint < len(every.bones)])


def learned_keypoints(dataset: str) -> Keypoints:
    """The joints that deepmodel learns from, the scored ones first."""
    return KEYPOINTS[dataset].take(DATASETS[dataset].learned)


def keypoint_radii_mm(keypoints: Keypoints, shape: HandShape) -> Float[np.ndarray, "joints"]:
    """How deep each point lies in the flesh, roughly: the finger's radius there, half the palm's thickness."""
    finger, segment = np.divmod(keypoints.bones - 1, 3)
    near, far = FINGER_RADII_MM[finger, segment], FINGER_RADII_MM[finger, segment + 1]
    in_finger = (near + keypoints.fractions * (far - near)) * shape.girths[finger]
    return np.where(keypoints.bones == 0, PALM_HALF_THICKNESS_MM * shape.palm_stretch[2], in_finger)
