"""Compare anyone's predictions with the published record: what `handbench evaluate` computes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from handbench.conventions import DATASETS, Camera
from handbench.errors import BadInput
from handbench.evaluation.angle_score import AngleScore
from handbench.evaluation.bootstrap import Interval, bootstrap_difference
from handbench.evaluation.ground_truth import find_ground_truth, open_record
from handbench.evaluation.hand_object import average_sequences, measure_hand_object
from handbench.evaluation.hand_object_score import KNOWN, HandObjectScore, average_metrics
from handbench.evaluation.own_predictions import OwnPredictions, find_own
from handbench.evaluation.own_skeleton import measure_skeleton
from handbench.evaluation.pixel_predictions import lacks_depth, read_any
from handbench.evaluation.predictions import GroundTruth, Predictions
from handbench.evaluation.published import (
    DATASETS_OF_RECORD,
    HOW_TO_GET,
    PublishedScore,
    Record,
    score_predictions,
    take,
)
from handbench.evaluation.score import NO_LABELS, Score, interval_or_none, plain
from handbench.evaluation.skeleton_score import SkeletonScore
from handbench.evaluation.viewpoint import view_bins


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
    hand_object: dict[str, dict[str, float]] | None
    """Dexter+Object with corners: tips, corners and combined (feedback19 Eq. 23), of each sequence and on average."""
    notes: tuple[str, ...]
    frame_names: tuple[str, ...]
    sequences: tuple[str, ...]
    """Name (empty where none are known) and sequence of every measured frame."""
    rows: Int64[np.ndarray, "frames"]
    """Place of every measured frame among the labels."""
    view_bins: dict[str, dict[str, list[int] | list[float | None]]] | None
    """MSRA15: mean error in bins of yaw and of pitch."""
    run: dict[str, Any] | None
    """Where the pipeline's own predictions come from; None for anyone else's file."""
    angles: AngleScore | None = None
    """Of predictions that give angles, where the true ones are known."""
    angles_of_all: AngleScore | None = None
    """Of poses that were fitted to joints: the same fitted to all that were read, not the scored ones alone."""
    object_score: HandObjectScore | None = None
    """Of the pipeline's predictions of hand and object, every iteration."""
    skeleton: SkeletonScore | None = None
    """Of refine's predictions: without the skeleton's bias, and on the target's own hand."""

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

    @property
    def camera(self) -> Camera:
        """The dataset's; of a recording of one's own, which brings another, that of its crops."""
        return Camera(**self.run["protocol"]["camera"]) if self.run else DATASETS[self.dataset].camera

    def protocol(self) -> dict[str, object]:
        """What the numbers depend on besides the predictions."""
        camera = self.camera
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
        result["run"] = self.run
        if self.view_bins:
            result["view_bins"] = self.view_bins
        if self.hand_object:
            result["hand_object_mm"] = {
                metric: {sequence: plain(value) for sequence, value in means.items()}
                for metric, means in self.hand_object.items()
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
    poses: Path | None = None,
    truth_file: Path | None = None,
    bias: Path | None = None,
    out: Path | None = None,
    call: Path | None = None,
) -> Evaluation:
    """Measure a prediction file and set it beside the published methods.

    Ground truth is `ground_truth` (labels or a crop store); else, for predictions of the pipeline, the crops that they
    were made of; else the labels of the record (`record`, or where the download put it), else a
    `*_test_groundtruth_label.txt` beside the prediction file. `frames` is the folder of the dataset's own files; only
    NYU's test_predictions.mat, which has pixels without depth, needs it. `poses` is the folder of poses fitted to the
    labels, the true angles of predictions that give some. `truth_file` is the truth.npz of embedded data, which tells
    what no label does: of a held box, and of the hand that predicted rotations are put on. `bias` is the probe.json of
    what predicts, which knows its errors on training frames. `out` and `call` say which run it belongs to.
    """
    opened = open_record(record)
    own = find_own(prediction, dataset)
    if own and (layout, order) != ("auto", "scored"):
        raise BadInput(
            prediction,
            expected="no --layout and no --order: its card says how to read it",
            found=f"--layout {layout} --order {order}",
            fix="leave them out",
        )
    _check_asked(own, [path for path in (prediction, against) if path], dataset, frames, truth_file)
    if own:
        truth = own.read_truth(ground_truth, dataset, opened, truth_file)
        predictions = own.read(truth)
    else:
        truth = find_ground_truth(prediction, dataset, ground_truth, ground_truth_layout, opened)
        predictions = read_any(prediction, truth, layout=layout, order=order, frames=frames)
    score = score_predictions(predictions, truth)
    angles, of_all, told = _measure_angles(own, truth, predictions, poses)
    held = own.score_object(truth, predictions.rows) if own and own.gives_object else None
    skeleton = measure_skeleton(own, truth, predictions, score.errors_mm, truth_file, bias)
    published, notes = _score_published(predictions, truth, opened)
    other = against and read_any(against, truth, layout=against_layout, order=against_order, frames=frames)
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
        hand_object=_average_object(held, predictions, truth),
        notes=(*_say_annotations(truth), *predictions.notes, *_say_missing(score), *_say_side(held), *told, *notes),
        frame_names=take(truth.names, predictions.rows) if truth.names else (),
        sequences=take(truth.sequences, predictions.rows),
        rows=predictions.rows,
        view_bins=view_bins(score.errors_mm, truth.joints_mm[predictions.rows]) if dataset == "msra" else None,
        run=_describe_run(own, truth, (angles, of_all), held, skeleton, out, call) if own else None,
        angles=angles,
        angles_of_all=of_all,
        object_score=held,
        skeleton=skeleton,
    )


def _check_asked(
    own: OwnPredictions | None, files: Sequence[Path], dataset: str, frames: Path | None, truth_file: Path | None
) -> None:
    """Refuse files that nothing would be read of: somebody believes that they count."""
    if frames and not any(lacks_depth(path, dataset) for path in files):
        expected = "NYU's test_predictions.mat with --frames: pixels without depth"
        raise BadInput(frames, expected=expected, found="predictions with depth", fix="leave --frames out")
    if truth_file and not (own and own.asks_truth):
        expected = "the pipeline's predictions of hand and object, or of bones' turns, with --truth"
        raise BadInput(truth_file, expected=expected, found="others", fix="leave --truth out")


def _describe_run(
    own: OwnPredictions,
    truth: GroundTruth,
    angles: tuple[AngleScore | None, AngleScore | None],
    held: HandObjectScore | None,
    skeleton: SkeletonScore | None,
    out: Path | None,
    call: Path | None,
) -> dict[str, Any]:
    of_scored, of_all = angles
    measured = {"steps": _measure_steps(own, truth), "angles": of_scored.result.as_dict() if of_scored else None}
    measured |= {"angles_of_all": of_all.result.as_dict()} if of_all else {}
    of_object = {"hand_object": held.result.as_dict()} if held else {}
    of_skeleton = {"skeleton": skeleton.result.as_dict()} if skeleton else {}
    return own.describe(out, call) | measured | of_object | of_skeleton


def _measure_angles(
    own: OwnPredictions | None, truth: GroundTruth, predictions: Predictions, poses: Path | None
) -> tuple[AngleScore | None, AngleScore | None, tuple[str, ...]]:
    """Errors of the angles where both sides know them, a second time where they are fitted; what there is to say."""
    if own is None or not own.gives_angles:
        if poses is None:
            return None, None, ()
        where = own.path if own else "evaluate"
        raise BadInput(where, expected="predictions of angles with --poses", found="none", fix="leave --poses out")
    if poses is None:
        return None, None, ("angles are not measured: that takes the poses that were fitted to the labels (--poses)",)
    angles, *of_all = own.score_angles(truth, predictions, poses)
    without = f"{angles.unknown:,} frames have no fitted pose: their angles are left out"
    return angles, of_all[0] if of_all else None, (without,) if angles.unknown else ()


def _measure_steps(own: OwnPredictions, truth: GroundTruth) -> list[dict[str, object]]:
    """The error at the start and after each iteration, with what pairs them block by block."""
    scores = [score_predictions(step, truth) for step in own.read_steps(truth)]
    return [
        {"mean_error_mm": plain(one.mean_error_mm), "sum_mm": [plain(value) for value in one.block_sums_mm]}
        for one in scores
    ]


def _score_published(
    predictions: Predictions, truth: GroundTruth, record: Record | None
) -> tuple[tuple[PublishedScore, ...], tuple[str, ...]]:
    """The published methods on the same frames, best first, and why some or all are not there."""
    if truth.dataset not in DATASETS_OF_RECORD:
        return (), (f"published predictions for {DATASETS[truth.dataset].title} are not at hand",)
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


def _average_object(
    held: HandObjectScore | None, predictions: Predictions, truth: GroundTruth
) -> dict[str, dict[str, float]] | None:
    if held:
        return average_metrics(held, take(truth.sequences, predictions.rows))
    if predictions.corners_mm is None or truth.corners_mm is None:
        return None
    rows = predictions.rows
    errors = measure_hand_object(
        predictions.joints_mm, truth.joints_mm[rows], predictions.corners_mm, truth.corners_mm[rows]
    )
    sequences = take(truth.sequences, rows)
    metrics = {"tips": errors.tips_mm, "corners": errors.corners_mm, "combined": errors.combined_mm}
    return {metric: average_sequences(values_mm, sequences) for metric, values_mm in metrics.items()}


def _compare(score: Score, predictions: Predictions, other: Predictions, truth: GroundTruth, path: Path) -> Against:
    rows, ours, theirs = np.intersect1d(predictions.rows, other.rows, return_indices=True)
    if not len(rows):
        raise BadInput(path, expected="frames that the evaluated file covers too", found="none", fix="give another")
    errors_mm = score_predictions(other, truth).errors_mm
    difference = bootstrap_difference(score.errors_mm[ours], errors_mm[theirs], take(truth.sequences, rows))
    return Against(path, difference, len(rows))


def _say_annotations(truth: GroundTruth) -> tuple[str, ...]:
    """Of which annotations the labels are, where a dataset has two."""
    return (f"annotations: {truth.annotations}",) if truth.annotations else ()


def _say_side(held: HandObjectScore | None) -> tuple[str, ...]:
    """How the labelled corners were found among the eight."""
    if held is None:
        return ()
    if held.result.side == KNOWN:
        return ("the three labelled corners: of those that half turns of the box exchange, the nearest in each frame",)
    return (
        "the three labelled corners: of those that half turns of the box exchange, and their mirror images, the "
        "nearest in each frame, since the labels do not say on which side of them the box lies",
    )


def _say_missing(score: Score) -> tuple[str, ...]:
    if not score.missing:
        return ()
    if score.unlabelled:
        return (f"{NO_LABELS}: no joint of these frames is labelled, so no joint error is measured",)
    return (f"{score.missing:,} of {score.errors_mm.size:,} joints have no label and are left out",)
