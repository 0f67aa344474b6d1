"""The window of a cube is that of Eq. 16, and its camera that of the window; units go to and fro."""

import numpy as np
import torch

from handbench.conventions import DEXTER
from handbench.geometry.camera import project_points as project_in_image
from handbench.geometry.patch_frame import frame_cube, points_to_cube, points_to_mm, project_points

CENTRE_MM = torch.tensor([[40.0, -25.0, 420.0], [-10.0, 60.0, 650.0]], dtype=torch.float64)
CUBE_MM = torch.tensor([200.0, 160.0], dtype=torch.float64)


def test_a_cube_fills_its_patch_at_the_depth_of_its_centre() -> None:
    frame = frame_cube(CENTRE_MM, CUBE_MM, 64)
    half = (CUBE_MM / 2)[:, None] * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    ends = torch.stack([CENTRE_MM - half, CENTRE_MM + half, CENTRE_MM], dim=1)
    pixels = project_points(ends, frame.focal_px, frame.principal_px)
    # From outer edge to outer edge of 64 pixels, whose centres are 0 to 63.
    expected = torch.tensor([[-0.5, -0.5], [63.5, 63.5], [31.5, 31.5]], dtype=torch.float64)
    torch.testing.assert_close(pixels, expected.expand(2, 3, 2))


def test_the_patch_is_one_of_the_camera_s_image() -> None:
    """Straight lines of the image are straight lines of the patch: one scale and one shift on each axis."""
    frame = frame_cube(CENTRE_MM, CUBE_MM, 64)
    points_mm = np.random.default_rng(0).normal(0, 50, (2, 20, 3)) + CENTRE_MM.numpy()[:, None]
    pixels = project_points(torch.from_numpy(points_mm), frame.focal_px, frame.principal_px).numpy()
    for patch, image in zip(pixels, project_in_image(points_mm, DEXTER.camera), strict=True):
        for axis in (0, 1):
            slope, start = np.polyfit(image[:, axis], patch[:, axis], 1)
            np.testing.assert_allclose(slope * image[:, axis] + start, patch[:, axis], atol=1e-8)


def test_units_go_to_and_fro() -> None:
    frame = frame_cube(CENTRE_MM, CUBE_MM, 64)
    points = torch.tensor([[[1.0, -1.0, 0.5]], [[0.0, 0.0, -1.0]]], dtype=torch.float64)
    points_mm = points_to_mm(points, frame)
    assert points_mm.tolist() == [[[140.0, -125.0, 470.0]], [[-10.0, 60.0, 570.0]]]
    torch.testing.assert_close(points_to_cube(points_mm, frame), points)


def test_a_cube_behind_the_camera_has_a_frame_all_the_same() -> None:
    frame = frame_cube(torch.tensor([[5.0, 5.0, -80.0], [0.0, 0.0, 0.0]]), torch.tensor([200.0, 200.0]), 64)
    assert frame.focal_px.isfinite().all()
    assert frame.principal_px.isfinite().all()
    assert (frame.focal_px > 0).all()
