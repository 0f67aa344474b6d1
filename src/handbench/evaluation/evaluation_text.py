"""An evaluation as a table to read on a terminal."""

import math

from handbench.conventions import DATASETS
from handbench.evaluation.angle_score import AngleResult
from handbench.evaluation.evaluate import Evaluation
from handbench.evaluation.score import NO_LABELS, Score
from handbench.evaluation.skeleton_score import RE_EXPRESSED, REMOVED
from handbench.training.prediction_file import POSITIONS

_HEADER = ("method", "mean mm", "95 % interval", "all joints <= 20 mm", "<= 40 mm", "area 0-80", "frames")

SKELETON_WORDS = {
    REMOVED: "less the smallest training error of each joint",
    RE_EXPRESSED: "predicted rotations on the target's own hand",
    POSITIONS: "on positions that stand for the paper's",
}


def render_text(evaluation: Evaluation) -> str:
    """The protocol, the method among the published ones (best first), the paired difference, the notes."""
    convention = DATASETS[evaluation.dataset]
    camera = evaluation.camera
    covered = f"{evaluation.frames:,} of {evaluation.frames_in_set:,} frames"
    lines = [
        f"{convention.title}: {covered}, {len(evaluation.score.joint_names)} joints, "
        f"camera {camera.fx:g}/{camera.fy:g}, predictions read as {evaluation.layout}",
        f"labels: {evaluation.ground_truth}",
        "",
        *_align(_list_rows(evaluation)),
    ]
    if evaluation.hand_object:
        sequences = list(next(iter(evaluation.hand_object.values())))
        rows = [("mm (feedback19 Eq. 23)", *sequences)]
        for metric, means in evaluation.hand_object.items():
            rows.append((metric, *(f"{means[sequence]:.1f}" for sequence in sequences)))
        lines += ["", *_align(rows)]
    if evaluation.angles:
        lines += ["", _tell_angles("angles", evaluation.angles.result)]
    if evaluation.angles_of_all:
        lines += [_tell_angles("fitted to all joints", evaluation.angles_of_all.result)]
    if evaluation.skeleton:
        errors = evaluation.skeleton.result.errors
        lines += ["", *(f"{SKELETON_WORDS[name]}: {one.mean:.2f} mm" for name, one in errors.items())]
    if evaluation.against:
        difference = evaluation.against.difference
        lines += [
            "",
            f"against {evaluation.against.path}: {difference.mean:+.3f} mm "
            f"{_brackets(difference.low, difference.high, '+.3f')} on {evaluation.against.frames:,} frames "
            f"({_judge(difference.low, difference.high)})",
        ]
    return "\n".join([*lines, *(f"note: {note}" for note in evaluation.notes)])


def _tell_angles(words: str, angles: AngleResult) -> str:
    interval, inner = angles.errors.interval, angles.beyond
    beyond = f", {100 * inner.mean:.1f} % beyond the training's percentiles" if inner else ""
    return (
        f"{words}: {angles.errors.mean:.2f} degrees {_brackets(interval.low, interval.high, '.2f')}, the hand's "
        f"turn {angles.rotation.mean:.2f} degrees, {100 * angles.outside.mean:.1f} % of frames out of range{beyond}"
    )


def _list_rows(evaluation: Evaluation) -> list[tuple[str, ...]]:
    scores = [(f"> {evaluation.method}", evaluation.score)]
    scores += [(f"  {one.entry.method}", one.score) for one in evaluation.published]
    scores.sort(key=lambda pair: pair[1].mean_error_mm)
    return [_HEADER, *(_row(name, score) for name, score in scores)]


def _row(name: str, score: Score) -> tuple[str, ...]:
    if score.unlabelled:
        return (name, NO_LABELS, "", "", "", "", f"{score.frames:,}")
    return (
        name,
        f"{score.mean_error_mm:.3f}",
        _brackets(score.interval.low, score.interval.high, ".3f"),
        f"{100 * score.within(20):.1f} %",
        f"{100 * score.within(40):.1f} %",
        f"{score.area:.3f}",
        f"{score.frames:,}",
    )


def _brackets(low: float, high: float, form: str) -> str:
    return "none (too few frames)" if math.isnan(low) else f"[{low:{form}}, {high:{form}}]"


def _judge(low: float, high: float) -> str:
    if math.isnan(low):
        return "too few frames to tell"
    return "better" if high < 0 else "worse" if low > 0 else "no clear difference"


def _align(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]
