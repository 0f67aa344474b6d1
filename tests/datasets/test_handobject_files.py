"""Our own format of rendered hands with objects: there and back, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from miniature import make_depth, make_joints, write_handobject

from handbench.conventions import HANDOBJECT
from handbench.datasets import handobject, rendered_files
from handbench.errors import BadInput


def test_files_give_back_what_was_written(tmp_path: Path) -> None:
    listing = handobject.FILES.list_frames(write_handobject(tmp_path, semi=3, full=2), "spheres")
    assert listing.names == (
        "semi/000000.png",
        "semi/000001.png",
        "semi/000002.png",
        "full/000000.png",
        "full/000001.png",
    )
    assert listing.sequences == ("semi",) * 3 + ("full",) * 2
    assert listing.subjects == ("msra-P3",) * 3 + ("user_1",) * 2
    np.testing.assert_allclose(listing.joints_mm, make_joints(HANDOBJECT, 5, seed=1), atol=0.0006)
    np.testing.assert_array_equal(listing.frame(4).depth_mm, make_depth(HANDOBJECT, 4))


@pytest.mark.parametrize("inside", ["", "raw", "cylinders/raw"])
def test_a_set_is_found_from_the_folders_above_it(tmp_path: Path, inside: str) -> None:
    write_handobject(tmp_path / inside)
    assert len(handobject.FILES.list_frames(tmp_path, "cylinders")) == 4


def test_a_set_that_is_not_there_is_told(tmp_path: Path) -> None:
    root = write_handobject(tmp_path)
    (root / "spheres" / "labels.txt").unlink()
    with pytest.raises(BadInput, match="rendered frames of 'spheres'"):
        handobject.FILES.list_frames(root, "spheres")
    with pytest.raises(BadInput, match="split 'test' of handobject"):
        handobject.FILES.list_frames(root, "test")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("semi/../../x.png user_1 1 2 3", "a name such as semi/000000.png"),
        ("other/000000.png user_1 1 2 3", "a name such as semi/000000.png"),
        ("semi/000000.png user_1 1 2 3", "expected 87 numbers, found 3"),
        ("semi/000000.png user_1 " + "1.0 2.0 -3.0 " * 29, "labels.txt, line 1"),
        ("", "an empty file"),
    ],
)
def test_labels_that_cannot_be_are_refused(tmp_path: Path, line: str, said: str) -> None:
    root = write_handobject(tmp_path)
    (root / "train" / "labels.txt").write_text(line + "\n")
    with pytest.raises(BadInput, match=said):
        handobject.FILES.list_frames(root, "train")


def test_every_label_is_known(tmp_path: Path) -> None:
    labels_mm = make_joints(HANDOBJECT, 1)
    labels_mm[0, 25] = np.nan
    with pytest.raises(BadInput, match="NaN"):
        rendered_files.write_labels(tmp_path / "labels.txt", ["semi/000000.png"], ["user_1"], labels_mm)
