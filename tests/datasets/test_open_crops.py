"""The torch Dataset of a store, as a person's own loop meets it."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from crop_fixtures import make_listing
from torch.utils.data import DataLoader

import handbench
from handbench.conventions import MSRA, NYU
from handbench.datasets.crops import build_crops
from handbench.datasets.store import open_store
from handbench.errors import BadInput


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """An ICVL test store, an NYU one with all 36 joints, and MSRA's three subjects in one store."""
    folder = tmp_path_factory.mktemp("results")
    build_crops(make_listing(10), centre="joint", size_px=16, out=folder / "crop/icvl/joint/test")
    rng = np.random.default_rng(0)
    for convention, split, frames in ((NYU, "test", 4), (MSRA, "all", 9)):
        joints_mm = (rng.normal(0, 30, (frames, len(convention.joints.names), 3)) + np.array([0, 0, 400])).astype(
            np.float32
        )
        camera = convention.camera
        depth_mm = np.full((camera.height, camera.width), 400, np.float32)
        listing = make_listing(
            frames,
            convention=convention,
            split=split,
            joints_mm=joints_mm,
            read_depth=lambda _, depth_mm=depth_mm: depth_mm,
        )
        build_crops(listing, centre="joint", size_px=16, out=folder / "crop" / convention.name / "joint" / split)
    return folder


def test_an_item_by_hand(results):
    crops = handbench.open_crops("icvl", split="test", results=results)
    store = open_store(results / "crop/icvl/joint/test")
    item = crops[3]
    assert {name: tuple(value.shape) for name, value in item.items()} == {
        "depth": (1, 16, 16),
        "joints": (16, 3),
        "centre_mm": (3,),
        "cube_mm": (),
        "patch_from_image": (3, 3),
        "row": (),
    }
    assert item["depth"].dtype == item["joints"].dtype == torch.float32
    np.testing.assert_array_equal(item["depth"][0], store.depth[3].astype(np.float32))
    joints_mm = item["joints"] * item["cube_mm"] / 2 + item["centre_mm"]
    np.testing.assert_allclose(joints_mm, store.joints_mm[3], atol=1e-4)
    assert item["row"] == 3
    # The centre joint is the origin of the cube.
    assert item["joints"][0].abs().max() == 0


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_collates_it(results, workers):
    loader = DataLoader(handbench.open_crops("icvl", results=results), batch_size=4, num_workers=workers)
    batches = list(loader)
    assert [batch["depth"].shape[0] for batch in batches] == [4, 4, 2]
    assert torch.cat([batch["row"] for batch in batches]).tolist() == list(range(10))


def test_resident_tensors_are_the_items(results):
    crops = handbench.open_crops("icvl", results=results)
    whole = crops.tensors()
    for index in range(10):
        for name, value in crops[index].items():
            assert torch.equal(whole[name][index], value)
    assert crops.tensors(torch.float16)["depth"].dtype == torch.float16


def test_msra_leaves_one_subject_out(results):
    train = handbench.open_crops("msra", split="train", fold="P1", results=results)
    test = handbench.open_crops("msra", split="test", fold="P1", results=results)
    assert set(train.subjects) == {"P0", "P2"}
    assert set(test.subjects) == {"P1"}
    assert test.tensors()["row"].tolist() == [1, 4, 7]
    assert sorted(train.names + test.names) == sorted(handbench.open_crops("msra", split="all", results=results).names)


def test_nyu_scored_joints_are_the_fourteen(results):
    crops = handbench.open_crops("nyu", joints="scored", results=results)
    assert crops.joint_names[0] == "F1_KNU3_A"
    assert crops.joint_names[13] == "PALM_3"
    everything = handbench.open_crops("nyu", results=results)
    assert torch.equal(crops[2]["joints"], everything[2]["joints"][list(NYU.scored)])


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"dataset": "nyuu"}, "nyu | icvl"),
        ({"dataset": "icvl", "split": "train"}, "run `handbench crop icvl --root DIR --split train --centre joint"),
        ({"dataset": "icvl", "fold": "P0"}, "no fold for icvl"),
        ({"dataset": "msra", "split": "train"}, "the subject left out .P0, P1, P2."),
        ({"dataset": "msra", "split": "train", "fold": "P8"}, "found 'P8'"),
        ({"dataset": "icvl", "joints": "score"}, "joints='all' . 'scored', found 'score'"),
        ({"dataset": None}, "nyu . icvl .*, found None; .* name a folder with `store`"),
        ({"dataset": "icvl", "store": "x"}, "`store` alone"),
        ({"dataset": "msra", "split": "tset", "fold": "P0"}, "train . test . all"),
    ],
)
def test_what_cannot_be_opened_says_why(results, wanted, message):
    with pytest.raises(BadInput, match=message):
        handbench.open_crops(**wanted, results=results)


def test_importing_handbench_leaves_torch_alone():
    command = "import handbench, sys; print(any(name in sys.modules for name in ('torch', 'numba', 'numpy')))"
    printed = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'open_drops'"):
        _ = handbench.open_drops


def test_a_folder_of_ones_own_opens_whole(results, tmp_path):
    build_crops(make_listing(5), centre="block", size_px=16, out=tmp_path / "crops" / "icvl-test")
    crops = handbench.open_crops(store=tmp_path / "crops" / "icvl-test", joints="scored")
    assert len(crops) == 5
    assert len(handbench.open_crops("icvl", split="test", store=str(tmp_path / "crops" / "icvl-test"))) == 5


def test_a_folder_of_msra_opens_whole_or_by_fold(results):
    store = results / "crop/msra/joint/all"
    assert len(handbench.open_crops(store=store)) == 9
    assert set(handbench.open_crops(store=store, fold="P1").subjects) == {"P1"}
    assert set(handbench.open_crops(store=store, fold="P1", split="train").subjects) == {"P0", "P2"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"dataset": "nyu"}, "expected crops of nyu, found icvl"),
        ({"split": "train"}, "expected the split train, found test"),
        ({"fold": "P0"}, "no fold for icvl"),
        ({"centre": "com"}, "`store` alone"),
    ],
)
def test_words_that_disagree_with_the_folder_are_refused(results, words, message):
    with pytest.raises(BadInput, match=message):
        handbench.open_crops(**words, store=results / "crop/icvl/joint/test")
