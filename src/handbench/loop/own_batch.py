"""A person's own crops as the batch that networks and cameras know."""

from collections.abc import Sequence

import numpy as np
import torch

from handbench.conventions import Camera
from handbench.datasets.frame_crop import Crop
from handbench.geometry.patch_frame import make_camera
from handbench.loop.augmentation import CropBatch


def batch_crops(hands: Sequence[tuple[Crop, Camera]]) -> CropBatch:
    """Crops, each with the camera of its frame; there is no joint in them."""
    cameras = []
    for crop, camera in hands:
        to_patch = torch.from_numpy(crop.patch_from_image.astype(np.float32))[None]
        cameras.append(make_camera(to_patch, (camera.fx, camera.fy), (camera.cx, camera.cy)))
    crops = [crop for crop, _ in hands]
    return CropBatch(
        depth=torch.from_numpy(np.stack([crop.depth for crop in crops])[:, None]),
        joints=torch.empty(len(crops), 0, 3),
        centre_mm=torch.from_numpy(np.stack([crop.centre_mm for crop in crops])),
        cube_mm=torch.tensor([crop.cube_mm for crop in crops], dtype=torch.float32),
        focal_px=torch.cat([focal for focal, _ in cameras]),
        principal_px=torch.cat([principal for _, principal in cameras]),
    )
