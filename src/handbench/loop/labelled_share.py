"""Training frames of which only a share has labels (crossing, Sec. 5.1)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float16, Int64
from torch import Tensor

from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.loop.crop_data import Data, divide_at, divide_rows, find_labelled, read_own

ROOTS = ("PALM_1", "wrist", "palm")
"""The joint that a pose is told around: the wrist, or where a dataset has none the palm (the authors' program)."""
LEAST = 2
"""Frames that a batch normalisation needs."""


@dataclass(frozen=True)
class Shared:
    """Frames of a training."""

    labelled: Data
    images: Float16[Tensor, "frames 1 size size"]
    """Of all frames but those held back: images without labels are those of labelled frames as well."""
    held_back: Data


def share_labels(crops: CropDataset, share: float, seed: int) -> Shared:
    """What `divide` holds back is held back; of the rest a share is labelled, the same for all that ask with a seed."""
    seen, held_back = divide_rows(crops)
    labelled = seen[choose_labelled(len(seen), share, seed)]
    data = divide_at(crops, labelled, held_back)
    return Shared(data.seen, read_images(crops)["depth"], data.held_back)


def read_images(crops: CropDataset) -> Data:
    """This process's part of all frames but those held back; joints of some may be missing, or of all."""
    kept = torch.ones(len(crops), dtype=torch.bool)
    if find_labelled(crops).any():
        kept[divide_rows(crops)[1]] = False
    return read_own(crops, kept.nonzero().flatten())


def choose_labelled(frames: int, share: float, seed: int) -> Int64[Tensor, "labelled"]:
    """Places of a share of the frames, each as likely; of a larger share those of a smaller one are a part."""
    wanted = min(max(round(share * frames), LEAST), frames)
    order = torch.randperm(frames, generator=torch.Generator().manual_seed(seed))
    return order[:wanted].sort().values


def take_all_joints(crops: CropDataset) -> CropDataset:
    """The same frames with every joint that is annotated, the scored ones first."""
    scored = list(crops.store.scored)
    others = [joint for joint in range(len(crops.store.joint_names)) if joint not in scored]
    return CropDataset(crops.store, crops.places, scored + others)


def find_root(crops: CropDataset) -> int:
    """The place of the root among the joints."""
    found = [crops.joint_names.index(name) for name in ROOTS if name in crops.joint_names]
    if not found:
        raise BadInput(
            crops.store.path,
            expected=f"a joint to tell poses around: {', '.join(ROOTS)}",
            found=", ".join(crops.joint_names),
            fix="train crossing on another dataset",
        )
    return found[0]
