"""The pipeline's own predictions: their card says which crops they belong to, so nothing about them is guessed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from handbench.errors import BadInput
from handbench.evaluation.angle_score import AngleScore, score_angles
from handbench.evaluation.ground_truth import read_store_truth
from handbench.evaluation.predictions import GroundTruth, Predictions
from handbench.evaluation.published import Record
from handbench.provenance import read_call, read_commit, read_place
from handbench.training.prediction_file import read_card, read_joints, read_pose, read_steps

PASSED_ON = ("paper", "module", "kind", "seed", "split", "centre", "settings", "store", "protocol", "converged")


@dataclass(frozen=True)
class OwnPredictions:
    """Predictions of `handbench predict` and the card beside them."""

    path: Path
    card: Mapping[str, Any]

    def read_truth(self, store: Path | None, dataset: str, record: Record | None) -> GroundTruth:
        """The labels of the crops that were predicted; `store` says where those are if they have moved."""
        place = store or Path(self.card["store"])
        if store is None and not place.is_dir():
            raise BadInput(
                self.path,
                expected=f"the crops that it was made of at {place}",
                found=f"no such folder, seen from {Path.cwd()}",
                fix="run this where the pipeline ran, or give --ground-truth STORE",
            )
        return read_store_truth(place, dataset, record)

    def read(self, truth: GroundTruth) -> Predictions:
        """The predictions, matched with the labels by their rows in the published list."""
        joints_mm, row = read_joints(self.path)
        if not np.isfinite(joints_mm).all():
            raise BadInput(
                self.path,
                expected="finite joints",
                found=f"NaN or infinity in {int((~np.isfinite(joints_mm)).any(axis=(1, 2)).sum())} frames",
                fix="train again with a lower learning rate",
            )
        known = np.arange(len(truth.joints_mm)) if truth.list_rows is None else truth.list_rows
        places = np.searchsorted(known, row)
        if len(row) == 0 or places.max() >= len(known) or not np.array_equal(known[places], row):
            raise BadInput(
                self.path, expected=f"frames of {truth.path}", found="others", fix="predict these crops again"
            )
        whole = len(truth.joints_mm)
        notes = (f"covers {len(row):,} of {whole:,} frames",) if len(row) < whole else ()
        # In list order, as the interval's blocks need it.
        by_row = np.argsort(places)
        return Predictions(joints_mm[by_row].astype(np.float64), places[by_row].astype(np.int64), "xyz", notes)

    def read_steps(self, truth: GroundTruth) -> tuple[Predictions, ...]:
        """The pose before each iteration and after the last; nothing where there is no iteration."""
        result, row = self.read(truth), read_joints(self.path)[1]
        steps_mm = read_steps(self.path)[:, np.argsort(row)].astype(np.float64)
        return tuple(replace(result, joints_mm=joints_mm) for joints_mm in steps_mm) if len(steps_mm) > 1 else ()

    @property
    def gives_angles(self) -> bool:
        return bool(self.card.get("gives_angles"))

    def score_angles(self, truth: GroundTruth, predictions: Predictions, poses: Path) -> AngleScore:
        """The predicted angles against those of poses that were fitted to the labels, in the order of `predictions`."""
        # Fitting knows torch, which a command that reads two files need not wait for.
        from handbench.fitting.pose_file import load_poses

        fitted, pose, row = load_poses(poses), read_pose(self.path), read_joints(self.path)[1]
        if fitted.card["dataset"] != truth.dataset:
            found = fitted.card["dataset"]
            raise BadInput(poses, expected=f"poses of {truth.dataset}", found=found, fix="name those of this dataset")
        if pose is None or not np.isfinite(pose).all():
            found = "no pose" if pose is None else "NaN or infinity"
            raise BadInput(self.path, expected="finite poses, as its card says", found=found, fix="predict again")
        order = np.argsort(row)
        true_pose = fitted.find(row[order])
        if np.isnan(true_pose).all():
            raise BadInput(
                poses, expected=f"frames of {truth.path}", found="others", fix="fit the labels of this split"
            )
        limits_rad = np.array(self.card["limits_rad"], np.float64)
        return score_angles(pose[order], true_pose, limits_rad, truth.sequences, predictions.rows)

    def describe(self, out: Path | None, call: Path | None) -> dict[str, Any]:
        """Where the predictions come from: what tables, stamps and the tracked run say of them."""
        told, place = read_call(call), read_place(out or self.path.parent)
        return {key: self.card[key] for key in PASSED_ON} | {
            "scale": place.scale if place else "",
            "source": self.card["protocol"]["source"],
            "commit": told.get("commit") or read_commit(),
            "config_digest": told.get("config_digest"),
            "predictions_sha256": self.card["sha256_of_file"],
        }


def find_own(prediction: Path, dataset: str) -> OwnPredictions | None:
    """The pipeline's predictions behind a path; None for anyone else's file."""
    card = read_card(prediction)
    if card is None:
        return None
    if card["dataset"] != dataset:
        raise BadInput(prediction, expected=f"predictions for {dataset}", found=card["dataset"], fix="name that one")
    return OwnPredictions(prediction, card)
