"""An evaluation on disk: everything for machines, the table to read, the curves, the error of every joint."""

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from handbench.datasets.files import replace_file
from handbench.errors import BadInput
from handbench.evaluation.evaluate import Evaluation
from handbench.evaluation.evaluation_text import render_text
from handbench.evaluation.metrics import THRESHOLDS_MM
from handbench.evaluation.results import SHA256_OF_ERRORS
from handbench.sealed import seal


def default_folder(dataset: str, method: str) -> Path:
    """results/evaluate/<dataset>/<method>, with the method's name made fit for a folder."""
    word = re.sub(r"[^\w+.-]+", "-", method).strip("-.").lower() or "method"
    return Path("results", "evaluate", dataset, word)


def save_evaluation(evaluation: Evaluation, folder: Path) -> tuple[Path, ...]:
    """Write table.txt, curves.csv, errors.npz and, last, evaluation.json; each file is replaced whole.

    evaluation.json is sealed, and vouches for the errors beside it.
    """
    errors = _error_bytes(evaluation)
    told = evaluation.as_dict() | {SHA256_OF_ERRORS: hashlib.sha256(errors).hexdigest()}
    contents = {
        "table.txt": (render_text(evaluation) + "\n").encode(),
        "curves.csv": _curves_csv(evaluation).encode(),
        "errors.npz": errors,
        "evaluation.json": (json.dumps(seal(told), indent=1, allow_nan=False) + "\n").encode(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, written in contents.items():
            replace_file(folder / name, written)
    except OSError as error:
        raise BadInput(
            folder, expected="a folder to write in", found=f"{error.strerror}", fix="choose another with --out"
        ) from None
    return tuple(folder / name for name in contents)


def _curves_csv(evaluation: Evaluation) -> str:
    score = evaluation.score
    lines = ["threshold_mm,frames,joints,frame_means"]
    columns = zip(THRESHOLDS_MM, score.frames_within, score.joints_within, score.frame_means_within, strict=True)
    lines += [f"{step},{frames:.6f},{joints:.6f},{means:.6f}" for step, frames, joints, means in columns]
    return "\n".join(lines) + "\n"


def _error_bytes(evaluation: Evaluation) -> bytes:
    """The error of every joint of every frame, NaN where no label is, and which frame it is; so of angles and objects.

    Of objects there is a row for every iteration.
    """
    buffer = io.BytesIO()
    of_angles: dict[str, Any] = {
        f"{name}{suffix}": values
        for suffix, angles in (("", evaluation.angles), ("_of_all", evaluation.angles_of_all))
        if angles
        for name, values in (
            ("angle_errors_deg", angles.errors_deg.astype(np.float32)),
            ("rotation_errors_deg", angles.rotation_deg.astype(np.float32)),
            ("out_of_range", angles.outside == 1),
        )
    }
    held = evaluation.object_score
    of_object: dict[str, Any] = (
        {f"{name}_mm": mm.astype(np.float32) for name, mm in held.frames_mm.items()} if held else {}
    )
    skeleton = evaluation.skeleton
    of_skeleton: dict[str, Any] = (
        {f"{name}_errors_mm": mm.astype(np.float32) for name, mm in skeleton.errors_mm.items()} if skeleton else {}
    )
    np.savez_compressed(
        buffer,
        errors_mm=evaluation.score.errors_mm.astype(np.float32),
        row=evaluation.rows,
        names=np.array(evaluation.frame_names, np.str_),
        sequences=np.array(evaluation.sequences, np.str_),
        **of_angles,
        **of_object,
        **of_skeleton,
    )
    return buffer.getvalue()
