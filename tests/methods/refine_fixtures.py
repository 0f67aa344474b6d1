"""Rendered hands alone and crops of a few of them, as refine's trainings take them."""

from pathlib import Path
from typing import Any

import numpy as np

from handbench.conventions import DATASETS
from handbench.datasets.crops import build_crops
from handbench.datasets.importers import list_frames
from handbench.datasets.render_hands import render_hands
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions
from handbench.hand.skeleton import REFERENCE_SHAPE, vary_shape
from handbench.hand.skinning import make_skin, pose_mesh
from handbench.rendering.zbuffer import render_layers
from handbench.training.train import Job
from tests.datasets.crop_fixtures import make_listing
from tests.methods.deepmodel_fixtures import draw_poses

SIZE_PX = 32
TINY: dict[str, Any] = {"channels": [4, 4, 4, 4, 4], "points": 100, "radius": 0.3}
FITS_TOLD = {
    "pose_fits": {"steps", "first", "last", "joints_mm_first", "joints_mm_last"},
    "cloud_fits": {
        *("steps", "fitted_first", "fitted_last", "held_first", "held_last"),
        *("surface_mm_first", "surface_mm_last"),
    },
    "arrays": {
        *("pose_fits_losses", "cloud_fits_losses", "cloud_fits_held_losses"),
        *(f"{fit}_fits_{one}" for fit in ("pose", "cloud") for one in ("seen", "first", "last", "cube_mm")),
    },
}
"""What a probe of the base leaves of its fits: of a real one, and of the one that the report's tests read."""
SMALLER = vary_shape(REFERENCE_SHAPE, size=0.9)


def make_rendered(folder: Path, frames: int = 40) -> None:
    """`hands` with its truth, and `base` with its crops."""
    render_hands(folder / "hands", frames={"full": frames}, seed=1)
    listing = list_frames("hands", folder / "hands", "train")
    build_crops(listing, centre="block", size_px=SIZE_PX, out=folder / "crops")


def make_target(
    folder: Path, split: str, frames: int = 24, *, moved_mm: float = 0.0, dataset: str = "icvl", centre: str = "block"
) -> Path:
    """Crops of a smaller hand in another camera; labels that are `moved_mm` off give the very same crops."""
    poses = draw_poses(frames).astype(np.float64)
    joints_mm = keypoint_positions(KEYPOINTS[dataset], SMALLER, poses)
    skin, convention = make_skin(SMALLER), DATASETS[dataset]

    def read_depth(path: Path) -> np.ndarray:
        row = int(path.stem.split("_")[1])
        return render_layers([pose_mesh(skin, SMALLER, poses[row])], convention.camera)[0]

    rng = np.random.default_rng(3)
    inner = np.sort(joints_mm, axis=1)  # joints within the box may be anywhere in it
    low, high = inner[:, :1], inner[:, -1:]
    noisy = np.clip(joints_mm + moved_mm * rng.normal(size=joints_mm.shape), low, high)
    # Those that make the box stay.
    outermost = (joints_mm == low) | (joints_mm == high)
    labels_mm = np.where(outermost, joints_mm, noisy).astype(np.float32)
    listing = make_listing(frames, convention=convention, split=split, joints_mm=labels_mm, read_depth=read_depth)
    out = folder / (split if not moved_mm else f"{split}-wrong")
    build_crops(listing, centre=centre, size_px=SIZE_PX, out=out)
    return out


def base_job(folder: Path, **changes: Any) -> Job:
    settings = {"epochs": 2, "batch": 12, **TINY, **changes}
    truth = folder / "hands/truth.npz"
    return Job("refine.base", "refine_base", "refine", settings, 0, None, truth=truth)


def adapted_job(folder: Path, **changes: Any) -> Job:
    settings = {"epochs": 3, "batch": 8, "learning_rate": 0.0003, "cloud_rate_mm": 0.2, **changes}
    return Job("refine.adapted", "refine", "refine", settings, 0, None, needs=(folder / "base",))
