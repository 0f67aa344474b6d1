"""What walks through the shared latent space of crossing show: whether poses go evenly, and images with the poses.

An image drawn at a point of a walk has no frame that it could be held against. It is held against the hand of the pose
decoded there, rendered, and differs from that by the mean absolute difference over the pixels of the patch, in half
cube edges: as the reconstruction of a test frame differs from the frame. Two controls tell what that is worth: how far
background alone is from the rendered hand, and how far the drawn image is from the hands of another walk.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.conventions import BACKGROUND
from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.fitting.posed_depth import CubedHand, draw_posed, fit_cubed_hand
from handbench.hand.keypoints import KEYPOINTS, Keypoints
from handbench.loop.crop_data import choose_evenly, find_labelled
from handbench.loop.crossing_measures import compare_depths, probe_crossing
from handbench.loop.labelled_share import take_all_joints
from handbench.loop.latent_walk import Walk, walk_between
from handbench.networks.crossing import CrossingNets

WALKS = 10
"""Between frames at even distances in the test list, each to one half of the list away."""


@dataclass(frozen=True)
class SeenWalk:
    """A walk between two test frames, and the hands that take its poses."""

    rows: tuple[int, int]
    """Places of both in the published list."""
    camera: Float[Tensor, "2 1 size size"]
    walk: Walk
    rendered: Float[Tensor, "points 1 size size"]

    def describe(self, other: "SeenWalk") -> dict[str, Any]:
        """As probe.json has it; `other` is the walk whose hands are another's."""
        first, last = self.rows
        return {
            "from": first,
            "to": last,
            "steps_mm": self.walk.steps_mm.tolist(),
            "depth_error": compare_depths(self.walk.drawn, self.rendered).tolist(),
            "background_error": compare_depths(torch.tensor(BACKGROUND), self.rendered).tolist(),
            "other_error": compare_depths(self.walk.drawn, other.rendered).tolist(),
        }


def probe_estimator(network: CrossingNets, crops: CropDataset, learned: CropDataset) -> dict[str, Any]:
    """All that is to be known of crossing's estimator beside its joints."""
    return {**probe_crossing(network, crops, learned), "walks": probe_walks(network, crops, learned)}


def probe_walks(network: CrossingNets, crops: CropDataset, learned: CropDataset) -> list[dict[str, Any]]:
    """The numbers of every walk between test frames; the hand is that of the frames that were learned from."""
    hand = find_cubed_hand(learned)
    seen = [see_walk(network, crops, hand, *pair) for pair in pair_frames(len(crops))]
    return [one.describe(other) for one, other in zip(seen, [*seen[1:], seen[0]], strict=True)]


def see_first_walk(network: CrossingNets, crops: CropDataset, learned: CropDataset) -> SeenWalk:
    """The first of them with its images."""
    return see_walk(network, crops, find_cubed_hand(learned), *pair_frames(len(crops))[0])


def pair_frames(frames: int) -> list[tuple[int, int]]:
    """Where the walks begin and end; fewer of them in a list that is too short."""
    if frames < 2:
        raise BadInput("walks", expected="at least two test frames", found=str(frames), fix="test on more of them")
    ends = choose_evenly(frames, 2 * min(WALKS, frames // 2)).tolist()
    return list(zip(ends[: len(ends) // 2], ends[len(ends) // 2 :], strict=True))


def see_walk(network: CrossingNets, crops: CropDataset, hand: CubedHand, first: int, last: int) -> SeenWalk:
    one, other = crops[first], crops[last]
    depth, centre_mm, cube_mm = (torch.stack([one[key], other[key]]) for key in ("depth", "centre_mm", "cube_mm"))
    walk = walk_between(network, depth, centre_mm, cube_mm)
    rows = int(one["row"]), int(other["row"])
    return SeenWalk(rows, depth, walk, draw_posed(hand, walk.joints, walk.frame))


def find_cubed_hand(learned: CropDataset) -> CubedHand:
    """The hand of the training labels, in the largest of their cubes."""
    crops = take_all_joints(learned)
    labelled = crops.joints[find_labelled(crops)]
    if not len(labelled):
        fix = "probe with the crops of its training"
        raise BadInput(learned.store.path, expected="labelled frames", found="none", fix=fix)
    real = learned.store.card["protocol"]["source"] != "embedded"
    cube_mm = float(learned.store.cube_mm[learned.places].max())
    return fit_cubed_hand(labelled, cube_mm, name_keypoints(crops), free_keypoints=real)


def name_keypoints(crops: CropDataset) -> Keypoints:
    """Where on the hand the joints of these crops are."""
    every = crops.store.joint_names
    places = [every.index(name) for name in crops.joint_names]
    return KEYPOINTS[crops.store.card["protocol"]["dataset"]].take(places)
