"""The hand as predictions show it: a dataset's scored joints and the bones between them."""

from functools import lru_cache

from handbench.conventions import DATASETS, NYU, NYU_SCORED_JOINTS, JointSet


@lru_cache(maxsize=8)
def scored_skeleton(dataset: str) -> JointSet:
    """The scored joints, as a model predicts them, and the bones between two of them."""
    if dataset == NYU.name:
        return NYU_SCORED_JOINTS
    joints, scored = DATASETS[dataset].joints, DATASETS[dataset].scored
    place = {joint: number for number, joint in enumerate(scored)}
    return JointSet(
        names=tuple(joints.names[joint] for joint in scored),
        parts=tuple(joints.parts[joint] for joint in scored),
        edges=tuple((place[a], place[b]) for a, b in joints.edges if a in place and b in place),
    )


def find_tip(joints: JointSet, finger: str) -> int:
    """The joint of a finger where no further bone begins."""
    ends = [joint for edge in joints.edges for joint in edge]
    [tip] = [joint for joint, part in enumerate(joints.parts) if part == finger and ends.count(joint) == 1]
    return tip
