"""A small run of crossing on disk, as the pipeline leaves one: shares of labels, single tasks left out, probes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from loop_fixtures import SEQUENCES
from run_fixtures import COMMIT, DIGEST, FRAMES, make_listing

from handbench.conventions import DATASETS
from handbench.datasets.crops import build_crops
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.datasets.store import CropStore, open_store
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.evaluation_files import save_evaluation
from handbench.loop.collapse import Health, tell_collapse
from handbench.sealed import seal
from handbench.training.picture_file import LEVELS, Pictures, WalkPictures
from handbench.training.prediction_file import FILE, save_predictions
from handbench.training.probe_file import save_probe

SEEDS = (0, 1)
POINTS = 50
SIZE_PX = 32
DATASETS_RUN = ("nyu", "icvl")
SPREADS_MM = {
    "crossing_2": 9.0,
    "crossing_posterior_2": 13.0,
    "crossing_pretrained_2": 11.0,
    "crossing_posterior_2_epochs": 16.0,
    "crossing_pretrained_2_epochs": 14.0,
    "crossing_5": 7.0,
    "crossing_posterior_5": 9.0,
    "crossing_pretrained_5": 9.5,
    "crossing": 5.0,
    "crossing_posterior": 6.0,
    "crossing_pretrained": 6.2,
}
"""Module: how far its joints stray."""
OF_NYU = {"crossing_without_smoothness": 5.6, "crossing_without_gan": 5.9}
HEALTH = {"crossing_2": (0.05, 1.0, True), "crossing": (0.21, 0.74, False)}
"""Module: deviation of drawn images, the discriminator's accuracy, and whether the GAN has collapsed."""
REMARK = tell_collapse(Health(0.25, 0.23, 0.997))
REMARKS = {"crossing_gan": (REMARK,), "crossing_2": (), "crossing": (REMARK,), "crossing_without_gan": ()}
"""Module: what its trainings on NYU said; of the others nothing is at hand."""


def write_crossing_run(run: Path) -> Path:
    write_call(run)
    for dataset in DATASETS_RUN:
        store = write_crops(run, dataset)
        for module, spread_mm in (SPREADS_MM | (OF_NYU if dataset == "nyu" else {})).items():
            for seed in SEEDS:
                write_result(run, store, module, spread_mm, seed)
        for module in HEALTH:
            for seed in SEEDS:
                write_probe(run, dataset, module, seed)
    for module, remarks in REMARKS.items():
        for seed in SEEDS:
            write_training(run, module, seed, remarks)
    return run


def write_training(run: Path, module: str, seed: int, remarks: tuple[str, ...]) -> None:
    """The card of a checkpoint, without what the report does not read."""
    card = {"module": module, "kind": "crossing.estimator", "seed": seed, "fold": None, "remarks": remarks}
    card["settings"] = {"gan": module != "crossing_without_gan"}
    folder = run / "train" / "nyu" / module / f"seed{seed}"
    folder.mkdir(parents=True)
    (folder / "checkpoint.json").write_text(json.dumps(seal(card)))


def write_crops(run: Path, dataset: str) -> CropStore:
    path, raw = run / "crop" / dataset / "com" / "test", run / "synthesize" / dataset / "raw"
    raw.mkdir(parents=True)
    (raw.parent / "truth.npz").touch()
    build_crops(make_listing(DATASETS[dataset], raw), centre="com", size_px=SIZE_PX, out=path)
    return open_store(path)


def write_result(run: Path, store: CropStore, module: str, spread_mm: float, seed: int) -> None:
    protocol = store.card["protocol"]
    dataset = protocol["dataset"]
    rng = np.random.default_rng(seed)
    truth_mm = np.asarray(store.joints_mm)[:, list(store.scored)]
    joints_mm = (truth_mm + rng.normal(0, (spread_mm + seed) / 1.6, truth_mm.shape)).astype(np.float32)
    card = {"paper": "crossing", "module": module, "kind": "crossing.estimator", "seed": seed, "split": "test"}
    card |= {"centre": "com", "settings": {"epochs": 10, "batch": 64}, "store": str(store.path), "protocol": protocol}
    card |= {"dataset": dataset, "folds": [], "frames": len(truth_mm), "checkpoints": [], "converged": True}
    folder = run / "predict" / dataset / module / f"seed{seed}"
    save_predictions(folder, joints_mm, store.names, np.asarray(store.row), card)
    out = run / "evaluate" / dataset / module / f"seed{seed}"
    title = f"Crossing Nets ({module.removeprefix('crossing').strip('_').replace('_', ' ') or 'full'})"
    save_evaluation(evaluate(folder / FILE, dataset, title, out=out, call=run / "call.json"), out)


def write_probe(run: Path, dataset: str, module: str, seed: int) -> None:
    spread, accuracy, collapsed = HEALTH[module]
    timed = {"milliseconds": {"1": {"network": 3.0 + seed}, "64": {"network": 0.5}}, "device": "CPU", "threads": 2}
    gan = {"spread_real": 0.23, "spread_drawn": spread, "accuracy": accuracy, "collapsed": collapsed}
    numbers = {"frames": FRAMES, **timed, "precision": "float32", "gan": gan, **make_walks(seed)}
    content = {"kind": "crossing.estimator", "module": module, "seed": seed, "paper": "crossing", "settings": {}}
    content |= {"dataset": dataset, "converged": True, "source": "embedded", "scale": "demo", "centre": "com"}
    content |= {"sha256_of_checkpoint": "", "numbers": numbers}
    save_probe(run / "probe" / dataset / module / f"seed{seed}", content, make_pictures(dataset))


def make_walks(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    frames = 0.05 + rng.normal(0, 0.002, FRAMES)
    walks = [
        {
            "from": 3 * walk,
            "to": 3 * walk + 30,
            "steps_mm": (2 + rng.uniform(-0.5, 0.5, POINTS - 1)).tolist(),
            "depth_error": (0.055 + rng.normal(0, 0.002, POINTS)).tolist(),
            "background_error": (0.13 + rng.normal(0, 0.002, POINTS)).tolist(),
            "other_error": (0.09 + rng.normal(0, 0.002, POINTS)).tolist(),
        }
        for walk in range(10)
    ]
    told = {"frames": FRAMES, "test": float(frames.mean()), "by_frame": frames.tolist(), "sequences": SEQUENCES}
    told |= {"background_by_frame": (frames + 0.08).tolist(), "other_by_frame": (frames + 0.05).tolist()}
    return {"reconstruction": told, "walks": walks}


def make_pictures(dataset: str) -> Pictures:
    """A square hand; what is drawn of its latents stands a pixel aside, the estimate two."""
    frames, joints = 6, len(scored_skeleton(dataset).names)
    rng = np.random.default_rng(1)
    camera = draw_squares(rng, frames)
    drawn = np.stack([np.roll(camera, 1, axis=2), np.roll(camera, 2, axis=2)], axis=1)
    truth_px = rng.uniform(8, 24, (frames, joints, 3)).astype(np.float32)
    errors_mm = np.arange(2 * frames, dtype=np.float32).reshape(frames, 2)
    return Pictures(
        rows=10 * np.arange(frames),
        chosen=("even",) * frames,
        steps=("reconstruction", "estimate"),
        camera=camera,
        drawn=drawn,
        truth_px=truth_px,
        poses_px=np.stack([truth_px + 1, truth_px + 2], axis=1),
        pose_mm=errors_mm,
        hand_mm=errors_mm + 0.25,
        image_mm=errors_mm + 0.5,
        cube_mm=np.full(frames, 300, np.float32),
        walk=make_walk(joints),
    )


def make_walk(joints: int) -> WalkPictures:
    rng = np.random.default_rng(2)
    ends = draw_squares(rng, 2)
    first, last = rng.uniform(8, 24, (2, joints, 3))
    shares = np.linspace(0, 1, POINTS)[:, None, None]
    return WalkPictures(
        rows=np.array([0, 30]),
        camera=ends,
        drawn=np.round((1 - shares) * ends[0] + shares * ends[1]).astype(np.uint8),
        poses_px=((1 - shares) * first + shares * last).astype(np.float32),
        cube_mm=np.linspace(300, 250, POINTS, dtype=np.float32),
        rendered=draw_squares(rng, POINTS),
    )


def draw_squares(rng: np.random.Generator, number: int) -> np.ndarray:
    images = np.full((number, SIZE_PX, SIZE_PX), LEVELS, np.uint8)
    images[:, 8:-8, 8:-8] = rng.integers(60, 180, (number, 1, 1)) + np.arange(SIZE_PX - 16, dtype=np.uint8)
    return images


def write_call(run: Path) -> None:
    run.mkdir(parents=True, exist_ok=True)
    modules = {name: {"datasets": list(DATASETS), "needs": []} for name in (*SPREADS_MM, *OF_NYU, "crossing_gan")}
    settings = {"seeds": list(SEEDS), "scale": "demo", "source": "embedded", "use": list(DATASETS), "modules": modules}
    call = {"call": "0" * 32, "started": "2030-01-02T03:04:05+00:00", "command": "snakemake", "scale": "demo"}
    call |= {"source": "embedded", "commit": COMMIT, "config_digest": DIGEST, "settings": settings}
    (run / "call.json").write_text(json.dumps(call))
