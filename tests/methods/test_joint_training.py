"""Eqs. 11 to 13 of feedback19: three networks trained as one, from those trained apart or from random ones."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from handbench.datasets.crops import build_crops
from handbench.datasets.torch_dataset import open_crops
from handbench.errors import BadInput
from handbench.evaluation.probes import compare_images, read_probes
from handbench.loop.iteration import FeedbackLoop
from handbench.methods import Trained
from handbench.methods.feedback19 import joint_loss, train_jointly
from handbench.modules import Feedback19Joint
from handbench.networks.deepprior_plus import DeepPriorPlus
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2019
from handbench.training import fit as training_fit
from handbench.training.checkpoint import load_checkpoint
from handbench.training.fit import Fit
from handbench.training.predict import predict
from handbench.training.prediction_file import read_steps
from handbench.training.probe import probe
from handbench.training.train import Job, train
from tests.datasets.crop_fixtures import make_listing
from tests.methods.chain_fixtures import PARTS, find_parts, make_job

FRAMES, JOINTS, SIZE_PX = 8, 16, 16


def make_loop() -> FeedbackLoop:
    """Two iterations; the updater's outputs and the synthesizer's images are no longer as small as they start."""
    predictor = DeepPriorPlus(JOINTS, SIZE_PX, components=5, stage_filters=(8, 8), modules=1, dropout=0.0)
    loop = FeedbackLoop(predictor, Synthesizer(JOINTS, SIZE_PX, tanh=True, filters=2), Updater2019(JOINTS, SIZE_PX), 2)
    with torch.no_grad():
        loop.updater.output.weight.mul_(5)
        loop.synthesizer.images[-1].convolution.weight.mul_(5)
    return loop


def make_batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    depth = torch.rand(FRAMES, 1, SIZE_PX, SIZE_PX, generator=generator) * 2 - 1
    return depth, torch.randn(FRAMES, JOINTS, 3, generator=generator) / 3


def test_equations_11_to_13_term_by_term() -> None:
    loop, (depth, joints) = make_loop().eval(), make_batch()
    total = 0.0
    for frame in range(FRAMES):
        seen = depth[frame : frame + 1]
        pose = loop.predictor(seen)
        for _ in range(2):
            pose = pose + loop.updater(seen, loop.synthesizer(pose))
        for joint in range(JOINTS):
            for axis in range(3):
                total += (pose[0, joint, axis] - joints[frame, joint, axis]).item() ** 2
    assert joint_loss(loop, depth, joints).item() == pytest.approx(total / FRAMES, rel=1e-4)
    moved = (loop(depth) - loop.predictor(depth)).abs().max()
    assert float(moved) > 0.01, "an updater that does nothing would pass as well"


def test_the_gradient_reaches_all_three_networks() -> None:
    loop = make_loop().train()
    joint_loss(loop, *make_batch()).backward()
    # Images of lower resolutions are drawn in layer-wise training alone.
    idle = [name for name, weights in loop.named_parameters() if weights.grad is None]
    assert {name.rpartition(".")[0].removesuffix(".convolution") for name in idle} == {"synthesizer.images.0"}
    for network in (loop.predictor, loop.synthesizer, loop.updater):
        found = [weights.grad for weights in network.parameters() if weights.grad is not None]
        assert all(gradient.isfinite().all() for gradient in found)
        assert sum(float(gradient.abs().sum()) for gradient in found) > 0


def test_the_gradient_of_the_predictor_passes_the_images() -> None:
    """Were the images constants, dp(n)/dp(0) would be one: what differs has come through the synthesizer."""
    loop, (depth, joints) = make_loop().eval(), make_batch()
    start = loop.predictor(depth).detach().requires_grad_()
    pose = start
    for _ in range(2):
        pose = pose + loop.updater(depth, loop.synthesizer(pose))
    (pose - joints).square().sum().backward()
    assert start.grad is not None
    assert not torch.allclose(start.grad, 2 * (pose - joints).detach(), rtol=1e-3)


def test_one_batch_can_be_learned_by_heart() -> None:
    loop, (depth, joints) = make_loop().train(), make_batch()
    descent = torch.optim.Adam(loop.parameters(), lr=0.001)
    losses = []
    for _ in range(60):
        loss = joint_loss(loop, depth, joints)
        descent.zero_grad()
        loss.backward()
        descent.step()
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 10


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops, the three networks trained apart, and the loop of them."""
    folder = tmp_path_factory.mktemp("joint")
    build_crops(make_listing(40, split="train"), centre="joint", size_px=SIZE_PX, out=folder / "train")
    build_crops(make_listing(12), centre="joint", size_px=SIZE_PX, out=folder / "test")
    for part in PARTS:
        job = make_job(part, "feedback19", find_parts(folder, "feedback19", part))
        train(job, folder / "train", folder / f"feedback19_{part}")
    needs = find_parts(folder, "feedback19")
    loop = Job("feedback_loop", "feedback19", "feedback19", {"iterations": 3}, seed=0, fold=None, needs=needs)
    train(loop, folder / "train", folder / "feedback19")
    for name, random_start in (("joint", False), ("joint_random", True)):
        train_joint(folder, folder / f"feedback19_{name}", random_start=random_start)
    return folder


def train_joint(place: Path, out: Path, **changes: Any) -> str:
    return train(make_job("joint", "feedback19", find_parts(place, "feedback19"), **changes), place / "train", out)


def test_without_a_step_it_is_the_loop_of_its_needs(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fit, "fit", lambda *_, **__: None)
    train_joint(place, tmp_path / "joint")
    steps_mm = []
    for name, folder in (("joint", tmp_path / "joint"), ("loop", place / "feedback19")):
        predict([folder], place / "test", tmp_path / f"{name} predicted")
        steps_mm.append(read_steps(tmp_path / f"{name} predicted" / "predictions.npz"))
    assert steps_mm[0].shape == (4, 12, JOINTS, 3)
    assert np.array_equal(*steps_mm)


@pytest.mark.parametrize("module", ["feedback19_joint", "feedback19_joint_random"])
def test_the_checkpoint_holds_three_networks_as_training_left_them(place: Path, module: str) -> None:
    checkpoint = load_checkpoint(place / module)
    assert [one["module"] for one in checkpoint.card["parts"]] == [f"feedback19_{part}" for part in PARTS]
    for part, held in zip(PARTS, checkpoint.trained.parts, strict=True):
        apart = load_checkpoint(place / f"feedback19_{part}").state
        assert held.state.keys() == apart.keys()
        assert any(not torch.equal(value, apart[name]) for name, value in held.state.items()), part


class Run:
    """A training run that makes no step."""

    seed = 3
    poses = None
    quaternions = None

    def __init__(self, needs: tuple[Trained, ...]) -> None:
        self.needs = needs

    def log(self, metrics: Any, step: int) -> None: ...

    def remark(self, text: str) -> None: ...

    def fit(self, module: Any, data: Any, **counts: Any) -> None: ...


def test_a_random_start_takes_the_sizes_of_its_needs_and_not_their_weights(place: Path) -> None:
    crops = open_crops(store=place / "train", joints="scored")
    needs = tuple(load_checkpoint(folder).trained for folder in find_parts(place, "feedback19"))
    others = tuple(replace(one, state={name: value + 1 for name, value in one.state.items()}) for one in needs)
    settings = Feedback19Joint(random_start=True)
    first, second = (train_jointly(crops, settings, Run(given)) for given in (needs, others))
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    apart = {f"{number}/{name}": value for number, one in enumerate(needs) for name, value in one.state.items()}
    assert apart.keys() == first.keys()
    assert not torch.equal(first["0/hidden_1.weight"], apart["0/hidden_1.weight"])
    assert all(value.shape == apart[name].shape for name, value in first.items())


def test_its_end_is_its_own(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its needs were stopped too early, and so is a loop that is only put together from them."""
    assert load_checkpoint(place / "feedback19_joint").card["converged"] is False
    monkeypatch.setattr(training_fit, "has_stopped_falling", lambda errors: len(errors) == 3)
    train_joint(place, tmp_path / "joint")
    assert load_checkpoint(tmp_path / "joint").card["converged"] is True
    assert load_checkpoint(place / "feedback19").card["converged"] is False


def test_it_is_probed_as_a_loop_and_for_its_images(place: Path, tmp_path: Path) -> None:
    for module in ("feedback19_synthesizer", "feedback19_joint"):
        probe(place / module, place / "test", place / "train", tmp_path / "probe" / "icvl" / module / "seed0")
    joint, apart = read_probes(tmp_path)
    assert {row["noise_mm"] for row in joint.read("around_truth")} >= {0.0, 5.0, 40.0}
    assert set(joint.read("milliseconds")) >= {"1", "64"}
    assert joint.images.read("hand")["mean_mm"] > 0
    by_hand = joint.frame_hand_mm.mean() - apart.frame_hand_mm.mean()
    assert compare_images([joint], [apart]).difference.mean == pytest.approx(by_hand)
    assert by_hand != 0


def test_other_kinds_are_refused(place: Path, tmp_path: Path) -> None:
    train(make_job("predictor", "feedback15"), place / "train", tmp_path / "simple")
    needs = (tmp_path / "simple", *find_parts(place, "feedback19")[1:])
    with pytest.raises(BadInput, match=r"trains on what it needs, and knows no feedback15\.predictor"):
        train(make_job("joint", "feedback19", needs), place / "train", tmp_path / "joint")
