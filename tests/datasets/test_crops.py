"""Building the store: order, skips, kill -9, and what the card says."""

import csv
import errno
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from crop_fixtures import make_listing, read_fake_depth

from handbench.conventions import DATASETS, ICVL
from handbench.datasets.centres import Centre, CentreStrategy
from handbench.datasets.crops import build_crops
from handbench.datasets.row_file import RowFile
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.geometry.crop import crop_cube

FIXTURES = Path(__file__).with_name("crop_fixtures.py")


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_every_row_is_the_crop_of_its_frame(tmp_path):
    listing = make_listing(12)
    build_crops(listing, centre="joint", size_px=32, out=tmp_path / "store")
    store = open_store(tmp_path / "store")
    np.testing.assert_array_equal(store.row, np.arange(12))
    np.testing.assert_array_equal(store.joints_mm, listing.joints_mm)
    np.testing.assert_array_equal(store.centre_mm, listing.joints_mm[:, 0])
    np.testing.assert_array_equal(store.cube_mm, 250)
    for row, name in enumerate(listing.names):
        depth_mm = read_fake_depth(Path(name))
        patch, patch_from_image = crop_cube(depth_mm, listing.joints_mm[row, 0], 250.0, ICVL.camera, size_px=32)
        np.testing.assert_array_equal(store.depth[row], patch.astype(np.float16))
        np.testing.assert_array_equal(store.patch_from_image[row], patch_from_image)


def test_index_lists_frames_in_list_order(tmp_path):
    listing = make_listing(12)
    build_crops(listing, centre="com", size_px=16, out=tmp_path / "store")
    with (tmp_path / "store" / "index.csv").open() as file:
        lines = list(csv.reader(file))
    assert lines[0] == ["row", "name", "subject", "sequence"]
    assert lines[11] == ["10", "image_0010.png", "P1", "test_seq_2"]
    store = open_store(tmp_path / "store")
    assert (store.names, store.subjects, store.sequences) == (listing.names, listing.subjects, listing.sequences)


def test_the_card_states_the_protocol(tmp_path):
    build_crops(make_listing(6), centre="block", size_px=16, out=tmp_path / "store")
    store = open_store(tmp_path / "store")
    protocol = store.card["protocol"]
    assert (protocol["dataset"], protocol["split"], protocol["source"], protocol["frames"]) == (
        "icvl",
        "test",
        "real",
        6,
    )
    assert protocol["centre"] == {"strategy": "block", "uses_ground_truth": True}
    assert protocol["size_px"] == 16
    assert set(protocol["cube_mm"]) == {"P0", "P1", "P2"}
    assert protocol["cube_mm"]["P0"] == [store.cube_mm[[0, 3]].min(), store.cube_mm[[0, 3]].max()]
    assert store.camera == ICVL.camera
    assert store.joint_names == ICVL.joints.names
    assert store.scored == ICVL.scored


def test_a_truth_file_above_the_frames_means_embedded(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "truth.npz").touch()
    build_crops(make_listing(2, tmp_path / "raw"), centre="joint", size_px=16, out=tmp_path / "store")
    protocol = open_store(tmp_path / "store").card["protocol"]
    assert protocol["source"] == "embedded"
    assert protocol["source_shown_by"] == "a truth.npz in the dataset's folder or up to 3 above it"
    build_crops(make_listing(2), centre="joint", size_px=16, out=tmp_path / "store")
    assert open_store(tmp_path / "store").card["protocol"]["source_shown_by"].startswith("no truth.npz")


def test_trap_50_two_jobs_give_the_same_bytes(tmp_path):
    listing = make_listing(300, bad={5: "missing", 280: "cut"})
    build_crops(listing, centre="com", size_px=16, out=tmp_path / "one", allow_skips=2)
    build_crops(listing, centre="com", size_px=16, out=tmp_path / "two", allow_skips=2, jobs=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


@pytest.mark.parametrize(
    ("word", "found"),
    [("missing", "found nothing"), ("short", "320x240 pixels, found 20x10"), ("cut", "cannot read past the end")],
)
def test_an_unreadable_frame_is_named_and_stops_the_build(tmp_path, word, found):
    with pytest.raises(BadInput, match=f"{word}_0003.png.*{found}"):
        build_crops(make_listing(6, bad={3: word}), centre="joint", size_px=16, out=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_trap_13_a_counted_skip_shifts_no_row(tmp_path, capsys):
    listing = make_listing(6, bad={3: "missing"})
    build_crops(listing, centre="joint", size_px=16, out=tmp_path / "store", allow_skips=1)
    store = open_store(tmp_path / "store")
    assert store.row.tolist() == [0, 1, 2, 4, 5]
    np.testing.assert_array_equal(store.joints_mm, listing.joints_mm[[0, 1, 2, 4, 5]])
    assert store.card["skipped"] == [{"row": 3, "name": "missing_0003.png", "expected": "a file", "found": "nothing"}]
    printed = capsys.readouterr().out
    assert "skipped row 3: /nowhere/missing_0003.png" in printed
    assert "5 frames, 1 skipped" in printed


def test_one_skip_too_many_stops(tmp_path):
    listing = make_listing(6, bad={1: "cut", 4: "missing"})
    with pytest.raises(BadInput, match="missing_0004"):
        build_crops(listing, centre="joint", size_px=16, out=tmp_path / "store", allow_skips=1)


def test_trap_46_fallbacks_and_empty_cubes_are_recorded(tmp_path):
    listing = make_listing(6)
    listing.joints_mm[2, 0] = np.nan
    listing.joints_mm[4, 0] = (5000, 0, 400)
    build_crops(listing, centre="joint", size_px=16, out=tmp_path / "store")
    assert open_store(tmp_path / "store").card["notes"] == [
        {"row": 2, "note": "palm is not annotated: mean of the annotated scored joints"},
        {"row": 4, "note": "nothing measured in the cube"},
    ]


def test_a_strategy_of_ones_own_builds_a_store(tmp_path):
    localizer = CentreStrategy("localizer", False, lambda frame, _: Centre(np.float32([0, 0, 400 + frame.row]), 200.0))
    build_crops(make_listing(3), centre=localizer, size_px=16, out=tmp_path / "store")
    store = open_store(tmp_path / "store")
    assert store.centre_mm[:, 2].tolist() == [400, 401, 402]
    assert store.card["protocol"]["centre"] == {"strategy": "localizer", "uses_ground_truth": False}


def test_kill_minus_nine_then_resume_gives_identical_bytes(tmp_path):
    def start(out: Path) -> subprocess.Popen:
        return subprocess.Popen([sys.executable, str(FIXTURES), str(out)], stdout=subprocess.PIPE, text=True)

    killed, progress = start(tmp_path / "killed"), tmp_path / "killed.partial" / "progress.json"
    while killed.poll() is None and not progress.exists():
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert not (tmp_path / "killed").exists()
    assert 0 < json.loads(progress.read_text())["rows"] < 600
    # What a torn write leaves behind the last recorded chunk must not survive.
    with (tmp_path / "killed.partial" / "depth.npy").open("ab") as file:
        file.write(os.urandom(1000))
    resumed, whole = start(tmp_path / "killed"), start(tmp_path / "whole")
    printed = resumed.communicate()[0]
    whole.communicate()
    assert "carrying on after" in printed
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")
    assert len(open_store(tmp_path / "killed")) == 600


def test_a_partial_build_of_another_request_is_not_continued(tmp_path, monkeypatch):
    monkeypatch.setattr("handbench.datasets.crops.CHUNK_FRAMES", 4)
    with pytest.raises(BadInput):
        build_crops(make_listing(10, bad={9: "cut"}), centre="joint", size_px=16, out=tmp_path / "store")
    build_crops(make_listing(10), centre="com", size_px=16, out=tmp_path / "store")
    build_crops(make_listing(10), centre="com", size_px=16, out=tmp_path / "fresh")
    assert digests(tmp_path / "store") == digests(tmp_path / "fresh")


def test_a_mended_frame_is_no_longer_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr("handbench.datasets.crops.CHUNK_FRAMES", 4)
    broken = {"image_0001.png", "image_0009.png"}

    def read(path: Path) -> np.ndarray:
        if path.name in broken:
            raise OSError("broken")
        return read_fake_depth(path)

    listing = make_listing(10, read_depth=read)
    with pytest.raises(BadInput, match="image_0009"):
        build_crops(listing, centre="joint", size_px=16, out=tmp_path / "store", allow_skips=1)
    broken.clear()
    build_crops(listing, centre="joint", size_px=16, out=tmp_path / "store")
    assert len(open_store(tmp_path / "store")) == 10


def test_an_old_store_is_replaced_and_a_foreign_folder_is_not(tmp_path):
    build_crops(make_listing(3), centre="joint", size_px=16, out=tmp_path / "store")
    build_crops(make_listing(5), centre="joint", size_px=16, out=tmp_path / "store")
    assert len(open_store(tmp_path / "store")) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    with pytest.raises(BadInput, match=r"thesis\.tex"):
        build_crops(make_listing(3), centre="joint", size_px=16, out=tmp_path / "home")


def test_a_log_gets_a_plain_line_every_tenth(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("handbench.datasets.crops.CHUNK_FRAMES", 3)
    build_crops(make_listing(30), centre="joint", size_px=16, out=tmp_path / "store")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["crop icvl test: 3 of 30", "crop icvl test: 6 of 30"]
    assert len(lines) == 11


@pytest.mark.parametrize("dataset", sorted(DATASETS))
@pytest.mark.parametrize("centre", ["joint", "com", "block"])
def test_a_hand_outside_the_image_stops_the_build(tmp_path, dataset, centre):
    convention = DATASETS[dataset]
    camera = convention.camera
    joints_mm = np.zeros((3, len(convention.joints.names), 3), np.float32) + np.float32([0, 0, 400])
    joints_mm[1, :, 0] += 3000
    depth_mm = np.full((camera.height, camera.width), 400, np.float32)
    listing = make_listing(3, convention=convention, joints_mm=joints_mm, read_depth=lambda _: depth_mm)
    with pytest.raises(BadInput, match=r"image_0001.*every labelled joint outside it.*--allow-skips N"):
        build_crops(listing, centre=centre, size_px=16, out=tmp_path / "store")
    build_crops(listing, centre=centre, size_px=16, out=tmp_path / "store", allow_skips=1)
    assert open_store(tmp_path / "store").row.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("point_mm", "kept"),
    # u = 240.99 x / z + 160 on ICVL: -160.5 px from the middle is the left edge of pixel 0.
    [
        ([-160.4 * 400 / 240.99, 0, 400], True),
        ([-160.6 * 400 / 240.99, 0, 400], False),
        ([0, 119.4 * 400 / 240.96, 400], True),
        ([0, 119.6 * 400 / 240.96, 400], False),
        ([0, 0, -400], False),
        ([0, 0, 0], False),
    ],
)
def test_one_joint_at_the_edge_decides(tmp_path, point_mm, kept):
    assert (ICVL.camera.fx, ICVL.camera.fy, ICVL.camera.cx, ICVL.camera.cy) == (240.99, 240.96, 160, 120)
    joints_mm = np.full((1, 16, 3), np.nan, np.float32)
    joints_mm[0, 5] = point_mm
    joints_mm[0, 6] = (9000, 0, 400)
    listing = make_listing(1, joints_mm=joints_mm)
    build_crops(listing, centre="com", size_px=16, out=tmp_path / "store", allow_skips=1)
    assert len(open_store(tmp_path / "store")) == int(kept)


def test_a_skipped_hand_outside_the_image_does_not_start_a_build_afresh(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("handbench.datasets.crops.CHUNK_FRAMES", 4)
    listing = make_listing(10, bad={9: "cut"})
    listing.joints_mm[1, :, 0] = 5000
    with pytest.raises(BadInput, match="cut_0009"):
        build_crops(listing, centre="joint", size_px=16, out=tmp_path / "store", allow_skips=1)
    build_crops(listing, centre="joint", size_px=16, out=tmp_path / "store", allow_skips=2)
    assert "carrying on after 8 of 10" in capsys.readouterr().out


def test_every_kind_of_note_is_counted_aloud(tmp_path, capsys):
    listing = make_listing(6)
    listing.joints_mm[[2, 3], 0] = np.nan
    listing.joints_mm[4, 0] = (5000, 0, 400)
    build_crops(listing, centre="joint", size_px=16, out=tmp_path / "store")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("  2 x palm is not annotated: mean of the annotated scored joints (rows under")
    assert lines[-1].startswith('  1 x nothing measured in the cube (rows under "notes" in store.json')


@pytest.mark.parametrize("place", ["file/store", "file"])
def test_a_place_where_no_folder_can_be_is_refused(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"expected a (new )?folder"):
        build_crops(make_listing(3), centre="joint", size_px=16, out=tmp_path / place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_folder_without_a_name_of_its_own_is_refused(name):
    with pytest.raises(BadInput, match="the name of a new folder"):
        build_crops(make_listing(3), centre="joint", size_px=16, out=Path(name))


def test_a_full_disk_is_one_line_and_the_build_goes_on_afterwards(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("handbench.datasets.crops.CHUNK_FRAMES", 4)
    appended = []

    def append(self, rows):
        appended.append(rows)
        if len(appended) == 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        append_rows(self, rows)

    append_rows = RowFile.append
    monkeypatch.setattr(RowFile, "append", append)
    with pytest.raises(BadInput, match=r"store\.partial: expected .*, found No space left on device; free some disk"):
        build_crops(make_listing(10), centre="joint", size_px=16, out=tmp_path / "store")
    build_crops(make_listing(10), centre="joint", size_px=16, out=tmp_path / "store")
    assert "carrying on after 4 of 10" in capsys.readouterr().out
    build_crops(make_listing(10), centre="joint", size_px=16, out=tmp_path / "whole")
    assert digests(tmp_path / "store") == digests(tmp_path / "whole")


def test_names_that_are_no_utf8_survive(tmp_path):
    names = tuple(os.fsdecode(f"bild_{row}".encode() + b"_\xe4.png") for row in range(3))
    build_crops(make_listing(3, names=names), centre="joint", size_px=16, out=tmp_path / "store")
    assert open_store(tmp_path / "store").names == names


def write_pictures(folder: Path, frames: int) -> None:
    folder.mkdir(exist_ok=True)
    for row in range(frames):
        cv2.imwrite(str(folder / f"image_{row:04d}.png"), read_fake_depth(Path(f"image_{row}")).astype(np.uint16))


def read_picture(path: Path) -> np.ndarray:
    if not path.exists():
        raise BadInput(path, expected="a file", found="nothing", fix="look for it")
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED).astype(np.float32)


@pytest.mark.parametrize("change", ["image", "array", "progress", "nothing"])
def test_what_changed_between_two_runs_is_cut_anew(tmp_path, monkeypatch, capsys, change):
    monkeypatch.setattr("handbench.datasets.crops.CHUNK_FRAMES", 4)
    write_pictures(tmp_path / "raw", 10)
    listing = make_listing(10, tmp_path / "raw", read_depth=read_picture)
    lost = tmp_path / "raw" / "image_0009.png"
    picture, status = lost.read_bytes(), lost.stat()

    def read(path: Path) -> np.ndarray:
        if path == lost:
            raise OSError("broken")
        return read_picture(path)

    partial = tmp_path / "store.partial"
    with pytest.raises(BadInput, match="image_0009"):
        build_crops(
            make_listing(10, tmp_path / "raw", read_depth=read), centre="joint", size_px=16, out=tmp_path / "store"
        )
    assert lost.read_bytes() == picture
    assert lost.stat().st_mtime_ns == status.st_mtime_ns
    if change == "image":
        # A frame in the middle: neither the first nor the last.
        other = read_picture(tmp_path / "raw" / "image_0002.png") + 30
        cv2.imwrite(str(tmp_path / "raw" / "image_0002.png"), other.astype(np.uint16))
    elif change == "array":
        content = bytearray((partial / "depth.npy").read_bytes())
        content[700] ^= 1
        (partial / "depth.npy").write_bytes(content)
    elif change == "progress":
        text = (partial / "progress.json").read_text()
        (partial / "progress.json").write_text(text.replace('"kept": 8', '"kept": 4'))
    capsys.readouterr()
    build_crops(listing, centre="joint", size_px=16, out=tmp_path / "store")
    assert ("carrying on" in capsys.readouterr().out) == (change == "nothing")
    build_crops(listing, centre="joint", size_px=16, out=tmp_path / "fresh")
    assert digests(tmp_path / "store") == digests(tmp_path / "fresh")


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "disk")
    build_crops(make_listing(3), centre="joint", size_px=16, out=tmp_path / "store")
    assert (tmp_path / "store").is_symlink()
    assert len(open_store(tmp_path / "disk")) == 3
