"""feedback15's own equations and the training of its predictor."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from handbench.datasets.crops import build_crops
from handbench.datasets.torch_dataset import CropDataset, open_crops
from handbench.errors import BadInput
from handbench.loop.crop_data import apply, gather, measure_error_mm
from handbench.methods import State, Trained
from handbench.methods.feedback15 import predict, predictor_loss, train_predictor
from handbench.modules import Augmentation, Feedback15Predictor
from handbench.training.fit import Fit
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing

QUICK = Feedback15Predictor(epochs=12, batch=16, learning_rate=0.003, augmentation=Augmentation(turn_deg=0.0))


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> CropDataset:
    store = tmp_path_factory.mktemp("store") / "train"
    joints_mm = make_listing(80).joints_mm.copy()
    joints_mm[3, 2] = np.nan
    build_crops(make_listing(80, joints_mm=joints_mm), centre="joint", size_px=16, out=store)
    return open_crops(store=store)


def test_equation_5_by_hand() -> None:
    """One weight of 3: pred = 3 for every joint; two frames off by (1, 2, 2) and nothing: mean 4.5, decay 0.1 x 9."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(1, 3, bias=False), nn.Unflatten(1, (1, 3)))
    with torch.no_grad():
        network[1].weight[:] = torch.tensor([[3.0], [0.0], [0.0]])
    joints = torch.tensor([[[2.0, 2.0, -2.0]], [[3.0, 0.0, 0.0]]])
    loss = predictor_loss(network, torch.ones(2, 1, 1, 1), joints, 0.1)
    assert float(loss) == pytest.approx((1 + 4 + 4) / 2 + 0.1 * 9)


def test_frames_without_a_whole_label_are_not_trained_on(crops: CropDataset) -> None:
    data = gather(crops)
    assert len(data["depth"]) == 79
    assert data["depth"].dtype == torch.float16
    assert data["joints"].isfinite().all()


def test_training_lowers_the_error_and_gives_the_same_weights_again(crops: CropDataset, tmp_path: Path) -> None:
    states: list[State] = []
    told: list[float] = []

    def log(metrics: Mapping[str, float], step: int) -> None:
        told.append(metrics["validation_mm"])

    torch.set_num_threads(1)
    for name in ("a", "b"):
        torch.manual_seed(0)
        states.append(train_predictor(crops, QUICK, Fit(5, tmp_path / name, log)))
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    data = gather(crops)
    blank, learned = ({name: k * value for name, value in states[0].items()} for k in (0, 1))
    before_mm, after_mm = (
        measure_error_mm(apply(as_trained(s).build(), data["depth"]), data) for s in (blank, learned)
    )
    assert after_mm < 0.9 * before_mm
    assert told[:12] == told[12:]


def test_predicting_is_the_network_in_parts(crops: CropDataset, tmp_path: Path) -> None:
    settings = Feedback15Predictor(epochs=1, batch=16)
    state = train_predictor(crops, settings, Fit(0, tmp_path, lambda metrics, step: None))
    depth = crops.tensors()["depth"]
    many = depth.repeat(4, 1, 1, 1)
    whole = as_trained(state).build()(many)
    torch.testing.assert_close(predict(as_trained(state), many), whole[None], atol=1e-5, rtol=1e-5)
    assert whole.shape == (320, 16, 3)


def as_trained(state: State) -> Trained:
    return Trained("feedback15.predictor", QUICK, state, joints=16, size_px=16)


def test_a_training_that_diverges_is_refused(tmp_path: Path) -> None:
    build_crops(make_listing(20), centre="joint", size_px=16, out=tmp_path / "store")
    settings = {"epochs": 2, "batch": 4, "learning_rate": 1e30}
    job = Job(kind="feedback15.predictor", module="p", paper="feedback15", settings=settings, seed=0, fold=None)
    with pytest.raises(BadInput, match="expected finite weights at the end of the training"):
        train(job, tmp_path / "store", tmp_path / "out")
    assert not (tmp_path / "out" / "checkpoint.json").exists()


def test_a_killed_training_with_new_settings_starts_anew(tmp_path: Path) -> None:
    """Killed while epoch 1 is told; a longer training with another rate then equals one that nothing disturbed."""
    build_crops(make_listing(20), centre="joint", size_px=16, out=tmp_path / "store")
    first = {"epochs": 3, "batch": 4, "learning_rate": 0.01}
    job = Job(kind="feedback15.predictor", module="p", paper="feedback15", settings=first, seed=0, fold=None)

    def stop(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handbench.training.train.save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt):
            train(job, tmp_path / "store", tmp_path / "a")
    assert list((tmp_path / "a").rglob("epoch.ckpt"))
    other = replace(job, settings={"epochs": 2, "batch": 4, "learning_rate": 0.001})
    for name in ("a", "b"):
        train(other, tmp_path / "store", tmp_path / name)
    tensors = [(tmp_path / name / "checkpoint.safetensors").read_bytes() for name in ("a", "b")]
    assert tensors[0] == tensors[1]


def test_one_labelled_frame_is_too_few(tmp_path: Path) -> None:
    build_crops(make_listing(1), centre="joint", size_px=16, out=tmp_path / "store")
    with pytest.raises(BadInput, match="expected at least two frames with every joint labelled, found 1"):
        train_predictor(
            open_crops(store=tmp_path / "store"), QUICK, Fit(0, tmp_path / "out", lambda metrics, step: None)
        )
