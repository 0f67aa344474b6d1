"""How far from its joint a hand's cube is put, by the first centre and by the localizer (feedback19, Sec. 3.2).

The centre of mass is no guess at a joint: part of its distance is the same in every frame. So a third centre stands
beside the two, the first one moved by the mean offset of the training frames; what the localizer has learned to see of
the single frame is what it is ahead of that. How long it takes is told as of the loop's parts (Sec. 6.3).
"""

from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.datasets.torch_dataset import CropDataset
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import gather
from handbench.loop.localization import find_joint_mm, find_offsets, find_points_mm, refine_centres
from handbench.loop.synthesizer_probe import label_sequences
from handbench.loop.timing import Call, Images, time_network


@torch.no_grad()
def probe_localizer(network: nn.Module, crops: CropDataset, learned: CropDataset) -> dict[str, Any]:
    """Distances of all centres from the joint, in crops of that joint alone; each frame's as well, to be paired."""
    batch = CropBatch(**gather(crops))
    mean_offset = find_offsets(CropBatch(**gather(learned))).mean(dim=0)
    refined, joint_mm = refine_centres(network, batch), find_joint_mm(batch)
    centres_mm = {
        "first": batch.centre_mm,
        "shifted": find_points_mm(mean_offset.expand(len(joint_mm), 3), batch),
        "localized": refined.centre_mm,
    }
    distances_mm = {name: (centre_mm - joint_mm).norm(dim=1) for name, centre_mm in centres_mm.items()}
    return {
        "frames": len(joint_mm),
        "joint": crops.joint_names[0],
        "not_moved": int((~refined.moved).sum()),
        **{name: describe_distances(each_mm) for name, each_mm in distances_mm.items()},
        **{f"frame_{name}_mm": each_mm.tolist() for name, each_mm in distances_mm.items()},
        "sequences": label_sequences(crops),
        **time_network(network, list_parts, batch.depth[:1].float()),
    }


def list_parts(network: nn.Module, images: Images) -> dict[str, Call]:
    """What is timed, as the parts of the loop are."""
    return {"localizer": partial(network, images)}


def describe_distances(distances_mm: Float[Tensor, "frames"]) -> dict[str, float]:
    return {"mean_mm": float(distances_mm.mean()), "median_mm": float(distances_mm.median())}
