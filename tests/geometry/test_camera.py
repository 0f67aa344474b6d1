import numpy as np
import pytest

from handbench.conventions import DATASETS, Camera
from handbench.geometry.camera import back_project_points, depth_to_points, project_points

CAMERA = Camera(500.0, 400.0, 320.0, 240.0, 640, 480)


def test_projection_by_hand():
    """100 mm right and 50 mm down at one metre: 50 px right, 20 px down."""
    assert project_points(np.array([100.0, 50.0, 1000.0]), CAMERA) == pytest.approx([370.0, 260.0, 1000.0])


def test_the_optical_axis_meets_the_principal_point():
    assert project_points(np.array([0.0, 0.0, 700.0]), CAMERA) == pytest.approx([320.0, 240.0, 700.0])


@pytest.mark.parametrize("dataset", DATASETS)
def test_there_and_back(dataset):
    camera = DATASETS[dataset].camera
    points = np.random.default_rng(0).uniform([-300, -300, 200], [300, 300, 1500], (50, 4, 3))
    assert back_project_points(project_points(points, camera), camera) == pytest.approx(points)


def test_down_in_the_image_is_down_in_space():
    top, bottom = back_project_points(np.array([[320.0, 0.0, 500.0], [320.0, 479.0, 500.0]]), CAMERA)
    assert top[1] < 0 < bottom[1]


def test_depth_to_points_takes_measured_pixels_row_by_row():
    depth_mm = np.zeros((480, 640), np.float32)
    depth_mm[240, 320] = 800.0
    depth_mm[240, 420] = 1000.0
    depth_mm[100, 320] = 500.0
    points = depth_to_points(depth_mm, CAMERA)
    assert points == pytest.approx(np.array([[0, -175, 500], [0, 0, 800], [200, 0, 1000]]))
    assert points.dtype == np.float32


def test_an_empty_image_has_no_points():
    assert depth_to_points(np.zeros((480, 640), np.float32), CAMERA).shape == (0, 3)
