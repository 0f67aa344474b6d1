"""Model-based Deep Hand Pose Estimation: a network that ends in a hand model, and the baselines of its Table 1.

X. Zhou, Q. Wan, W. Zhang, X. Xue, Y. Wei, "Model-based Deep Hand Pose Estimation", IJCAI 2016.

    D        depth          (batch, 1, S, S)  patch in [-1, 1]
    Theta    pose           (batch, 26)       palm's centre in half cube edges around the crop's, then radians (DOFS)
    F        layer          networks/hand_layer.py, Eq. 4
    Y        joints         (batch, J, 3)     labels in half cube edges around the crop's centre; of NYU 31 as in the
                                              authors' program, of which the scored 14 are what predicting gives
    bounds   limits_rad     (20, 2)           of the finger angles, as the training poses were seen to take them
    lambda   physical_weight                  Eq. 3

Here: the losses of Eqs. 1 to 3, direct joint and direct parameter (Sec. 4.1) and the training of all of them. The
network is networks/deepmodel.py, and one for all.

Units. Eq. 1 sums squares of half cube edges over coordinates and joints, Eq. 2 sums radians over angles. With a cube of
300 mm, lambda = 1 means: one angle one degree out of its range costs as much as one joint 28 mm off. A batch takes the
mean over its frames, as the authors' framework does, so that the rate of 0.003 does not depend on its size.

Rotations. The palm's yaw, pitch and roll have no bounds and no favoured turn: the same rotation has two triples, and
each angle any number of whole turns. The joint loss sees none of that. Direct parameter is given the triple whose pitch
lies within 90 degrees, and an angle's error is the shorter way round; poses are told in that triple too.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from handbench.conventions import DATASETS
from handbench.datasets.evenly import spread_evenly
from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.fitting.inverse_kinematics import fit_pose
from handbench.fitting.pose_file import FittedPoses
from handbench.fitting.pose_fit import bound_angles, descend
from handbench.hand.keypoints import Hand
from handbench.hand.kinematics import unify_turn
from handbench.loop import processes
from handbench.loop.augmentation import CropBatch, Ranges, augment
from handbench.loop.crop_data import (
    Data,
    apply,
    as_batch,
    divide,
    find_labelled,
    measure_error_mm,
)
from handbench.loop.descent import Descent, count_steps
from handbench.loop.timing import Call, time_network
from handbench.methods import Method, Numbers, State, Trained, TrainingRun, keep
from handbench.modules import DeepModelFitting, DeepModelHand, DeepModelJoint, DeepModelParameter
from handbench.networks.deepmodel import TURN, DeepModel, find_steps
from handbench.networks.hand_layer import PALM, HandLayer, read_layer, turn_axes

LAYER = "layer."
"""What the names of the layer's tensors begin with in a checkpoint."""
AT_ONCE = 1024
"""Frames that the hand is fitted to at once."""

FOR_STEPS = 300
"""Training poses from which it is learned how joints move."""

Images = Float[Tensor, "frames 1 size size"]
Joints = Float[Tensor, "batch joints 3"]
Poses = Float[Tensor, "batch 26"]
Loss = Callable[[DeepModel, CropBatch, Tensor], Tensor]


def joint_loss(joints: Joints, labels: Joints) -> Float[Tensor, ""]:
    """Half of |F(Theta) - Y|^2 on average over the batch (Eq. 1)."""
    return (joints - labels).square().sum(dim=(1, 2)).mean() / 2


def physical_loss(pose: Poses, limits_rad: Float[Tensor, "20 2"]) -> Float[Tensor, ""]:
    """How far finger angles lie out of their ranges, added up, on average over the batch (Eq. 2)."""
    low, high = limits_rad.unbind(1)
    angles = pose[:, PALM:]
    return ((low - angles).relu() + (angles - high).relu()).sum(dim=1).mean()


def model_loss(
    network: DeepModel, depth: Images, labels: Joints, cube_mm: Float[Tensor, "batch"], lam: float
) -> Float[Tensor, ""]:
    """Both together (Eq. 3)."""
    pose = network.read_pose(depth)
    return joint_loss(network.layer(pose, cube_mm), labels) + lam * physical_loss(pose, network.layer.limits_rad)


def parameter_loss(pose: Poses, fitted: Poses) -> Float[Tensor, ""]:
    """Half of |Theta - fitted Theta|^2, rotations the shorter way round, on average over the batch (Sec. 4.1)."""
    off = pose - fitted
    turns = torch.remainder(off[:, 3:PALM] + torch.pi, 2 * torch.pi) - torch.pi
    return torch.cat([off[:, :3], turns, off[:, PALM:]], dim=1).square().sum(dim=1).mean() / 2


def choose_turn(pose: Poses) -> Poses:
    """The same pose, its palm's rotation said in the one way that `unify_turn` has."""
    return torch.cat([pose[:, :3], unify_turn(pose[:, 3:PALM]), pose[:, PALM:]], dim=1)


def place_in_crop(pose_mm: Poses, centre_mm: Float[Tensor, "batch 3"], cube_mm: Float[Tensor, "batch"]) -> Poses:
    """The wrist's place in half cube edges around the crop's centre from camera millimetres; angles stay."""
    return torch.cat([(pose_mm[:, :3] - centre_mm) / (cube_mm / 2)[:, None], pose_mm[:, 3:]], dim=1)


def find_mean(pose: Poses) -> Float[Tensor, "26"]:
    """The mean of every parameter; of the palm's rotations the direction of the mean unit vector."""
    turns = pose[:, 3:PALM]
    middle = torch.atan2(turns.sin().mean(0), turns.cos().mean(0))
    return torch.cat([pose[:, :3].mean(0), middle, pose[:, PALM:].mean(0)])


class PoseTraining(Descent):
    """`loss(network, crops, poses)` of a variant, and the error on the frames held back."""

    def __init__(self, network: DeepModel, settings: DeepModelFitting, steps: int, loss: Loss, held_back: Data) -> None:
        super().__init__(network, settings, steps)
        self.loss = loss
        self.held_back = held_back

    def training_step(self, batch: Data, index: int) -> Tensor:
        crops = as_batch(batch)
        if self.ranges != Ranges(0.0, 0.0, 0.0):
            crops = augment(crops, self.ranges)
        assert isinstance(self.network, DeepModel)
        loss = self.loss(self.network, crops, batch["pose_mm"])
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        joints = apply(self.network, self.held_back["depth"])
        scored = {**self.held_back, "joints": self.held_back["joints"][:, : joints.shape[1]]}
        self.log("validation_mm", measure_error_mm(joints, scored))


def train_hand(crops: CropDataset, settings: DeepModelHand, run: TrainingRun) -> State:
    """Eq. 3; lambda = 0 is Table 1's "ours w/o phy"."""

    def loss(network: DeepModel, crops: CropBatch, pose_mm: Tensor) -> Tensor:
        return model_loss(network, crops.depth, crops.joints, crops.cube_mm, settings.physical_weight)

    return fit(crops, settings, run, loss, through_joints=True)


def train_joint(crops: CropDataset, settings: DeepModelJoint, run: TrainingRun) -> State:
    """Eq. 1 with the network's own joints in the place of F(Theta)."""

    def loss(network: DeepModel, crops: CropBatch, pose_mm: Tensor) -> Tensor:
        return joint_loss(network.read_joints(crops.depth), crops.joints)

    return fit(crops, settings, run, loss)


def train_parameter(crops: CropDataset, settings: DeepModelParameter, run: TrainingRun) -> State:
    """The fitted pose as the target; with a weight also Eq. 2, as in the footnote of Sec. 4.1."""

    def loss(network: DeepModel, crops: CropBatch, pose_mm: Tensor) -> Tensor:
        pose, wrist = network.read_pose(crops.depth), place_in_crop(pose_mm, crops.centre_mm, crops.cube_mm)
        fitted = network.layer.from_wrist(wrist, crops.cube_mm)
        return parameter_loss(pose, fitted) + settings.physical_weight * physical_loss(pose, network.layer.limits_rad)

    return fit(crops, settings, run, loss)


def fit(
    crops: CropDataset,
    settings: DeepModelFitting,
    run: TrainingRun,
    loss: Loss,
    *,
    through_joints: bool = False,
) -> State:
    """Any of the three from its mean output on; `through_joints`: the loss compares what the layer makes of Theta."""
    assert run.poses is not None, "checked before"
    told, crops = len(crops.joint_names), take_learned(crops)
    data = divide(crops, {"pose_mm": find_poses(crops, run.poses)})
    every = {name: processes.join(data.seen[name]) for name in ("joints", "pose_mm", "centre_mm", "cube_mm")}
    axes = turn_axes(every["pose_mm"][:, 3:PALM])
    layer = HandLayer(run.poses.hand.shape, run.poses.hand.keypoints, run.poses.limits_rad, find_edge(crops), axes)
    network = make_network(layer, crops.size_px, settings, told, seed=run.seed)
    if network.direct:
        network.start_at(every["joints"].mean(0).flatten())
    else:
        poses = list_poses(every, layer)
        some = poses[spread_evenly(len(poses), FOR_STEPS)]
        # Columns may be averaged as they are; of angles a whole turn apart the mean is another hand.
        mean = find_mean(poses) if network.palm_numbers == TURN else network.as_numbers(poses).mean(0)
        network.start_at(mean, find_steps(network, some) if through_joints else None)
    steps = count_steps(len(data.seen["depth"]), settings.epochs, settings.batch)
    training = PoseTraining(network, settings, steps, loss, data.held_back)
    run.fit(training, data.seen, epochs=settings.epochs, batch=settings.batch, precision=settings.precision)
    return keep(network)


def make_network(layer: HandLayer, size_px: int, settings: DeepModelFitting, told: int, seed: int = 0) -> DeepModel:
    return DeepModel(
        layer,
        size_px,
        direct=isinstance(settings, DeepModelJoint),
        channels=settings.channels,
        dropout=settings.dropout,
        palm_numbers=settings.palm_numbers if isinstance(settings, DeepModelHand) else TURN,
        seed=seed,
        told=told,
    )


def take_learned(crops: CropDataset) -> CropDataset:
    """The same frames with all joints that the networks learn from; those of the crops stand first."""
    return CropDataset(crops.store, crops.places, DATASETS[crops.store.card["protocol"]["dataset"]].learned)


def find_poses(crops: CropDataset, poses: FittedPoses) -> Float[Tensor, "frames 26"]:
    """Of every frame in the crops' order, in the triple that `choose_turn` gives."""
    found = torch.from_numpy(poses.find(np.asarray(crops.store.row)[crops.places]))
    labelled = find_labelled(crops)
    missing = int((labelled & found.isnan().any(dim=1)).sum())
    if missing:
        raise BadInput(
            crops.store.path,
            expected="a fitted pose for every labelled frame",
            found=f"none for {missing} of {int(labelled.sum())}",
            fix="run `handbench fit` on the labels of the same frames",
        )
    return choose_turn(found)


def find_edge(crops: CropDataset) -> float:
    """The edge of the cubes; with several of them there are several people, and no one hand fits them."""
    edges_mm = np.unique(np.asarray(crops.store.cube_mm)[crops.places]).tolist()
    if len(edges_mm) != 1:
        found = ", ".join(f"{edge:g} mm" for edge in edges_mm)
        fix = "train on a dataset of one person"
        raise BadInput(crops.store.path, expected="crops of one cube", found=found, fix=fix)
    return float(edges_mm[0])


def list_poses(seen: Data, layer: HandLayer) -> Poses:
    """Theta of the frames that are learned from."""
    return layer.from_wrist(place_in_crop(seen["pose_mm"], seen["centre_mm"], seen["cube_mm"]))


def build_model(trained: Trained) -> DeepModel:
    layer = read_layer(trained.state, LAYER)
    return trained.load_into(make_network(layer, trained.size_px, trained.settings, trained.joints))


def predict(trained: Trained, depth: Images) -> Float[Tensor, "steps frames joints 3"]:
    """F(Theta)."""
    return apply(trained.build(), depth)[None]


def read_pose(trained: Trained, depth: Images) -> Poses:
    """Theta as the network gives it, with the wrist's place."""
    network = trained.build()
    assert isinstance(network, DeepModel)
    pose = network.as_pose(apply(NumbersOf(network), depth))
    return choose_turn(network.layer.cpu().to_wrist(pose))


def fit_told(trained: Trained, depth: Images) -> Poses:
    """As true poses are found: from the joints that are told (J = 14), by L-BFGS, within the training's bounds."""
    return fit_joints(trained, depth, trained.joints)


def fit_learned(trained: Trained, depth: Images) -> Poses:
    """From all joints that the network gives: they say more of fingers' last bones than the paper's 14 do."""
    return fit_joints(trained, depth, None)


def fit_joints(trained: Trained, depth: Images, first: int | None) -> Poses:
    """The pose whose joints lie nearest to the first of those that were read directly (Sec. 4.1's post-processing)."""
    network = trained.build()
    assert isinstance(network, DeepModel)
    joints = apply(NumbersOf(network), depth).unflatten(1, (-1, 3))[:, :first]
    layer = read_layer(trained.state, LAYER)
    half_mm = float(layer.cube_mm) / 2
    shape, keypoints = layer.hand
    hand = Hand(shape, keypoints.take(range(joints.shape[1])))
    bounds = bound_angles(layer.limits_rad.double().numpy())
    parts = (joints * half_mm).split(AT_ONCE)
    fitted = torch.cat([descend(hand, part, fit_pose(hand, part), bounds)[0] for part in parts]).double()
    middle, edge_mm = fitted.new_zeros(len(fitted), 3), fitted.new_full((len(fitted),), 2 * half_mm)
    return choose_turn(place_in_crop(fitted, middle, edge_mm)).float()


def probe(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """How long a forward pass takes (Sec. 4)."""

    def list_parts(network: torch.nn.Module, images: Images) -> dict[str, Call]:
        return {"network": partial(network, images)}

    first = crops[0]["depth"][None]
    return {"frames": len(crops), **time_network(trained.build(), list_parts, first)}


class NumbersOf(torch.nn.Module):
    """The network up to its last weights, as a module of its own."""

    def __init__(self, network: DeepModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Images) -> Tensor:
        return self.network.read_numbers(images)


METHODS = {
    "hand": Method(train_hand, build_model, predict, probe, read_pose),
    "joint": Method(train_joint, build_model, predict, pose=fit_told, pose_of_all=fit_learned),
    "parameter": Method(train_parameter, build_model, predict, pose=read_pose),
}
