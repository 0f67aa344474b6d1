"""Crops seen in a mirror: left hands become the right ones that networks have learned from.

x changes its sign in everything: images, labels, centres, cameras. A solid in a mirror whose corners keep their numbers
is a solid turned inside out; so the two ends of its z change their names, and the corners are again those of a box that
has been turned and moved (`geometry/box.py`).
"""

from dataclasses import asdict, replace

import numpy as np
from jaxtyping import Float

from handbench.conventions import CORNERS
from handbench.datasets.store import CropStore

_AXES = np.array([-1.0, 1.0, 1.0], np.float32)
_OTHER_END_OF_Z = np.arange(8) ^ 1


def mirror_points(points_mm: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    return points_mm * _AXES


def mirror_corners(corners_mm: Float[np.ndarray, "*batch 8 3"]) -> Float[np.ndarray, "*batch 8 3"]:
    """Those of a box again: right-handed."""
    return mirror_points(corners_mm)[..., _OTHER_END_OF_Z, :]


def mirror_store(store: CropStore) -> CropStore:
    """The same frames as their mirror images, in memory; twice is once too often, and gives the store again."""
    size, camera = store.depth.shape[-1], store.camera
    joints_mm = mirror_points(store.joints_mm)
    if store.joint_names[-len(CORNERS) :] == CORNERS:
        joints_mm = np.concatenate(
            [joints_mm[:, : -len(CORNERS)], mirror_corners(store.joints_mm[:, -len(CORNERS) :])], 1
        )
    flipped = replace(camera, cx=camera.width - 1 - camera.cx)
    # Column c of the image is column width - 1 - c of its mirror image, and so it is in the patch.
    patch_from_image = np.array(store.patch_from_image)
    patch_from_image[:, 0, 2] = size - 1 - patch_from_image[:, 0, 2] - patch_from_image[:, 0, 0] * (camera.width - 1)
    protocol = {**store.card["protocol"], "camera": asdict(flipped)}
    return replace(
        store,
        card={**store.card, "protocol": protocol},
        depth=np.ascontiguousarray(store.depth[:, :, ::-1]),
        joints_mm=joints_mm.astype(np.float32),
        centre_mm=mirror_points(np.asarray(store.centre_mm)),
        patch_from_image=patch_from_image,
    )
