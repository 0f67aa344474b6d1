"""Pictures of a few test frames on disk: small, the same bytes for the same pictures, and drawn from without torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8

from handbench.datasets.array_file import Layout, check_layout, read_arrays, write_arrays
from handbench.datasets.files import check_digest

FILE = "pictures.npz"
LEVELS = 255
"""Of depth in a picture: steps of 1.2 mm in NYU's cube. 0 is the cube's near face, 255 its far one and all behind."""
EVEN = "even"
"""How a frame was chosen that stands at an even distance from the next; others name their share of the frames."""


@dataclass(frozen=True)
class WalkPictures:
    """A walk through the latent space of crossing, from one frame to another: image and pose of every point."""

    rows: Int64[np.ndarray, "2"]
    """Places of both frames in the published list."""
    camera: UInt8[np.ndarray, "2 size size"]
    drawn: UInt8[np.ndarray, "points size size"]
    poses_px: Float32[np.ndarray, "points joints 3"]
    """Column, row and depth in the patch of the point's own cube."""
    cube_mm: Float32[np.ndarray, "points"]
    rendered: UInt8[np.ndarray, "points size size"] | None = None
    """The hand that takes each pose; None where nobody knows whose hand it is."""


@dataclass(frozen=True)
class UpdatePictures:
    """Where single updates of noisy poses begin and end, in the images of some of the frames and of one joint."""

    joint: str
    noise_mm: float
    """Mean error of the noisy poses."""
    places: Int64[np.ndarray, "shown"]
    """Of these frames among the pictures."""
    starts_px: Float32[np.ndarray, "shown updates 3"]
    """Column, row and depth in the patch."""
    ends_px: Float32[np.ndarray, "shown updates 3"]
    before_mm: Float32[np.ndarray, "shown updates"]
    """How far the joint is from the true one."""
    after_mm: Float32[np.ndarray, "shown updates"]


@dataclass(frozen=True)
class Pictures:
    """Test frames as the camera saw them, and of each some poses with the image that the synthesizer draws of them."""

    rows: Int64[np.ndarray, "frames"]
    """Places in the published list."""
    chosen: tuple[str, ...]
    """How each frame was chosen: evenly, or as the one below whose first error lie so many of the frames."""
    steps: tuple[str, ...]
    """What the poses are: an iteration each, "0" the start; or the truth, then poses made of it that no hand takes."""
    camera: UInt8[np.ndarray, "frames size size"]
    drawn: UInt8[np.ndarray, "frames steps size size"]
    truth_px: Float32[np.ndarray, "frames joints 3"]
    """Column, row and depth in the patch; NaN for a joint that is not in front of the camera."""
    poses_px: Float32[np.ndarray, "frames steps joints 3"]
    pose_mm: Float32[np.ndarray, "frames steps"]
    """Mean joint error."""
    hand_mm: Float32[np.ndarray, "frames steps"]
    """Mean absolute difference of the drawn from the camera's image over the pixels of the hand."""
    image_mm: Float32[np.ndarray, "frames steps"]
    """Root mean square of the difference over the whole patch: what image-based optimisation makes small."""
    cube_mm: Float32[np.ndarray, "frames"]
    walk: WalkPictures | None = None
    """Of a module with a latent space."""
    updates: UpdatePictures | None = None
    """Of a loop; probes of older releases have none."""


ARRAYS = ("rows", "camera", "drawn", "truth_px", "poses_px", "pose_mm", "hand_mm", "image_mm", "cube_mm")
WORDS = ("chosen", "steps")
OF_A_WALK = ("rows", "camera", "drawn", "poses_px", "cube_mm", "rendered")
WALK = "walk_"
"""What the names of a walk's arrays begin with."""
OF_UPDATES = ("places", "starts_px", "ends_px", "before_mm", "after_mm")
UPDATES = "updates_"
_IMAGES, _ERRORS = ("frames", "steps", "size", "size"), ("f", ("frames", "steps"))
LAYOUT: Layout = {
    "rows": ("i", ("frames",)),
    "chosen": ("U", ("frames",)),
    "steps": ("U", ("steps",)),
    "camera": ("u", ("frames", "size", "size")),
    "drawn": ("u", _IMAGES),
    "truth_px": ("f", ("frames", "joints", 3)),
    "poses_px": ("f", ("frames", "steps", "joints", 3)),
    **dict.fromkeys(("pose_mm", "hand_mm", "image_mm"), _ERRORS),
    "cube_mm": ("f", ("frames",)),
}
WALK_LAYOUT: Layout = {
    "rows": ("i", (2,)),
    "camera": ("u", (2, "size", "size")),
    "drawn": ("u", ("points", "size", "size")),
    "poses_px": ("f", ("points", "joints", 3)),
    "cube_mm": ("f", ("points",)),
    "rendered": ("u", ("points", "size", "size")),
}
UPDATES_LAYOUT: Layout = {
    "places": ("i", ("shown",)),
    **dict.fromkeys(("starts_px", "ends_px"), ("f", ("shown", "updates", 3))),
    **dict.fromkeys(("before_mm", "after_mm"), ("f", ("shown", "updates"))),
    "joint": ("U", (1,)),
    "noise_mm": ("f", (1,)),
}
HOLDS, FIX = "pictures as `handbench probe` left them", "probe again"


def as_levels(depth: Float[np.ndarray, "*images size size"]) -> UInt8[np.ndarray, "*images size size"]:
    """Depth of -1 to 1 in a byte."""
    return np.round((np.clip(depth, -1, 1) + 1) * (LEVELS / 2)).astype(np.uint8)


def as_depth_mm(levels: UInt8[np.ndarray, "*shape"], cube_mm: float) -> Float32[np.ndarray, "*shape"]:
    """Behind the near face of the cube."""
    return levels.astype(np.float32) * np.float32(cube_mm / LEVELS)


def save_pictures(path: Path, pictures: Pictures) -> None:
    arrays = {name: getattr(pictures, name) for name in ARRAYS}
    words = {name: np.array(getattr(pictures, name), np.str_) for name in WORDS}
    walk = {f"{WALK}{name}": getattr(pictures.walk, name) for name in OF_A_WALK} if pictures.walk else {}
    walk = {name: array for name, array in walk.items() if array is not None}
    write_arrays(path, arrays | words | walk | (_list_updates(pictures.updates) if pictures.updates else {}))


def _list_updates(updates: UpdatePictures) -> dict[str, np.ndarray]:
    told = {"joint": np.array([updates.joint], np.str_), "noise_mm": np.array([updates.noise_mm], np.float32)}
    return {f"{UPDATES}{name}": array for name, array in told.items()} | {
        f"{UPDATES}{name}": getattr(updates, name) for name in OF_UPDATES
    }


def read_pictures(path: Path, sha256: str) -> Pictures:
    """The pictures that the probe with this digest of them has left."""
    check_digest(path, sha256, holds=HOLDS, by="its probe", fix=FIX)
    held = read_arrays(path, holds=HOLDS, fix=FIX)
    check_layout(path, held, LAYOUT, holds=HOLDS, fix=FIX)
    read: dict[str, Any] = {name: held[name] for name in ARRAYS}
    words = {name: tuple(held[name].tolist()) for name in WORDS}
    return Pictures(**read | words, walk=_read_walk(path, held), updates=_read_updates(path, held))


def _read_walk(path: Path, held: dict[str, np.ndarray]) -> WalkPictures | None:
    walk = {name: held[f"{WALK}{name}"] for name in OF_A_WALK if f"{WALK}{name}" in held}
    if not walk:
        return None
    layout = WALK_LAYOUT if "rendered" in walk else {name: WALK_LAYOUT[name] for name in OF_A_WALK[:-1]}
    check_layout(path, walk, layout, holds=HOLDS, fix=FIX)
    return WalkPictures(**walk)


def _read_updates(path: Path, held: dict[str, np.ndarray]) -> UpdatePictures | None:
    updates = {name.removeprefix(UPDATES): array for name, array in held.items() if name.startswith(UPDATES)}
    if not updates:
        return None
    check_layout(path, updates, UPDATES_LAYOUT, holds=HOLDS, fix=FIX)
    joint, noise_mm = str(updates["joint"][0]), float(updates["noise_mm"][0])
    return UpdatePictures(joint, noise_mm, *(updates[name] for name in OF_UPDATES))
