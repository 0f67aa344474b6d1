"""A model that knows a hand by the turns of its bones, as someone with a camera uses it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from handbench.conventions import BOXES, DATASETS, Camera, JointSet
from handbench.datasets.centres import Centre
from handbench.datasets.frame_crop import Crop
from handbench.datasets.listing import Frame
from handbench.datasets.own_frames import Intrinsics
from handbench.datasets.own_hand import Reach, crop_own_block, require_edge
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.errors import BadInput
from handbench.geometry.crop import unnormalise_joints
from handbench.methods import PosedHands, SeenHands, load_method
from handbench.report.own_model import Answer, OwnModel, place_own_crops, stack_cubes
from handbench.training.checkpoint import Checkpoint
from handbench.training.localize import TrainedLocalizer

OWN_PROTOCOL = {"centre": {"strategy": "own", "uses_ground_truth": False}}
"""A block that is told by what is seen is cut by that."""


@dataclass(frozen=True)
class PosedModel(OwnModel):
    """It gives the scored joints of its dataset, placed by what the camera sees."""

    pose_bones: Callable[[SeenHands], PosedHands]
    centre: str
    """Of the crops that it learned from."""

    @property
    def joints(self) -> JointSet:
        return scored_skeleton(self.dataset)

    def find_hand(self, frame: Frame, source: Intrinsics | Centre, reach: Reach) -> Crop:
        if self.centre not in BOXES or isinstance(source, Centre):
            return super().find_hand(frame, source, reach)
        return crop_own_block(frame, self.convention, self.size_px, reach)

    def answer(self, crops: Sequence[Crop], camera: Camera) -> Answer:
        seen = SeenHands(self.dataset, OWN_PROTOCOL | {"dataset": self.dataset}, place_own_crops(crops, camera))
        with torch.no_grad():
            joints = self.pose_bones(seen).joints.float().cpu().numpy()
        self.require_numbers(joints[None], (len(crops), len(self.joints.names), 3))
        joints_mm: np.ndarray = unnormalise_joints(joints, *stack_cubes(crops)).astype(np.float32)
        return Answer(joints_mm[None])


def load_posed_model(checkpoint: Checkpoint, cube_mm: float | None, localizer: TrainedLocalizer | None) -> PosedModel:
    """Its cube is that of its dataset where none is given."""
    card, trained = checkpoint.card, checkpoint.trained
    method = load_method(trained.kind)
    assert method.pose_bones is not None, "asked before"
    cube = DATASETS[card["dataset"]].cube_mm[""] if cube_mm is None else require_edge(cube_mm)
    centre = card["centre"]["strategy"]
    if localizer:
        found = f"{trained.kind}, of {centre} crops, which no localizer moves"
        fix = "leave --localizer out"
        raise BadInput(checkpoint.folder, expected=f"a model of {localizer.word} crops", found=found, fix=fix)
    told = checkpoint.name, card["dataset"], card["size_px"], cube
    return PosedModel(*told, partial(method.pose_bones, trained), centre)
