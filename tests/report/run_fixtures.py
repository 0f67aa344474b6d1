"""A small run on disk, as the pipeline leaves one: crops, predictions and evaluations of two modules."""

import json
from pathlib import Path

import numpy as np

from handbench.conventions import DATASETS, Convention
from handbench.datasets.crops import build_crops
from handbench.datasets.files import digest_file
from handbench.datasets.listing import Listing
from handbench.datasets.store import CropStore, open_store
from handbench.evaluation.metrics import measure_errors
from handbench.evaluation.score import score_errors
from handbench.sealed import seal
from handbench.training.prediction_file import save_predictions

MODULES = {"nn_search": ("NN search (PCA 512)", 18.0), "other": ("Another <method> & 50 %", 9.0)}
"""Module: its title and how far its predictions stray from the truth, in mm."""
FRAMES = 120
COMMIT, DIGEST = "abc1234", "0123456789abcdef"


def make_listing(convention: Convention, root: Path) -> Listing:
    """Flat hands with joints on them, moved and turned a little from frame to frame."""
    camera = convention.camera
    distance_mm = 700 if convention.name == "nyu" else 350
    depth_mm = np.zeros((camera.height, camera.width), np.float32)
    across, down = camera.width // 3, camera.height // 3
    depth_mm[down:-down, across:-across] = distance_mm + np.linspace(-20, 20, camera.width - 2 * across)
    rng = np.random.default_rng(1)
    shape = rng.uniform(-45, 45, (1, len(convention.joints.names), 3)) * np.array([1, 1, 0.4])
    wander = rng.normal(0, 6, (FRAMES, len(convention.joints.names), 3)) + rng.normal(0, 8, (FRAMES, 1, 3))
    return Listing(
        convention=convention,
        split=convention.splits[-1],
        root=root,
        names=tuple(f"image_{row:04d}.png" for row in range(FRAMES)),
        subjects=("P0",) * FRAMES,
        sequences=tuple("abcdef"[6 * row // FRAMES] for row in range(FRAMES)),
        joints_mm=(shape + wander + np.array([0, 0, distance_mm])).astype(np.float32),
        read_depth=lambda _: depth_mm,
    )


def write_run(run: Path, *, datasets: tuple[str, ...] = ("nyu", "msra"), seeds: tuple[int, ...] = (0, 1)) -> Path:
    """Two modules on each data set with each seed, and the note of the call that made them."""
    for dataset in datasets:
        convention = DATASETS[dataset]
        raw = run / "synthesize" / dataset / "raw"
        raw.mkdir(parents=True)
        (raw.parent / "truth.npz").touch()
        store_path = run / "crop" / dataset / "com" / convention.splits[-1]
        build_crops(make_listing(convention, raw), centre="com", size_px=48, out=store_path)
        store = open_store(store_path)
        for module in MODULES:
            for seed in seeds:
                write_result(run, store, module, seed)
    settings = {"seeds": list(seeds), "scale": "demo", "source": "embedded", "use": list(datasets)}
    settings["modules"] = {module: {"datasets": list(datasets)} for module in MODULES}
    settings["datasets"] = {name: {"frames": {DATASETS[name].splits[-1]: FRAMES}, "seed": 7} for name in datasets}
    call = {"call": "0" * 32, "started": "2030-01-02T03:04:05+00:00", "command": "snakemake --cores 2"}
    call |= {"scale": "demo", "source": "embedded", "commit": COMMIT, "config_digest": DIGEST}
    (run / "call.json").write_text(json.dumps(call | {"results": str(run.parent), "settings": settings}))
    return run


def write_result(run: Path, store: CropStore, module: str, seed: int) -> None:
    """Predictions that stray by a known spread, and what `handbench evaluate` makes of them."""
    method, spread_mm = MODULES[module]
    protocol = store.card["protocol"]
    dataset = protocol["dataset"]
    rng = np.random.default_rng((seed, len(module)))
    truth_mm = np.asarray(store.joints_mm)[:, list(store.scored)]
    growing = np.linspace(0.2, 1.8, len(truth_mm))[:, None, None]
    predicted_mm = (truth_mm + rng.normal(0, spread_mm, truth_mm.shape) * growing).astype(np.float32)
    told = {"paper": "crossing", "module": module, "kind": "nearest_neighbour", "seed": seed, "split": "test"}
    told |= {"centre": "com", "settings": {"components": 8}, "store": str(store.path), "protocol": protocol}
    card = {**told, "title": method, "dataset": dataset, "folds": [], "frames": len(truth_mm), "checkpoints": []}
    predictions = run / "predict" / dataset / module / f"seed{seed}"
    save_predictions(predictions, predicted_mm, store.names, np.asarray(store.row), card)
    errors_mm = measure_errors(predicted_mm, truth_mm)
    names = [store.joint_names[joint] for joint in store.scored]
    state = {"scale": "demo", "source": "embedded", "commit": COMMIT, "config_digest": DIGEST}
    evaluation = {
        "method": method,
        "dataset": dataset,
        **score_errors(errors_mm, names, store.sequences).as_dict(),
        "run": {**told, **state, "predictions_sha256": ""},
    }
    folder = run / "evaluate" / dataset / module / f"seed{seed}"
    folder.mkdir(parents=True)
    np.savez_compressed(folder / "errors.npz", errors_mm=errors_mm.astype(np.float32), row=np.asarray(store.row))
    evaluation["sha256_of_errors"] = digest_file(folder / "errors.npz")
    (folder / "evaluation.json").write_text(json.dumps(seal(evaluation)))
