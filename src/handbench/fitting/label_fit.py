"""What `handbench fit` does: a hand, and its pose in every frame, fitted to labelled joints (deepmodel Secs. 3.1, 4).

The hand is that of the training labels; poses come by L-BFGS for every frame, and by the paper's particle swarms for
as many as are asked for, so that a card can show both. Test labels are fitted with the hand and the bounds of the
training, the hand as much smaller as a person's crops are: networks see patches in which all hands are of one size. The
published labels of NYU's test set have three sizes, so each segment gets a hand of its own. ICVL is explained by NYU's
hand, as in the paper (Sec. 4.2), by as much smaller as its cubes are: only angles are found, and their bounds.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64

from handbench.datasets.evenly import spread_evenly
from handbench.datasets.lock import hold_alone
from handbench.datasets.truth import read_truth
from handbench.errors import BadInput
from handbench.fitting.hand_fit import FRAMES, fit_hand
from handbench.fitting.labelled_frames import LabelledFrames
from handbench.fitting.pose_file import CARD, PUBLISHED, FittedPoses, load_poses, save_poses, write_card
from handbench.fitting.pose_fit import SWARM, Fit, follow_recordings, search_poses
from handbench.hand.angle_errors import angle_errors_deg
from handbench.hand.keypoints import Hand
from handbench.hand.kinematics import unify_turn
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, vary_shape

RECORD_FORMAT = "handbench fitted record"
RECORD_VERSION = 1
WELL_EXPLAINED = 0.99
"""The share of the training frames whose angles set the bounds."""
PERCENTILES = (0.5, 99.5)
"""Of the same frames' angles: narrower bounds, beside which those of all of them are seen."""
ARM_MM = 400.0
"""No label is further from its own wrist."""
WORST = 5
"""Frames that a card names."""


@dataclass(frozen=True)
class Left:
    """What one optimiser leaves of the distance to the labels."""

    left_mm: Float[np.ndarray, "frames"]
    """Of each frame the mean over its joints."""
    names: tuple[str, ...]
    seconds: float
    """Of one core: a busy machine makes the clock's say nothing."""
    evaluations: float
    start_mm: Float[np.ndarray, "frames"] | None = None
    """Of swarms: what their starts leave."""

    def describe(self) -> dict[str, Any]:
        worst = np.argsort(-self.left_mm, kind="stable")[:WORST]
        start = {} if self.start_mm is None else {"start_mm": float(self.start_mm.mean())}
        return {
            "mean_mm": float(self.left_mm.mean()),
            "variance_mm2": float(self.left_mm.var()),
            "worst_mm": {self.names[place]: round(float(self.left_mm[place]), 3) for place in worst},
            "frames": len(self.names),
            "seconds": round(self.seconds, 2),
            "evaluations_a_frame": round(self.evaluations, 1),
            **start,
        }


@dataclass(frozen=True)
class Explained:
    """The labels of some frames explained by one hand."""

    hand: Hand
    hand_scale: Float64[np.ndarray, "frames"]
    fit: Fit
    swarm: Fit
    swarm_places: Int64[np.ndarray, "searched"]
    """Of the frames that swarms were sent out for."""
    lbfgs: Left
    pso: Left


def fit_labels(
    frames: LabelledFrames,
    out: Path,
    *,
    hand: Path | None = None,
    truth: Path | None = None,
    swarm_frames: int,
    seed: int,
) -> str:
    """Fit a split and save it; `hand` is the folder of the training's fit, `truth` the truth.npz of embedded data."""
    known = read_known(hand, frames) if hand else None
    true_poses = read_true_poses(truth, frames) if truth else None
    torch.set_num_threads(1)
    with hold_alone(out):
        begun = time.process_time()
        whose = take_hand(known, frames)
        seconds = time.process_time() - begun
        same = known if known and known.card["dataset"] == frames.dataset else None
        limits_rad, inner_rad = (same.limits_rad, same.inner_limits_rad) if same else (ANGLE_LIMITS_RAD, None)
        cube_mm = float(same.card["cube_mm"] if same else frames.cube_mm.max())
        explained = explain(frames, whose, frames.cube_mm / cube_mm, limits_rad, swarm_frames, seed)
        if not same:
            limits_rad, inner_rad = find_limits(explained.fit), find_inner_limits(explained.fit)
        card = {
            "dataset": frames.dataset,
            "split": frames.split,
            **frames.origin,
            "unlabelled_frames": frames.unlabelled,
            "hand_from": known.card["sha256"] if known else f"{min(FRAMES, len(frames))} frames of these labels",
            "hand_of": known.card["dataset"] if known else frames.dataset,
            "hand_seconds": round(seconds, 2),
            "cube_mm": cube_mm,
            **describe_optimisers(explained.lbfgs, explained.pso, seed),
            "truth": {} if true_poses is None else compare_with_truth(explained, true_poses),
        }
        save_poses(out, as_poses(explained, limits_rad, inner_rad, frames), card)
    return tell(f"{frames.dataset} {frames.split}", card)


def fit_record(frames: LabelledFrames, out: Path, *, swarm_frames: int, seed: int) -> str:
    """Fit the published labels: a folder of poses for each segment of one size, and one card for all of them."""
    torch.set_num_threads(1)
    with hold_alone(out):
        (out / CARD).unlink(missing_ok=True)
        segments, parts = list(dict.fromkeys(frames.sequences)), []
        for name in segments:
            part = take_sequence(frames, name)
            share = round(swarm_frames * len(part) / len(frames))
            whose = find_hand(part, free_keypoints=True)
            explained = explain(part, whose, np.ones(len(part)), ANGLE_LIMITS_RAD, share, seed)
            numbers = describe_optimisers(explained.lbfgs, explained.pso, seed)
            words = {"dataset": part.dataset, "split": PUBLISHED, "segment": name, **part.origin, **numbers}
            save_poses(out / name, as_poses(explained, ANGLE_LIMITS_RAD, None, part), words)
            parts.append(explained)
        card = {
            "format": RECORD_FORMAT,
            "version": RECORD_VERSION,
            "dataset": frames.dataset,
            "split": PUBLISHED,
            **frames.origin,
            "segments": {name: load_poses(out / name).card["sha256"] for name in segments},
            **describe_optimisers(join([one.lbfgs for one in parts]), join([one.pso for one in parts]), seed),
        }
        write_card(out, card)
    return tell(f"{frames.dataset} {PUBLISHED}", card)


def take_hand(known: FittedPoses | None, frames: LabelledFrames) -> Hand:
    """That of the training, or of another dataset's at the size of these crops, or one fitted to these labels."""
    if known is None:
        # Where keypoints lie on a bone is known of embedded labels alone.
        return find_hand(frames, free_keypoints=frames.origin["source"] != "embedded")
    if known.card["dataset"] == frames.dataset:
        return known.hand
    size = float(frames.cube_mm.max() / known.card["cube_mm"])
    return Hand(vary_shape(known.hand.shape, size=size), frames.keypoints)


def find_hand(frames: LabelledFrames, *, free_keypoints: bool = False) -> Hand:
    """That of the person with the largest cube."""
    start = Hand(REFERENCE_SHAPE, frames.keypoints)
    largest = np.flatnonzero(frames.cube_mm == frames.cube_mm.max())
    places = largest[spread_evenly(len(largest), FRAMES)]
    return fit_hand(start, frames.joints_mm[places], free_keypoints=free_keypoints)


def explain(
    frames: LabelledFrames,
    hand: Hand,
    hand_scale: Float64[np.ndarray, "frames"],
    limits_rad: Float[np.ndarray, "20 2"],
    swarm_frames: int,
    seed: int,
) -> Explained:
    """Poses of all frames by L-BFGS, and of evenly spaced ones by swarms too.

    A smaller hand is fitted as the hand itself to labels that are larger by as much.
    """
    begun = time.process_time()
    scored = Hand(hand.shape, hand.keypoints.take(range(frames.scored)))
    joints_mm = frames.joints_mm[:, : frames.scored] / hand_scale[:, None, None]
    fit = resize(follow_recordings(scored, joints_mm, frames.sequences, limits_rad), hand_scale)
    followed = time.process_time()
    places = spread_evenly(len(frames), max(swarm_frames, 1))
    swarm = resize(search_poses(scored, joints_mm[places], limits_rad, seed), hand_scale[places])
    names = tuple(frames.names[place] for place in places)
    return Explained(
        hand,
        hand_scale,
        fit,
        swarm,
        places,
        Left(fit.left_mm, frames.names, followed - begun, fit.evaluations),
        Left(swarm.left_mm, names, time.process_time() - followed, swarm.evaluations, swarm.start_mm),
    )


def resize(fit: Fit, scale: Float64[np.ndarray, "frames"]) -> Fit:
    """Back from labels that were larger."""
    pose = fit.pose.copy()
    pose[:, :3] *= scale[:, None]
    return Fit(pose, fit.left_mm * scale, fit.evaluations, None if fit.start_mm is None else fit.start_mm * scale)


def find_limits(fit: Fit) -> Float64[np.ndarray, "20 2"]:
    """Least and greatest finger angles of the frames that the hand explains best.

    Not percentiles of the angles: bounds are to call no training pose impossible. The frames left out are those whose
    labels are odd or whose pose was not found, where angles run into the anatomical limits.
    """
    angles = take_explained(fit)
    return np.stack([angles.min(axis=0), angles.max(axis=0)], axis=1)


def find_inner_limits(fit: Fit) -> Float64[np.ndarray, "20 2"]:
    """PERCENTILES of each angle over the same frames: bounds that poses at a wall do not set."""
    return np.percentile(take_explained(fit), PERCENTILES, axis=0).T


def take_explained(fit: Fit) -> Float[np.ndarray, "explained 20"]:
    """Finger angles of the frames that set the bounds."""
    return fit.pose[fit.left_mm <= np.quantile(fit.left_mm, WELL_EXPLAINED), 6:]


def as_poses(
    explained: Explained,
    limits_rad: Float[np.ndarray, "20 2"],
    inner_rad: Float[np.ndarray, "20 2"] | None,
    frames: LabelledFrames,
) -> FittedPoses:
    fit = explained.fit
    pose, hand_scale, left_mm = (one.astype(np.float32) for one in (fit.pose, explained.hand_scale, fit.left_mm))
    return FittedPoses(explained.hand, limits_rad, pose, frames.row, hand_scale, left_mm, {}, inner_rad)


def describe_optimisers(lbfgs: Left, pso: Left, seed: int) -> dict[str, Any]:
    swarm = {"particles": SWARM.particles, "generations": SWARM.generations, "seed": seed}
    return {"lbfgs": lbfgs.describe(), "pso": {**pso.describe(), **swarm}}


def join(parts: Sequence[Left]) -> Left:
    frames = [len(part.names) for part in parts]
    starts = [part.start_mm for part in parts if part.start_mm is not None]
    return Left(
        np.concatenate([part.left_mm for part in parts]),
        tuple(name for part in parts for name in part.names),
        sum(part.seconds for part in parts),
        float(np.average([part.evaluations for part in parts], weights=frames)),
        np.concatenate(starts) if starts else None,
    )


def take_sequence(frames: LabelledFrames, name: str) -> LabelledFrames:
    places = np.flatnonzero(np.array(frames.sequences) == name)
    return LabelledFrames(
        dataset=frames.dataset,
        split=frames.split,
        joints_mm=frames.joints_mm[places],
        keypoints=frames.keypoints,
        scored=frames.scored,
        cube_mm=frames.cube_mm[places],
        row=frames.row[places],
        names=tuple(frames.names[place] for place in places),
        sequences=(name,) * len(places),
        unlabelled=0,
        origin=frames.origin,
    )


def compare_with_truth(explained: Explained, true_pose: Float[np.ndarray, "frames 26"]) -> dict[str, float]:
    """How far the fitted angles are from those that the labels were made with, those of the swarms too."""
    swarm = compare_angles(explained.swarm.pose, true_pose[explained.swarm_places])
    return compare_angles(explained.fit.pose, true_pose) | {f"pso_{name}": value for name, value in swarm.items()}


def compare_angles(pose: Float[np.ndarray, "frames 26"], true_pose: Float[np.ndarray, "frames 26"]) -> dict[str, float]:
    """Mean errors of all angles, of the fingers' and of the palm's."""
    errors_deg = angle_errors_deg(pose[:, 3:], true_pose[:, 3:])
    return {
        "mean_angle_error_deg": float(errors_deg.mean()),
        "mean_finger_angle_error_deg": float(errors_deg[:, 3:].mean()),
        "mean_palm_angle_error_deg": float(errors_deg[:, :3].mean()),
    }


def read_known(folder: Path, frames: LabelledFrames) -> FittedPoses:
    """What was fitted to training labels of the same source: hand and bounds, or of another dataset the hand."""
    known = load_poses(folder)
    theirs = f"{known.card['source']} {known.card['dataset']} {known.card['split']}"
    if known.card["split"] != "train" or known.card["source"] != frames.origin["source"]:
        expected = f"a hand fitted to {frames.origin['source']} {frames.dataset} train"
        raise BadInput(folder, expected=expected, found=theirs, fix="name the fit of its training set")
    return known


def read_true_poses(path: Path, frames: LabelledFrames) -> Float64[np.ndarray, "frames 26"]:
    """The poses that embedded labels were made with, the palm's angles said in the one way of fitted poses."""
    if frames.origin["source"] != "embedded":
        raise BadInput(path, expected="no truth with real labels", found="one", fix="leave --truth out")
    poses = read_truth(path, frames.split).poses.astype(np.float64)
    fits = len(poses) > frames.row.max()
    if fits:
        poses = poses[frames.row]
        reach_mm = np.linalg.norm(frames.joints_mm - poses[:, None, :3], axis=2).max()
    if not fits or reach_mm > ARM_MM:
        found = "hands elsewhere" if fits else f"{len(poses):,} frames of {frames.split}"
        raise BadInput(
            path, expected="the truth of these frames", found=found, fix="name the truth.npz beside their raw folder"
        )
    poses[:, 3:6] = unify_turn(poses[:, 3:6])
    return poses


def tell(what: str, card: dict[str, Any]) -> str:
    """One line for a log."""
    parts = []
    for name, one in (("L-BFGS", card["lbfgs"]), ("PSO", card["pso"])):
        worst, worst_mm = next(iter(one["worst_mm"].items()))
        parts.append(
            f"{name} {one['mean_mm']:.3f} mm, variance {one['variance_mm2']:.3f}, worst {worst_mm:.2f} mm ({worst}), "
            f"{one['frames']:,} frames in {one['seconds']:.0f} s"
        )
    truth = card.get("truth")
    if truth:
        parts.append(f"fitted angles {truth['mean_angle_error_deg']:.2f} degrees off")
    return f"{what}: {'; '.join(parts)}"
