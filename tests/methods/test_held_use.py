"""Hand and object outside of the pipeline: in a person's own frames, as ONNX, before objects of no test set."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from handbench.datasets.torch_dataset import open_crops
from handbench.errors import BadInput
from handbench.loop.held_data import choose_persons, find_sizes_mm
from handbench.loop.held_shown import choose_last_persons, show_held
from handbench.methods.handobject import build_for
from handbench.report.own_held_model import HeldModel
from handbench.report.own_prediction import load_model, name_source, predict_frames
from handbench.training.checkpoint import load_checkpoint
from handbench.training.export import export
from handbench.training.predict import predict
from handbench.training.prediction_file import read_card, read_corners, read_steps
from handbench.training.tested_frames import prepare_frames
from tests.methods.held_fixtures import NEEDS, Held


def test_an_own_frame_gives_what_it_gives_in_a_store(held: Held, tmp_path: Path) -> None:
    """A depth file, its camera, a left hand and the box: the poses of that frame among the tested ones."""
    predict([held.folder / "loop"], held.tested, tmp_path, truth=held.truth)
    file, crops = tmp_path / "predictions.npz", open_crops(store=held.tested)
    labelled = prepare_frames(crops, load_checkpoint(held.folder / "loop").card, held.truth)
    word = "box:" + "x".join(f"{edge:.3f}" for edge in find_sizes_mm(labelled, {})[4])
    model = load_model(held.folder / "loop", held=word, left=True)
    depth = held.folder / "dexter" / "raw" / "data" / crops.store.names[4]
    predict_frames([depth], model, name_source(model, ["dexter"], None), tmp_path / "own", pictures=False)
    points = json.loads((tmp_path / "own" / "joints.json").read_text())["frames"][0]["iterations"]
    corners = read_corners(file, read_card(file) or {})
    assert corners is not None
    for step in range(3):
        joints_mm = np.array([joint["xyz"] for joint in points[step]["joints"].values()])
        np.testing.assert_allclose(joints_mm, read_steps(file)[step, 4], atol=0.5)
        box_mm = np.array([corner["xyz"] for corner in points[step]["object"]["corners"].values()])
        np.testing.assert_allclose(box_mm, corners[step, 4], atol=0.5)


def test_what_an_own_frame_asks_for(held: Held) -> None:
    place = held.folder / "loop"
    for word, drawn in (("box:60x40x120", 5), ("sphere:60", 1), ("cylinder:40x90", 1)):
        model = load_model(place, held=word)
        assert isinstance(model, HeldModel)
        assert len(model.network.object.drawer.solids) == drawn
    for words, said in (
        ({}, "expected --object with what the hand holds: box:AxBxC, .* found none"),
        ({"held": "box:60"}, "expected box:AxBxC"),
        ({"held": "box:60x40x120", "localizer": place}, "a model of a hand alone with --localizer"),
    ):
        with pytest.raises(BadInput, match=said):
            load_model(place, **words)
    with pytest.raises(BadInput, match=r"a model of both poses: .*, found handobject\.hand_localizer"):
        load_model(held.folder / "hand_localizer", held="box:60x40x120")


def test_a_network_draws_what_it_has_learned(held: Held) -> None:
    held.train("object_synthesizer")
    drawn = tuple("object_synthesizer" if part == "object_renderer" else part for part in NEEDS["loop"])
    place = held.train("loop", "drawn_by_network", needs=drawn)
    assert load_model(place, held="box:60x40x120")
    with pytest.raises(BadInput, match="a cuboid, for a loop whose object is drawn by a network, found a sphere"):
        load_model(place, held="sphere:60")


def test_the_single_network_is_exported_and_no_other_kind(held: Held, tmp_path: Path) -> None:
    for part in ("loop", "rotation", "hand_localizer", "object_renderer"):
        with pytest.raises(BadInput, match=rf"expected one of .*handobject\.single.* found handobject\.{part}; export"):
            export(held.folder / part, tmp_path / "model.onnx")
    onnxruntime = pytest.importorskip("onnxruntime", reason="the export extra is not installed")
    pytest.importorskip("onnxscript", reason="the export extra is not installed")
    export(held.folder / "single", tmp_path / "model.onnx")
    depth = open_crops(store=held.learned).tensors()["depth"][:5]
    (points,) = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(["joints"], {"depth": depth.numpy()})
    network = load_checkpoint(held.folder / "single").trained.build().network
    with torch.no_grad():
        np.testing.assert_allclose(points, network(depth).numpy(), atol=1e-5)
    assert points.shape == (5, 29, 3)


def test_an_object_of_no_test_set_is_shown_on_persons_whom_nobody_has_seen(held: Held, tmp_path: Path) -> None:
    crops = open_crops(store=held.learned)
    last, held_back = choose_last_persons(crops), choose_persons(crops)
    assert last.any()
    assert (held_back | ~last).all()
    place = held.train("shown", needs=NEEDS["loop"])
    with pytest.raises(BadInput, match="a module that gives joints"):
        predict([place], held.tested, tmp_path)
    numbers = show_held(build_for(load_checkpoint(held.folder / "loop").trained, "cuboid"), crops)
    assert numbers["frames"] == last.sum()
    assert [len(numbers[name]) for name in ("hand_mm", "object_mm")] == [3, 3]
    shown = numbers["shown"]
    assert last[shown["places"]].all()
    # What is told of a frame is the distance of what is shown of it.
    truth_mm = np.asarray(crops.store.joints_mm)[shown["places"], :21]
    off_mm = np.linalg.norm(np.array(shown["hands"])[1] - truth_mm, axis=2).mean(axis=1)
    np.testing.assert_allclose(shown["hand_mm"][1], off_mm, atol=0.5)
