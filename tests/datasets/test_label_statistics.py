"""Embedded labels are held to the real ones. `python tests/datasets/test_label_statistics.py` prints the table of
docs/embedded-data.md."""

from dataclasses import astuple
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from handbench.conventions import DATASETS, ICVL, NYU_LABEL_CAMERA, Camera
from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.recordings import sample_poses
from handbench.datasets.statistics import label_statistics, palm_normal_spread
from handbench.geometry.camera import back_project_points
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions

FIGURES = ("components_90", "components_95", "components_99", "deviation_mm", "motion_median_mm", "motion_p90_mm") + (
    "nearest_pose_mm",
    "palm_normal_median_deg",
    "palm_normal_p90_deg",
    "palm_depth_p5_mm",
    "palm_depth_p95_mm",
)
RECORDED = {
    "nyu": dict(zip(FIGURES, (7, 10, 17, 29.8, 2.8, 7.3, 13.8, 36, 101, 730, 1060), strict=True)),
    "icvl": {"components_90": 7, "components_95": 9, "components_99": 16, "deviation_mm": 12.0},
}
ICVL_MOTION_MM = (5.6, 7.4)
"""Median motion of ICVL's two test sequences; its other figures are those of the first."""

PALM = {"nyu": 13, "icvl": 0}
LABELS = {
    "nyu": ("nyu/nyu_test_groundtruth_label.txt", NYU_LABEL_CAMERA, (2440, 3136)),
    "icvl": ("icvl/icvl_test_groundtruth_label.txt", ICVL.camera, (702,)),
}


def describe(dataset: str, joints_mm: np.ndarray, starts: tuple[int, ...]) -> dict[str, float]:
    """Every figure of the table for the scored joints of one set."""
    statistics = label_statistics(joints_mm, starts)
    components, deviation, motion, nearest = astuple(statistics)
    normal = palm_normal_spread(*(joints_mm[:, i] for i in (11, 12, 13))) if dataset == "nyu" else (np.nan, np.nan)
    depth = np.percentile(joints_mm[:, PALM[dataset], 2], [5, 95])
    return dict(zip(FIGURES, (*components, deviation, *motion, nearest, *normal, *depth), strict=True))


@lru_cache
def describe_embedded(dataset: str, seed: int) -> dict[str, float]:
    """Of as many test frames as the real set has; labels only, nothing is drawn."""
    frames = {"train": 0, "test": DATASETS[dataset].frames["test"]}
    takes = plan_recordings(dataset, frames, seed)
    scored = list(DATASETS[dataset].scored)
    joints = [keypoint_positions(KEYPOINTS[dataset], t.shape, sample_poses(t))[:, scored] for t in takes]
    starts = np.cumsum([take.frames for take in takes])[:-1]
    return describe(dataset, np.concatenate(joints), tuple(starts.tolist()))


def describe_real(dataset: str, published: Path) -> dict[str, float]:
    name, camera, starts = LABELS[dataset]
    return describe(dataset, read_published(published / name, camera), starts)


def read_published(path: Path, camera: Camera) -> np.ndarray:
    """A result file: u, v, depth of every joint, one frame a line."""
    rows = np.array([line.split() for line in path.read_text().splitlines() if line.strip()], float)
    return back_project_points(rows.reshape(len(rows), -1, 3), camera)


def test_the_recorded_figures_of_nyu_are_those_of_the_published_labels(shared):
    real = describe_real("nyu", shared / "published")
    for figure, recorded in RECORDED["nyu"].items():
        # As exactly as they are written down.
        tolerance = 0 if figure.startswith("components") else 1.0 if figure.startswith("palm") else 0.1
        assert real[figure] == pytest.approx(recorded, abs=tolerance), figure


def test_the_recorded_figures_of_icvl_are_those_of_the_published_labels(shared):
    """Components and deviation of the first test sequence, the motion of both."""
    name, camera, (second,) = LABELS["icvl"]
    joints_mm = read_published(shared / "published" / name, camera)
    first, last = label_statistics(joints_mm[:second]), label_statistics(joints_mm[second:])
    assert first.components == (7, 9, 16)
    assert first.deviation_mm == pytest.approx(12.0, abs=0.3)
    assert (first.motion_mm[0], last.motion_mm[0]) == pytest.approx(ICVL_MOTION_MM, abs=0.05)
    assert last.components == (7, 10, 17)
    assert last.deviation_mm == pytest.approx(12.0, abs=0.1)


@pytest.mark.parametrize("dataset", ["nyu", "icvl"])
def test_embedded_labels_have_the_statistics_of_the_real_ones(dataset):
    """Components within 2, every other figure within 20 %."""
    embedded = describe_embedded(dataset, 0)
    for figure, real in RECORDED[dataset].items():
        tolerance = 2 if figure.startswith("components") else 0.2 * real
        assert embedded[figure] == pytest.approx(real, abs=tolerance), figure


def test_icvl_hands_move_as_far_between_frames_as_the_real_ones():
    slow, fast = ICVL_MOTION_MM
    assert 0.8 * slow <= describe_embedded("icvl", 0)["motion_median_mm"] <= 1.2 * fast


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["nyu", "icvl"])
def test_the_mean_of_several_seeds_has_them_too(dataset):
    seeds = [describe_embedded(dataset, seed) for seed in range(5)]
    for figure, real in RECORDED[dataset].items():
        tolerance = 2 if figure.startswith("components") else 0.2 * real
        assert np.mean([one[figure] for one in seeds]) == pytest.approx(real, abs=tolerance), figure


WORDS = dict(
    zip(
        FIGURES,
        (
            "components for 90 %",
            "components for 95 %",
            "components for 99 %",
            "standard deviation of a coordinate (mm)",
            "motion between frames, median (mm)",
            "motion between frames, 90th percentile (mm)",
            "nearest other pose, median (mm)",
            "palm normal from its mean, median (degrees)",
            "palm normal from its mean, 90th percentile (degrees)",
            "palm depth, 5th percentile (mm)",
            "palm depth, 95th percentile (mm)",
        ),
        strict=True,
    )
)


def print_table(published: Path) -> None:
    for dataset in ("nyu", "icvl"):
        real = describe_real(dataset, published)
        seeds = [describe_embedded(dataset, seed) for seed in range(5)]
        print(f"\n| {dataset} test | real | embedded, seed 0 | mean of seeds 0-4 | range |\n|---|---|---|---|---|")
        for figure in FIGURES:
            values = [one[figure] for one in seeds]
            if np.isfinite(real[figure]):
                numbers = (real[figure], values[0], np.mean(values))
                shown = " | ".join(f"{number:.1f}" for number in numbers)
                print(f"| {WORDS[figure]} | {shown} | {min(values):.1f} - {max(values):.1f} |")


if __name__ == "__main__":
    print_table(Path(__file__).resolve().parents[3] / "shared" / "published")
