"""Every network by a short name, and inputs that fit it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from handbench.hand.keypoints import scored_keypoints
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE
from handbench.networks.deepmodel import DeepModel
from handbench.networks.deepprior import DeepPrior
from handbench.networks.deepprior_plus import DeepPriorPlus
from handbench.networks.hand_layer import HandLayer
from handbench.networks.localizer import Localizer
from handbench.networks.point_predictor import PointPredictor
from handbench.networks.predictor import SimplePredictor
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2015, Updater2019

JOINTS = 14


def make_layer() -> HandLayer:
    return HandLayer(REFERENCE_SHAPE, scored_keypoints("nyu"), ANGLE_LIMITS_RAD, 300.0)


BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "predictor": lambda size_px, seed=0: SimplePredictor(JOINTS, size_px, seed=seed),
    "deepprior": lambda size_px, seed=0: DeepPrior(JOINTS, size_px, seed=seed),
    "deepprior++": lambda size_px, seed=0: DeepPriorPlus(JOINTS, size_px, seed=seed),
    "deepmodel": lambda size_px, seed=0: DeepModel(make_layer(), size_px, seed=seed),
    "deepmodel-joint": lambda size_px, seed=0: DeepModel(make_layer(), size_px, direct=True, seed=seed),
    "localizer": lambda size_px, seed=0: Localizer(size_px, seed=seed),
    "point-predictor": lambda size_px, seed=0: PointPredictor(JOINTS, size_px, seed=seed),
    "synthesizer-2015": lambda size_px, seed=0: Synthesizer(JOINTS, size_px, tanh=False, seed=seed),
    "synthesizer-2019": lambda size_px, seed=0: Synthesizer(JOINTS, size_px, tanh=True, seed=seed),
    "updater-2015": lambda size_px, seed=0: Updater2015(JOINTS, size_px, seed=seed),
    "updater-2015-pooling": lambda size_px, seed=0: Updater2015(JOINTS, size_px, pooling=True, seed=seed),
    "updater-2019": lambda size_px, seed=0: Updater2019(JOINTS, size_px, seed=seed),
    "updater-2019-pooling": lambda size_px, seed=0: Updater2019(JOINTS, size_px, pooling=True, seed=seed),
}


def make_inputs(name: str, batch: int, size_px: int) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    if name.startswith("synthesizer"):
        return (torch.randn(batch, JOINTS, 3) / 2,)
    images = torch.rand(2, batch, 1, size_px, size_px) * 2 - 1
    return tuple(images) if name.startswith("updater") else (images[0],)


def output_shape(name: str, batch: int, size_px: int) -> tuple[int, ...]:
    if name.startswith("synthesizer"):
        return (batch, 1, size_px, size_px)
    return (batch, 3) if name == "localizer" else (batch, JOINTS, 3)
