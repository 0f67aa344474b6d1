"""A model of a hand alone, as someone with a camera uses it."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from handbench.conventions import DATASETS, LOCALIZED, Camera, JointSet
from handbench.datasets.centres import Centre
from handbench.datasets.frame_crop import Crop
from handbench.datasets.listing import Frame
from handbench.datasets.own_frames import Intrinsics
from handbench.datasets.own_hand import Reach, crop_named_place, crop_own_hand, keep_reach, require_edge
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.errors import BadInput
from handbench.geometry.crop import unnormalise_joints, unnormalise_pose
from handbench.loop.localization import refine_centres
from handbench.methods import load_method
from handbench.report.own_model import Answer, OwnModel, place_own_crops, stack_cubes, stack_depth
from handbench.training.checkpoint import Checkpoint
from handbench.training.localize import TrainedLocalizer

Iterate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class HandModel(OwnModel):
    """It gives the scored joints of its dataset, in their order."""

    iterate: Iterate
    """Depth (frames, 1, S, S) in [-1, 1] to joints (iterations + 1, frames, joints, 3) in half cube edges."""
    centre: str = "com"
    """Of the crops that it learned from."""
    localizer: TrainedLocalizer | None = None
    """What moves the cube from the centre of mass to where the model expects it; of whole frames alone."""
    read_pose: Callable[[Tensor], Tensor] | None = None
    """Depth to pose parameters (frames, 26), of a model that knows a hand: `methods.Method.pose`."""
    hand_cube_mm: float = 1.0
    """With it: the edge of the cubes in which the hand that it knows was seen."""

    @property
    def joints(self) -> JointSet:
        return scored_skeleton(self.dataset)

    def check_source(self, source: Intrinsics | Centre) -> None:
        """A cube that a person has placed is where the model expects it; a frame has to be localized first."""
        word, _, sha256 = self.centre.partition("-")
        if word == LOCALIZED and self.localizer is None and not isinstance(source, Centre):
            raise BadInput(
                self.name,
                expected=f"--localizer with the checkpoint that made its crops (sha256 {sha256}...)",
                found="none",
                fix="name the localizer's folder: the model knows hands in localized crops only",
            )

    def warn(self, source: Intrinsics | Centre) -> None:
        """Of a labelled joint's cube nothing can be had of a frame but the one around the centre of mass."""
        if isinstance(source, Centre) or self.centre.partition("-")[0] != "joint":
            return
        joint = self.convention.centre_joint if self.centre == "joint" else self.centre.removeprefix("joint-")
        print(
            f"{self.name}: has learned in cubes around the labelled {joint}, which no camera gives; in those around"
            " the hand's centre of mass its joints may be far off",
            file=sys.stderr,
        )

    def find_hand(self, frame: Frame, source: Intrinsics | Centre, reach: Reach) -> Crop:
        if self.localizer is None or isinstance(source, Centre):
            return super().find_hand(frame, source, reach)
        first = crop_own_hand(frame, self.convention, self.localizer.card["size_px"], reach)
        cube = Centre(refine_centre(self.localizer, first, frame.camera), first.cube_mm)
        return crop_named_place(keep_reach(frame, reach), self.convention, self.size_px, cube)

    def answer(self, crops: Sequence[Crop], camera: Camera) -> Answer:
        centre_mm, cube_mm = stack_cubes(crops)
        with torch.no_grad():
            steps = self.iterate(stack_depth(crops)).float().cpu().numpy()
        self.require_numbers(steps, (len(crops), len(self.joints.names), 3))
        steps_mm = np.stack([unnormalise_joints(joints, centre_mm, cube_mm) for joints in steps]).astype(np.float32)
        if self.read_pose is None:
            return Answer(steps_mm)
        with torch.no_grad():
            pose = self.read_pose(stack_depth(crops)).cpu().numpy()
        pose_mm = unnormalise_pose(pose, centre_mm, cube_mm).astype(np.float32)
        return Answer(steps_mm, pose_mm, (cube_mm / self.hand_cube_mm).astype(np.float32))


def refine_centre(localizer: TrainedLocalizer, crop: Crop, camera: Camera) -> Float32[np.ndarray, "3"]:
    """Where the cube goes."""
    with torch.no_grad():
        centre_mm: np.ndarray = refine_centres(localizer.network, place_own_crops([crop], camera)).centre_mm[0].numpy()
    return centre_mm


def load_hand_model(checkpoint: Checkpoint, cube_mm: float | None, localizer: TrainedLocalizer | None) -> HandModel:
    """Its cube is that of its dataset where none is given."""
    card, trained, folder = checkpoint.card, checkpoint.trained, checkpoint.folder
    method = load_method(trained.kind)
    if method.predict is None:
        raise BadInput(
            folder, expected="a checkpoint that gives joints", found=trained.kind, fix="name a loop's folder"
        )
    if list(scored_skeleton(card["dataset"]).names) != card["joints"]:
        raise BadInput(folder, expected=f"the scored joints of {card['dataset']}", found="others", fix="train it again")
    if method.pose and not card.get("poses"):
        raise BadInput(folder, expected="the poses that it learned from", found="none", fix="train it again")
    cube = DATASETS[card["dataset"]].cube_mm[""] if cube_mm is None else require_edge(cube_mm)
    centre = card["centre"]["strategy"]
    if localizer and localizer.word != centre:
        fix = "name the localizer of its crops" if centre.startswith(f"{LOCALIZED}-") else "leave --localizer out"
        raise BadInput(folder, expected=f"a model of {localizer.word} crops", found=f"one of {centre} crops", fix=fix)
    iterate, read_pose = partial(method.predict, trained), partial(method.pose, trained) if method.pose else None
    told = checkpoint.name, card["dataset"], card["size_px"], cube, iterate, centre, localizer
    return HandModel(*told, read_pose, card["poses"]["cube_mm"]) if read_pose else HandModel(*told)
