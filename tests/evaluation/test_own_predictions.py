"""The pipeline's own predictions through `handbench evaluate`: matched by their card, nothing guessed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handbench.cli import main
from handbench.conventions import MSRA
from handbench.datasets.crops import build_crops
from handbench.datasets.files import digest_file
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.evaluation.bootstrap import compare_seeds
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.results import compare_results, pool_seeds, read_results, select_results
from handbench.sealed import SEAL, is_sealed
from handbench.training.prediction_file import save_predictions
from tests.datasets.crop_fixtures import make_listing

FRAMES = 260


def make_run(tmp_path: Path, *, seeds: tuple[int, ...] = (0,), shift_mm: float = 3.0, module: str = "mine") -> Path:
    """A run with a store and predictions that lie `shift_mm` plus the seed off in x."""
    run = tmp_path / "results" / "smoke-embedded"
    store = run / "crop" / "icvl" / "joint" / "test"
    if not store.exists():
        build_crops(make_listing(FRAMES), centre="joint", size_px=16, out=store)
    opened = open_store(store)
    for seed in seeds:
        joints_mm = np.array(opened.joints_mm) + np.array([shift_mm + seed, 0, 0], np.float32)
        card = {"kind": "nearest_neighbour", "module": module, "paper": "crossing", "settings": {"components": 3}}
        card |= {"seed": seed, "dataset": "icvl", "split": "test", "folds": [], "centre": "joint", "frames": FRAMES}
        card |= {"converged": True, "parts_converged": {"start": True, "updater": False}}
        card |= {"protocol": opened.card["protocol"], "store": store.as_posix(), "checkpoints": []}
        out = run / "predict" / "icvl" / module / f"seed{seed}"
        save_predictions(out, joints_mm, opened.names, np.asarray(opened.row), card)
    return run


def evaluate_run(run: Path, module: str = "mine", seed: int = 0) -> Path:
    place = Path("icvl", module, f"seed{seed}")
    words = ["evaluate", str(run / "predict" / place / "predictions.npz"), "icvl", f"Method {module}"]
    out = run / "evaluate" / place
    assert main([*words, "--out", str(out), "--json"]) == 0
    return out


def test_a_run_says_where_its_numbers_come_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path)
    capsys.readouterr()
    folder = evaluate_run(run)
    saved = json.loads((folder / "evaluation.json").read_text())
    assert is_sealed(saved)
    assert saved.pop("sha256_of_errors") == digest_file(folder / "errors.npz")
    del saved[SEAL]
    assert saved == json.loads(capsys.readouterr().out)
    assert saved["mean_error_mm"] == pytest.approx(3.0, abs=1e-4)
    told = saved["run"]
    assert (told["paper"], told["module"], told["seed"], told["split"]) == ("crossing", "mine", 0, "test")
    assert (told["scale"], told["centre"], told["settings"]) == ("smoke", "joint", {"components": 3})
    assert told["protocol"]["frames"] == FRAMES
    assert len(told["predictions_sha256"]) == 64


def test_results_are_read_pooled_and_compared(tmp_path: Path) -> None:
    """Errors of 3, 4, 5 mm against 4, 5, 6: by hand, means 4 and 5, difference -1, each without any spread."""
    run = make_run(tmp_path, seeds=(0, 1, 2))
    make_run(tmp_path, seeds=(0, 1, 2), shift_mm=4.0, module="other")
    for module in ("mine", "other"):
        for seed in (0, 1, 2):
            evaluate_run(run, module, seed)
    results = read_results(run)
    assert [(one.module, one.seed) for one in results] == [(m, k) for m in ("mine", "other") for k in (0, 1, 2)]
    mine, other = pool_seeds(results[:3]), pool_seeds(results[3:])
    assert mine.interval.mean == pytest.approx(4.0, abs=1e-3)
    assert (mine.interval.low, mine.interval.high) == pytest.approx((4.0, 4.0), abs=1e-3)
    assert mine.per_seed == pytest.approx((3, 4, 5), abs=1e-3)
    assert mine.seeds == (0, 1, 2)
    assert results[0].parts_converged == {"start": True, "updater": False}
    assert mine.within(3) == pytest.approx(1 / 3, abs=0.34), "the first seed alone, up to a rounding"
    assert mine.within(6) == 1.0
    assert other.joint_error_mm["palm"] == pytest.approx(5.0, abs=1e-3)
    comparison = compare_results(results[:3], results[3:])
    assert comparison.difference.mean == pytest.approx(-1.0, abs=1e-3)
    assert comparison.decided
    with pytest.raises(BadInput, match=r"expected the same seeds of both, found \[0, 1\] against \[0, 1, 2\]"):
        compare_results(results[:2], results[3:])


def test_a_difference_equals_that_of_the_frames(tmp_path: Path) -> None:
    """Blocks are enough: the interval is the one that the errors of all frames give."""
    run = make_run(tmp_path)
    make_run(tmp_path, module="other")
    path = run / "predict" / "icvl" / "other" / "seed0" / "predictions.npz"
    store = open_store(run / "crop" / "icvl" / "joint" / "test")
    noise = np.random.default_rng(0).normal(0, 4, store.joints_mm.shape).astype(np.float32)
    card = json.loads(path.with_name("predictions.json").read_text())
    for key in ("format", "version", "sha256_of_file", "sha256"):
        del card[key]
    save_predictions(path.parent, store.joints_mm + noise, store.names, np.asarray(store.row), card)
    folders = [evaluate_run(run, module) for module in ("mine", "other")]
    ours, theirs = (np.load(folder / "errors.npz") for folder in folders)
    frames = compare_seeds([ours["errors_mm"]], [theirs["errors_mm"]], ours["sequences"].tolist())
    results = read_results(run)
    blocks = compare_results(results[:1], results[1:])
    for name in ("mean", "low", "high"):
        assert getattr(blocks.difference, name) == pytest.approx(getattr(frames.difference, name), abs=1e-4)


def test_predictions_in_any_order_meet_their_labels(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    path = run / "predict" / "icvl" / "mine" / "seed0" / "predictions.npz"
    card = json.loads(path.with_name("predictions.json").read_text())
    for key in ("format", "version", "sha256_of_file", "sha256"):
        del card[key]
    store = open_store(run / "crop" / "icvl" / "joint" / "test")
    order = np.random.default_rng(0).permutation(FRAMES)[:50]
    names = tuple(store.names[row] for row in order)
    save_predictions(path.parent, np.asarray(store.joints_mm)[order], names, np.asarray(store.row)[order], card)
    evaluation = evaluate(path, "icvl", "mine")
    assert evaluation.frames == 50
    assert evaluation.mean_error_mm == pytest.approx(0.0, abs=1e-4)
    assert evaluation.rows.tolist() == sorted(order.tolist()), "in list order, as the blocks of the interval need it"
    assert "covers 50 of 260 frames" in evaluation.notes


def test_msra_has_bins_of_the_view(tmp_path: Path) -> None:
    joints_mm = np.random.default_rng(0).normal(0, 30, (12, 21, 3)).astype(np.float32) + np.float32([0, 0, 400])
    store = tmp_path / "store"
    build_crops(
        make_listing(12, convention=MSRA, split="all", joints_mm=joints_mm), centre="joint", size_px=16, out=store
    )
    np.save(tmp_path / "mine.npy", joints_mm + np.float32([0, 4, 0]))
    evaluation = evaluate(tmp_path / "mine.npy", "msra", "mine", ground_truth=store)
    assert evaluation.mean_error_mm == pytest.approx(4.0, abs=1e-3)
    bins = evaluation.as_dict()["view_bins"]
    assert set(bins) == {"yaw", "pitch"}
    known = [value for value in bins["pitch"]["error_mm"] if value is not None]
    assert known == pytest.approx([4.0] * len(known), abs=1e-3)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("card", "expected predictions as `handbench predict` left them, found a changed one"),
        ("file", "found a file that its card does not describe"),
        ("store", "expected a crop store, found no store.json"),
    ],
)
def test_what_does_not_belong_together_is_one_line(tmp_path: Path, damage: str, said: str) -> None:
    run = make_run(tmp_path)
    path = run / "predict" / "icvl" / "mine" / "seed0" / "predictions.npz"
    if damage == "card":
        card = path.with_name("predictions.json")
        card.write_text(card.read_text().replace('"seed": 0', '"seed": 3'))
    elif damage == "file":
        path.write_bytes(path.read_bytes() + b"x")
    else:
        (run / "crop" / "icvl" / "joint" / "test" / "store.json").unlink()
    with pytest.raises(BadInput, match=said):
        evaluate(path, "icvl", "mine")


def test_how_to_read_them_is_not_for_the_user_to_say(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(BadInput, match="expected no --layout and no --order"):
        evaluate(run / "predict" / "icvl" / "mine" / "seed0" / "predictions.npz", "icvl", "mine", layout="xyz-up")


def test_crops_that_lie_elsewhere_now_are_named(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    path = run / "predict" / "icvl" / "mine" / "seed0" / "predictions.npz"
    (run / "crop").rename(tmp_path / "moved")
    with pytest.raises(BadInput, match="run this where the pipeline ran, or give --ground-truth STORE"):
        evaluate(path, "icvl", "mine")
    again = evaluate(path, "icvl", "mine", ground_truth=tmp_path / "moved" / "icvl" / "joint" / "test")
    assert again.mean_error_mm == pytest.approx(3.0, abs=1e-4)


def test_what_other_settings_left_is_not_taken_for_a_seed(tmp_path: Path) -> None:
    run = make_run(tmp_path, seeds=(0, 1))
    for seed in (0, 1):
        evaluate_run(run, seed=seed)
    results = read_results(run)
    settings = {"use": ["icvl", "nyu"], "seeds": [1], "modules": {"mine": {"datasets": ["nyu", "icvl"]}}}
    assert [one.seed for one in select_results(results, settings)] == [1]
    assert select_results(results, {**settings, "use": ["nyu"]}) == ()
    assert select_results(results, {**settings, "modules": {}}) == ()
    odd = replace(results[1], settings={"components": 4})
    with pytest.raises(BadInput, match=r"expected settings {'components': 3}, as of seed 0, found {'components': 4}"):
        pool_seeds([results[0], odd])


def test_another_dataset_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(BadInput, match="expected predictions for nyu, found icvl"):
        evaluate(run / "predict" / "icvl" / "mine" / "seed0" / "predictions.npz", "nyu", "mine")


def test_an_older_evaluation_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "evaluate" / "icvl" / "mine" / "seed0"
    folder.mkdir(parents=True)
    (folder / "evaluation.json").write_text("{}")
    with pytest.raises(BadInput, match="expected an evaluation of this release, found an older or damaged one"):
        read_results(tmp_path)
