"""What a checkpoint is to someone with a camera: where it wants to look, and what it says of what it sees there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from handbench.conventions import DATASETS, Camera, Convention, JointSet
from handbench.datasets.centres import Centre
from handbench.datasets.frame_crop import Crop
from handbench.datasets.listing import Frame
from handbench.datasets.own_frames import Intrinsics
from handbench.datasets.own_hand import Reach, crop_named_place, crop_own_hand
from handbench.errors import BadInput
from handbench.loop.augmentation import CropBatch
from handbench.loop.localization import place_crops


@dataclass(frozen=True)
class Answer:
    """Of some frames, in camera millimetres; the first step is the first estimate, the last the result."""

    steps_mm: Float32[np.ndarray, "steps frames joints 3"]
    pose_mm: Float32[np.ndarray, "frames 26"] | None = None
    """Of a model that knows a hand: the wrist, then radians in the order of skeleton.DOFS."""
    hand_scale: Float32[np.ndarray, "frames"] | None = None
    """With it: the size of the hand in each frame against the one that the model knows."""
    corners: Float32[np.ndarray, "steps frames 8 3"] | None = None
    """Of a model of hand and object."""


@dataclass(frozen=True)
class OwnModel(ABC):
    """A model of hands, or of hands with what they hold."""

    name: str
    """As files and pictures call it."""
    dataset: str
    """The one it learned from."""
    size_px: int
    cube_mm: float
    """Edge of the cube that the model is to see."""

    @property
    def convention(self) -> Convention:
        """That of its dataset, with its cube."""
        return replace(DATASETS[self.dataset], cube_mm={"": self.cube_mm})

    @property
    @abstractmethod
    def joints(self) -> JointSet:
        """What it says of a hand."""

    @property
    def held(self) -> Mapping[str, Any] | None:
        """What it was told of an object, for those who read its answers; None of a hand alone."""
        return None

    def check_source(self, source: Intrinsics | Centre) -> None:
        """BadInput where it cannot look at such files."""
        return

    def warn(self, source: Intrinsics | Centre) -> None:
        """A line on standard error where its answers of such files, which it can look at, may be far off."""
        return

    def find_hand(self, frame: Frame, source: Intrinsics | Centre, reach: Reach) -> Crop:
        """The crop that it is to see: around the place that a person has named, or the nearest hand."""
        if isinstance(source, Centre):
            return crop_named_place(frame, self.convention, self.size_px, source)
        return crop_own_hand(frame, self.convention, self.size_px, reach)

    @abstractmethod
    def answer(self, crops: Sequence[Crop], camera: Camera) -> Answer:
        """What it says of the crops of one camera."""

    def require_numbers(self, points_mm: Float[np.ndarray, "..."], shape: tuple[int, ...]) -> None:
        """BadInput unless they are finite, and of this shape but for the steps."""
        if points_mm.shape[1:] != shape or not np.isfinite(points_mm).all():
            raise BadInput(
                self.name,
                expected=f"finite joints of shape (steps, {', '.join(map(str, shape))})",
                found=f"shape {points_mm.shape}, {np.isnan(points_mm).sum()} of the numbers NaN",
                fix="train it again: its training diverged, or it is a model of other joints",
            )


def stack_depth(crops: Sequence[Crop]) -> Float[Tensor, "frames 1 size size"]:
    return torch.from_numpy(np.stack([crop.depth for crop in crops])[:, None])


def stack_cubes(crops: Sequence[Crop]) -> tuple[Float32[np.ndarray, "frames 3"], Float32[np.ndarray, "frames"]]:
    """Centres and edges."""
    return np.stack([crop.centre_mm for crop in crops]), np.array([crop.cube_mm for crop in crops], np.float32)


def place_own_crops(crops: Sequence[Crop], camera: Camera) -> CropBatch:
    """The crops of one camera with the pinholes of their patches."""
    centre_mm, cube_mm = stack_cubes(crops)
    patch_from_image = np.stack([crop.patch_from_image for crop in crops]).astype(np.float32)
    edges = torch.from_numpy(cube_mm)
    return place_crops(
        stack_depth(crops), torch.from_numpy(centre_mm), edges, torch.from_numpy(patch_from_image), camera
    )
