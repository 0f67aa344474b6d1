"""Pictures on disk: what is read is what was written, in the same bytes, and nothing else is read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handbench.datasets.files import digest_file
from handbench.errors import BadInput
from handbench.training.picture_file import (
    ARRAYS,
    OF_UPDATES,
    WORDS,
    Pictures,
    UpdatePictures,
    as_depth_mm,
    as_levels,
    read_pictures,
    save_pictures,
)


def make_pictures() -> Pictures:
    rng = np.random.default_rng(0)
    numbers = rng.normal(0, 10, (3, 2, 2)).astype(np.float32)
    return Pictures(
        rows=np.array([4, 0, 7]),
        chosen=("10 %", "even", "even"),
        steps=("0", "2"),
        camera=rng.integers(0, 256, (3, 8, 8), np.uint8),
        drawn=rng.integers(0, 256, (3, 2, 8, 8), np.uint8),
        truth_px=rng.normal(4, 2, (3, 5, 3)).astype(np.float32),
        poses_px=rng.normal(4, 2, (3, 2, 5, 3)).astype(np.float32),
        pose_mm=numbers[..., 0],
        hand_mm=numbers[..., 1],
        image_mm=numbers[..., 0] + 1,
        cube_mm=np.array([300, 250, 300], np.float32),
    )


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    written = make_pictures()
    save_pictures(tmp_path / "a.npz", written)
    save_pictures(tmp_path / "b.npz", written)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read = read_pictures(tmp_path / "a.npz", digest_file(tmp_path / "a.npz"))
    assert all(np.array_equal(getattr(read, name), getattr(written, name)) for name in ARRAYS)
    assert all(getattr(read, name) == getattr(written, name) for name in WORDS)


def test_updates_come_back_and_pictures_of_older_releases_have_none(tmp_path: Path) -> None:
    ends = np.random.default_rng(1).normal(4, 2, (2, 2, 4, 3)).astype(np.float32)
    written = UpdatePictures("index_tip", 20.0, np.array([0, 2]), *ends, *ends[..., 0])
    for name, pictures in (("new", replace(make_pictures(), updates=written)), ("old", make_pictures())):
        save_pictures(tmp_path / name, pictures)
    read, old = (read_pictures(tmp_path / name, digest_file(tmp_path / name)).updates for name in ("new", "old"))
    assert old is None
    assert read is not None
    assert (read.joint, read.noise_mm) == ("index_tip", 20.0)
    assert all(np.array_equal(getattr(read, name), getattr(written, name)) for name in OF_UPDATES)
    kept = {name: array for name, array in np.load(tmp_path / "new").items() if name != "updates_ends_px"}
    np.savez(tmp_path / "part.npz", allow_pickle=False, **kept)
    with pytest.raises(BadInput, match="found no ends_px in it"):
        read_pictures(tmp_path / "part.npz", digest_file(tmp_path / "part.npz"))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pictures.npz"
    with pytest.raises(BadInput, match="found no such file; probe again"):
        read_pictures(path, "")
    save_pictures(path, make_pictures())
    with pytest.raises(BadInput, match="found a file that its probe does not describe"):
        read_pictures(path, "0" * 64)
    np.savez(path, rows=np.arange(3), allow_pickle=False)
    with pytest.raises(BadInput, match="found no chosen in it"):
        read_pictures(path, digest_file(path))


def test_depth_in_a_byte_by_hand() -> None:
    levels = as_levels(np.array([[[-1.0, 1.0], [0.2, 3.0]]], np.float32))
    assert levels.tolist() == [[[0, 255], [153, 255]]]
    np.testing.assert_allclose(as_depth_mm(levels[0], 300.0), [[0, 300], [180, 300]], atol=1e-4)
