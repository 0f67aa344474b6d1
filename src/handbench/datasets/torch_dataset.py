"""A crop store as a torch Dataset, for people's own training loops."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int64
from torch.utils.data import Dataset

from handbench.conventions import DATASETS
from handbench.datasets.store import CropStore, open_store
from handbench.errors import BadInput
from handbench.geometry.crop import normalise_joints

Joints = Literal["all", "scored"]


class CropDataset(Dataset[dict[str, torch.Tensor]]):
    """Items of depth (1, S, S) in [-1, 1], joints (J, 3) in cube units, centre_mm, cube_mm, patch_from_image and row.

    `depth * cube_mm / 2 + centre_mm[2]` and `joints * cube_mm / 2 + centre_mm` are millimetres again. A joint that
    was not annotated is NaN. `row` is the frame's place in the published list.
    """

    def __init__(self, store: CropStore, places: Int64[np.ndarray, "frames"], joint_indices: Sequence[int]) -> None:
        self.store = store
        self.places = places
        self.joint_names = tuple(store.joint_names[index] for index in joint_indices)
        joints_mm = np.asarray(store.joints_mm)[places][:, list(joint_indices)]
        centre_mm, cube_mm = np.asarray(store.centre_mm)[places], np.asarray(store.cube_mm)[places]
        self._labels = {
            "joints": torch.from_numpy(normalise_joints(joints_mm, centre_mm, cube_mm)),
            "centre_mm": torch.from_numpy(centre_mm),
            "cube_mm": torch.from_numpy(cube_mm),
            "patch_from_image": torch.from_numpy(np.asarray(store.patch_from_image)[places].astype(np.float32)),
            "row": torch.from_numpy(np.asarray(store.row)[places].astype(np.int64)),
        }

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        # torch widens float16 ten times faster than numpy.
        depth = torch.from_numpy(np.array(self.store.depth[self.places[index]])).float()[None]
        return {"depth": depth, **{name: values[index] for name, values in self._labels.items()}}

    def tensors(self, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
        """Everything at once, to keep in memory or on a GPU; `dtype` is that of the depth (float16 is the store's)."""
        whole = np.array_equal(self.places, np.arange(len(self.store)))
        depth = np.array(self.store.depth) if whole else self.store.depth[self.places]
        return {"depth": torch.from_numpy(depth)[:, None].to(dtype), **self._labels}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.store.names[place] for place in self.places)

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(self.store.subjects[place] for place in self.places)


def open_crops(
    dataset: str,
    *,
    split: str = "test",
    centre: str = "joint",
    results: str | Path = "results/demo-embedded",
    fold: str | None = None,
    joints: Joints = "all",
    verify: bool = True,
) -> CropDataset:
    """The crops that `handbench crop` or the pipeline left under `results`.

    MSRA is split by leaving one subject out: give `split="train"` or "test" and `fold="P0"`, the subject that is
    tested on. `joints="scored"` keeps the joints that published numbers are measured on, in their order.
    """
    if dataset not in DATASETS:
        raise BadInput("open_crops", expected=" | ".join(DATASETS), found=repr(dataset), fix="choose one of these")
    folds = DATASETS[dataset].splits == ("all",) and split != "all"
    path = Path(results) / "crop" / dataset / centre / ("all" if folds else split)
    if not path.is_dir():
        raise BadInput(
            path,
            expected="a crop store",
            found="no such folder",
            fix=f"run `handbench crop {dataset} --root DIR --split {path.name} --centre {centre} --out {path}`",
        )
    store = open_store(path, verify=verify)
    places = _places_of_fold(store, split, fold) if folds else _every_place(store, dataset, fold)
    indices = store.scored if joints == "scored" else range(len(store.joint_names))
    return CropDataset(store, places, indices)


def _every_place(store: CropStore, dataset: str, fold: str | None) -> Int64[np.ndarray, "frames"]:
    if fold is not None:
        raise BadInput("open_crops", expected=f"no fold for {dataset}", found=repr(fold), fix="leave `fold` out")
    return np.arange(len(store), dtype=np.int64)


def _places_of_fold(store: CropStore, split: str, fold: str | None) -> Int64[np.ndarray, "frames"]:
    subjects = np.array(store.subjects)
    known = ", ".join(sorted(set(store.subjects)))
    if fold is None or fold not in store.subjects:
        raise BadInput(
            "open_crops", expected=f"the subject left out ({known})", found=repr(fold), fix="name it with `fold`"
        )
    if split not in ("train", "test"):
        raise BadInput("open_crops", expected="train | test | all", found=repr(split), fix="choose one of these")
    left_out = subjects == fold
    return np.flatnonzero(left_out if split == "test" else ~left_out)
