"""An evaluation in the tracking store, and the way back: tables and curves can be rebuilt from the store alone.

Every number that tables aggregate is a metric: one value each for means, joints and the area; a history for what is a
list, with the threshold or the block as its step. Words and settings travel as one JSON text in tags.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from handbench.errors import BadInput
from handbench.evaluation.evaluate import Evaluation
from handbench.evaluation.metrics import THRESHOLDS_MM
from handbench.evaluation.result_layout import HOLDS, check_evaluation
from handbench.evaluation.results import CURVES, Result, parse_result
from handbench.training.tracking import Tracked, find_uri, open_run, read_tracked
from handbench.training.tracking_log import Row, clean_key

CARD = "handbench.result"
CARD_LENGTH = 4500
"""Some databases hold 5,000 characters of a tag: a longer text goes into several."""
CURVE_KEYS = {name: f"curve_{name}" for name in CURVES}
SUM_KEY, COUNT_KEY = "block_sum_mm", "block_count"
ANGLE_KEYS = ("mean_error_deg", "rotation_error_deg", "out_of_range", "beyond_percentiles")
FIGURES = ("accuracy.png", "accuracy.pdf", "joints.png", "joints.pdf")
ARTIFACTS = ("table.txt", "curves.csv", *FIGURES, "evaluation.json")


def track_evaluation(evaluation: Evaluation, folder: Path, call: Path | None, *, live: bool = True) -> None:
    """Log a saved evaluation of the pipeline's own predictions; a person's own file is nobody's run."""
    saved = evaluation.as_dict()
    run = saved.get("run")
    if not isinstance(run, dict):
        return
    params, tags, rows = evaluation_to_rows(saved)
    name = f"evaluate {saved['dataset']} {run['module']} seed {run['seed']}"
    with open_run(
        folder, experiment=run["paper"], name=name, params=params, tags=tags, call=call, live=live
    ) as tracked:
        tracked.log_rows(rows)
        for word in ARTIFACTS:
            if (folder / word).is_file():
                tracked.log_file(folder / word)


def evaluation_to_rows(evaluation: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str], list[Row]]:
    """Parameters, tags and metrics of an evaluation.json; what could not be measured (None) is left out."""
    run = evaluation["run"]
    words = ("module", "kind", "split", "centre", "predictions_sha256", "store")
    params = {key: str(run[key]) for key in words if run.get(key) is not None}
    params |= {"method": evaluation["method"], "predictions": str(evaluation["prediction"])}
    keys = ("paper", "module", "seed", "scale", "source", "commit", "config_digest")
    tags = {key: str(run[key]) for key in keys if run.get(key) is not None}
    tags |= {"dataset": evaluation["dataset"], "stage": "evaluate", **_write_card(evaluation)}
    low, high = evaluation.get("interval") or (None, None)
    single = {
        "mean_error_mm": evaluation["mean_error_mm"],
        "low_mm": low,
        "high_mm": high,
        "frames": evaluation["frames"],
        "labels_missing": evaluation["labels_missing"],
        "area": evaluation["area"],
    }
    single |= {name_joint(joint): value for joint, value in evaluation["joint_error_mm"].items()}
    angles = run.get("angles") or {}
    single |= {key: angles.get(key) for key in ANGLE_KEYS}
    of_all = run.get("angles_of_all") or {}
    single |= {f"{key}_of_all": of_all.get(key) for key in ANGLE_KEYS}
    curves, blocks = evaluation["curves"], evaluation["blocks"]
    rows = [(key, value, 0) for key, value in single.items()]
    for name, key in CURVE_KEYS.items():
        rows += [(key, value, step) for step, value in zip(curves["threshold_mm"], curves[name], strict=True)]
    rows += [(SUM_KEY, value, step) for step, value in enumerate(blocks["sum_mm"])]
    rows += [(COUNT_KEY, value, step) for step, value in enumerate(blocks["count"])]
    return params, tags, [(key, float(value), int(step)) for key, value, step in rows if value is not None]


def _write_card(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """What of an evaluation is no number, as JSON in as many tags as it takes."""
    card = {key: evaluation[key] for key in ("method", "dataset", "frames", "labels_missing", "run")}
    card |= {"joints": list(evaluation["joint_error_mm"]), "sequences": _count_runs(evaluation["blocks"]["sequence"])}
    text = json.dumps(card)
    return {
        f"{CARD}.{part}": text[first : first + CARD_LENGTH]
        for part, first in enumerate(range(0, len(text), CARD_LENGTH))
    }


def _count_runs(sequences: Sequence[str]) -> list[tuple[str, int]]:
    """The sequence of each block, a run of the same told once with its length."""
    return [(name, len(list(run))) for name, run in groupby(sequences)]


def _read_card(tags: Mapping[str, str]) -> dict[str, Any]:
    parts = sorted((key for key in tags if key.startswith(f"{CARD}.")), key=lambda key: int(key.rpartition(".")[2]))
    return json.loads("".join(tags[key] for key in parts))


def name_joint(joint: str) -> str:
    return clean_key(f"joint/{joint}")


def rows_to_evaluation(tracked: Tracked) -> dict[str, Any]:
    """What `parse_result` needs of an evaluation.json, from a run of the store."""
    card, metrics = _read_card(tracked.run.tags), tracked.run.metrics
    lists = {key: dict(points) for key, points in tracked.histories.items()}
    blocks = range(len(lists[SUM_KEY]))
    if sum(length for _, length in card["sequences"]) != len(blocks):
        raise ValueError(f"sequences of other blocks than the {len(blocks)} that have sums")
    sequences = [name for name, length in card["sequences"] for _ in range(length)]
    return {
        **{key: card[key] for key in ("method", "dataset", "frames", "labels_missing", "run")},
        "mean_error_mm": metrics.get("mean_error_mm"),
        "area": metrics.get("area"),
        "joint_error_mm": {joint: metrics.get(name_joint(joint)) for joint in card["joints"]},
        "curves": {
            name: [lists.get(key, {}).get(int(step)) for step in THRESHOLDS_MM] for name, key in CURVE_KEYS.items()
        },
        "blocks": {
            "sum_mm": [lists[SUM_KEY][step] for step in blocks],
            "count": [int(lists[COUNT_KEY][step]) for step in blocks],
            "sequence": sequences,
        },
    }


def results_from_tracking(uri: str, scale: str, source: str, *, results_id: str = "") -> tuple[Result, ...]:
    """The results of a run's current evaluations, exactly as `read_results` has them from files, but for the folder."""
    tags = {"stage": "evaluate", "scale": scale, "source": source}
    history = (*CURVE_KEYS.values(), SUM_KEY, COUNT_KEY)
    found = []
    for tracked in read_tracked(uri, tags=tags, results_id=results_id, history=history):
        where, fix = f"{uri}, run {tracked.run.run_id}", "run the pipeline again, or delete the run"
        try:
            evaluation = rows_to_evaluation(tracked)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            told = f"a damaged or older one ({type(error).__name__}: {error})"
            raise BadInput(where, expected=HOLDS, found=told, fix=fix) from None
        check_evaluation(where, evaluation, fix=fix)
        found.append(parse_result(evaluation, None))
    return tuple(sorted(found, key=lambda one: (one.dataset, one.module, one.seed)))


def read_tracked_results(run: Path, uri: str | None = None) -> tuple[Result, ...]:
    """The results of results/<scale>-<source> from the tracking store of the results folder, or from another."""
    scale, _, source = run.absolute().name.partition("-")
    known, results_id = (uri, "") if uri else find_uri(run.absolute().parent)
    return results_from_tracking(known, scale, source, results_id=results_id)
