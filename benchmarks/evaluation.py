"""A prediction file and its labels, as text, to the numbers that are published."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.frames import scratch_folder
from benchmarks.harness import DisagreementError, Race, make_race
from benchmarks.rows import Row
from handbench.conventions import NYU, NYU_TEST_FRAMES
from handbench.evaluation.predictions import read_ground_truth, read_predictions
from handbench.evaluation.published import score_predictions
from handbench.geometry.camera import project_points

FRAMES, JOINTS = sum(NYU_TEST_FRAMES.values()), len(NYU.scored)
THRESHOLDS_MM = range(81)
EXACT_MM = 1e-9
CURVES = ("worst", "mean", "joints")


@dataclass(frozen=True)
class Numbers:
    """What is compared: the mean error of each joint, and curves by what is counted."""

    joint_means_mm: np.ndarray
    curves: dict[str, np.ndarray]


def race_class() -> Race:
    """The evaluation class that came with DeepPrior and lives on in many repositories, on the leaderboard's reader."""
    return _race(read_by_line, measure_as_class)


def race_leaderboard() -> Race:
    """The leaderboard's own script: lines split in Python, numpy afterwards; a call a curve, so three calls."""
    return _race(read_by_line, measure_as_leaderboard, calls=CURVES)


def race_one_reading() -> Race:
    """The leaderboard's script as it would be if one reading served all three curves."""
    return _race(read_by_line, measure_as_leaderboard)


def race_loadtxt() -> Race:
    """The leaderboard's script with the fastest reader that numpy has."""
    return _race(np.loadtxt, measure_as_leaderboard)


def _race(
    read: Callable[[Path], np.ndarray],
    measure: Callable[[np.ndarray, np.ndarray, Sequence[str]], Numbers],
    *,
    calls: Sequence[str] = (" ".join(CURVES),),
) -> Race:
    """`calls`: the curves of each call of the peer, which reads both texts anew."""
    labels, predictions = write_test_set()

    def run_ours() -> Numbers:
        truth = read_ground_truth(labels, "nyu", layout="uvd")
        score = score_predictions(read_predictions(predictions, truth), truth)
        curves = {"worst": score.frames_within, "mean": score.frame_means_within, "joints": score.joints_within}
        return Numbers(score.joint_means_mm, curves)

    def run_theirs() -> Numbers:
        curves: dict[str, np.ndarray] = {}
        for words in calls:
            truth_mm, predicted_mm = (
                to_millimetres(read(path).reshape(-1, JOINTS, 3)) for path in (labels, predictions)
            )
            numbers = measure(truth_mm, predicted_mm, words.split())
            curves |= numbers.curves
        return Numbers(numbers.joint_means_mm, curves)

    def check() -> None:
        ours, theirs = run_ours(), run_theirs()
        apart_mm = float(np.abs(ours.joint_means_mm - theirs.joint_means_mm).max())
        if apart_mm > EXACT_MM:
            raise DisagreementError(f"the joint errors: expected at most {EXACT_MM:g} mm, found {apart_mm:g}")
        for name, curve in theirs.curves.items():
            if not np.array_equal(ours.curves[name], curve):
                raise DisagreementError(f"the curve of {name}: expected equal numbers, found others")

    return make_race(run_ours, run_theirs, 1, check)


def read_by_line(path: Path) -> np.ndarray:
    with path.open() as file:
        return np.array([list(map(float, line.strip().split())) for line in file])


def to_millimetres(points: np.ndarray) -> np.ndarray:
    """Pixels and depth to millimetres in place, as the leaderboard does."""
    camera = NYU.camera
    points[:, :, 0] = (points[:, :, 0] - camera.cx) * points[:, :, 2] / camera.fx
    points[:, :, 1] = (points[:, :, 1] - camera.cy) * points[:, :, 2] / camera.fy
    return points


def measure_as_leaderboard(truth_mm: np.ndarray, predicted_mm: np.ndarray, curves: Sequence[str]) -> Numbers:
    errors_mm = np.sqrt(np.sum((truth_mm - predicted_mm) ** 2, axis=2))
    measures = {"worst": np.max(errors_mm, axis=1), "mean": np.mean(errors_mm, axis=1), "joints": errors_mm.ravel()}
    counted = {
        name: np.array([np.where(values <= threshold)[0].shape[0] / values.shape[0] for threshold in THRESHOLDS_MM])
        for name, values in measures.items()
        if name in curves
    }
    return Numbers(np.mean(errors_mm, axis=0), counted)


def measure_as_class(truth_mm: np.ndarray, predicted_mm: np.ndarray, curves: Sequence[str]) -> Numbers:
    """The curve of frames alone: each threshold's count begins at the joints, and each joint's mean by itself."""

    def count_frames(threshold_mm: int) -> int:
        distances = np.sqrt(np.square(truth_mm - predicted_mm).sum(axis=2))
        return int((np.nanmax(distances, axis=1) <= threshold_mm).sum())

    means = [
        np.nanmean(np.sqrt(np.square(truth_mm[:, joint] - predicted_mm[:, joint]).sum(axis=1)))
        for joint in range(JOINTS)
    ]
    return Numbers(np.array(means), {"worst": np.array([count_frames(t) for t in THRESHOLDS_MM]) / len(truth_mm)})


@lru_cache(maxsize=1)
def write_test_set() -> tuple[Path, Path]:
    """Labels and predictions as large as NYU's and in the record's form: three decimals, a space before a line's end.

    As in the record, no pixel lies below 100 or above 999, and some depths are beyond a metre.
    """
    rng = np.random.default_rng(0)
    hands = np.array([0.0, 30.0, 860.0]) + rng.normal(0, [25, 25, 50], (FRAMES, 1, 3)).clip(-120, 120)
    shape = rng.uniform(-60, 60, (1, JOINTS, 3))
    truth_mm = hands + shape + rng.normal(0, 6, (FRAMES, JOINTS, 3))
    paths = scratch_folder() / "labels.txt", scratch_folder() / "predictions.txt"
    for path, joints_mm in zip(paths, (truth_mm, truth_mm + rng.normal(0, 8, truth_mm.shape)), strict=True):
        points = project_points(joints_mm, NYU.camera).reshape(FRAMES, -1)
        np.savetxt(path, points, fmt="%.3f", newline=" \n")
    return paths


_WHAT = "NYU's 8,252 x 14 joints, two texts to means, curves and interval"

_PEERS: tuple[tuple[str, str, Callable[[], Race], float | None, float | None], ...] = (
    ("evaluate-class", "DeepPrior's evaluation class", race_class, 8.0, 12.0),
    ("evaluate-script", "the leaderboard's script, a call a curve", race_leaderboard, 8.0, 12.0),
    ("evaluate-once", "the script, all curves of one reading", race_one_reading, None, None),
    ("evaluate-numpy", "the script with numpy.loadtxt", race_loadtxt, None, None),
)
ROWS = tuple(
    Row(name, _WHAT, peer, prepare, gate, target, FRAMES, "float64") for name, peer, prepare, gate, target in _PEERS
)
