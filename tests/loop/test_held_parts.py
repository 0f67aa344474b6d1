"""What trainings of hand and object are made of: sizes and symmetries, hidden pixels, pose sets, the mirror."""

from dataclasses import replace
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from handbench.conventions import BACKGROUND
from handbench.datasets.torch_dataset import CropDataset
from handbench.geometry.box import Box, box_corners
from handbench.geometry.symmetry import find_symmetry
from handbench.loop.crop_data import Data
from handbench.loop.held_data import (
    SIZE,
    WHICH,
    find_sizes_mm,
    hold,
    list_solids,
    list_symmetries,
    measure_edges,
    order_edges,
)
from handbench.loop.held_model import Poses, Still
from handbench.loop.held_object import Held, straighten
from handbench.loop.held_poses import PosesOfSide, measure_steps_mm, shake
from handbench.loop.held_synthesizing import hide_object, shrink_known
from handbench.loop.pose_set import Shares

CUBOID, PRISM, CUBE = (60.0, 110.0, 35.0), (40.0, 90.0, 40.0), (50.0, 50.0, 50.0)


def test_sizes_follow_from_corners() -> None:
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    corners = box_corners(Box(np.array([10.0, -20.0, 400.0]), turn, np.array(CUBOID)))
    np.testing.assert_allclose(measure_edges(corners[None]), [CUBOID])


@pytest.mark.parametrize("size", [CUBOID, PRISM, CUBE, (40.0, 40.0, 90.0), (90.0, 40.0, 40.0)])
def test_each_size_finds_the_turns_that_leave_it_alike(size: tuple[float, float, float]) -> None:
    held = hold("cuboid", np.array([CUBOID, size]))
    found = list_symmetries("cuboid")[int(held.which[1])]
    assert np.array_equal(found.turns, find_symmetry("cuboid", size).turns)
    assert int(held.which[0]) == 0


def test_a_box_is_known_by_its_edges_in_whatever_order_they_are_typed() -> None:
    """Middle, longest, shortest: as the boxes are that networks have seen."""
    boxes = {"".join(map(str, axes)): [CUBOID[axis] for axis in axes] for axes in permutations(range(3))}
    store = SimpleNamespace(joint_names=(), sequences=(*boxes, *boxes), path="crops")
    crops = object.__new__(CropDataset)
    crops.store, crops.places = store, np.arange(2 * len(boxes))  # type: ignore[assignment]
    np.testing.assert_array_equal(find_sizes_mm(crops, boxes), [CUBOID] * 2 * len(boxes))


def test_only_a_cuboid_has_an_order_of_edges() -> None:
    assert order_edges("cuboid", np.array([35.0, 60.0, 110.0])) == [1, 2, 0]
    assert order_edges("cylinder", np.array([50.0, 110.0, 50.0])) == [0, 1, 2]


def test_every_kind_has_a_mesh_for_each_of_its_symmetries() -> None:
    for kind in ("cuboid", "sphere", "cylinder", "composed"):
        assert len(list_solids(kind)) == len(list_symmetries(kind))
    assert [one.free for one in list_symmetries("cylinder")] == ["axis"]
    assert [one.free for one in list_symmetries("sphere")] == ["all"]


def test_what_the_object_hides_is_not_known_and_what_is_before_it_is() -> None:
    depth = torch.full((1, 1, 12, 12), 0.5)
    depth[..., :6, :] = -0.5
    drawn = torch.full((1, 1, 12, 12), BACKGROUND)
    drawn[..., 2:10, 2:10] = 0.0
    hidden = hide_object(depth, drawn, torch.tensor([200.0])).isnan()[0, 0]
    # The upper half lies 50 mm before the object; below it the object is nearer than what was measured.
    assert not hidden[:5].any()
    assert hidden[6:10, 2:10].all()
    assert hidden[10, 5], "a rim of a pixel"
    assert not hidden[11].any()
    near = torch.full_like(depth, -0.04)
    assert hide_object(near, drawn, torch.tensor([200.0])).isnan()[0, 0, 5, 5], "4 mm before it is its own surface"


def test_a_coarse_pixel_is_the_mean_of_what_is_known_of_it() -> None:
    depth = torch.tensor([[1.0, 3.0, float("nan"), 5.0], [1.0, 3.0, float("nan"), float("nan")]])[None, None]
    depth = torch.cat([depth, torch.full((1, 1, 2, 4), float("nan"))], dim=2)
    small, known = shrink_known(depth, 2)
    assert known[0, 0].tolist() == [[1.0, 0.25], [0.0, 0.0]]
    assert small[0, 0, 0].tolist() == [2.0, 5.0]
    assert small.isfinite().all()


def test_a_shaken_box_is_a_box() -> None:
    held = hold("cuboid", np.array([CUBOID] * 200))
    torch.manual_seed(0)
    shaken = shake(held.corners_mm / 200, turn_rad=0.2, shift=0.02) * 200
    torch.testing.assert_close(straighten(shaken, held), shaken, atol=1e-2, rtol=0)
    moved = shaken.mean(dim=1)
    assert 3.0 < float(moved.std()) < 5.0
    assert float((shaken - moved[:, None] - held.corners_mm).norm(dim=2).mean()) > 5.0


def make_data(frames: int) -> tuple[Data, Held]:
    """Labels of frames whose boxes all stand alike, in a cube of 400 mm around the origin."""
    held = hold("cuboid", np.array([CUBOID] * frames))
    joints = torch.cat([torch.zeros(frames, 21, 3), held.corners_mm / 200], dim=1)
    data = {
        "joints": joints,
        "centre_mm": torch.zeros(frames, 3),
        "cube_mm": torch.full((frames,), 400.0),
        WHICH: held.which,
        SIZE: held.size_mm,
    }
    return data, held


def test_errors_of_boxes_are_those_of_the_nearest_order() -> None:
    data, held = make_data(4)
    turned = torch.from_numpy(list_symmetries("cuboid")[0].orders[3])
    corners_mm = held.corners_mm[:, turned] + torch.tensor([3.0, 0.0, 4.0])
    poses = Poses(torch.zeros(1, 4, 21, 3), corners_mm[None])
    torch.testing.assert_close(measure_steps_mm(poses, data, "object", "cuboid"), torch.full((1, 4), 5.0))


def test_a_pose_set_draws_boxes_beside_the_truth_not_turned_by_half() -> None:
    data, held = make_data(16)
    turned = torch.from_numpy(list_symmetries("cuboid")[0].orders[1])
    predicted = Poses(torch.zeros(1, 16, 21, 3), held.corners_mm[None][:, :, turned] + 6.0)
    shares = Shares(truth=0.0, errors=0.5, noise=0.0, noise_size=0.0)
    poses = PosesOfSide("object", "cuboid", data, data, (predicted, predicted), shares, turn_rad=0.0, rounds=2)
    drawn_mm = poses.draw(torch.arange(16)) * 200
    torch.testing.assert_close(drawn_mm, held.corners_mm + 6.0, atol=0.2, rtol=0)
    poses.shares = replace(shares, truth=1.0)
    torch.testing.assert_close(poses.draw(torch.arange(16)) * 200, held.corners_mm, atol=0.2, rtol=0)


def test_an_updater_that_stands_still_says_nothing() -> None:
    images = torch.randn(3, 1, 8, 8)
    assert Still(21)(images, images).shape == (3, 21, 3)
    assert not Still(8)(images, images).any()
