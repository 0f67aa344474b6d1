"""Methods that iterate: every step is measured, kept beside the result, and paired with it."""

import json
from pathlib import Path

import numpy as np
import pytest

from handbench.cli import main
from handbench.datasets.crops import build_crops
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.evaluation.results import compare_results, parse_result
from handbench.training.prediction_file import save_predictions
from tests.datasets.crop_fixtures import make_listing

OFF_MM = (30.0, 20.0, 15.0)
"""How far along x every joint is off at the start and after each iteration."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = tmp_path / "results" / "smoke-embedded"
    store = run / "crop" / "icvl" / "joint" / "test"
    build_crops(make_listing(300), centre="joint", size_px=16, out=store)
    opened = open_store(store)
    steps_mm = np.stack([np.array(opened.joints_mm) + np.array([off, 0, 0], np.float32) for off in OFF_MM])
    card = {"kind": "feedback_loop", "module": "loop", "paper": "feedback15", "settings": {}, "seed": 0}
    card |= {"dataset": "icvl", "split": "test", "folds": [], "centre": "joint", "frames": 300, "converged": True}
    card |= {"protocol": opened.card["protocol"], "store": store.as_posix(), "checkpoints": []}
    predicted = run / "predict" / "icvl" / "loop" / "seed0"
    save_predictions(predicted, steps_mm[-1], opened.names, np.asarray(opened.row), card, steps_mm[:-1])
    out = run / "evaluate" / "icvl" / "loop" / "seed0"
    assert main(["evaluate", str(predicted / "predictions.npz"), "icvl", "Loop", "--out", str(out), "--json"]) == 0
    return out


def test_every_step_is_measured_by_hand(folder: Path) -> None:
    result = parse_result(json.loads((folder / "evaluation.json").read_text()), folder)
    assert result.mean_error_mm == pytest.approx(OFF_MM[-1], abs=1e-4)
    assert [result.at_step(step).mean_error_mm for step in range(3)] == pytest.approx(OFF_MM, abs=1e-4)


def test_the_last_step_is_the_result_and_steps_pair_with_one_another(folder: Path) -> None:
    result = parse_result(json.loads((folder / "evaluation.json").read_text()), folder)
    np.testing.assert_allclose(result.at_step(2).block_sums_mm, result.block_sums_mm)
    gained = compare_results([result.at_step(2)], [result.at_step(0)])
    assert gained.difference.mean == pytest.approx(-15.0, abs=1e-3)
    assert gained.decided


def test_a_step_that_was_not_taken_is_refused(folder: Path) -> None:
    result = parse_result(json.loads((folder / "evaluation.json").read_text()), folder)
    with pytest.raises(BadInput, match="expected errors after 3 iterations, found those after 0 to 2"):
        result.at_step(3)
