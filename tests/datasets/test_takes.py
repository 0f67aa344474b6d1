import numpy as np
import pytest

from handbench.conventions import DEXTER, NYU_LABEL_CAMERA, RECORDED
from handbench.datasets.takes import draw_frame, drawing_camera, label_take, prepare_take
from handbench.geometry.camera import project_points
from handbench.rendering.renderer import choose_renderer


@pytest.fixture(scope="module")
def drawn(embedded_sets):
    """The first frame of each dataset's first take, with what was rendered."""
    frames = {}
    for dataset, one in embedded_sets.items():
        take = one.takes[0]
        seen = []

        def render(meshes, camera, seen=seen):
            seen.append(choose_renderer("auto")(meshes, camera))
            return seen[-1]

        frames[dataset] = (take, draw_frame(take, 0, label_take(take)[0], render), *seen[0])
    return frames


@pytest.mark.parametrize("dataset", RECORDED)
def test_a_frame_shows_hand_and_forearm_apart(drawn, dataset):
    _, frame, true_mm, layer = drawn[dataset]
    assert (layer == 0).sum() > 800
    assert frame.forearm.shape == layer.shape
    assert not (frame.forearm & (layer == 0)).any()
    assert (frame.forearm == (layer == 1)).all()
    assert frame.forearm.any()
    assert true_mm[layer == 0].min() > 100


@pytest.mark.parametrize("dataset", RECORDED)
def test_the_sensor_measures_the_hand(drawn, dataset):
    """Holes and noise, but the hand is there: most of its pixels, within a few millimetres."""
    _, frame, true_mm, layer = drawn[dataset]
    hand = layer == 0
    measured = hand & (frame.depth_mm > 0) & (frame.depth_mm < 2000)
    assert measured.sum() > 0.6 * hand.sum()
    assert np.median(np.abs(frame.depth_mm - true_mm)[measured]) < 6.0
    assert not np.array_equal(frame.depth_mm, true_mm)


def test_nyu_has_something_behind_the_hand(drawn):
    _, _, true_mm, layer = drawn["nyu"]
    behind = layer > 1
    assert behind.sum() > 5000
    assert np.median(true_mm[behind]) > true_mm[layer == 0].max()


def test_msra_hands_are_cut_out(drawn):
    """Nothing but the hand, a rim of two pixels and a stump of the forearm is left."""
    _, frame, _, layer = drawn["msra"]
    left = frame.depth_mm > 0
    assert not left[layer > 1].any()
    assert left[layer == 1].mean() < 1.0
    rows, columns = np.nonzero(layer >= 0)
    assert not left[: max(rows.min() - 3, 0)].any()
    assert not left[:, : max(columns.min() - 3, 0)].any()


def test_a_frame_does_not_depend_on_those_drawn_before(embedded_sets):
    take = embedded_sets["icvl"].takes_of("test")[0]
    render, joints = choose_renderer("auto"), label_take(embedded_sets["icvl"].takes_of("test")[0])
    later = draw_frame(take, 2, joints[2], render).depth_mm
    draw_frame(take, 0, joints[0], render)
    again = draw_frame(prepare_take(take.recording), 2, joints[2], render).depth_mm
    assert np.array_equal(later, again)
    assert not np.array_equal(later, draw_frame(take, 1, joints[1], render).depth_mm)


def test_drawing_cameras():
    assert drawing_camera("nyu") == NYU_LABEL_CAMERA
    assert drawing_camera("msra") == RECORDED["msra"].camera
    mirrored = drawing_camera("dexter")
    # A right hand at x, drawn through the mirrored camera and flipped, is a left hand at -x in the dataset's camera.
    point = np.array([37.0, -20.0, 450.0])
    u, v, _ = project_points(point, mirrored)
    flipped = (mirrored.width - 1 - u, v)
    assert flipped == pytest.approx(project_points(point * [-1, 1, 1], DEXTER.camera)[:2])


def test_a_covered_joint_is_not_visible(embedded_sets):
    """A wall drawn before everything hides all joints; nothing drawn at all hides none that lie in the image."""
    take = embedded_sets["icvl"].takes[0]
    joints = label_take(take)[0]

    def wall(meshes, camera):
        return np.full((240, 320), 100.0, np.float32), np.full((240, 320), 2, np.int16)

    def nothing(meshes, camera):
        return np.zeros((240, 320), np.float32), np.full((240, 320), -1, np.int16)

    assert not draw_frame(take, 0, joints, wall).visible.any()
    assert draw_frame(take, 0, joints, nothing).visible.all()
    outside = joints + np.array([5000.0, 0.0, 0.0], np.float32)
    assert not draw_frame(take, 0, outside, nothing).visible.any()


@pytest.mark.parametrize("dataset", RECORDED)
def test_labels_are_single_precision_in_camera_axes(embedded_sets, dataset):
    take = embedded_sets[dataset].takes[0]
    joints = label_take(take)
    assert joints.dtype == np.float32
    assert joints.shape == (len(take.poses), len(RECORDED[dataset].joints.names), 3)
    assert (joints[..., 2] > 150).all()
