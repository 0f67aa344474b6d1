"""A crop store as a torch Dataset, for people's own training loops."""

from collections.abc import Sequence
from copy import copy
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from torch.utils.data import Dataset

from handbench.conventions import DATASETS
from handbench.datasets.store import CropStore, open_store
from handbench.errors import BadInput
from handbench.geometry.crop import normalise_joints

JOINTS = ("all", "scored")
DEMO = "results/demo-embedded"


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

    def take(self, rows: Int64[np.ndarray, "rows"]) -> "CropDataset":
        """Some of the frames, in this order; nothing of the others is read."""
        some = copy(self)
        some.places = self.places[rows]
        some._labels = {name: values[rows] for name, values in self._labels.items()}
        return some

    @property
    def joints(self) -> torch.Tensor:
        """Labels of all frames (frames, joints, 3) in half cube edges, NaN where there is none."""
        return self._labels["joints"]

    @property
    def size_px(self) -> int:
        """Edge of the square patch."""
        return int(self.store.depth.shape[-1])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.store.names[place] for place in self.places)

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(self.store.subjects[place] for place in self.places)


def open_crops(
    dataset: str | None = None,
    *,
    split: str | None = None,
    centre: str | None = None,
    results: str | Path | None = None,
    store: str | Path | None = None,
    fold: str | None = None,
    joints: str = "all",
    verify: bool = True,
) -> CropDataset:
    """The crops that the pipeline left under `results`, or those of one folder that `handbench crop --out` wrote.

    `open_crops("nyu")` looks for results/demo-embedded/crop/nyu/joint/test: `results`, dataset, `centre`, `split`.
    `open_crops(store=FOLDER)` opens that folder whole. MSRA is split by leaving one subject out: give `split="train"`
    or "test" and `fold="P0"`, the subject that is tested on. `joints="scored"` keeps the joints that published
    numbers are measured on, in their order.
    """
    if joints not in JOINTS:
        raise _refuse("joints=" + " | ".join(map(repr, JOINTS)), repr(joints), "choose one of these")
    if store is None:
        opened, split = _open_results(dataset, split, centre, results, verify=verify)
    elif (centre, results) != (None, None):
        raise _refuse("`store` alone", f"centre={centre!r}, results={results!r} with it", "leave them out")
    else:
        opened, split = _open_folder(Path(store), dataset, split, fold, verify=verify)
    name = opened.card["protocol"]["dataset"]
    folds = _has_folds(name) and split != "all"
    places = _places_of_fold(opened, split, fold) if folds else _every_place(opened, name, fold)
    indices = opened.scored if joints == "scored" else range(len(opened.joint_names))
    return CropDataset(opened, places, indices)


def _open_results(
    dataset: str | None, split: str | None, centre: str | None, results: str | Path | None, *, verify: bool
) -> tuple[CropStore, str]:
    """The store of a pipeline's run, and the split that was asked for."""
    if dataset not in DATASETS:
        raise _refuse(" | ".join(DATASETS), repr(dataset), "choose one of these, or name a folder with `store`")
    split, centre = split or "test", centre or "joint"
    kept = "all" if _has_folds(dataset) else split
    path = Path(results or DEMO) / "crop" / dataset / centre / kept
    if not path.is_dir():
        raise BadInput(
            path,
            expected="a crop store",
            found="no such folder",
            fix=f"run `handbench crop {dataset} --root DIR --split {path.name} --centre {centre} --out {path}`; "
            "for another run give `results`, for a folder of your own `store`",
        )
    return open_store(path, verify=verify), split


def _open_folder(
    path: Path, dataset: str | None, split: str | None, fold: str | None, *, verify: bool
) -> tuple[CropStore, str]:
    """The store in a folder: what is said of it beside its path must be so."""
    opened = open_store(path, verify=verify)
    protocol = opened.card["protocol"]
    if dataset not in (None, protocol["dataset"]):
        raise BadInput(path, expected=f"crops of {dataset}", found=protocol["dataset"], fix="leave the dataset out")
    if _has_folds(protocol["dataset"]):
        return opened, split or ("all" if fold is None else "test")
    if split not in (None, protocol["split"]):
        raise BadInput(path, expected=f"the split {split}", found=protocol["split"], fix="leave the split out")
    return opened, protocol["split"]


def _has_folds(dataset: str) -> bool:
    return dataset in DATASETS and DATASETS[dataset].splits == ("all",)


def _refuse(expected: str, found: str, fix: str) -> BadInput:
    return BadInput("open_crops", expected=expected, found=found, fix=fix)


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
