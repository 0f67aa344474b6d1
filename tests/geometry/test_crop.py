"""The metric cube: bounds by hand, a per-pixel reference, traps 41-45 and the ways back."""

from math import floor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbench.conventions import DEXTER, NYU, Camera
from handbench.errors import BadInput
from handbench.geometry.camera import back_project_points
from handbench.geometry.crop import crop_cube, normalise_joints, patch_to_points, points_to_patch, unnormalise_joints

# At depth 500 mm one pixel is 10 mm: a 100 mm cube is 10 pixels.
CAMERA = Camera(fx=50.0, fy=50.0, cx=16.0, cy=12.0, width=32, height=24)
ON_AXIS = np.array([0.0, 0.0, 500.0], np.float32)


def plane(depth_mm: float, camera: Camera = CAMERA) -> np.ndarray:
    return np.full((camera.height, camera.width), depth_mm, np.float32)


def ramp(camera: Camera = CAMERA) -> np.ndarray:
    """Depth 451 + column + row / 100: every pixel says where it is, all of them inside a 300 mm cube at 500 mm."""
    rows, columns = np.mgrid[: camera.height, : camera.width]
    return (451 + columns + rows / 100).astype(np.float32)


def crop_slowly(depth_mm, centre_mm, cube_mm, camera, size_px, rounding, sampling):
    """The same crop, a pixel at a time, as the rule reads."""
    x, y, z = (float(value) for value in centre_mm)
    height, width = depth_mm.shape
    shift, phase = (0.5 if rounding == "nearest" else 0.0), (1 if sampling == "centre" else 0)
    bounds = []
    for centre, focal, principal in ((x, camera.fx, camera.cx), (y, camera.fy, camera.cy)):
        start = floor((centre - cube_mm / 2) * focal / z + principal + shift)
        end = floor((centre + cube_mm / 2) * focal / z + principal + shift)
        bounds.append((start, max(end - start, 1)))
    (left, across), (top, down) = bounds
    wide, high = max(across * size_px // max(across, down), 1), max(down * size_px // max(across, down), 1)
    patch = np.ones((size_px, size_px), np.float32)
    for i in range(high):
        for j in range(wide):
            row, column = top + (2 * i + phase) * down // (2 * high), left + (2 * j + phase) * across // (2 * wide)
            if 0 <= row < height and 0 <= column < width and depth_mm[row, column] > 0:
                value = (depth_mm[row, column] - np.float32(z)) * np.float32(1 / (cube_mm / 2))
                value = min(max(value, np.float32(-1)), np.float32(1))
                patch[i + (size_px - high + 1) // 2, j + (size_px - wide + 1) // 2] = value
    return patch


def test_a_plane_at_a_known_depth():
    patch, _ = crop_cube(plane(525.0), ON_AXIS, 100.0, CAMERA, size_px=10)
    np.testing.assert_array_equal(patch, np.full((10, 10), 0.5, np.float32))


def test_the_window_by_hand():
    # 16 +- 5 columns and 12 +- 5 rows: pixels 11..20 and 7..16, one to one.
    patch, patch_from_image = crop_cube(ramp(), ON_AXIS, 100.0, CAMERA, size_px=10)
    np.testing.assert_allclose(patch * 50 + 500, ramp()[7:17, 11:21], atol=1e-4)
    np.testing.assert_allclose(patch_from_image, [[1, 0, -11], [0, 1, -7], [0, 0, 1]])


def test_upscaling_repeats_whole_pixels():
    patch, patch_from_image = crop_cube(ramp(), ON_AXIS, 100.0, CAMERA, size_px=20)
    np.testing.assert_allclose(patch * 50 + 500, np.kron(ramp()[7:17, 11:21], np.ones((2, 2))), atol=1e-4)
    # The first image pixel covers patch pixels 0 and 1: its centre lies between them.
    np.testing.assert_allclose(patch_from_image @ [11, 7, 1], [0.5, 0.5, 1])


@pytest.mark.parametrize(
    ("centre_mm", "inside"),
    [
        # Shifted by 160 mm = 16 columns (12 rows: 120 mm), half of the ten-pixel window hangs over the edge.
        ((-160.0, 0.0, 500.0), (slice(None), slice(5, 10))),
        ((160.0, 0.0, 500.0), (slice(None), slice(0, 5))),
        ((0.0, -120.0, 500.0), (slice(5, 10), slice(None))),
        ((0.0, 120.0, 500.0), (slice(0, 5), slice(None))),
    ],
)
def test_trap_41_cube_over_each_side_of_the_image(centre_mm, inside):
    patch, _ = crop_cube(plane(500.0), np.array(centre_mm, np.float32), 100.0, CAMERA, size_px=10)
    expected = np.ones((10, 10), np.float32)
    expected[inside] = 0
    np.testing.assert_array_equal(patch, expected)


@pytest.mark.parametrize("centre_mm", [(-900, 0, 500), (900, 0, 500), (0, -900, 500), (0, 900, 500), (9e6, 9e6, 500)])
def test_trap_41_cube_entirely_outside_the_image(centre_mm):
    patch, _ = crop_cube(plane(500.0), np.array(centre_mm, np.float32), 100.0, CAMERA, size_px=10)
    assert (patch == 1).all()


def test_trap_42_front_is_clamped_and_back_is_filled():
    # Cube from 450 to 550 mm: in front of it, on its front, in the middle, on its back, behind, not measured.
    depth_mm = np.tile(np.float32([400, 450, 500, 550, 600, 0]), (6, 1))
    camera = Camera(fx=30.0, fy=30.0, cx=3.0, cy=3.0, width=6, height=6)
    patch, _ = crop_cube(depth_mm, ON_AXIS, 100.0, camera, size_px=6)
    np.testing.assert_array_equal(patch, np.tile(np.float32([-1, -1, 0, 1, 1, 1]), (6, 1)))


def test_trap_43_rounding_of_the_bounds():
    # Bounds at 10.5..20.5: floor(x + 0.5) gives 11..21, floor gives 10..20.
    centre_mm = np.array([-5.0, 0.0, 500.0], np.float32)
    nearest, _ = crop_cube(ramp(), centre_mm, 100.0, CAMERA, size_px=10)
    floored, _ = crop_cube(ramp(), centre_mm, 100.0, CAMERA, size_px=10, rounding="floor")
    np.testing.assert_allclose(nearest[0] * 50 + 500, ramp()[7, 11:21], atol=1e-4)
    np.testing.assert_allclose(floored[0] * 50 + 500, ramp()[7, 10:20], atol=1e-4)


def test_trap_43_aspect_is_kept_when_fx_is_not_fy():
    # 300 mm at 500 mm: columns 93..226 and rows 51..188; 138 rows fill 128, 134 columns take 124, two free a side.
    camera = DEXTER.camera
    patch, patch_from_image = crop_cube(plane(500.0, camera), ON_AXIS, 300.0, camera)
    background = (patch == 1).all(axis=0)
    np.testing.assert_array_equal(np.flatnonzero(background), [0, 1, 126, 127])
    assert not (patch == 1).all(axis=1).any()
    np.testing.assert_allclose(np.diag(patch_from_image), [124 / 134, 128 / 138, 1])


def test_trap_44_a_hole_never_mixes_with_a_measurement():
    depth_mm = plane(500.0)
    depth_mm[::2, ::3] = 0
    for size_px in (7, 10, 23):
        patch, _ = crop_cube(depth_mm, ON_AXIS, 100.0, CAMERA, size_px=size_px)
        assert set(np.unique(patch)) == {0.0, 1.0}


def test_not_a_number_is_not_a_measurement():
    depth_mm = plane(np.nan)
    depth_mm[:, 16:] = np.inf
    assert (crop_cube(depth_mm, ON_AXIS, 100.0, CAMERA, size_px=10)[0] == 1).all()


@pytest.mark.parametrize("centre_mm", [(0, 0, 0), (0, 0, -700), (np.nan, 0, 700), (0, 0, np.nan), (0, 0, 1e-9)])
def test_trap_46_a_cube_at_the_camera_is_refused(centre_mm):
    with pytest.raises(BadInput, match="in front of the camera"):
        crop_cube(plane(500.0), np.array(centre_mm, np.float32), 100.0, CAMERA)


@settings(max_examples=150, deadline=None)
@given(
    centre=st.tuples(st.floats(-400, 400), st.floats(-400, 400), st.floats(60, 3000)),
    cube_mm=st.floats(1, 600),
    size_px=st.integers(1, 40),
    focal=st.tuples(st.floats(10, 120), st.floats(10, 120)),
    rounding=st.sampled_from(["nearest", "floor"]),
    sampling=st.sampled_from(["centre", "corner"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_kernel_equals_the_slow_reference(centre, cube_mm, size_px, focal, rounding, sampling, seed):
    camera = Camera(*focal, cx=15.5, cy=11.5, width=32, height=24)
    rng = np.random.default_rng(seed)
    depth_mm = (centre[2] + cube_mm * rng.uniform(-1, 1, (24, 32))).astype(np.float32)
    depth_mm[rng.random((24, 32)) < 0.2] = 0
    centre_mm = np.array(centre, np.float32)
    fast, _ = crop_cube(depth_mm, centre_mm, cube_mm, camera, size_px=size_px, rounding=rounding, sampling=sampling)
    slow = crop_slowly(depth_mm, centre_mm, cube_mm, camera, size_px, rounding, sampling)
    np.testing.assert_array_equal(fast, slow)


def test_trap_45_background_is_exactly_one_and_the_inside_comes_back():
    depth_mm = ramp()
    depth_mm[:, :14] = 0
    patch, _ = crop_cube(depth_mm, ON_AXIS, 100.0, CAMERA, size_px=10)
    assert patch.min() >= -1
    assert (patch[:, :3] == 1).all()
    np.testing.assert_allclose(patch[:, 3:] * 50 + 500, depth_mm[7:17, 14:21], atol=1e-4)


metres = st.floats(-500, 500)


@given(
    joints=st.lists(st.tuples(metres, metres, metres), min_size=1, max_size=5),
    centre=st.tuples(metres, metres, st.floats(100, 2000)),
    cube_mm=st.floats(50, 500),
)
def test_trap_45_unnormalise_undoes_normalise(joints, centre, cube_mm):
    joints_mm, centre_mm = np.array(joints), np.array(centre)
    there = normalise_joints(joints_mm, centre_mm, cube_mm)
    np.testing.assert_allclose(unnormalise_joints(there, centre_mm, cube_mm), joints_mm, atol=1e-9)


def test_normalise_by_hand_and_in_batches():
    joints_mm = np.array([[[10.0, -20.0, 730.0]], [[0.0, 0.0, 0.0]]])
    centre_mm, cube_mm = np.array([[0.0, 0.0, 700.0], [100.0, 50.0, -25.0]]), np.array([300.0, 200.0])
    expected = [[[10 / 150, -20 / 150, 30 / 150]], [[-1.0, -0.5, 0.25]]]
    np.testing.assert_allclose(normalise_joints(joints_mm, centre_mm, cube_mm), expected)


@given(
    points=st.lists(st.tuples(metres, metres, st.floats(200, 1500)), min_size=1, max_size=5),
    centre=st.tuples(metres, metres, st.floats(200, 1500)),
    cube_mm=st.floats(50, 500),
)
def test_points_to_patch_and_back(points, centre, cube_mm):
    points_mm, centre_mm = np.array(points), np.array(centre)
    _, patch_from_image = crop_cube(plane(700.0, NYU.camera), centre_mm, cube_mm, NYU.camera, size_px=8)
    pixels = points_to_patch(points_mm, patch_from_image, centre_mm, cube_mm, NYU.camera)
    back_mm = patch_to_points(pixels, patch_from_image, centre_mm, cube_mm, NYU.camera)
    np.testing.assert_allclose(back_mm, points_mm, atol=1e-6)


@pytest.mark.parametrize("sampling", ["centre", "corner"])
def test_the_transform_tells_where_each_patch_pixel_came_from(sampling):
    # ramp() says its own column; the transform must agree to within half an image pixel, without bias.
    camera = Camera(200.0, 190.0, 80.0, 60.0, 160, 120)
    patch, patch_from_image = crop_cube(ramp(camera), ON_AXIS, 300.0, camera, size_px=64, sampling=sampling)
    i, j = np.mgrid[:64, :64]
    (scale_u, _, shift_u), (_, scale_v, shift_v), _ = patch_from_image
    told = 451 + (j - shift_u) / scale_u + (i - shift_v) / scale_v / 100
    off = (patch * 150 + 500 - told)[patch < 1]
    assert len(off) > 3500
    assert np.abs(off).max() <= 0.52
    assert abs(off.mean()) < 0.1


def test_the_centre_lands_in_the_middle_of_the_patch():
    centre_mm = back_project_points(np.array([205.5, 288.03, 784.21]), NYU.camera)
    _, patch_from_image = crop_cube(plane(700.0, NYU.camera), centre_mm, 300.0, NYU.camera)
    column, row, depth = points_to_patch(centre_mm, patch_from_image, centre_mm, 300.0, NYU.camera)
    # Rounding the bounds moves the window by at most half an image pixel at each end.
    np.testing.assert_allclose([column, row], [63.5, 63.5], atol=0.9)
    assert depth == 0


def test_real_frame_agrees_with_the_published_deepmodel_crop(shared):
    """NYU test frame 1 around joint 34. DeepModel floors its bounds and resizes by OpenCV's nearest rule."""
    image = cv2.imread(str(shared / "real/nyu/depth_1_0000001.png"))
    depth_mm = image[..., 1].astype(np.float32) * 256 + image[..., 0]
    depth_mm[depth_mm >= 2001] = 0
    labels_uvd = np.loadtxt(shared / "real/nyu/joint_1_uvd_first_frame.csv", delimiter=",")
    centre_mm = back_project_points(labels_uvd[34], NYU.camera)
    published = cv2.imread(str(shared / "real/nyu/deepmodel_crop_0.png"), cv2.IMREAD_GRAYSCALE) / 255 * 2 - 1

    patch, _ = crop_cube(depth_mm, centre_mm, 300.0, NYU.camera, rounding="floor", sampling="corner")
    assert np.abs(patch - published).mean() < 2 / 255
    # What is left is the published file's own rounding to 8 bits, at every single pixel.
    assert np.abs(patch - published).max() < 1 / 255
    # Our own rule differs from it by less than two pixels of shift: only silhouettes disagree.
    patch, _ = crop_cube(depth_mm, centre_mm, 300.0, NYU.camera)
    both_hand = (patch < 1) & (published < 1)
    assert both_hand.sum() > 0.9 * (published < 1).sum()
    assert np.median(np.abs(patch - published)[both_hand]) < 2 / 255
