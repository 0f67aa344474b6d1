"""What `handbench fit` leaves, what it refuses, and what a kill cannot do; and the real labels of NYU's test set."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handbench.cli import main
from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.recordings import sample_poses
from handbench.errors import BadInput
from handbench.fitting import label_fit
from handbench.fitting.label_fit import Left, find_inner_limits, find_limits, fit_labels, fit_record, join
from handbench.fitting.labelled_frames import NYU_SEGMENTS, LabelledFrames, read_record, read_store
from handbench.fitting.pose_file import load_poses
from handbench.fitting.pose_fit import Fit, SwarmSettings
from handbench.hand.keypoints import keypoint_positions, learned_keypoints
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, vary_shape
from handbench.sealed import is_sealed

TRAIN, TEST = 40, 12
NUMBERS = {"mean_mm", "variance_mm2", "worst_mm", "frames", "seconds"}


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny synthesized NYU with its crops and the fit of its training labels."""
    root = tmp_path_factory.mktemp("embedded")
    frames = [f"train={TRAIN}", f"test={TEST}"]
    assert main(["synthesize", "nyu", "--out", str(root), "--frames", *frames, "--stride", "train=60"]) == 0
    for split in ("train", "test"):
        words = ["--root", str(root / "raw"), "--split", split, "--centre", "com", "--size", "16"]
        assert main(["crop", "nyu", *words, "--out", str(root / "crop" / split)]) == 0
    assert fit(root, "train", "--truth", str(root / "truth.npz"), "--pso-frames", "5") == 0
    return root


def fit(root: Path, split: str, *more: str, dataset: str = "nyu", out: str | None = None) -> int:
    store = ["--store", str(root / "crop" / split)]
    return main(["fit", dataset, *store, "--out", str(root / (out or f"fit/{split}")), *more])


def test_the_hand_and_the_poses_of_a_synthesized_set_come_back(embedded: Path) -> None:
    poses = load_poses(embedded / "fit" / "train")
    np.testing.assert_allclose(poses.hand.shape.lengths_mm, REFERENCE_SHAPE.lengths_mm, atol=0.3)
    np.testing.assert_allclose(poses.hand.shape.bases_mm, REFERENCE_SHAPE.bases_mm, atol=0.3)
    card = poses.card
    assert (card["dataset"], card["split"], card["source"]) == ("nyu", "train", "embedded")
    assert set(card["lbfgs"]) >= NUMBERS
    assert set(card["pso"]) >= NUMBERS
    assert (card["lbfgs"]["frames"], card["pso"]["frames"]) == (TRAIN, 5)
    assert card["lbfgs"]["mean_mm"] == pytest.approx(poses.left_mm.mean(), abs=1e-6)
    assert card["lbfgs"]["mean_mm"] < 0.05
    assert card["truth"]["mean_angle_error_deg"] < 1.0
    assert card["truth"]["mean_angle_error_deg"] < card["truth"]["pso_mean_angle_error_deg"] < 15.0
    assert list(card["lbfgs"]["worst_mm"].values()) == sorted(card["lbfgs"]["worst_mm"].values(), reverse=True)
    assert len(card["lbfgs"]["worst_mm"]) == 5
    assert (poses.limits_rad >= ANGLE_LIMITS_RAD[:, :1] - 1e-6).all()
    assert (poses.limits_rad <= ANGLE_LIMITS_RAD[:, 1:] + 1e-6).all()


def test_test_labels_are_fitted_with_the_training_hand(embedded: Path) -> None:
    known = load_poses(embedded / "fit" / "train")
    assert fit(embedded, "test", "--hand", str(embedded / "fit" / "train"), "--pso-frames", "3") == 0
    poses = load_poses(embedded / "fit" / "test")
    np.testing.assert_array_equal(poses.hand.shape.lengths_mm, known.hand.shape.lengths_mm)
    np.testing.assert_array_equal(poses.limits_rad, known.limits_rad)
    assert poses.card["hand_from"] == known.card["sha256"]
    low, high = known.limits_rad.T
    assert ((poses.pose[:, 6:] >= low - 1e-5) & (poses.pose[:, 6:] <= high + 1e-5)).all()
    assert poses.row.tolist() == list(range(TEST))
    assert poses.card["truth"] == {}


def test_what_does_not_fit_together_is_one_line(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crops, train = embedded / "crop", embedded / "fit" / "train"
    for words, said in (
        (("nyu", "--store", str(embedded)), "expected a crop store"),
        (("icvl", "--store", str(crops / "train")), "expected crops of icvl, found nyu"),
        (("nyu", "--store", str(crops / "test"), "--hand", str(crops)), "expected the card of fitted poses"),
        (("nyu", "--store", str(crops / "test"), "--truth", str(train / "poses.npz")), "expected the truth.npz"),
        (("nyu", "--record", str(embedded)), "expected a file of the published record"),
        (("icvl", "--record", str(embedded)), "expected nyu and nothing else with --record, found icvl"),
    ):
        assert main(["fit", *words, "--out", str(embedded / "nothing")]) == 1
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
    assert not (embedded / "nothing").exists()
    with pytest.raises(BadInput, match="expected nyu or icvl, found msra"):
        read_store(crops / "train", "msra")


def test_the_help_offers_what_can_be_fitted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    told = capsys.readouterr().out
    assert "nyu, icvl" in told
    assert not {"msra", "msra14", "dexter"} & set(re.findall(r"\w+", told))


def make_frames(count: int = 12, scale: float = 1.0) -> LabelledFrames:
    """Of one person; with a scale, of one as much smaller and with as much smaller a cube in every second frame."""
    take = plan_recordings("nyu", {"train": count, "test": 1}, 0, {"train": 30})[0]
    poses, sizes = sample_poses(take), np.where(np.arange(count) % 2, scale, 1.0)
    keypoints = learned_keypoints("nyu")
    joints_mm = keypoint_positions(keypoints, REFERENCE_SHAPE, poses)
    wrist_mm = poses[:, None, :3]
    joints_mm = wrist_mm + (joints_mm - wrist_mm) * sizes[:, None, None]
    names = tuple(f"frame {row}" for row in range(count))
    origin = {"source": "real", "sha256_of_store": "0"}
    return LabelledFrames(
        dataset="nyu",
        split="train",
        joints_mm=joints_mm,
        keypoints=keypoints,
        scored=14,
        cube_mm=300.0 * sizes,
        row=np.arange(count),
        names=names,
        sequences=("one",) * count,
        unlabelled=0,
        origin=origin,
    )


def test_a_person_with_a_smaller_cube_has_a_smaller_hand(tmp_path: Path) -> None:
    fit_labels(make_frames(), tmp_path / "one", swarm_frames=2, seed=0)
    fit_labels(make_frames(scale=0.8), tmp_path / "two", hand=tmp_path / "one", swarm_frames=12, seed=0)
    one, two = (load_poses(tmp_path / name) for name in ("one", "two"))
    np.testing.assert_allclose(two.hand_scale, [1.0, 0.8] * 6, rtol=1e-6)
    assert (one.hand_scale == 1.0).all()
    assert two.left_mm.max() < 0.1
    # The same poses, but for angles that joints hardly show: the wrists and the palm's turn.
    np.testing.assert_allclose(two.pose[:, :3], one.pose[:, :3], atol=0.2)
    assert np.degrees(np.abs(two.pose[:, 3:6] - one.pose[:, 3:6])).max() < 0.5
    # Without the cubes' word bones are too long by a quarter, and labels are missed by millimetres.
    blind = replace(make_frames(scale=0.8), cube_mm=np.full(12, 300.0))
    fit_labels(blind, tmp_path / "three", hand=tmp_path / "one", swarm_frames=2, seed=0)
    assert load_poses(tmp_path / "three").left_mm[1::2].min() > 3.0


def test_the_hand_of_a_set_of_two_people_is_the_larger_one(tmp_path: Path) -> None:
    fit_labels(make_frames(count=40, scale=0.8), tmp_path, swarm_frames=2, seed=0)
    poses = load_poses(tmp_path)
    assert poses.hand.shape.lengths_mm.sum() == pytest.approx(REFERENCE_SHAPE.lengths_mm.sum(), rel=0.01)
    assert poses.card["cube_mm"] == 300.0
    assert poses.left_mm.max() < 0.5


def test_a_dataset_without_a_hand_of_its_own_takes_another_s_at_the_size_of_its_cubes(tmp_path: Path) -> None:
    """ICVL with the geometry of NYU's hand: bones are given, angles and their bounds are its own."""
    fit_labels(make_frames(count=40), tmp_path / "nyu", swarm_frames=2, seed=0)
    nyu = make_frames(count=12)
    shape, pose = vary_shape(REFERENCE_SHAPE, size=250 / 300), load_poses(tmp_path / "nyu").pose[:12]
    keypoints = learned_keypoints("icvl")
    joints_mm = keypoint_positions(keypoints, shape, pose.astype(np.float64))
    icvl = replace(nyu, dataset="icvl", joints_mm=joints_mm, keypoints=keypoints, scored=16, cube_mm=np.full(12, 250.0))
    fit_labels(icvl, tmp_path / "icvl", hand=tmp_path / "nyu", swarm_frames=2, seed=0)
    one, two = (load_poses(tmp_path / name) for name in ("nyu", "icvl"))
    np.testing.assert_allclose(two.hand.shape.lengths_mm, one.hand.shape.lengths_mm * 250 / 300)
    assert (two.card["hand_of"], two.card["hand_from"], two.card["cube_mm"]) == ("nyu", one.card["sha256"], 250.0)
    assert (two.hand_scale == 1.0).all()
    assert two.left_mm.max() < 0.5
    assert not np.array_equal(two.limits_rad, one.limits_rad)
    # The test split of it keeps hand and bounds.
    fit_labels(replace(icvl, split="test"), tmp_path / "test", hand=tmp_path / "icvl", swarm_frames=2, seed=0)
    test = load_poses(tmp_path / "test")
    np.testing.assert_array_equal(test.limits_rad, two.limits_rad)
    np.testing.assert_array_equal(test.hand.shape.lengths_mm, two.hand.shape.lengths_mm)
    with pytest.raises(Exception, match="expected a hand fitted to real icvl train, found real icvl test"):
        fit_labels(icvl, tmp_path / "again", hand=tmp_path / "test", swarm_frames=2, seed=0)


def test_a_hand_of_other_data_is_refused(embedded: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="expected a hand fitted to real nyu train, found embedded nyu train"):
        fit_labels(make_frames(), tmp_path, hand=embedded / "fit" / "train", swarm_frames=1, seed=0)
    with pytest.raises(Exception, match="expected no truth with real labels"):
        fit_labels(make_frames(), tmp_path, truth=embedded / "truth.npz", swarm_frames=1, seed=0)


def test_truth_of_other_frames_is_refused(embedded: Path, tmp_path: Path) -> None:
    frames = read_store(embedded / "crop" / "train", "nyu")
    for wrong, found in (
        (replace(frames, row=frames.row + 7), "40 frames of train"),
        (replace(frames, joints_mm=frames.joints_mm + 900.0), "hands elsewhere"),
    ):
        with pytest.raises(Exception, match=found):
            fit_labels(wrong, tmp_path, truth=embedded / "truth.npz", swarm_frames=1, seed=0)


def test_bounds_leave_out_frames_that_were_not_explained() -> None:
    pose = np.zeros((200, 26))
    pose[:, 6:] = np.linspace(-0.2, 0.3, 200)[:, None]
    left_mm = np.full(200, 0.1)
    pose[50, 6:], left_mm[50] = 2.0, 9.0
    limits_rad = find_limits(Fit(pose, left_mm, 1.0))
    np.testing.assert_allclose(limits_rad, np.repeat([[-0.2, 0.3]], 20, axis=0))
    # Half a percent of half a radian further in, but for the frame that is left out.
    inner_rad = find_inner_limits(Fit(pose, left_mm, 1.0))
    np.testing.assert_allclose(inner_rad, np.repeat([[-0.1975, 0.2975]], 20, axis=0), atol=1e-4)


def test_numbers_of_segments_add_up() -> None:
    parts = [Left(np.array([1.0, 3.0]), ("a", "b"), 1.0, 10.0), Left(np.array([5.0]), ("c",), 2.0, 40.0)]
    told = join(parts).describe()
    assert told == {
        "mean_mm": 3.0,
        "variance_mm2": pytest.approx(8 / 3),
        "worst_mm": {"c": 5.0, "b": 3.0, "a": 1.0},
        "frames": 3,
        "seconds": 3.0,
        "evaluations_a_frame": 20.0,
    }
    starts = [replace(part, start_mm=part.left_mm + 2) for part in parts]
    assert join(starts).describe() == told | {"start_mm": 5.0}


def test_a_record_has_a_hand_for_each_segment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    frames = make_frames(16)
    sizes = np.where(np.arange(16) < 9, 1.0, 0.85)
    middle = frames.joints_mm.mean(axis=1, keepdims=True)
    labels = replace(
        frames,
        joints_mm=middle + sizes[:, None, None] * (frames.joints_mm - middle),
        sequences=("segment_1",) * 9 + ("segment_2",) * 7,
    )
    monkeypatch.setattr(label_fit, "FRAMES", 9)
    monkeypatch.setattr("handbench.fitting.pose_fit.SWARM", SwarmSettings(4, 4))
    fit_record(labels, tmp_path, swarm_frames=8, seed=0)
    card = json.loads((tmp_path / "fit.json").read_text())
    assert is_sealed(card)
    assert (card["dataset"], card["split"], card["source"]) == ("nyu", "published", "real")
    assert card["lbfgs"]["frames"] == 16
    assert card["pso"]["frames"] == 8
    lengths = [load_poses(tmp_path / name).hand.shape.lengths_mm.sum() for name in ("segment_1", "segment_2")]
    assert lengths[1] / lengths[0] == pytest.approx(0.85, abs=0.05)
    assert list(card["segments"]) == ["segment_1", "segment_2"]


def test_a_killed_fit_leaves_nothing_that_could_be_taken_for_one(embedded: Path) -> None:
    out = embedded / "fit" / "killed"
    words = ["fit", "nyu", "--store", str(embedded / "crop" / "train"), "--out", str(out), "--pso-frames", "40"]
    running = subprocess.Popen([sys.executable, "-m", "handbench", *words], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not out.with_name(".killed.lock").exists():
        assert time.monotonic() < end, "it did not begin"
        time.sleep(0.02)
    assert main(words) == 1, "two at one output"
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert not (out / "fit.json").exists()
    assert main(words) == 0
    assert load_poses(out).card["pso"]["frames"] == 40


def test_real_labels_are_explained_within_six_millimetres(shared: Path) -> None:
    """DM3 on a share of each segment: the palm is rigid, and one hand fits all of its frames."""
    frames = read_record(shared / "published")
    assert len(frames) == sum(NYU_SEGMENTS.values())
    assert frames.names[3136] == "test/depth_1_0003137.png"
    palm_mm = np.linalg.norm(frames.joints_mm[:, 13] - frames.joints_mm[:, 11], axis=1)
    for name, size_mm in (("segment_1", 81.3), ("segment_2", 70.6), ("segment_3", 67.3)):
        places = np.flatnonzero(np.array(frames.sequences) == name)
        np.testing.assert_allclose(palm_mm[places], size_mm, atol=0.1)
        some = label_fit.take_sequence(frames, name)
        few = np.linspace(0, len(places) - 1, 60).astype(int)
        some = replace(
            some,
            joints_mm=some.joints_mm[few],
            cube_mm=some.cube_mm[few],
            row=some.row[few],
            names=tuple(some.names[place] for place in few),
            sequences=(name,) * 60,
        )
        hand = label_fit.find_hand(some, free_keypoints=True)
        explained = label_fit.explain(some, hand, np.ones(60), ANGLE_LIMITS_RAD, 10, 0)
        assert explained.lbfgs.left_mm.mean() < 3.0
        assert explained.pso.left_mm.mean() < 6.0
        # A sane hand: its bones are those of the reference hand at another size.
        ratio = hand.shape.lengths_mm / REFERENCE_SHAPE.lengths_mm
        assert (np.abs(ratio / np.median(ratio) - 1) < 0.3).all()
