"""Poses that no hand takes, made of those that one took (Fig. 3 of both feedback papers).

    (b) ring and middle finger have changed places
    (c) ring and middle finger are flipped downwards
    (d) the wrist is flipped upwards

Flipped is mirrored at the plane through the palm's centre that stands upright on the way from there to the two fingers.
"""

from jaxtyping import Float
from torch import Tensor

from handbench.conventions import JointSet

Poses = Float[Tensor, "frames joints 3"]
PALM, RING, MIDDLE = "palm", "ring", "middle"


def make_impossible(poses: Poses, joints: JointSet) -> dict[str, Poses]:
    """Each kind by its name; a hand without joints at the wrist has none to flip."""
    ring, middle = find_part(joints, RING), find_part(joints, MIDDLE)
    centre = find_palm_centre(joints)
    wrist = [joint for joint in find_part(joints, PALM) if joint != centre]
    swapped = poses.clone()
    swapped[:, ring + middle] = poses[:, middle + ring]
    made = {
        "fingers swapped": swapped,
        "fingers flipped": flip(poses, ring + middle, centre, ring + middle),
    }
    if wrist:
        made["wrist flipped"] = flip(poses, wrist, centre, ring + middle)
    return made


def find_part(joints: JointSet, part: str) -> list[int]:
    return [joint for joint, name in enumerate(joints.parts) if name == part]


def find_palm_centre(joints: JointSet) -> int:
    """The joint of the palm where most bones meet."""
    ends = [joint for edge in joints.edges for joint in edge]
    return max(find_part(joints, PALM), key=ends.count)


def flip(poses: Poses, moved: list[int], centre: int, towards: list[int]) -> Poses:
    """Some joints on the other side of the plane through the centre that looks towards the mean of others."""
    origin = poses[:, centre, None]
    up = poses[:, towards].mean(dim=1, keepdim=True) - origin
    up = up / up.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    flipped = poses.clone()
    flipped[:, moved] = poses[:, moved] - 2 * ((poses[:, moved] - origin) * up).sum(dim=-1, keepdim=True) * up
    return flipped
