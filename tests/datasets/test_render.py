"""The stage that renders a set: the same bytes whatever stops it, a card of what it holds, crops that take it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handbench.conventions import HANDOBJECT
from handbench.datasets import render as room
from handbench.datasets.crops import build_crops
from handbench.datasets.drawn_object import REASONS
from handbench.datasets.files import digest_file
from handbench.datasets.grasped_frames import VIEWS
from handbench.datasets.importers import list_frames
from handbench.datasets.render import CHUNK_FRAMES, render
from handbench.datasets.render_truth import read_render_truth
from handbench.datasets.source import explain_source, name_source
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.geometry.box import Box, box_corners
from handbench.sealed import is_sealed

FRAMES = {"semi": CHUNK_FRAMES + 4, "full": 2 * VIEWS + 3}


def read_tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def hands(embedded_sets) -> dict[str, Path]:
    return {name: embedded_sets[name].out / "raw" for name in ("msra", "msra14")}


@pytest.fixture(scope="module")
def made(tmp_path_factory, hands) -> Path:
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("render") / "train"
    render("train", out, hands=hands, frames=FRAMES, seed=3)
    return out


def test_the_importer_reads_what_was_rendered(made):
    listing = list_frames("handobject", made / "raw", "train")
    assert listing.sequences == ("semi",) * FRAMES["semi"] + ("full",) * FRAMES["full"]
    assert np.isfinite(listing.joints_mm).all()
    people = set(listing.subjects[: FRAMES["semi"]])
    assert {person.split("-")[0] for person in people} == {"msra", "msra14"}
    # Ten views a grasp, and users take turns.
    assert listing.subjects[FRAMES["semi"] :] == ("user_1",) * VIEWS + ("user_2",) * VIEWS + ("user_3",) * 3
    for row in (0, FRAMES["semi"]):
        assert (listing.frame(row).depth_mm > 0).sum() > 500


def test_the_truth_agrees_with_the_labels(made, hands):
    listing, truth = list_frames("handobject", made / "raw", "train"), read_render_truth(made / "truth.npz")
    for row in range(len(listing)):
        place = Box(
            *(of[row].astype(float) for of in (truth.object_centre_mm, truth.object_rotation, truth.object_size_mm))
        )
        np.testing.assert_allclose(listing.joints_mm[row, 21:], box_corners(place), atol=0.01)
    assert set(truth.object_kind) == {"cuboid"}
    assert truth.visible.shape == (len(listing), 29)
    assert len(truth.poses) == len(truth.penetration_mm) == len(truth.gap_mm) == len(truth.released) == FRAMES["full"]
    assert ((truth.penetration_mm == 0) | (truth.gap_mm == 0)).all()
    # A semi-synthetic frame has the labels, and mostly the depth, of the hand it names.
    msra, msra14 = (list_frames(name, root, "all") for name, root in hands.items())
    for row in (0, 7, 20, 40):
        at = int(truth.hand_row[row])
        hand = msra.frame(at) if at < len(msra) else msra14.frame(at - len(msra))
        np.testing.assert_allclose(listing.joints_mm[row, :21], hand.joints_mm, atol=0.001)
        whole = np.rint(hand.depth_mm)
        assert (listing.frame(row).depth_mm == whole)[whole > 0].mean() > 0.4
    assert (truth.hand_row[FRAMES["semi"] :] == -1).all()


def test_every_hand_comes_once_before_any_comes_again(made):
    """32 hands, 54 frames; one without room for its object may have given its turn away."""
    rows = read_render_truth(made / "truth.npz").hand_row[:32]
    assert len(set(rows.tolist())) >= 28
    orders = [room._shuffle_hands(3, turn, 32).tolist() for turn in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(32))
    assert orders[0] != orders[1]


def test_the_manifest_says_what_the_set_holds(made):
    manifest, truth = json.loads((made / "manifest.json").read_text()), read_render_truth(made / "truth.npz")
    assert is_sealed(manifest)
    assert manifest["request"]["frames"] == FRAMES
    assert [(hand["dataset"], hand["source"], hand["frames"]) for hand in manifest["hands"]] == [
        ("msra", "embedded", 20),
        ("msra14", "embedded", 12),
    ]
    assert manifest["truth_sha256"] == digest_file(made / "truth.npz")
    assert manifest["labels_sha256"] == digest_file(made / "raw/train/labels.txt")
    for kind, count in FRAMES.items():
        mine = truth.sequence == kind
        rejected = truth.rejected[mine].sum(axis=0)
        assert manifest[kind]["frames"] == count
        assert sum(manifest[kind]["rejected"].values()) == rejected.sum()
        assert set(manifest[kind]["rejected"]) == {REASONS[i] for i in np.flatnonzero(rejected)}
        assert manifest[kind]["rejection_rate"] == pytest.approx(rejected.sum() / (rejected.sum() + count), abs=1e-4)
        assert 0.3 < manifest[kind]["visible_tips"] < 1
    held = ~truth.released
    assert manifest["grasps"]["released_share"] == pytest.approx(1 - held.mean(), abs=1e-4)
    assert manifest["held"]["penetration_mm"]["max"] == pytest.approx(truth.penetration_mm[held].max(), abs=1e-4)
    assert manifest["held"]["gap_mm"]["mean"] == pytest.approx(truth.gap_mm[held].mean(), abs=1e-4)
    assert manifest["held"]["touching_share"] == pytest.approx((truth.gap_mm[held] < 3.0).mean(), abs=1e-4)
    assert {path.name for path in made.iterdir()} == {"raw", "truth.npz", "manifest.json"}


def test_the_source_is_that_of_the_hands(made, tmp_path):
    assert name_source(made / "raw" / "train") == "embedded"
    assert "manifest.json" in explain_source(made / "raw")
    shutil.copytree(made, tmp_path / "copy")
    card = json.loads((made / "manifest.json").read_text())
    (tmp_path / "copy/manifest.json").write_text(json.dumps(card | {"source": "real"}))
    assert name_source(tmp_path / "copy/raw") == "real"


def test_crops_take_hand_and_object_together(made, tmp_path):
    build_crops(list_frames("handobject", made, "train"), centre="com", size_px=32, out=tmp_path / "com")
    store = open_store(tmp_path / "com")
    assert store.joint_names == HANDOBJECT.joints.names
    assert len(store.scored) == 29
    assert set(np.asarray(store.cube_mm).tolist()) == {400.0}
    assert not store.card["notes"]
    assert store.card["protocol"]["source"] == "embedded"
    off_mm = np.abs(np.asarray(store.joints_mm) - np.asarray(store.centre_mm)[:, None])
    assert (off_mm < 200).all(axis=2).mean() > 0.99, "the cube holds hand and object"


def test_crops_name_the_set_and_its_digest(made, tmp_path):
    out = tmp_path / "crops"
    listing = list_frames("handobject", made / "raw", "train")
    build_crops(listing, centre="com", size_px=16, out=out)
    manifest = json.loads((made / "manifest.json").read_text())
    assert open_store(out).card["protocol"]["rendered"] == {"train": manifest["sha256"]}


def test_two_workers_make_the_same_bytes(made, tmp_path, hands):
    render("train", tmp_path / "train", hands=hands, frames=FRAMES, seed=3, jobs=2)
    assert read_tree(tmp_path / "train") == read_tree(made)


def test_hands_may_lie_elsewhere(made, tmp_path, hands):
    moved = {name: tmp_path / name / "raw" for name in hands}
    for name, root in hands.items():
        shutil.copytree(root.parent, tmp_path / name)
        assert moved[name].is_dir()
    render("train", tmp_path / "train", hands=moved, frames=FRAMES, seed=3)
    assert read_tree(tmp_path / "train") == read_tree(made)


def test_a_finished_set_is_left_alone(made, tmp_path, hands, capsys):
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    render("train", made, hands=hands, frames=FRAMES, seed=3)
    assert "already there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


def test_other_sets_and_seeds_are_other_frames(tmp_path, hands):
    for out, word, seed in (("a", "spheres", 0), ("b", "spheres", 1), ("c", "composed", 0)):
        render(word, tmp_path / out, hands=hands, frames={"semi": 2, "full": 2}, seed=seed)
    kinds = {out: set(read_render_truth(tmp_path / out / "truth.npz").object_kind) for out in "abc"}
    assert kinds == {"a": {"sphere"}, "b": {"sphere"}, "c": {"composed"}}
    one, other = (list_frames("handobject", tmp_path / out, "spheres").joints_mm for out in "ab")
    assert np.abs(one - other).max() > 1
    # Of a sphere nothing says how it is turned: its box is upright in every label.
    corners = one[:, 21:] - one[:, 21:].mean(axis=1, keepdims=True)
    assert np.abs(np.abs(corners) - np.abs(corners[:, :1])).max() < 0.01


KILLED = """
import sys
from pathlib import Path
from handbench.datasets.render import render
hands = {name: Path(root) for name, root in zip(("msra", "msra14"), sys.argv[2:])}
render("train", Path(sys.argv[1]), hands=hands, frames={"semi": %d, "full": %d}, seed=3)
"""


def test_kill_and_carry_on(made, tmp_path, hands, capsys):
    """SIGKILL between chunks: no manifest stands there, and a second run ends with the same bytes."""
    out = tmp_path / "train"
    words = [sys.executable, "-c", KILLED % (FRAMES["semi"], FRAMES["full"]), str(out), *map(str, hands.values())]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((out / ".partial").glob("semi_*.npz")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.json").exists()
    drawn = {path: path.stat().st_mtime_ns for path in (out / "raw/train/semi").glob("0000[0-4]*.png")}
    assert len(drawn) == CHUNK_FRAMES
    (out / "raw/train/semi/.000001.png.123.part").write_bytes(b"half")
    render("train", out, hands=hands, frames=FRAMES, seed=3)
    assert "carrying on after" in capsys.readouterr().out
    assert read_tree(out) == read_tree(made)
    assert {path: path.stat().st_mtime_ns for path in drawn} == drawn


@pytest.mark.parametrize(
    ("word", "hands_of", "frames", "said"),
    [
        ("train", ("nyu",), {"semi": 1}, "folders of msra and msra14"),
        ("train", (), {"semi": 1}, "expected hands to render objects before, found none"),
        ("train", (), {"semi": 0}, "a count for semi, full or both"),
        ("train", (), {"test": 3}, "found test=3"),
        ("ducks", (), {"full": 1}, "expected train or spheres or cylinders or composed"),
    ],
)
def test_a_wrong_request_touches_nothing(tmp_path, word, hands_of, frames, said):
    with pytest.raises(BadInput, match=said):
        render(word, tmp_path / "out", hands=dict.fromkeys(hands_of, tmp_path), frames=frames)
    assert list(tmp_path.iterdir()) == []


def test_grasps_alone_need_no_hands(tmp_path):
    render("cylinders", tmp_path, hands={}, frames={"full": 3})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["hands"] == []
    assert manifest["source"] == "embedded"
    assert "semi" not in manifest


def test_what_other_hands_began_is_not_carried_on_from(hands):
    listing = list_frames("msra", hands["msra"], "all")
    other = replace(listing, joints_mm=listing.joints_mm + np.float32(1))
    assert room._digest_listing(listing) != room._digest_listing(other)


def test_a_damaged_truth_is_one_line(tmp_path):
    (tmp_path / "truth.npz").write_bytes(b"no zip")
    with pytest.raises(BadInput, match="of a rendered set"):
        read_render_truth(tmp_path / "truth.npz")
