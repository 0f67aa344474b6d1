"""The error of a model on its test frames, with its own weights and with what half precision leaves of them.

Both are measured by the program at hand on the road of every other result: predict, then evaluate.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from handbench.datasets.torch_dataset import open_crops
from handbench.errors import BadInput
from handbench.evaluation.bootstrap import Interval, bootstrap_blocks, bootstrap_difference, sum_blocks
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.results import FIX, HOLDS
from handbench.evaluation.score import interval_or_none, plain
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import find_labelled, gather
from handbench.loop.localization import find_joint_mm, refine_centres, select_joint
from handbench.modules import KINDS
from handbench.release.trained import Found
from handbench.release.unpack import write_plain
from handbench.sealed import read_whole
from handbench.training.checkpoint import Checkpoint
from handbench.training.predict import check_store, check_unseen, predict

WITHIN_MM = 0.05
"""So far a measured mean may lie from that of the run: threads and processors change last digits, no more."""


@dataclass(frozen=True)
class Errors:
    """Of every frame, and of every joint where there are several, in millimetres."""

    errors_mm: Float[np.ndarray, "frames *joints"]
    sequences: tuple[str, ...]
    rows: Int64[np.ndarray, "frames"] | None = None

    @property
    def interval(self) -> Interval:
        sums, counts = sum_blocks(self.errors_mm, self.sequences, self.rows)
        return bootstrap_blocks(sums, counts)


def measure_both(one: Found, checkpoint: Checkpoint, halved: dict[str, Tensor], dataset: str, store: Path) -> Any:
    """What a card tells of the error: full and half precision, and the paired difference."""
    measure = _measure_localizer if one.is_localizer else _measure_joints
    half = Checkpoint(one.folder, checkpoint.card, halved)
    ours, theirs = (measure(each, one, dataset, store) for each in (half, checkpoint))
    _check_against_run(one, dataset, theirs.interval.mean)
    sequences = ours.sequences if ours.rows is None else tuple(np.array(ours.sequences)[ours.rows])
    return {
        "float32": describe(theirs.interval),
        "float16": describe(ours.interval),
        "float16_less_float32": describe(bootstrap_difference(ours.errors_mm, theirs.errors_mm, sequences)),
        "frames": len(ours.errors_mm),
    }


def describe(interval: Interval) -> dict[str, Any]:
    return {"mean_mm": plain(interval.mean), "interval_mm": interval_or_none(interval)}


def _measure_joints(checkpoint: Checkpoint, one: Found, dataset: str, store: Path) -> Errors:
    truth = one.run / "synthesize" / dataset / "truth.npz"
    known = truth if KINDS[one.card["kind"]].renders and truth.is_file() else None
    with tempfile.TemporaryDirectory() as place:
        model, out = Path(place, "model"), Path(place, "predicted")
        write_plain(checkpoint, model)
        predict([model], store, out, truth=known)
        found = evaluate(out / "predictions.npz", dataset, one.name, ground_truth=store, truth_file=known)
    every = tuple(open_crops(store=store, verify=False).store.sequences)
    return Errors(found.score.errors_mm, every, found.rows)


def _measure_localizer(checkpoint: Checkpoint, one: Found, dataset: str, store: Path) -> Errors:
    """How far from its joint the cube comes to rest."""
    crops = select_joint(open_crops(store=store), checkpoint.card["settings"]["joint"])
    check_store(checkpoint.card, crops)
    check_unseen(checkpoint, crops)
    batch = CropBatch(**gather(crops))
    with torch.no_grad():
        centre_mm = refine_centres(checkpoint.trained.build(), batch).centre_mm
    off_mm: Float64[np.ndarray, frames] = (centre_mm - find_joint_mm(batch)).norm(dim=1).numpy().astype(np.float64)
    rows = np.flatnonzero(find_labelled(crops).numpy()).astype(np.int64)
    return Errors(off_mm, tuple(crops.store.sequences), rows)


def _check_against_run(one: Found, dataset: str, mean_mm: float) -> None:
    """A checkpoint that the program at hand reads otherwise than that of its run is not handed on."""
    path = one.sibling("evaluate", dataset) / "evaluation.json"
    if not path.is_file():
        return
    evaluation = read_whole(path, holds=HOLDS, fix=FIX)
    told = evaluation.get("mean_error_mm")
    if not isinstance(told, int | float | None) or "mean_error_mm" not in evaluation:
        raise BadInput(path, expected=HOLDS, found=f"{told!r} for its mean error", fix=FIX)
    if told is not None and not abs(told - mean_mm) <= WITHIN_MM:
        raise BadInput(
            one.folder,
            expected=f"the error of its run, {told:.2f} mm",
            found=f"{mean_mm:.2f} mm by the program at hand",
            fix="train it again with this program, or pack it with the one that trained it",
        )
