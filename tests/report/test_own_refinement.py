"""handbench refine: own frames without labels to a checkpoint that handbench predict takes; wrong input is one line."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from handbench.cli import main
from handbench.conventions import HANDS
from handbench.datasets.importers import list_frames
from handbench.datasets.own_frames import parse_intrinsics
from handbench.datasets.own_hand import DEFAULT_REACH
from handbench.errors import BadInput
from handbench.report.own_refinement import FEWEST_FRAMES, PICTURE, refine_frames
from handbench.training import lightning_loop
from handbench.training.checkpoint import load_checkpoint
from handbench.training.train import train
from tests.methods.killed_training import KilledError
from tests.methods.refine_fixtures import base_job, make_rendered

CAMERA = parse_intrinsics(["440", "440", "240", "240"])
QUICK = {"epochs": 3, "batch": 10, "learning_rate": 0.0003}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, and its own rendered frames as files of a person."""
    folder = tmp_path_factory.mktemp("own")
    make_rendered(folder)
    train(base_job(folder), folder / "crops", folder / "base")
    (folder / "frames").mkdir()
    listing = list_frames("hands", folder / "hands", "train")
    for row in range(24):
        path = folder / "frames" / f"{row:03d}.png"
        assert cv2.imwrite(str(path), np.rint(listing.frame(row).depth_mm).astype(np.uint16))
    return folder


def refine(place: Path, out: Path, **changes) -> str:
    words = {"reach": DEFAULT_REACH, "values": QUICK, **changes}
    return refine_frames([place / "frames"], place / "base", CAMERA, out, **words)


@pytest.fixture(scope="module")
def refined(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("refined") / "out"
    return out, refine(place, out)


def test_a_checkpoint_and_a_picture_are_left(refined, place):
    out, told = refined
    assert {path.name for path in out.iterdir()} >= {"checkpoint.json", "checkpoint.safetensors", PICTURE}
    card = load_checkpoint(out).card
    assert (card["kind"], card["dataset"], card["frames"]) == ("refine.adapted", "hands", 24)
    assert card["joints"] == list(HANDS.joints.names)
    assert "loss of 2 frames held back" in told
    picture = cv2.imread(str(out / PICTURE))
    assert picture.shape[0] > 400
    assert picture.std() > 20


def test_predict_takes_it(refined, place, tmp_path, capsys):
    frame = str(place / "frames/003.png")
    words = ["--model", str(refined[0]), "--camera", "440", "440", "240", "240", "--out", str(tmp_path / "mine")]
    assert main(["predict", frame, *words]) == 0
    rows = (tmp_path / "mine/joints.csv").read_text().splitlines()
    assert len(rows) == 1 + 21
    assert "1 frame" in capsys.readouterr().out


def test_it_goes_on_from_an_earlier_refinement(refined, place, tmp_path):
    refine_frames([place / "frames"], refined[0], CAMERA, tmp_path / "again", reach=DEFAULT_REACH, values=QUICK)
    assert load_checkpoint(tmp_path / "again").card["parts"][0]["kind"] == "refine.base"


def test_killed_it_ends_with_the_same_numbers(refined, place, tmp_path, monkeypatch):
    end = lightning_loop.EpochEnd.on_train_epoch_end

    def end_and_die(self, trainer, module):
        end(self, trainer, module)
        raise KilledError

    monkeypatch.setattr(lightning_loop.EpochEnd, "on_train_epoch_end", end_and_die)
    with pytest.raises(KilledError):
        refine(place, tmp_path / "out")
    monkeypatch.undo()
    told = refine(place, tmp_path / "out")
    whole, killed = load_checkpoint(refined[0]).state, load_checkpoint(tmp_path / "out").state
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert told.partition(":")[2].partition(";")[0] == refined[1].partition(":")[2].partition(";")[0]


def test_a_rate_that_only_harms_leaves_the_model_as_it_was(place, tmp_path):
    told = refine(place, tmp_path / "out", values={**QUICK, "epochs": 6, "learning_rate": 1.0, "cloud_rate_mm": 80.0})
    assert "the model is as it was" in told
    before, after = load_checkpoint(place / "base").state, load_checkpoint(tmp_path / "out").state
    assert all(torch.equal(values, after[f"0/{name}"]) for name, values in before.items())


def test_wrong_input_is_one_line(place, tmp_path, capsys):
    few = [place / "frames" / f"{row:03d}.png" for row in range(5)]
    with pytest.raises(BadInput, match=f"at least {FEWEST_FRAMES} frames of one hand"):
        refine_frames(few, place / "base", CAMERA, tmp_path / "out", reach=DEFAULT_REACH)
    with pytest.raises(BadInput, match="learning_rat"):
        refine(place, tmp_path / "out", values={"learning_rat": 1})
    words = ["refine", "--frames", str(place / "frames"), "--intrinsics", "440", "440", "240", "240"]
    assert main([*words, "--model", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 1
    assert "expected a checkpoint's folder" in capsys.readouterr().err
    assert main([*words[:-4], "440", "--model", str(place / "base"), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out/checkpoint.json").exists()


def test_an_empty_frame_stops_it_or_is_left_out(place, tmp_path, capsys):
    (tmp_path / "frames").mkdir()
    for file in (place / "frames").iterdir():
        (tmp_path / "frames" / file.name).write_bytes(file.read_bytes())
    assert cv2.imwrite(str(tmp_path / "frames/empty.png"), np.full((480, 480), 3000, np.uint16))
    words = {"reach": DEFAULT_REACH, "values": {**QUICK, "epochs": 1}}
    with pytest.raises(BadInput, match=r"empty\.png"):
        refine_frames([tmp_path / "frames"], place / "base", CAMERA, tmp_path / "out", **words)
    told = refine_frames([tmp_path / "frames"], place / "base", CAMERA, tmp_path / "out", allow_skips=1, **words)
    assert "1 skipped" in told
    assert "skipped:" in capsys.readouterr().out


def test_frames_whose_cube_may_cut_the_hand_are_told(place, tmp_path, capsys):
    (tmp_path / "frames").mkdir()
    for file in sorted((place / "frames").iterdir())[:20]:
        (tmp_path / "frames" / file.name).write_bytes(file.read_bytes())
    hand_mm = cv2.imread(str(place / "frames/020.png"), cv2.IMREAD_UNCHANGED)
    left = int(np.nonzero(hand_mm.any(axis=0))[0].mean())
    assert cv2.imwrite(str(tmp_path / "frames/cut.png"), np.pad(hand_mm[:, left:], ((0, 0), (0, left))))
    words = {"reach": DEFAULT_REACH, "values": {**QUICK, "epochs": 1}}
    told = refine_frames([tmp_path / "frames"], place / "base", CAMERA, tmp_path / "out", **words)
    assert "1 in doubt" in told
    assert "1 of 21 frames: the hand reaches the image's edge (cut.png)" in capsys.readouterr().out
