"""A small run of refine on disk, as the pipeline leaves one: three targets, predicted turns of bones, probes.

The networks' hand is the reference one. Each network turns the bones a little wrong, the base most; its wrist is off by
a few millimetres. Every target's hand is another one.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from loop_fixtures import write_probe
from run_fixtures import COMMIT, DIGEST

from handbench.conventions import DATASETS
from handbench.datasets.array_file import write_arrays
from handbench.datasets.crops import build_crops
from handbench.datasets.listing import Listing
from handbench.datasets.pose_ranges import POSE_RANGES
from handbench.datasets.store import CropStore, open_store
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.evaluation_files import save_evaluation
from handbench.geometry.rotation import rotation_to_quaternion
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions, scored_keypoints
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.sampling import sample_sequence
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, SHAPE_FIELDS, vary_shape
from handbench.hand.skinning import Skin, make_skin, pose_mesh
from handbench.rendering.zbuffer import render_layers
from handbench.training.prediction_file import FILE, save_predictions

FRAMES = 60
SEEDS = (0, 1)
SHAPES = {
    "nyu": vary_shape(REFERENCE_SHAPE, size=0.9, girth=1.1),
    "icvl": vary_shape(REFERENCE_SHAPE, size=0.8),
    "wristband": vary_shape(REFERENCE_SHAPE, size=0.88, palm_stretch=(1.1, 0.95, 1.0)),
}
WIDE = {"nyu": (0.55, 0.41), "icvl": (0.66, 0.5), "wristband": (0.67, 0.5)}
CENTRES = {"nyu": "block", "icvl": "block", "wristband": "com"}
ANGLES_DEG = {"refine_base": 14.0, "refine_depth": 8.0, "refine": 5.0}
TITLES = {
    "refine_base": "Synthetic hands alone (refine)",
    "refine_depth": "Refined, depth loss alone (refine)",
    "refine": "Refined, all losses (refine)",
}


def write_refine_run(
    run: Path, datasets: tuple[str, ...] = ("nyu", "icvl", "wristband"), *, labels: bool = True
) -> Path:
    """Three networks on each target with each seed; without `labels` the recording is one that nobody has labelled."""
    write_call(run, datasets)
    for dataset in datasets:
        poses = make_poses(dataset)
        write_truth(run, dataset, poses)
        store = write_crops(run, dataset, poses, labelled=labels or dataset != "wristband")
        for seed in SEEDS:
            for module in ANGLES_DEG:
                write_probe(run, module, seed, make_numbers(store, module, seed), dataset=dataset)
                write_predictions(run, store, module, poses, seed)
    return run


def make_poses(dataset: str) -> np.ndarray:
    # Every tenth frame of a recording, so that the few of them differ.
    rng = np.random.default_rng(5)
    return sample_sequence(rng, 10 * FRAMES, POSE_RANGES[dataset], SHAPES[dataset], WIDE[dataset])[::10]


def write_truth(run: Path, dataset: str, poses: np.ndarray) -> None:
    shape, nothing = SHAPES[dataset], np.full((FRAMES, 3), np.nan, np.float32)
    arrays = {name: getattr(shape, name)[None].astype(np.float32) for name in ("bases_mm", "lengths_mm", "girths")}
    rotations = forward_kinematics(poses, shape)[0]
    folder = run / "synthesize" / dataset
    folder.mkdir(parents=True)
    write_arrays(
        folder / "truth.npz",
        {
            **arrays,
            "palm_stretch": shape.palm_stretch[None].astype(np.float32),
            "poses": poses.astype(np.float32),
            "quaternions": rotation_to_quaternion(rotations).astype(np.float32),
            "split": np.array(["test"] * FRAMES),
            "take": np.zeros(FRAMES, np.int64),
            "visible": np.ones((FRAMES, len(DATASETS[dataset].joints.names)), bool),
            "object_centre_mm": nothing,
            "object_rotation": np.full((FRAMES, 3, 3), np.nan, np.float32),
            "object_size_mm": nothing,
            "mirrored": np.array(False),
        },
    )


def write_crops(run: Path, dataset: str, poses: np.ndarray, *, labelled: bool = True) -> CropStore:
    raw = run / "synthesize" / dataset / "raw"
    raw.mkdir()
    joints_mm = keypoint_positions(KEYPOINTS[dataset], SHAPES[dataset], poses).astype(np.float32)
    listing = Listing(
        convention=DATASETS[dataset],
        split="test",
        root=raw,
        names=tuple(f"image_{row:04d}.png" for row in range(FRAMES)),
        subjects=("P0",) * FRAMES,
        sequences=tuple("abcdef"[6 * row // FRAMES] for row in range(FRAMES)),
        joints_mm=joints_mm if labelled else np.full_like(joints_mm, np.nan),
        read_depth=partial(draw, dataset, poses, make_skin(SHAPES[dataset], 7.0)),
    )
    path = run / "crop" / dataset / CENTRES[dataset] / "test"
    build_crops(listing, centre=CENTRES[dataset], size_px=48, out=path)
    return open_store(path)


def draw(dataset: str, poses: np.ndarray, skin: Skin, path: Path) -> np.ndarray:
    mesh = pose_mesh(skin, SHAPES[dataset], poses[int(path.stem[-4:])])
    return render_layers([mesh], DATASETS[dataset].camera)[0]


def write_predictions(run: Path, store: CropStore, module: str, poses: np.ndarray, seed: int) -> None:
    protocol = store.card["protocol"]
    dataset = protocol["dataset"]
    rng = np.random.default_rng(seed)
    pose = poses.copy()
    pose[:, :3] += rng.normal(0, 4, (FRAMES, 3))
    pose[:, 3:] += np.radians(rng.normal(0, ANGLES_DEG[module], (FRAMES, 23)))
    pose[:, 6:] = np.clip(pose[:, 6:], ANGLE_LIMITS_RAD[:, 0], ANGLE_LIMITS_RAD[:, 1])
    joints_mm = keypoint_positions(scored_keypoints(dataset), REFERENCE_SHAPE, pose).astype(np.float32)
    quaternions = rotation_to_quaternion(forward_kinematics(pose, REFERENCE_SHAPE)[0]).astype(np.float32)
    kind = "refine.base" if module == "refine_base" else "refine.adapted"
    card = {"paper": "refine", "module": module, "kind": kind, "seed": seed, "split": "test"}
    card |= {"centre": CENTRES[dataset], "settings": {"epochs": 10, "batch": 100}, "store": str(store.path)}
    card |= {"protocol": protocol, "dataset": dataset, "folds": [], "frames": FRAMES, "checkpoints": []}
    card |= {"converged": True, "gives_angles": False}
    card |= {"hand": {name: getattr(REFERENCE_SHAPE, name).tolist() for name in SHAPE_FIELDS}}
    folder = run / "predict" / dataset / module / f"seed{seed}"
    if dataset == "nyu":
        # The two palm points stand beside the 14, as the network's own predictions have them.
        besides = ("PALM_4", "PALM_5")
        places = [DATASETS[dataset].joints.index(one) for one in besides]
        others_mm = keypoint_positions(KEYPOINTS[dataset].take(places), REFERENCE_SHAPE, pose).astype(np.float32)
        joints_mm = np.concatenate([joints_mm, others_mm], axis=1)
        names = [*(DATASETS[dataset].joints.names[place] for place in store.scored), *besides]
        card |= {"joints": names, "paper_positions": names}
    save_predictions(folder, joints_mm, store.names, np.asarray(store.row), card, quaternions=quaternions)
    out, truth = run / "evaluate" / dataset / module / f"seed{seed}", run / "synthesize" / dataset / "truth.npz"
    refined = kind == "refine.adapted" and dataset != "wristband"
    bias = run / "probe" / dataset / module / f"seed{seed}" / "probe.json" if refined else None
    told = {"truth_file": truth, "bias": bias, "out": out, "call": run / "call.json"}
    save_evaluation(evaluate(folder / FILE, dataset, TITLES[module], **told), out)


def make_numbers(store: CropStore, module: str, seed: int) -> dict[str, Any]:
    """What a probe tells: the losses of fits of the base, the depth errors of all."""
    rng = np.random.default_rng((seed, len(module)))
    spread = ANGLES_DEG[module] / 14
    errors = 0.006 * (0.4 + spread) * rng.gamma(4 / (0.5 + spread), (0.5 + spread) / 4, FRAMES)
    timed = {"milliseconds": {"1": {"network": 4.2}, "64": {"network": 1.1}}, "device": "CPU", "threads": 2}
    numbers: dict[str, Any] = {"frames": FRAMES, **timed, "precision": "float32"}
    numbers |= {
        "depth_error": {"by_frame": errors.tolist()},
        "jitter_mm": {"by_frame": (8 * spread * errors / errors.mean()).tolist()},
    }
    if module == "refine_base":
        return numbers | make_fits(store, rng)
    joints = len(store.scored)
    return numbers | {
        "step": {"milliseconds": 900.0, "batch": 100, "device": "CPU"},
        "smallest_mm": [4.0 + 0.1 * j for j in range(joints)],
    }


def make_fits(store: CropStore, rng: np.random.Generator) -> dict[str, Any]:
    seen = (1 - np.asarray(store.depth[:8], np.float32)) / 2
    falls = np.exp(-np.arange(71) / rng.uniform(10, 120, (8, 1)))
    poses, cloud = (
        300 * rng.uniform(0.5, 1.5, (8, 1)) * falls,
        200 * np.exp(-np.arange(41) / rng.uniform(8, 25, (8, 1))),
    )
    held = 200 * (0.55 + 0.45 * np.exp(-np.arange(41) / rng.uniform(8, 25, (8, 1))))
    moved = np.roll(seen, 4, axis=2)
    arrays = {"pose_fits_losses": poses, "cloud_fits_losses": cloud, "cloud_fits_held_losses": held}
    for word in ("pose_fits", "cloud_fits"):
        arrays |= {f"{word}_seen": seen, f"{word}_first": moved, f"{word}_last": np.roll(seen, 1, axis=2)}
        arrays[f"{word}_cube_mm"] = np.asarray(store.cube_mm[:8], np.float32)
    clouds: dict[str, Any] = {"steps": 200, "surface_mm_first": 4.0, "surface_mm_last": 3.1}
    for key, curves in (("fitted", cloud), ("held", held)):
        clouds |= {f"{key}_first": curves[:, 0].tolist(), f"{key}_last": curves[:, -1].tolist()}
    fits: dict[str, Any] = {"steps": 70, "first": poses[:, 0].tolist(), "last": poses[:, -1].tolist()}
    if np.isfinite(store.joints_mm).all():
        fits |= {"joints_mm_first": [21.0] * 8, "joints_mm_last": [14.0] * 8}
    return {"pose_fits": fits, "cloud_fits": clouds, "arrays": arrays}


def write_call(run: Path, datasets: tuple[str, ...]) -> None:
    modules: Mapping[str, Any] = {name: {"datasets": list(datasets), "needs": []} for name in ANGLES_DEG}
    settings = {"seeds": list(SEEDS), "scale": "demo", "source": "embedded", "use": list(datasets), "modules": modules}
    call = {"call": "0" * 32, "started": "2030-01-02T03:04:05+00:00", "command": "snakemake", "scale": "demo"}
    call |= {"source": "embedded", "commit": COMMIT, "config_digest": DIGEST, "settings": settings}
    run.mkdir(parents=True, exist_ok=True)
    (run / "call.json").write_text(json.dumps(call))
