"""From files: NYU's PNG to a patch, a second epoch from the crop store, MSRA's .bin to a depth image."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.frames import CAMERA, CUBE_MM, decoded_frames, embedded_listing, scratch_folder, silence
from benchmarks.harness import Candidate, Race, make_race, require_share
from benchmarks.recipes import crop_as_deepprior, read_bin_by_pixel, read_png_as_deepprior
from benchmarks.rows import Row
from handbench.conventions import MSRA, Camera
from handbench.datasets import msra, nyu
from handbench.datasets.crops import build_crops
from handbench.datasets.store import open_store
from handbench.datasets.torch_dataset import CropDataset
from handbench.geometry.crop import crop_cube

EPOCH_FRAMES, BATCH = 256, 64


def race_png() -> Race:
    paths, centres_mm = find_nyu_files()

    def read_ours() -> list[np.ndarray]:
        return [
            crop_cube(nyu.read_depth(path), centre_mm, CUBE_MM, CAMERA, sampling="corner")[0]
            for path, centre_mm in zip(paths, centres_mm, strict=True)
        ]

    def read_theirs() -> list[np.ndarray]:
        return [
            crop_as_deepprior(read_png_as_deepprior(path), centre_mm, CUBE_MM, CAMERA)
            for path, centre_mm in zip(paths, centres_mm, strict=True)
        ]

    def check() -> None:
        for ours, theirs in zip(read_ours(), read_theirs(), strict=True):
            require_share(np.abs(ours - theirs) <= 1e-5, 0.999, "the patches")

    return make_race(read_ours, read_theirs, len(paths), check)


def race_epoch() -> Race:
    """What a training loop takes its second epoch from: the store's tensors, or the files once more."""

    def read_crop(path: Path, centre_mm: np.ndarray, cube_mm: float, camera: Camera) -> np.ndarray:
        return crop_as_deepprior(read_png_as_deepprior(path), centre_mm, cube_mm, camera)

    # The recipe takes the upper left of the pixels that a sample covers, the store the middle one.
    return _race_epoch(read_crop, tolerance=0.1)


def race_epoch_against_ourselves() -> Race:
    """The same against the faster way to read the files: what the store alone is worth."""

    def read_crop(path: Path, centre_mm: np.ndarray, cube_mm: float, camera: Camera) -> np.ndarray:
        return crop_cube(nyu.read_depth(path), centre_mm, cube_mm, camera)[0]

    return _race_epoch(read_crop, tolerance=1e-3)


def _race_epoch(read_crop: Callable[..., np.ndarray], *, tolerance: float) -> Race:
    import torch

    crops = _open_epoch()
    depth, store = crops.tensors(torch.float16)["depth"], crops.store
    paths, _ = find_nyu_files()

    def read_ours() -> None:
        # Not depth[rows]: indexing by a tensor takes three times as long as index_select does.
        for rows in torch.randperm(len(depth)).split(BATCH):
            torch.index_select(depth, 0, rows).float()

    def read_theirs() -> list[np.ndarray]:
        return [
            read_crop(path, np.asarray(store.centre_mm[row]), float(store.cube_mm[row]), store.camera)
            for row, path in enumerate(paths)
        ]

    def check() -> None:
        for row, theirs in enumerate(read_theirs()):
            require_share(np.abs(depth[row, 0].float().numpy() - theirs) <= tolerance, 0.95, "the patches")

    return Race(Candidate(read_ours, len(depth)), Candidate(read_theirs, len(paths)), check)


def race_bin() -> Race:
    listing = embedded_listing("msra")
    paths = [listing.root / name for name in listing.names]
    height, width = MSRA.camera.height, MSRA.camera.width

    def read_ours() -> list[np.ndarray]:
        return [msra.read_depth(path) for path in paths]

    def read_theirs() -> list[np.ndarray]:
        return [read_bin_by_pixel(path, height, width) for path in paths]

    def check() -> None:
        for ours, theirs in zip(read_ours(), read_theirs(), strict=True):
            require_share(ours == theirs, 1.0, "the depth images")

    return make_race(read_ours, read_theirs, len(paths), check)


def find_nyu_files() -> tuple[list[Path], list[np.ndarray]]:
    """A few frames and the centres of their cubes."""
    listing = embedded_listing("nyu")
    return [listing.root / name for name in listing.names], [frame.centre_mm for frame in decoded_frames()]


def _open_epoch() -> CropDataset:
    """A store of more crops than the processor's cache holds: the same few frames over and over."""
    listing = embedded_listing("nyu")
    times = EPOCH_FRAMES // len(listing)
    repeated = dataclasses.replace(
        listing,
        names=listing.names * times,
        subjects=listing.subjects * times,
        sequences=listing.sequences * times,
        joints_mm=np.tile(listing.joints_mm, (times, 1, 1)),
    )
    out = scratch_folder() / "crops"
    if not out.is_dir():
        with silence():
            build_crops(repeated, centre="joint", size_px=128, out=out)
    store = open_store(out)
    return CropDataset(store, np.arange(len(store)), range(len(store.joint_names)))


ROWS = (
    Row("png-nyu", "NYU PNG file to 128x128 crop", "PIL + DeepPrior++ recipe", race_png, 2.0, 2.5),
    Row(
        "epoch-store",
        "second epoch, shuffled, from the crop store",
        "PIL + DeepPrior++ recipe from PNG",
        race_epoch,
        200.0,
        500.0,
        batch=BATCH,
        precision="float16 to float32",
    ),
    Row(
        "epoch-own-png",
        "second epoch, shuffled, from the crop store",
        "handbench from PNG",
        race_epoch_against_ourselves,
        None,
        None,
        batch=BATCH,
        precision="float16 to float32",
    ),
    Row("bin-msra", "MSRA .bin file to 320x240 depth", "struct.unpack a pixel", race_bin, 15.0, 30.0),
)
