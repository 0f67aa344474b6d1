"""Where the labels of an evaluation come from: a file that is named, the record, or a file beside the predictions."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from handbench.conventions import DATASETS
from handbench.errors import BadInput
from handbench.evaluation.predictions import GroundTruth, read_ground_truth
from handbench.evaluation.published import DATASETS_OF_RECORD, HOW_TO_GET, Record, find_record


def open_record(folder: Path | None) -> Record | None:
    """The record in this folder, else where a download put it; None where there is none."""
    if folder is not None and not folder.is_dir():
        raise BadInput(folder, expected="a folder that holds the published record", found="none", fix=HOW_TO_GET)
    return Record(folder) if folder else find_record()


def find_ground_truth(
    prediction: Path, dataset: str, given: Path | None, layout: str, record: Record | None
) -> GroundTruth:
    """Labels from `given`, else the record, else a `*_test_groundtruth_label.txt` beside the prediction file."""
    if given:
        truth = read_ground_truth(given, dataset, layout=layout)
        return _recognise(truth, record)
    if record and dataset in DATASETS_OF_RECORD and record.has_truth(dataset):
        return record.read_truth(dataset)
    beside = sorted(prediction.parent.glob("*_test_groundtruth_label.txt"))
    ours = [path for path in beside if path.name.startswith(f"{dataset}_")]
    ours = ours or [path for path in beside if not path.name.startswith(tuple(f"{word}_" for word in DATASETS))]
    if len(ours) == 1:
        names = ours[0].with_name(f"{dataset}_test_list.txt")
        return read_ground_truth(ours[0], dataset, layout=layout, names=_read_names(names) if names.is_file() else ())
    by_download = f"{HOW_TO_GET} or " if dataset in DATASETS_OF_RECORD else ""
    raise BadInput(
        prediction,
        expected=f"ground truth of {dataset}: the published record or a {dataset}_test_groundtruth_label.txt beside it",
        found="neither" if not ours else f"{len(ours)} label files beside it",
        fix=f"{by_download}give --ground-truth FILE",
    )


def _read_names(path: Path) -> list[str]:
    return path.read_text(errors="replace").replace("\\", "/").split()


def _recognise(truth: GroundTruth, record: Record | None) -> GroundTruth:
    """Labels given by hand that are the record's own: the published methods may stand beside, names are known."""
    if record is None or truth.dataset not in DATASETS_OF_RECORD or not record.has_truth(truth.dataset):
        return truth
    published = record.read_truth(truth.dataset)
    if truth.joints_mm.shape != published.joints_mm.shape or not np.allclose(
        truth.joints_mm, published.joints_mm, atol=0.01, equal_nan=True
    ):
        return truth
    return replace(published, path=truth.path)
