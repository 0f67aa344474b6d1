"""Compare anyone's predictions with the published record: what `handbench evaluate` computes."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from handbench.conventions import DATASETS
from handbench.datasets.files import replace_file
from handbench.errors import BadInput
from handbench.evaluation.bootstrap import Interval, bootstrap_difference
from handbench.evaluation.metrics import THRESHOLDS_MM
from handbench.evaluation.predictions import GroundTruth, Predictions, read_ground_truth, read_predictions
from handbench.evaluation.published import (
    DATASETS_OF_RECORD,
    HOW_TO_GET,
    PublishedScore,
    Record,
    find_record,
    score_predictions,
    take,
)
from handbench.evaluation.score import Score, interval_or_none, plain
from handbench.geometry.camera import back_project_points


@dataclass(frozen=True)
class Against:
    """The paired difference to another file on the frames that both cover; below 0 the evaluated method is better."""

    path: Path
    difference: Interval
    frames: int


@dataclass(frozen=True)
class Evaluation:
    """A method's score, the published methods on the same frames, and what there is to say about them."""

    method: str
    dataset: str
    prediction: Path
    ground_truth: Path
    layout: str
    frames_in_set: int
    score: Score
    published: tuple[PublishedScore, ...]
    against: Against | None
    notes: tuple[str, ...]

    @property
    def mean_error_mm(self) -> float:
        return self.score.mean_error_mm

    @property
    def interval(self) -> tuple[float, float]:
        """95 %; NaN where the frames are too few for one."""
        return self.score.interval.low, self.score.interval.high

    @property
    def frames(self) -> int:
        return self.score.frames

    def protocol(self) -> dict[str, object]:
        """What the numbers depend on besides the predictions."""
        camera = DATASETS[self.dataset].camera
        return {
            "dataset": self.dataset,
            "joints": len(self.score.joint_names),
            "frames": self.frames,
            "frames_in_set": self.frames_in_set,
            "camera": {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx, "cy": camera.cy},
            "ground_truth": str(self.ground_truth),
            "layout": self.layout,
        }

    def as_dict(self) -> dict[str, object]:
        """Everything for machines: plain numbers, None where there is none."""
        result: dict[str, object] = {"method": self.method, "dataset": self.dataset, "prediction": str(self.prediction)}
        result |= self.score.as_dict() | {"protocol": self.protocol(), "notes": list(self.notes)}
        result["published"] = [
            {
                "method": one.entry.method,
                "paper": one.entry.paper,
                "mean_error_mm": plain(one.score.mean_error_mm),
                "interval": interval_or_none(one.score.interval),
                "within_20_mm": plain(one.score.within(20)),
                "within_40_mm": plain(one.score.within(40)),
                "frames": one.score.frames,
            }
            for one in self.published
        ]
        if self.against:
            difference = self.against.difference
            result["against"] = {
                "prediction": str(self.against.path),
                "difference_mm": plain(difference.mean),
                "interval": interval_or_none(difference),
                "frames": self.against.frames,
            }
        return result


def evaluate(
    prediction: Path,
    dataset: str,
    method: str,
    *,
    ground_truth: Path | None = None,
    record: Path | None = None,
    against: Path | None = None,
    layout: str = "auto",
    order: str = "scored",
    against_layout: str = "auto",
    against_order: str = "scored",
    ground_truth_layout: str = "auto",
    frames: Path | None = None,
) -> Evaluation:
    """Measure a prediction file and set it beside the published methods.

    Ground truth is `ground_truth`, else the labels of the record (`record`, or where the download put it), else a
    `*_test_groundtruth_label.txt` beside the prediction file. `frames` is the folder of the dataset's own files; only
    NYU's test_predictions.mat, which has pixels without depth, needs it.
    """
    _check_record(record)
    opened = Record(record) if record else find_record()
    truth = _find_truth(prediction, dataset, ground_truth, ground_truth_layout, opened)
    predictions = _read(prediction, truth, layout, order, frames)
    score = score_predictions(predictions, truth)
    published, notes = _score_published(predictions, truth, opened)
    other = against and _read(against, truth, against_layout, against_order, frames)
    return Evaluation(
        method=method,
        dataset=dataset,
        prediction=prediction,
        ground_truth=truth.path,
        layout=predictions.layout,
        frames_in_set=len(truth.joints_mm),
        score=score,
        published=published,
        against=_compare(score, predictions, other, truth, against) if other and against else None,
        notes=(*predictions.notes, *_say_missing(score), *notes),
    )


def save_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write evaluation.json, table.txt, curves.csv and frame_errors.npy; each file is replaced whole."""
    from handbench.evaluation.evaluation_text import render_text

    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "evaluation.json": (json.dumps(evaluation.as_dict(), indent=1, allow_nan=False) + "\n").encode(),
        "table.txt": (render_text(evaluation) + "\n").encode(),
        "curves.csv": _curves_csv(evaluation).encode(),
        "frame_errors.npy": _array_bytes(evaluation.score.errors_mm.astype(np.float32)),
    }
    for name, content in contents.items():
        replace_file(folder / name, content)
    return tuple(folder / name for name in contents)


def _read(path: Path, truth: GroundTruth, layout: str, order: str, frames: Path | None) -> Predictions:
    if path.suffix == ".mat" and truth.dataset == "nyu":
        return _lift(path, truth, frames)
    return read_predictions(path, truth, layout=layout, order=order)


def _lift(path: Path, truth: GroundTruth, frames: Path | None) -> Predictions:
    """Pixels without depth: looked up in the images, and said so."""
    if frames is None:
        raise BadInput(
            path,
            expected="the depth images beside predictions in pixels",
            found="no folder of them",
            fix="give --frames DIR, the folder of the NYU download",
        )
    from handbench.datasets.importers import list_frames
    from handbench.evaluation.depth_lookup import lift_predictions, read_pixel_predictions

    lifted = lift_predictions(read_pixel_predictions(path), list_frames("nyu", frames, "test"))
    if len(lifted.uvd) != len(truth.joints_mm):
        raise BadInput(
            path, expected=f"{len(truth.joints_mm):,} frames", found=f"{len(lifted.uvd):,}", fix="give matching labels"
        )
    share = 100 * lifted.from_labels.mean()
    note = f"depth looked up at each joint's pixel; {share:.1f} % lay outside the cube and took the label's depth"
    joints_mm = back_project_points(lifted.uvd, DATASETS["nyu"].camera)
    return Predictions(joints_mm, np.arange(len(joints_mm)), "uv + depth image", (note,))


def _check_record(record: Path | None) -> None:
    if record is not None and not record.is_dir():
        raise BadInput(record, expected="a folder that holds the published record", found="none", fix=HOW_TO_GET)


def _find_truth(prediction: Path, dataset: str, given: Path | None, layout: str, record: Record | None) -> GroundTruth:
    if given:
        truth = read_ground_truth(given, dataset, layout=layout)
        return _recognise(truth, record)
    if record and dataset in DATASETS_OF_RECORD:
        return record.read_truth(dataset)
    beside = sorted(prediction.parent.glob("*_test_groundtruth_label.txt"))
    ours = [path for path in beside if path.name.startswith(f"{dataset}_")] or beside
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
    if record is None or truth.dataset not in DATASETS_OF_RECORD:
        return truth
    published = record.read_truth(truth.dataset)
    if truth.joints_mm.shape != published.joints_mm.shape or not np.allclose(
        truth.joints_mm, published.joints_mm, atol=0.01, equal_nan=True
    ):
        return truth
    return replace(published, path=truth.path)


def _score_published(
    predictions: Predictions, truth: GroundTruth, record: Record | None
) -> tuple[tuple[PublishedScore, ...], tuple[str, ...]]:
    """The published methods on the same frames, best first, and why some or all are not there."""
    if truth.dataset not in DATASETS_OF_RECORD:
        return (), (f"no published predictions for {DATASETS[truth.dataset].title}",)
    if record is None:
        return (), (f"published methods are not shown: {HOW_TO_GET}",)
    if not truth.published:
        return (), ("published methods are not shown: these are not the labels they were measured on",)
    entries = record.list_entries(truth.dataset)
    scores = [(entry, record.score_on(entry.key, truth, predictions.rows)) for entry in entries]
    short = [entry.method for entry, score in scores if score is None]
    shown = sorted((score for _, score in scores if score), key=lambda one: one.score.mean_error_mm)
    notes = (f"not shown, as they cover other frames: {', '.join(short)}",) if short else ()
    return tuple(shown), notes


def _compare(score: Score, predictions: Predictions, other: Predictions, truth: GroundTruth, path: Path) -> Against:
    rows, ours, theirs = np.intersect1d(predictions.rows, other.rows, return_indices=True)
    if not len(rows):
        raise BadInput(path, expected="frames that the evaluated file covers too", found="none", fix="give another")
    errors_mm = score_predictions(other, truth).errors_mm
    difference = bootstrap_difference(score.errors_mm[ours], errors_mm[theirs], take(truth.sequences, rows))
    return Against(path, difference, len(rows))


def _say_missing(score: Score) -> tuple[str, ...]:
    if not score.missing:
        return ()
    return (f"{score.missing:,} of {score.errors_mm.size:,} joints have no label and are left out",)


def _curves_csv(evaluation: Evaluation) -> str:
    score = evaluation.score
    lines = ["threshold_mm,frames,joints,frame_means"]
    columns = zip(THRESHOLDS_MM, score.frames_within, score.joints_within, score.frame_means_within, strict=True)
    lines += [f"{step},{frames:.6f},{joints:.6f},{means:.6f}" for step, frames, joints, means in columns]
    return "\n".join(lines) + "\n"


def _array_bytes(array: np.ndarray) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
