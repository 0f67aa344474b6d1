"""How the images that a synthesizer draws of test poses differ from the camera's (Sec. 3.3 of 2015, 3.4 of 2019).

Pixels are told apart by the camera's image: the hand is where something lies inside the cube (with its forearm), the
outline is the hand within 3 pixels of what is not hand, the inside is the rest. Errors are absolute, in millimetres.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from handbench.conventions import BACKGROUND
from handbench.datasets.torch_dataset import CropDataset
from handbench.loop.crop_data import AT_ONCE, device_of, find_labelled, gather

OUTLINE_PX = 3

Images = Float[Tensor, "frames 1 size size"]


@torch.no_grad()
def probe_synthesizer(network: nn.Module, crops: CropDataset, learned: CropDataset) -> dict[str, Any]:
    """Errors over all, hand, inside and outline pixels; those of the nearest training pose's image beside them."""
    known, device = gather(learned), device_of(network)
    data = {name: values.to(device) for name, values in gather(crops).items()}
    drawn = torch.cat([network(joints) for joints in data["joints"].split(AT_ONCE)])
    depth = data["depth"].float()
    nearest_rows = find_nearest_poses(data["joints"], known["joints"].to(device))
    nearest = known["depth"][nearest_rows.cpu()].to(device).float()
    half_mm = (data["cube_mm"] / 2)[:, None, None, None]
    errors_mm, nearest_mm = ((image - depth).abs() * half_mm for image in (drawn, nearest))
    hand = depth < BACKGROUND
    outline = hand & find_outline(hand)
    return {
        "frames": len(depth),
        "all": describe(errors_mm.flatten()),
        "hand": describe(errors_mm[hand]),
        "inside": describe(errors_mm[hand & ~outline]),
        "outline": describe(errors_mm[outline]),
        "nearest_hand": describe(nearest_mm[hand]),
        "sharpness": float(measure_slope(drawn)[outline].mean() / measure_slope(depth)[outline].mean()),
        "frame_mm": average(errors_mm, torch.ones_like(hand)).tolist(),
        "frame_hand_mm": average(errors_mm, hand).tolist(),
        "sequences": label_sequences(crops),
    }


def describe(errors_mm: Float[Tensor, "pixels"]) -> dict[str, float]:
    return {
        "median_mm": float(errors_mm.median()),
        "mean_mm": float(errors_mm.mean()),
        "deviation_mm": float(errors_mm.std()),
        "pixels": len(errors_mm),
    }


def average(errors_mm: Images, where: Bool[Tensor, "frames 1 size size"]) -> Float[Tensor, "frames"]:
    """Mean error of each frame over some of its pixels; NaN where it has none of them."""
    return (errors_mm * where).flatten(1).sum(1) / where.flatten(1).sum(1)


def find_outline(hand: Bool[Tensor, "frames 1 size size"]) -> Bool[Tensor, "frames 1 size size"]:
    """Pixels within reach of one that is not hand; beyond the patch there is nothing to tell."""
    edge = 2 * OUTLINE_PX + 1
    return max_pool2d((~hand).float(), edge, 1, OUTLINE_PX) > 0


def measure_slope(images: Images) -> Images:
    """Steepness of depth at every pixel: the length of its gradient by central differences."""
    down, across = torch.gradient(images, dim=(2, 3))
    return (down.square() + across.square()).sqrt()


def find_nearest_poses(poses: Float[Tensor, "frames joints 3"], known: Float[Tensor, "known joints 3"]) -> Tensor:
    """For each pose the known one at the smallest distance over all joints together."""
    candidates = known.flatten(1)
    parts = [torch.cdist(part.flatten(1), candidates).argmin(dim=1) for part in poses.split(AT_ONCE)]
    return torch.cat(parts)


def label_sequences(crops: CropDataset) -> list[str]:
    """The sequence of every frame that was measured, for intervals that draw neighbouring frames together."""
    names = [crops.store.sequences[place] for place in crops.places]
    return [name for name, whole in zip(names, find_labelled(crops).tolist(), strict=True) if whole]
