"""A training step runs wholly where its network is: torch refuses to mix "meta", a device without memory, with the CPU.

What a GPU alone could show otherwise.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from handbench.loop.crop_data import Division
from handbench.loop.descent import Descent
from handbench.loop.iteration import FeedbackLoop
from handbench.loop.localizer_training import LocalizerTraining, localizer_loss
from handbench.loop.pose_set import PoseSet, Shares
from handbench.loop.predictor_training import PredictorTraining
from handbench.loop.synthesizer_training import SynthesizerTraining
from handbench.loop.updater_training import FRAME, UpdaterTraining
from handbench.methods.feedback19 import joint_loss
from handbench.modules import Feedback15Synthesizer, Feedback15Updater, Feedback19Joint, Feedback19Localizer
from handbench.networks.localizer import Localizer
from handbench.networks.predictor import SimplePredictor
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2015
from handbench.training.lightning_loop import Resident

META = torch.device("meta")
FRAMES, JOINTS, SIZE_PX = 6, 3, 32


def make_data(frames: int, joints: int = JOINTS) -> dict[str, Tensor]:
    return {
        "depth": torch.zeros(frames, 1, SIZE_PX, SIZE_PX, dtype=torch.float16),
        "joints": torch.zeros(frames, joints, 3),
        "centre_mm": torch.tensor([0.0, 0.0, 800.0]).expand(frames, 3),
        "cube_mm": torch.full((frames,), 300.0),
        "focal_px": torch.full((frames, 2), 80.0),
        "principal_px": torch.full((frames, 2), 16.0),
    }


def make_parts() -> tuple[SimplePredictor, Synthesizer, Updater2015]:
    synthesizer = Synthesizer(JOINTS, SIZE_PX, tanh=False, filters=2)
    return SimplePredictor(JOINTS, SIZE_PX), synthesizer, Updater2015(JOINTS, SIZE_PX)


def make_predictor_training() -> Descent:
    loop = FeedbackLoop(*make_parts(), iterations=2)
    return PredictorTraining(loop, Feedback19Joint(), 10, joint_loss, make_data(2))


def make_localizer_training() -> Descent:
    settings = Feedback19Localizer(joint="middle_root")
    return LocalizerTraining(Localizer(SIZE_PX), settings, 10, localizer_loss, make_data(2, joints=1))


def make_synthesizer_training() -> Descent:
    settings = Feedback15Synthesizer(filters=2)
    return SynthesizerTraining(make_parts()[1], settings, 10, 1, make_data(2))


def make_updater_training() -> Descent:
    predictor, synthesizer, updater = make_parts()
    crops = Division(make_data(FRAMES), make_data(2))
    training = UpdaterTraining(updater, synthesizer, predictor, Feedback15Updater(), 10, crops)
    training.poses.add(torch.zeros(FRAMES, JOINTS, 3), torch.zeros(2, JOINTS, 3))
    return training


@pytest.mark.parametrize(
    ("make", "joints"),
    [
        (make_predictor_training, JOINTS),
        (make_localizer_training, 1),
        (make_synthesizer_training, JOINTS),
        (make_updater_training, JOINTS),
    ],
)
def test_a_step_stays_on_its_device(make: Callable[[], Descent], joints: int, monkeypatch: pytest.MonkeyPatch) -> None:
    training = make()
    monkeypatch.setattr(training, "log", lambda *words, **options: None)
    resident = Resident(make_data(FRAMES, joints) | {FRAME: torch.arange(FRAMES)}, META)
    training.to(META)
    training.on_fit_start()
    loss = training.training_step(resident[torch.tensor([0, 3, 5])], 0)
    assert loss.device == META
    loss.backward()
    gradients = [one.grad for one in training.network.parameters() if one.grad is not None]
    assert gradients
    assert {gradient.device for gradient in gradients} == {META}


def test_what_is_restored_goes_where_the_poses_are() -> None:
    here = PoseSet(torch.zeros(FRAMES, JOINTS, 3), torch.zeros(FRAMES, JOINTS, 3), torch.zeros(2, JOINTS, 3), rounds=2)
    there = PoseSet(here.truth, here.outputs[0], here.errors_held_back[0], rounds=2)
    there.to(META)
    there.restore(here.state())
    there.add(torch.zeros(FRAMES, JOINTS, 3), torch.zeros(2, JOINTS, 3))
    shares = Shares(truth=0.2, errors=0.3, noise=0.5, noise_size=0.1)
    assert there.draw(torch.arange(FRAMES, device=META), shares).device == META
