"""Generalized Feedback Loop for Joint Hand-Object Pose Estimation, hand and object together (Sections 4 and 6).

M. Oberweger, P. Wohlhart, V. Lepetit, TPAMI 2019.

    D            depth           (batch, 1, 2S, 2S)  a crop of 400 mm around hand and object
    l_H, l_O     places          (batch, 3)          middle MCP joint; object's centre, loop/localization.py
    c_H, c_O     seen.images     (batch, 1, S, S)    STN(l, D), loop/held_view.py
    p_H          joints          (batch, 21, 3)      in half edges of c_H's cube
    pi(p_O)      corners         (batch, 8, 3)       of the object's bounding box, in half edges of c_O's cube
    loc          localizer                           Eqs. 14 and 15
    P^-1, pred   hand predictor                      Eq. 19: DeepPrior's layers, which are those of Fig. 4
    pred_O       object predictor                    Eq. 20
    S            merged image                        Eq. 21, loop/hand_object_iteration.py
    updater      updaters                            Eq. 22, loop/held_updating.py
    T_H, T_O     PosesOfSide                         Sec. 4.5, loop/held_poses.py
    lambda       lam                                 Eq. 22

All networks learn from rendered frames (dataset `handobject`; which set, the crops say) and are used on Dexter+Object,
whose left hands they see in a mirror. Frames of some persons are held back. docs/hand-object-training.md tells what is
ours.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.geometry.alignment import RigidPose
from handbench.geometry.corner_loss import nearest_corner_loss, nearest_corners
from handbench.held_modules import (
    KINDS,
    HeldHandPredictor,
    HeldHandSynthesizer,
    HeldLocalizer,
    HeldLoop,
    HeldObjectPredictor,
    HeldObjectRenderer,
    HeldObjectSynthesizer,
    HeldRotation,
    HeldShown,
    HeldSingle,
    HeldUpdater,
)
from handbench.loop import processes
from handbench.loop.crop_data import find_device
from handbench.loop.drawn_object import DrawnObject
from handbench.loop.hand_object_iteration import HandObjectLoop, HandSide, ObjectSide, Parts, Recrop, SynthesizedPatch
from handbench.loop.held_data import (
    BOX_CORNERS,
    CORNER_POINTS,
    JOINTS,
    MIDDLE_JOINT,
    TARGETS,
    Target,
    describe_held,
    divide_by_person,
    find_kind,
    find_middle,
    gather_tested,
    keep_middle,
    list_solids,
    list_symmetries,
)
from handbench.loop.held_model import (
    POINTS_OF,
    RotationSide,
    Single,
    Started,
    Still,
)
from handbench.loop.held_object import find_pose
from handbench.loop.held_probe import probe_held
from handbench.loop.held_shown import show_held
from handbench.loop.held_synthesizing import DrawnTraining, PartlySeenTraining, cut_hands, draw_objects
from handbench.loop.held_training import collect_points, fit_held
from handbench.loop.held_updating import fit_held_updater
from handbench.loop.held_view import Seen, make_hand_view, make_object_view, view_whole
from handbench.loop.localizer_probe import probe_localizer
from handbench.loop.localizer_training import fit_localizer
from handbench.loop.synthesizer_training import train_synthesizer
from handbench.methods import Method, Numbers, State, Trained, TrainingRun, keep
from handbench.networks.deepprior import DeepPrior
from handbench.networks.localizer import Localizer
from handbench.networks.point_predictor import PointPredictor
from handbench.networks.pose_prior import fit_prior
from handbench.networks.rigid_predictor import RigidPredictor
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2019

Points = Float[Tensor, "batch points 3"]

TESTED = "cuboid"
"""What the hands of Dexter+Object hold."""
RENDERER = "handobject.object_renderer"
MIDDLES: dict[Target, str] = {"hand": "middle_mcp", "object": "the object's centre"}


def patch_px(size_px: int) -> int:
    """S, where D has 2S."""
    return size_px // 2


def train_localizer(crops: CropDataset, settings: HeldLocalizer, run: TrainingRun, *, target: Target) -> State:
    """Eqs. 14 and 15."""
    network = Localizer(crops.size_px, seed=run.seed)
    data = keep_middle(divide_by_person(crops), target)
    fit_localizer(network, settings, data, run.fit)
    return keep(network)


def build_localizer(trained: Trained) -> Localizer:
    return trained.load_into(Localizer(trained.size_px))


def probe_places(trained: Trained, crops: CropDataset, learned: CropDataset, *, target: Target) -> Numbers:
    """How far off its point a localizer is, and the centre of mass (Sec. 6.3)."""
    return probe_localizer(trained.build(), *(MiddlePoint(one, target) for one in (crops, learned)))


class MiddlePoint(CropDataset):
    """Crops with the one point that a localizer looks for in the place of their 29."""

    def __init__(self, crops: CropDataset, target: Target) -> None:
        super().__init__(crops.store, crops.places, range(JOINTS + BOX_CORNERS))
        middle = find_middle(self.joints, target)[:, None]
        self.joint_names = (MIDDLES[target],)
        self._labels = {**self._labels, "joints": middle}


def hand_loss(network: nn.Module, seen: Seen) -> Float[Tensor, ""]:
    """|P^-1(pred_H(c_H)) - p_H|^2 on average over the batch (Eq. 19); the network ends in P^-1."""
    return (network(seen.images) - seen.points).square().sum(dim=(1, 2)).mean()


def train_hand_predictor(crops: CropDataset, settings: HeldHandPredictor, run: TrainingRun) -> State:
    data, size_px = divide_by_person(crops), patch_px(crops.size_px)
    network = DeepPrior(JOINTS, size_px, components=settings.components, seed=run.seed)
    view = make_hand_view(settings.cube_mm, size_px, settings.place_noise_mm)
    # The prior is one of poses as the network meets them: not quite in the middle of their cubes.
    points = processes.join(collect_points(data.seen, view, run.seed))
    network.prior.set_prior(fit_prior(points, settings.components))
    fit_held(network, settings, data, view, hand_loss, run.fit, kind=find_kind(crops))
    return keep(network)


def build_hand_predictor(trained: Trained) -> DeepPrior:
    return trained.load_into(DeepPrior(JOINTS, patch_px(trained.size_px), components=trained.settings.components))


def corner_loss(network: nn.Module, seen: Seen, *, kind: str) -> Float[Tensor, ""]:
    """|pred_O(c_O) - pi(p_O)|^2 on average over the batch, pi the nearest of what looks alike (Eq. 20)."""
    return nearest_corner_loss(network(seen.images), seen.points, list_symmetries(kind), seen.held.which)


def train_object_predictor(crops: CropDataset, settings: HeldObjectPredictor, run: TrainingRun) -> State:
    size_px, kind = patch_px(crops.size_px), find_kind(crops)
    network = PointPredictor(BOX_CORNERS, size_px, seed=run.seed)
    view = make_object_view(settings.cube_mm, size_px, settings.place_noise_mm)
    loss = partial(corner_loss, kind=kind)
    fit_held(network, settings, divide_by_person(crops), view, loss, run.fit, kind=kind)
    return keep(network)


def build_object_predictor(trained: Trained) -> PointPredictor:
    return trained.load_into(PointPredictor(BOX_CORNERS, patch_px(trained.size_px)))


def place_box(network: nn.Module, seen: Seen) -> Points:
    """The corners of a predicted place and rotation."""
    middle, rotation = network(seen.images)
    half_mm = (seen.frame.cube_mm / 2)[:, None, None]
    return RigidPose(rotation, middle).place(seen.held.corners_mm / half_mm)


def rotation_loss(network: nn.Module, seen: Seen, *, kind: str, weight: float) -> Float[Tensor, ""]:
    """Squared differences of place and of rotation, of the pose that looks like the true one and is nearest."""
    middle, rotation = network(seen.images)
    half_mm = (seen.frame.cube_mm / 2)[:, None, None]
    with torch.no_grad():
        predicted = RigidPose(rotation, middle).place(seen.held.corners_mm / half_mm)
        alike = nearest_corners(predicted, seen.points, list_symmetries(kind), seen.held.which)
        # Procrustes asks for points in the units of the solid.
        target = find_pose(alike * half_mm, seen.held)
    of_place = (middle - target.centre / half_mm[:, 0]).square().sum(dim=1)
    of_turn = (rotation - target.rotation).square().sum(dim=(1, 2))
    return (of_place + weight * of_turn).mean()


def train_rotation(crops: CropDataset, settings: HeldRotation, run: TrainingRun) -> State:
    size_px, kind = patch_px(crops.size_px), find_kind(crops)
    network = RigidPredictor(size_px, seed=run.seed)
    view = make_object_view(settings.cube_mm, size_px, settings.place_noise_mm)
    loss = partial(rotation_loss, kind=kind, weight=settings.rotation_weight)
    fit_held(network, settings, divide_by_person(crops), view, loss, run.fit, kind=kind, answer=place_box)
    return keep(network)


def build_rotation(trained: Trained, kind: str = TESTED) -> Started:
    """With the localizers and the hand of the loop it gives both poses."""
    hand_localizer, object_localizer, hand_predictor = trained.parts
    size_px = patch_px(trained.size_px)
    network = trained.load_into(RigidPredictor(size_px))
    hand = Parts(
        hand_localizer.build(), hand_predictor.build(), nn.Identity(), Still(JOINTS), hand_predictor.settings.cube_mm
    )
    box = Parts(object_localizer.build(), network, nn.Identity(), Still(BOX_CORNERS), trained.settings.cube_mm)
    return Started(HandSide(hand, size_px, MIDDLE_JOINT), RotationSide(box, size_px, list_symmetries(kind)))


def single_loss(network: nn.Module, seen: Seen, *, kind: str) -> Float[Tensor, ""]:
    """The sum of Eqs. 19 and 20 for outputs of one network (Sec. 6.3)."""
    points = network(seen.images)
    of_hand = (points[:, :JOINTS] - seen.points[:, :JOINTS]).square().sum(dim=(1, 2)).mean()
    corners, truth = points[:, CORNER_POINTS], seen.points[:, CORNER_POINTS]
    return of_hand + nearest_corner_loss(corners, truth, list_symmetries(kind), seen.held.which)


def train_single(crops: CropDataset, settings: HeldSingle, run: TrainingRun) -> State:
    kind = find_kind(crops)
    network = PointPredictor(JOINTS + BOX_CORNERS, crops.size_px, seed=run.seed)
    loss = partial(single_loss, kind=kind)
    fit_held(network, settings, divide_by_person(crops), view_whole, loss, run.fit, kind=kind)
    return keep(network)


def build_single(trained: Trained) -> Single:
    return Single(trained.load_into(PointPredictor(JOINTS + BOX_CORNERS, trained.size_px)))


def train_hand_synthesizer(crops: CropDataset, settings: HeldHandSynthesizer, run: TrainingRun) -> State:
    """As Sec. 3.4, of the pixels that are the hand's or nobody's."""
    size_px = patch_px(crops.size_px)
    network = Synthesizer(JOINTS, size_px, tanh=True, filters=settings.filters, seed=run.seed)
    hands = cut_hands(divide_by_person(crops), settings.cube_mm, size_px, find_kind(crops))
    train_synthesizer(network, settings, hands, run.fit, PartlySeenTraining)
    return keep(network)


def train_object_synthesizer(crops: CropDataset, settings: HeldObjectSynthesizer, run: TrainingRun) -> State:
    """Of what the renderer draws."""
    size_px, kind = patch_px(crops.size_px), find_kind(crops)
    network = Synthesizer(BOX_CORNERS, size_px, tanh=True, filters=settings.filters, seed=run.seed)
    drawn = draw_objects(divide_by_person(crops), settings.cube_mm, size_px, kind)
    train_synthesizer(network, settings, drawn, run.fit, partial(DrawnTraining, kind=kind))
    return keep(network)


def build_synthesizer(trained: Trained, *, target: Target) -> SynthesizedPatch:
    filters, size_px = trained.settings.filters, patch_px(trained.size_px)
    return SynthesizedPatch(trained.load_into(Synthesizer(POINTS_OF[target], size_px, tanh=True, filters=filters)))


def choose_renderer(crops: CropDataset, settings: HeldObjectRenderer, run: TrainingRun) -> State:
    """The renderer has nothing to learn; whether it can draw what is held is told here."""
    list_solids(find_kind(crops))
    return {}


def build_renderer(trained: Trained, kind: str = TESTED) -> DrawnObject:
    return DrawnObject(list_solids(kind))


def train_updater(crops: CropDataset, settings: HeldUpdater, run: TrainingRun, *, target: Target) -> State:
    """Eq. 22 for one side, with all other networks as they are."""
    size_px, kind = patch_px(crops.size_px), find_kind(crops)
    network = Updater2019(POINTS_OF[target], size_px, pooling=settings.pooling, seed=run.seed)
    updaters = {name: network if name == target else Still(points) for name, points in POINTS_OF.items()}
    loop = put_together(run.needs, updaters, size_px, kind, settings.iterations, settings.recrop)
    fit_held_updater(loop, target, settings, divide_by_person(crops), run.fit, kind=kind)
    return keep(network)


def build_updater(trained: Trained, *, target: Target) -> Updater2019:
    return trained.load_into(
        Updater2019(POINTS_OF[target], patch_px(trained.size_px), pooling=trained.settings.pooling)
    )


def put_together(
    needs: Sequence[Trained],
    updaters: Mapping[Target, nn.Module],
    size_px: int,
    kind: str,
    iterations: int,
    recrop: Recrop,
) -> HandObjectLoop:
    """Algorithm 1 from localizers, predictors and synthesizers of hand and object, and two updaters."""
    sides = {}
    for place, target in enumerate(TARGETS):
        localizer, predictor, drawer = (needs[place + 2 * part] for part in range(3))
        check_cubes(predictor, drawer)
        # A renderer draws what is held, a network what it has learned.
        draw = build_renderer(drawer, kind) if drawer.kind == RENDERER else drawer.build()
        sides[target] = Parts(localizer.build(), predictor.build(), draw, updaters[target], predictor.settings.cube_mm)
    hand = HandSide(sides["hand"], size_px, MIDDLE_JOINT)
    return HandObjectLoop(hand, ObjectSide(sides["object"], size_px, list_symmetries(kind)), iterations, recrop)


def check_cubes(predictor: Trained, drawer: Trained) -> None:
    """A network draws in the cube that it was trained in; a renderer in any."""
    drawn_mm = getattr(drawer.settings, "cube_mm", predictor.settings.cube_mm)
    if drawn_mm != predictor.settings.cube_mm:
        raise BadInput(
            drawer.kind,
            expected=f"a synthesizer of the predictor's cube of {predictor.settings.cube_mm:g} mm",
            found=f"{drawn_mm:g} mm",
            fix="train both with the same cube_mm",
        )


def begin_loop(crops: CropDataset, settings: HeldLoop | HeldShown, run: TrainingRun) -> State:
    """The checkpoint holds the parts; of its own the loop has nothing to learn."""
    crops_of = {one.settings.recrop for one in run.needs[-2:]}
    if len(crops_of) > 1:
        raise BadInput(
            "recrop",
            expected="two updaters that learned from the same crops",
            found=" and ".join(sorted(crops_of)),
            fix="train both with one recrop",
        )
    return {}


def build_loop(trained: Trained, kind: str = TESTED) -> HandObjectLoop:
    parts, size_px = trained.parts, patch_px(trained.size_px)
    updaters = {target: part.build() for target, part in zip(TARGETS, parts[-2:], strict=True)}
    recrop = parts[-1].settings.recrop
    return put_together(parts[:-2], updaters, size_px, kind, trained.settings.iterations, recrop)


def build_for(trained: Trained, kind: str) -> nn.Module:
    """What gives both poses, for hands that hold a solid of this kind."""
    drawn = [one.kind for one in trained.parts if KINDS[one.kind].gives == "object synthesizer"]
    if kind != TESTED and drawn not in ([], [RENDERER]):
        raise BadInput(
            "object",
            expected="a cuboid, for a loop whose object is drawn by a network",
            found=f"a {kind}",
            fix="take a loop with handobject.object_renderer, which draws any of them",
        )
    model = BUILDERS[trained.kind](trained, kind)
    return model.eval().to(find_device())


def probe_loop(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """How long each part takes (Sec. 6.5)."""
    return probe_held(build_loop(trained).to(find_device()), gather_tested(crops, trained.settings.boxes_mm))


def probe_shown(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """Poses of rendered frames that no part has learned from (Fig. 15); those of the test hold no such object."""
    return show_held(build_loop(trained, find_kind(learned)).eval().to(find_device()), learned)


BUILDERS: dict[str, Callable[[Trained, str], nn.Module]] = {
    "handobject.loop": build_loop,
    "handobject.rotation": build_rotation,
    "handobject.single": lambda trained, kind: build_single(trained),
}
"""Of the kinds that give both poses: crops D and what is held to the poses after every step."""

METHODS = {
    "hand_localizer": Method(
        partial(train_localizer, target="hand"), build_localizer, probe=partial(probe_places, target="hand")
    ),
    "object_localizer": Method(
        partial(train_localizer, target="object"), build_localizer, probe=partial(probe_places, target="object")
    ),
    "hand_predictor": Method(train_hand_predictor, build_hand_predictor),
    "object_predictor": Method(train_object_predictor, build_object_predictor),
    "rotation": Method(train_rotation, build_rotation, describe_held=describe_held),
    "single": Method(train_single, build_single, describe_held=describe_held),
    "hand_synthesizer": Method(train_hand_synthesizer, partial(build_synthesizer, target="hand")),
    "object_synthesizer": Method(train_object_synthesizer, partial(build_synthesizer, target="object")),
    "object_renderer": Method(choose_renderer, build_renderer),
    "hand_updater": Method(partial(train_updater, target="hand"), partial(build_updater, target="hand")),
    "object_updater": Method(partial(train_updater, target="object"), partial(build_updater, target="object")),
    "loop": Method(begin_loop, build_loop, probe=probe_loop, describe_held=describe_held),
    "shown": Method(begin_loop, build_loop, probe=probe_shown),
}
