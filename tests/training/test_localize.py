"""Crops cut again around what a localizer finds: where the cubes go, what the store says of them, what is refused."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from handbench.cli import main
from handbench.datasets.crops import build_crops
from handbench.datasets.listing import Listing
from handbench.datasets.store import CropStore, open_store
from handbench.errors import BadInput
from handbench.geometry.crop import crop_cube, patch_to_points
from handbench.loop import localization
from handbench.training.checkpoint import load_checkpoint
from handbench.training.localize import KEPT, OUTSIDE, crop_localized
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing, read_fake_depth

FRAMES, SIZE = 300, 16
SETTINGS = {"joint": "middle_root", "epochs": 1, "batch": 8}


def read_with_holes(path: Path) -> np.ndarray:
    """Every hundredth frame shows nothing at all."""
    depth_mm = read_fake_depth(path)
    return depth_mm if int(path.stem.split("_")[1]) % 100 else np.zeros_like(depth_mm)


def make_frames(frames: int = FRAMES, **fields: object) -> Listing:
    return make_listing(frames, read_depth=read_with_holes, **fields)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A localizer trained for a moment, the crops that it looks at, and those cut around what it finds."""
    folder = tmp_path_factory.mktemp("localize")
    build_crops(make_frames(40, split="train"), centre="com", size_px=SIZE, out=folder / "train")
    build_crops(make_frames(), centre="com", size_px=SIZE, out=folder / "first")
    job = Job("feedback19.localizer", "localizer", "feedback19", SETTINGS, seed=0, fold=None)
    train(job, folder / "train", folder / "localizer")
    localize(folder, folder / "localized")
    return folder


def localize(place: Path, out: Path, listing: Listing | None = None, **options: int) -> CropStore:
    crop_localized(listing or make_frames(), place / "localizer", place / "first", size_px=SIZE, out=out, **options)
    return open_store(out)


def test_each_cube_goes_where_the_network_points(place: Path) -> None:
    first, store = open_store(place / "first"), open_store(place / "localized")
    network = load_checkpoint(place / "localizer").trained.build()
    with torch.no_grad():
        u, v, d = network(torch.from_numpy(np.array(first.depth))[:, None].float()).numpy().T
    middle, half = (SIZE - 1) / 2, SIZE / 2
    for row in (1, 57, 199, 256, 299):
        pixel = np.array([u[row] * half + middle, v[row] * half + middle, d[row]], np.float64)
        cube_mm = float(first.cube_mm[row])
        found_mm = patch_to_points(pixel, first.patch_from_image[row], first.centre_mm[row], cube_mm, first.camera)
        np.testing.assert_allclose(store.centre_mm[row], found_mm, atol=0.02)
        depth, _ = crop_cube(
            make_frames().frame(row).depth_mm, store.centre_mm[row], cube_mm, first.camera, size_px=SIZE
        )
        np.testing.assert_array_equal(store.depth[row], depth.astype(np.float16))
    moved_mm = np.linalg.norm(np.asarray(store.centre_mm) - first.centre_mm, axis=1)
    assert np.median(moved_mm) > 0.5, "a localizer that moves nothing would pass as well"
    np.testing.assert_array_equal(store.cube_mm, first.cube_mm)
    np.testing.assert_array_equal(store.joints_mm, first.joints_mm)


def test_the_store_names_its_localizer_and_that_no_truth_was_used(place: Path) -> None:
    centre = open_store(place / "localized").card["protocol"]["centre"]
    sha256 = load_checkpoint(place / "localizer").card["sha256"]
    assert centre == {"strategy": f"localized-{sha256[:12]}", "uses_ground_truth": False}


def test_a_frame_without_a_hand_stays_where_it_is(place: Path) -> None:
    first, store = open_store(place / "first"), open_store(place / "localized")
    assert [note["row"] for note in store.card["notes"]] == [0, 100, 200]
    assert {note["note"] for note in store.card["notes"]} == {f"{KEPT}; nothing measured in the cube"}
    np.testing.assert_array_equal(store.centre_mm[::100], first.centre_mm[::100])


def test_a_localizer_that_points_out_of_the_cube_is_noted(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def point_far(network: torch.nn.Module, depth: torch.Tensor) -> torch.Tensor:
        return torch.tensor([0.0, 0.0, 1.5]).expand(len(depth), 3)

    monkeypatch.setattr(localization, "apply", point_far)
    store = localize(place, tmp_path / "out")
    np.testing.assert_array_equal(store.centre_mm, open_store(place / "first").centre_mm)
    assert [note["note"] for note in store.card["notes"]].count(OUTSIDE) == FRAMES - 3


def test_the_number_of_jobs_changes_nothing(place: Path, tmp_path: Path) -> None:
    store = localize(place, tmp_path / "two", jobs=2)
    assert store.card == open_store(place / "localized").card


def test_another_localizer_goes_on_with_nothing(place: Path, tmp_path: Path) -> None:
    """Half of a build is of use to the same localizer alone: its name is part of what the build is of."""
    job = Job("feedback19.localizer", "localizer", "feedback19", SETTINGS, seed=1, fold=None)
    train(job, place / "train", tmp_path / "other")
    crop_localized(make_frames(), tmp_path / "other", place / "first", size_px=SIZE, out=tmp_path / "out")
    stores = [open_store(folder) for folder in (tmp_path / "out", place / "localized")]
    words = [store.card["protocol"]["centre"]["strategy"] for store in stores]
    assert words[0] != words[1]
    assert not np.array_equal(stores[0].centre_mm, stores[1].centre_mm)


def test_the_truth_of_the_first_crops_is_told(place: Path, tmp_path: Path) -> None:
    for split, frames in (("train", 40), ("test", 20)):
        listing = make_frames(frames, split=split)
        build_crops(listing, centre="joint", size_px=SIZE, out=tmp_path / split)
    job = Job("feedback19.localizer", "localizer", "feedback19", SETTINGS, seed=0, fold=None)
    train(job, tmp_path / "train", tmp_path / "localizer")
    out = tmp_path / "out"
    crop_localized(make_frames(20), tmp_path / "localizer", tmp_path / "test", size_px=SIZE, out=out)
    assert open_store(out).card["protocol"]["centre"]["uses_ground_truth"] is True


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda listing: dataclasses.replace(listing, split="train"), "expected crops of the frames of icvl train"),
        (
            lambda listing: dataclasses.replace(listing, names=(*listing.names[1:], "other_0001.png")),
            "found others of their number or names; name the store that was cut from these files",
        ),
        (lambda listing: make_frames(FRAMES - 1), "found others of their number or names"),
    ],
    ids=["split", "names", "number"],
)
def test_crops_of_other_frames_are_one_line(
    place: Path, tmp_path: Path, change: Callable[[Listing], Listing], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        localize(place, tmp_path / "out", change(make_frames()))
    assert not (tmp_path / "out").exists()


def test_crops_that_the_localizer_does_not_know_are_one_line(place: Path, tmp_path: Path) -> None:
    build_crops(make_frames(), centre="joint", size_px=SIZE, out=tmp_path / "joint")
    with pytest.raises(BadInput, match="expected centre com, as in training, found joint"):
        crop_localized(make_frames(), place / "localizer", tmp_path / "joint", size_px=SIZE, out=tmp_path / "out")


def test_a_frame_that_the_first_crop_skipped_is_skipped_again(place: Path, tmp_path: Path) -> None:
    listing = make_listing(20, bad={4: "missing"})
    build_crops(listing, centre="com", size_px=SIZE, out=tmp_path / "first", allow_skips=1)
    words = {"size_px": SIZE, "out": tmp_path / "out"}
    with pytest.raises(BadInput, match="missing_0004"):
        crop_localized(listing, place / "localizer", tmp_path / "first", **words)
    crop_localized(listing, place / "localizer", tmp_path / "first", allow_skips=1, **words)
    assert open_store(tmp_path / "out").row.tolist() == [row for row in range(20) if row != 4]


def test_a_frame_that_was_mended_since_the_first_crop_is_one_line(place: Path, tmp_path: Path) -> None:
    broken = make_listing(20, bad={4: "missing"})
    build_crops(broken, centre="com", size_px=SIZE, out=tmp_path / "first", allow_skips=1)
    mended = dataclasses.replace(
        broken, read_depth=lambda path: read_fake_depth(Path(path.name.replace("missing", "image")))
    )
    with pytest.raises(BadInput, match=r"found none of missing_0004\.png; run the first crop again"):
        crop_localized(mended, place / "localizer", tmp_path / "first", size_px=SIZE, out=tmp_path / "out")


def test_a_checkpoint_of_another_kind_is_one_line(place: Path, tmp_path: Path) -> None:
    job = Job("nearest_neighbour", "nn", "crossing", {"components": 4}, seed=0, fold=None)
    train(job, place / "train", tmp_path / "nn")
    with pytest.raises(BadInput, match=r"expected a checkpoint of feedback19\.localizer, found nearest_neighbour"):
        crop_localized(make_frames(), tmp_path / "nn", place / "first", size_px=SIZE, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--centre", "localized"], "found --centre localized; --localizer names"),
        (["--centre", "localized", "--localizer", "x"], "found --localizer and --centre localized; --localizer names"),
        (["--centre", "com", "--localizer", "x"], "found --localizer and --centre com; --localizer names"),
        (["--centre", "com", "--store", "x"], "found --store and --centre com; --localizer names"),
    ],
)
def test_what_belongs_together_on_the_command_line(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["crop", "icvl", "--root", "raw", "--split", "test", "--out", "o", *words]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
