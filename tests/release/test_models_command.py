"""`handbench models` from the command line: packed, listed, verified, fetched, found by name; and what is refused."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from handbench.cli import main
from handbench.datasets.files import digest_file
from handbench.errors import BadInput
from handbench.evaluation.evaluate import evaluate
from handbench.release.card import render_card
from handbench.release.fetch_models import fetch_models
from handbench.release.manifest import read_manifest, write_manifest
from handbench.release.pack import pack_models
from handbench.sealed import seal
from handbench.training import handed_on
from handbench.training.checkpoint import load_checkpoint
from handbench.training.handed_on import halve, load_handed_on, read_model_card, restore
from handbench.training.predict import predict
from tests.release.commands import refuse, rewrite, say
from tests.release.models_packed import PARTS, Packed

NAMES = ["localizer-icvl", "loop-icvl", "predictor-icvl"]
FILES = ("card.json", "card.md", "model.safetensors", "frame.npy")


def test_pack_takes_what_is_of_use_by_itself(packed: Packed) -> None:
    """No synthesizer and no updater: the loop holds them."""
    assert sorted(read_manifest(packed.models / "manifest.json")) == NAMES
    assert {path.name for path in packed.models.iterdir()} == {*NAMES, "manifest.json"}
    for name in NAMES:
        assert sorted(path.name for path in (packed.models / name).iterdir()) == sorted(FILES)


def test_weights_are_the_nearest_halves(packed: Packed) -> None:
    full = load_checkpoint(packed.find("loop")).state
    stored, loaded = (
        load_file(packed.models / "loop-icvl" / "model.safetensors"),
        load_handed_on(packed.models / "loop-icvl"),
    )
    assert set(stored) == set(full)
    assert {value.dtype for value in stored.values() if value.is_floating_point()} == {torch.float16}
    for name, value in full.items():
        assert loaded.state[name].dtype == value.dtype
        torch.testing.assert_close(loaded.state[name], value, rtol=2**-10, atol=1e-7)
    assert loaded.card == load_checkpoint(packed.find("loop")).card


def test_counts_and_what_half_precision_cannot_hold_stay() -> None:
    state = {"count": torch.tensor([70_001]), "large": torch.tensor([1.0, 1e6]), "weight": torch.tensor([0.1])}
    halved = halve(state)
    assert [halved[name].dtype for name in state] == [torch.int64, torch.float32, torch.float16]
    assert torch.equal(halved["count"], state["count"])
    assert torch.equal(restore(halved)["large"], state["large"])
    assert restore(halved)["weight"].item() == np.float16(0.1)


def test_the_card_tells_the_error_that_the_pipeline_measures(packed: Packed, tmp_path: Path) -> None:
    card = read_model_card(packed.models / "loop-icvl")
    store = packed.run / "crop" / "icvl" / "joint" / "test"
    predict([packed.find("loop")], store, tmp_path)
    found = evaluate(tmp_path / "predictions.npz", "icvl", "loop", ground_truth=store)
    told = card["error"]
    assert told["float32"]["mean_mm"] == pytest.approx(found.mean_error_mm, abs=1e-5)
    assert told["frames"] == 12
    less = told["float16"]["mean_mm"] - told["float32"]["mean_mm"]
    assert told["float16_less_float32"]["mean_mm"] == pytest.approx(less, abs=1e-5)
    assert 0 < abs(less) < 0.2, "half precision changes a little, and is measured"
    assert card["protocol"]["split"] == "test"
    assert card["data"] | {"licence": ""} == {
        "dataset": "icvl",
        "source": "real",
        "scale": "demo",
        "frames": 20,
        "centre": "joint",
        "size_px": 16,
        "licence": "",
    }
    assert card["data"]["licence"].startswith("none stated")
    assert card["commit"]
    of_parts = [f"results/demo-real/train/icvl/{part}/seed0/checkpoint.json" for part in PARTS]
    store = "results/demo-real/crop/icvl/joint/train/store.json"
    assert card["inputs"].split() == [
        *("snakemake", store, *of_parts, "--cores", "all", "--configfile", "config/real.yaml"),
    ]
    assert [line.split()[2] for line in card["again"]] == [
        "feedback15.predictor",
        "feedback15.synthesizer",
        "feedback15.updater",
        "feedback_loop",
    ]
    text = (packed.models / "loop-icvl" / "card.md").read_text()
    assert text == render_card(card)
    assert f"{told['float16']['mean_mm']:.2f} mm" in text
    assert "ICCV 2015" in text
    assert "none stated" in text


def test_the_localizer_is_measured_at_its_joint(packed: Packed) -> None:
    card = read_model_card(packed.models / "localizer-icvl")
    assert card["protocol"]["joints"] == "distance of the cube's centre from middle_root"
    assert card["error"]["float32"]["mean_mm"] > 0
    assert np.shape(card["frame"]["points_mm"]) == (1, 3)


def test_list_verify_fetch_and_predict_by_name(
    packed: Packed, fresh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole road: a fresh machine, a release folder, a depth image."""
    assert "no models in" in say(capsys, "models", "list")
    table = say(capsys, "models", "list", "--from", packed.models)
    assert [line.split()[0] for line in table.splitlines()] == ["name", *NAMES]
    told = say(capsys, "models", "fetch", "predictor-icvl", "loop-icvl", "--from", packed.models)
    assert told.endswith(f"2 fetched, 0 there already, in {fresh}\n")
    assert say(capsys, "models", "fetch", "loop-icvl", "--from", f"file://{packed.models}").startswith("0 fetched, 1")
    verified = say(capsys, "models", "verify")
    assert verified.count(": sound, points within 0.0") == 2
    rows = json.loads(say(capsys, "models", "list", "--json"))
    assert [(row["name"], row["taken"]) for row in rows] == [("loop-icvl", True), ("predictor-icvl", True)]
    told = say(capsys, "predict", "--model", "loop-icvl", packed.image, "--out", tmp_path / "named")
    assert f"loop-icvl: taken from {fresh / 'loop-icvl'}, trained on 20 real icvl frames (demo scale)" in told
    assert not Path("results").exists()
    say(capsys, "predict", "--model", packed.models / "loop-icvl", packed.image, "--out", tmp_path / "folder")
    assert (tmp_path / "named/joints.csv").read_bytes() == (tmp_path / "folder/joints.csv").read_bytes()
    say(capsys, "predict", "--model", packed.find("loop"), packed.image, "--out", tmp_path / "trained")
    half, full = (read_joints(tmp_path / place / "joints.csv") for place in ("named", "trained"))
    assert 0 < np.abs(half - full).max() < 1
    say(capsys, "export", "loop-icvl", "--out", tmp_path / "loop.onnx")


def read_joints(path: Path) -> np.ndarray:
    with path.open(newline="") as file:
        return np.array([[float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")] for row in csv.DictReader(file)])


def test_an_unpacked_model_is_a_checkpoint(
    packed: Packed, fresh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It predicts a crop store as the card says it does."""
    words = ["models", "unpack", packed.models / "loop-icvl", "--out", tmp_path / "loop"]
    assert say(capsys, *words).endswith(f"feedback_loop in {tmp_path / 'loop'}\n")
    store = packed.run / "crop" / "icvl" / "joint" / "test"
    predict([tmp_path / "loop"], store, tmp_path / "out")
    found = evaluate(tmp_path / "out" / "predictions.npz", "icvl", "loop", ground_truth=store)
    told = read_model_card(packed.models / "loop-icvl")["error"]["float16"]
    assert told["mean_mm"] == pytest.approx(found.mean_error_mm, abs=1e-5)
    assert "expected a folder without a checkpoint, found one with it" in refuse(capsys, *words)


def test_what_was_trained_here_goes_first(
    packed: Packed, fresh: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack_models([packed.run], tmp_path / "models", only=["predictor=predictor-icvl"])
    fetch_models(str(tmp_path / "models"), fresh)
    words = ["predict", "--model", "predictor", packed.image, "--no-pictures", "--out", tmp_path / "out"]
    assert f"predictor: taken from {fresh / 'predictor'}, trained on" in say(capsys, *words)
    here = Path("results", "demo-real", "train", "icvl", "predictor", "seed0")
    shutil.copytree(packed.find("predictor"), here)
    told = say(capsys, *words)
    assert f"predictor: taken from {here}, trained here; the model handed on in {fresh / 'predictor'} is named" in told
    shutil.copytree(here, here.with_name("seed1"))
    assert "seed0, results/" in refuse(capsys, *words)


def test_the_cache_goes_before_the_repository(
    packed: Packed, fresh: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handed_on, "REPOSITORY", packed.models)
    assert handed_on.find_handed_on("loop-icvl") == packed.models / "loop-icvl"
    assert say(capsys, "models", "fetch", "loop-icvl").startswith("loop-icvl: ")
    assert handed_on.find_handed_on("loop-icvl") == fresh / "loop-icvl"
    listed = [line.split()[0] for line in say(capsys, "models", "list").splitlines()[1:]]
    assert listed == ["loop-icvl", "localizer-icvl", "(loop-icvl)", "predictor-icvl"]


def test_a_newer_release_takes_the_place_of_an_older(packed: Packed, fresh: Path, copy: Path) -> None:
    fetch_models(str(packed.models), fresh)
    rewrite(copy / "loop-icvl" / "card.json", commit="another")
    write_manifest(copy)
    assert fetch_models(str(copy), fresh) == (1, 2)
    assert read_model_card(fresh / "loop-icvl")["commit"] == "another"


@pytest.mark.parametrize("name", ["../outside", "", "a/b", ".hidden"])
def test_a_manifest_names_nothing_outside(fresh: Path, copy: Path, name: str) -> None:
    models = json.loads((copy / "manifest.json").read_text())["models"]
    rewrite(copy / "manifest.json", models={name: models["loop-icvl"]})
    with pytest.raises(BadInput, match="expected a manifest as packing wrote it"):
        fetch_models(str(copy), fresh)
    files = {f"../{file}": told for file, told in models["loop-icvl"]["files"].items()}
    rewrite(copy / "manifest.json", models={"loop-icvl": models["loop-icvl"] | {"files": files}})
    with pytest.raises(BadInput, match="expected a manifest as packing wrote it"):
        fetch_models(str(copy), fresh)


def break_digest(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def change_text(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.md").write_text("It is perfect.\n")
    told = {"bytes": 15, "sha256": digest_file(folder / "card.md")}
    rewrite(folder / "card.json", files=card["files"] | {"card.md": told})
    write_manifest(folder.parent)


def move_joints(folder: Path) -> None:
    frame = json.loads((folder / "card.json").read_text())["frame"]
    points = (np.array(frame["points_mm"]) + [0.2, 0, 0]).tolist()
    rewrite(folder / "card.json", frame=frame | {"points_mm": points})
    write_manifest(folder.parent)


def change_kind(folder: Path) -> None:
    """Tensors of a predictor under the name of another kind."""
    card = json.loads((folder / "card.json").read_text())
    changed = card["checkpoint"] | {"kind": "feedback15.deepprior"}
    rewrite(folder / "card.json", checkpoint=changed)
    write_manifest(folder.parent)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (break_digest, "model.safetensors: expected sha256 "),
        (cut, "bytes, found "),
        (lambda folder: (folder / "card.json").unlink(), "card.json: expected "),
        (lambda folder: (folder / "card.json").write_text("{"), "card.json: expected "),
        (lambda folder: (folder / "frame.npy").unlink(), "frame.npy: expected 640 bytes, found no file"),
        (change_text, "card.md: expected what card.json says, found another text"),
        (move_joints, "expected the card's points of its crop within 0.05 mm, found 0.2 mm"),
        (change_kind, "expected the tensors of feedback15.predictor as this program builds it, found others"),
    ],
)
def test_verify_names_what_is_broken(copy: Path, capsys: pytest.CaptureFixture[str], spoil, said: str) -> None:
    spoil(copy / "predictor-icvl")
    assert main(["models", "verify", "--in", str(copy)]) == 1
    lines = capsys.readouterr().out.splitlines()
    [broken] = [line for line in lines if ": broken: " in line]
    assert said in broken
    assert len(lines) == 3, "the others are verified all the same"


def test_one_line_where_a_model_cannot_be_used(
    packed: Packed, fresh: Path, copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch_models(str(copy), fresh)
    words = [packed.image, "--out", tmp_path / "out"]
    told = refuse(capsys, "predict", "--model", "nobody", *words)
    assert told.endswith("or one of the models handed on: localizer-icvl, loop-icvl, predictor-icvl\n")
    told = refuse(capsys, "predict", "--model", "localizer-icvl", *words)
    assert "expected a checkpoint that gives joints, found feedback19.localizer" in told
    told = refuse(capsys, "predict", "--model", "loop-icvl", "--object", "box:60x40x120", *words)
    assert "expected a model of hand and object with --object, found feedback_loop" in told
    told = refuse(capsys, "predict", "--model", "loop-icvl", "--localizer", "predictor-icvl", *words)
    assert "expected a checkpoint of feedback19.localizer, found feedback15.predictor" in told
    told = refuse(capsys, "walk", "loop-icvl", "--frames", packed.image, packed.image, "--out", tmp_path / "out")
    assert "expected a checkpoint of crossing.estimator, found feedback_loop" in told
    break_digest(fresh / "loop-icvl")
    told = refuse(capsys, "predict", "--model", "loop-icvl", *words)
    assert "model.safetensors: expected sha256 " in told
    (fresh / "loop-icvl" / "card.json").write_text('{"format": "handbench model", "version": 9}')
    told = refuse(capsys, "predict", "--model", fresh / "loop-icvl", *words)
    assert "expected 'handbench model' version 1, found 'handbench model' version 9" in told
    rewrite(fresh / "predictor-icvl" / "card.json", commit="x")
    text = (fresh / "predictor-icvl" / "card.json").read_text()
    (fresh / "predictor-icvl" / "card.json").write_text(text.replace('"x"', '"y"'))
    told = refuse(capsys, "predict", "--model", "predictor-icvl", *words)
    assert "expected a card as packing wrote it, found a changed one" in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify", "--in", "MODELS", "nobody"], "expected models among localizer-icvl, loop-icvl, predictor-icvl"),
        (["verify", "--in", "nowhere"], "expected the manifest of a folder of models, found no file"),
        (["verify"], "expected some in "),
        (["fetch", "--from", "MODELS", "nobody"], "found nobody; name one of these"),
        (["fetch", "--from", "nowhere"], "nowhere/manifest.json: expected the file, found No such file"),
        (["fetch", "--from", ""], "--from: expected a folder or an address, found an empty word"),
        (["list", "--from", ""], "--from: expected a folder or an address, found an empty word"),
        (["fetch", "--from", "MODELS", "--to", "IMAGE"], "expected a folder, found a file, "),
        (["fetch", "--from", "MODELS", "--to", "IMAGE/below"], "expected a folder, found a file, "),
        (["list", "--from", "gopher://x"], "expected http, https, file or a plain path, found the scheme gopher"),
        (["pack", "--from", "nowhere", "--out", "out"], "found no such folder; name one with --from"),
        (["pack", "--from", "MODELS", "--out", "out"], "found no folder train/ in it"),
        (["pack", "--from", "RUN", "--only", "nobody", "--out", "out"], "with seed 0 that can be handed on: loc"),
        (["pack", "--from", "RUN", "--only", "synthesizer-icvl", "--out", "out"], "found synthesizer-icvl"),
        (["pack", "--from", "RUN", "--only", "a/b=loop-icvl", "--out", "out"], "expected a name that can be a folder"),
        (["pack", "--from", "RUN", "--seed", "7", "--out", "out"], "expected modules trained with seed 7, found none"),
        (["pack", "--from", "RUN", "--out", "out", "--real", "IMAGE", "IMAGE"], "expected 36 rows of u,v,d"),
    ],
)
def test_words_that_do_not_fit_are_one_line(
    packed: Packed, fresh: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    places = {"MODELS": packed.models, "RUN": packed.run, "IMAGE": packed.image}
    places["IMAGE/below"] = packed.image / "below"
    assert said in refuse(capsys, "models", *(places.get(word, word) for word in words))
    assert not Path("out").exists()


def test_the_largest_training_is_taken(packed: Packed, tmp_path: Path) -> None:
    """Of several runs with a module of one name; what lies in the folder under another name stays."""
    larger = tmp_path / "results" / "claims-real"
    shutil.copytree(packed.run, larger)
    out = tmp_path / "models"
    shutil.copytree(packed.models / "localizer-icvl", out / "localizer-icvl")
    for runs in ([packed.run, larger], [larger, packed.run]):
        assert pack_models(runs, out, only=["predictor-icvl"]) == 1
        assert read_model_card(out / "predictor-icvl")["data"]["scale"] == "claims"
    assert sorted(read_manifest(out / "manifest.json")) == ["localizer-icvl", "predictor-icvl"]


def test_a_run_that_measured_otherwise_is_refused(packed: Packed, tmp_path: Path) -> None:
    """As a checkpoint of an older program, which this one reads in another way."""
    run = tmp_path / "results" / "demo-real"
    shutil.copytree(packed.run, run)
    told = run / "evaluate" / "icvl" / "predictor" / "seed0" / "evaluation.json"
    told.parent.mkdir(parents=True)
    mean_mm = read_model_card(packed.models / "predictor-icvl")["error"]["float32"]["mean_mm"]
    told.write_text(json.dumps(seal({"mean_error_mm": mean_mm})))
    assert pack_models([run], tmp_path / "models", only=["predictor-icvl"]) == 1
    told.write_text(json.dumps(seal({"mean_error_mm": mean_mm + 1})))
    with pytest.raises(BadInput, match=r"expected the error of its run, .* found .* by the program at hand"):
        pack_models([run], tmp_path / "models", only=["predictor-icvl"])
