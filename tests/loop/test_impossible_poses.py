"""Impossible poses by hand: what is swapped, what is mirrored, and what stays."""

import pytest
import torch

from handbench.conventions import ICVL, NYU_SCORED_JOINTS, JointSet
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.loop.impossible_poses import find_palm_centre, make_impossible

HAND = JointSet(
    names=("palm", "wrist", "middle", "ring", "thumb"),
    parts=("palm", "palm", "middle", "ring", "thumb"),
    edges=((0, 1), (0, 2), (0, 3), (0, 4)),
)
POSE = torch.tensor([[[1.0, 1.0, 0.0], [1.0, -1.0, 0.2], [0.5, 3.0, 0.0], [1.5, 3.0, 0.0], [3.0, 1.0, 0.0]]])
"""Both fingers point up from the palm at (1, 1), so the mirror lies at y = 1."""


def test_each_kind_by_hand() -> None:
    made = make_impossible(POSE, HAND)
    assert list(made) == ["fingers swapped", "fingers flipped", "wrist flipped"]
    changed = {
        "fingers swapped": {2: [1.5, 3.0, 0.0], 3: [0.5, 3.0, 0.0]},
        "fingers flipped": {2: [0.5, -1.0, 0.0], 3: [1.5, -1.0, 0.0]},
        "wrist flipped": {1: [1.0, 3.0, 0.2]},
    }
    for kind, joints in changed.items():
        expected = POSE.clone()
        for joint, place in joints.items():
            expected[0, joint] = torch.tensor(place)
        torch.testing.assert_close(made[kind], expected)


def test_flipped_twice_is_as_it_was() -> None:
    poses = torch.randn(4, 14, 3, generator=torch.Generator().manual_seed(0))
    once = make_impossible(poses, NYU_SCORED_JOINTS)["fingers flipped"]
    torch.testing.assert_close(make_impossible(once, NYU_SCORED_JOINTS)["fingers flipped"], poses)
    swapped = make_impossible(poses, NYU_SCORED_JOINTS)["fingers swapped"]
    assert torch.equal(make_impossible(swapped, NYU_SCORED_JOINTS)["fingers swapped"], poses)


@pytest.mark.parametrize(("dataset", "centre"), [("nyu", "PALM_3"), ("icvl", "palm"), ("msra", "wrist")])
def test_the_palms_centre_is_where_most_bones_meet(dataset: str, centre: str) -> None:
    joints = scored_skeleton(dataset)
    assert joints.names[find_palm_centre(joints)] == centre


def test_a_hand_without_a_wrist_has_none_to_flip() -> None:
    poses = torch.zeros(2, 16, 3)
    made = make_impossible(poses, ICVL.joints)
    assert list(made) == ["fingers swapped", "fingers flipped"]
    assert all(pose.isfinite().all() for pose in made.values()), "not even where all joints are at one place"
