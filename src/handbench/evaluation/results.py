"""The pipeline's own results: one evaluated module, pooled over its seeds, paired with another.

A result is read from evaluation.json or rebuilt from the tracking store. Sums of errors per block of frames are all
that intervals need, so frames are never read again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from handbench.errors import BadInput
from handbench.evaluation.angle_score import AngleResult, parse_angles
from handbench.evaluation.bootstrap import Comparison, Interval, bootstrap_blocks
from handbench.evaluation.hand_object_score import HandObjectResult, parse_hand_object
from handbench.evaluation.metrics import Curve
from handbench.evaluation.result_layout import HOLDS, check_evaluation
from handbench.evaluation.skeleton_score import SkeletonResult, parse_skeleton
from handbench.sealed import read_whole

CURVES = ("frames", "joints", "frame_means")
SHA256_OF_ERRORS = "sha256_of_errors"
FIX = "delete it and run the pipeline again"


@dataclass(frozen=True)
class Result:
    """One module on one dataset with one seed."""

    dataset: str
    module: str
    method: str
    paper: str
    seed: int
    scale: str
    source: str
    split: str
    centre: str
    mean_error_mm: float
    frames: int
    labels_missing: int
    joint_error_mm: dict[str, float]
    """NaN for a joint that is never labelled."""
    area: float
    curves: dict[str, Curve]
    """Share of frames, joints and frame means within 0 to 80 mm."""
    block_sums_mm: Float64[np.ndarray, "blocks"]
    block_counts: Int64[np.ndarray, "blocks"]
    block_sequences: tuple[str, ...]
    protocol: dict[str, Any]
    """As the crop store has it: joints, centre, cube, camera, size, split."""
    settings: dict[str, Any]
    commit: str | None
    config_digest: str | None
    folder: Path | None
    """The folder of the evaluation; None for a result rebuilt from tracking."""
    sha256_of_errors: str = ""
    """Of the file of every frame's error beside it."""
    converged: bool = False
    """Whether training went on until its validation error had stopped falling; a rival counts only then."""
    parts_converged: Mapping[str, bool] = field(default_factory=dict)
    """The same of every part of what is put together; empty where predictions are older than this note."""
    steps_mm: Float64[np.ndarray, "steps blocks"] | None = None
    """Of a method that iterates: error sums of each block at the start and after every iteration."""
    angles: AngleResult | None = None
    """Of a method that gives angles, measured against poses fitted to the labels."""
    angles_of_all: AngleResult | None = None
    """Of a method whose angles are fitted to its scored joints: the same fitted to all joints that it gives."""
    hand_object: HandObjectResult | None = None
    """Of a method that gives a hand and the object it holds."""
    rendered: Mapping[str, str] = field(default_factory=dict)
    """Rendered sets that it has learned from, with the digest of each."""
    trained_at: tuple[str, ...] = ()
    """The commits of the code that trained it, as far as its checkpoint tells."""
    skeleton: SkeletonResult | None = None
    """Of refine: its errors without the skeleton's bias, and on the target's own hand."""

    def at_step(self, step: int) -> "Result":
        """The same method stopped after so many iterations: what blocks can tell of it, its curves left out."""
        if self.steps_mm is None or not 0 <= step < len(self.steps_mm):
            raise BadInput(
                f"{self.module} seed {self.seed}",
                expected=f"errors after {step} iterations",
                found="none" if self.steps_mm is None else f"those after 0 to {len(self.steps_mm) - 1}",
                fix="let the loop iterate so often",
            )
        return replace(self._with_sums(self.steps_mm[step], self.block_counts), steps_mm=self.steps_mm)

    def of_sequence(self, name: str) -> "Result":
        """The same method on the frames of one sequence: what blocks can tell of it."""
        inside = np.array([sequence == name for sequence in self.block_sequences], bool)
        if not inside.any():
            raise BadInput(
                f"{self.module} seed {self.seed}",
                expected=f"frames of {name}",
                found=f"those of {', '.join(sorted(set(self.block_sequences)))}",
                fix="name one of these",
            )
        return replace(
            self._with_sums(self.block_sums_mm[inside], self.block_counts[inside]),
            block_sequences=(name,) * int(inside.sum()),
            steps_mm=None if self.steps_mm is None else self.steps_mm[:, inside],
        )

    def _with_sums(self, sums_mm: Float64[np.ndarray, "some"], counts: Int64[np.ndarray, "some"]) -> "Result":
        mean_mm = float(sums_mm.sum() / counts.sum())
        nothing: dict[str, Any] = {"curves": {}, "joint_error_mm": {}, "steps_mm": None, "angles": None}
        nothing |= {"angles_of_all": None, "hand_object": None, "skeleton": None}
        return replace(self, mean_error_mm=mean_mm, block_sums_mm=sums_mm, block_counts=counts, **nothing)

    @property
    def interval(self) -> Interval:
        return bootstrap_blocks(self.block_sums_mm, self.block_counts)

    def within(self, threshold_mm: int) -> float:
        """Fraction of frames with every joint within so many whole millimetres."""
        return float(self.curves["frames"][threshold_mm])


@dataclass(frozen=True)
class Pooled:
    """One module on one dataset over all its seeds."""

    results: tuple[Result, ...]
    interval: Interval
    """Mean over the seeds; frames are drawn with all their seeds."""
    per_seed: tuple[float, ...]
    joint_error_mm: dict[str, float]
    curves: dict[str, Curve]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(result.seed for result in self.results)

    def within(self, threshold_mm: int) -> float:
        return float(self.curves["frames"][threshold_mm])


def read_results(run: Path) -> tuple[Result, ...]:
    """Every evaluation of a run, sorted by dataset, module and seed."""
    found = []
    for path in run.glob("evaluate/*/*/seed*/evaluation.json"):
        evaluation = read_whole(path, holds=HOLDS, fix=FIX)
        check_evaluation(path, evaluation, fix=FIX)
        found.append(parse_result(evaluation, path.parent))
    return tuple(sorted(found, key=lambda one: (one.dataset, one.module, one.seed)))


def select_results(results: Sequence[Result], settings: Mapping[str, Any]) -> tuple[Result, ...]:
    """Those that the settings of a call ask for; what earlier calls with other settings left in the folder is not."""
    asked = {
        (name, dataset, seed)
        for name, module in settings["modules"].items()
        for dataset in module["datasets"]
        if dataset in settings["use"]
        for seed in settings["seeds"]
    }
    return tuple(one for one in results if (one.module, one.dataset, one.seed) in asked)


def parse_result(evaluation: Mapping[str, Any], folder: Path | None) -> Result:
    """The result that an evaluation.json of the pipeline describes; `check_evaluation` has looked at it."""
    run = evaluation["run"]
    return Result(
        dataset=evaluation["dataset"],
        module=run["module"],
        method=evaluation["method"],
        paper=run["paper"],
        seed=run["seed"],
        scale=run["scale"],
        source=run["source"],
        split=run["split"],
        centre=run["centre"],
        mean_error_mm=_number(evaluation["mean_error_mm"]),
        frames=evaluation["frames"],
        labels_missing=evaluation["labels_missing"],
        joint_error_mm={name: _number(value) for name, value in evaluation["joint_error_mm"].items()},
        area=_number(evaluation["area"]),
        curves={name: np.array([_number(v) for v in evaluation["curves"][name]]) for name in CURVES},
        block_sums_mm=np.array(evaluation["blocks"]["sum_mm"], np.float64),
        block_counts=np.array(evaluation["blocks"]["count"], np.int64),
        block_sequences=tuple(evaluation["blocks"]["sequence"]),
        protocol=run["protocol"],
        settings=run["settings"],
        commit=run["commit"],
        config_digest=run["config_digest"],
        folder=folder,
        sha256_of_errors=evaluation.get(SHA256_OF_ERRORS, ""),
        converged=run.get("converged") is True,
        parts_converged=run.get("parts_converged") or {},
        steps_mm=np.array([step["sum_mm"] for step in run["steps"]], np.float64) if run.get("steps") else None,
        angles=parse_angles(run.get("angles")),
        angles_of_all=parse_angles(run.get("angles_of_all")),
        hand_object=parse_hand_object(run.get("hand_object")),
        rendered=run.get("rendered") or {},
        trained_at=tuple(run.get("trained_at") or ()),
        skeleton=parse_skeleton(run.get("skeleton")),
    )


def pool_seeds(results: Sequence[Result]) -> Pooled:
    """All seeds of one module on one dataset; they must have measured the same frames."""
    ordered = tuple(sorted(results, key=lambda one: one.seed))
    _check_same_frames(ordered)
    _check_same_method(ordered)
    sums_mm = np.sum([one.block_sums_mm for one in ordered], axis=0)
    counts = np.sum([one.block_counts for one in ordered], axis=0)
    return Pooled(
        results=ordered,
        interval=bootstrap_blocks(sums_mm, counts),
        per_seed=tuple(one.mean_error_mm for one in ordered),
        joint_error_mm={
            name: float(np.mean([one.joint_error_mm[name] for one in ordered])) for name in ordered[0].joint_error_mm
        },
        curves={name: np.mean([one.curves[name] for one in ordered], axis=0) for name in CURVES},
    )


def compare_results(ours: Sequence[Result], theirs: Sequence[Result]) -> Comparison:
    """The paired difference of two modules on the same frames, seed by seed; negative where the first errs less."""
    pairs = _pair_seeds(ours, theirs)
    _check_same_frames([one for pair in pairs for one in pair])
    differences = [a.block_sums_mm - b.block_sums_mm for a, b in pairs]
    counts = np.sum([a.block_counts for a, _ in pairs], axis=0)
    pooled = bootstrap_blocks(np.sum(differences, axis=0), counts)
    per_seed = tuple(float(d.sum() / a.block_counts.sum()) for d, (a, _) in zip(differences, pairs, strict=True))
    return Comparison(pooled, per_seed, all(np.sign(value) == np.sign(pooled.mean) for value in per_seed))


def _pair_seeds(ours: Sequence[Result], theirs: Sequence[Result]) -> list[tuple[Result, Result]]:
    rivals = {one.seed: one for one in theirs}
    missing = [one.seed for one in ours if one.seed not in rivals]
    if missing or len(ours) != len(theirs):
        raise BadInput(
            f"{ours[0].module} against {theirs[0].module}",
            expected="the same seeds of both",
            found=f"{sorted(one.seed for one in ours)} against {sorted(rivals)}",
            fix="run both with the same seeds",
        )
    return [(one, rivals[one.seed]) for one in ours]


def _check_same_frames(results: Sequence[Result]) -> None:
    """Blocks pair up only where the same labels of the same frames were measured."""
    first = results[0]
    for one in results:
        if one.dataset != first.dataset or not np.array_equal(one.block_counts, first.block_counts):
            raise BadInput(
                f"{one.module} seed {one.seed} and {first.module} seed {first.seed}",
                expected="results on the same frames",
                found=f"{one.frames} frames of {one.dataset} and {first.frames} of {first.dataset}",
                fix="evaluate both on one test set",
            )


def _check_same_method(results: Sequence[Result]) -> None:
    """Seeds of one module differ in the seed alone."""
    first = results[0]
    for one in results:
        for what in ("settings", "centre", "split", "rendered"):
            if getattr(one, what) != getattr(first, what):
                raise BadInput(
                    one.folder or one.module,
                    expected=f"{what} {getattr(first, what)}, as of seed {first.seed}",
                    found=str(getattr(one, what)),
                    fix="run the pipeline again, or delete what an earlier call left",
                )


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
