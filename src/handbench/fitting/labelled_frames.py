"""Labels to fit a hand and poses to: those of a crop store, or of the published record of NYU's test set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from handbench.conventions import DATASETS, NYU, NYU_LABEL_CAMERA, ONE_HAND, Camera
from handbench.datasets.labels import check_places, parse_numbers, read_lines
from handbench.datasets.published import PublishedFile, find_published
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points
from handbench.hand.keypoints import Keypoints, learned_keypoints, scored_keypoints

HOW_TO_GET = "run `handbench download published`"
NYU_SEGMENTS = {"segment_1": 2440, "segment_2": 696, "segment_3": 5116}
"""Test frames in a row whose labels have one size: 81.3, 70.6 and 67.3 mm between wrist and palm, to 0.005 mm."""


@dataclass(frozen=True)
class LabelledFrames:
    """Every frame that has all its joints, in list order."""

    dataset: str
    split: str
    joints_mm: Float64[np.ndarray, "frames joints 3"]
    """Camera axes."""
    keypoints: Keypoints
    """What the joints are: the hand is fitted to all of them."""
    scored: int
    """So many of them, the first, are those that results are measured on: poses are fitted to these (J = 14)."""
    cube_mm: Float64[np.ndarray, "frames"]
    """Edges of the crops' cubes: they are made to hold a person's hand, and tell its size against another's."""
    row: Int64[np.ndarray, "frames"]
    """Place of each frame in the published list."""
    names: tuple[str, ...]
    sequences: tuple[str, ...]
    unlabelled: int
    """Frames of the split that lack a joint."""
    origin: dict[str, Any]
    """What a card tells of where the labels are from."""

    def __len__(self) -> int:
        return len(self.row)


def read_store(path: Path, dataset: str) -> LabelledFrames:
    """The labels of a crop store; which centre its crops have makes no difference."""
    store = open_store(path)
    protocol = store.card["protocol"]
    if dataset not in ONE_HAND:
        raise BadInput("fit", expected=" or ".join(ONE_HAND), found=dataset, fix="fit a dataset with one training hand")
    if protocol["dataset"] != dataset:
        raise BadInput(path, expected=f"crops of {dataset}", found=protocol["dataset"], fix="name another store")
    convention = DATASETS[dataset]
    joints_mm = np.asarray(store.joints_mm)[:, list(convention.learned)].astype(np.float64)
    whole = np.flatnonzero(np.isfinite(joints_mm).all(axis=(1, 2)))
    if not len(whole):
        found = f"none of {len(store):,} with all its joints"
        raise BadInput(path, expected="labelled frames", found=found, fix="name crops of a split that has labels")
    return LabelledFrames(
        dataset=dataset,
        split=protocol["split"],
        joints_mm=joints_mm[whole],
        keypoints=learned_keypoints(dataset),
        scored=len(convention.scored),
        cube_mm=np.asarray(store.cube_mm)[whole].astype(np.float64),
        row=np.asarray(store.row)[whole].astype(np.int64),
        names=tuple(store.names[place] for place in whole),
        sequences=tuple(store.sequences[place] for place in whole),
        unlabelled=len(store) - len(whole),
        origin={"source": protocol["source"], "sha256_of_store": store.card["sha256"]},
    )


def read_record(folder: Path, camera: Camera = NYU_LABEL_CAMERA) -> LabelledFrames:
    """NYU's published test labels; sequences are the segments of one hand size.

    They are pixels and millimetres, and only the square-pixel camera that projected them makes the palm rigid again.
    """
    if not folder.is_dir():
        raise BadInput(folder, expected="a folder that holds the published record", found="none", fix=HOW_TO_GET)
    labels, names = find_published("nyu/labels"), find_published("nyu/names")
    path = folder / labels.file
    numbers = [parse_numbers(path, line, text.split(), labels.columns) for line, text in _read(folder, labels)]
    joints_mm = back_project_points(np.array(numbers).reshape(-1, labels.joints, 3), camera)
    check_places(lambda row: f"{path}, line {row + 1}", joints_mm)
    segments = [name for name, frames in NYU_SEGMENTS.items() for _ in range(frames)]
    return LabelledFrames(
        dataset="nyu",
        split="test",
        joints_mm=joints_mm,
        keypoints=scored_keypoints("nyu"),
        scored=joints_mm.shape[1],
        # Of a published label no cube is known; each segment has a hand of its own.
        cube_mm=np.full(len(joints_mm), NYU.cube_mm[""]),
        row=np.arange(len(joints_mm)),
        names=tuple(text for _, text in _read(folder, names)),
        sequences=tuple(segments),
        unlabelled=0,
        origin={"source": "real", "sha256_of_labels": labels.sha256},
    )


def _read(folder: Path, entry: PublishedFile) -> list[tuple[int, str]]:
    """The lines of one of the record's files, all of them."""
    path = folder / entry.file
    if not path.is_file():
        raise BadInput(path, expected="a file of the published record", found="no such file", fix=HOW_TO_GET)
    lines = read_lines(path, holds=f"{entry.frames:,} lines, one a frame")
    if len(lines) != entry.frames:
        raise BadInput(path, expected=f"{entry.frames:,} frames", found=f"{len(lines):,}", fix=HOW_TO_GET)
    return lines
