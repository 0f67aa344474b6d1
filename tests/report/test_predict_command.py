"""`handbench predict --model` from the command line: a checkpoint, somebody's images, and what is refused."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from handbench.cli import main
from handbench.conventions import ICVL
from handbench.datasets.crops import build_crops
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor of ICVL's joints, and a square hand before a wall as a 16-bit image."""
    folder = tmp_path_factory.mktemp("own")
    build_crops(make_listing(20, split="train"), centre="joint", size_px=16, out=folder / "store")
    settings = {"epochs": 1, "batch": 8}
    job = Job("feedback15.predictor", "predictor", "feedback15", settings, seed=0, fold=None)
    train(job, folder / "store", folder / "model")
    depth_mm = np.full((240, 320), 1200, np.uint16)
    depth_mm[90:150, 130:190] = 480
    assert cv2.imwrite(str(folder / "hand.png"), depth_mm)
    assert cv2.imwrite(str(folder / "nothing.png"), np.zeros((240, 320), np.uint16))
    return folder


def test_joints_and_pictures_of_an_image(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["predict", "--model", str(place / "model"), str(place / "hand.png"), "--out", str(tmp_path)]
    assert main(words) == 0
    assert "predictor: 1 frame, 0 iterations" in capsys.readouterr().out
    with (tmp_path / "joints.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16
    # Trained for a moment on noise, it knows no hands; but a joint's pixel and millimetres are one place. What lies
    # behind the camera has no pixel.
    seen = [row for row in rows if row["u_px"]]
    assert len(seen) == sum(float(row["z_mm"]) > 0 for row in rows)
    for row in seen:
        x, z, u = (float(row[key]) for key in ("x_mm", "z_mm", "u_px"))
        assert u == pytest.approx(ICVL.camera.fx * x / z + ICVL.camera.cx, rel=1e-4, abs=0.05)
    assert list(tmp_path.glob("hand-iteration*.png"))


def test_without_pictures(place: Path, tmp_path: Path) -> None:
    words = ["predict", "--model", str(place / "model"), str(place / "hand.png"), "--out", str(tmp_path)]
    assert main([*words, "--no-pictures", "--camera", "240", "240", "160", "120", "--cube", "180"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["joints.csv", "joints.json"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["nothing.png"], "nothing.png: expected"),
        (["hand.png", "--far", "300"], "expected a hand 200 to 300 mm before the camera"),
        (["hand.png", "--near", "900", "--far", "300"], "expected 0 < --near < --far in millimetres, found 900 to 300"),
        (["hand.png", "--camera", "nyuu"], "camera: expected"),
        (["hand.png", "--camera", "nyu"], "expected 640x480 pixels, as its camera has, found 320x240"),
        (["hand.png", "--camera", "icvl", "--centre", "0", "0", "400"], "expected --camera or --centre, found both"),
        (["absent.png"], "absent.png: expected"),
    ],
)
def test_one_clear_line(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    files = [str(place / more[0]), *more[1:]]
    assert main(["predict", "--model", str(place / "model"), *files, "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_words_of_own_images_do_not_go_with_a_store(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(place / "model"), "--store", str(place / "store"), "--out", str(tmp_path), "--cube", "200"]
    assert main(words) == 1
    assert "expected --model with --cube, found --store" in capsys.readouterr().err


def test_a_model_without_joints_is_refused(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"epochs": 1, "batch": 8, "filters": 2}
    job = Job("feedback19.synthesizer", "synthesizer", "feedback19", settings, seed=0, fold=None)
    train(job, place / "store", tmp_path / "synthesizer")
    words = ["predict", "--model", str(tmp_path / "synthesizer"), str(place / "hand.png"), "--out", str(tmp_path / "o")]
    assert main(words) == 1
    assert "expected a checkpoint that gives joints, found feedback19.synthesizer" in capsys.readouterr().err
