"""What stands in an evaluation of the pipeline's own predictions, whether from its file or from the tracking store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from handbench.entries import Count, Dataset, Entry, Line, Seed, check_entries
from handbench.evaluation.metrics import THRESHOLDS_MM

HOLDS = "an evaluation of this release"
LARGEST = 1e100
"""Sums over frames of what float32 can hold stay far below, and their squares are numbers still."""
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Known = Number | None
"""None where nothing could be measured."""
Curve = Annotated[list[Known], Field(min_length=len(THRESHOLDS_MM), max_length=len(THRESHOLDS_MM))]
Numbers = Annotated[list[Number], Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
"""A module's: it becomes part of paths."""


class Blocks(Entry):
    """One quantity, block by block."""

    sum: Numbers
    count: list[Count]

    @model_validator(mode="after")
    def _check_lengths(self) -> "Blocks":
        if len(self.count) != len(self.sum):
            raise ValueError(f"{len(self.sum)} sums and {len(self.count)} counts")
        return self


class Frames(Entry):
    """The blocks of frames that everything else is paired by."""

    sum_mm: Numbers
    count: list[Count]
    sequence: list[Line]

    @model_validator(mode="after")
    def _check_lengths(self) -> "Frames":
        if not len(self.sum_mm) == len(self.count) == len(self.sequence):
            raise ValueError(f"{len(self.sum_mm)} sums, {len(self.count)} counts, {len(self.sequence)} sequences")
        return self


class Curves(Entry):
    frames: Curve
    joints: Curve
    frame_means: Curve


class AngleBlocks(Entry):
    errors: Blocks
    rotation: Blocks
    outside: Blocks
    beyond: Blocks | None = None
    true_beyond: Blocks | None = None


class Angles(Entry):
    angle_error_deg: dict[Line, Known]
    blocks: AngleBlocks


class HandObject(Entry):
    side: Line
    sequences: list[Line]
    steps: Annotated[list[dict[Line, Blocks]], Field(min_length=1)]


class Skeleton(Entry):
    curve: Curve
    blocks: Blocks


class Step(Entry):
    sum_mm: Numbers


class Centre(Entry):
    strategy: Line
    uses_ground_truth: bool


class Camera(Entry):
    """Its names become arguments."""

    model_config = ConfigDict(strict=True, extra="forbid")

    fx: Number
    fy: Number
    cx: Number
    cy: Number
    width: Count
    height: Count


class Protocol(Entry):
    """As the crop store has it, as far as stamps tell it."""

    title: Line
    split: Line
    centre: Centre
    scored: list[Count]
    cube_mm: dict[Line, Annotated[list[Number], Field(min_length=1)]]
    camera: Camera
    size_px: Count
    annotations: Line = ""


class Run(Entry):
    """What was run. Evaluations of older releases lack what has a default here."""

    paper: Line
    module: Name
    seed: Seed
    scale: Line
    source: Line
    split: Line
    centre: Line
    protocol: Protocol
    settings: dict[str, Any]
    commit: Line | None
    config_digest: Line | None
    parts_converged: dict[Line, bool] | None = None
    steps: list[Step] | None = None
    angles: Angles | None = None
    angles_of_all: Angles | None = None
    hand_object: HandObject | None = None
    rendered: dict[Line, Line] | None = None
    trained_at: list[Line] | None = None
    skeleton: dict[Line, Skeleton] | None = None


class Evaluated(Entry):
    dataset: Dataset
    method: Line
    mean_error_mm: Known
    frames: Count
    labels_missing: Count
    joint_error_mm: dict[Line, Known]
    area: Known
    curves: Curves
    blocks: Frames
    sha256_of_errors: str = ""
    run: Run

    @model_validator(mode="after")
    def _check_steps(self) -> "Evaluated":
        blocks = len(self.blocks.sum_mm)
        if any(len(step.sum_mm) != blocks for step in self.run.steps or ()):
            raise ValueError(f"steps of other blocks than the {blocks} of the result")
        return self


def check_evaluation(where: str | Path, evaluation: Mapping[str, Any], *, fix: str) -> None:
    """BadInput unless an evaluation has what `results.parse_result` and its readers look for."""
    check_entries(where, Evaluated, evaluation, holds=HOLDS, fix=fix)
