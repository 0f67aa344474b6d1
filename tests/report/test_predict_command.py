"""`handbench predict --model` from the command line: a checkpoint, somebody's images, and what is refused."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from handbench.cli import main
from handbench.conventions import ICVL, Camera
from handbench.datasets.crops import build_crops
from handbench.errors import BadInput
from handbench.geometry.crop import crop_cube, patch_to_points
from handbench.training.checkpoint import find_checkpoint, load_checkpoint
from handbench.training.localize import crop_localized
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
        (["hand.png", "--cube", "nan"], "cube: expected an edge of 50 to 1000 mm, found nan"),
        (["hand.png", "--cube", "-5"], "cube: expected an edge of 50 to 1000 mm, found -5"),
        (["hand.png", "--cube", "0.3"], "cube: expected an edge of 50 to 1000 mm, found 0.3"),
        (["hand.png", "--centre", "0", "0", "400", "--near", "10"], "expected --near and --far, or --centre"),
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


def test_a_bad_frame_among_good_ones_is_a_line_and_a_status(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(place / name) for name in ("nothing.png", "hand.png")]
    words = ["predict", "--model", str(place / "model"), *files, "--no-pictures", "--out", str(tmp_path)]
    assert main(words) == 1
    [line, warning, summary] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"left out: {place / 'nothing.png'}: expected")
    assert "has learned in cubes around the labelled palm" in warning
    assert summary.startswith("handbench: predict: expected a hand in each of 2 files, found 1 without, named above;")
    with (tmp_path / "joints.csv").open(newline="") as file:
        assert {row["frame"] for row in csv.DictReader(file)} == {"hand"}


def test_the_line_of_the_readme(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--camera takes every word behind it: with the image there, the line says where it belongs."""
    model = ["predict", "--model", str(place / "model")]
    camera, out = ["--camera", "240", "240", "160", "120"], ["--out", str(tmp_path / "out")]
    assert main([*model, str(place / "hand.png"), *camera, *out]) == 0
    capsys.readouterr()
    assert main([*model, *camera, str(place / "hand.png"), *out]) == 1
    assert "expected depth images, or with --store checkpoints, found none; name them before" in capsys.readouterr().err
    lines = (Path(__file__).parents[2] / "README.md").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("handbench predict --model")]
    assert line.index("depth.png") < line.index("--camera")


def test_pictures_do_not_fall_among_the_frames(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--model", str(place / "model"), str(place), "--out", str(place)]) == 1
    assert "expected --out beside the frames, found their folder" in capsys.readouterr().err


def test_a_model_by_its_name(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seeds = [Path("results", "demo-embedded", "train", "icvl", "predictor", f"seed{seed}") for seed in (0, 1)]
    shutil.copytree(place / "model", seeds[0])
    for word in ("predictor", str(seeds[0].parent), str(seeds[0]), str(seeds[0] / "checkpoint.json")):
        assert find_checkpoint(Path(word)) == seeds[0]
    shutil.copytree(place / "model", seeds[1])
    with pytest.raises(BadInput, match=r"found results/.*/predictor/seed0, results/.*/seed1; name one of"):
        find_checkpoint(Path("predictor"))
    with pytest.raises(BadInput, match="found none; run `handbench train`"):
        find_checkpoint(Path("nobody"))


def test_words_of_own_images_do_not_go_with_a_store(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["predict", str(place / "model"), "--store", str(place / "store"), "--out", str(tmp_path), "--cube", "200"]
    assert main(words) == 1
    assert "expected --model with --cube, found --store" in capsys.readouterr().err


@pytest.fixture(scope="module")
def localized(place: Path) -> Path:
    """A localizer, and a predictor that learned from the crops around what it finds."""
    listing = make_listing(20, split="train")
    build_crops(listing, centre="com", size_px=16, out=place / "com")
    settings = {"epochs": 1, "batch": 8}
    for seed in (0, 1):
        job = Job("feedback19.localizer", "loc", "feedback19", settings | {"joint": "middle_root"}, seed, None)
        train(job, place / "com", place / f"localizer{seed}")
    crop_localized(listing, place / "localizer0", place / "com", size_px=16, out=place / "cut")
    train(Job("feedback15.predictor", "sharp", "feedback15", settings, 0, None), place / "cut", place / "sharp")
    return place


def test_a_model_of_localized_crops_is_given_its_localizer(localized: Path, tmp_path: Path) -> None:
    """The cube that is written lies where the localizer points, in the crop around the centre of mass."""
    hand, words = localized / "hand.png", ["--no-pictures", "--camera", "240", "240", "160", "120", "--cube", "200"]
    model = ["predict", "--model", str(localized / "sharp"), "--localizer", str(localized / "localizer0"), *words]
    assert main([*model, "--out", str(tmp_path), "--", str(hand)]) == 0
    cube = json.loads((tmp_path / "joints.json").read_text())["frames"][0]["cube"]
    camera = Camera(240.0, 240.0, 160.0, 120.0, 320, 240)
    # The hand covers 60 pixels, 120 mm, at 480 mm; of the wall behind it nothing lies within reach of the cube.
    depth_mm = np.full((240, 320), 1200, np.float32)
    depth_mm[90:150, 130:190] = 480
    first_mm = np.float32([-1, -1, 480])
    depth, patch_from_image = crop_cube(depth_mm, first_mm, 200.0, camera, size_px=16)
    network = load_checkpoint(localized / "localizer0").trained.build()
    with torch.no_grad():
        u, v, d = network(torch.from_numpy(depth)[None, None])[0].tolist()
    pixel = np.array([8 * u + 7.5, 8 * v + 7.5, d])
    found_mm = patch_to_points(pixel, patch_from_image, first_mm, 200.0, camera)
    assert np.abs(found_mm - first_mm).max() > 0.5
    assert cube["edge"] == 200
    np.testing.assert_allclose(cube["centre"], found_mm, atol=0.1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "sharp"], "expected --localizer with the checkpoint that made its crops (sha256 "),
        (["--model", "sharp", "--localizer", "localizer1"], "found one of localized-"),
        (["--model", "model", "--localizer", "localizer0"], "found one of joint crops; leave --localizer out"),
        (
            ["--model", "sharp", "--localizer", "model"],
            "expected a checkpoint of feedback19.localizer, found feedback15",
        ),
        (["--store", "com", "--localizer", "localizer0"], "expected --model with --localizer, found --store"),
    ],
)
def test_the_wrong_localizer_is_one_line(
    localized: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    named = [word if word.startswith("-") else str(localized / word) for word in words]
    assert main(["predict", str(localized / "hand.png"), *named, "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_ready_crop_needs_no_localizer(localized: Path, tmp_path: Path) -> None:
    """Where its cube lies is for the person to say."""
    patch = np.full((16, 16), 255, np.uint8)
    patch[4:12, 4:12] = 127
    assert cv2.imwrite(str(tmp_path / "crop.png"), patch)
    words = ["--centre", "0", "0", "500", "--cube", "200", "--no-pictures", "--out", str(tmp_path / "out")]
    assert main(["predict", "--model", str(localized / "sharp"), *words, "--", str(tmp_path / "crop.png")]) == 0


def test_a_model_without_joints_is_refused(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"epochs": 1, "batch": 8, "filters": 2}
    job = Job("feedback19.synthesizer", "synthesizer", "feedback19", settings, seed=0, fold=None)
    train(job, place / "store", tmp_path / "synthesizer")
    words = ["predict", "--model", str(tmp_path / "synthesizer"), str(place / "hand.png"), "--out", str(tmp_path / "o")]
    assert main(words) == 1
    assert "expected a checkpoint that gives joints, found feedback19.synthesizer" in capsys.readouterr().err
