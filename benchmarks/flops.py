"""`python -m benchmarks.flops`: floating-point operations of a training step, a frame, of every kind at 128 pixels.

Counted by torch over the convolutions and products of one forward pass; a step takes what it learns three times
(forward, and twice as much backward) and what it only looks through once. What draws or splats is no such operation.
"""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from handbench.hand.keypoints import scored_keypoints
from handbench.hand.skeleton import REFERENCE_SHAPE
from handbench.networks.deepmodel import DeepModel
from handbench.networks.deepprior import DeepPrior
from handbench.networks.deepprior_plus import DeepPriorPlus
from handbench.networks.depth_gan import DepthGan
from handbench.networks.hand_layer import HandLayer
from handbench.networks.localizer import Localizer
from handbench.networks.point_predictor import PointPredictor
from handbench.networks.predictor import SimplePredictor
from handbench.networks.refine import BaseNetwork
from handbench.networks.rigid_predictor import RigidPredictor
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2015, Updater2019

COUNTED = Path(__file__).with_name("flops.json")
SIZE_PX, JOINTS, FRAMES = 128, 14, 2


def count(network: nn.Module | Callable[..., Tensor], *inputs: Tensor) -> float:
    """Gigaflops a frame of a forward pass."""
    if isinstance(network, nn.Module):
        network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(*inputs)
    return counter.get_total_flops() / FRAMES / 1e9


def count_kinds() -> dict[str, float]:
    """Of each kind that is trained by steps."""
    images, larger = torch.zeros(FRAMES, 1, SIZE_PX, SIZE_PX), torch.zeros(FRAMES, 1, 2 * SIZE_PX, 2 * SIZE_PX)
    joints = torch.zeros(FRAMES, JOINTS, 3)
    drawn = count(Synthesizer(JOINTS, SIZE_PX, tanh=True, filters=32), joints)
    updated = [count(one(JOINTS, SIZE_PX), images, images) for one in (Updater2015, Updater2019)]
    residual = DeepPriorPlus(JOINTS, SIZE_PX, components=30, stage_filters=[64, 128, 256, 256], modules=5, dropout=0.3)
    plus, prior = count(residual, images), count(DeepPrior(JOINTS, SIZE_PX, components=30), images)
    point = count(PointPredictor(8, SIZE_PX), images)
    layer = HandLayer(REFERENCE_SHAPE, scored_keypoints("nyu"), torch.tensor([[-1.0, 1.0]] * 20).numpy(), 300.0)
    model = count(DeepModel(layer, SIZE_PX).read_numbers, images)
    gan = DepthGan(SIZE_PX).eval()
    generated = count(gan.generator, torch.zeros(FRAMES, 23))
    judged = count(
        lambda seen: gan.discriminator.judge(gan.discriminator.describe(gan.discriminator.look(seen))), images
    )
    posed = count(lambda seen: gan.discriminator.estimate(gan.discriminator.look(seen)), images)
    base = count(BaseNetwork(SIZE_PX, channels=[96, 256, 384, 384, 256], dropout=0.3), images)
    localized, held = count(Localizer(SIZE_PX), images), count(Localizer(2 * SIZE_PX), larger)
    learned = {
        "feedback15.predictor": 3 * count(SimplePredictor(JOINTS, SIZE_PX), images),
        "feedback15.deepprior": 3 * prior,
        "feedback15.synthesizer": 3 * drawn,
        "feedback15.updater": drawn + 3 * updated[0],
        "feedback19.localizer": 3 * localized,
        "feedback19.predictor": 3 * plus,
        "feedback19.synthesizer": 3 * drawn,
        "feedback19.updater": drawn + 3 * updated[1],
        "feedback19.joint": 3 * (plus + 2 * (drawn + updated[1])),
        "handobject.hand_localizer": 3 * held,
        "handobject.object_localizer": 3 * held,
        "handobject.hand_predictor": 3 * prior,
        "handobject.object_predictor": 3 * point,
        "handobject.rotation": 3 * count(RigidPredictor(SIZE_PX), images),
        "handobject.single": 3 * count(PointPredictor(29, 2 * SIZE_PX), larger),
        "handobject.hand_synthesizer": 3 * drawn,
        "handobject.object_synthesizer": 3 * drawn,
        # Both sides are drawn for either.
        "handobject.hand_updater": 2 * drawn + 3 * updated[1],
        "handobject.object_updater": 2 * drawn + 3 * updated[1],
        **dict.fromkeys(("deepmodel.hand", "deepmodel.joint", "deepmodel.parameter"), 3 * model),
        "crossing.vae": 0.0,
        "crossing.gan": 3 * (generated + 2 * judged),
        "crossing.alignment": 3 * generated,
        # To a labelled image belong one without a label and two that are drawn.
        "crossing.estimator": 3 * (2 * generated + 4 * judged),
        "crossing.posterior": 3 * posed,
        "refine.base": 3 * base,
        "refine.adapted": 3 * base,
    }
    return {kind: float(f"{gigaflops:.4g}") for kind, gigaflops in learned.items()}


if __name__ == "__main__":
    COUNTED.write_text(json.dumps(count_kinds(), indent=1) + "\n", encoding="utf-8")
    print(COUNTED.read_text(), end="")
