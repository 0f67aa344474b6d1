"""How far off the parts of crossing are, in training and afterwards."""

import copy
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.conventions import BACKGROUND
from handbench.datasets.torch_dataset import CropDataset
from handbench.loop import processes
from handbench.loop.adversarial_training import watch
from handbench.loop.collapse import Health
from handbench.loop.crop_data import AT_ONCE, Data, apply, choose_evenly, device_of, gather, measure_error_mm
from handbench.loop.labelled_share import take_all_joints
from handbench.loop.synthesizer_probe import label_sequences
from handbench.loop.timing import Call, Images, time_network
from handbench.networks.crossing import CrossingNets, PosteriorNets
from handbench.networks.depth_gan import Discriminator, RenderRoute
from handbench.networks.pose_vae import PoseVae

MEASURED = 1024
"""Frames that statistics are measured on."""
WATCHED = 64
"""Images of a batch by which a GAN is judged, as many as there are real ones."""


def measure_estimate_mm(nets: PosteriorNets, data: Data) -> float:
    """Of the joints that are told."""
    return measure_error_mm(apply(nets, data["depth"]), keep_told(data, nets.told))


def keep_told(data: Data, told: int) -> Data:
    """The same frames with the joints that are told, which stand first."""
    return {**data, "joints": data["joints"][:, :told]}


def measure_decoding_mm(vae: PoseVae, data: Data, *, told: int) -> float:
    """Of Dec(Enc(y)), by the most likely latents."""
    joints = apply(Decoded(vae).eval(), data["joints"])
    return measure_error_mm(joints[:, :told], keep_told(data, told))


class Decoded(nn.Module):
    """Dec(Enc(y))."""

    def __init__(self, vae: PoseVae) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, poses: Float[Tensor, "batch joints 3"]) -> Float[Tensor, "batch joints 3"]:
        return self.vae.decode(self.vae.encode(poses).centre())


def measure_drawing_mm(route: RenderRoute, vae: PoseVae, data: Data) -> float:
    """Mean absolute difference of depth of Gen(Ali(Enc(y))), over all pixels."""
    latents = apply(Centred(vae).eval(), data["joints"])
    off = compare_depths(apply(route, latents), data["depth"])
    return processes.mean(off * data["cube_mm"] / 2)


def compare_depths(drawn: Tensor, images: Float[Tensor, "frames 1 size size"]) -> Float[Tensor, "frames"]:
    """Mean absolute difference over all pixels of each, in half cube edges."""
    return (drawn - images.float()).abs().mean(dim=(1, 2, 3))


class Centred(nn.Module):
    """The most likely latents."""

    def __init__(self, vae: PoseVae) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, poses: Float[Tensor, "batch joints 3"]) -> Float[Tensor, "batch latents"]:
        return self.vae.encode(poses).centre()


@torch.no_grad()
def measure_statistics(discriminator: Discriminator, images: Float[Tensor, "frames 1 size size"]) -> None:
    """The batch statistics of what estimates, measured again on real images alone: in training drawn ones count too."""
    parts = nn.ModuleList([discriminator.shared, discriminator.estimating])
    layers = [one for one in parts.modules() if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta, was_training = [one.momentum for one in layers], discriminator.training
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    parts.train()
    chosen, device = choose_evenly(len(images), MEASURED), device_of(discriminator)
    # As evenly as they come: the mean of batches is one of images where all are as large.
    batches = torch.tensor_split(chosen, max(len(chosen) // AT_ONCE, 1))
    for rows in batches:
        discriminator.estimate(discriminator.look(images[rows].to(device).float()))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    parts.train(was_training)


@torch.no_grad()
def probe_crossing(network: CrossingNets, crops: CropDataset, learned: CropDataset) -> dict[str, Any]:
    """How long an estimate takes (Sec. 5), how well Gen(Ali(pos(x))) draws x, how the GAN is."""
    images = gather(crops)["depth"]
    drawn = apply(Redrawn(network).eval(), images)
    off = compare_depths(drawn, images)
    health = examine_gan(network, gather(take_all_joints(learned)))
    return {
        "frames": len(images),
        "reconstruction": {
            "frames": len(images),
            "test": float(off.mean()),
            "by_frame": off.tolist(),
            # What drawing nothing costs, and drawing the hand of a frame half the list away.
            "background_by_frame": compare_depths(torch.tensor(BACKGROUND), images).tolist(),
            "other_by_frame": compare_depths(drawn.roll(len(drawn) // 2, dims=0), images).tolist(),
            "sequences": label_sequences(crops),
        },
        "gan": {**health._asdict(), "collapsed": health.collapsed},
        **time_network(network, list_parts, images[:1].float()),
    }


def list_parts(network: CrossingNets, images: Images) -> dict[str, Call]:
    """What is timed."""
    return {"network": partial(network, images)}


class Redrawn(nn.Module):
    """Gen(Ali(pos(x)))."""

    def __init__(self, network: CrossingNets) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Images) -> Images:
        return self.network.draw(self.network.estimate(images))


def examine_gan(network: CrossingNets, data: Data) -> Health:
    """As in training, by batches normalised by themselves: real training images, and those drawn of their poses."""
    nets, device = copy.deepcopy(network), device_of(network)
    chosen = choose_evenly(len(data["depth"]), MEASURED)
    real = data["depth"][chosen].float()
    latents = apply(Centred(nets.vae).eval(), data["joints"][chosen])
    nets.route.train()
    nets.discriminator.train()
    found = []
    for rows in torch.tensor_split(torch.arange(len(chosen)), max(len(chosen) // WATCHED, 1)):
        images, drawn = real[rows].to(device), nets.draw(latents[rows].to(device))
        logits = judge_images(nets.discriminator, images), judge_images(nets.discriminator, drawn)
        found.append(watch(images, drawn, logits))
    return Health(*torch.stack(found).mean(dim=0).tolist())


def judge_images(discriminator: Discriminator, images: Images) -> Float[Tensor, "frames"]:
    """The logits of Dis."""
    return discriminator.judge(discriminator.describe(discriminator.look(images)))
