import numpy as np
import pytest
from plain_distances import measure_segments_slowly
from plain_kinematics import place_bones_slowly, sample_any_poses

from handbench.hand.collision import CONTACT_TOLERANCE_MM, _segment_distance, cylinder_radii_mm, self_penetration
from handbench.hand.flesh import FINGER_RADII_MM
from handbench.hand.skeleton import DOFS, REFERENCE_SHAPE, HandShape, neutral_pose, sample_shape, vary_shape

FLESH, PALM_RADIUS_MM = 0.82, 10.5


def penetrate_slowly(pose: np.ndarray, shape: HandShape) -> float:
    """Every pair of capsules that may not overlap, one by one."""
    rotations, origins = place_bones_slowly(pose, shape)
    radii = FINGER_RADII_MM * shape.girths[:, None] * FLESH
    bones = {}
    for finger in range(5):
        roots = [origins[1 + 3 * finger + segment] for segment in range(3)]
        roots.append(roots[2] - 0.8 * shape.lengths_mm[finger, 2] * rotations[3 + 3 * finger][:, 1])
        for segment in range(3):
            thickness = 0.5 * (radii[finger, segment] + radii[finger, segment + 1])
            bones[finger, segment] = (roots[segment], roots[segment + 1], thickness)
    deepest = -np.inf
    for (finger, segment), (p, q, thick) in bones.items():
        for (other, part), (r, s, thin) in bones.items():
            neighbours_root = finger > 0 and other == finger + 1 and segment == part == 0
            ball_of_thumb = finger == 0 and 0 in (segment, part)
            if other > finger and not neighbours_root and not ball_of_thumb:
                deepest = max(deepest, thick + thin - measure_segments_slowly(p, q, r, s))
        if segment == 0 or (finger == 0 and segment == 1):
            continue
        for root in origins[[4, 7, 10, 13]]:
            gap = measure_segments_slowly(p, q, origins[0], root)
            deepest = max(deepest, thick + PALM_RADIUS_MM * shape.palm_stretch[2] - gap)
    return deepest


def bend(**degrees: float) -> np.ndarray:
    pose = neutral_pose()
    for dof, value in degrees.items():
        pose[DOFS.index(dof)] = np.radians(value)
    return pose[None]


@pytest.mark.parametrize("shape", [REFERENCE_SHAPE, sample_shape(np.random.default_rng(1))], ids=["reference", "other"])
def test_agrees_with_dense_sampling_on_any_pose(shape):
    poses = sample_any_poses(np.random.default_rng(2), 25)
    slow = np.array([penetrate_slowly(pose, shape) for pose in poses])
    fast = self_penetration(poses, shape)
    # Sampling finds a point near the closest one: never closer, and within a small part of a millimetre.
    assert (fast >= slow - 1e-9).all()
    assert fast == pytest.approx(slow, abs=0.1)
    assert (fast > CONTACT_TOLERANCE_MM).any()


@pytest.mark.parametrize(
    ("segments", "distance"),
    [
        (((0, 0, 0), (10, 0, 0), (5, -5, 3), (5, 5, 3)), 3.0),  # crossing above one another
        (((0, 0, 0), (10, 0, 0), (0, 4, 0), (10, 4, 0)), 4.0),  # parallel
        (((0, 0, 0), (10, 0, 0), (13, 4, 0), (13, 9, 0)), 5.0),  # end to end
        (((0, 0, 0), (10, 0, 0), (-3, -9, 0), (-3, -4, 0)), 5.0),
        (((0, 0, 0), (10, 0, 0), (12, 0, 0), (20, 0, 0)), 2.0),  # on one line
        (((0, 0, 0), (10, 0, 0), (5, -5, 0), (5, 5, 0)), 0.0),  # through one another
    ],
)
def test_segment_distance_by_hand(segments, distance):
    p, q, r, s = (np.array(point, float) for point in segments)
    assert _segment_distance(p, q, r, s) == pytest.approx(distance)
    assert _segment_distance(r, s, p, q) == pytest.approx(distance)


def test_segment_distance_agrees_with_dense_sampling():
    rng = np.random.default_rng(3)
    for points in rng.normal(0, 10, (200, 4, 3)):
        exact, slow = _segment_distance(*points), measure_segments_slowly(*points, steps=2000)
        assert exact <= slow + 1e-9
        assert exact == pytest.approx(slow, abs=0.05)


def test_an_open_hand_is_free_for_everyone():
    """Opening a gesture must end in a free hand, or there would be nothing to open to."""
    shapes = [sample_shape(np.random.default_rng(seed)) for seed in range(200)]
    assert max(self_penetration(neutral_pose()[None], shape)[0] for shape in shapes) < CONTACT_TOLERANCE_MM


def test_a_fist_is_free_and_a_finger_through_the_palm_is_not():
    fist = bend(
        **{f"{f}_flexion_{n}": 80.0 for f in ("index", "middle", "ring", "little") for n in (1, 2)},
        thumb_abduction=20.0,
    )
    assert self_penetration(fist, REFERENCE_SHAPE)[0] <= CONTACT_TOLERANCE_MM
    assert (
        self_penetration(bend(middle_flexion_1=90, middle_flexion_2=110, middle_flexion_3=80), REFERENCE_SHAPE)[0] > 0
    )
    through = bend(middle_flexion_1=140, middle_flexion_2=110)
    assert self_penetration(through, REFERENCE_SHAPE)[0] > CONTACT_TOLERANCE_MM


def test_crossed_fingers_collide():
    crossed = bend(index_abduction=-30, middle_abduction=15)
    assert self_penetration(crossed, REFERENCE_SHAPE)[0] > CONTACT_TOLERANCE_MM


def test_place_and_view_change_nothing():
    poses = sample_any_poses(np.random.default_rng(4), 20)
    still = poses.copy()
    still[:, :6] = 0.0
    assert self_penetration(poses, REFERENCE_SHAPE) == pytest.approx(self_penetration(still, REFERENCE_SHAPE), abs=1e-9)


def test_thicker_fingers_overlap_more():
    fat = vary_shape(REFERENCE_SHAPE, girth=1.2)
    poses = sample_any_poses(np.random.default_rng(5), 20)
    assert (self_penetration(poses, fat) >= self_penetration(poses, REFERENCE_SHAPE)).all()


def test_cylinders_are_as_thick_as_the_capsules() -> None:
    shape = sample_shape(np.random.default_rng(2))
    radii = cylinder_radii_mm(shape).reshape(5, 3)
    assert radii[:, 0] == pytest.approx(PALM_RADIUS_MM * shape.palm_stretch[2])
    for finger in range(5):
        at_joints = FLESH * FINGER_RADII_MM[finger] * shape.girths[finger]
        assert radii[finger, 1:].tolist() == pytest.approx([at_joints[:2].mean(), at_joints[1:3].mean()])
