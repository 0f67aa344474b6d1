"""From crops to a checkpoint to predictions, on stores of three datasets; and what is refused on the way."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from handbench.conventions import MSRA
from handbench.datasets.crops import build_crops
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.evaluation.evaluate import evaluate
from handbench.training.checkpoint import load_checkpoint, save_checkpoint
from handbench.training.predict import predict
from handbench.training.prediction_file import read_card, read_joints
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing

JOB = Job(kind="nearest_neighbour", module="nn", paper="crossing", settings={"components": 8}, seed=0, fold=None)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    build_crops(make_listing(24, split="train"), centre="joint", size_px=16, out=folder / "icvl-train")
    build_crops(make_listing(9), centre="joint", size_px=16, out=folder / "icvl-test")
    build_crops(make_listing(9), centre="com", size_px=16, out=folder / "icvl-com")
    build_crops(make_listing(9), centre="joint", size_px=20, out=folder / "icvl-large")
    joints_mm = np.random.default_rng(0).normal(0, 30, (12, 21, 3)).astype(np.float32)
    joints_mm += np.array([0, 0, 400], np.float32)
    listing = make_listing(12, convention=MSRA, split="all", joints_mm=joints_mm)
    build_crops(listing, centre="joint", size_px=16, out=folder / "msra")
    return folder


def test_train_and_predict(stores: Path, tmp_path: Path) -> None:
    said = train(JOB, stores / "icvl-train", tmp_path / "model")
    assert said.startswith("nn trained on 24 frames: explained_variance")
    card = load_checkpoint(tmp_path / "model").card
    assert card["settings"] == {"components": 8}
    assert (card["dataset"], card["frames"], card["fold"], card["seed"]) == ("icvl", 24, None, 0)
    predict([tmp_path / "model"], stores / "icvl-test", tmp_path / "out")
    joints_mm, row = read_joints(tmp_path / "out" / "predictions.npz")
    store = open_store(stores / "icvl-test")
    assert joints_mm.shape == (9, 16, 3)
    assert row.tolist() == list(range(9))
    # The first nine pictures are the same as in training, so each finds its own pose.
    np.testing.assert_allclose(joints_mm, open_store(stores / "icvl-train").joints_mm[:9], atol=1e-3)
    told = read_card(tmp_path / "out" / "predictions.npz")
    assert told is not None
    assert told["protocol"] == store.card["protocol"]
    assert told["centre"] == "joint"


def test_the_same_seed_gives_the_same_bytes(stores: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        train(JOB, stores / "icvl-train", tmp_path / name)
    for file in ("checkpoint.safetensors", "checkpoint.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_commit_of_a_training_goes_with_its_predictions_and_into_evaluations(stores: Path, tmp_path: Path) -> None:
    """A later call evaluates at another commit; cards of older releases say nothing of theirs."""
    calls = {name: tmp_path / name / "call.json" for name in ("then", "now")}
    for name, call in calls.items():
        call.parent.mkdir()
        call.write_text(json.dumps({"commit": name}))
    train(JOB, stores / "icvl-train", tmp_path / "model", call=calls["then"])
    older = load_checkpoint(tmp_path / "model")
    kept = {key: value for key, value in older.card.items() if key not in ("commit", "parts", "sha256")}
    save_checkpoint(tmp_path / "older", older.state, kept)
    save_checkpoint(tmp_path / "whole", {}, kept, parts=[older])
    assert load_checkpoint(tmp_path / "whole").commits == ("then",)
    for model, told in (("model", ["then"]), ("older", [])):
        out = tmp_path / "out" / model
        predict([tmp_path / model], stores / "icvl-test", out)
        card = read_card(out / "predictions.npz")
        assert card is not None
        assert card["trained_at"] == told
        run = evaluate(out / "predictions.npz", "icvl", "search", call=calls["now"]).run
        assert run is not None
        assert (run["commit"], run.get("trained_at", [])) == ("now", told)


def test_each_subject_is_predicted_by_the_fold_that_never_saw_it(stores: Path, tmp_path: Path) -> None:
    folds = ["P2", "P0", "P1"]
    for fold in folds:
        train(Job(**{**vars(JOB), "fold": fold}), stores / "msra", tmp_path / fold)
    predict([tmp_path / fold for fold in folds], stores / "msra", tmp_path / "out")
    joints_mm, row = read_joints(tmp_path / "out" / "predictions.npz")
    assert row.tolist() == list(range(12)), "list order, whatever the order of the folds"
    card = read_card(tmp_path / "out" / "predictions.npz")
    assert card is not None
    assert (card["split"], card["folds"]) == ("test", folds)
    store = open_store(stores / "msra")
    relative = joints_mm - store.centre_mm[:, None]
    known = store.joints_mm - store.centre_mm[:, None]
    for frame, subject in enumerate(store.subjects):
        others = [other for other, name in enumerate(store.subjects) if name != subject]
        nearest = np.abs(known[others] - relative[frame]).max(axis=(1, 2)).min()
        assert nearest < 1e-3, "the pose of another subject"


def test_frames_that_were_trained_on_are_no_test(stores: Path, tmp_path: Path) -> None:
    for store in ("icvl-train", "msra"):
        train(JOB, stores / store, tmp_path / store)
        with pytest.raises(BadInput, match="expected crops that were not trained on, found those of the training"):
            predict([tmp_path / store], stores / store, tmp_path / "out")


def test_others_may_read_a_checkpoint(stores: Path, tmp_path: Path) -> None:
    train(JOB, stores / "icvl-train", tmp_path)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("checkpoint.safetensors", "checkpoint.json")}
    assert len(set(modes.values())) == 1


@pytest.mark.parametrize(
    ("store", "said"),
    [
        ("icvl-com", "expected centre joint, as in training, found com"),
        ("icvl-large", "expected size_px 16, as in training, found 20"),
        ("msra", "expected dataset icvl, as in training, found msra"),
    ],
)
def test_crops_of_another_kind_are_refused(stores: Path, tmp_path: Path, store: str, said: str) -> None:
    train(JOB, stores / "icvl-train", tmp_path / "model")
    with pytest.raises(BadInput, match=said):
        predict([tmp_path / "model"], stores / store, tmp_path / "out")


def test_checkpoints_that_do_not_belong_together_are_refused(stores: Path, tmp_path: Path) -> None:
    train(JOB, stores / "icvl-train", tmp_path / "a")
    train(Job(**{**vars(JOB), "seed": 1}), stores / "icvl-train", tmp_path / "b")
    with pytest.raises(BadInput, match=r"expected the same seed as in .*a \(0\), found 1"):
        predict([tmp_path / "a", tmp_path / "b"], stores / "icvl-test", tmp_path / "out")
    with pytest.raises(BadInput, match="expected one checkpoint, or one of each fold, found none, none"):
        predict([tmp_path / "a", tmp_path / "a"], stores / "icvl-test", tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"component": 3}, "nearest_neighbour: expected settings among components, found component"),
        ({"components": "3"}, "expected components to be a valid integer, found '3'"),
        ({"components": 0}, "expected components to be greater than or equal to 1, found 0"),
    ],
)
def test_wrong_settings_are_one_line(stores: Path, tmp_path: Path, settings: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        train(Job(**{**vars(JOB), "settings": settings}), stores / "icvl-train", tmp_path / "out")


def damage_tensors(folder: Path) -> None:
    path = folder / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")


CARD = {"kind": "x", "module": "mine", "dataset": "nyu", "centre": {"strategy": "com"}}


def damage_seed(folder: Path) -> None:
    card = json.loads((folder / "checkpoint.json").read_text())
    (folder / "checkpoint.json").write_text(json.dumps({**card, "seed": 7}))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (damage_tensors, "found a file that its card does not describe"),
        (damage_seed, "found a changed one"),
        (lambda folder: (folder / "checkpoint.json").unlink(), "the card of a checkpoint, found no file"),
        (lambda folder: (folder / "checkpoint.json").write_text("{"), "found no JSON"),
        (lambda folder: (folder / "checkpoint.json").write_text("[]"), "found no object"),
        (lambda folder: (folder / "checkpoint.safetensors").unlink(), "found no such file"),
    ],
)
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, damage, said: str) -> None:
    save_checkpoint(tmp_path, {"w": torch.ones(3)}, CARD | {"seed": 0})
    assert load_checkpoint(tmp_path).state["w"].tolist() == [1, 1, 1]
    damage(tmp_path)
    with pytest.raises(BadInput, match=said):
        load_checkpoint(tmp_path)


def test_a_kill_between_tensors_and_card_leaves_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, {"w": torch.ones(3)}, {"seed": 0})

    def die(path: Path, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("handbench.training.checkpoint.replace_file", die)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, {"w": torch.zeros(3)}, {"seed": 1})
    with pytest.raises(BadInput, match="found no file"):
        load_checkpoint(tmp_path)
