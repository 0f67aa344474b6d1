"""Crops around the joint that a localizer finds: what `handbench crop --centre localized` does (feedback19, Sec. 3.2).

The network looks at crops that are there already, around the centre of mass as in its training; then every frame is cut
again. All centres are known before the first frame is read, so that no worker thread waits for a network.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from handbench.conventions import LOCALIZED, Convention
from handbench.datasets.centres import Centre, CentreStrategy
from handbench.datasets.crops import build_crops
from handbench.datasets.listing import Frame, Listing
from handbench.datasets.torch_dataset import CropDataset, open_crops
from handbench.errors import BadInput
from handbench.loop.crop_data import AT_ONCE
from handbench.loop.localization import Refined, place_crops, refine_centres
from handbench.modules import KINDS
from handbench.training.checkpoint import Checkpoint, load_checkpoint
from handbench.training.predict import check_store

KEPT = "not localized, as its first crop has a note"
OUTSIDE = "not localized, as the localizer points out of the cube"


@dataclass(frozen=True)
class TrainedLocalizer:
    """A localizer as those who crop with it know it."""

    folder: Path
    card: dict[str, Any]
    network: nn.Module

    @property
    def word(self) -> str:
        """What a store calls its centre: crops of another localizer are other crops."""
        return f"{LOCALIZED}-{self.card['sha256'][:12]}"


def load_localizer(folder: Path) -> TrainedLocalizer:
    return as_localizer(load_checkpoint(folder))


def as_localizer(checkpoint: Checkpoint) -> TrainedLocalizer:
    """A checkpoint that finds hands, of whatever frames."""
    card, folder = checkpoint.card, checkpoint.folder
    if KINDS[card["kind"]].gives != "localizer":
        known = ", ".join(kind for kind, one in KINDS.items() if one.gives == "localizer")
        raise BadInput(folder, expected=f"a checkpoint of {known}", found=card["kind"], fix="name a localizer's folder")
    if card["fold"] is not None:
        found = f"one that never saw {card['fold']}"
        raise BadInput(folder, expected="one localizer for all frames", found=found, fix="train it without --fold")
    return TrainedLocalizer(folder, card, checkpoint.trained.build())


def crop_localized(
    listing: Listing, folder: Path, store: Path, *, size_px: int, out: Path, allow_skips: int = 0, jobs: int = 1
) -> None:
    """Write the crops of a listing around what the localizer in `folder` finds in the crops of `store`."""
    localizer, first = load_localizer(folder), open_crops(store=store)
    check_store(localizer.card, first)
    _check_frames(listing, first)
    centres = find_centres(localizer, first)

    def find(frame: Frame, convention: Convention) -> Centre:
        if frame.row not in centres:
            found, fix = f"none of {frame.name}", "run the first crop again: the frame has been mended since"
            raise BadInput(store, expected="a crop of every readable frame", found=found, fix=fix)
        return centres[frame.row]

    truth = bool(localizer.card["centre"]["uses_ground_truth"])
    strategy = CentreStrategy(localizer.word, uses_ground_truth=truth, find=find)
    build_crops(listing, centre=strategy, size_px=size_px, out=out, allow_skips=allow_skips, jobs=jobs)


def find_centres(localizer: TrainedLocalizer, crops: CropDataset) -> dict[int, Centre]:
    """The cube of every frame, by its row in the published list."""
    # The number of threads changes last digits, and with them a window's bounds; jobs are threads of the cutting alone.
    torch.set_num_threads(1)
    places = np.array_split(crops.places, max(-(-len(crops) // AT_ONCE), 1))
    parts = [_refine(localizer, CropDataset(crops.store, part, ())) for part in places]
    centre_mm = np.concatenate([part.centre_mm.numpy() for part in parts]).astype(np.float32)
    moved = np.concatenate([part.moved.numpy() for part in parts])
    noted = {note["row"] for note in crops.store.card["notes"]}
    centres = {}
    for place, row in enumerate(np.asarray(crops.store.row).tolist()):
        first_mm, cube_mm = np.asarray(crops.store.centre_mm[place]), float(crops.store.cube_mm[place])
        reason = KEPT if row in noted else "" if moved[place] else OUTSIDE
        centres[row] = Centre(first_mm if reason else centre_mm[place], cube_mm, reason)
    return centres


@torch.no_grad()
def _refine(localizer: TrainedLocalizer, part: CropDataset) -> Refined:
    tensors = part.tensors()
    depth, transform = tensors["depth"], tensors["patch_from_image"]
    crops = place_crops(depth, tensors["centre_mm"], tensors["cube_mm"], transform, part.store.camera)
    return refine_centres(localizer.network, crops)


def _check_frames(listing: Listing, crops: CropDataset) -> None:
    """The crops are those of the very frames that are to be cut again."""
    store, protocol, convention = crops.store, crops.store.card["protocol"], listing.convention
    asked, given = (convention.name, listing.split), (protocol["dataset"], protocol["split"])
    rows = np.asarray(store.row).tolist()
    if asked != given or [listing.names[row] for row in rows if row < len(listing)] != list(store.names):
        raise BadInput(
            store.path,
            expected=f"crops of the frames of {' '.join(asked)} in {listing.root}",
            found="others of their number or names" if asked == given else f"those of {' '.join(given)}",
            fix="name the store that was cut from these files",
        )
