"""A model of hand and object, as someone with a camera uses it: the object is known, as in the paper."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from handbench.conventions import HANDOBJECT, MSRA_JOINTS, Camera, JointSet
from handbench.datasets.frame_crop import Crop
from handbench.datasets.own_hand import require_edge
from handbench.datasets.own_object import OBJECT_WORDS, OwnObject, parse_object
from handbench.errors import BadInput
from handbench.loop.augmentation import CropBatch
from handbench.loop.held_data import BOX_CORNERS, SIZE, WHICH, hold, order_edges
from handbench.loop.held_model import find_poses
from handbench.methods.handobject import BUILDERS, build_for
from handbench.report.own_model import Answer, OwnModel, place_own_crops
from handbench.training.checkpoint import Checkpoint
from handbench.training.predict_held import as_seen

ROUNDING_MM = 0.5
"""Of the edges on a card."""


@dataclass(frozen=True)
class HeldModel(OwnModel):
    """It gives MSRA's joints of a right hand and the corners of what the hand holds."""

    network: nn.Module
    """Crops D and what is held to both poses after every step: loop/held_model.py."""
    object: OwnObject
    left: bool = False
    """Whether the hand is a left one, which the network sees in a mirror."""

    @property
    def joints(self) -> JointSet:
        return MSRA_JOINTS

    @property
    def held(self) -> Mapping[str, Any]:
        solid = self.object.solid
        return {"word": self.object.word, "box": solid.size_mm.tolist(), "hand": "left" if self.left else "right"}

    def answer(self, crops: Sequence[Crop], camera: Camera) -> Answer:
        solid, placed = self.object.solid, place_own_crops(crops, camera)
        seen = asdict(mirror_crops(placed) if self.left else placed)
        order = order_edges(solid.kind, solid.size_mm)
        held = hold(solid.kind, np.repeat(solid.size_mm[None, order], len(crops), axis=0))
        poses = find_poses(self.network, {**seen, WHICH: held.which, SIZE: held.size_mm})
        hands_mm, corners_mm = as_seen(poses.hand_mm.numpy(), poses.corners_mm.numpy(), self.left)
        self.require_numbers(hands_mm, (len(crops), len(self.joints.names), 3))
        self.require_numbers(corners_mm, (len(crops), BOX_CORNERS, 3))
        return Answer(hands_mm, corners=name_corners(corners_mm, order))


def name_corners(corners: Float32[np.ndarray, "*batch 8 3"], order: Sequence[int]) -> Float32[np.ndarray, "*batch 8 3"]:
    """The corners of a box whose axes were taken in this order, by the names that its own axes give them.

    An order that turns the axes inside out gives the two ends of z each other's name: they look alike.
    """
    batch = corners.shape[:-2]
    ends = np.moveaxis(corners.reshape(*batch, 2, 2, 2, 3), range(-4, -1), [axis - 4 for axis in order])
    if np.linalg.det(np.eye(3)[list(order)]) < 0:
        ends = ends[..., ::-1, :]
    return ends.reshape(corners.shape)


def mirror_crops(crops: CropBatch) -> CropBatch:
    """Crops without labels as their mirror images: x changes its sign."""
    size = crops.depth.shape[-1]
    turned = crops.centre_mm.new_tensor([-1.0, 1.0, 1.0])
    across = torch.stack([size - 1 - crops.principal_px[:, 0], crops.principal_px[:, 1]], dim=1)
    return replace(crops, depth=crops.depth.flip(-1), centre_mm=crops.centre_mm * turned, principal_px=across)


def load_held_model(checkpoint: Checkpoint, cube_mm: float | None, word: str | None, left: bool) -> HeldModel:
    """The model of a loop, or of a rival that gives both poses, and of the object that a word names."""
    card, trained, folder = checkpoint.card, checkpoint.trained, checkpoint.folder
    if trained.kind not in BUILDERS:
        raise BadInput(
            folder, expected=f"a model of both poses: {', '.join(BUILDERS)}", found=trained.kind, fix="name one"
        )
    if word is None:
        raise BadInput(
            folder, expected=f"--object with what the hand holds: {OBJECT_WORDS}", found="none", fix="add it"
        )
    held = parse_object(word)
    cube = read_edge(card["centre"]["strategy"])
    if cube_mm is not None and require_edge(cube_mm) != cube:
        raise BadInput(
            folder,
            expected=f"--cube {cube:g}, the edge of the crops that it has learned from: its networks know no other, "
            "and the cubes that a loop cuts out of it for hand and object stay as large as they were",
            found=f"--cube {cube_mm:g}",
            fix="leave --cube out",
        )
    network = build_for(trained, held.solid.kind)
    for warning in compare_with_learned(held, card.get("held")):
        print(warning, file=sys.stderr)
    return HeldModel(checkpoint.name, card["dataset"], card["size_px"], cube, network, held, left)


def compare_with_learned(own: OwnObject, learned: Mapping[str, Any] | None) -> list[str]:
    """A line where the object is of a kind, or beyond the sizes, that the network has seen in training."""
    if learned is None:
        return []
    solid, ends_mm = own.solid, np.array(learned["edges_mm"])
    edges_mm = solid.size_mm[order_edges(solid.kind, solid.size_mm)]
    known = ((edges_mm >= ends_mm[:, 0] - ROUNDING_MM) & (edges_mm <= ends_mm[:, 1] + ROUNDING_MM)).all()
    if solid.kind == learned["kind"] and known:
        return []
    ranges = " x ".join(f"{low:.0f}-{high:.0f}" for low, high in ends_mm)
    return [f"{own.word}: the model has learned from {learned['kind']}s of {ranges} mm alone; its poses may be far off"]


def read_edge(centre: str) -> float:
    """Of the cubes that it has learned from: that of their word, as com-400, or the rendered frames' own."""
    edge = centre.rpartition("com-")[2]
    return float(edge) if edge.isdecimal() else HANDOBJECT.cube_mm[""]
