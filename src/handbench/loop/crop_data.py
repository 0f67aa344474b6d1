"""The crops of a training, resident in memory: what is learned from, and what is held back to see how it goes."""

from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.geometry.patch_frame import make_camera
from handbench.loop import processes
from handbench.loop.augmentation import CropBatch

VALIDATION_SHARE = 0.1
"""Of the training frames, the last of the list: what tells whether the error still falls. Never test frames."""
AT_ONCE = 256
"""Frames that a network sees at once where nothing is learned."""
_OF_A_CROP = ("depth", "joints", "centre_mm", "cube_mm", "focal_px", "principal_px")

Data = dict[str, Tensor]
SeenRows = Int64[Tensor, "seen"]
HeldRows = Int64[Tensor, "held_back"]
"""Places of frames among the crops."""


@dataclass(frozen=True)
class Division:
    """Frames with all their joints labelled, depth in half precision as the store has it.

    Where several processes train together each has frames of its own, of both: no other's crops are read.
    """

    seen: Data
    held_back: Data


def divide(crops: CropDataset, beside: Data | None = None) -> Division:
    """Every module of a chain holds back the same frames; `beside` has what else is known of every frame."""
    seen, held_back = divide_rows(crops)
    return divide_at(crops, seen, held_back, beside)


def divide_rows(crops: CropDataset) -> tuple[SeenRows, HeldRows]:
    """The labelled frames that are learned from, and those held back."""
    labelled = find_labelled(crops).nonzero().flatten()
    frames = len(labelled)
    if frames < 2:
        raise BadInput(
            crops.store.path,
            expected="at least two frames with every joint labelled",
            found=str(frames),
            fix="train on more frames",
        )
    seen = frames - max(int(VALIDATION_SHARE * frames), 1)
    return labelled[:seen], labelled[seen:]


def divide_at(crops: CropDataset, seen: SeenRows, held_back: HeldRows, beside: Data | None = None) -> Division:
    """What this process has of the frames to learn from and of those to hold back."""
    if len(held_back) < processes.count():
        raise BadInput(
            crops.store.path,
            expected=f"a frame to hold back for each of {processes.count()} processes",
            found=str(len(held_back)),
            fix="train on more frames, or with fewer devices",
        )
    return Division(read_own(crops, seen, beside), read_own(crops, held_back, beside))


def read_own(crops: CropDataset, rows: Int64[Tensor, "rows"], beside: Data | None = None) -> Data:
    """Everything that a batch needs of this process's part of some frames, and what stands beside it."""
    mine = processes.take_own(rows)
    return read_crops(crops.take(mine.numpy())) | {name: values[mine] for name, values in (beside or {}).items()}


def gather(crops: CropDataset, beside: Data | None = None) -> Data:
    """The same of all labelled frames."""
    labelled, kept = find_labelled(crops), read_crops(crops) | (beside or {})
    return {name: values[labelled] for name, values in kept.items()}


def read_crops(crops: CropDataset) -> Data:
    """The same of every frame, labelled or not."""
    tensors, camera = crops.tensors(torch.float16), crops.store.camera
    focal, principal = make_camera(tensors["patch_from_image"], (camera.fx, camera.fy), (camera.cx, camera.cy))
    tensors |= {"focal_px": focal, "principal_px": principal}
    return {name: tensors[name] for name in _OF_A_CROP}


def find_labelled(crops: CropDataset) -> Bool[Tensor, "frames"]:
    """The frames with all their joints labelled: those that `gather` takes."""
    return crops.joints.isfinite().flatten(1).all(dim=1)


def choose_evenly(frames: int, wanted: int | None) -> Int64[Tensor, "chosen"]:
    """All of so many frames, or as many as are wanted, at even distances."""
    number = min(wanted or frames, frames)
    return torch.arange(number) * frames // number


def as_batch(data: Data) -> CropBatch:
    """Rows of the data as crops in single precision; what else they carry is left out."""
    crop = {name: data[name] for name in _OF_A_CROP}
    return CropBatch(**{**crop, "depth": crop["depth"].float()})


@torch.no_grad()
def apply(network: nn.Module, *inputs: Tensor) -> Tensor:
    """What a network says of many frames, in eval mode, a part of them at a time; the answer is on the CPU."""
    was_training = network.training
    network.eval()
    device = device_of(network)
    parts = zip(*(values.split(AT_ONCE) for values in inputs), strict=True)
    answers = [network(*(values.to(device).float() for values in part)).cpu() for part in parts]
    network.train(was_training)
    return torch.cat(answers)


def find_device() -> torch.device:
    """Where networks run: Lightning's choice for their training as well."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_of(network: nn.Module) -> torch.device:
    """Where its tensors lie; what has none works on the CPU."""
    first = next(chain(network.parameters(), network.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def measure_error_mm(joints: Tensor, data: Data) -> float:
    """Mean joint error of a pose for each frame, over those of all processes."""
    return processes.mean(measure_frames_mm(joints, data))


def measure_frames_mm(joints: Tensor, data: Data) -> Float[Tensor, "*steps frames"]:
    """The same frame by frame, of one pose or of several steps."""
    return (joints - data["joints"]).norm(dim=-1).mean(dim=-1) * data["cube_mm"] / 2
