"""Where the labels of an evaluation come from: a file or a crop store that is named, the record, or a file beside the
predictions."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from handbench.conventions import DATASETS, DEXTER_CORNERS
from handbench.datasets.store import CARD, open_store
from handbench.errors import BadInput
from handbench.evaluation.predictions import GroundTruth, read_ground_truth
from handbench.evaluation.published import DATASETS_OF_RECORD, HOW_TO_GET, Record, find_record

STORE_WITHIN_MM = 5.0
"""Labels of a real crop store are the record's own up to the camera that made millimetres of pixels."""


def open_record(folder: Path | None) -> Record | None:
    """The record in this folder, else where a download put it; None where there is none."""
    if folder is not None and not folder.is_dir():
        raise BadInput(folder, expected="a folder that holds the published record", found="none", fix=HOW_TO_GET)
    return Record(folder) if folder else find_record()


def find_ground_truth(
    prediction: Path, dataset: str, given: Path | None, layout: str, record: Record | None
) -> GroundTruth:
    """Labels from `given` (a file or a crop store), else the record, else a `*_test_groundtruth_label.txt` beside the
    prediction file.
    """
    if given and (given / CARD).is_file():
        return read_store_truth(given, dataset, record)
    if given:
        truth = read_ground_truth(given, dataset, layout=layout)
        return _recognise(truth, record, within_mm=0.01)
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


def read_store_truth(store: Path, dataset: str, record: Record | None) -> GroundTruth:
    """The scored joints of a crop store's frames; the record's own labels where the frames are those of the record."""
    opened = open_store(store)
    protocol = opened.card["protocol"]
    if protocol["dataset"] != dataset:
        raise BadInput(store, expected=f"crops of {dataset}", found=protocol["dataset"], fix="name another store")
    joints_mm = np.asarray(opened.joints_mm).astype(np.float64)
    corners = [opened.joint_names.index(name) for name in DEXTER_CORNERS if name in opened.joint_names]
    truth = GroundTruth(
        dataset=dataset,
        path=store,
        joints_mm=joints_mm[:, list(opened.scored)],
        names=opened.names,
        sequences=opened.sequences,
        corners_mm=joints_mm[:, corners] if corners else None,
        list_rows=np.asarray(opened.row).astype(np.int64),
        annotations=protocol.get("annotations", ""),
    )
    return _recognise(truth, record, within_mm=STORE_WITHIN_MM)


def _read_names(path: Path) -> list[str]:
    return path.read_text(errors="replace").replace("\\", "/").split()


def _recognise(truth: GroundTruth, record: Record | None, *, within_mm: float) -> GroundTruth:
    """Labels that are the record's own: the published methods may stand beside, names are known."""
    if record is None or truth.dataset not in DATASETS_OF_RECORD or not record.has_truth(truth.dataset):
        return truth
    published = record.read_truth(truth.dataset)
    if truth.joints_mm.shape != published.joints_mm.shape or not np.allclose(
        truth.joints_mm, published.joints_mm, rtol=0.0, atol=within_mm, equal_nan=True
    ):
        return truth
    return replace(published, path=truth.path, list_rows=truth.list_rows)
