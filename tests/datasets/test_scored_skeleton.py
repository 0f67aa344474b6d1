"""Scored joints and the bones between them: those of the dataset, renumbered."""

import pytest

from handbench.conventions import DATASETS, DEXTER, ICVL, NYU_SCORED_JOINTS
from handbench.datasets.scored_skeleton import find_tip, scored_skeleton


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_bones_join_scored_joints(dataset: str) -> None:
    joints, convention = scored_skeleton(dataset), DATASETS[dataset]
    assert joints.names == tuple(convention.joints.names[joint] for joint in convention.scored)
    assert len(joints.parts) == len(joints.names)
    assert all(0 <= joint < len(joints.names) for edge in joints.edges for joint in edge)
    others = {"dexter": 0, "handobject": 20 + 12}
    assert len(joints.edges) == others.get(dataset, len(joints.names) - 1)


def test_scored_skeletons_by_hand() -> None:
    assert scored_skeleton("nyu") == NYU_SCORED_JOINTS
    assert scored_skeleton("icvl") == ICVL.joints
    assert scored_skeleton("dexter").names == DEXTER.joints.names[:5]
    assert scored_skeleton("dexter").edges == ()


@pytest.mark.parametrize(("dataset", "tip"), [("nyu", "F4_KNU3_A"), ("icvl", "index_tip"), ("msra", "index_tip")])
def test_a_finger_ends_in_its_tip(dataset: str, tip: str) -> None:
    joints = scored_skeleton(dataset)
    assert joints.names[find_tip(joints, "index")] == tip
