"""The sensors against numbers of the real NYU frame and against what their own model promises."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from handbench.conventions import ICVL, NYU_LABEL_CAMERA, Camera
from handbench.rendering.sensors import SENSORS, structured_light, time_of_flight

Sensor = Callable[[np.ndarray, Camera, np.random.Generator], np.ndarray]

# Every value between 731 and 800 mm in NYU test frame 1, and how levels of neighbours differ inside its hand.
REAL_LEVELS_MM = np.fromstring(
    "731 733 735 736 738 739 741 743 744 746 747 749 751 752 754 756 757 759 761 762 764 766 767 769 771 773 774 776 "
    "778 780 781 783 785 787 788 790 792 794 796 798 799",
    sep=" ",
)
REAL_SAME_LEVEL, REAL_NEXT_LEVEL = (0.748, 0.776), (0.241, 0.216)  # (across, down)
LEVELS_MM, LEVEL_PHASE = 8 * 587.075 * 73.27, 0.413


def make_plane(z_mm: float, camera: Camera = NYU_LABEL_CAMERA) -> np.ndarray:
    return np.full((camera.height, camera.width), z_mm, np.float32)


def make_ramp(start_mm: float, stop_mm: float) -> np.ndarray:
    row = np.linspace(start_mm, stop_mm, 640, dtype=np.float32)
    return np.tile(row, (480, 1))


def read_real_depth(shared: Path) -> np.ndarray:
    picture = cv2.imread(str(shared / "real/nyu/depth_1_0000001.png"), cv2.IMREAD_UNCHANGED)
    return picture[..., 1].astype(int) * 256 + picture[..., 0]


def count_level_steps(depth_mm: np.ndarray, inside: np.ndarray, axis: int) -> tuple[float, float]:
    """Share of neighbours on the same level and on the next one."""
    level = np.rint(LEVELS_MM / np.maximum(depth_mm, 1) - LEVEL_PHASE)
    both = inside & np.roll(inside, 1, axis)
    step = np.abs(level - np.roll(level, 1, axis))[both]
    return float((step == 0).mean()), float((step == 1).mean())


def test_structured_light_has_the_levels_of_the_real_frame() -> None:
    seen_mm = structured_light(make_ramp(725, 806), NYU_LABEL_CAMERA, np.random.default_rng(0))
    levels_mm = np.unique(seen_mm[(seen_mm >= 731) & (seen_mm <= 800)])
    assert abs(len(levels_mm) - len(REAL_LEVELS_MM)) <= 1
    nearest = np.abs(levels_mm[:, None] - REAL_LEVELS_MM).min(axis=1)
    assert nearest.max() <= 1
    assert set(np.diff(levels_mm)) <= {1.0, 2.0}


def test_structured_light_speckle_is_as_smooth_as_in_the_real_hand() -> None:
    # A bowl about as steep as the real hand: 40 mm over 65 pixels.
    v, u = np.mgrid[:480, :640]
    bowl = (735 + 40 * ((u - 320) ** 2 + (v - 240) ** 2) / 65.0**2).astype(np.float32)
    inside = np.hypot(u - 320, v - 240) < 60
    bowl[~inside] = 0
    seen_mm = structured_light(bowl, NYU_LABEL_CAMERA, np.random.default_rng(1))
    inside = (np.hypot(u - 320, v - 240) < 50) & (seen_mm > 0)
    for axis, real_same, real_next in zip((1, 0), REAL_SAME_LEVEL, REAL_NEXT_LEVEL, strict=True):
        same, after = count_level_steps(seen_mm, inside, axis)
        assert same == pytest.approx(real_same, abs=0.08)
        assert after == pytest.approx(real_next, abs=0.08)


def test_recorded_numbers_are_those_of_the_real_frame(shared: Path) -> None:
    real_mm = read_real_depth(shared)
    values = np.unique(real_mm)
    assert (len(values), values[0], values[-1]) == (250, 731, 2001)
    np.testing.assert_array_equal(values[values <= 800], REAL_LEVELS_MM)
    hand = np.zeros(real_mm.shape, bool)
    hand[165:330, 160:275] = True
    hand &= real_mm < 800
    for axis, same, after in zip((1, 0), REAL_SAME_LEVEL, REAL_NEXT_LEVEL, strict=True):
        assert count_level_steps(real_mm, hand, axis) == pytest.approx((same, after), abs=0.005)


def test_all_real_levels_are_levels_of_ours(shared: Path) -> None:
    values = np.unique(read_real_depth(shared))[:-1]
    ours = np.unique(structured_light(make_ramp(600, 2000), NYU_LABEL_CAMERA, np.random.default_rng(0)))
    ramp = [make_ramp(start, start + 120) for start in range(700, 2000, 110)]
    for index, part in enumerate(ramp):
        ours = np.union1d(ours, structured_light(part, NYU_LABEL_CAMERA, np.random.default_rng(index)))
    # The real spacing drifts by a millimetre towards two metres.
    assert np.abs(values[:, None] - ours).min(axis=1).max() <= 2


def test_shadow_falls_on_the_right_and_is_as_wide_as_the_baseline_says() -> None:
    # f b (1/750 - 1/1000) = 587.075 * 73.27 * 3.333e-4 = 14.3 pixels.
    scene = make_plane(1000)
    scene[100:380, 200:300] = 750
    seen_mm = structured_light(scene, NYU_LABEL_CAMERA, np.random.default_rng(2))
    missing = seen_mm == 0
    assert missing[120:360, 295:325].sum(axis=1).mean() == pytest.approx(14.3, abs=1.5)
    assert missing[120:360, 180:210].sum(axis=1).mean() < 1.5
    assert missing[:90].mean() < 0.001


def test_contours_are_ragged_by_a_pixel_or_two_and_stay_in_place() -> None:
    scene = make_plane(0)
    scene[:, 200:300] = 750
    seen_mm = structured_light(scene, NYU_LABEL_CAMERA, np.random.default_rng(3))
    left = np.argmax(seen_mm > 0, axis=1)
    assert np.abs(left - 200).max() <= 4
    assert left.mean() == pytest.approx(200, abs=0.7)
    assert 0.4 < left.std() < 1.6
    assert (np.diff(left) == 0).mean() > 0.35  # alike over a few rows, as the real contour


def test_structured_light_sees_nothing_too_near_or_beyond_two_metres() -> None:
    for z_mm in (0.0, 350.0, 2010.0, 4000.0):
        assert not structured_light(make_plane(z_mm), NYU_LABEL_CAMERA, np.random.default_rng(4)).any()


def test_time_of_flight_noise_grows_with_distance() -> None:
    # 0.8 + 4 z^2 with z in metres: 1.16 mm at 0.3 m and 4.04 mm at 0.9 m; rounding adds 1/12 to the variance.
    for z_mm, sigma_mm in ((300.0, 1.16), (900.0, 4.04)):
        seen_mm = time_of_flight(make_plane(z_mm, ICVL.camera), ICVL.camera, np.random.default_rng(5))
        assert seen_mm.mean() == pytest.approx(z_mm, abs=0.1)
        assert seen_mm.std() == pytest.approx(np.sqrt(sigma_mm**2 + 1 / 12), rel=0.02)


def test_time_of_flight_noise_grows_with_slant() -> None:
    # At 500 mm a pixel is 2.07 mm: 3 mm a pixel is a slant of 1.76.
    ramp = np.tile(500 + 3 * (np.arange(320, dtype=np.float32) % 2), (240, 1))
    flat_mm = time_of_flight(make_plane(500, ICVL.camera), ICVL.camera, np.random.default_rng(6))
    slanted_mm = time_of_flight(ramp, ICVL.camera, np.random.default_rng(6))
    assert (slanted_mm - ramp).std() / (flat_mm - 500).std() == pytest.approx(1.76, abs=0.08)


def test_flying_pixels_lie_on_the_contour_behind_the_surface() -> None:
    scene = make_plane(0, ICVL.camera)
    scene[60:180, 100:220] = 400
    seen_mm = time_of_flight(scene, ICVL.camera, np.random.default_rng(7))
    inner = seen_mm[61:179, 101:219]
    assert np.abs(inner - 400).max() < 10
    contour = np.concatenate([seen_mm[60, 100:220], seen_mm[179, 100:220], seen_mm[60:180, 100], seen_mm[60:180, 219]])
    flying = (contour > 410).mean()
    assert 0.1 < flying < 0.45
    assert contour.max() < 440
    assert not seen_mm[scene == 0].any()


@pytest.mark.parametrize("sense", SENSORS.values(), ids=SENSORS.keys())
@pytest.mark.parametrize("camera", [NYU_LABEL_CAMERA, ICVL.camera], ids=["640x480", "320x240"])
def test_same_generator_same_image_in_whole_millimetres(sense: Sensor, camera: Camera) -> None:
    scene = make_plane(900, camera)
    scene[50:150, 50:150] = 600.4
    scene[150:] = 0
    before = scene.copy()
    first = sense(scene, camera, np.random.default_rng(8))
    np.testing.assert_array_equal(first, sense(scene, camera, np.random.default_rng(8)))
    assert not np.array_equal(first, sense(scene, camera, np.random.default_rng(9)))
    np.testing.assert_array_equal(scene, before)
    np.testing.assert_array_equal(first, np.rint(first))
    assert first.dtype == np.float32
    assert first.shape == scene.shape
    assert (first[:150] > 0).mean() > 0.9


@pytest.mark.parametrize("sense", SENSORS.values(), ids=SENSORS.keys())
def test_empty_image_stays_empty(sense: Sensor) -> None:
    assert not sense(make_plane(0), NYU_LABEL_CAMERA, np.random.default_rng(10)).any()


@pytest.mark.parametrize("sense", SENSORS.values(), ids=SENSORS.keys())
def test_one_pixel_more_or_less_changes_its_neighbours_alone(sense: Sensor) -> None:
    """What two renderers may differ in; and the generator goes on with the same numbers."""
    scene = make_plane(0, ICVL.camera)
    scene[60:180, 100:220] = 450
    other = scene.copy()
    other[60, 100] = 0
    generators = [np.random.default_rng(11) for _ in range(2)]
    seen_mm = [sense(one, ICVL.camera, rng) for one, rng in zip((scene, other), generators, strict=True)]
    changed = np.argwhere(seen_mm[0] != seen_mm[1])
    assert (seen_mm[0] > 0).sum() > 10_000
    assert np.abs(changed - [60, 100]).max(initial=0) <= 24
    assert generators[0].random() == generators[1].random()
