"""Predictions of hand and object from their file to evaluation.json and back: every number by a slow way too."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handbench.cli import main
from handbench.conventions import MSRA_JOINTS
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.evaluation.blocks import Blocks
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.evaluation_text import render_text
from handbench.evaluation.hand_object_score import Measured, compare_average, pool_average
from handbench.evaluation.results import Result, read_results
from handbench.evaluation.tracked import evaluation_to_rows
from handbench.evaluation.true_boxes import read_true_corners
from handbench.training.prediction_file import FILE, read_corners, read_steps
from tests.evaluation.hand_object_fixtures import MODULES, TRUTH, change_card, evaluate_module, write_run

LOOP = {"handobject": MODULES["handobject"]}
TIPS = [MSRA_JOINTS.names.index(f"{finger}_tip") for finger in ("thumb", "index", "middle", "ring", "little")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("results") / "demo-embedded", frames=720, modules=LOOP)


@pytest.fixture(scope="module")
def result(run: Path) -> Result:
    return read_results(run)[0]


def test_the_table_says_which_annotations_it_is_of(run: Path) -> None:
    folder = run / "predict" / "dexter" / "handobject" / "seed0"
    (kind,) = {open_store(path.parent).card["protocol"]["annotations"] for path in run.glob("crop/*/*/*/store.json")}
    assert f"note: annotations: {kind}" in render_text(evaluate(folder / FILE, "dexter", "m", truth_file=run / TRUTH))


def test_every_step_is_what_a_slow_loop_gives(run: Path, result: Result) -> None:
    """Eq. 23 by hand, the corners found among the four orders that half turns make."""
    folder = run / "predict" / "dexter" / "handobject" / "seed0"
    card = json.loads((folder / "predictions.json").read_text())
    store, corners = open_store(run / "crop/dexter/com/test"), read_corners(folder / FILE, card)
    joints, labels, true = (
        read_steps(folder / FILE),
        np.asarray(store.joints_mm),
        read_true_corners(run / TRUTH, "test"),
    )
    orders = [list(range(8)), [3, 2, 1, 0, 7, 6, 5, 4], [5, 4, 7, 6, 1, 0, 3, 2], [6, 7, 4, 5, 2, 3, 0, 1]]
    assert corners is not None
    assert result.hand_object is not None
    for step in range(3):
        sums: dict[str, list[float]] = {}
        for frame, sequence in enumerate(store.sequences):
            tips = [np.linalg.norm(joints[step, frame, TIPS[k]] - labels[frame, k]) for k in range(5)]
            tips = [one for one in tips if not np.isnan(one)]
            if not np.isnan(labels[frame, 5:]).any():
                place = [int(np.linalg.norm(true[frame] - one, axis=1).argmin()) for one in labels[frame, 5:]]
                boxes = [corners[step, frame][order] for order in orders]
                corner = min(np.linalg.norm(box[place] - labels[frame, 5:], axis=1).mean() for box in boxes)
                tips.append(corner)
            if tips:
                sums.setdefault(sequence, []).append(float(np.mean(tips)))
        combined = result.hand_object.at("combined", step)
        for sequence, values in sums.items():
            assert combined.of_sequence(sequence).mean == pytest.approx(np.mean(values), abs=1e-3)
        average = np.mean([np.mean(values) for values in sums.values()])
        assert combined.average == pytest.approx(average, abs=1e-3)
        assert pool_average([combined]).mean == pytest.approx(average, abs=1e-3)


def test_the_file_tells_the_same_and_keeps_every_frame(run: Path, result: Result) -> None:
    saved = json.loads((run / "evaluate/dexter/handobject/seed0/evaluation.json").read_text())
    assert result.hand_object is not None
    for metric in ("tips", "corners", "combined", "corners_whole"):
        average = saved["hand_object_mm"][metric]["average"]
        assert result.hand_object.at(metric).average == pytest.approx(average, abs=1e-5)
    with np.load(run / "evaluate/dexter/handobject/seed0/errors.npz", allow_pickle=False) as errors:
        assert errors["combined_mm"].shape == (3, 720)
        assert errors["errors_mm"].shape == (720, 5)
        assert float(np.nanmean(errors["tips_mm"][2])) == pytest.approx(
            result.hand_object.steps[2]["tips"].mean, abs=1e-3
        )
    assert any("half turns of the box exchange, the nearest" in note for note in saved["notes"])
    assert len(saved["joint_error_mm"]) == 5


def test_tracking_carries_it(run: Path) -> None:
    saved = json.loads((run / "evaluate/dexter/handobject/seed0/evaluation.json").read_text())
    _, tags, _ = evaluation_to_rows(saved)
    parts = sorted(
        (key for key in tags if key.startswith("handbench.result.")), key=lambda k: int(k.rpartition(".")[2])
    )
    assert json.loads("".join(tags[key] for key in parts))["run"]["hand_object"] == saved["run"]["hand_object"]


def test_without_the_truth_mirror_images_count_and_the_note_says_so(run: Path, result: Result) -> None:
    prediction = run / "predict/dexter/handobject/seed0" / FILE
    told = evaluate(prediction, "dexter", "Loop")
    assert told.object_score is not None
    assert result.hand_object is not None
    assert told.object_score.result.side == "unknown"
    assert told.object_score.result.metrics == ("tips", "corners", "combined")
    assert any("mirror images" in note for note in told.notes)
    assert told.object_score.result.at("corners").average <= result.hand_object.at("corners").average + 1e-9


def test_a_hand_alone_is_measured_as_ever(run: Path, tmp_path: Path) -> None:
    """Not one word of evaluation.json tells of objects where none was predicted."""
    folder = run / "predict/dexter/handobject/seed0"

    def forget(arrays: dict[str, Any], card: dict[str, Any]) -> None:
        del arrays["corners"], arrays["corners_before"], card["gives_object"], card["joints"]
        arrays["joints_mm"], arrays["before_mm"] = (arrays[key][..., TIPS, :] for key in ("joints_mm", "before_mm"))

    moved = run / "predict/dexter/hand/seed0"
    shutil.copytree(folder, moved)
    change_card(moved, forget)
    told = evaluate(moved / FILE, "dexter", "Hand").as_dict()
    assert "hand_object_mm" not in told
    assert isinstance(told["run"], dict)
    assert "hand_object" not in told["run"]
    with pytest.raises(BadInput, match=r"expected the pipeline's predictions of hand and object.*leave --truth out"):
        evaluate(moved / FILE, "dexter", "Hand", truth_file=run / TRUTH)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda a, c: a.pop("corners_before"), "expected corners of shapes"),
        (lambda a, c: a["corners"].__setitem__((3, 2, 1), np.nan), "expected finite corners"),
        (lambda a, c: c.pop("joints"), "expected a card with gives_object and the names of 21 joints"),
        (lambda a, c: c.update(gives_object=False), "expected a card with gives_object"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_saved(run: Path, tmp_path: Path, change: Any, said: str) -> None:
    folder = tmp_path / "seed0"
    shutil.copytree(run / "predict/dexter/handobject/seed0", folder)
    with pytest.raises(BadInput, match=said):
        change_card(folder, change)


def test_boxes_that_are_not_rigid_are_refused(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "seed0"
    shutil.copytree(run / "predict/dexter/handobject/seed0", folder)
    change_card(folder, lambda arrays, card: arrays["corners"].__setitem__((7, 2), arrays["corners"][7, 2] + 20))
    with pytest.raises(BadInput, match="expected eight corners of a rigid box"):
        evaluate(folder / FILE, "dexter", "Loop", ground_truth=run / "crop/dexter/com/test")


def test_the_truth_of_other_data_is_refused(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "truth.npz"
    with np.load(run / TRUTH, allow_pickle=False) as file:
        arrays = dict(file)
    np.savez(other, **{**arrays, "object_centre_mm": arrays["object_centre_mm"] + np.float32(30)})
    prediction = run / "predict/dexter/handobject/seed0" / FILE
    with pytest.raises(BadInput, match="expected corners that the labels were made of"):
        evaluate(prediction, "dexter", "Loop", truth_file=other)
    np.savez(other, **{**arrays, "split": np.full(720, "train")})
    with pytest.raises(BadInput, match="found 0 frames"):
        evaluate(prediction, "dexter", "Loop", truth_file=other)
    np.savez(other, split=arrays["split"])
    with pytest.raises(BadInput, match=r"expected the truth\.npz of an embedded dataset, found no object_centre_mm"):
        evaluate(prediction, "dexter", "Loop", truth_file=other)


def test_the_command_line_takes_the_truth(run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    prediction = run / "predict/dexter/handobject/seed0" / FILE
    words = [
        "evaluate",
        str(prediction),
        "dexter",
        "Loop",
        "--truth",
        str(run / TRUTH),
        "--out",
        str(tmp_path),
        "--json",
    ]
    assert main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run"]["hand_object"]["side"] == "known"
    assert "corners_whole" in (tmp_path / "table.txt").read_text()


def make_measured(means: dict[str, list[float]], count: int = 10) -> Measured:
    sequences = tuple(name for name, values in means.items() for _ in values)
    sums = np.array([count * value for values in means.values() for value in values])
    return Measured(Blocks(sums, np.full(len(sums), count)), sequences)


def test_sequences_weigh_the_same_however_long_they_are() -> None:
    one = make_measured({"Rigid": [10.0] * 9, "Pinch": [30.0]})
    assert one.average == pytest.approx(20.0)
    assert pool_average([one]).mean == pytest.approx(20.0)
    assert pool_average([one, make_measured({"Rigid": [20.0] * 9, "Pinch": [40.0]})]).mean == pytest.approx(25.0)


def test_a_difference_is_paired() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(20, 6, 12)
    theirs = make_measured({"Rigid": list(values[:8]), "Pinch": list(values[8:])})
    ours = make_measured({"Rigid": list(values[:8] - 1), "Pinch": list(values[8:] - 1)})
    comparison = compare_average([ours], [theirs])
    assert (comparison.difference.mean, comparison.difference.low) == pytest.approx((-1.0, -1.0))
    assert comparison.decided


def test_a_sequence_without_measured_frames_leaves_the_average_unknown() -> None:
    one = make_measured({"Rigid": [10.0] * 6})
    empty = Measured(
        Blocks(np.append(one.blocks.sums, 0.0), np.append(one.blocks.counts, 0)), (*one.sequences, "Pinch")
    )
    assert np.isnan(empty.average)
    assert np.isnan(pool_average([empty]).mean)


def test_other_frames_do_not_pair() -> None:
    with pytest.raises(BadInput, match="expected errors on the same frames"):
        compare_average([make_measured({"Rigid": [1.0] * 6})], [make_measured({"Pinch": [1.0] * 6})])


def test_a_step_that_was_not_taken_is_refused(result: Result) -> None:
    assert result.hand_object is not None
    with pytest.raises(BadInput, match="expected errors after 3 iterations, found those after 0 to 2"):
        result.hand_object.at("tips", 3)


def test_evaluating_again_gives_the_same(run: Path) -> None:
    out = run / "evaluate/dexter/handobject/seed0"
    before = (out / "evaluation.json").read_bytes()
    evaluate_module(run, "handobject", MODULES["handobject"].title, 0)
    assert (out / "evaluation.json").read_bytes() == before
