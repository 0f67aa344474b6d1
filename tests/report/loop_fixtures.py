"""A small run of the feedback papers on disk, as the pipeline leaves one: steps, evaluations, probes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from picture_fixtures import make_pictures
from run_fixtures import COMMIT, DIGEST, FRAMES, make_listing

from handbench.conventions import DATASETS
from handbench.datasets.crops import build_crops
from handbench.datasets.store import CropStore, open_store
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.evaluation_files import save_evaluation
from handbench.evaluation.probes import read_probes
from handbench.evaluation.results import read_results
from handbench.report.items import Item
from handbench.report.run_card import RunCard
from handbench.report.sections import feedback15, feedback19
from handbench.report.sources import Sources
from handbench.training.prediction_file import FILE, save_predictions
from handbench.training.probe_file import divide_numbers, save_probe

SEEDS = (0, 1)
LAYERS = {"batch": 64, "stage_epochs": [12, 4, 3], "epochs": 8, "label_noise_mm": 0.0}
PREDICTORS = {
    "feedback15_predictor": ("Simple predictor (feedback15)", 16.0),
    "feedback15_deepprior": ("DeepPrior (feedback15's Init 2)", 13.0),
    "feedback19_predictor": ("DeepPrior++ (feedback19)", 8.0),
    "feedback19_predictor_localized": ("DeepPrior++ on localized crops (feedback19)", 7.0),
    "nn_search": ("NN search (PCA 512)", 19.0),
}
LOOPS = {
    "feedback15": ("Feedback (feedback15)", (16.0, 11.5, 10.0)),
    "feedback15_init2": ("Feedback from DeepPrior (Init 2)", (13.0, 10.5, 9.6)),
    "feedback15_pooling": ("Feedback with max-pooling", (16.0, 13.0, 12.5)),
    "feedback15_renderer": ("Feedback with the renderer", (16.0, 9.0, 7.5)),
    "feedback19": ("Generalized Feedback (feedback19)", (8.0, 7.3, 7.0)),
    "feedback19_three": ("Generalized Feedback, three iterations", (8.0, 7.3, 7.0, 6.9)),
    "feedback19_joint": ("Generalized Feedback, joint", (8.0, 7.4, 7.1)),
    "feedback19_joint_random": ("Generalized Feedback, random start", (22.0, 21.0, 20.0)),
}
ON_BOTH = ("feedback15", "feedback15_predictor", "nn_search", "feedback15_lbfgsb", "feedback15_beside_lbfgsb")
"""What is run on ICVL as on NYU."""
SEQUENCES = ["abcdef"[6 * k // FRAMES] for k in range(FRAMES)]
"""Of a probe's frames."""
SEARCHES = {
    "feedback15_lbfgsb": ("Image-based, L-BFGS-B", (16.0, 17.0, 18.5, 19.5, 20.0), 2),
    "feedback15_beside_lbfgsb": ("Feedback, frames of L-BFGS-B", (16.0, 11.5, 10.0), 2),
    "feedback15_pso": ("Image-based, PSO", (16.0, 16.5, 17.5), 4),
    "feedback15_beside_pso": ("Feedback, frames of PSO", (16.0, 11.5, 10.0), 4),
    "feedback19_lbfgsb": ("Image-based, L-BFGS-B (feedback19)", (8.0, 9.0, 11.0), 2),
    "feedback19_beside_lbfgsb": ("Generalized Feedback, frames of L-BFGS-B", (8.0, 7.3, 7.0), 2),
}
"""Title, how far each step's coordinates stray from the truth in mm, and every how many frames."""


def write_loop_run(run: Path) -> Path:
    """Every module that the sections of the feedback papers know, on 120 frames of NYU; the first loop on ICVL too."""
    store, other = write_store(run, "nyu"), write_store(run, "icvl")
    write_call(run)
    steady = [(name, title, (spread_mm,), 1) for name, (title, spread_mm) in PREDICTORS.items()]
    loops = [(name, title, steps_mm, 1) for name, (title, steps_mm) in LOOPS.items()]
    for seed in SEEDS:
        for name, title, steps_mm, stride in (*steady, *loops, *((n, *rest) for n, rest in SEARCHES.items())):
            write_steps(run, store, name, title, steps_mm, seed, stride)
            if name in ON_BOTH:
                write_steps(run, other, name, title, steps_mm, seed, stride)
        write_probes(run, seed)
    return run


def write_store(run: Path, dataset: str) -> CropStore:
    raw = run / "synthesize" / dataset / "raw"
    raw.mkdir(parents=True)
    (raw.parent / "truth.npz").touch()
    path = run / "crop" / dataset / "com" / "test"
    build_crops(make_listing(DATASETS[dataset], raw), centre="com", size_px=48, out=path)
    return open_store(path)


def write_call(run: Path) -> None:
    names = [*PREDICTORS, *LOOPS, *SEARCHES, "feedback15_synthesizer", "feedback15_synthesizer_end_to_end"]
    names += ["feedback19_localizer"]
    names += [*(f"feedback15_synthesizer_noise{n}" for n in (5, 10, 20)), "feedback19_synthesizer"]
    needs = {"feedback15_pooling": "pooling_updater"}
    modules: dict[str, Any] = {
        name: {"datasets": ["nyu", "icvl"], "needs": ["p", "s", needs.get(name, "updater")]} for name in names
    }
    updater = {"datasets": ["nyu"], "settings": {"epochs": 8, "batch": 64}}
    modules |= {"updater": updater, "pooling_updater": updater}
    settings = {"seeds": list(SEEDS), "scale": "demo", "source": "embedded", "use": ["nyu", "icvl"], "modules": modules}
    call = {"call": "0" * 32, "started": "2030-01-02T03:04:05+00:00", "command": "snakemake", "scale": "demo"}
    call |= {"source": "embedded", "commit": COMMIT, "config_digest": DIGEST, "settings": settings}
    (run / "call.json").write_text(json.dumps(call))


def write_steps(
    run: Path, store: CropStore, module: str, title: str, steps_mm: Sequence[float], seed: int, stride: int
) -> None:
    """Predictions that stray from the truth by so much after each step, evaluated as the pipeline does."""
    rows = np.arange(0, FRAMES, stride)
    truth_mm = np.asarray(store.joints_mm)[rows][:, list(store.scored)]
    rng = np.random.default_rng(seed)
    # The same error grows or shrinks from step to step; some frames are harder than others.
    error = rng.normal(0, 1, truth_mm.shape) * rng.gamma(4, 0.25, (len(rows), 1, 1))
    predicted = np.stack([truth_mm + spread_mm / 1.6 * error for spread_mm in steps_mm]).astype(np.float32)
    protocol = store.card["protocol"]
    dataset = protocol["dataset"]
    paper = module.partition("_")[0]
    card = {"paper": paper, "module": module, "kind": "any", "seed": seed, "split": "test", "centre": "com"}
    card |= {"settings": {"epochs": 12, "batch": 64}, "store": str(store.path), "protocol": protocol, "title": title}
    card |= {"dataset": dataset, "folds": [], "frames": len(rows), "checkpoints": [], "converged": True}
    folder = run / "predict" / dataset / module / f"seed{seed}"
    names = [store.names[row] for row in rows]
    before = predicted[:-1] if len(predicted) > 1 else None
    save_predictions(folder, predicted[-1], tuple(names), np.asarray(store.row)[rows], card, before)
    out = run / "evaluate" / dataset / module / f"seed{seed}"
    save_evaluation(evaluate(folder / FILE, dataset, title, out=out, call=run / "call.json"), out)


def write_probes(run: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = {"feedback15_synthesizer": 0.0, "feedback15_synthesizer_end_to_end": 1.5, "feedback19_synthesizer": -0.5}
    for module, more_mm in layers.items():
        write_probe(run, module, seed, make_images(rng, 8 + more_mm, 0.62), LAYERS)
    noisy = {
        "feedback15_synthesizer": (0, 0.6),
        **{f"feedback15_synthesizer_noise{n}": (n, 0.6 - n / 50) for n in (5, 10, 20)},
    }
    for module, (noise_mm, sharpness) in noisy.items():
        images = make_images(rng, 9 + noise_mm / 4, sharpness)
        write_probe(run, module, seed, images, LAYERS | {"label_noise_mm": float(noise_mm)}, dataset="icvl")
    write_probe(run, "feedback19_localizer", seed, make_distances(rng), {"epochs": 20, "batch": 64})
    updates = make_updates(rng)
    write_probe(run, "feedback15", seed, updates)
    write_probe(run, "feedback15", seed, make_updates(rng), dataset="icvl")
    write_probe(run, "feedback15_beside_lbfgsb", seed, updates)
    write_probe(run, "feedback15_beside_lbfgsb", seed, updates, dataset="icvl")
    write_probe(run, "feedback19", seed, updates)
    write_probe(run, "feedback19_joint", seed, updates | {"synthesizer": make_images(rng, 12.0, 0.4)})
    write_probe(run, "feedback19_joint_random", seed, updates | {"synthesizer": make_images(rng, 60.0, 0.1)})
    write_probe(run, "feedback19_beside_lbfgsb", seed, updates)
    searches = (("feedback15_lbfgsb", 60, 60), ("feedback15_pso", 30, 40), ("feedback19_lbfgsb", 60, 60))
    for module, frames, iterations in searches:
        falls = np.exp(-np.arange(iterations + 1) / (iterations / 5))
        numbers = {"frames": frames, "image_error": (300 + 700 * falls).tolist()}
        write_probe(run, module, seed, numbers | {"pose_error_mm": (26 - 6 * falls).tolist()})
        if module in ON_BOTH:
            on_icvl = {"image_error": (200 + 600 * falls).tolist(), "pose_error_mm": (20 - 4 * falls).tolist()}
            write_probe(run, module, seed, numbers | on_icvl, dataset="icvl")


def make_distances(rng: np.random.Generator) -> dict[str, Any]:
    """A localizer's numbers: 50 mm from the joint at first, 30 moved by the mean offset, 12 localized."""
    numbers: dict[str, Any] = {"frames": FRAMES, "joint": "F3_KNU1_A", "not_moved": 0, "sequences": SEQUENCES}
    for name, mean_mm in (("first", 50.0), ("shifted", 30.0), ("localized", 12.0)):
        distances_mm = mean_mm + rng.normal(0, 2, FRAMES)
        numbers[f"frame_{name}_mm"] = distances_mm.tolist()
        numbers[name] = {"mean_mm": distances_mm.mean(), "median_mm": float(np.median(distances_mm))}
    timed = {"1": {"localizer": 0.6}, "64": {"localizer": 0.2}}
    return numbers | {"milliseconds": timed, "threads": 2, "device": "CPU", "precision": "float32"}


def make_images(rng: np.random.Generator, hand_mm: float, sharpness: float) -> dict[str, Any]:
    means = {"all": 9.4, "hand": hand_mm, "inside": hand_mm / 3, "outline": 1.4 * hand_mm, "nearest_hand": 24.0}
    regions = {
        word: {"median_mm": 0.6 * mean, "mean_mm": mean, "deviation_mm": 2.5 * mean, "pixels": 10_000 * (5 - place)}
        for place, (word, mean) in enumerate(means.items())
    }
    frames = (hand_mm + rng.normal(0, 0.5, FRAMES)).tolist()
    told = {
        "frame_hand_mm": frames,
        "frame_mm": frames,
        "sequences": SEQUENCES,
    }
    return {"frames": FRAMES, **regions, **told, "sharpness": sharpness}


def make_updates(rng: np.random.Generator) -> dict[str, Any]:
    """One update takes a poor pose two thirds of the way and adds a little to a good one."""
    predicted_mm = 16.0 + float(rng.normal(0, 0.2))
    around = []
    for noise_mm in sorted((0.0, 5.0, 10.0, 20.0, 40.0, round(predicted_mm, 3))):
        before = np.abs(rng.normal(noise_mm, 0.15 * noise_mm, FRAMES))
        after = np.abs(rng.normal(3 + 0.4 * noise_mm, 1 + 0.12 * noise_mm, FRAMES))
        bins = [np.bincount(np.minimum(values.astype(int), 79), minlength=80).tolist() for values in (before, after)]
        entry = {"noise_mm": noise_mm, "before_mm": float(before.mean()), "after_mm": float(after.mean())}
        entry |= {"moved_mm": float(after.mean()), "improved": float((after < before).mean())}
        around.append(entry | {"before_histogram": bins[0], "after_histogram": bins[1]})
    timed = {"1": {"predictor": 0.9, "synthesizer": 1.4, "updater": 1.1, "loop": 5.9}}
    timed["64"] = {"predictor": 0.15, "synthesizer": 0.23, "updater": 0.14, "loop": 0.9}
    told = {"milliseconds": timed, "threads": 2, "device": "CPU", "precision": "float32"}
    return {"frames": FRAMES, "predictor_mm": predicted_mm, "around_truth": around, **told}


def write_probe(
    run: Path,
    module: str,
    seed: int,
    numbers: dict[str, Any],
    settings: dict[str, Any] | None = None,
    *,
    dataset: str = "nyu",
) -> None:
    content = {"kind": "any", "module": module, "seed": seed}
    content |= {"paper": module.partition("_")[0], "settings": settings or {}, "dataset": dataset, "converged": True}
    kept, arrays = divide_numbers(numbers)
    content |= {"source": "embedded", "scale": "demo", "centre": "com", "sha256_of_checkpoint": "", "numbers": kept}
    save_probe(run / "probe" / dataset / module / f"seed{seed}", content, make_pictures(module, dataset), arrays)


def read_sources(run: Path) -> Sources:
    card = RunCard("demo", "embedded", SEEDS, "abc", "123", None)
    return Sources(run, card, read_results(run), None, probes=read_probes(run))


def list_items(sources: Sources) -> dict[str, Item]:
    """Everything that the sections of both papers show, by its name."""
    return {item.name: item for build in (feedback15, feedback19) for item in build.build_section(sources).items}
