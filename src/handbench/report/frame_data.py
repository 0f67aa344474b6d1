"""The frames behind a result: what was predicted, what is true, and the crop that a network saw."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from handbench.datasets.array_file import read_arrays
from handbench.datasets.files import check_digest
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.datasets.store import CropStore, open_store
from handbench.errors import BadInput
from handbench.evaluation.results import Result
from handbench.training.prediction_file import FILE, pick_joints, read_card, read_hand_scale, read_joints, read_pose

ERRORS = "errors.npz"
AGAIN = "run the pipeline again to make it anew"


@dataclass(frozen=True)
class StoredFrames:
    """Frames by their place in a crop store."""

    rows: Int64[np.ndarray, "frames"]
    """In the published list."""
    store: CropStore
    places: Int64[np.ndarray, "frames"]

    @property
    def truth_mm(self) -> Float[np.ndarray, "frames all_joints 3"]:
        """Every labelled joint, scored or not."""
        return np.asarray(self.store.joints_mm[self.places])


@dataclass(frozen=True)
class FrameData(StoredFrames):
    """Errors of a result's frames in list order."""

    result: Result
    errors_mm: Float[np.ndarray, "frames joints"]
    predicted_mm: Float[np.ndarray, "frames joints 3"]
    card: dict[str, Any]
    """Beside the predictions."""
    pose: Float32[np.ndarray, "frames 26"] | None
    """Of predictions that give angles."""
    hand_scale: Float32[np.ndarray, "frames"]
    """The size of each frame's hand against the card's."""
    prediction: Path
    """The file of the predictions."""


def open_frames(run: Path, result: Result) -> FrameData:
    """The frames of a result of this run; BadInput says which file of them is not at hand."""
    if result.folder is None:
        raise _missing("the tracking store", "the files of a result", "numbers only")
    prediction = run / "predict" / result.dataset / result.module / f"seed{result.seed}" / FILE
    card = read_card(prediction)
    if card is None:
        raise _missing(FILE, "the predictions of this result", "no such file")
    predicted_mm, rows = read_joints(prediction)
    scale = read_hand_scale(prediction)
    store = open_store(find_store(Path(card["store"]), run, result.dataset), verify=False)
    return FrameData(
        result=result,
        errors_mm=_read_joint_errors(result, len(rows)),
        predicted_mm=pick_joints(card, predicted_mm, scored_skeleton(result.dataset).names),
        rows=rows.astype(np.int64),
        store=store,
        places=_find_rows(rows.astype(np.int64), np.asarray(store.row)),
        card=card,
        pose=read_pose(prediction),
        hand_scale=np.ones(len(rows), np.float32) if scale is None else scale,
        prediction=prediction,
    )


def _read_joint_errors(result: Result, frames: int) -> Float[np.ndarray, "frames joints"]:
    """An error for each predicted frame, in the order of the predictions."""
    errors_mm = read_errors(result, "errors_mm").get("errors_mm")
    if errors_mm is None or errors_mm.ndim != 2:
        raise _missing(ERRORS, "the error of every frame", "none of joints")
    if len(errors_mm) != frames:
        raise _missing(ERRORS, f"the errors of {frames:,} frames", f"{len(errors_mm):,}")
    return errors_mm


def read_errors(result: Result, *names: str) -> dict[str, np.ndarray]:
    """As many of these arrays as an evaluation has left of its frames."""
    path = (result.folder or Path()) / ERRORS
    holds = "the error of every frame"
    check_digest(path, result.sha256_of_errors, holds=holds, by="its evaluation", fix=AGAIN)
    return read_arrays(path, names=names, holds=holds, fix=AGAIN)


def find_store(named: Path, run: Path, dataset: str) -> Path:
    """Where a card says that crops lie; a moved results folder has them at the same place below the run."""
    below = run / "crop" / dataset / named.parent.name / named.name
    place = next((folder for folder in (named, below) if folder.is_dir()), None)
    if place is None:
        raise _missing("the crop store", "the crops that were predicted on", "no such folder")
    return place


def _find_rows(wanted: Int64[np.ndarray, "frames"], rows: np.ndarray) -> Int64[np.ndarray, "frames"]:
    """Where the store keeps each frame of the published list."""
    order = np.argsort(rows, kind="stable")
    places = order[np.searchsorted(rows, wanted, sorter=order).clip(max=len(rows) - 1)]
    if not np.array_equal(rows[places], wanted):
        raise _missing("the crop store", f"all of the {len(wanted):,} predicted frames", "others")
    return places.astype(np.int64)


def _missing(where: str, expected: str, found: str) -> BadInput:
    return BadInput(where, expected=expected, found=found, fix=AGAIN)
