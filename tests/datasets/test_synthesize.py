import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from handbench.conventions import NYU_LABEL_CAMERA, RECORDED
from handbench.datasets import synthesize as room
from handbench.datasets.array_file import read_arrays, write_arrays
from handbench.datasets.doctor import examine
from handbench.datasets.embedded_files import FILES, LabelledTake
from handbench.datasets.files import digest_file
from handbench.datasets.importers import list_frames
from handbench.datasets.synthesize import synthesize
from handbench.datasets.takes import draw_frame, label_take
from handbench.errors import BadInput
from handbench.geometry.camera import project_points
from handbench.hand.keypoints import KEYPOINTS
from handbench.rendering.renderer import choose_renderer

SPLITS = [(dataset, split) for dataset, convention in RECORDED.items() for split in convention.splits]
REQUEST = {"frames": {"all": 60}, "seed": 3}


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def published_labels(one, split: str) -> np.ndarray:
    """What was planned, in the axes of the file: Dexter+Object's hands are left ones."""
    joints_mm = np.concatenate([label_take(take) for take in one.takes_of(split)])
    return joints_mm * np.array([-1, 1, 1], np.float32) if one.dataset == "dexter" else joints_mm


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_importers_give_back_labels_in_planned_order(embedded_sets, dataset, split):
    one = embedded_sets[dataset]
    listing = list_frames(dataset, one.out / "raw", split)
    planned = published_labels(one, split)
    assert len(listing) == one.frames[split] == len(planned)
    seen = np.isfinite(listing.joints_mm)
    assert np.abs(listing.joints_mm - planned)[seen].max() < 0.01
    # Only Dexter+Object leaves points out.
    assert seen.all() or dataset == "dexter"
    people = [take.recording.subject for take in one.takes_of(split) for _ in take.poses]
    places = [take.recording.sequence for take in one.takes_of(split) for _ in take.poses]
    if dataset not in ("icvl", "dexter"):
        assert list(listing.subjects) == people
    if dataset != "nyu":
        assert list(listing.sequences) == places


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_files_hold_the_depth_that_was_drawn(embedded_sets, dataset, split):
    one = embedded_sets[dataset]
    listing = list_frames(dataset, one.out / "raw", split)
    render = choose_renderer("auto")
    rows = [(take, index) for take in one.takes_of(split) for index in range(len(take.poses))]
    for row in (0, len(rows) - 1):
        take, index = rows[row]
        drawn_mm = draw_frame(take, index, label_take(take)[index], render).depth_mm
        if dataset == "dexter":
            drawn_mm = drawn_mm[:, ::-1]
        read_mm = listing.frame(row).depth_mm
        if dataset == "nyu":
            drawn_mm = np.where(np.rint(drawn_mm) > 2000, 0, drawn_mm)
        # PNG holds whole millimetres, .bin the float itself.
        assert np.abs(read_mm - drawn_mm).max() <= (0.0 if dataset in ("msra", "msra14") else 0.5)
        assert (read_mm > 0).sum() > 500


@pytest.mark.parametrize(("dataset", "split"), SPLITS)
def test_depth_and_labels_show_the_same_hand(embedded_sets, dataset, split):
    """Where a joint projects to, the depth in front of it is that of its own flesh, mostly."""
    listing = list_frames(dataset, embedded_sets[dataset].out / "raw", split)
    camera = NYU_LABEL_CAMERA if dataset == "nyu" else listing.convention.camera
    near = []
    for row in range(len(listing)):
        frame = listing.frame(row)
        joints = frame.joints_mm[: len(KEYPOINTS[dataset].bones)]
        joints = joints[np.isfinite(joints).all(axis=1)]
        u, v, z = project_points(joints, camera).T
        inside = (u >= 0) & (u < camera.width - 0.5) & (v >= 0) & (v < camera.height - 0.5)
        surface = frame.depth_mm[np.rint(v[inside]).astype(int), np.rint(u[inside]).astype(int)]
        near.append((z[inside] - surface)[surface > 0])
    depth_under_skin = np.concatenate(near)
    assert 1.0 < np.median(depth_under_skin) < 16.0
    assert (np.abs(depth_under_skin) < 40).mean() > 0.7


@pytest.mark.parametrize("dataset", RECORDED)
def test_the_doctor_finds_nothing_to_mend(embedded_sets, dataset):
    diagnosis = examine(embedded_sets[dataset].out, deep=True)
    assert diagnosis.usable, str(diagnosis)
    assert diagnosis.dataset == dataset
    assert "embedded" in diagnosis.release
    assert [finding for finding in diagnosis.findings if finding.level != "note"] == []


def test_nyu_test_people_come_out_as_planned(embedded_sets):
    listing = list_frames("nyu", embedded_sets["nyu"].out / "raw", "test")
    # 12 frames shared like 2,440 : 696 : 5,116.
    assert listing.subjects == ("test_1",) * 4 + ("test_2",) * 8


def test_hidden_points_of_dexter_are_not_annotated(embedded_sets):
    one = embedded_sets["dexter"]
    listing = list_frames("dexter", one.out / "raw", "test")
    with np.load(one.out / "truth.npz", allow_pickle=False) as truth:
        visible = truth["visible"]
    assert (np.isfinite(listing.joints_mm).all(axis=2) == visible).all()
    assert 0.05 < (~visible).mean() < 0.8


@pytest.mark.parametrize("dataset", RECORDED)
def test_the_manifest_says_what_was_asked_for(embedded_sets, dataset):
    one = embedded_sets[dataset]
    manifest = json.loads((one.out / "manifest.json").read_text())
    assert manifest["request"]["dataset"] == dataset
    assert manifest["request"]["frames"] == one.frames
    assert manifest["truth_sha256"] == digest_file(one.out / "truth.npz")
    assert [take["frames"] for take in manifest["takes"]] == [take.frames for take in one.recordings]
    assert {path.name for path in one.out.iterdir()} == {"raw", "truth.npz", "manifest.json"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("whole")
    synthesize("msra14", out, **REQUEST)
    return read_tree(out)


def test_the_same_request_makes_the_same_bytes(whole, tmp_path):
    synthesize("msra14", tmp_path, **REQUEST)
    assert read_tree(tmp_path) == whole


def test_mat_files_are_the_same_bytes_too(embedded_sets, tmp_path):
    one = embedded_sets["nyu"]
    time.sleep(1.1)  # a date in the file would differ by now
    takes = [LabelledTake(take.recording, label_take(take), take.poses) for take in one.takes_of("test")]
    (tmp_path / "test").mkdir()
    FILES["nyu"].write_labels(tmp_path, "test", takes)
    assert (tmp_path / "test/joint_data.mat").read_bytes() == (one.out / "raw/test/joint_data.mat").read_bytes()


def test_two_workers_make_the_same_bytes(whole, tmp_path):
    synthesize("msra14", tmp_path, jobs=2, **REQUEST)
    assert read_tree(tmp_path) == whole


def test_a_finished_set_is_left_alone(whole, tmp_path, capsys):
    synthesize("msra14", tmp_path, **REQUEST)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    capsys.readouterr()
    synthesize("msra14", tmp_path, **REQUEST)
    assert "already there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == stamps


def test_another_request_starts_afresh(whole, tmp_path):
    synthesize("msra14", tmp_path, frames={"all": 66}, seed=9)
    synthesize("msra14", tmp_path, **REQUEST)
    assert read_tree(tmp_path) == whole


KILLED = """
import sys
from pathlib import Path
from handbench.datasets.synthesize import synthesize
synthesize("msra14", Path(sys.argv[1]), frames={"all": 60}, seed=3)
"""


def test_kill_and_carry_on(whole, tmp_path, capsys):
    """SIGKILL between chunks: no manifest stands there, and a second run ends with the same bytes."""
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list((tmp_path / ".partial").glob("take_*.npz"))) < 2:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "manifest.json").exists()
    drawn = {path: path.stat().st_mtime_ns for path in (tmp_path / "raw" / "Subject1").glob("*.bin")}
    # What a kill inside a single write leaves behind.
    (tmp_path / "raw" / "Subject1" / ".000001_depth.bin.123.part").write_bytes(b"half")
    synthesize("msra14", tmp_path, **REQUEST)
    assert "carrying on after" in capsys.readouterr().out
    assert read_tree(tmp_path) == whole
    assert {path: path.stat().st_mtime_ns for path in drawn} == drawn


def test_what_other_code_began_is_not_carried_on_from(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "stage_digest", lambda stage: "other code")
    monkeypatch.setattr(room, "_write_labels", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        synthesize("msra14", tmp_path, frames={"all": 6}, seed=3)
    assert (tmp_path / ".partial").is_dir()
    monkeypatch.undo()
    synthesize("msra14", tmp_path, **REQUEST)
    assert read_tree(tmp_path) == whole


def test_stale_drawings_never_outlive_the_note_of_them(tmp_path, monkeypatch):
    """Killed while an older request's files were cleared away: the note goes first, so nothing is half trusted."""
    monkeypatch.setattr(room, "_write_labels", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        synthesize("msra14", tmp_path, frames={"all": 6}, seed=3)
    cleared = []
    monkeypatch.setattr(room.shutil, "rmtree", lambda path, **_: cleared.append(Path(path).name))
    with pytest.raises(FileExistsError):
        synthesize("msra14", tmp_path, frames={"all": 12}, seed=3)
    assert cleared == [".partial", "raw"]


def measure_peak(out: Path, monkeypatch: pytest.MonkeyPatch, mask_bytes: int) -> int:
    """Of putting 24 chunks together, each with masks of its own number."""

    def leave_chunks(out, request, chunks, jobs):
        for number, chunk in enumerate(chunks):
            masks = np.full((chunk.last - chunk.first, mask_bytes), number, np.uint8)
            visible = np.ones((len(masks), len(RECORDED["msra14"].joints.names)), bool)
            write_arrays(out / room.PARTIAL / chunk.file_name, {"visible": visible, "forearm_bits": masks})
        tracemalloc.start()

    monkeypatch.setattr(room, "_draw_chunks", leave_chunks)
    monkeypatch.setattr(room, "_write_labels", lambda *_: None)
    try:
        synthesize("msra14", out, frames={"all": 24 * room.CHUNK_FRAMES}, seed=3)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_of_the_masks_no_more_than_a_few_chunks_are_in_memory(tmp_path, monkeypatch):
    chunk_bytes = room.CHUNK_FRAMES * 100_000
    least = measure_peak(tmp_path / "without", monkeypatch, 1)
    assert measure_peak(tmp_path / "with", monkeypatch, 100_000) - least < 4 * chunk_bytes
    masks = read_arrays(tmp_path / "with/truth.npz")["forearm_bits"]
    assert masks.nbytes == 24 * chunk_bytes
    assert (masks == masks[:, :1]).all()
    numbers = masks[:, 0].astype(int)
    assert set(np.diff(numbers)) == {0, 1}
    assert (numbers[0], numbers[-1]) == (0, 23)


@pytest.mark.parametrize("frames", [{"train": 5}, {"all": 0}, {"all": -3}])
def test_a_wrong_request_touches_nothing(tmp_path, frames):
    (tmp_path / "manifest.json").write_text("mine")
    with pytest.raises(BadInput):
        synthesize("msra14", tmp_path, frames=frames, seed=0)
    assert read_tree(tmp_path) == {"manifest.json": b"mine"}
