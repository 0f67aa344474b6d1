"""The crops of hands with objects as trainings have them: D with 29 points, the solid of each frame, whose hand it is.

What is held follows from a rendered set's name, how large it is from its eight corners; no other truth is needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from handbench.conventions import CORNERS, HANDOBJECT, MSRA_JOINTS
from handbench.datasets.held_box import LARGE_BOX_MM
from handbench.datasets.object_catalogue import make_duck
from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.geometry.mesh import Mesh
from handbench.geometry.solids import make_cuboid, make_cylinder, make_sphere
from handbench.geometry.symmetry import Symmetry, find_symmetry
from handbench.loop.augmentation import CropBatch
from handbench.loop.crop_data import Data, Division, divide_at, find_labelled, gather, read_crops
from handbench.loop.held_object import Held

Target = Literal["hand", "object"]
TARGETS: tuple[Target, ...] = ("hand", "object")


HAND_POINTS, CORNER_POINTS = slice(0, len(MSRA_JOINTS.names)), slice(len(MSRA_JOINTS.names), None)
JOINTS, BOX_CORNERS = len(MSRA_JOINTS.names), len(CORNERS)
MIDDLE_JOINT = MSRA_JOINTS.index("middle_mcp")
"""Where the hand's cube is put (Sec. 4.2)."""
WHICH, SIZE = "which", "size_mm"
KIND_OF = {"train": "cuboid", "spheres": "sphere", "cylinders": "cylinder", "composed": "composed"}
"""What the hands of a rendered set hold."""
HELD_BACK_SHARE = 0.1
"""At least so many frames of recorded hands, and of drawn ones, tell how a training goes: those of whole persons."""

_LIKE_MM = {
    "cuboid": ((40.0, 60.0, 90.0), (40.0, 40.0, 90.0), (40.0, 90.0, 40.0), (90.0, 40.0, 40.0), (40.0, 40.0, 40.0)),
    "sphere": ((40.0, 40.0, 40.0),),
    "cylinder": ((40.0, 90.0, 40.0),),
    "composed": ((40.0, 60.0, 90.0),),
}
"""A size for each way in which edges can be equal."""


@cache
def list_symmetries(kind: str) -> tuple[Symmetry, ...]:
    """All that solids of a kind can have: Held.which counts them."""
    return tuple(find_symmetry(kind, size_mm) for size_mm in _LIKE_MM[kind])


def list_solids(kind: str) -> tuple[Mesh, ...]:
    """What a renderer draws of each, at any size: composed solids are all of one shape."""
    makers = {
        "cuboid": lambda: make_cuboid([1.0] * 3),
        "sphere": lambda: make_sphere(1.0),
        "cylinder": lambda: make_cylinder(1.0, 1.0),
        "composed": lambda: make_duck(1.0),
    }
    return (makers[kind]().mesh,) * len(_LIKE_MM[kind])


def measure_edges(corners_mm: Float[np.ndarray, "frames 8 3"]) -> Float[np.ndarray, "frames 3"]:
    """Edges along x, y and z of boxes whose corners are those of geometry/box.py."""
    return np.linalg.norm(corners_mm[:, [4, 2, 1]] - corners_mm[:, :1], axis=2)


def hold(kind: str, sizes_mm: Float[np.ndarray, "frames 3"]) -> Held:
    """Solids of one kind by their sizes."""
    known = [symmetry.turns for symmetry in list_symmetries(kind)]
    found: dict[tuple[float, ...], int] = {}
    for size_mm in np.unique(sizes_mm, axis=0):
        turns = find_symmetry(kind, size_mm).turns
        same = (number for number, one in enumerate(known) if np.array_equal(one, turns))
        found[tuple(size_mm)] = next(same, 0)
    which = np.array([found[tuple(size_mm)] for size_mm in sizes_mm], np.int64)
    return Held(torch.from_numpy(which), torch.from_numpy(sizes_mm.astype(np.float32)))


def find_kind(crops: CropDataset) -> str:
    """What is held in a store of rendered frames."""
    protocol = crops.store.card["protocol"]
    if protocol["dataset"] != HANDOBJECT.name or protocol["joints"] != list(HANDOBJECT.joints.names):
        raise BadInput(
            crops.store.path,
            expected=f"crops of the rendered dataset {HANDOBJECT.name}",
            found=protocol["dataset"],
            fix="run `handbench render`, then `handbench crop handobject --centre com-400`",
        )
    return KIND_OF[protocol["split"]]


def describe_held(crops: CropDataset) -> dict[str, Any]:
    """For the card of what learns from these frames: the kind of what is held, and the range of its edges in mm."""
    corners_mm = np.asarray(crops.store.joints_mm)[crops.places][:, CORNER_POINTS].astype(np.float64)
    edges_mm = measure_edges(corners_mm)
    ends = np.stack([np.nanmin(edges_mm, axis=0), np.nanmax(edges_mm, axis=0)], axis=1)
    return {"kind": find_kind(crops), "edges_mm": ends.round(1).tolist()}


def gather_held(crops: CropDataset, kind: str) -> Data:
    """Everything that a batch needs of the frames with all 29 points, and the solid of each."""
    return gather(crops, find_held(crops, kind))


def find_held(crops: CropDataset, kind: str) -> Data:
    """The solid of every frame, labelled or not."""
    corners_mm = np.asarray(crops.store.joints_mm)[crops.places][:, CORNER_POINTS]
    held = hold(kind, measure_edges(np.nan_to_num(corners_mm.astype(np.float64), nan=1.0)))
    return {WHICH: held.which, SIZE: held.size_mm}


def gather_tested(crops: CropDataset, boxes_mm: Mapping[str, Sequence[float]]) -> Data:
    """Every frame of Dexter+Object with the box that is held, whose size is known: by the truth's corners, where the
    crops have such labels, else by the sequence."""
    known, held = read_crops(crops), hold("cuboid", find_sizes_mm(crops, boxes_mm))
    return known | {"joints": known["joints"][:, :0], WHICH: held.which, SIZE: held.size_mm}


def find_sizes_mm(crops: CropDataset, boxes_mm: Mapping[str, Sequence[float]]) -> Float[np.ndarray, "frames 3"]:
    """Edges of the box of each frame, in the order that networks know, whatever the order they were typed in."""
    if crops.store.joint_names == HANDOBJECT.joints.names:
        sizes_mm = measure_edges(np.asarray(crops.store.joints_mm)[crops.places][:, CORNER_POINTS].astype(np.float64))
        if np.isfinite(sizes_mm).all():
            return sizes_mm
    sequences = [crops.store.sequences[place] for place in crops.places]
    missing = [name for name in dict.fromkeys(sequences) if name not in boxes_mm]
    if missing:
        raise BadInput(
            crops.store.path,
            expected="the size of the box that is held in each frame",
            found=f"none for {', '.join(missing)}",
            fix="name the truth.npz of embedded frames with --truth; for real ones set the module's boxes_mm",
        )
    typed_mm = {name: np.array(boxes_mm[name], np.float64) for name in dict.fromkeys(sequences)}
    ordered_mm = {name: size_mm[order_edges("cuboid", size_mm)] for name, size_mm in typed_mm.items()}
    return np.array([ordered_mm[name] for name in sequences], np.float64)


def order_edges(kind: str, size_mm: Float[np.ndarray, "3"]) -> list[int]:
    """Of a cuboid the edges in the order that networks know: those they have seen are longest along y, and shortest
    along z. What is given as 60x40x120 is 60x120x40 to them."""
    if kind != "cuboid":
        return [0, 1, 2]
    ranks = np.argsort(np.argsort(LARGE_BOX_MM))
    ordered: list[int] = np.argsort(size_mm, kind="stable")[ranks].tolist()
    return ordered


def held_of(data: Data) -> Held:
    return Held(data[WHICH], data[SIZE])


def divide_by_person(crops: CropDataset) -> Division:
    """Of recorded hands and of drawn ones each the last persons are held back: whom a network has never seen."""
    held = find_held(crops, find_kind(crops))
    labelled = find_labelled(crops).nonzero().flatten()
    apart = torch.from_numpy(choose_persons(crops))[labelled]
    if not apart.any() or apart.all():
        raise BadInput(
            crops.store.path,
            expected="frames of at least two persons, all points labelled",
            found=f"{len(apart)} frames of {len(set(crops.subjects))}",
            fix="render more frames",
        )
    return divide_at(crops, labelled[~apart], labelled[apart], held)


def choose_persons(crops: CropDataset) -> Bool[np.ndarray, "frames"]:
    """The frames that are held back."""
    subjects = np.array(crops.subjects)
    sequences = np.array([crops.store.sequences[place] for place in crops.places])
    apart = np.zeros(len(subjects), bool)
    for sequence in dict.fromkeys(sequences):
        mine = sequences == sequence
        for person in sorted(set(subjects[mine]), reverse=True)[: len(set(subjects[mine])) - 1]:
            if (apart & mine).sum() >= HELD_BACK_SHARE * mine.sum():
                break
            apart |= mine & (subjects == person)
    return apart


def keep_middle(division: Division, target: Target) -> Division:
    """With the one point that a localizer looks for: the middle MCP joint (Eq. 14) or the object's centre (Eq. 15)."""
    return Division(
        *(
            _with_points(data, find_middle(data["joints"], target)[:, None])
            for data in (division.seen, division.held_back)
        )
    )


def find_middle(points: Float[Tensor, "frames 29 3"], target: Target) -> Float[Tensor, "frames 3"]:
    """Where the cube of the hand or of the object is put."""
    return points[:, MIDDLE_JOINT] if target == "hand" else points[:, CORNER_POINTS].mean(dim=1)


def _with_points(data: Data, points: Float[Tensor, "frames some 3"]) -> Data:
    crop = {field.name: data[field.name] for field in fields(CropBatch)}
    return {**crop, "joints": points}
