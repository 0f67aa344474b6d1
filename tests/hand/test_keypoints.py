import numpy as np
import pytest
import torch
from plain_kinematics import sample_any_poses

from handbench.conventions import DATASETS, NYU_JOINTS
from handbench.hand.flesh import bind_frames, flesh_distance
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions, keypoint_radii_mm, place_keypoints
from handbench.hand.skeleton import BONES, REFERENCE_SHAPE, neutral_pose, sample_shape, vary_shape

COUNTS = {"nyu": 36, "icvl": 16, "msra": 21, "msra14": 21, "dexter": 5}


@pytest.mark.parametrize(("dataset", "count"), COUNTS.items())
def test_each_dataset_has_its_points(dataset, count):
    assert len(KEYPOINTS[dataset].bones) == count
    assert keypoint_positions(KEYPOINTS[dataset], REFERENCE_SHAPE, neutral_pose()).shape == (count, 3)


@pytest.mark.parametrize("dataset", COUNTS)
def test_points_ride_on_the_body_part_their_name_says(dataset):
    """Of Dexter+Object only the tips are the hand's: the corners belong to the box."""
    for part, bone in zip(DATASETS[dataset].joints.parts, KEYPOINTS[dataset].bones, strict=False):
        assert BONES[bone].split("_")[0] == part


@pytest.mark.parametrize("dataset", COUNTS)
def test_points_lie_inside_the_flesh(dataset):
    points = place_keypoints(KEYPOINTS[dataset], REFERENCE_SHAPE, *bind_frames(REFERENCE_SHAPE))
    assert flesh_distance(points).max() < -1.0


@pytest.mark.parametrize("dataset", COUNTS)
def test_points_are_no_deeper_than_their_radius_says(dataset):
    """Visibility compares a point with the surface over it."""
    points = place_keypoints(KEYPOINTS[dataset], REFERENCE_SHAPE, *bind_frames(REFERENCE_SHAPE))
    depth = -flesh_distance(points)
    assert (depth <= keypoint_radii_mm(KEYPOINTS[dataset], REFERENCE_SHAPE) + 6.0).all()


@pytest.mark.parametrize("dataset", COUNTS)
def test_points_are_fixed_to_their_bones_in_any_pose(dataset):
    keypoints = KEYPOINTS[dataset]
    shape = sample_shape(np.random.default_rng(5))
    points = keypoint_positions(keypoints, shape, sample_any_poses(np.random.default_rng(6), 30))
    for bone in set(keypoints.bones.tolist()):
        mine = points[:, keypoints.bones == bone]
        apart = np.linalg.norm(mine[:, :, None] - mine[:, None], axis=-1)
        assert np.ptp(apart, axis=0).max() < 1e-9


def test_nyu_wrist_to_palm_tells_the_two_test_people_apart():
    """81.3 mm on the first person of the real labels; the second person's hand is 0.868, later 0.828 of it."""
    palm, wrists = NYU_JOINTS.index("PALM_3"), [NYU_JOINTS.index("PALM_1"), NYU_JOINTS.index("PALM_2")]
    for size, expected_mm in ((1.0, 81.3), (0.868, 70.6), (0.828, 67.3)):
        shape = vary_shape(REFERENCE_SHAPE, size=size)
        points = keypoint_positions(KEYPOINTS["nyu"], shape, neutral_pose())
        for wrist in wrists:
            assert np.linalg.norm(points[wrist] - points[palm]) == pytest.approx(expected_mm, abs=0.1)


def test_tip_and_middle_by_hand():
    """The middle finger has no fan: ICVL marks the middles of its bones, MSRA its joints."""
    icvl = keypoint_positions(KEYPOINTS["icvl"], REFERENCE_SHAPE, neutral_pose())
    names = DATASETS["icvl"].joints.names
    assert icvl[names.index("palm")] == pytest.approx([0, -57, 0])
    assert icvl[names.index("middle_root")] == pytest.approx([5, -104 - 25, -3])
    assert icvl[names.index("middle_mid")] == pytest.approx([5, -154 - 16.5, -3])
    assert icvl[names.index("middle_tip")] == pytest.approx([5, -187 - 0.35 * 28, -3])
    msra = keypoint_positions(KEYPOINTS["msra"], REFERENCE_SHAPE, neutral_pose())
    names = DATASETS["msra"].joints.names
    assert msra[names.index("wrist")] == pytest.approx([0, 0, 0])
    assert msra[names.index("middle_mcp")] == pytest.approx([5, -104, -3])
    assert msra[names.index("middle_tip")] == pytest.approx([5, -187 - 0.95 * 28, -3])


def test_one_pose_gives_consistent_labels_in_all_formats():
    pose = sample_any_poses(np.random.default_rng(7), 1)[0]
    msra = keypoint_positions(KEYPOINTS["msra"], REFERENCE_SHAPE, pose)
    dexter = keypoint_positions(KEYPOINTS["dexter"], REFERENCE_SHAPE, pose)
    nyu = keypoint_positions(KEYPOINTS["nyu"], REFERENCE_SHAPE, pose)
    for row, finger in enumerate(("thumb", "index", "middle", "ring", "little")):
        tip = dexter[row]
        assert msra[DATASETS["msra"].joints.index(f"{finger}_tip")] == pytest.approx(tip)
        short = {"thumb": "TH", "index": "F4", "middle": "F3", "ring": "F2", "little": "F1"}[finger]
        assert nyu[NYU_JOINTS.index(f"{short}_KNU3_A")] == pytest.approx(tip)


def test_offsets_grow_with_the_hand():
    shape = vary_shape(REFERENCE_SHAPE, palm_stretch=(2.0, 1.0, 1.0))
    points = keypoint_positions(KEYPOINTS["nyu"], shape, neutral_pose())
    assert points[NYU_JOINTS.index("PALM_1")] == pytest.approx([-35.4, 4.0, 0.0])


def test_torch_agrees_and_is_differentiable():
    poses = sample_any_poses(np.random.default_rng(8), 2)
    expected = keypoint_positions(KEYPOINTS["nyu"], REFERENCE_SHAPE, poses)
    tensor = torch.tensor(poses, requires_grad=True)
    assert keypoint_positions(KEYPOINTS["nyu"], REFERENCE_SHAPE, tensor).detach().numpy() == pytest.approx(expected)
    assert torch.autograd.gradcheck(lambda p: keypoint_positions(KEYPOINTS["icvl"], REFERENCE_SHAPE, p), (tensor,))
