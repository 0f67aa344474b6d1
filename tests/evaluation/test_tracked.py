"""What files say and what the tracking store says of an evaluation are the same, to the last bit."""

import dataclasses
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handbench.errors import BadInput
from handbench.evaluation.evaluate import Evaluation
from handbench.evaluation.metrics import THRESHOLDS_MM
from handbench.evaluation.results import CURVES, Result, read_results
from handbench.evaluation.tracked import (
    evaluation_to_rows,
    read_tracked_results,
    results_from_tracking,
    track_evaluation,
)
from handbench.provenance import write_call
from handbench.sealed import seal
from handbench.training.tracking import create_store, find_uri, open_run

JOINTS = ("PALM_3", "thumb tip", "Größe", "a/b")

PROTOCOL = {
    "title": "NYU",
    "split": "test",
    "frames": 8252,
    "joints": list(JOINTS),
    "scored": [0, 1],
    "centre": {"strategy": "joint", "uses_ground_truth": True},
    "cube_mm": {"P0": [250.0, 250.0]},
    "camera": {"fx": 588.036865, "fy": 587.075073, "cx": 320.0, "cy": 240.0, "width": 640, "height": 480},
    "size_px": 128,
}


def make_evaluation(seed: int, module: str = "nn_search", *, labelled: bool = True) -> dict[str, Any]:
    """An evaluation.json of the pipeline with numbers of its own, a joint without labels and long settings."""
    rng = np.random.default_rng([seed, len(module)])
    joints: dict[str, float | None] = {name: round(float(rng.normal(20, 3)), 6) for name in JOINTS}
    joints["a/b"] = None
    curves = {name: np.sort(rng.random(len(THRESHOLDS_MM))).round(6).tolist() for name in CURVES}
    if not labelled:
        curves["frames"] = [None] * len(THRESHOLDS_MM)
    settings = {
        "components": 512,
        "rate": 1e-4 / 3,
        "whiten": True,
        "layers": [1, 2],
        "words": "ä" * 6000,
        "none": None,
    }
    return {
        "method": "NN search (PCA 512)",
        "dataset": "nyu",
        "prediction": "results/demo-embedded/predict/nyu/nn_search/seed0/predictions.npz",
        "mean_error_mm": round(float(rng.normal(20, 3)), 6),
        "interval": [18.5, 22.25] if labelled else None,
        "frames": 8252,
        "labels_missing": 3,
        "joint_error_mm": joints,
        "area": 0.612345 if labelled else None,
        "curves": {"threshold_mm": THRESHOLDS_MM.tolist(), **curves},
        "protocol": {},
        "notes": [],
        "published": [],
        "blocks": {"sum_mm": rng.random(165).tolist(), "count": rng.integers(1, 700, 165).tolist(),
            "sequence": ["test_1"] * 50 + ["test_2"] * 114 + ["test_1"],
        },
        "run": {
            "paper": "crossing",
            "module": module,
            "kind": "nearest_neighbour",
            "seed": seed,
            "scale": "demo",
            "source": "embedded",
            "split": "test",
            "centre": "joint",
            "settings": settings,
            "commit": "abc1234-dirty" if seed else None,
            "config_digest": "0123456789abcdef",
            "store": "results/demo-embedded/crop/nyu/joint/test",
            "predictions_sha256": "f" * 64,
            "protocol": PROTOCOL,
        },
    }  # fmt: skip


def save(run: Path, evaluation: dict[str, Any]) -> Path:
    words = evaluation["run"]
    folder = run / "evaluate" / evaluation["dataset"] / words["module"] / f"seed{words['seed']}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(seal(evaluation)))
    return folder


def track(run: Path, evaluation: dict[str, Any]) -> None:
    folder = save(run, evaluation)
    params, tags, rows = evaluation_to_rows(evaluation)
    with open_run(folder, experiment="crossing", name="x", params=params, tags=tags, call=run / "call.json") as tracked:
        tracked.log_rows(rows)


def assert_same(ours: Result, theirs: Result) -> None:
    for field in dataclasses.fields(Result):
        one, two = getattr(ours, field.name), getattr(theirs, field.name)
        if field.name == "folder":
            assert two is None
        elif isinstance(one, np.ndarray):
            assert one.dtype == two.dtype
            np.testing.assert_array_equal(one, two)
        elif field.name in ("curves", "joint_error_mm"):
            assert list(one) == list(two)
            for key in one:
                np.testing.assert_array_equal(one[key], two[key])
        else:
            assert (type(one), repr(one)) == (type(two), repr(two))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store to copy; making one takes seconds."""
    results = tmp_path_factory.mktemp("store")
    assert create_store(results).available
    return results


@pytest.fixture
def run(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copytree(template, tmp_path / "results")
    run = tmp_path / "results" / "demo-embedded"
    write_call(run, {"scale": "demo", "source": "embedded"}, ["snakemake"])
    return run


def test_the_store_gives_back_what_files_hold(run: Path) -> None:
    for seed in range(3):
        track(run, make_evaluation(seed, labelled=seed != 2))
    track(run, make_evaluation(0, "another"))
    track(run, make_evaluation(1))  # again: the earlier run steps back
    files, store = read_results(run), read_tracked_results(run)
    assert len(files) == len(store) == 4
    for one, two in zip(files, store, strict=True):
        assert_same(one, two)
    uri, results_id = find_uri(run.parent)
    assert len(results_from_tracking(uri, "demo", "embedded", results_id=results_id)) == 4
    assert results_from_tracking(uri, "demo", "real") == ()
    assert len(read_tracked_results(run, uri)) == 4


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dataset": "toyset"}, "expected a dataset of this program, found 'toyset'"),
        ({"labels_missing": None}, "expected an evaluation of this release, found labels_missing, which should be"),
    ],
)
def test_a_tracked_result_that_cannot_be_read_is_named(run: Path, changed: dict[str, Any], said: str) -> None:
    track(run, make_evaluation(0) | changed)
    with pytest.raises(BadInput, match=rf"sqlite:.*, run \w+: {said}"):
        read_tracked_results(run)


def test_thirty_runs_are_read_in_seconds(run: Path) -> None:
    for seed in range(30):
        track(run, make_evaluation(seed))
    start = time.perf_counter()
    assert len(read_tracked_results(run)) == 30
    taken_s = time.perf_counter() - start
    print(f"30 runs read in {taken_s:.2f} s")
    assert taken_s < 5


def test_what_was_not_measured_is_not_sent() -> None:
    _, _, rows = evaluation_to_rows(make_evaluation(0, labelled=False))
    keys = {key for key, _, _ in rows}
    assert not keys & {"low_mm", "area", "curve_frames", "joint/a/b"}
    assert {"joint/PALM_3", "joint/thumb tip", "joint/Gr__e", "curve_joints", "block_count"} <= keys
    assert ("block_count", 0) in {(key, step) for key, _, step in rows}


def test_an_older_run_is_named(run: Path) -> None:
    evaluation = make_evaluation(0)
    folder = save(run, evaluation)
    with open_run(
        folder, experiment="crossing", name="x", params={}, tags={"handbench.result.0": "{"}, call=run / "call.json"
    ):
        pass
    with pytest.raises(BadInput, match="an evaluation of this release"):
        read_tracked_results(run)


def test_without_a_store_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(BadInput, match="handbench mlflow"):
        read_tracked_results(tmp_path / "results" / "demo-embedded")


def test_a_saved_evaluation_is_a_run_with_its_files(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Evaluation, "as_dict", lambda self: self.content)
    one, own = object.__new__(Evaluation), object.__new__(Evaluation)
    object.__setattr__(one, "content", make_evaluation(0))
    object.__setattr__(own, "content", make_evaluation(1) | {"run": None})
    folder = save(run, make_evaluation(0))
    (folder / "table.txt").write_text("table\n")
    track_evaluation(one, folder, run / "call.json")
    track_evaluation(own, run / "evaluate/own", run / "call.json")
    assert len(read_tracked_results(run)) == 1
    names = {path.name for path in (run.parent / "mlflow/artifacts").rglob("*.*")}
    assert names == {"table.txt", "evaluation.json"}
    assert not (run / "evaluate/own").exists()
