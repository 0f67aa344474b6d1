"""One frame on its way into the store: read, given a centre, cut."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64

from handbench.conventions import Convention
from handbench.datasets.centres import CentreStrategy
from handbench.datasets.listing import Frame, Listing
from handbench.errors import BadInput
from handbench.geometry.camera import project_points
from handbench.geometry.crop import crop_cube


@dataclass(frozen=True)
class Crop:
    """One frame as the store keeps it; `note` says where a fallback was used, a cube is doubted or empty."""

    depth: Float32[np.ndarray, "size size"]
    joints_mm: Float32[np.ndarray, "joints 3"]
    centre_mm: Float32[np.ndarray, "3"]
    cube_mm: float
    patch_from_image: Float64[np.ndarray, "3 3"]
    row: int
    note: str


def crop_frame(frame: Frame, convention: Convention, strategy: CentreStrategy, size_px: int) -> Crop:
    """The crop of one frame."""
    found = strategy.find(frame, convention)
    centre_mm = found.centre_mm.astype(np.float32)
    depth, patch_from_image = crop_cube(frame.depth_mm, centre_mm, found.cube_mm, frame.camera, size_px=size_px)
    # Trap 46: a cube without a measurement stays where the centre is, and is told.
    empty = "" if (np.abs(depth) < 1).any() else "nothing measured in the cube"
    note = "; ".join(part for part in (found.fallback, found.doubt, empty) if part)
    return Crop(depth, frame.joints_mm, centre_mm, found.cube_mm, patch_from_image, frame.row, note)


def read_frame(listing: Listing, row: int) -> Frame:
    """A frame whose image is there, readable and of the camera's size; BadInput otherwise."""
    path = listing.root / listing.names[row]
    camera = listing.convention.camera
    fix = f"`handbench doctor {listing.root}` tells what else is wrong; --allow-skips N leaves up to N such frames out"
    try:
        frame = listing.frame(row)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(path, expected="a readable depth image", found=str(error), fix=fix) from error
    if frame.depth_mm.shape != (camera.height, camera.width):
        height, width = frame.depth_mm.shape
        raise BadInput(path, expected=f"{camera.width}x{camera.height} pixels", found=f"{width}x{height}", fix=fix)
    return frame


def read_hand(listing: Listing, row: int) -> Frame:
    """A readable frame whose labelled hand is in the image; one without any scored label is taken as it is."""
    frame = read_frame(listing, row)
    convention, camera = listing.convention, frame.camera
    alone = replace(listing, joints_mm=listing.joints_mm[row : row + 1])
    if not alone.in_image()[0]:
        joint = next(joint for joint in convention.scored if np.isfinite(frame.joints_mm[joint]).all())
        name = convention.joints.names[joint]
        with np.errstate(divide="ignore", invalid="ignore"):
            u, v, depth_mm = project_points(frame.joints_mm[joint].astype(np.float64), camera)
        raise BadInput(
            listing.root / listing.names[row],
            expected=f"a hand in the image of {camera.width}x{camera.height} pixels",
            found=f"every labelled joint outside it ({name} at u {u:.0f}, v {v:.0f}, depth {depth_mm:.0f} mm)",
            fix="mend the labels of this frame; --allow-skips N leaves up to N such frames out",
        )
    return frame
