"""What updates do to poses around the truth (Fig. 12 of 2015, Fig. 13 of 2019), and how long each part takes."""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.datasets.torch_dataset import CropDataset
from handbench.loop.crop_data import Data, apply, gather, measure_error_mm
from handbench.loop.iteration import FeedbackLoop, run_loop
from handbench.loop.timing import Call, Images, time_network

NOISE_MM = (0.0, 5.0, 10.0, 20.0, 40.0)
"""Mean joint errors of the poses that updates start from; the predictor's own is measured as well."""
NORM_OF_UNIT_NOISE = 1.5957691
"""Mean length of a vector of three standard normal numbers, 2 sqrt(2 / pi)."""
NOISE_SEED = 15
FOLLOWED_MM, COPIES = 20.0, 24
"""Of the updates that are shown one by one: the mean error of the poses they start from, and how many a frame has."""
BIN_MM = 1.0
BINS = 80


@torch.no_grad()
def probe_loop(loop: FeedbackLoop, crops: CropDataset) -> dict[str, Any]:
    data = gather(crops)
    predicted_mm = measure_error_mm(apply(loop.predictor, data["depth"]), data)
    sizes_mm = sorted({*NOISE_MM, round(predicted_mm, 3)})
    return {
        "frames": len(data["depth"]),
        "predictor_mm": predicted_mm,
        "around_truth": [update_from_noise(loop, data, size_mm) for size_mm in sizes_mm],
        **time_network(loop, list_parts, data["depth"][:1].float()),
    }


def update_from_noise(loop: FeedbackLoop, data: Data, noise_mm: float) -> dict[str, Any]:
    """One update of the truth plus Gaussian noise of a given mean length a joint."""
    truth, half_mm = data["joints"], (data["cube_mm"] / 2)[:, None, None]
    poses = update_noisy(loop, data, noise_mm)
    before_mm, after_mm = (((pose - truth) * half_mm).norm(dim=-1).mean(dim=1) for pose in poses)
    moved_mm = ((poses[1] - poses[0]) * half_mm).norm(dim=-1).mean(dim=1)
    return {
        "noise_mm": noise_mm,
        "before_mm": float(before_mm.mean()),
        "after_mm": float(after_mm.mean()),
        "moved_mm": float(moved_mm.mean()),
        "improved": float((after_mm < before_mm).float().mean()),
        "before_histogram": count(before_mm),
        "after_histogram": count(after_mm),
    }


def update_noisy(loop: FeedbackLoop, data: Data, noise_mm: float) -> Float[Tensor, "2 frames joints 3"]:
    """The noisy poses, and what one update makes of them."""
    truth, half_mm = data["joints"], (data["cube_mm"] / 2)[:, None, None]
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(NOISE_SEED))
    start = truth + noise * noise_mm / NORM_OF_UNIT_NOISE / half_mm
    return run_loop(loop.updater, loop.synthesizer, data["depth"], start, 1)


@torch.no_grad()
def follow_updates(loop: FeedbackLoop, data: Data) -> tuple[Data, Float[Tensor, "2 updates joints 3"]]:
    """Every frame as often as it is updated, one frame after the other; the noisy poses and the updated ones."""
    repeated = {name: values.repeat_interleave(COPIES, dim=0) for name, values in data.items()}
    return repeated, update_noisy(loop, repeated, FOLLOWED_MM)


def count(errors_mm: Float[Tensor, "frames"]) -> list[int]:
    """Frames in bins of one millimetre; the last holds all beyond."""
    bins = (errors_mm / BIN_MM).long().clamp(max=BINS - 1)
    return torch.bincount(bins, minlength=BINS).tolist()


def list_parts(loop: FeedbackLoop, images: Images) -> dict[str, Call]:
    """What is timed; an iteration is synthesizer and updater together."""
    poses = loop.predictor(images)
    drawn = loop.synthesizer(poses)
    return {
        "predictor": partial(loop.predictor, images),
        "synthesizer": partial(loop.synthesizer, poses),
        "updater": partial(loop.updater, images, drawn),
        "loop": partial(loop, images),
    }
