"""Algorithm 1 of feedback19: hand and object, each corrected by what both look like together (Sec. 4.2 to 4.5).

M. Oberweger, P. Wohlhart, V. Lepetit, "Generalized Feedback Loop for Joint Hand-Object Pose Estimation", TPAMI 2019.

    D         crops.depth   (batch, 1, 2S, 2S)  a large cube around hand and object
    loc       localizer                          Eqs. 14 and 15; an offset in D, loop/localization.py
    c         look          (batch, 1, S, S)     STN(., D), the crop of the hand or of the object
    pred      predictor                          Eqs. 19 and 20
    synth     drawer                             a pose, its frame and the solid to a patch
    S         draw_merged   (batch, 1, 2S, 2S)   Eq. 21 without its last channel, which is D
    updater   updater                            Eq. 22
    p         Placed.points (batch, J or 8, 3)   in half edges of the cube around the crop

Hand and object are two sides of the same game: each has its four networks, a cube, a point at which the cube is put,
and what a pose must be like. A hand is put at its middle MCP joint and may be anything; an object is put at its middle,
and its corners pass through Procrustes whenever they have been predicted or corrected, so that every p of an object is
a rigid pose and is drawn as it is. They also take the order that the picture tells (loop/held_object.py).

What the text leaves open:

- **Which images an updater sees.** Eq. 22 has updater(c, S) with S of D's frame, c of another; the network of Fig. 7
  takes images of one frame. S is merged in D's frame as Eq. 21 says, and then cut to the frame of c by the same
  transformer that cuts c. The D of the stack becomes c by that. Two channels are left: what is seen and what is drawn.
- **Where c is cut while it iterates.** Eqs. 21 and 22 have the crop of the localizer, Algorithm 1 crops again at the
  current pose: `recrop`. Training must have what use has; drawn cuboids ended nearer to the truth with the second.
- **A localizer that points out of D's cube**: the cube stays in the middle of D, as for hands alone.

Both sides are corrected from the same S, so that their order is of no account.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.conventions import BACKGROUND
from handbench.geometry.patch_frame import PatchFrame, frame_cube, points_to_cube, points_to_mm
from handbench.geometry.spatial_transformer import merge_depth, resample_depth
from handbench.geometry.symmetry import Symmetry
from handbench.loop.augmentation import CropBatch
from handbench.loop.held_object import Held, settle_corners
from handbench.loop.localization import place_centres

Recrop = Literal["localizer", "pose"]
Points = Float[Tensor, "batch points 3"]
Patches = Float[Tensor, "batch 1 size size"]
WholeFrames = Float[Tensor, "batch 1 rows rows"]
"""Images in the frame of D."""

DRAWN_UP_TO = 0.9
"""A network's tanh never quite says 1: beyond this depth it is taken to mean the background. Left as it is, the far
end of one cube would hang as a wall before whatever of the other lies behind it."""


@dataclass(frozen=True)
class Placed:
    """A pose and the frame in which it was found."""

    points_mm: Points
    """Camera axes."""
    frame: PatchFrame

    @property
    def points(self) -> Points:
        """In half cube edges around the frame's centre, as the networks have it."""
        return points_to_cube(self.points_mm, self.frame)


class SynthesizedPatch(nn.Module):
    """A synthesizer network in a drawer's place: it draws the pose alone, whatever the frame and the solid."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, points: Points, frame: PatchFrame, held: Held) -> Patches:
        image = self.network(points)
        return torch.where(image < DRAWN_UP_TO, image, BACKGROUND)


@dataclass(frozen=True)
class Parts:
    """The networks of one side."""

    localizer: nn.Module
    predictor: nn.Module
    drawer: nn.Module
    updater: nn.Module
    cube_mm: float
    """Of the patches that all but the localizer see."""


class Side(nn.Module, ABC):
    """What hand and object both have."""

    def __init__(self, parts: Parts, size_px: int) -> None:
        super().__init__()
        self.localizer, self.predictor = parts.localizer, parts.predictor
        self.drawer, self.updater = parts.drawer, parts.updater
        self.cube_mm, self.size_px = parts.cube_mm, size_px

    @abstractmethod
    def find_middle(self, points_mm: Points) -> Float[Tensor, "batch 3"]:
        """Where the cube is put."""

    @abstractmethod
    def settle(self, points_mm: Points, held: Held) -> Points:
        """The pose that these points stand for."""

    def frame_at(self, centre_mm: Float[Tensor, "batch 3"]) -> PatchFrame:
        return frame_cube(centre_mm, centre_mm.new_full((len(centre_mm),), self.cube_mm), self.size_px)

    def start(self, crops: CropBatch, held: Held) -> Placed:
        """p(0) = pred(STN(loc(D), D)) (Algorithm 1, lines 1 and 2)."""
        frame = self.frame_at(place_centres(self.localizer(crops.depth), crops).centre_mm)
        points = self.predictor(resample_depth(crops.depth, crops.frame, frame))
        return Placed(self.settle(points_to_mm(points, frame), held), frame)

    def recentre(self, placed: Placed) -> Placed:
        """The same pose in a cube around itself."""
        return replace(placed, frame=self.frame_at(self.find_middle(placed.points_mm)))

    def correct(self, placed: Placed, crops: CropBatch, merged: WholeFrames, held: Held) -> Placed:
        """p + updater(c, S) (Algorithm 1, lines 5 and 6)."""
        points = placed.points + self.updater(*look(crops, merged, placed.frame))
        return replace(placed, points_mm=self.settle(points_to_mm(points, placed.frame), held))


class HandSide(Side):
    """The hand, its cube at one of its joints."""

    def __init__(self, parts: Parts, size_px: int, middle_joint: int) -> None:
        super().__init__(parts, size_px)
        self.middle_joint = middle_joint

    def find_middle(self, points_mm: Points) -> Float[Tensor, "batch 3"]:
        return points_mm[:, self.middle_joint]

    def settle(self, points_mm: Points, held: Held) -> Points:
        return points_mm


class ObjectSide(Side):
    """The object, its cube in its middle."""

    def __init__(self, parts: Parts, size_px: int, symmetries: Sequence[Symmetry]) -> None:
        """`symmetries` are those of the known solids, in the order of Held.which."""
        super().__init__(parts, size_px)
        self.symmetries = symmetries

    def find_middle(self, points_mm: Points) -> Float[Tensor, "batch 3"]:
        return points_mm.mean(dim=1)

    def settle(self, points_mm: Points, held: Held) -> Points:
        return settle_corners(points_mm, held, self.symmetries)


@dataclass(frozen=True)
class Step:
    """Both poses after so many iterations."""

    hand: Placed
    object: Placed


def look(crops: CropBatch, merged: WholeFrames, frame: PatchFrame) -> tuple[Patches, Patches]:
    """What an updater sees in its frame: c, and the merged drawing, which took the same way out of D."""
    seen, drawn = (resample_depth(image, crops.frame, frame) for image in (crops.depth, merged))
    return seen, drawn


class HandObjectLoop(nn.Module):
    """Two sides and how often they are corrected."""

    def __init__(self, hand: Side, object: Side, iterations: int, recrop: Recrop = "pose") -> None:
        super().__init__()
        self.hand, self.object = hand, object
        self.iterations, self.recrop = iterations, recrop

    def draw_merged(self, step: Step, frame: PatchFrame, held: Held) -> WholeFrames:
        """min(ISTN(synth(p_H)), ISTN(synth(p_O))) in the frame of D (Eq. 21)."""
        return merge_depth(
            *(
                resample_depth(side.drawer(placed.points, placed.frame, held), placed.frame, frame)
                for side, placed in ((self.hand, step.hand), (self.object, step.object))
            )
        )

    def forward(self, crops: CropBatch, held: Held) -> list[Step]:
        """The start and both poses after each iteration (Algorithm 1)."""
        steps = [Step(self.hand.start(crops, held), self.object.start(crops, held))]
        for _ in range(self.iterations):
            now = steps[-1]
            if self.recrop == "pose":
                now = Step(self.hand.recentre(now.hand), self.object.recentre(now.object))
            merged = self.draw_merged(now, crops.frame, held)
            steps.append(
                Step(
                    self.hand.correct(now.hand, crops, merged, held),
                    self.object.correct(now.object, crops, merged, held),
                )
            )
        return steps
