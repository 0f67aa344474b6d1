"""How each dataset is embedded: who records it, how they move, and the tree of files, by the formats' own writers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32

from handbench.conventions import SYNTHESIZED, WRISTBAND
from handbench.datasets import dexter, icvl, msra, msra14, nyu, recordings, wristband
from handbench.datasets.pose_ranges import POSE_RANGES
from handbench.datasets.recordings import PlannedTake, Recording
from handbench.errors import BadInput
from handbench.hand.flesh import FINGER_RADII_MM, PALM_HALF_THICKNESS_MM
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.sampling import PoseRange
from handbench.hand.skeleton import HandShape

Joints = Float32[np.ndarray, "frames joints 3"]
Depth = Float32[np.ndarray, "height width"]


@dataclass(frozen=True)
class LabelledTake:
    """A take with its labels, ready to be written down."""

    recording: Recording
    joints_mm: Joints
    poses: np.ndarray


@dataclass(frozen=True)
class EmbeddedFiles:
    """The people and the tree of one dataset."""

    number: int
    """Of its random numbers: every dataset has another one and keeps it, or all its frames would be others."""
    plan: Callable[[str, int], list[PlannedTake]]
    """Who records a split of so many frames."""
    poses: PoseRange
    depth_path: Callable[[Recording, int, int], Path]
    """From a take, a frame's number in it and its row in the split."""
    write_depth: Callable[[Path, Depth], None]
    write_labels: Callable[[Path, str, Sequence[LabelledTake]], None]
    """From the root, a split and that split's takes in list order."""


def _nyu_labels(root: Path, split: str, takes: Sequence[LabelledTake]) -> None:
    nyu.write_joint_data(root / split / "joint_data.mat", np.concatenate([take.joints_mm for take in takes]))


def _icvl_path(recording: Recording, frame: int, row: int) -> Path:
    folder = "Training" if recording.split == "train" else "Testing"
    return Path(folder, "Depth", icvl.image_name(recording.sequence, frame))


def _icvl_labels(root: Path, split: str, takes: Sequence[LabelledTake]) -> None:
    if split == "train":
        names = [icvl.image_name(take.recording.sequence, i) for take in takes for i in range(len(take.joints_mm))]
        icvl.write_labels(root / "Training" / "labels.txt", names, np.concatenate([take.joints_mm for take in takes]))
        return
    for take in takes:
        sequence = take.recording.sequence
        names = [icvl.image_name(sequence, i) for i in range(len(take.joints_mm))]
        path = root / "Testing" / f"{sequence}.txt"
        icvl.write_labels(path, names, take.joints_mm, line_end=icvl.TEST_LINE_END)


def _msra_labels(root: Path, split: str, takes: Sequence[LabelledTake]) -> None:
    for take in takes:
        msra.write_labels(root / take.recording.sequence / "joint.txt", take.joints_mm)


def _msra14_labels(root: Path, split: str, takes: Sequence[LabelledTake]) -> None:
    for take in takes:
        folder = root / take.recording.sequence
        msra14.write_labels(folder / "joint.txt", take.joints_mm)
        msra14.write_spheres(folder / "sphere.txt", _hand_spheres(take.poses, take.recording.shape))


def _hand_spheres(poses: np.ndarray, shape: HandShape) -> Float32[np.ndarray, "frames 48 5"]:
    """48 spheres along the bones, as Qian's hand model has them: number, centre, radius."""
    rotations, origins = forward_kinematics(poses, shape)
    shares = np.array([0.15, 0.6])
    steps = shares[:, None] * shape.lengths_mm[:, :, None, None]
    finger = origins[:, 1:].reshape(-1, 5, 3, 1, 3) - steps * rotations[:, 1:, :, 1].reshape(-1, 5, 3, 1, 3)
    radii = FINGER_RADII_MM[:, :3, None] + shares * np.diff(FINGER_RADII_MM, axis=1)[:, :, None]
    along = np.linspace(0.1, 0.9, 18)
    knuckles = shape.bases_mm[1 + np.arange(18) % 4]
    palm = origins[:, :1] + np.einsum("nij,pj->npi", rotations[:, 0], along[:, None] * knuckles)
    centres = np.concatenate([finger.reshape(len(poses), 30, 3), palm], axis=1)
    radius = np.concatenate(
        [(radii * shape.girths[:, None, None]).reshape(30), np.full(18, PALM_HALF_THICKNESS_MM * shape.palm_stretch[2])]
    )
    spheres = np.zeros((len(poses), 48, 5))
    spheres[:, :, 0] = np.arange(48)
    spheres[:, :, 1:4] = centres
    spheres[:, :, 4] = radius
    return spheres.astype(np.float32)


def _dexter_labels(root: Path, split: str, takes: Sequence[LabelledTake]) -> None:
    for take in takes:
        sequence = take.recording.sequence
        (root / "data" / sequence / "annotations").mkdir(exist_ok=True)
        dexter.write_annotations(root / "data" / sequence, sequence, take.joints_mm)


def _wristband_labels(root: Path, split: str, takes: Sequence[LabelledTake]) -> None:
    """Test frames are scored; those that are learned from have no labels, as nobody's own have."""
    wristband.write_intrinsics(root / wristband.INTRINSICS, WRISTBAND.camera)
    if split == "test":
        joints_mm = np.concatenate([take.joints_mm for take in takes])
        names = [wristband.depth_name(row) for row in range(len(joints_mm))]
        wristband.write_labels(root / split / wristband.LABELS, names, joints_mm)


FILES = {
    "nyu": EmbeddedFiles(
        4,
        recordings.plan_nyu,
        POSE_RANGES["nyu"],
        lambda recording, frame, row: Path(recording.split, nyu.depth_name(row)),
        nyu.write_depth,
        _nyu_labels,
    ),
    "icvl": EmbeddedFiles(1, recordings.plan_icvl, POSE_RANGES["icvl"], _icvl_path, icvl.write_depth, _icvl_labels),
    "msra": EmbeddedFiles(
        2,
        recordings.plan_msra,
        POSE_RANGES["msra"],
        lambda recording, frame, row: Path(recording.sequence, msra.depth_name(frame)),
        msra.write_depth,
        _msra_labels,
    ),
    "msra14": EmbeddedFiles(
        3,
        recordings.plan_msra14,
        POSE_RANGES["msra14"],
        lambda recording, frame, row: Path(recording.sequence, msra14.depth_name(frame)),
        msra14.write_depth,
        _msra14_labels,
    ),
    "dexter": EmbeddedFiles(
        0,
        recordings.plan_dexter,
        POSE_RANGES["dexter"],
        lambda recording, frame, row: Path("data", recording.sequence, "depth", dexter.depth_name(frame)),
        dexter.write_depth,
        _dexter_labels,
    ),
    "wristband": EmbeddedFiles(
        5,
        recordings.plan_wristband,
        POSE_RANGES["wristband"],
        lambda recording, frame, row: Path(recording.split, wristband.depth_name(row)),
        wristband.write_depth,
        _wristband_labels,
    ),
}


def plan_recordings(
    dataset: str, frames: dict[str, int], seed: int, stride: Mapping[str, int] = MappingProxyType({})
) -> list[Recording]:
    """All takes in list order: splits in the dataset's order, takes in the order of the label files."""
    splits, files = SYNTHESIZED[dataset].splits, FILES[dataset]
    if set(frames) != set(splits):
        raise BadInput(
            f"frames of {dataset}",
            expected="a count for " + " and ".join(splits),
            found=", ".join(sorted(frames)) or "none",
            fix="name each split once",
        )
    if not set(stride) <= set(splits):
        raise BadInput(
            f"stride of {dataset}", expected=" and ".join(splits), found=", ".join(stride), fix="name its splits"
        )
    if min(frames.values()) < 0 or sum(frames.values()) == 0:
        raise BadInput(
            f"frames of {dataset}",
            expected="counts of 0 or more, not all of them 0",
            found=", ".join(f"{split}={count}" for split, count in frames.items()),
            fix="ask for at least one frame",
        )
    takes: list[Recording] = []
    for split in splits:
        plan = files.plan(split, frames[split])
        for number, (subject, sequence, count, shape, gesture) in enumerate(plan, start=1):
            stream = (seed, files.number, splits.index(split), number)
            every = stride.get(split, 1)
            takes.append(
                Recording(dataset, split, subject, sequence, count, shape, gesture, every, files.poses, stream)
            )
    return [take for take in takes if take.frames > 0]
