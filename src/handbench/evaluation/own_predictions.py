"""The pipeline's own predictions: their card says which crops they belong to, so nothing about them is guessed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from handbench.conventions import DATASETS
from handbench.errors import BadInput
from handbench.evaluation.angle_score import AngleScore, score_angles
from handbench.evaluation.corner_orders import check_rigid, match_corners, match_whole
from handbench.evaluation.ground_truth import read_store_truth
from handbench.evaluation.hand_object_score import HandObjectScore, Parts, score_hand_object
from handbench.evaluation.predictions import GroundTruth, Predictions
from handbench.evaluation.published import Record
from handbench.evaluation.true_boxes import read_true_corners
from handbench.provenance import read_call, read_place, tell_commit
from handbench.training.prediction_file import (
    GIVES_OBJECT,
    PARTS_CONVERGED,
    TRAINED_AT,
    pick_joints,
    read_card,
    read_corners,
    read_joints,
    read_pose,
    read_pose_of_all,
    read_quaternions,
    read_steps,
)
from handbench.training.rendered_sets import RENDERED

PASSED_ON = ("paper", "module", "kind", "seed", "split", "centre", "settings", "store", "protocol", "converged")


@dataclass(frozen=True)
class OwnPredictions:
    """Predictions of `handbench predict` and the card beside them."""

    path: Path
    card: Mapping[str, Any]

    def read_truth(
        self, store: Path | None, dataset: str, record: Record | None, true_objects: Path | None = None
    ) -> GroundTruth:
        """The labels of the crops that were predicted; `store` says where those are if they have moved.

        `true_objects` is looked at where an object was predicted.
        """
        place = store or Path(self.card["store"])
        if store is None and not place.is_dir():
            raise BadInput(
                self.path,
                expected=f"the crops that it was made of at {place}",
                found=f"no such folder, seen from {Path.cwd()}",
                fix="run this where the pipeline ran, or give --ground-truth STORE",
            )
        truth = read_store_truth(place, dataset, record)
        if true_objects is None or not self.gives_object:
            return truth
        boxes_mm = read_true_corners(true_objects, self.card["split"])
        rows = np.arange(len(truth.joints_mm)) if truth.list_rows is None else truth.list_rows
        if rows.max(initial=-1) >= len(boxes_mm):
            found = f"{len(boxes_mm):,} frames"
            raise BadInput(true_objects, expected=f"the frames of {place}", found=found, fix="name that of this data")
        return replace(truth, boxes_mm=boxes_mm[rows])

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
        scored_mm = self._pick(joints_mm[by_row], truth).astype(np.float64)
        return Predictions(scored_mm, places[by_row].astype(np.int64), "xyz", notes)

    def read_steps(self, truth: GroundTruth) -> tuple[Predictions, ...]:
        """The pose before each iteration and after the last; nothing where there is no iteration."""
        result, row = self.read(truth), read_joints(self.path)[1]
        steps_mm = self._pick(read_steps(self.path)[:, np.argsort(row)], truth).astype(np.float64)
        return tuple(replace(result, joints_mm=joints_mm) for joints_mm in steps_mm) if len(steps_mm) > 1 else ()

    def _pick(
        self, joints_mm: Float[np.ndarray, "*batch joints 3"], truth: GroundTruth
    ) -> Float[np.ndarray, "*batch scored 3"]:
        """The scored joints; hands that hold an object are predicted with more of them."""
        convention = DATASETS[truth.dataset]
        names = [convention.joints.names[place] for place in convention.scored]
        return pick_joints(self.card, joints_mm, names)

    @property
    def gives_object(self) -> bool:
        return bool(self.card.get(GIVES_OBJECT))

    @property
    def asks_truth(self) -> bool:
        """Whether something of them is held against what only the truth of embedded data tells."""
        return self.gives_object or read_quaternions(self.path) is not None

    def score_object(self, truth: GroundTruth, rows: Int64[np.ndarray, "frames"]) -> HandObjectScore:
        """Tips and corners of every iteration against the labels of these rows, which are those of `read`."""
        corners = read_corners(self.path, self.card)
        if corners is None or truth.corners_mm is None:
            expected = "labelled corners of the object, as its card tells of one"
            raise BadInput(truth.path, expected=expected, found="none", fix="evaluate on dexter")
        check_rigid(self.path, corners)
        order = np.argsort(read_joints(self.path)[1])
        tips_mm = self._pick(read_steps(self.path)[:, order], truth).astype(np.float64)
        labels, boxes_mm = truth.corners_mm[rows], None if truth.boxes_mm is None else truth.boxes_mm[rows]
        steps = [
            Parts(
                tips_mm=tips,
                corners_mm=match_corners(box, labels, boxes_mm),
                whole_mm=None if boxes_mm is None else match_whole(box, labels, boxes_mm),
            )
            for tips, box in zip(tips_mm, corners[:, order], strict=True)
        ]
        return score_hand_object(steps, truth.joints_mm[rows], labels, truth.sequences, rows)

    @property
    def gives_angles(self) -> bool:
        return bool(self.card.get("gives_angles"))

    def score_angles(self, truth: GroundTruth, predictions: Predictions, poses: Path) -> list[AngleScore]:
        """The predicted angles against those of poses that were fitted to the labels, in the order of `predictions`.

        Of poses that were fitted to joints a second time: those of all joints that were read.
        """
        # Fitting knows torch, which a command that reads two files need not wait for.
        from handbench.fitting.pose_check import check_frames, check_hand, check_origin
        from handbench.fitting.pose_file import load_poses

        fitted, row = load_poses(poses), read_joints(self.path)[1]
        source = self.card["protocol"]["source"]
        check_origin(poses, fitted, {"source": source, "dataset": truth.dataset, "split": self.card["split"]})
        pose, of_all = read_pose(self.path), read_pose_of_all(self.path)
        given = [one for one in (pose, of_all) if one is not None]
        if pose is None or not all(np.isfinite(one).all() for one in given):
            found = "no pose" if pose is None else "NaN or infinity"
            raise BadInput(self.path, expected="finite poses, as its card says", found=found, fix="predict again")
        order = np.argsort(row)
        true_pose = fitted.find(row[order])
        if np.isnan(true_pose).all():
            raise BadInput(
                poses, expected=f"frames of {truth.path}", found="others", fix="fit the labels of this split"
            )
        check_frames(poses, fitted, row[order], truth.joints_mm[predictions.rows], truth.path)
        check_hand(poses, fitted, self.card)
        limits_rad = np.array(self.card["limits_rad"], np.float64)
        told = limits_rad, truth.sequences, predictions.rows, fitted.inner_limits_rad
        return [score_angles(one[order], true_pose, *told) for one in given]

    def describe(self, out: Path | None, call: Path | None) -> dict[str, Any]:
        """Where the predictions come from: what tables, stamps and the tracked run say of them."""
        told, place = read_call(call), read_place(out or self.path.parent)
        return {key: self.card[key] for key in PASSED_ON} | {
            RENDERED: self.card.get(RENDERED, {}),
            PARTS_CONVERGED: self.card.get(PARTS_CONVERGED, {}),
            "scale": place.scale if place else "",
            "source": self.card["protocol"]["source"],
            "commit": tell_commit(call),
            **({TRAINED_AT: self.card[TRAINED_AT]} if self.card.get(TRAINED_AT) else {}),
            "config_digest": told.get("config_digest"),
            "predictions_sha256": self.card["sha256_of_file"],
        }


def find_own(prediction: Path, dataset: str) -> OwnPredictions | None:
    """The pipeline's predictions behind a path; None for anyone else's file."""
    card = read_card(prediction)
    if card is None:
        return None
    if card.get("dataset") != dataset:
        found = str(card.get("dataset"))
        raise BadInput(prediction, expected=f"predictions for {dataset}", found=found, fix="name that one")
    protocol = card.get("protocol")
    missing = [key for key in PASSED_ON if key not in card]
    if missing or not isinstance(protocol, dict) or "source" not in protocol:
        found = f"no {(*missing, 'source of the protocol')[0]}"
        raise BadInput(prediction, expected="a card that says what was predicted", found=found, fix="predict again")
    return OwnPredictions(prediction, card)
