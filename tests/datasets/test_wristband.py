"""A recording of one's own: read with its camera and without labels, or with the labels that embedded frames have."""

from pathlib import Path

import numpy as np
import pytest
from miniature import make_joints, write_wristband

from handbench.conventions import ICVL, NYU, UNKNOWN_SUBJECT, WRISTBAND, Camera
from handbench.datasets.crops import build_crops
from handbench.datasets.doctor import examine
from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.hand_in_scene import STUMP_MM
from handbench.datasets.importers import list_frames
from handbench.datasets.store import open_store
from handbench.datasets.synthesize import synthesize
from handbench.datasets.truth import read_forearms, read_truth, unpack_forearm
from handbench.datasets.wristband import LABELS
from handbench.datasets.wristband import list_frames as list_recording
from handbench.errors import BadInput
from handbench.hand.skeleton import REFERENCE_SHAPE


def test_labels_survive_and_only_test_frames_have_any(tmp_path: Path) -> None:
    write_wristband(tmp_path)
    test, train = list_recording(tmp_path, "test"), list_recording(tmp_path, "train")
    np.testing.assert_allclose(test.joints_mm, make_joints(WRISTBAND, 3), atol=5e-4)
    assert np.isnan(train.joints_mm).all()
    assert test.names == train.names == ("000000.png", "000001.png", "000002.png")
    assert test.convention is WRISTBAND


def test_ones_own_recording_brings_its_camera_and_no_labels(tmp_path: Path) -> None:
    """Frames of another size, in arrays, under any names."""
    for split in WRISTBAND.splits:
        (tmp_path / split).mkdir()
        for name in ("b", "a"):
            np.save(tmp_path / split / f"{name}.npy", np.full((120, 160), 400 + ord(name), np.uint16))
    (tmp_path / "intrinsics.txt").write_text("140 141 79.5 59.5\n")
    listing = list_frames("wristband", tmp_path, "test")
    assert listing.names == ("a.npy", "b.npy")
    assert listing.subjects == (UNKNOWN_SUBJECT,) * 2
    assert listing.frame(1).camera == Camera(140.0, 141.0, 79.5, 59.5, 160, 120)
    assert (listing.frame(1).depth_mm == 400 + ord("b")).all()
    assert np.isnan(listing.joints_mm).all()
    build_crops(listing, centre="com", size_px=32, out=tmp_path / "crops")
    store = open_store(tmp_path / "crops")
    assert store.card["protocol"]["camera"]["fx"] == 140.0
    assert store.card["protocol"]["source"] == "real"
    assert len(store.row) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("475 475 316", "four numbers FX FY CX CY"),
        ("0.47 0.47 316 245", "focal lengths in pixels"),
        ("475 475 900 245", "middle half holds the principal point"),
        ("", "four numbers FX FY CX CY"),
    ],
)
def test_numbers_that_are_no_camera_are_refused(tmp_path: Path, text: str, said: str) -> None:
    write_wristband(tmp_path)
    (tmp_path / "intrinsics.txt").write_text(text + "\n")
    with pytest.raises(BadInput, match=said):
        list_recording(tmp_path, "test")


def test_labels_of_other_frames_are_refused(tmp_path: Path) -> None:
    path = write_wristband(tmp_path) / "test" / LABELS
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]))
    with pytest.raises(BadInput, match=r"one line for each frame, found none for 000002\.png"):
        list_recording(tmp_path, "test")
    path.write_text("".join([*lines, lines[0]]))
    with pytest.raises(BadInput, match="found 4 lines for 3 frames"):
        list_recording(tmp_path, "test")


def test_a_folder_without_frames_or_camera_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"intrinsics\.txt"):
        list_recording(tmp_path, "test")
    write_wristband(tmp_path / "there", labelled=False)
    for file in (tmp_path / "there" / "test").iterdir():
        file.unlink()
    with pytest.raises(BadInput, match=r"frames that end in \.png or \.npy, found an empty folder"):
        list_recording(tmp_path / "there", "test")


def test_the_doctor_tells_a_recording_without_labels_from_a_broken_one(tmp_path: Path) -> None:
    write_wristband(tmp_path, labelled=False)
    diagnosis = examine(tmp_path)
    assert (diagnosis.dataset, diagnosis.usable) == ("wristband", True)
    assert diagnosis.release == "a recording of 6 frames"
    assert any("no joint is labelled" in finding.what for finding in diagnosis.findings)
    (tmp_path / "train" / "000001.png").write_bytes(b"no picture")
    assert not examine(tmp_path).usable


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wristband")
    synthesize("wristband", out, frames={"train": 6, "test": 12}, seed=3)
    return out


def test_beyond_the_band_the_forearm_is_missing(made: Path) -> None:
    """What stays of it is the stump before the band: in each frame far less than was drawn."""
    listing, forearms = list_recording(made / "raw", "test"), read_forearms(made / "truth.npz", "test")
    kept, drawn = 0, 0
    for row in range(len(listing)):
        forearm = unpack_forearm(forearms[row], "wristband")
        seen = listing.frame(row).depth_mm > 0
        kept, drawn = kept + int((seen & forearm).sum()), drawn + int(forearm.sum())
        rows, columns = np.nonzero(seen)
        wrist_mm = listing.joints_mm[row, 0]
        depth_mm = listing.frame(row).depth_mm[rows, columns]
        camera = WRISTBAND.camera
        points_mm = np.stack([(columns - camera.cx) * depth_mm / camera.fx, (rows - camera.cy) * depth_mm / camera.fy])
        hand_mm = np.linalg.norm(points_mm - wrist_mm[:2, None], axis=0)
        assert hand_mm.max() < 230, "a hand and a stump, nothing around them"
    assert 0 < kept < 0.5 * drawn
    assert STUMP_MM["wristband"] < STUMP_MM["msra"]


def test_boxes_around_what_is_seen_hold_the_hand(tmp_path: Path) -> None:
    """Coded light leaves holes where skin is steep; of 2,000 neighbouring frames these are every thirteenth."""
    synthesize("wristband", tmp_path, frames={"train": 1, "test": 150}, stride={"test": 13}, seed=7)
    build_crops(list_recording(tmp_path / "raw", "test"), centre="seen", size_px=32, out=tmp_path / "crops")
    store = open_store(tmp_path / "crops")
    half_mm = np.asarray(store.cube_mm)[:, None] / 2
    outside = (np.abs(np.asarray(store.joints_mm) - np.asarray(store.centre_mm)[:, None]).max(axis=2) > half_mm).any(1)
    assert outside.mean() < 0.01
    doubted = [note for note in store.card["notes"] if "in pieces" in note["note"]]
    assert doubted
    assert len(doubted) <= len(store.card["notes"]) < 0.15 * len(store.row)


def test_its_motion_is_continuous_and_its_frames_are_true(made: Path) -> None:
    listing, truth = list_recording(made / "raw", "test"), read_truth(made / "truth.npz", "test")
    steps_mm = np.linalg.norm(np.diff(listing.joints_mm, axis=0), axis=2)
    assert steps_mm.max() < 60
    assert truth.quaternions.shape == (12, 16, 4)
    # Each labelled tip that is seen lies behind the surface at its pixel by about a finger's radius.
    tips = [listing.convention.joints.index(f"{finger}_tip") for finger in ("index", "middle", "ring")]
    frame = listing.frame(0)
    for tip in tips:
        x, y, z = frame.joints_mm[tip]
        column, row = (round(float(f * p / z + c)) for f, p, c in ((475.0, x, 316.0), (475.0, y, 245.0)))
        around = frame.depth_mm[row - 2 : row + 3, column - 2 : column + 3]
        if truth.visible[0, tip] and (around > 0).any():
            assert 0 < z - np.median(around[around > 0]) < 20


def test_hand_and_sensor_are_no_others() -> None:
    """One person in both splits, whose hand neither NYU nor ICVL has; the test set is one stretch."""
    takes = plan_recordings("wristband", {"train": 2500, "test": 2000}, 0)
    assert [(take.split, take.frames) for take in takes] == [
        *(("train", 1000),) * 2,
        ("train", 500),
        ("test", 2000),
    ]
    shape = takes[0].shape
    assert all(np.array_equal(take.shape.lengths_mm, shape.lengths_mm) for take in takes)
    others = [REFERENCE_SHAPE]
    for dataset in ("nyu", "icvl"):
        others += [take.shape for take in plan_recordings(dataset, {"train": 600, "test": 600}, 0)]
    for other in others:
        ratio = shape.lengths_mm.sum(axis=1) / other.lengths_mm.sum(axis=1)
        assert np.ptp(ratio) > 0.03, "not the same hand in another size"
    assert len({one.sensor for one in (NYU, ICVL, WRISTBAND)}) == 3
