"""Refinement from unlabelled depth: a network learned from synthetic hands adapts itself to a person and a sensor.

E. Dibra, T. Wolf, C. Oztireli, M. Gross, "How to Refine 3D Hand Pose Estimation from Unlabelled Depth Data?", 3DV 2017.

    D        depth          (batch, 1, S, S)   patch in [-1, 1]
    theta    quaternions    (batch, 16, 4)     every bone's rotation in camera axes, (w, x, y, z)
    P        points_mm      (N, 3)             the hand's surface in the bind pose
    f_skin   PosedCloud     networks/posed_cloud.py, Eq. 2
    f_depth  splat          geometry/splatting.py, Eqs. 3 to 5; networks/crop_view.py draws crops and clouds with it
    B        joints_mm      (batch, 16, 3)     origins of the bones
    C        PARENTS        (15,)              pairs of a joint and its parent
    phi      angles_rad     (batch, 15, 3)     of every bone but the palm: flexion, twist, abduction
    bounds   BOUNDS_RAD     (15, 3, 2)         of those, from hand/skeleton.py

Here: the losses of Eqs. 6 to 8, their sum (Eq. 1), and the loss that the base network is trained with (Sec. 3.2).

Units and weights. The paper sums its three losses without weights and does not say in which units. Here Eq. 6 sums over
pixels depths of half cube edges, halved (0 at the back face, 1 at the front); Eq. 7 is in millimetres, Eq. 8 in
radians. A batch takes the mean over its frames. `Weights` makes the three comparable; docs/refine.md says how.

Rotations. Eq. 8 asks for the turn of a bone against its parent. Of a bone that obeys the hand's joints it is an
abduction and then a flexion; what else there is in it is a twist about the bone, which no joint allows. The three are
told apart as Rz(abduction) Ry(twist) Rx(flexion), so that flexions beyond a right angle stay single-valued: the twist
is the angle with the singularity, and it is the one that stays small. Joints that only bend have bounds of zero for
the other two angles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import normalize

from handbench.conventions import BLOCK, DATASETS, HANDS
from handbench.datasets.evenly import spread_evenly
from handbench.datasets.hands import SHAPE
from handbench.datasets.torch_dataset import CropDataset
from handbench.datasets.truth import Truth
from handbench.errors import BadInput
from handbench.hand.keypoints import KEYPOINTS, Hand, Keypoints, place_keypoints, scored_keypoints
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, PARENTS, REFERENCE_SHAPE
from handbench.loop.augmentation import CropBatch
from handbench.loop.base_training import QUATERNIONS, BaseTraining
from handbench.loop.crop_data import AT_ONCE, Data, apply, as_batch, divide, measure_error_mm, read_crops
from handbench.loop.descent import count_steps
from handbench.loop.overfitting import Measure as PoseMeasure
from handbench.loop.refinement_fits import choose_images, fit_clouds, fit_poses
from handbench.loop.refinement_probe import find_smallest_mm, measure_depth_errors, measure_jitter_mm, time_update
from handbench.loop.refinement_training import Look, Measure, RefinementTraining, divide_unlabelled
from handbench.loop.timing import time_network
from handbench.methods import (
    Method,
    Numbers,
    PosedHands,
    SeenHands,
    State,
    Trained,
    TrainingRun,
    keep,
    keep_parts,
)
from handbench.networks.crop_view import CropView, draw_cloud, pose_in_crop
from handbench.networks.hand_layer import keep_digits
from handbench.networks.posed_cloud import PosedCloud, make_cloud, quaternions_to_rotations
from handbench.networks.refine import BaseNetwork, RefinedHand
from handbench.refine_modules import RefineAdapted, RefineBase

Quaternions = Float[Tensor, "batch 16 4"]
Images = Float[Tensor, "batch size size"]
Joints = Float[Tensor, "batch 16 3"]
Angles = Float[Tensor, "batch 15 3"]

POSITIONS = {"nyu": ("PALM_4", "PALM_5")}
"""What the paper's 16 positions have beside the 14 that others score on: the text lists none (docs/refine-training.md).
"""
LEAST_MM = 1e-3
"""On a cylinder's axis the way out has no direction, and no gradient."""


@dataclass(frozen=True)
class Weights:
    """What each loss of Eq. 1 counts; the settings of refine.adapted say how much."""

    depth: float
    """A pixel of background in place of a surface at the cube's middle costs a half."""
    collision: float
    """A millimetre."""
    physical: float
    """A radian."""


def depth_loss(drawn: Images, seen: Images) -> Float[Tensor, ""]:
    """sum_ij |f_depth(f_skin(P, M)) - f_depth(P_D)|, on average over the batch (Eq. 6)."""
    return (drawn - seen).abs().sum(dim=(1, 2)).mean()


def collision_loss(joints_mm: Joints, radii_mm: Float[Tensor, "15"]) -> Float[Tensor, ""]:
    """How deep joints lie in the cylinders of bones that they do not end, over m, on average over the batch (Eq. 7)."""
    parents = torch.tensor(PARENTS[1:], device=joints_mm.device)
    depth_mm = penetrate_cylinders(joints_mm[:, parents], joints_mm[:, 1:], radii_mm, joints_mm)
    joint, child = torch.arange(16, device=joints_mm.device), torch.arange(1, 16, device=joints_mm.device)
    other = (joint != child[:, None]) & (joint != parents[:, None])
    return torch.where(other, depth_mm, 0.0).sum(dim=(1, 2)).mean() / len(PARENTS)


def penetrate_cylinders(
    starts: Float[Tensor, "batch bones 3"],
    ends: Float[Tensor, "batch bones 3"],
    radii: Float[Tensor, "bones"],
    points: Float[Tensor, "batch points 3"],
) -> Float[Tensor, "batch bones points"]:
    """f_coll: the shortest way out of each cylinder, through its side or an end; 0 outside (Eq. 7)."""
    axis = ends - starts
    length = axis.norm(dim=-1).clamp(min=LEAST_MM)[..., None]
    offset = points[:, None] - starts[:, :, None]
    along = (offset * (axis / length)[:, :, None]).sum(dim=-1)
    square = offset.square().sum(dim=-1) - along.square()
    inside = radii[:, None] - square.clamp(min=LEAST_MM**2).sqrt()
    return torch.minimum(torch.minimum(along, length - along), inside).relu()


def find_angles(quaternions: Quaternions) -> Angles:
    """phi(theta): flexion, twist and abduction of every bone against its parent (Eq. 8)."""
    rotations = quaternions_to_rotations(quaternions)
    rest = torch.eye(3).expand(16, 3, 3).clone()
    rest[1::3] = torch.tensor(REFERENCE_SHAPE.rest_rotations, dtype=torch.float32)
    with keep_digits(rotations):
        parents = rotations[:, list(PARENTS[1:])] @ rest[1:].to(rotations)
        turn = parents.mT @ rotations[:, 1:]
    flexion = _find_angle(turn[..., 2, 1], turn[..., 2, 2])
    twist = _find_angle(-turn[..., 2, 0], (turn[..., 2, 1].square() + turn[..., 2, 2].square()).clamp(min=1e-12).sqrt())
    return torch.stack([flexion, twist, _find_angle(turn[..., 1, 0], turn[..., 0, 0])], dim=-1)


def _find_angle(sine: Float[Tensor, "*batch"], cosine: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Between -pi and pi; where a twist of a right angle leaves the two others open, 0 and without gradient."""
    known = sine.square() + cosine.square() > 1e-10
    return torch.atan2(torch.where(known, sine, 0.0), torch.where(known, cosine, 1.0))


def _list_bounds() -> Float[np.ndarray, "15 3 2"]:
    """From (flexion 1, abduction, flexion 2, flexion 3) of each finger."""
    limits = ANGLE_LIMITS_RAD.reshape(5, 4, 2)
    bounds = np.zeros((5, 3, 3, 2))
    bounds[:, :, 0] = limits[:, [0, 2, 3]]
    bounds[:, 0, 2] = limits[:, 1]
    return bounds.reshape(15, 3, 2)


BOUNDS_RAD = _list_bounds()


def physical_loss(quaternions: Quaternions) -> Float[Tensor, ""]:
    """max(low - phi, 0) + max(phi - high, 0), added up over angles, on average over the batch (Eq. 8)."""
    low, high = torch.tensor(BOUNDS_RAD).to(quaternions).unbind(-1)
    angles = find_angles(quaternions)
    return ((low - angles).relu() + (angles - high).relu()).sum(dim=(1, 2)).mean()


@dataclass(frozen=True)
class Losses:
    """The three of Eq. 1, unweighted."""

    depth: Float[Tensor, ""]
    collision: Float[Tensor, ""]
    physical: Float[Tensor, ""]

    def total(self, weights: Weights) -> Float[Tensor, ""]:
        """L (Eq. 1)."""
        parts = (weights.depth * self.depth, weights.collision * self.collision, weights.physical * self.physical)
        return parts[0] + parts[1] + parts[2]


def measure_losses(quaternions: Quaternions, cloud: PosedCloud, view: CropView) -> Losses:
    """All that a pose is told of itself without a label (Eq. 1)."""
    posed = pose_in_crop(cloud, quaternions, view)
    return Losses(
        depth_loss(draw_cloud(posed.points_mm, view), view.image),
        collision_loss(posed.origins_mm, cloud.radii_mm),
        physical_loss(quaternions),
    )


def base_loss(quaternions: Quaternions, truth: Quaternions) -> Float[Tensor, ""]:
    """Mean squared error of unit quaternions (Sec. 3.2).

    q and -q are one rotation: the error is that to the nearer of the two, so that no sign is asked of a network that
    turns over from one frame to the next.
    """
    ours, theirs = normalize(quaternions, dim=-1), normalize(truth, dim=-1)
    same = (ours * theirs).sum(dim=-1, keepdim=True) >= 0
    return (ours - torch.where(same, theirs, -theirs)).square().mean()


def train_base(crops: CropDataset, settings: RefineBase, run: TrainingRun) -> State:
    """Sec. 3.2: quaternions alone, of rendered hands alone."""
    assert run.quaternions is not None, "checked before"
    data = divide(crops, {QUATERNIONS: run.quaternions})
    hand = make_hand(settings, crops.size_px, seed=run.seed)

    look = find_look(crops.store.card["protocol"], settings.radius, hand)

    def measure_mm(quaternions: Quaternions, held_back: Data) -> float:
        joints = read_joints(hand.cloud, quaternions, as_batch(held_back), scored_keypoints(HANDS.name), look)
        return measure_error_mm(joints, held_back)

    steps = count_steps(len(data.seen["depth"]), settings.epochs, settings.batch)
    training = BaseTraining(hand.network, settings, steps, base_loss, data.held_back, measure_mm)
    run.fit(training, data.seen, epochs=settings.epochs, batch=settings.batch, precision=settings.precision)
    return keep(hand)


def train_adapted(crops: CropDataset, settings: RefineAdapted, run: TrainingRun) -> State:
    """Eq. 1 over weights and P together (Sec. 4.1)."""
    (base,) = run.needs
    hand = base.build().cpu()
    assert isinstance(hand, RefinedHand)
    data = divide_unlabelled(crops)
    steps = count_steps(len(data.seen["depth"]), settings.epochs, settings.batch)
    measure = weigh_losses(settings, find_look(crops.store.card["protocol"], base.settings.radius, hand))
    training = RefinementTraining(hand, settings, steps, measure, data.held_back)
    run.fit(training, data.seen, epochs=settings.epochs, batch=settings.batch, precision=settings.precision)
    return keep_parts([hand])


def find_look(protocol: Mapping[str, Any], radius: float, hand: RefinedHand) -> Look:
    """How crops of a store are seen: of those of a padded block the network's hand has its own block in the middle."""
    block = protocol["centre"]["strategy"] == BLOCK
    return Look(radius, Hand(hand.cloud.find_shape(), KEYPOINTS[protocol["dataset"]]) if block else None)


def weigh_losses(settings: RefineAdapted, look: Look) -> Measure:
    """Eq. 1 of a batch of crops, with the weights of the settings."""
    measure_pose = weigh(settings)

    def measure(hand: RefinedHand, crops: CropBatch) -> dict[str, Tensor]:
        with torch.no_grad():
            view = look(crops)
        return measure_pose(hand(crops.depth), hand.cloud, view)

    return measure


def weigh(settings: RefineAdapted) -> PoseMeasure:
    """The same of poses that are already there."""
    weights = Weights(settings.depth_weight, settings.collision_weight, settings.physical_weight)

    def measure(quaternions: Quaternions, cloud: PosedCloud, view: CropView) -> dict[str, Tensor]:
        losses = measure_losses(quaternions, cloud, view)
        parts = {f"{name}_loss": getattr(losses, name) for name in ("depth", "collision", "physical")}
        return {"loss": losses.total(weights), **parts}

    return measure


def make_hand(settings: RefineBase, size_px: int, seed: int = 0) -> RefinedHand:
    """Before anything is learned; every seed begins with the same P."""
    network = BaseNetwork(size_px, channels=settings.channels, dropout=settings.dropout, seed=seed)
    return RefinedHand(network, make_cloud(SHAPE, KEYPOINTS[HANDS.name], settings.points))


def build_base(trained: Trained) -> RefinedHand:
    """With the hand that it learned from, which may be another release's."""
    hand = make_hand(trained.settings, trained.size_px)
    missing = hand.state_dict().keys() - trained.state.keys()
    if missing:
        found, fix = f"no {min(missing)}: an earlier release wrote it", "train refine.base and what needs it again"
        raise BadInput("checkpoint of refine", expected="one that holds its hand", found=found, fix=fix)
    return trained.load_into(hand)


def build_adapted(trained: Trained) -> RefinedHand:
    """Of the base what has become of it."""
    hand = trained.parts[0].build()
    assert isinstance(hand, RefinedHand)
    return hand


@torch.no_grad()
def read_joints(
    cloud: PosedCloud, quaternions: Quaternions, crops: CropBatch, keypoints: Keypoints, look: Look
) -> Float[Tensor, "batch joints 3"]:
    """Joints on the network's own skeleton, placed where P is, in half cube edges."""
    joints, shape = [], cloud.find_shape()
    for rows in torch.arange(len(quaternions)).split(AT_ONCE):
        part = crops.take(rows)
        posed = pose_in_crop(cloud, quaternions[rows], look(part))
        points_mm = place_keypoints(keypoints, shape, posed.rotations, posed.origins_mm)
        joints.append(points_mm / (part.cube_mm / 2)[:, None, None])
    return torch.cat(joints)


def pose_bones(trained: Trained, seen: SeenHands) -> PosedHands:
    """The joints of the dataset by way of theta."""
    hand = trained.build()
    assert isinstance(hand, RefinedHand)
    quaternions = apply(hand, seen.crops.depth)
    convention, besides = DATASETS[seen.dataset], POSITIONS.get(seen.dataset, ())
    asked = (*convention.scored, *(convention.joints.index(name) for name in besides))
    look = find_look(seen.protocol, find_radius(trained), hand)
    joints = read_joints(hand.cpu().cloud, quaternions, seen.crops, KEYPOINTS[seen.dataset].take(asked), look)
    scored, others = joints.split([len(convention.scored), len(besides)], dim=1)
    positive = torch.where(quaternions[..., :1] < 0, -quaternions, quaternions)
    return PosedHands(scored, positive, hand.cloud.find_shape(), besides, others)


def find_radius(trained: Trained) -> float:
    """r of Eq. 5: a setting of the base."""
    base = trained.parts[0] if trained.parts else trained
    return float(base.settings.radius)


def probe(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """Time (RF7), how like the images its poses look, and how it trembles (RF5)."""
    hand, seen = trained.build(), as_batch(read_crops(crops))
    assert isinstance(hand, RefinedHand)
    timed = time_network(hand, lambda network, images: {"network": partial(network, images)}, seen.depth[:1])
    protocol = crops.store.card["protocol"]
    posed = pose_bones(trained, SeenHands(protocol["dataset"], protocol, seen))
    look = find_look(protocol, find_radius(trained), hand)
    errors = measure_depth_errors(hand.cpu().cloud, posed.quaternions, seen, look)
    joints_mm = (posed.joints * (seen.cube_mm / 2)[:, None, None] + seen.centre_mm[:, None]).numpy()
    row, sequences = np.asarray(crops.store.row)[crops.places], [crops.store.sequences[at] for at in crops.places]
    return {
        "frames": len(crops),
        **timed,
        "depth_error": {"by_frame": errors.tolist()},
        "jitter_mm": {"by_frame": measure_jitter_mm(joints_mm, row, sequences).tolist()},
    }


def probe_base(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """The same, and single images that the network is overfitted to (RF3)."""
    hand = trained.build().cpu()
    assert isinstance(hand, RefinedHand)
    protocol, images = crops.store.card["protocol"], choose_images(crops)
    look, keypoints = find_look(protocol, find_radius(trained), hand), scored_keypoints(protocol["dataset"])

    def place(quaternions: Quaternions, shown: CropBatch) -> Tensor:
        return read_joints(hand.cloud, quaternions, shown, keypoints, look)

    with torch.enable_grad():
        fits = fit_poses(hand, images, look, weigh(RefineAdapted()), place)
    return probe(trained, crops, learned) | fits


def probe_adapted(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """The same, one update timed (RF7), and the smallest errors over all labelled training frames (RF6)."""
    protocol = learned.store.card["protocol"]
    hand = trained.build().cpu()
    assert isinstance(hand, RefinedHand)
    measure = weigh_losses(trained.settings, find_look(protocol, find_radius(trained), hand))
    batch = as_batch(read_some(learned, spread_evenly(len(learned), trained.settings.batch)))
    told = {**probe(trained, crops, learned), "step": time_update(trained.build(), measure, batch)}
    if smallest_mm := find_bias(trained, learned):
        told["smallest_mm"] = smallest_mm
    return told


def read_some(learned: CropDataset, rows: Int64[np.ndarray, "some"]) -> Data:
    """Of the training crops those of so many rows, with the joints that the dataset is scored on."""
    dataset = learned.store.card["protocol"]["dataset"]
    return read_crops(CropDataset(learned.store, learned.places[rows], DATASETS[dataset].scored))


def find_bias(trained: Trained, learned: CropDataset) -> list[float]:
    """b of Sec. 4.5: the smallest error of each joint over the whole training set; empty where nothing is labelled."""
    protocol = learned.store.card["protocol"]
    smallest: list[list[float]] = []
    for rows in np.split(np.arange(len(learned)), range(AT_ONCE, len(learned), AT_ONCE)):
        seen = read_some(learned, rows)
        if seen["joints"].isfinite().any():
            batch = as_batch(seen)
            joints = pose_bones(trained, SeenHands(protocol["dataset"], protocol, batch)).joints
            smallest.append(find_smallest_mm(joints, seen["joints"], batch.cube_mm))
    # A joint that no frame of a part labels is NaN there.
    return np.fmin.reduce(smallest).tolist() if smallest else []


def probe_truth(trained: Trained, crops: CropDataset, truth: Truth) -> Numbers:
    """The cloud alone fitted to images in their true poses, and where it then lies (RF4)."""
    hand = trained.build().cpu()
    assert isinstance(hand, RefinedHand)
    look = find_look(crops.store.card["protocol"], find_radius(trained), hand)
    with torch.enable_grad():
        return fit_clouds(hand.cloud, crops, truth, look, weigh(RefineAdapted()))


METHODS = {
    "base": Method(train_base, build_base, probe=probe_base, pose_bones=pose_bones, probe_truth=probe_truth),
    "adapted": Method(train_adapted, build_adapted, probe=probe_adapted, pose_bones=pose_bones),
}
