"""The errors of refine's predictions beside the raw one: what its files give is measured, what they lack is not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from handbench.conventions import DATASETS
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.evaluation.metrics import Errors, measure_errors
from handbench.evaluation.own_predictions import OwnPredictions
from handbench.evaluation.predictions import GroundTruth, Predictions
from handbench.evaluation.skeleton_score import (
    RE_EXPRESSED,
    REMOVED,
    SkeletonScore,
    re_express,
    remove_smallest,
    score_skeleton,
)
from handbench.hand.keypoints import scored_keypoints
from handbench.hand.skeleton import SHAPE_FIELDS, HandShape
from handbench.training.prediction_file import POSITIONS, pick_joints, read_joints, read_quaternions


def measure_skeleton(
    own: OwnPredictions | None,
    truth: GroundTruth,
    predictions: Predictions,
    errors_mm: Errors,
    truth_file: Path | None,
    bias: Path | None,
) -> SkeletonScore | None:
    """`truth_file` is the truth.npz of embedded data, `bias` the probe that knows the errors on training frames.

    None where none of it can be measured, as of frames without labels.
    """
    if own is None:
        if bias is None:
            return None
        raise BadInput(bias, expected="predictions of the pipeline with --bias", found="others", fix="leave --bias out")
    if np.isnan(errors_mm).all():
        return None
    found: dict[str, Errors] = {}
    quaternions = read_quaternions(own.path)
    if bias is not None:
        found[REMOVED] = remove_smallest(errors_mm, bias, own.card)
    if truth_file is not None and quaternions is not None:
        order = np.argsort(read_joints(own.path)[1])
        moved_mm = re_express(
            own.path,
            predictions.joints_mm,
            quaternions[order],
            scored_keypoints(truth.dataset),
            hand_of_card(own.card),
            _true_hands(truth_file, own.card["split"], truth, predictions.rows),
        )
        found[RE_EXPRESSED] = measure_errors(moved_mm, truth.joints_mm[predictions.rows])
    if POSITIONS in own.card:
        found[POSITIONS] = _measure_positions(own, truth, predictions.rows)
    return score_skeleton(found, truth.sequences, predictions.rows) if found else None


def hand_of_card(card: Mapping[str, Any]) -> HandShape:
    """The hand that predicted joints lie on."""
    told = card.get("hand")
    if not isinstance(told, dict):
        where = f"the predictions of {card['module']} on {card['dataset']}"
        raise BadInput(where, expected="a card that tells their hand", found="an earlier release's", fix="predict anew")
    return HandShape(**{name: np.array(told[name], np.float64) for name in SHAPE_FIELDS})


def _true_hands(
    truth_file: Path, split: str, truth: GroundTruth, rows: Int64[np.ndarray, "frames"]
) -> list[tuple[HandShape, Int64[np.ndarray, "some"]]]:
    """The persons' hands, and which of the measured frames show each."""
    # Knows how frames are drawn, which a command that reads two files need not wait for.
    from handbench.datasets.true_labels import shape_of_take
    from handbench.datasets.truth import read_truth

    known = read_truth(truth_file, split)
    listed = rows if truth.list_rows is None else truth.list_rows[rows]
    if listed.max(initial=-1) >= len(known.take):
        found, fix = f"{len(known.take):,} frames", "name that of this data"
        raise BadInput(truth_file, expected=f"the frames of {truth.path}", found=found, fix=fix)
    takes = known.take[listed]
    return [(shape_of_take(known, take), np.flatnonzero(takes == take)) for take in np.unique(takes).tolist()]


def _measure_positions(
    own: OwnPredictions, truth: GroundTruth, rows: Int64[np.ndarray, "frames"]
) -> Float64[np.ndarray, "frames positions"]:
    """Against the labels of the crops, which hold every joint of the dataset."""
    names, known = list(own.card[POSITIONS]), DATASETS[truth.dataset].joints.names
    joints_mm, row = read_joints(own.path)
    strange = [name for name in names if name not in known or name not in own.card.get("joints", ())]
    if strange:
        fix = "the card's `joints` names all that is predicted"
        raise BadInput(own.path, expected="predicted joints of the dataset", found=strange[0], fix=fix)
    labels_mm = np.asarray(open_store(truth.path, verify=False).joints_mm)[:, [known.index(name) for name in names]]
    predicted_mm = pick_joints(own.card, joints_mm[np.argsort(row)], names)
    return measure_errors(predicted_mm.astype(np.float64), labels_mm[rows].astype(np.float64))
