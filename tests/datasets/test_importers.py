"""The one door: names, splits, and what every importer promises alike."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from miniature import (
    write_dexter,
    write_handobject,
    write_hands,
    write_icvl,
    write_msra,
    write_msra14,
    write_nyu,
    write_wristband,
)

from handbench.conventions import DATASETS, SYNTHESIZED
from handbench.datasets.importers import IMPORTERS, list_frames
from handbench.datasets.synthesize import synthesize
from handbench.errors import BadInput

WRITERS: dict[str, Callable[[Path], Path]] = {
    "nyu": write_nyu,
    "icvl": write_icvl,
    "msra": write_msra,
    "msra14": write_msra14,
    "dexter": write_dexter,
    "handobject": write_handobject,
    "hands": write_hands,
    "wristband": write_wristband,
}


def write_embedded(dataset: str) -> Callable[[Path], Path]:
    """The writer of a dataset that has no miniature: four frames a split, as `synthesize` writes them."""

    def write(root: Path) -> Path:
        synthesize(dataset, root, frames=dict.fromkeys(DATASETS[dataset].splits, 4), seed=0, renderer="software")
        return root / "raw"

    return write


WRITERS |= {dataset: write_embedded(dataset) for dataset in SYNTHESIZED if dataset not in WRITERS}
SPLITS = [(name, split) for name, convention in DATASETS.items() for split in convention.splits]


def test_every_convention_has_an_importer() -> None:
    assert list(IMPORTERS) == list(DATASETS)


def test_unknown_dataset_lists_the_names(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"one of {', '.join(DATASETS)}, found 'msra15'"):
        list_frames("msra15", tmp_path, "train")


@pytest.mark.parametrize(
    ("dataset", "split"), [("msra", "train"), ("msra14", "test"), ("dexter", "train"), ("nyu", "")]
)
def test_unknown_split_lists_the_splits(tmp_path: Path, dataset: str, split: str) -> None:
    with pytest.raises(BadInput, match=f"split {split!r} of {dataset}: expected '"):
        list_frames(dataset, WRITERS[dataset](tmp_path), split)


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_every_listing_keeps_its_promises(tmp_path: Path, dataset: str, split: str) -> None:
    """One entry a row everywhere, float32, and images of the sensor's size."""
    convention = DATASETS[dataset]
    listing = list_frames(dataset, WRITERS[dataset](tmp_path), split)
    assert len(listing) > 1
    assert len(listing.subjects) == len(listing.sequences) == len(listing.joints_mm) == len(listing)
    assert listing.joints_mm.dtype == np.float32
    assert listing.joints_mm.shape[1:] == (len(convention.joints.names), 3)
    for row in range(len(listing)):
        frame = listing.frame(row)
        assert frame.depth_mm.shape == (convention.camera.height, convention.camera.width)
        assert frame.depth_mm.flags.writeable
        assert (listing.root / frame.name).is_file()


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_trap_50_rows_keep_their_order(tmp_path: Path, dataset: str, split: str) -> None:
    """Also when the file system lists files in another order, as it may after a copy."""
    root = WRITERS[dataset](tmp_path)
    before = list_frames(dataset, root, split)
    files = [path for path in root.rglob("*") if path.is_file()]
    for path in reversed(files):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    after = list_frames(dataset, root, split)
    assert after.names == before.names
    np.testing.assert_array_equal(after.joints_mm, before.joints_mm)


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_leftovers_of_a_killed_write_are_not_frames(tmp_path: Path, dataset: str, split: str) -> None:
    root = WRITERS[dataset](tmp_path)
    names = list_frames(dataset, root, split).names
    for folder in [path for path in root.rglob("*") if path.is_dir()]:
        (folder / ".depth_1_0000099.png.123.part").touch()
        (folder / ".DS_Store").touch()
    assert list_frames(dataset, root, split).names == names
