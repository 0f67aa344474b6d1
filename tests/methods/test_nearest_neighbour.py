"""Nearest-neighbour search (crossing 5.3): components against an exact decomposition, neighbours by hand."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningModule

from handbench.datasets.crops import build_crops
from handbench.datasets.torch_dataset import open_crops
from handbench.errors import BadInput
from handbench.methods import Trained
from handbench.methods.nearest_neighbour import build_model, find_components, find_nearest, predict, project, train
from handbench.modules import NearestNeighbour
from tests.datasets.crop_fixtures import make_listing


class Listener:
    """A run that remembers what it is told."""

    seed = 0
    needs: tuple[Trained, ...] = ()
    poses = None
    quaternions = None

    def __init__(self) -> None:
        self.told: dict[str, float] = {}

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.told.update(metrics)

    def remark(self, text: str) -> None:
        raise AssertionError("nothing to remark")

    def fit(self, module: LightningModule, data: Mapping[str, torch.Tensor], *, epochs: int, batch: int) -> None:
        raise AssertionError("nothing to fit")


def make_patches(frames: int, pixels: int, rank: int) -> torch.Tensor:
    """Patches of a few strong directions and a little noise, as depth has."""
    rng = np.random.default_rng(0)
    strong = rng.normal(size=(frames, rank)) * np.geomspace(10, 1, rank)
    return torch.from_numpy(strong @ rng.normal(size=(rank, pixels)) + 0.1 * rng.normal(size=(frames, pixels))).float()


def test_three_points_on_a_line_by_hand() -> None:
    depth = torch.tensor([[0.0, 0.0, 1.0], [3.0, 4.0, 1.0], [6.0, 8.0, 1.0]])
    mean, basis, explained = find_components(depth, 1)
    assert mean.tolist() == [3.0, 4.0, 1.0]
    # Along (3, 4, 0) / 5; the largest entry, 0.8, is made positive.
    torch.testing.assert_close(basis, torch.tensor([[0.6, 0.8, 0.0]]), atol=1e-6, rtol=0)
    assert explained == pytest.approx(1.0, abs=1e-6)
    torch.testing.assert_close(project(depth, mean, basis)[:, 0], torch.tensor([-5.0, 0.0, 5.0]), atol=1e-5, rtol=0)


def test_components_are_those_of_an_exact_decomposition() -> None:
    torch.manual_seed(0)
    depth = make_patches(200, 500, 12)
    _, basis, explained = find_components(depth, 12)
    centred = (depth - depth.mean(dim=0)).double()
    _, singular, right = torch.linalg.svd(centred, full_matrices=False)
    alike = (basis.double() * right[:12]).sum(dim=1).abs()
    assert alike.min() > 0.999
    exact = float(singular[:12].square().sum() / singular.square().sum())
    assert explained == pytest.approx(exact, rel=1e-3)
    torch.testing.assert_close(basis @ basis.T, torch.eye(12), atol=1e-4, rtol=0)


def test_what_is_explained_comes_near_the_exact_share_when_many_components_are_alike() -> None:
    """Noise is the hard case: all directions explain the same."""
    torch.manual_seed(0)
    depth = torch.randn(300, 400)
    _, _, explained = find_components(depth, 64)
    singular = torch.linalg.svdvals(depth - depth.mean(dim=0))
    exact = float(singular[:64].square().sum() / singular.square().sum())
    assert 0.93 * exact < explained <= exact * 1.0001


@pytest.mark.parametrize(("frames", "pixels", "asked", "kept"), [(5, 40, 512, 4), (40, 6, 512, 6), (40, 30, 3, 3)])
def test_no_more_components_than_there_are(frames: int, pixels: int, asked: int, kept: int) -> None:
    _, basis, _ = find_components(torch.randn(frames, pixels), asked)
    assert basis.shape == (kept, pixels)
    assert basis.isfinite().all()


def test_patches_that_are_all_alike() -> None:
    mean, basis, explained = find_components(torch.full((4, 9), 0.5), 2)
    assert mean.tolist() == [0.5] * 9
    assert basis.isfinite().all()
    assert explained == 0.0


def test_the_nearest_by_hand_and_by_a_loop() -> None:
    features = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0], [0.0, 0.0]])
    queries = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, -1.0]])
    assert find_nearest(queries, features).tolist() == [1, 2, 0]
    generator = torch.Generator().manual_seed(1)
    features, queries = torch.randn(50, 7, generator=generator), torch.randn(20, 7, generator=generator)
    by_loop = [int(np.argmin([float((q - y).square().sum()) for y in features])) for q in queries]
    assert find_nearest(queries, features).tolist() == by_loop


def test_a_training_frame_finds_itself(tmp_path: Path) -> None:
    build_crops(make_listing(30), centre="joint", size_px=16, out=tmp_path / "store")
    crops = open_crops(store=tmp_path / "store")
    run, settings = Listener(), NearestNeighbour(components=20)
    torch.manual_seed(0)
    state = train(crops, settings, run)
    tensors = crops.tensors()
    trained = Trained("nearest_neighbour", settings, state, joints=16, size_px=16)
    torch.testing.assert_close(predict(trained, tensors["depth"]), tensors["joints"][None])
    torch.testing.assert_close(build_model(trained)(tensors["depth"]), tensors["joints"])
    assert run.told["components"] == 20
    assert run.told["candidates"] == 30
    assert 0.9 < run.told["explained_variance"] <= 1


def test_frames_without_a_whole_label_are_no_candidates(tmp_path: Path) -> None:
    listing = make_listing(6)
    joints_mm = listing.joints_mm.copy()
    joints_mm[2, 5] = np.nan
    build_crops(make_listing(6, joints_mm=joints_mm), centre="joint", size_px=16, out=tmp_path / "store")
    crops = open_crops(store=tmp_path / "store")
    state = train(crops, NearestNeighbour(), Listener())
    assert len(state["features"]) == 5
    trained = Trained("nearest_neighbour", NearestNeighbour(), state, joints=16, size_px=16)
    assert predict(trained, crops.tensors()["depth"]).isfinite().all()
    joints_mm[:5, 3] = np.nan
    build_crops(make_listing(6, joints_mm=joints_mm), centre="joint", size_px=16, out=tmp_path / "bare")
    with pytest.raises(BadInput, match="expected at least two frames with every joint labelled, found 1"):
        train(open_crops(store=tmp_path / "bare"), NearestNeighbour(), Listener())
