"""Eqs. 16 to 18 and 21 of feedback19: by hand, beside the exact crop, there and back, gradients, borders."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from handbench.conventions import BACKGROUND, DEXTER_SEQUENCES
from handbench.geometry.patch_frame import PatchFrame, frame_cube, project_points
from handbench.geometry.spatial_transformer import find_transform, merge_depth, resample_depth
from tests.geometry.held_scene import MIDDLE_MCP, HeldScene, crop_scene, draw_scene

SIZE = 64
LARGE_MM, SMALL_MM = 400.0, 200.0


def make_frame(centre_mm: tuple[float, float, float], cube_mm: float, size_px: int) -> PatchFrame:
    one = torch.tensor([centre_mm], dtype=torch.float64)
    return frame_cube(one, torch.tensor([cube_mm], dtype=torch.float64), size_px)


@pytest.fixture(scope="module", params=DEXTER_SEQUENCES)
def scene(request: pytest.FixtureRequest) -> HeldScene:
    return draw_scene(request.param)


def test_equation_16_to_the_letter() -> None:
    """A_theta from the projections x-, x+, y-, y+ of t - c and t + c, in the source's own grid from -1 to +1."""
    source, target = make_frame((3.0, -8.0, 500.0), LARGE_MM, 128), make_frame((25.0, 30.0, 460.0), SMALL_MM, SIZE)
    c = torch.tensor([SMALL_MM / 2, SMALL_MM / 2, 0.0], dtype=torch.float64)
    ends_mm = torch.stack([target.centre_mm - c, target.centre_mm + c], dim=1)
    (low,), (high,) = project_points(ends_mm, source.focal_px, source.principal_px).split(1, dim=1)
    low, high = ((2 * pixel + 1) / 128 - 1 for pixel in (low[0], high[0]))
    delta = high - low
    expected = torch.stack([torch.diag(delta / 2)[0], torch.diag(delta / 2)[1]])
    expected = torch.cat([expected, (low + delta / 2)[:, None]], dim=1)
    torch.testing.assert_close(find_transform(source, target)[0], expected)


def test_the_way_back_is_the_inverse() -> None:
    source, target = make_frame((3.0, -8.0, 500.0), LARGE_MM, 128), make_frame((25.0, 30.0, 460.0), SMALL_MM, SIZE)
    there, back = (torch.eye(3, dtype=torch.float64) for _ in range(2))
    there[:2], back[:2] = find_transform(source, target)[0], find_transform(target, source)[0]
    torch.testing.assert_close(there @ back, torch.eye(3, dtype=torch.float64))


def test_a_patch_seen_from_its_own_frame_is_itself() -> None:
    frame = make_frame((10.0, 5.0, 400.0), SMALL_MM, SIZE)
    patch = torch.rand(1, 1, SIZE, SIZE, dtype=torch.float64) * 2 - 1
    patch[:, :, :20] = BACKGROUND
    torch.testing.assert_close(resample_depth(patch, frame, frame), patch)


def test_a_window_of_whole_pixels_is_a_slice_in_other_units() -> None:
    """Half the edge at the same depth and half the pixels, in the middle: rows and columns 32 to 95."""
    source, target = make_frame((0.0, 0.0, 500.0), 400.0, 128), make_frame((0.0, 0.0, 500.0), 200.0, 64)
    patch = torch.rand(1, 1, 128, 128, dtype=torch.float64) * 2 - 1
    patch[:, :, 50:60, 40:70] = BACKGROUND
    part = patch[:, :, 32:96, 32:96]
    expected = torch.where(part < BACKGROUND, (2 * part).clamp(-1, 1), BACKGROUND)
    torch.testing.assert_close(resample_depth(patch, source, target), expected)


def test_depth_moves_with_the_cube_by_hand() -> None:
    """A wall at 520 mm: 20 mm behind the one centre in half edges of 200 mm, 60 mm behind the other in 100 mm."""
    source, target = make_frame((0.0, 0.0, 500.0), 400.0, 128), make_frame((0.0, 0.0, 460.0), 200.0, 64)
    there = resample_depth(torch.full((1, 1, 128, 128), 0.1, dtype=torch.float64), source, target)
    torch.testing.assert_close(there, torch.full_like(there, 0.6))
    beyond = resample_depth(torch.full((1, 1, 128, 128), 0.9, dtype=torch.float64), source, target)
    before = resample_depth(torch.full((1, 1, 128, 128), -0.9, dtype=torch.float64), source, target)
    assert (beyond == BACKGROUND).all()
    assert (before == -1).all()


def test_it_is_the_crop_of_the_image(scene: HeldScene) -> None:
    """The same cube from the camera's image: as near as one may come by way of a patch of larger pixels."""
    depth, source = crop_scene(scene.depth_mm, scene.middle_mm, LARGE_MM, 2 * SIZE)
    for centre_mm in (scene.joints_mm[MIDDLE_MCP], scene.box.centre_mm):
        exact, target = crop_scene(scene.depth_mm, centre_mm, SMALL_MM, SIZE)
        found = resample_depth(depth, source, target)
        seen, expected = found < BACKGROUND, exact < BACKGROUND
        errors_mm = (found - exact).abs()[seen & expected] * SMALL_MM / 2
        assert errors_mm.median() < 3.0
        assert (errors_mm > 10.0).float().mean() < 0.12
        assert (seen != expected).sum() < 0.1 * expected.sum()


def test_the_window_of_a_cube_is_the_crop_s_without_its_roundings(scene: HeldScene) -> None:
    """The crop's bounds are whole image pixels, and where these are not square it fits whole patch pixels, too."""
    _, crop = crop_scene(scene.depth_mm, scene.box.centre_mm, SMALL_MM, SIZE)
    frame = frame_cube(crop.centre_mm, crop.cube_mm, SIZE)
    middle = [project_points(crop.centre_mm[:, None], one.focal_px, one.principal_px) for one in (crop, frame)]
    per_image_pixel = SIZE * float(scene.box.centre_mm[2]) / SMALL_MM / 224.5
    assert (middle[0] - middle[1]).abs().max() < per_image_pixel + 0.51
    torch.testing.assert_close(crop.focal_px, frame.focal_px, rtol=0.05, atol=0)


def test_no_rim_hangs_in_the_air(scene: HeldScene) -> None:
    """Eq. 18 to the letter mixes a surface with the background; here nothing lies farther than what is seen."""
    depth, source = crop_scene(scene.depth_mm, scene.middle_mm, LARGE_MM, 2 * SIZE)
    # Everything farther than the middle is taken away: one surface before nothing.
    depth = torch.where(depth < 0, depth, BACKGROUND)
    target = frame_cube(source.centre_mm, source.cube_mm, SIZE)
    found = resample_depth(depth, source, target)
    assert (found < BACKGROUND).any()
    assert found[found < BACKGROUND].max() <= 1e-6
    grid = affine_grid(find_transform(source, target), [1, 1, SIZE, SIZE], align_corners=False)
    to_the_letter = grid_sample(depth - BACKGROUND, grid, align_corners=False) + BACKGROUND
    assert ((to_the_letter > 1e-6) & (to_the_letter < BACKGROUND)).any()


def make_ball(frame: PatchFrame, radius: float = 0.6) -> Tensor:
    """A ball in the middle of a cube, as its patch shows it."""
    steps = torch.linspace(-1, 1, frame.size_px, dtype=torch.float64)
    square = radius**2 - steps[:, None] ** 2 - steps**2
    return torch.where(square > 0, -square.clamp(min=1e-12).sqrt(), BACKGROUND)[None, None]


@pytest.mark.parametrize("cube_mm", [200.0, 250.0, 150.0])
def test_there_and_back(cube_mm: float) -> None:
    """STN(ISTN(x)): the inside within 1 mm, the outline within half a pixel of the coarser patch."""
    large, small = make_frame((3.0, -8.0, 500.0), LARGE_MM, 128), make_frame((25.0, 30.0, 460.0), cube_mm, SIZE)
    ball = make_ball(small)
    again = resample_depth(resample_depth(ball, small, large), large, small)
    both = (ball < -0.25) & (again < BACKGROUND)
    assert ((ball - again).abs()[both] * cube_mm / 2).max() < 1.0
    outline_px = 2 * np.pi * 0.6 * SIZE / 2
    assert ((ball < BACKGROUND) != (again < BACKGROUND)).sum() < 0.5 * outline_px * max(1.0, 200 / cube_mm)


def test_pasted_back_it_lies_where_it_was() -> None:
    large, small = make_frame((3.0, -8.0, 500.0), LARGE_MM, 128), make_frame((25.0, 30.0, 460.0), SMALL_MM, SIZE)
    pasted = resample_depth(make_ball(small), small, large)
    rows, columns = torch.nonzero(pasted[0, 0] < BACKGROUND).double().T
    middle_px = project_points(small.centre_mm[:, None], large.focal_px, large.principal_px)[0, 0]
    assert columns.mean() == pytest.approx(float(middle_px[0]), abs=0.1)
    assert rows.mean() == pytest.approx(float(middle_px[1]), abs=0.1)
    # Its nearest point is 60 mm before 460 mm: half a cube of 200 mm before 500 mm.
    assert float(pasted.min()) == pytest.approx((460 - 60 - 500) / 200, abs=0.005)


def test_gradients_of_depth_and_place() -> None:
    torch.manual_seed(0)
    source = make_frame((3.0, -8.0, 500.0), LARGE_MM, 12)
    values = torch.rand(1, 1, 12, 12, dtype=torch.float64) * 0.3 - 0.15
    background = torch.rand(1, 1, 12, 12) < 0.2
    centre_mm = torch.tensor([[21.0, 13.0, 487.0]], dtype=torch.float64)
    cube_mm = torch.tensor([230.0], dtype=torch.float64)

    def stn(values: Tensor, centre_mm: Tensor, cube_mm: Tensor) -> Tensor:
        depth = torch.where(background, BACKGROUND, values)
        return resample_depth(depth, source, frame_cube(centre_mm, cube_mm, 8))

    def istn(values: Tensor, centre_mm: Tensor, cube_mm: Tensor) -> Tensor:
        depth = torch.where(background, BACKGROUND, values)
        return resample_depth(depth, frame_cube(centre_mm, cube_mm, 12), source)

    inputs = tuple(value.requires_grad_() for value in (values, centre_mm, cube_mm))
    for way in (stn, istn):
        assert torch.autograd.gradcheck(way, inputs)
        shown = way(*inputs)
        assert 10 < (shown < BACKGROUND).sum() < shown.numel()
        assert all(one.abs().max() > 0 for one in torch.autograd.grad(shown.sum(), inputs))


@pytest.mark.parametrize(
    ("centre_mm", "columns"),
    [((200.0, 0.0, 500.0), 32), ((-200.0, 0.0, 500.0), 32), ((600.0, 0.0, 500.0), 0), ((0.0, 0.0, -50.0), 0)],
)
def test_outside_of_the_source_lies_background(centre_mm: tuple[float, float, float], columns: int) -> None:
    """Half of a cube at D's border is seen, nothing of one beside it or behind the camera; gradients stay finite."""
    source = make_frame((0.0, 0.0, 500.0), LARGE_MM, 128)
    place = torch.tensor([centre_mm], dtype=torch.float64, requires_grad=True)
    depth = torch.zeros(1, 1, 128, 128, dtype=torch.float64, requires_grad=True)
    found = resample_depth(depth, source, frame_cube(place, torch.tensor([200.0], dtype=torch.float64), SIZE))
    assert (found < BACKGROUND).sum() == columns * SIZE
    found.sum().backward()
    assert place.grad is not None
    assert place.grad.isfinite().all()


def test_frames_of_a_batch_do_not_mix() -> None:
    centres = torch.tensor([[0.0, 0.0, 500.0], [40.0, -30.0, 600.0]], dtype=torch.float64)
    source = frame_cube(centres, torch.full((2,), 400.0, dtype=torch.float64), 32)
    target = frame_cube(centres + 20, torch.full((2,), 200.0, dtype=torch.float64), 16)
    depth = torch.rand(2, 1, 32, 32, dtype=torch.float64) - 0.5
    both = resample_depth(depth, source, target)
    for place in range(2):
        alone = [
            PatchFrame(
                *(
                    getattr(frame, name)[place : place + 1]
                    for name in PatchFrame.__dataclass_fields__
                    if name != "size_px"
                ),
                frame.size_px,
            )
            for frame in (source, target)
        ]
        torch.testing.assert_close(both[place : place + 1], resample_depth(depth[place : place + 1], *alone))


def test_the_nearer_one_is_kept() -> None:
    first, second = torch.tensor([[[[0.2, 1.0], [-0.5, 1.0]]]]), torch.tensor([[[[0.1, 0.9], [0.3, 1.0]]]])
    assert merge_depth(first, second).flatten().tolist() == pytest.approx([0.1, 0.9, -0.5, 1.0])
