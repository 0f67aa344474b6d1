"""Results and probes with known numbers, and what the page of claims makes of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handbench.evaluation.claims import Verdict, decide_claims
from handbench.evaluation.probes import Probe
from handbench.evaluation.published import Record
from handbench.evaluation.results import Result

BLOCKS = 40
FRAMES = 400
"""Of a probe: eight blocks of 50."""
NOISE_MM = (0.0, 5.0, 10.0, 20.0, 24.0, 40.0)
MODULES = {
    **{name: {"needs": ["p", "s", "updater"]} for name in ("feedback15", "feedback15_init2", "feedback19")},
    "feedback15_pooling": {"needs": ["p", "s", "updater_pooling"]},
    "updater": {"settings": {"epochs": 10, "batch": 64}},
    "updater_pooling": {"settings": {"epochs": 10, "batch": 64}},
}
"""What a run's call says of the modules."""


def make_result(module: str, dataset: str, block_means_mm: Sequence[float], seed: int = 0, **changed: object) -> Result:
    """A result of blocks of 100 joints each with these mean errors."""
    means = np.asarray(block_means_mm, np.float64)
    result = Result(
        dataset=dataset,
        module=module,
        method=module,
        paper="crossing",
        seed=seed,
        scale="claims",
        source="embedded",
        split="test",
        centre="com",
        mean_error_mm=float(means.mean()),
        frames=50 * len(means),
        labels_missing=0,
        joint_error_mm={"wrist": float(means.mean())},
        area=0.5,
        curves={name: np.linspace(0, 1, 81) for name in ("frames", "joints", "frame_means")},
        block_sums_mm=100 * means,
        block_counts=np.full(len(means), 100),
        block_sequences=("test_1",) * (len(means) // 2) + ("test_2",) * (len(means) - len(means) // 2),
        protocol={},
        settings={},
        commit=None,
        config_digest=None,
        folder=None,
        converged=True,
    )
    return dataclasses.replace(result, **changed)


def make_steps(module: str, *steps_mm: Sequence[float], seed: int = 0, **changed: object) -> Result:
    """A result of an iterating method on nyu: block means at the start and after each iteration."""
    sums = 100 * np.asarray(steps_mm, np.float64)
    return make_result(module, "nyu", steps_mm[-1], seed, steps_mm=sums, **changed)


def make_predictor(module: str, **changed: object) -> Result:
    settings: dict[str, object] = {"epochs": 12, "batch": 64}
    return make_result(module, "nyu", [20.0] * BLOCKS, **{"settings": settings, **changed})


def level(mean_mm: float, spread_mm: float = 0.0, blocks: int = BLOCKS) -> list[float]:
    """Means of blocks around a number, higher and lower in turn."""
    return [mean_mm + spread_mm * (1 if block % 2 else -1) for block in range(blocks)]


def make_probe(module: str, numbers: Mapping[str, Any], *, seed: int = 0, **changed: object) -> Probe:
    probe = Probe(
        dataset="nyu",
        module=module,
        kind="any",
        paper="feedback15",
        seed=seed,
        scale="claims",
        source="embedded",
        centre="com",
        converged=True,
        settings={"epochs": 8, "batch": 64, "stage_epochs": [12, 4, 3], "label_noise_mm": 0.0},
        numbers={"frames": FRAMES, **numbers},
    )
    return dataclasses.replace(probe, **changed)


def make_images(
    hand_mm: float = 8.0, *, spread_mm: float = 0.0, sharpness: float = 0.8, **regions: float
) -> dict[str, Any]:
    """A synthesizer's numbers: the same error over the hand in every frame but for a spread from block to block."""
    errors = hand_mm + spread_mm * np.where(np.arange(FRAMES) // 50 % 2, 1.0, -1.0)
    mean = {"inside": 4.0, "outline": 14.0, "all": 9.0, "hand": hand_mm, "nearest_hand": 20.0} | regions
    described = {
        word: {"median_mm": value / 2, "mean_mm": value, "deviation_mm": 3 * value, "pixels": 1000}
        for word, value in mean.items()
    }
    told = {"frame_hand_mm": errors.tolist(), "frame_mm": errors.tolist(), "sequences": ["a"] * FRAMES}
    return {**described, **told, "sharpness": sharpness}


def make_updates(*, improved: float = 0.95, moved_mm: float = 6.0, loop_ms: float = 2.0) -> dict[str, Any]:
    """A loop's numbers, its predictor 24 mm off: an update takes away a third of the error."""
    around = [
        {
            "noise_mm": noise_mm,
            "before_mm": noise_mm,
            "after_mm": moved_mm if noise_mm == 0 else noise_mm * 2 / 3,
            "moved_mm": moved_mm if noise_mm == 0 else noise_mm / 2,
            "improved": 0.0 if noise_mm == 0 else improved,
            "before_histogram": [FRAMES if place == round(noise_mm) else 0 for place in range(80)],
            "after_histogram": [FRAMES if place == round(noise_mm * 2 / 3) else 0 for place in range(80)],
        }
        for noise_mm in NOISE_MM
    ]
    parts = {"predictor": 0.2, "synthesizer": 0.5, "updater": 0.3}
    timed = {batch: {**parts, "loop": loop_ms * times} for batch, times in (("1", 4), ("64", 1))}
    told = {"milliseconds": timed, "threads": 2, "device": "CPU", "precision": "float32"}
    return {"predictor_mm": 24.0003, "around_truth": around, **told}


def decide(
    results: Sequence[Result],
    claim: str,
    record: Record | None = None,
    scale: str = "claims",
    *,
    probes: Sequence[Probe] | None = (),
    modules: Mapping[str, Any] = MODULES,
) -> Verdict:
    verdicts = decide_claims(results, record, scale=scale, source="embedded", probes=probes, modules=modules)
    return next(one for one in verdicts if one.claim.id == claim)
