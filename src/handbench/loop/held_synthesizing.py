"""How the synthesizers of hand and object are trained: each draws its own alone, since Eq. 21 puts them together.

The frames show both. What a hand looks like behind an object nobody knows, so the pixels of the object count for
nothing; a synthesizer that had to draw them would paint objects of all poses over each hand. An object is drawn by the
renderer, at the pose that the network is given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from handbench.conventions import BACKGROUND
from handbench.geometry.patch_frame import points_to_cube, points_to_mm
from handbench.loop.augmentation import CropBatch, augment
from handbench.loop.crop_data import AT_ONCE, Data, Division, as_batch
from handbench.loop.drawn_object import DrawnObject
from handbench.loop.held_data import SIZE, WHICH, held_of, list_solids, list_symmetries
from handbench.loop.held_object import settle_corners
from handbench.loop.held_view import Seen, split_points, view_hand, view_object
from handbench.loop.synthesizer_training import SynthesizerTraining, shrink
from handbench.modules import SynthesizerFitting
from handbench.networks.synthesizer import Synthesizer

BEFORE_MM = 6.0
"""What is measured so far before the object's surface is no longer the object."""
HIDDEN = float("nan")

Images = Float[Tensor, "batch 1 size size"]
Smaller = Float[Tensor, "batch 1 rows rows"]


class PartlySeenTraining(SynthesizerTraining):
    """Pixels that are not known count for nothing."""

    def training_step(self, batch: Data, index: int) -> Tensor:
        crops = augment(as_batch(batch), self.ranges)
        image = self.network(crops.joints, self.stage)
        depth, known = shrink_known(crops.depth, image.shape[-1])
        loss = ((image - depth).square() * known).sum() / known.sum().clamp(min=1)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss


class DrawnTraining(SynthesizerTraining):
    """What the renderer draws of the pose that the network is given."""

    def __init__(
        self, network: Synthesizer, settings: SynthesizerFitting, steps: int, stage: int, held_back: Data, *, kind: str
    ) -> None:
        super().__init__(network, settings, steps, stage, held_back)
        self.drawer, self.symmetries = DrawnObject(list_solids(kind)), list_symmetries(kind)

    def training_step(self, batch: Data, index: int) -> Tensor:
        crops, held = augment(as_batch(batch), self.ranges), held_of(batch)
        corners_mm = settle_corners(points_to_mm(crops.joints, crops.frame), held, self.symmetries)
        corners = points_to_cube(corners_mm, crops.frame)
        drawn = self.drawer(corners, crops.frame, held)
        image = self.network(corners, self.stage)
        loss = (image - shrink(drawn, image.shape[-1])).square().mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss


def shrink_known(depth: Images, rows: int) -> tuple[Smaller, Smaller]:
    """The patch at a stage's resolution from what is known of it, and the share of each pixel that is."""
    known = depth.isfinite().to(depth.dtype)
    share = depth.shape[-1] // rows
    weight = known if share == 1 else avg_pool2d(known, share)
    total = shrink(torch.where(depth.isfinite(), depth, 0.0), rows)
    return total / weight.clamp(min=1e-6), weight


def cut_hands(crops: Division, cube_mm: float, size_px: int, kind: str) -> Division:
    """The hands' cubes, what the object hides left out."""
    return Division(*(_cut_hands(data, cube_mm, size_px, kind) for data in (crops.seen, crops.held_back)))


def draw_objects(crops: Division, cube_mm: float, size_px: int, kind: str) -> Division:
    """The objects' cubes as the renderer draws them."""
    return Division(*(_draw_objects(data, cube_mm, size_px, kind) for data in (crops.seen, crops.held_back)))


def _cut_hands(data: Data, cube_mm: float, size_px: int, kind: str) -> Data:
    drawer, parts = DrawnObject(list_solids(kind)), []
    for part in _split(data):
        crops, held = as_batch(part), held_of(part)
        seen = view_hand(crops, held, cube_mm=cube_mm, size_px=size_px)
        corners = points_to_cube(split_points(crops, held)[1], seen.frame)
        depth = hide_object(seen.images, drawer(corners, seen.frame, held), seen.frame.cube_mm)
        parts.append(_as_data(depth, seen))
    return _join(parts)


def _draw_objects(data: Data, cube_mm: float, size_px: int, kind: str) -> Data:
    drawer, parts = DrawnObject(list_solids(kind)), []
    for part in _split(data):
        crops, held = as_batch(part), held_of(part)
        seen = view_object(crops, held, cube_mm=cube_mm, size_px=size_px)
        corners_mm = settle_corners(points_to_mm(seen.points, seen.frame), held, list_symmetries(kind))
        seen = replace(seen, points=points_to_cube(corners_mm, seen.frame))
        drawn = _as_data(drawer(seen.points, seen.frame, held), seen)
        parts.append({**drawn, WHICH: held.which, SIZE: held.size_mm})
    return _join(parts)


def hide_object(depth: Images, drawn: Images, cube_mm: Float[Tensor, "batch"]) -> Images:
    """NaN where the object, or what only it could hide, is seen; with a rim of a pixel."""
    before = (BEFORE_MM / (cube_mm / 2))[:, None, None, None]
    hidden = (drawn < BACKGROUND) & (depth >= drawn - before)
    hidden = max_pool2d(hidden.to(depth.dtype), 3, stride=1, padding=1) > 0
    return torch.where(hidden, HIDDEN, depth)


def _split(data: Data) -> Iterator[Data]:
    for rows in torch.arange(len(data["depth"])).split(AT_ONCE):
        yield {name: values[rows] for name, values in data.items()}


def _as_data(depth: Images, seen: Seen) -> Data:
    frame = seen.frame
    crop = CropBatch(
        depth.half(), seen.points, frame.centre_mm, frame.cube_mm, frame.focal_px.contiguous(), frame.principal_px
    )
    return {field.name: getattr(crop, field.name) for field in fields(crop)}


def _join(parts: Sequence[Data]) -> Data:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
