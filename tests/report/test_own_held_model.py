"""A model of hand and object before a person's own camera: mirrors, the names of axes, what is written."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from handbench.conventions import CORNERS, MSRA_JOINTS
from handbench.datasets.own_frames import Intrinsics
from handbench.datasets.own_object import parse_object
from handbench.errors import BadInput
from handbench.geometry.box import Box, box_corners
from handbench.loop.hand_object_iteration import Placed, Step
from handbench.loop.held_data import order_edges
from handbench.report.own_held_model import HeldModel, compare_with_learned, load_held_model, name_corners, read_edge
from handbench.report.own_joints import find_box_axes
from handbench.report.own_prediction import predict_frames
from handbench.training.checkpoint import Checkpoint

CAMERA = Intrinsics(240.0, 250.0, 150.0, 125.0)


class LooksForTheThumb(nn.Module):
    """Joints on the nearest pixel of each patch; the object 30 mm right of it, at rest. Two steps, 5 mm down."""

    def forward(self, crops, held):
        size = crops.depth.shape[-1]
        pixel = crops.depth.flatten(1).argmin(dim=1)
        at_px = torch.stack([pixel % size, pixel // size], dim=1).float()
        z = crops.centre_mm[:, 2] + crops.depth.flatten(1).min(dim=1).values * crops.cube_mm / 2
        xy = (at_px - crops.principal_px) * z[:, None] / crops.focal_px
        thumb_mm = torch.cat([xy, z[:, None]], dim=1)[:, None]
        corners_mm = held.corners_mm + thumb_mm + torch.tensor([30.0, 0, 0])
        down_mm = torch.tensor([0.0, 5, 0])
        return [
            Step(
                Placed(thumb_mm.repeat(1, 21, 1) + step * down_mm, crops.frame),
                Placed(corners_mm + step * down_mm, crops.frame),
            )
            for step in range(2)
        ]


def make_model(word: str = "box:60x40x120", left: bool = False, network: nn.Module | None = None) -> HeldModel:
    held = parse_object(word)
    return HeldModel("looks", "handobject", 64, 400.0, network or LooksForTheThumb(), held, left)


def save_hand(path):
    """A hand at 600 mm before a wall, its thumb of one pixel nearer, at (190, 90)."""
    depth_mm = np.full((240, 320), 1300, np.uint16)
    depth_mm[80:160, 120:200] = 600
    depth_mm[88:93, 188:193] = 560
    depth_mm[90, 190] = 555
    assert cv2.imwrite(str(path), depth_mm)
    return path


def read_rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_poses_by_hand(tmp_path):
    told = predict_frames([save_hand(tmp_path / "a.png")], make_model(), CAMERA, tmp_path / "out")
    assert told == f"looks: 1 frame, 1 iteration, in {tmp_path / 'out'}"
    names = {"a-iteration0.png", "a-iteration1.png", "a-iterations.png", "joints.csv", "joints.json", "objects.csv"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    rows = read_rows(tmp_path / "out" / "joints.csv")
    assert [row["joint"] for row in rows] == 2 * [*MSRA_JOINTS.names, *CORNERS]
    # Patch pixels are coarser than those of the file.
    thumb_mm = np.array([(190 - 150) / 240 * 560, (90 - 125) / 250 * 560, 560])
    first_mm = [float(rows[0][key]) for key in ("x_mm", "y_mm", "z_mm")]
    np.testing.assert_allclose(first_mm, thumb_mm, atol=8)
    objects = read_rows(tmp_path / "out" / "objects.csv")
    assert [(row["frame"], row["iteration"], row["final"]) for row in objects] == [("a", "0", "0"), ("a", "1", "1")]
    middle_mm = [float(objects[1][key]) for key in ("x_mm", "y_mm", "z_mm")]
    np.testing.assert_allclose(middle_mm, np.add(first_mm, [30, 5, 0]), atol=0.01)
    content = json.loads((tmp_path / "out" / "joints.json").read_text())
    assert content["object"] == {"word": "box:60x40x120", "box": [60, 40, 120], "hand": "right"}
    corners = content["frames"][0]["iterations"][0]["object"]["corners"]
    ends_mm = np.array([corners[f"corner_{name}"]["xyz"] for name in ("000", "100", "010", "001")])
    np.testing.assert_allclose(np.linalg.norm(ends_mm[1:] - ends_mm[0], axis=1), [60, 40, 120], atol=0.01)


def test_a_left_hand_is_seen_in_a_mirror_and_found_where_it_is(tmp_path):
    path = save_hand(tmp_path / "a.png")
    for left in (False, True):
        predict_frames([path], make_model(left=left), CAMERA, tmp_path / str(left), pictures=False)
    right, left = (read_rows(tmp_path / str(one) / "joints.csv") for one in (False, True))
    places_mm = [[float(row[key]) for key in ("x_mm", "y_mm", "z_mm")] for row in (right[0], left[0])]
    np.testing.assert_allclose(places_mm[1], places_mm[0], atol=0.01)
    # Right of it in the mirror is left of it.
    [x_right, x_left] = [float(read_rows(tmp_path / str(one) / "objects.csv")[0]["x_mm"]) for one in (False, True)]
    assert x_right - x_left == pytest.approx(60, abs=0.02)


@pytest.mark.parametrize("word", ["box:60x40x120", "box:120x40x60", "box:40x60x120", "box:60x120x40", "box:40x40x90"])
def test_a_box_keeps_the_names_of_its_own_axes(word):
    """Networks know it by the order of its edges; whoever gave the word knows it by the word."""
    solid = parse_object(word).solid
    order = order_edges(solid.kind, solid.size_mm)
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    known = box_corners(Box(np.array([1.0, 2, 500]), turn, solid.size_mm[order])).astype(np.float32)
    named = name_corners(known[None], order)[0]
    axes = find_box_axes(named)
    assert np.linalg.det(axes) == pytest.approx(1)
    assert {tuple(corner) for corner in named.tolist()} == {tuple(corner) for corner in known.tolist()}
    np.testing.assert_allclose(box_corners(Box(named.mean(axis=0), axes, solid.size_mm)), named, atol=1e-3)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("box:120x40x60", ""),
        ("box:40.4x60x120", ""),
        ("box:60x300x40", "box:60x300x40: the model has learned from cuboids of 40-80 x 60-140 x 20-40 mm alone"),
        ("cylinder:50x110", "cylinder:50x110: the model has learned from cuboids of"),
        ("sphere:60", "sphere:60: the model has learned from cuboids of"),
    ],
)
def test_an_object_unlike_those_learned_from_is_told_in_a_line(word, said):
    learned = {"kind": "cuboid", "edges_mm": [[40.0, 80.0], [60.0, 140.0], [20.0, 40.0]]}
    lines = compare_with_learned(parse_object(word), learned)
    assert [line[: len(said)] for line in lines] == ([said] if said else [])
    assert compare_with_learned(parse_object(word), None) == []


def test_the_cube_is_that_of_the_crops():
    assert [read_edge(word) for word in ("com-400", "com-350", "com", "block")] == [400, 350, 400, 400]


def test_another_cube_than_that_of_the_crops_is_refused():
    """The cubes around the hand and around the object would not follow it."""
    card = {"kind": "handobject.loop", "module": "m", "settings": {}, "parts": [], "joints": [], "size_px": 128}
    model = Checkpoint(Path("model"), card | {"centre": {"strategy": "com-400"}}, {})
    said = "model: expected --cube 400, the edge of the crops that it has learned from: .*, found --cube 250; leave"
    with pytest.raises(BadInput, match=said):
        load_held_model(model, 250.0, "box:60x40x120", False)
    with pytest.raises(BadInput, match="expected an edge of 50 to 1000 mm, found nan"):
        load_held_model(model, float("nan"), "box:60x40x120", False)


def test_a_diverged_model_is_named(tmp_path):
    class Diverged(LooksForTheThumb):
        def forward(self, crops, held):
            return [
                Step(step.hand, Placed(step.object.points_mm * torch.nan, crops.frame))
                for step in super().forward(crops, held)
            ]

    with pytest.raises(BadInput, match=r"looks: expected finite joints of shape \(steps, 1, 8, 3\), .* 48 of the"):
        predict_frames([save_hand(tmp_path / "a.png")], make_model(network=Diverged()), CAMERA, tmp_path / "out")
    assert not (tmp_path / "out").exists()
