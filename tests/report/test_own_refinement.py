"""handbench refine: own frames without labels to a checkpoint that handbench predict takes; wrong input is one line."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from handbench.cli import main
from handbench.conventions import HANDS
from handbench.datasets.importers import list_frames
from handbench.datasets.own_frames import parse_intrinsics
from handbench.datasets.own_hand import DEFAULT_REACH, choose_reach
from handbench.errors import BadInput
from handbench.report import own_refinement
from handbench.report.own_refinement import FEWEST_FRAMES, PICTURE, read_frames, refine_frames
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


HARM = {"epochs": 6, "learning_rate": 1.0, "cloud_rate_mm": 80.0}
"""No epoch does better than the start, so that the early stop comes after two."""


@pytest.mark.parametrize("epochs", [2, 6])
def test_killed_after_its_last_epoch_it_learns_no_further_and_leaves_what_did_best(
    place, tmp_path, monkeypatch, capsys, epochs
):
    def die(*_, **__):
        raise KilledError

    values = {**QUICK, **HARM, "epochs": epochs}
    monkeypatch.setattr(own_refinement, "save_checkpoint", die)
    with pytest.raises(KilledError):
        refine(place, tmp_path / "out", values=values)
    monkeypatch.undo()
    assert f"epoch 2 of {epochs}" in capsys.readouterr().err
    assert "the model is as it was" in refine(place, tmp_path / "out", values=values)
    assert "epoch" not in capsys.readouterr().err
    assert_as_it_was(place, tmp_path / "out")


def test_a_rate_that_only_harms_leaves_the_model_as_it_was(place, tmp_path):
    assert "the model is as it was" in refine(place, tmp_path / "out", values={**QUICK, **HARM})
    assert_as_it_was(place, tmp_path / "out")


def assert_as_it_was(place: Path, out: Path) -> None:
    before, after = load_checkpoint(place / "base").state, load_checkpoint(out).state
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
    for camera in ("440", "nyu"):
        assert main([*words[:-4], camera, "--model", str(place / "base"), "--out", str(tmp_path / "out")]) == 1
        refusal = capsys.readouterr().err
        assert refusal.count("\n") == 1
        assert "--intrinsics" in refusal
        assert "--camera" not in refusal
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


def test_when_most_are_left_out_the_last_line_says_what_for(place, tmp_path):
    words = {"reach": choose_reach(200.0, 210.0), "allow_skips": 100}
    with pytest.raises(
        BadInput, match=r"found 0 beside 24 that were left out \(the first: expected a hand 200 to 210 mm"
    ):
        refine(place, tmp_path / "out", **words)


def test_a_file_in_the_place_of_the_output_is_told_before_anything_is_learned(place, tmp_path, capsys):
    (tmp_path / "out").touch()
    with pytest.raises(BadInput, match="expected a folder, or a new name, found a file"):
        refine(place, tmp_path / "out")
    assert "epoch" not in capsys.readouterr().err


def test_a_frame_that_comes_twice_counts_once_and_files_of_one_name_count_apart(place, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(place / "frames", other)
    files = [place / "frames", other, place / "frames", other / "003.png"]
    # Hands twice as large as they are reach beyond their cubes, which is a doubt.
    short = parse_intrinsics(["220", "220", "240", "240"])
    frames = read_frames(files, short, 64, DEFAULT_REACH, None, 0)
    assert frames.names[:24] == frames.names[24:] == tuple(f"{row:03d}" for row in range(24))
    half = read_frames([other], short, 64, DEFAULT_REACH, None, 0)
    assert len(frames.doubts) == 2 * len(half.doubts) > 0


@pytest.mark.parametrize(("stretch", "told"), [(1.0, ""), (2.0, "at the median"), (0.5, "at the median")])
def test_hands_of_an_unusual_size_make_focal_lengths_doubtful(place, capsys, stretch, told):
    camera = parse_intrinsics([f"{440 * stretch}", f"{440 * stretch}", "240", "240"])
    read_frames([place / "frames"], camera, 64, DEFAULT_REACH, None, 0)
    said = capsys.readouterr().out
    assert told in said
    assert bool(told) == ("are the numbers of --intrinsics those of these images" in said)


def test_pictures_have_the_names_of_their_files(place, tmp_path, monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr(own_refinement, "draw_before_after", lambda rows, out: shown.extend(one.name for one in rows))
    refine(place, tmp_path / "out", values={**QUICK, "epochs": 1})
    assert shown == ["022", "023"]


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
