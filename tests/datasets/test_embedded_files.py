import numpy as np
import pytest

from handbench.conventions import RECORDED, SYNTHESIZED
from handbench.datasets import msra14
from handbench.datasets.embedded_files import FILES, plan_recordings

PATHS = [
    ("nyu", "train", 7, "train/depth_1_0000008.png"),
    ("nyu", "test", 0, "test/depth_1_0000001.png"),
    ("msra", "all", 3, "P0/1/000003_depth.bin"),
    ("dexter", "test", 0, "data/Grasp1/depth/00000_depth.png"),
]


def test_every_dataset_keeps_random_numbers_of_its_own() -> None:
    """Another number, or the same as another's, would make other frames of a set that people have results on."""
    numbers = {dataset: files.number for dataset, files in FILES.items()}
    assert list(FILES) == list(SYNTHESIZED)
    assert len(set(numbers.values())) == len(numbers)
    known = {"nyu": 4, "icvl": 1, "msra": 2, "msra14": 3, "dexter": 0, "wristband": 5}
    assert {dataset: numbers[dataset] for dataset in known} == known


@pytest.mark.parametrize(("dataset", "split", "row", "path"), PATHS)
def test_paths_as_in_the_release(dataset, split, row, path):
    frames = dict.fromkeys(RECORDED[dataset].splits, 200)
    take = next(take for take in plan_recordings(dataset, frames, 0) if take.split == split)
    assert FILES[dataset].depth_path(take, row, row).as_posix() == path


def test_icvl_and_msra14_trees(embedded_sets):
    icvl = embedded_sets["icvl"].out / "raw"
    assert sorted(path.name for path in (icvl / "Testing").iterdir()) == ["Depth", "test_seq_1.txt", "test_seq_2.txt"]
    assert sorted(path.name for path in (icvl / "Training").iterdir()) == ["Depth", "labels.txt"]
    # The real test files end their lines with blank, CR, CR, LF.
    assert (icvl / "Testing/test_seq_1.txt").read_bytes().endswith(b" \r\r\n")
    assert sorted(path.name for path in (embedded_sets["msra14"].out / "raw").iterdir()) == [
        f"Subject{i}" for i in range(1, 7)
    ]


@pytest.mark.parametrize("dataset", RECORDED)
def test_no_file_of_ours_lies_in_the_download_tree(embedded_sets, dataset):
    out = embedded_sets[dataset].out
    kinds = {path.suffix for path in (out / "raw").rglob("*") if path.is_file()}
    assert kinds <= {".png", ".mat", ".txt", ".bin"}
    assert list(out.rglob(".*")) == []


def test_msra14_has_48_spheres_that_fill_the_hand(embedded_sets):
    """Each label lies inside some sphere, and no sphere is larger than the wrist."""
    out = embedded_sets["msra14"].out / "raw" / "Subject1"
    spheres = np.loadtxt(out / "sphere.txt", skiprows=1).reshape(-1, 48, 5)
    listing = msra14.list_frames(embedded_sets["msra14"].out / "raw", "all")
    frames = [row for row, name in enumerate(listing.sequences) if name == "Subject1"]
    assert len(spheres) == len(frames)
    joints = listing.joints_mm[frames] * [1, -1, -1]
    gap = np.linalg.norm(joints[:, :, None] - spheres[:, None, :, 1:4], axis=-1) - spheres[:, None, :, 4]
    assert (gap.min(axis=2) < 6.0).all()
    assert spheres[..., 4].min() > 3
    assert spheres[..., 4].max() < 30
