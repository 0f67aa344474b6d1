"""A small run of deepmodel on disk, as the pipeline leaves one: drawn hands, predicted poses, fits, a probe."""

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from loop_fixtures import write_probe
from run_fixtures import COMMIT, DIGEST

from handbench.conventions import DATASETS
from handbench.datasets.crops import build_crops
from handbench.datasets.listing import Listing
from handbench.datasets.pose_ranges import POSE_RANGES
from handbench.datasets.store import CropStore, open_store
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.evaluation_files import save_evaluation
from handbench.fitting.pose_file import FittedPoses, save_poses
from handbench.hand.keypoints import KEYPOINTS, Hand, keypoint_positions, scored_keypoints
from handbench.hand.sampling import sample_sequence
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, HandShape, vary_shape
from handbench.hand.skinning import Skin, make_skin, pose_mesh
from handbench.rendering.zbuffer import render_layers
from handbench.sealed import seal
from handbench.training.prediction_file import FILE, save_predictions

FRAMES = 60
SEEDS = (0, 1)
TRAINED_AT = "0ld5678"
"""The commit at which the full network was trained; the others at that of the run."""
SHAPES = {"nyu": REFERENCE_SHAPE, "icvl": vary_shape(REFERENCE_SHAPE, size=0.85)}
WIDE = {"nyu": (0.55, 0.41), "icvl": (0.66, 0.5)}
VARIANTS = {
    "deepmodel_direct_joint": (16.0, 20.0, 0.0),
    "deepmodel_direct_parameter": (24.0, 11.0, 0.1),
    "deepmodel_without_physical": (15.5, 10.5, 0.5),
    "deepmodel": (15.0, 10.0, 0.0),
    "deepmodel_direct_parameter_physical": (23.5, 11.2, 0.0),
    "deepmodel_three_angles": (17.0, 10.5, 0.0),
}
"""Module: how far joints stray in mm and angles in degrees, and the share of frames bent out of range."""
SHAPE = tuple(field.name for field in fields(HandShape))


def write_deepmodel_run(run: Path, datasets: tuple[str, ...] = ("nyu", "icvl")) -> Path:
    """Every variant on NYU and the full network on ICVL, with each seed."""
    for dataset in datasets:
        poses = make_poses(dataset)
        store = write_crops(run, dataset, poses)
        write_call(run, datasets)
        write_fit(run, dataset, poses, np.asarray(store.row).astype(np.int64))
        for module in VARIANTS if dataset == "nyu" else ("deepmodel",):
            for seed in SEEDS:
                write_predictions(run, store, module, poses, seed)
    write_published_fit(run)
    timed = {"milliseconds": {"1": {"network": 2.5}, "64": {"network": 0.4}}, "device": "CPU", "threads": 2}
    for seed in SEEDS:
        write_probe(run, "deepmodel", seed, {"frames": FRAMES, **timed, "precision": "float32"})
    return run


def make_poses(dataset: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    # Every tenth frame of a recording, so that the few of them differ.
    return sample_sequence(rng, 10 * FRAMES, POSE_RANGES[dataset], SHAPES[dataset], WIDE[dataset])[::10]


def write_crops(run: Path, dataset: str, poses: np.ndarray) -> CropStore:
    convention, shape = DATASETS[dataset], SHAPES[dataset]
    raw = run / "synthesize" / dataset / "raw"
    raw.mkdir(parents=True)
    (raw.parent / "truth.npz").touch()
    listing = Listing(
        convention=convention,
        split="test",
        root=raw,
        names=tuple(f"image_{row:04d}.png" for row in range(FRAMES)),
        subjects=("P0",) * FRAMES,
        sequences=tuple("abcdef"[6 * row // FRAMES] for row in range(FRAMES)),
        joints_mm=keypoint_positions(KEYPOINTS[dataset], shape, poses).astype(np.float32),
        read_depth=partial(draw, dataset, poses, make_skin(shape, 7.0)),
    )
    path = run / "crop" / dataset / "com" / "test"
    build_crops(listing, centre="com", size_px=48, out=path)
    return open_store(path)


def draw(dataset: str, poses: np.ndarray, skin: Skin, path: Path) -> np.ndarray:
    mesh = pose_mesh(skin, SHAPES[dataset], poses[int(path.stem[-4:])])
    return render_layers([mesh], DATASETS[dataset].camera)[0]


def write_predictions(run: Path, store: CropStore, module: str, poses: np.ndarray, seed: int) -> None:
    joint_mm, angle_deg, bent = VARIANTS[module]
    protocol = store.card["protocol"]
    dataset = protocol["dataset"]
    rng = np.random.default_rng(seed)
    limits = ANGLE_LIMITS_RAD
    pose = poses.copy()
    pose[:, :3] += rng.normal(0, 5, (FRAMES, 3))
    pose[:, 3:] += np.radians(rng.normal(0, angle_deg, (FRAMES, 23)))
    pose[:, 6:] = np.clip(pose[:, 6:], limits[:, 0], limits[:, 1])
    pose[: round(bent * FRAMES), 8] = limits[2, 1] + 0.2
    truth_mm = np.asarray(store.joints_mm)[:, list(store.scored)]
    joints_mm = (truth_mm + rng.normal(0, joint_mm / 1.6, truth_mm.shape)).astype(np.float32)
    card = {"paper": "deepmodel", "module": module, "kind": "deepmodel.hand", "seed": seed, "split": "test"}
    card |= {"centre": "com", "settings": {"epochs": 10, "batch": 64}, "store": str(store.path), "protocol": protocol}
    card |= {"dataset": dataset, "folds": [], "frames": FRAMES, "checkpoints": [], "converged": True}
    card |= {"trained_at": [TRAINED_AT] if module == "deepmodel" else [COMMIT]}
    card |= {"gives_angles": True, "limits_rad": limits.tolist(), "hand": as_lists(SHAPES[dataset])}
    folder = run / "predict" / dataset / module / f"seed{seed}"
    of_all = fit_last_joints(pose, poses) if module == "deepmodel_direct_joint" else None
    row = np.asarray(store.row)
    save_predictions(folder, joints_mm, store.names, row, card, pose=pose.astype(np.float32), pose_of_all=of_all)
    out, poses_at = run / "evaluate" / dataset / module / f"seed{seed}", run / "fit" / dataset / "test"
    title = f"DeepModel ({module.removeprefix('deepmodel').strip('_').replace('_', ' ') or 'full'})"
    save_evaluation(evaluate(folder / FILE, dataset, title, poses=poses_at, out=out, call=run / "call.json"), out)


def fit_last_joints(pose: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """The same with the errors of fingers' last joints halved, as all joints tell more of them."""
    last, fitted = list(range(9, 26, 4)), pose.copy()
    fitted[:, last] = (pose[:, last] + poses[:, last]) / 2
    return fitted.astype(np.float32)


def as_lists(shape: HandShape) -> dict[str, Any]:
    return {name: getattr(shape, name).tolist() for name in SHAPE}


def write_fit(run: Path, dataset: str, poses: np.ndarray, row: np.ndarray) -> None:
    hand = Hand(SHAPES[dataset], scored_keypoints(dataset))
    ones = np.ones(FRAMES, np.float32)
    inner = np.percentile(poses[:, 6:], (0.5, 99.5), axis=0).T
    fitted = FittedPoses(hand, ANGLE_LIMITS_RAD, poses.astype(np.float32), row, ones, ones, {}, inner)
    told = {"dataset": dataset, "source": "embedded", "truth": {"mean_angle_error_deg": 3.25}}
    for split in ("train", "test") if dataset == "nyu" else ("test",):
        save_poses(run / "fit" / dataset / split, fitted, told | {"split": split} | tell_left(1.9, FRAMES))


def write_published_fit(run: Path) -> None:
    path = run / "fit" / "nyu" / "published" / "fit.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(seal({"dataset": "nyu", "split": "published", **tell_left(5.1, 8252)})))


def tell_left(mean_mm: float, frames: int) -> dict[str, dict[str, object]]:
    worst_mm = {"image_0007.png": 4 * mean_mm, "image_0009.png": 3 * mean_mm}
    numbers = {"mean_mm": mean_mm, "variance_mm2": 1.2, "worst_mm": worst_mm}
    numbers |= {"frames": frames, "seconds": 12.0}
    swarm = {"mean_mm": mean_mm + 0.4, "seconds": 90.0, "start_mm": mean_mm + 1.1}
    return {"lbfgs": numbers, "pso": numbers | swarm}


def write_call(run: Path, datasets: tuple[str, ...]) -> None:
    modules: Mapping[str, Any] = {name: {"datasets": list(datasets), "needs": []} for name in VARIANTS}
    settings = {"seeds": list(SEEDS), "scale": "demo", "source": "embedded", "use": list(datasets), "modules": modules}
    call = {"call": "0" * 32, "started": "2030-01-02T03:04:05+00:00", "command": "snakemake", "scale": "demo"}
    call |= {"source": "embedded", "commit": COMMIT, "config_digest": DIGEST, "settings": settings}
    (run / "call.json").write_text(json.dumps(call))
