"""Hands rendered alone: labels, turns and images agree, and whatever stops the stage, the bytes are the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from handbench.conventions import HANDS
from handbench.datasets import render_hands as room
from handbench.datasets.array_file import read_arrays, write_arrays
from handbench.datasets.crops import build_crops
from handbench.datasets.embedded_files import plan_recordings
from handbench.datasets.hands import SHAPE, read_quaternions
from handbench.datasets.importers import list_frames
from handbench.datasets.render_hands import CHUNK_FRAMES, draw_pose, find_labels, is_in_image, render_hands
from handbench.datasets.source import name_source
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.geometry.camera import project_points
from handbench.geometry.rotation import quaternion_to_rotation
from handbench.hand.collision import CONTACT_TOLERANCE_MM, self_penetration
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE, HandShape
from handbench.sealed import is_sealed

FRAMES = 12


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("render") / "hands"
    render_hands(out, frames={"full": FRAMES}, seed=3)
    return out


def test_the_importer_reads_what_was_rendered(made):
    listing = list_frames("hands", made, "train")
    assert len(listing) == FRAMES
    assert set(listing.sequences) == {"alone"}
    assert set(listing.subjects) == {"slender"}
    assert name_source(made / "raw") == "embedded"
    for row in range(FRAMES):
        frame = listing.frame(row)
        column, line, _ = np.rint(project_points(frame.joints_mm.astype(float), HANDS.camera)).astype(int).T
        surface_mm = frame.depth_mm[line, column]
        # Joints lie in the flesh: something is before nearly each of them, at most a hand's thickness.
        assert (surface_mm > 0).mean() > 0.9
        assert (surface_mm[surface_mm > 0] < frame.joints_mm[surface_mm > 0, 2]).all()


def test_the_turns_are_those_of_the_labels(made):
    """The first bone of a finger leads from its first joint to its second, whatever its turn about itself."""
    joints_mm = list_frames("hands", made, "train").joints_mm
    rotations = quaternion_to_rotation(read_quaternions(made / "truth.npz", FRAMES))
    names, bone = list(HANDS.joints.names), 1 + 3 * 1
    along_mm = joints_mm[:, names.index("index_pip")] - joints_mm[:, names.index("index_mcp")]
    np.testing.assert_allclose(along_mm / SHAPE.lengths_mm[1, 0], -rotations[:, bone, :, 1], atol=2e-3)


EVERYBODY = {
    "nyu": {"train": 60, "test": 600},
    "icvl": {"train": 2400, "test": 200},
    "msra": {"all": 1530},
    "wristband": {"train": 20, "test": 20},
}


@pytest.mark.parametrize("dataset", EVERYBODY)
def test_the_hand_is_nobodys_in_the_embedded_sets(dataset):
    """Other bones, other proportions and another thickness than any person whose frames a network is refined on."""
    people = [take.shape for take in plan_recordings(dataset, EVERYBODY[dataset], seed=0)]
    assert len(people) >= 2
    for shape in people:
        ratio = shape.lengths_mm / SHAPE.lengths_mm
        assert np.abs(ratio - 1).mean() > 0.04
        assert ratio.std() > 0.02
        assert find_thickness(shape) / find_thickness(SHAPE) > 1.02


def find_thickness(shape: HandShape) -> float:
    """Of the fingers for their length, against the reference hand's."""
    return shape.girths.mean() / (shape.lengths_mm.sum() / REFERENCE_SHAPE.lengths_mm.sum())


def test_poses_are_feasible_and_in_the_image():
    poses = np.stack([draw_pose(np.random.default_rng([9, row])) for row in range(60)])
    assert (poses[:, 6:] >= ANGLE_LIMITS_RAD[:, 0] - 1e-9).all()
    assert (poses[:, 6:] <= ANGLE_LIMITS_RAD[:, 1] + 1e-9).all()
    assert (self_penetration(poses, SHAPE) <= CONTACT_TOLERANCE_MM).all()
    assert all(is_in_image(labels_mm) for labels_mm in find_labels(poses))
    assert np.ptp(poses[:, 3]) > 2
    assert poses[:, 2].max() - poses[:, 2].min() > 400


def test_there_is_no_noise_and_no_forearm(made):
    """Depth of neighbouring pixels changes smoothly, and nothing lies far beyond the wrist."""
    frame = list_frames("hands", made, "train").frame(0)
    inside = frame.depth_mm[frame.depth_mm > 0]
    assert inside.size > 2000
    v, u = np.nonzero(frame.depth_mm)
    z = frame.depth_mm[v, u]
    camera = HANDS.camera
    points_mm = np.stack([(u - camera.cx) * z / camera.fx, (v - camera.cy) * z / camera.fy, z], axis=1)
    from_joints_mm = np.linalg.norm(points_mm[:, None] - frame.joints_mm, axis=2).min(axis=1)
    assert from_joints_mm.max() < 65


def test_two_workers_and_a_stopped_run_make_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "CHUNK_FRAMES", 4)
    render_hands(tmp_path / "whole", frames={"full": 10}, seed=1)
    draw, calls = room.draw_chunk, []

    def stop_at_the_second(*call):
        if calls:
            raise KeyboardInterrupt
        calls.append(call)
        return draw(*call)

    monkeypatch.setattr(room, "draw_chunk", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        render_hands(tmp_path / "cut", frames={"full": 10}, seed=1)
    monkeypatch.setattr(room, "draw_chunk", draw)
    assert (tmp_path / "cut/.partial/000000.npz").is_file()
    render_hands(tmp_path / "cut", frames={"full": 10}, seed=1)
    render_hands(tmp_path / "two", frames={"full": 10}, seed=1, jobs=2)
    assert read_tree(tmp_path / "cut") == read_tree(tmp_path / "whole") == read_tree(tmp_path / "two")


def test_frames_depend_on_seed_and_number_alone(made, tmp_path):
    assert CHUNK_FRAMES > FRAMES
    render_hands(tmp_path / "fewer", frames={"full": 3}, seed=3)
    render_hands(tmp_path / "other", frames={"full": 3}, seed=4)
    same, fewer, other = (
        read_quaternions(path / "truth.npz", n)
        for path, n in ((made, FRAMES), (tmp_path / "fewer", 3), (tmp_path / "other", 3))
    )
    np.testing.assert_array_equal(same[:3], fewer)
    assert np.abs(fewer - other).max() > 0.01


def test_a_finished_set_is_left_alone_and_sealed(made, capsys):
    assert is_sealed(json.loads((made / "manifest.json").read_text()))
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    render_hands(made, frames={"full": FRAMES}, seed=3)
    assert "already there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


def test_crops_are_cut_around_the_block_of_the_labels(made, tmp_path):
    build_crops(list_frames("hands", made, "train"), centre="block", size_px=32, out=tmp_path / "block")
    store = open_store(tmp_path / "block")
    low_mm, high_mm = np.asarray(store.joints_mm).min(axis=1), np.asarray(store.joints_mm).max(axis=1)
    np.testing.assert_allclose(store.centre_mm, (low_mm + high_mm) / 2, atol=0.01)


@pytest.mark.parametrize("frames", [{"semi": 3}, {"full": 3, "semi": 1}, {}])
def test_recorded_hands_are_refused(frames, tmp_path):
    with pytest.raises(BadInput, match="expected a count for full alone"):
        render_hands(tmp_path / "out", frames=frames)


def test_a_foreign_truth_is_one_line(made, tmp_path):
    with pytest.raises(BadInput, match="with 13 frames"):
        read_quaternions(made / "truth.npz", 13)
    (tmp_path / "truth.npz").write_bytes(b"nothing")
    with pytest.raises(BadInput, match="handbench render hands"):
        read_quaternions(tmp_path / "truth.npz", 3)


def test_frames_of_another_hand_are_one_line(made, tmp_path):
    """Those of an earlier release do not say whose they are; they are not taken for this one's."""
    arrays = read_arrays(made / "truth.npz")
    silent = {name: arrays[name] for name in ("poses", "quaternions")}
    for changed in (silent, arrays | {"lengths_mm": REFERENCE_SHAPE.lengths_mm}):
        write_arrays(tmp_path / "truth.npz", changed)
        with pytest.raises(BadInput, match=r"hand that this release renders.*render and crop the set again"):
            read_quaternions(tmp_path / "truth.npz", FRAMES)
