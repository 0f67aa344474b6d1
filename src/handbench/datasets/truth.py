"""truth.npz: what is true of embedded frames and no dataset annotates. Importers never read it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from handbench.conventions import SYNTHESIZED
from handbench.datasets.array_file import Layout, Pieces, check_layout, read_arrays
from handbench.datasets.takes import Drawn, Take, object_truth
from handbench.errors import BadInput
from handbench.geometry.rotation import rotation_to_quaternion
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.skeleton import BONES, DOFS

HOLDS = "the truth.npz of an embedded dataset"
FIX = "run handbench synthesize again; real datasets have no such file"
OBJECT_LAYOUT: Layout = {
    "split": ("U", ("frames",)),
    "object_centre_mm": ("f", ("frames", 3)),
    "object_rotation": ("f", ("frames", 3, 3)),
    "object_size_mm": ("f", ("frames", 3)),
    "mirrored": ("b", ()),
}
LAYOUT: Layout = {
    **OBJECT_LAYOUT,
    "poses": ("f", ("frames", len(DOFS))),
    "quaternions": ("f", ("frames", len(BONES), 4)),
    "take": ("i", ("frames",)),
    "bases_mm": ("f", ("takes", 5, 3)),
    "lengths_mm": ("f", ("takes", 5, 3)),
    "girths": ("f", ("takes", 5)),
    "palm_stretch": ("f", ("takes", 3)),
    "visible": ("b", ("frames", "joints")),
}
FOREARM_LAYOUT: Layout = {"split": ("U", ("frames",)), "forearm_bits": ("u", ("frames", "bytes"))}
PER_TAKE = ("bases_mm", "lengths_mm", "girths", "palm_stretch", "mirrored")


@dataclass(frozen=True)
class Truth:
    """All arrays are in list order of one split; masks of forearms, by far the largest, are read by themselves."""

    poses: Float32[np.ndarray, "frames 26"]
    """Pose parameters (hand.skeleton.DOFS) in the axes of the drawing camera; of a right hand even where mirrored."""
    quaternions: Float32[np.ndarray, "frames 16 4"]
    """Rotation of every bone in camera axes, (w, x, y, z) with w >= 0."""
    take: np.ndarray
    """Index into the shapes below."""
    bases_mm: Float32[np.ndarray, "takes 5 3"]
    lengths_mm: Float32[np.ndarray, "takes 5 3"]
    girths: Float32[np.ndarray, "takes 5"]
    palm_stretch: Float32[np.ndarray, "takes 3"]
    visible: Bool[np.ndarray, "frames joints"]
    """A joint is visible where the rendered surface at its pixel is its own flesh or box."""
    object_centre_mm: Float32[np.ndarray, "frames 3"]
    """NaN where nothing is held."""
    object_rotation: Float32[np.ndarray, "frames 3 3"]
    object_size_mm: Float32[np.ndarray, "frames 3"]
    mirrored: bool
    """Whether images and labels were mirrored after drawing (left hands)."""


def describe_chunk(drawn: Sequence[Drawn]) -> dict[str, np.ndarray]:
    """What only the drawing knows of a few frames."""
    return {
        "visible": np.stack([frame.visible for frame in drawn]),
        "forearm_bits": np.stack([np.packbits(frame.forearm) for frame in drawn]),
    }


def collect_truth(
    takes: Sequence[Take], visible: Bool[np.ndarray, "frames joints"], forearm_bits: Pieces
) -> dict[str, np.ndarray | Pieces]:
    """The arrays of truth.npz: every split in one file, told apart by `split`."""
    poses = np.concatenate([take.poses for take in takes])
    counts = [len(take.poses) for take in takes]
    rotations = [forward_kinematics(take.poses, take.recording.shape)[0] for take in takes]
    boxes = [object_truth(take, index) for take in takes for index in range(len(take.poses))]
    nothing = np.full(3, np.nan)
    shapes = [take.recording.shape for take in takes]
    return {
        "poses": poses.astype(np.float32),
        "quaternions": rotation_to_quaternion(np.concatenate(rotations)).astype(np.float32),
        "split": np.repeat([take.recording.split for take in takes], counts),
        "take": np.repeat(np.arange(len(takes)), counts),
        "bases_mm": np.stack([shape.bases_mm for shape in shapes]).astype(np.float32),
        "lengths_mm": np.stack([shape.lengths_mm for shape in shapes]).astype(np.float32),
        "girths": np.stack([shape.girths for shape in shapes]).astype(np.float32),
        "palm_stretch": np.stack([shape.palm_stretch for shape in shapes]).astype(np.float32),
        "visible": visible,
        "forearm_bits": forearm_bits,
        "object_centre_mm": np.stack([nothing if b is None else b.centre_mm for b in boxes]).astype(np.float32),
        "object_rotation": np.stack([np.diag(nothing) if b is None else b.rotation for b in boxes]).astype(np.float32),
        "object_size_mm": np.stack([nothing if b is None else b.size_mm for b in boxes]).astype(np.float32),
        "mirrored": np.array(takes[0].recording.dataset == "dexter"),
    }


def read_truth(path: Path, split: str) -> Truth:
    """The truth of one split of an embedded dataset."""
    arrays = read_truth_arrays(path, LAYOUT)
    takes, most = arrays["take"], len(arrays["bases_mm"])
    if not ((takes >= 0) & (takes < most)).all():
        raise BadInput(path, expected=f"{HOLDS}, with takes 0 to {most - 1}", found="others", fix=FIX)
    mine = arrays["split"] == split
    kept: dict[str, Any] = {name: arrays[name] if name in PER_TAKE else arrays[name][mine] for name in LAYOUT}
    del kept["split"]
    return Truth(**{**kept, "mirrored": bool(arrays["mirrored"])})


def read_truth_arrays(path: Path, layout: Layout) -> dict[str, np.ndarray]:
    """The arrays of a layout, of the shapes that `collect_truth` gives them; objects are NaN where nothing is held."""
    arrays = read_arrays(path, names=layout, holds=HOLDS, fix=FIX)
    known = [name for name in layout if not name.startswith("object_")]
    check_layout(path, arrays, layout, holds=HOLDS, fix=FIX, finite=known)
    turns = arrays["object_rotation"]
    # Of a rotation that is none the diagonal alone need be NaN.
    diagonals = np.diagonal(turns, axis1=1, axis2=2)
    whole = np.isfinite(np.concatenate([arrays["object_centre_mm"], arrays["object_size_mm"], diagonals], axis=1))
    held = whole.all(axis=1)
    if whole[~held].any() or not np.isfinite(turns[held]).all():
        raise BadInput(path, expected=f"{HOLDS}, with all of an object or nothing", found="a part of one", fix=FIX)
    return arrays


def read_forearms(path: Path, split: str) -> UInt8[np.ndarray, "frames bytes"]:
    """The packed masks of one split's forearms, 38 KB for a frame of 640 x 480; `unpack_forearm` makes them images."""
    arrays = read_arrays(path, names=FOREARM_LAYOUT, holds=HOLDS, fix=FIX)
    check_layout(path, arrays, FOREARM_LAYOUT, holds=HOLDS, fix=FIX)
    forearm_bits: np.ndarray = arrays["forearm_bits"][arrays["split"] == split]
    return forearm_bits


def unpack_forearm(packed: UInt8[np.ndarray, "bytes"], dataset: str) -> Bool[np.ndarray, "height width"]:
    """The forearm's pixels of one frame, in the image as it was drawn (before mirroring)."""
    camera = SYNTHESIZED[dataset].camera
    bits = np.unpackbits(packed).astype(bool)
    if len(bits) != camera.height * camera.width:
        found = f"{len(bits):,} bits of forearm"
        raise BadInput(HOLDS, expected=f"one for each of {camera.width}x{camera.height} pixels", found=found, fix=FIX)
    return bits.reshape(camera.height, camera.width)
