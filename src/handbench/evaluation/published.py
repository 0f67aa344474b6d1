"""The published record opened: labels and predictions of a data set, measured with the leaderboard's camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from handbench.datasets.published import PUBLISHED, PublishedFile, find_published
from handbench.errors import BadInput
from handbench.evaluation.joint_orders import scored_names
from handbench.evaluation.metrics import measure_errors
from handbench.evaluation.predictions import (
    GroundTruth,
    Predictions,
    are_all,
    read_ground_truth,
    read_predictions,
    take_rows,
)
from handbench.evaluation.score import Score, score_errors

HOW_TO_GET = "run `handbench download published`"
DATASETS_OF_RECORD = ("nyu", "icvl")


@dataclass(frozen=True)
class PublishedScore:
    """One published method, measured anew."""

    entry: PublishedFile
    score: Score
    rows: Int64[np.ndarray, "frames"]
    """The frames of the set that were measured."""


@dataclass(frozen=True)
class Record:
    """A folder that holds the record as `nyu/...` and `icvl/...`."""

    folder: Path

    def list_entries(self, dataset: str) -> tuple[PublishedFile, ...]:
        """The predictions for this data set that the folder holds, in the order of the registry."""
        entries = (entry for entry in PUBLISHED if entry.dataset == dataset and entry.role == "prediction")
        return tuple(entry for entry in entries if (self.folder / entry.file).is_file())

    def has_truth(self, dataset: str) -> bool:
        return all((self.folder / find_published(f"{dataset}/{role}").file).is_file() for role in ("labels", "names"))

    def read_truth(self, dataset: str) -> GroundTruth:
        """The labels, with the names of their frames."""
        names = self._find(f"{dataset}/names").read_text(errors="replace").replace("\\", "/").split()
        return read_ground_truth(self._find(f"{dataset}/labels"), dataset, names=names, layout="uvd", published=True)

    def read_predictions(self, key: str, truth: GroundTruth) -> Predictions:
        """The predictions of one file; the record's layout is known, and a damaged file is still found out."""
        return read_predictions(self._find(key), truth, layout="uvd")

    def score(self, key: str, truth: GroundTruth) -> PublishedScore:
        """Measure one method on the frames that its file covers."""
        predictions = self.read_predictions(key, truth)
        return PublishedScore(find_published(key), score_predictions(predictions, truth), predictions.rows)

    def score_on(self, key: str, truth: GroundTruth, rows: Int64[np.ndarray, "frames"]) -> PublishedScore | None:
        """Measure one method on those of `rows` that its file covers; None where it covers not all of them."""
        predictions = self.read_predictions(key, truth)
        place = np.full(len(truth.joints_mm), -1, np.int64)
        place[predictions.rows] = np.arange(len(predictions.rows))
        if (place[rows] < 0).any():
            return None
        joints_mm = predictions.joints_mm[place[rows]]
        kept = Predictions(joints_mm, rows, predictions.layout, predictions.notes)
        return PublishedScore(find_published(key), score_predictions(kept, truth), rows)

    def _find(self, key: str) -> Path:
        path = self.folder / find_published(key).file
        if not path.is_file():
            raise BadInput(path, expected="a file of the published record", found="no such file", fix=HOW_TO_GET)
        return path


def find_record(results: Path = Path("results")) -> Record | None:
    """The record where `handbench download published` or the pipeline put it; None where it is not there yet."""
    places = [results / "download" / "published" / "raw", *sorted(results.glob("*/download/published/raw"))]
    return next((Record(place) for place in places if place.is_dir()), None)


def score_predictions(predictions: Predictions, truth: GroundTruth) -> Score:
    """Measure predictions against the labels of the frames that they cover."""
    errors_mm = measure_errors(predictions.joints_mm, take_rows(truth.joints_mm, predictions.rows))
    return score_errors(errors_mm, scored_names(truth.dataset), truth.sequences, predictions.rows)


def take(values: Sequence[str], rows: Int64[np.ndarray, "frames"]) -> tuple[str, ...]:
    if are_all(rows, len(values)):
        return tuple(values)
    return tuple(map(values.__getitem__, rows.tolist()))
