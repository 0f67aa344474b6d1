from functools import partial

import numpy as np
import pytest

from handbench.geometry.box import Box, box_distance
from handbench.geometry.mesh import Mesh
from handbench.geometry.solids import make_cuboid, make_sphere, placed_distance
from handbench.hand.grasp import (
    CLOSING_STEPS,
    CONTACT_MM,
    close_fingers,
    find_closing,
    grasp_penetration,
    surface_clearance,
)
from handbench.hand.skeleton import REFERENCE_SHAPE, sample_shape, vary_shape

OPEN = np.radians([[-20, 15, 0, 0]] + [[0, 0, 5, 3]] * 4).reshape(20)
CLOSED = np.radians([[38, -15, 55, 70]] + [[85, 0, 105, 65]] * 4).reshape(20)
BOX = partial(box_distance, Box(np.array([2.0, -95.0, -40.0]), np.eye(3), np.array([60.0, 110.0, 35.0])))
FAR = partial(box_distance, Box(np.array([0.0, 0.0, -900.0]), np.eye(3), np.array([50.0, 50.0, 50.0])))


@pytest.mark.parametrize("seed", range(6))
def test_fingers_touch_without_pressing_in(seed):
    rng = np.random.default_rng(seed)
    shape = sample_shape(rng)
    size = rng.uniform(28, 70, 3)
    # The box lies on the palm.
    middle_mm = np.array([0.0, -90.0, -17.0]) * shape.palm_stretch - [0, 0, 0.5 * size[2]]
    box = partial(box_distance, Box(middle_mm, np.eye(3), size))
    angles = close_fingers(OPEN, CLOSED, box, shape)
    assert grasp_penetration(angles, box, shape) <= CONTACT_MM
    # One step further, and a finger that has stopped presses too deep.
    shares = find_closing(OPEN, CLOSED, box, shape)
    for finger in np.nonzero(shares < 1)[0]:
        further = angles.copy().reshape(5, 4)
        further[finger] += (CLOSED - OPEN).reshape(5, 4)[finger] / (CLOSING_STEPS - 1)
        assert grasp_penetration(further.reshape(20), box, shape) > CONTACT_MM


def test_the_four_fingers_close_around_a_box_in_the_hand():
    shares = find_closing(OPEN, CLOSED, BOX, REFERENCE_SHAPE)
    assert (shares[1:] > 0.1).all()
    assert (shares[1:4] < 1.0).all()


def test_without_a_box_in_reach_the_hand_closes():
    assert (find_closing(OPEN, CLOSED, FAR, REFERENCE_SHAPE) == 1.0).all()
    assert close_fingers(OPEN, CLOSED, FAR, REFERENCE_SHAPE) == pytest.approx(CLOSED)
    assert grasp_penetration(CLOSED, FAR, REFERENCE_SHAPE) == 0.0


def test_a_finger_that_touches_while_open_stays_open():
    """A block laid over the straight index finger of the reference hand."""
    block = partial(box_distance, Box(np.array([35.0, -150.0, -12.0]), np.eye(3), np.array([16.0, 60.0, 20.0])))
    shares = find_closing(OPEN, CLOSED, block, REFERENCE_SHAPE)
    assert shares[1] == 0.0
    assert shares[3] == 1.0
    assert close_fingers(OPEN, CLOSED, block, REFERENCE_SHAPE)[4:8] == pytest.approx(OPEN[4:8])
    assert grasp_penetration(OPEN, block, REFERENCE_SHAPE) > CONTACT_MM


def test_a_surface_reaches_deeper_between_its_vertices():
    """A ball of 10 mm pressed 2 mm into the middle of a triangle, whose corners are all far off."""
    corners = np.array([[0.0, 0, 0], [30, 0, 0], [0, 30, 0], [0, -90, 0]])
    mesh = Mesh(corners, np.array([[0, 1, 2], [0, 1, 3]]))

    def ball(points_mm):
        return np.linalg.norm(points_mm - np.array([7.5, 7.5, 8.0]), axis=-1) - 10.0

    assert surface_clearance(mesh, ball) == pytest.approx(-2.0)
    assert ball(corners).min() > 2.0
    far = surface_clearance(mesh, lambda points_mm: ball(points_mm + [0.0, 0, 50]))
    assert far == pytest.approx(32.0)


def test_penetration_by_hand():
    """The straight middle finger runs at x = 5, z = -3; radius 11.2 mm at its second joint, 154 mm from the wrist."""
    straight = np.zeros(20)
    middle_mm = np.array([5.0, -154.0, -3.0 - 11.2 - 50.0 + 4.0])
    wall = partial(box_distance, Box(middle_mm, np.eye(3), np.array([1.0, 1.0, 100.0])))
    assert grasp_penetration(straight, wall, REFERENCE_SHAPE) == pytest.approx(4.0, abs=0.2)


def test_thin_fingers_close_farther():
    thin = find_closing(OPEN, CLOSED, BOX, vary_shape(REFERENCE_SHAPE, girth=0.7))
    assert (thin[1:4] >= find_closing(OPEN, CLOSED, BOX, REFERENCE_SHAPE)[1:4]).all()


def test_any_solid_is_held_as_its_surface_says():
    """A cuboid among the solids stops the fingers where the box does; a ball within it lets them close farther."""
    place = Box(np.array([2.0, -95.0, -49.0]), np.eye(3), np.array([60.0, 110.0, 50.0]))
    cuboid, ball = make_cuboid((60.0, 110.0, 50.0)), make_sphere(50.0)
    around_box = find_closing(OPEN, CLOSED, partial(box_distance, place), REFERENCE_SHAPE)
    around_cuboid = find_closing(OPEN, CLOSED, partial(placed_distance, cuboid, place), REFERENCE_SHAPE)
    around_ball = find_closing(OPEN, CLOSED, partial(placed_distance, ball, place), REFERENCE_SHAPE)
    assert around_cuboid.tolist() == around_box.tolist()
    assert (around_ball >= around_box).all()
    assert (around_ball > around_box).sum() >= 3
    angles = close_fingers(OPEN, CLOSED, partial(placed_distance, ball, place), REFERENCE_SHAPE)
    assert 0.0 <= grasp_penetration(angles, partial(placed_distance, ball, place), REFERENCE_SHAPE) <= CONTACT_MM
