"""`handbench walk` from the command line: a checkpoint, two frames, and what is refused."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from handbench.cli import main
from handbench.crossing_modules import CrossingEstimator
from handbench.datasets.crops import build_crops
from handbench.datasets.files import digest_file
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.datasets.torch_dataset import open_crops
from handbench.methods import keep
from handbench.networks.crossing import CrossingNets
from handbench.networks.depth_gan import Alignment, Discriminator, Generator, RenderRoute
from handbench.networks.pose_vae import PoseVae
from handbench.training.checkpoint import load_checkpoint, save_checkpoint
from handbench.training.latent_pictures import take_latent_pictures
from handbench.training.picture_file import as_levels, read_pictures, save_pictures
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing

SIZE_PX = 32


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks of ICVL's joints that know the mean pose alone, and somebody's images."""
    folder = tmp_path_factory.mktemp("walk")
    for split in ("train", "test"):
        build_crops(make_listing(24, split=split), centre="com", size_px=SIZE_PX, out=folder / split)
    crops = open_crops(store=folder / "train", joints="scored")
    vae = PoseVae(16, 0, seed=0)
    vae.start_at(crops.joints)
    route = RenderRoute(Alignment(seed=1), Generator(SIZE_PX, seed=2))
    network = CrossingNets(vae, route, Discriminator(SIZE_PX, seed=3), 16)
    card = {"kind": "crossing.estimator", "module": "crossing", "paper": "crossing", "seed": 0, "fold": None}
    card |= {"settings": CrossingEstimator().model_dump(mode="json"), "dataset": "icvl", "size_px": SIZE_PX}
    card |= {"centre": crops.store.card["protocol"]["centre"], "joints": list(scored_skeleton("icvl").names)}
    save_checkpoint(folder / "model", keep(network), card | {"source": "embedded"})
    job = Job("feedback15.predictor", "predictor", "feedback15", {"epochs": 1, "batch": 8}, seed=0, fold=None)
    train(job, folder / "train", folder / "other")
    for name, left, far_mm in (("near", 130, 480), ("far", 170, 560)):
        depth_mm = np.full((240, 320), 1200, np.uint16)
        depth_mm[90:150, left : left + 60] = far_mm
        assert cv2.imwrite(str(folder / f"{name}.png"), depth_mm)
    return folder


def test_between_two_images(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = ["--frames", str(place / "near.png"), str(place / "far.png")]
    assert main(["walk", str(place / "model"), *frames, "--out", str(tmp_path / "out")]) == 0
    assert "crossing: 50 points, steps of " in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"walk.{end}" for end in ("csv", "gif", "pdf", "png")
    ]
    with Image.open(tmp_path / "out" / "walk.gif") as moving:
        assert moving.n_frames == 98
    assert cv2.imread(str(tmp_path / "out" / "walk.png")).shape[1] == 1224
    joints = pd.read_csv(tmp_path / "out" / "walk.csv")
    assert len(joints) == 50 * 16
    palm = joints[joints["joint"] == "palm"].set_index("point")
    # The mean pose goes with the cube, from one hand's place to the other's.
    assert palm.loc[50, "z_mm"] - palm.loc[1, "z_mm"] == pytest.approx(80, abs=15)
    assert palm["z_mm"].is_monotonic_increasing
    assert palm["step_mm"].isna().tolist() == [True] + [False] * 49


def test_between_two_rows_of_a_store(place: Path, tmp_path: Path) -> None:
    rows = ["--store", str(place / "test"), "--rows", "3", "17"]
    assert main(["walk", str(place / "model"), *rows, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "walk.gif").is_file()
    assert "frame 3 and frame 17" in pd.read_csv(tmp_path / "walk.csv")["stamp"].iloc[0]


FRAMES = ["model", "--frames", "near.png", "far.png"]
STORE = ["model", "--store", "test"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["other", "--frames", "near.png", "far.png"], "expected a checkpoint of crossing.estimator, found feedback15"),
        (["model", "--frames", "near.png", "absent.png"], "absent.png: expected"),
        ([*FRAMES, "--camera", "nyu"], "expected 640x480 pixels"),
        (
            ["model", "--frames", "near.png", "far.png", "--far", "300"],
            "expected a hand 200 to 300 mm before the camera",
        ),
        ([*FRAMES, "--cube", "0.3"], "cube: expected an edge of 50 to 1000 mm"),
        (
            ["model", "--frames", "near.png", "far.png", "--rows", "1", "2"],
            "expected --store with --rows, found --frames",
        ),
        (STORE, "expected --store with --rows, found --store alone"),
        ([*STORE, "--rows", "1", "2", "--near", "10"], "found --near with it"),
        ([*STORE, "--rows", "1", "99"], "expected rows from 0 to 23, found 99"),
        (["model", "--store", "absent", "--rows", "1", "2"], "absent: expected"),
        (
            ["model", "--frames", "near.png", "far.png", "--centre", "0", "0", "400", "--near", "9"],
            "--near and --far, or",
        ),
    ],
)
def test_one_clear_line(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    known = ("model", "other", "test", "absent")
    named = [str(place / word) if word in known or word.endswith(".png") else word for word in words]
    assert main(["walk", *named, "--out", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    rows = ["--store", str(place / "test"), "--rows", "0", "1"]
    assert main(["walk", str(place / "model"), *rows, "--out", str(tmp_path / "file")]) == 1
    assert "expected a folder that can be written" in capsys.readouterr().err


def test_pictures_of_a_probe_show_frames_by_way_of_latents(place: Path, tmp_path: Path) -> None:
    trained = load_checkpoint(place / "model").trained
    crops, learned = (open_crops(store=place / split, joints="scored") for split in ("test", "train"))
    pictures = take_latent_pictures(trained, crops, learned)
    assert pictures.steps == ("reconstruction", "estimate")
    assert pictures.rows.tolist() == [0, 4, 8, 12, 16, 20]
    network, tensors = trained.build(), crops.tensors()
    assert isinstance(network, CrossingNets)
    latents = network.vae.encode(tensors["joints"][pictures.rows]).centre()
    drawn = network.draw(latents).detach()[:, 0]
    np.testing.assert_array_equal(pictures.drawn[:, 0], as_levels(drawn.numpy()))
    poses = network.decode(network.estimate(tensors["depth"][pictures.rows]))
    off_mm = ((poses - tensors["joints"][pictures.rows]).norm(dim=-1).mean(dim=1) * 125).detach()
    np.testing.assert_allclose(pictures.pose_mm[:, 1], off_mm, rtol=1e-2)
    walk = pictures.walk
    assert walk is not None
    assert walk.rows.tolist() == [0, 12]
    np.testing.assert_array_equal(walk.camera, as_levels(tensors["depth"][[0, 12], 0].numpy()))
    save_pictures(tmp_path / "pictures.npz", pictures)
    read = read_pictures(tmp_path / "pictures.npz", digest_file(tmp_path / "pictures.npz")).walk
    assert read is not None
    assert all(np.array_equal(getattr(read, name), getattr(walk, name)) for name in vars(walk))
