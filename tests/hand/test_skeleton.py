import numpy as np
import pytest

from handbench.hand.skeleton import (
    ANGLE_LIMITS_RAD,
    BONES,
    DOFS,
    GLOBAL_DOFS,
    PARENTS,
    REFERENCE_SHAPE,
    neutral_pose,
    sample_shape,
    vary_shape,
)


def test_sixteen_named_bones_form_a_tree_rooted_in_the_palm():
    assert len(BONES) == len(set(BONES)) == len(PARENTS) == 16
    assert BONES[0] == "palm"
    assert PARENTS[0] == -1
    # A parent comes before its child, so every bone leads to the palm.
    assert all(0 <= parent < bone for bone, parent in enumerate(PARENTS) if bone > 0)
    tree = {bone: BONES[parent] for bone, parent in zip(BONES[1:], PARENTS[1:], strict=True)}
    for finger in ("thumb", "index", "middle", "ring", "little"):
        assert tree[f"{finger}_proximal"] == "palm"
        assert tree[f"{finger}_middle"] == f"{finger}_proximal"
        assert tree[f"{finger}_distal"] == f"{finger}_middle"


def test_six_global_and_twenty_finger_degrees_of_freedom():
    assert len(DOFS) == len(set(DOFS)) == len(neutral_pose()) == 26
    assert len(GLOBAL_DOFS) == 6
    assert DOFS[:6] == GLOBAL_DOFS
    assert DOFS.index("index_flexion_1") == 10
    assert DOFS.index("little_flexion_3") == 25


def test_limits_are_ordered_and_allow_the_straight_hand():
    low, high = ANGLE_LIMITS_RAD.T
    assert ANGLE_LIMITS_RAD.shape == (20, 2)
    assert (low < high).all()
    assert (low <= 0).all()
    assert (high >= 0).all()
    # No joint of a hand turns by more than 130 degrees, and no middle or last finger joint bends backwards.
    assert np.degrees(high - low).max() <= 130.0
    hinges = [DOFS.index(f"{finger}_flexion_{n}") - 6 for finger in ("index", "ring", "little") for n in (2, 3)]
    assert (low[hinges] == 0).all()


def test_rest_rotations_are_right_handed_and_orthonormal():
    for rotation in REFERENCE_SHAPE.rest_rotations:
        assert rotation.T @ rotation == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_fingers_point_along_minus_y_and_the_thumb_to_plus_x():
    directions = -REFERENCE_SHAPE.rest_rotations[:, :, 1]
    assert (directions[1:, 1] < -0.9).all()
    assert directions[0, 0] > 0.5
    # From index to little the roots go from the thumb's side to the other.
    assert (np.diff(REFERENCE_SHAPE.bases_mm[1:, 0]) < 0).all()


def test_vary_shape_scales_everything_by_size():
    shape = vary_shape(REFERENCE_SHAPE, size=0.8)
    assert shape.bases_mm == pytest.approx(0.8 * REFERENCE_SHAPE.bases_mm)
    assert shape.lengths_mm == pytest.approx(0.8 * REFERENCE_SHAPE.lengths_mm)
    assert shape.girths == pytest.approx(np.full(5, 0.8))
    assert shape.palm_stretch == pytest.approx(np.full(3, 0.8))


def test_vary_shape_changes_one_finger_and_the_palm_alone():
    longer = vary_shape(REFERENCE_SHAPE, finger_lengths=np.array([1.0, 1.1, 1.0, 1.0, 1.0]))
    assert longer.lengths_mm[1] == pytest.approx([51.7, 31.9, 29.7])
    assert (longer.lengths_mm[2] == REFERENCE_SHAPE.lengths_mm[2]).all()
    wide = vary_shape(REFERENCE_SHAPE, palm_stretch=(1.2, 1.0, 1.0))
    assert wide.bases_mm[1] == pytest.approx([32.4, -98.0, -1.0])
    assert (wide.lengths_mm == REFERENCE_SHAPE.lengths_mm).all()
    fat = vary_shape(REFERENCE_SHAPE, girth=1.3)
    assert fat.girths == pytest.approx(np.full(5, 1.3))
    assert (fat.palm_stretch == 1.0).all()


def test_sampled_people_differ_and_stay_human():
    shapes = [sample_shape(np.random.default_rng(seed)) for seed in range(40)]
    spans = np.array([-shape.bases_mm[2, 1] + shape.lengths_mm[2].sum() for shape in shapes])
    assert len(set(spans.round(3))) == 40
    # Wrist to middle fingertip: 215 mm on the reference hand.
    assert spans.min() > 0.74 * 0.9 * 215
    assert spans.max() < 1.02 * 1.1 * 215
    assert all((shape.girths > 0.5).all() for shape in shapes)
