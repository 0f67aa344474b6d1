"""The figures of one evaluation: accuracy curves and the error of each joint, beside the published methods."""

from pathlib import Path

from handbench.conventions import DATASETS
from handbench.evaluation.evaluate import Evaluation
from handbench.evaluation.tables import curve_frame, joint_frame
from handbench.report.figures import draw_accuracy, draw_joint_bars
from handbench.report.stamps import SEPARATOR, describe_cube, describe_split, describe_state
from handbench.training.prediction_file import TRAINED_AT

RIVALS_IN_BARS = 3
"""Bars of more methods are too thin to read; the best published ones are shown."""


def draw_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write accuracy and joints (.png, .pdf, .csv) into the folder; without labels there is nothing to draw."""
    if evaluation.score.unlabelled:
        return ()
    rivals = [(one.entry.method, one.score) for one in evaluation.published]
    taken = {name for name, _ in rivals}
    # Somebody may measure a published method under its own name: both curves are drawn.
    ours = (evaluation.method + (" (this file)" if evaluation.method in taken else ""), evaluation.score)
    title, stamp = f"{evaluation.method} on {DATASETS[evaluation.dataset].title}", stamp_evaluation(evaluation)
    curves = curve_frame([ours, *rivals])
    means = {name: score.mean_error_mm for name, score in (ours, *rivals)}
    accuracy = draw_accuracy(
        curves, means, folder / "accuracy", title=title, stamp=stamp, highlight=ours[0] if rivals else None
    )
    bars = joint_frame(evaluation.dataset, [ours, *rivals[:RIVALS_IN_BARS]])
    return (*accuracy, *draw_joint_bars(bars, folder / "joints", title=title, stamp=stamp))


def stamp_evaluation(evaluation: Evaluation) -> str:
    """What the numbers depend on besides the predictions."""
    camera = evaluation.camera
    words = [
        f"{DATASETS[evaluation.dataset].title}, {evaluation.frames:,} of {evaluation.frames_in_set:,} frames",
        f"{len(evaluation.score.joint_names)} joints",
        f"camera: fx {camera.fx:g}, fy {camera.fy:g}, cx {camera.cx:g}, cy {camera.cy:g} px",
        f"labels: {evaluation.ground_truth.name}",
    ]
    run = evaluation.run
    if run:
        words += [describe_split(run["split"], run["protocol"])]
        protocol = run["protocol"]
        words += [f"cube: {describe_cube(protocol['cube_mm'])}", f"patch: {protocol['size_px']} px"]
        words += [f"{key}: {run[key]}" for key in ("centre", "source", "scale", "seed")]
        words += describe_state(run["commit"], run["config_digest"], run.get(TRAINED_AT, ()))
    return SEPARATOR.join(words)
