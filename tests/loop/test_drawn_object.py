"""The object's renderer: what the crop of a whole rendered frame shows, from whatever eight corners come."""

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation
from torch import Tensor

from handbench.conventions import BACKGROUND
from handbench.geometry.box import Box, box_corners, box_mesh
from handbench.geometry.mesh import Mesh
from handbench.geometry.patch_frame import frame_cube, points_to_cube
from handbench.loop.drawn_object import DrawnObject
from handbench.loop.held_object import Held, find_pose, straighten
from handbench.rendering.zbuffer import render_layers
from tests.geometry.held_scene import CAMERA, crop_scene

BOX_MM, BALL_MM = (60.0, 110.0, 35.0), (70.0, 70.0, 70.0)
SIZE, CUBE_MM = 64, 200.0


def make_solids() -> list[Mesh]:
    ball = trimesh.creation.icosphere(3, 1.0)
    cuboid = box_mesh(Box(np.zeros(3), np.eye(3), np.array(BOX_MM)))
    return [cuboid, Mesh(np.asarray(ball.vertices), np.asarray(ball.faces))]


def make_box(seed: int, size_mm: tuple[float, float, float] = BOX_MM) -> Box:
    rng = np.random.default_rng(seed)
    return Box(
        np.array([30.0, -20.0, 430.0]) + rng.normal(0, 15, 3), Rotation.random(rng=rng).as_matrix(), np.array(size_mm)
    )


def hold(which: int, size_mm: tuple[float, float, float]) -> Held:
    return Held(torch.tensor([which]), torch.tensor([size_mm]))


def corners_of(box: Box) -> Tensor:
    return torch.from_numpy(box_corners(box)).float()[None]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("which", "size_mm"), [(0, BOX_MM), (1, BALL_MM)])
def test_it_is_the_crop_of_a_rendered_frame(seed: int, which: int, size_mm: tuple[float, float, float]) -> None:
    """The frame's camera has pixels of its own; the whole image is drawn finely, so that a crop of it loses nothing."""
    box, solids = make_box(seed, size_mm), make_solids()
    unit = solids[which].vertices_mm / np.ptp(solids[which].vertices_mm, axis=0)
    posed = Mesh(unit * box.size_mm @ box.rotation.T + box.centre_mm, solids[which].faces)
    whole_mm, _ = render_layers([posed], CAMERA)
    exact, frame = crop_scene(whole_mm, box.centre_mm + [4.0, -6.0, 9.0], CUBE_MM, SIZE)
    drawn = DrawnObject(solids)(points_to_cube(corners_of(box), frame), frame, hold(which, size_mm))
    seen, expected = drawn < BACKGROUND, exact < BACKGROUND
    assert expected.sum() > 150
    # A crop takes whole image pixels, of which one is 0.7 to 0.8 patch pixels here: outlines differ by one of them.
    outline = expected & (torch.nn.functional.max_pool2d((~expected).float(), 3, 1, 1) > 0)
    assert (seen != expected).sum() < 0.75 * outline.sum()
    errors_mm = (drawn - exact).abs()[seen & expected & ~outline] * CUBE_MM / 2
    assert errors_mm.median() < 0.5
    assert torch.quantile(errors_mm, 0.9) < 2.0


def test_in_a_frame_of_whole_pixels_it_is_the_rendered_image() -> None:
    """Where patch pixels are image pixels, there is no difference at all."""
    box = make_box(3)
    frame = frame_cube(torch.from_numpy(box.centre_mm).float()[None], torch.tensor([CUBE_MM]), SIZE)
    camera = type(CAMERA)(*frame.focal_px[0].tolist(), *frame.principal_px[0].tolist(), SIZE, SIZE)
    depth_mm, _ = render_layers([box_mesh(box)], camera)
    expected = np.where(depth_mm > 0, (depth_mm - box.centre_mm[2]) / (CUBE_MM / 2), BACKGROUND)
    drawn = DrawnObject(make_solids())(points_to_cube(corners_of(box), frame), frame, hold(0, BOX_MM))
    np.testing.assert_allclose(drawn[0, 0], expected, atol=2e-5)


def test_corners_pass_through_procrustes() -> None:
    """Noisy corners draw a whole box of the right size: that of the nearest pose."""
    box, held = make_box(1), hold(0, BOX_MM)
    frame = frame_cube(torch.from_numpy(box.centre_mm).float()[None], torch.tensor([CUBE_MM]), SIZE)
    noisy_mm = corners_of(box) + 6 * torch.randn(1, 8, 3, generator=torch.manual_seed(0))
    rigid_mm = straighten(noisy_mm, held)
    assert (rigid_mm[0, 4] - rigid_mm[0, 0]).norm() == pytest.approx(60.0, abs=1e-3)
    assert (rigid_mm[0, 7] - rigid_mm[0, 0]).norm() == pytest.approx(float(np.linalg.norm(BOX_MM)), abs=1e-3)
    drawer = DrawnObject(make_solids())
    from_noisy, from_rigid = (drawer(points_to_cube(one, frame), frame, held) for one in (noisy_mm, rigid_mm))
    torch.testing.assert_close(from_noisy, from_rigid, atol=1e-4, rtol=0)
    torch.testing.assert_close(straighten(rigid_mm, held), rigid_mm, atol=1e-3, rtol=0)
    assert torch.det(find_pose(noisy_mm * torch.tensor([-1.0, 1, 1]), held).rotation) == pytest.approx(1.0)


def test_every_frame_has_its_own_solid() -> None:
    boxes = [make_box(0), make_box(1, BALL_MM), make_box(2, (36.0, 70.0, 28.0))]
    held = Held(torch.tensor([0, 1, 0]), torch.tensor([BOX_MM, BALL_MM, (36.0, 70.0, 28.0)]))
    corners_mm = torch.cat([corners_of(box) for box in boxes])
    frame = frame_cube(corners_mm.mean(dim=1), torch.full((3,), CUBE_MM), SIZE)
    drawer = DrawnObject(make_solids())
    together = drawer(points_to_cube(corners_mm, frame), frame, held)
    for place, box in enumerate(boxes):
        alone = frame_cube(corners_mm[place : place + 1].mean(dim=1), torch.tensor([CUBE_MM]), SIZE)
        one = hold(int(held.which[place]), tuple(box.size_mm.tolist()))
        torch.testing.assert_close(
            drawer(points_to_cube(corners_of(box), alone), alone, one), together[place : place + 1]
        )
    assert ((together < BACKGROUND).flatten(1).sum(dim=1) > 200).all()


def test_what_lies_outside_of_the_cube_is_not_drawn() -> None:
    box = make_box(0)
    frame = frame_cube(torch.tensor([[30.0, -20.0, 900.0]]), torch.tensor([CUBE_MM]), SIZE)
    drawn = DrawnObject(make_solids())(points_to_cube(corners_of(box), frame), frame, hold(0, BOX_MM))
    # Before the cube: clipped at its front, as a crop clips it.
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
