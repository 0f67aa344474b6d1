"""Generalized Feedback Loop for Joint Hand-Object Pose Estimation, the part for hands alone (Sections 3 and 5).

M. Oberweger, P. Wohlhart, V. Lepetit, TPAMI 2019.

    D        depth        (batch, 1, S, S)  patch in [-1, 1]
    p        joints       (batch, J, 3)     in units of half the cube's edge around its centre
    loc      localizer                      Eq. 5, its offset l in loop/localization.py
    P        PosePrior                      30 principal components of the training poses, Sec. 3.3
    pred     predictor                      DeepPrior++, Eqs. 1 and 6
    synth    synthesizer                    Eqs. 2 and 7
    updater  updater                        Eq. 4
    lambda   lam                            Eqs. 8 and 9
    T_D      PoseSet                        Sec. 3.5 and Eq. 10
    n        iterations                     Eqs. 12 and 13

Against 2015: a localizer that puts the cube on a joint, a residual predictor behind a pose prior, a tanh at the
synthesizer's end, an updater that sees both images as channels of one, Adam. What is alike lies in loop/, the iteration
(Eq. 4) in methods/feedback_loop.py. The joints that P^-1 gives are compared (Eq. 6); its last layer starts at the prior
and is trained with the rest. How l is scaled is not said: ours, half patches and half cube edges.

Sec. 3.6 trains all three together. It writes updater(synth(p), D) where Eq. 4 has updater(D, synth(p)): the order of
Eq. 4 is kept. Eq. 13 is Eq. 6 with the whole loop in the predictor's place, and so it is trained: all networks in
training mode, the predictor's dropout and batch statistics as when it learned alone.
"""

from jaxtyping import Float
from torch import Tensor, nn

from handbench.datasets.torch_dataset import CropDataset
from handbench.loop import processes
from handbench.loop.crop_data import Division, apply, divide
from handbench.loop.iteration import FeedbackLoop, run_whole
from handbench.loop.localization import select_joint
from handbench.loop.localizer_probe import probe_localizer
from handbench.loop.localizer_training import fit_localizer
from handbench.loop.loop_probe import probe_loop
from handbench.loop.predictor_training import fit_predictor
from handbench.loop.synthesizer_probe import probe_synthesizer
from handbench.loop.synthesizer_training import train_synthesizer
from handbench.loop.updater_training import fit_updater
from handbench.methods import Method, Numbers, State, Trained, TrainingRun, keep, keep_parts
from handbench.modules import (
    Feedback19Joint,
    Feedback19Localizer,
    Feedback19Predictor,
    Feedback19Synthesizer,
    Feedback19Updater,
)
from handbench.networks.deepprior_plus import DeepPriorPlus
from handbench.networks.localizer import Localizer
from handbench.networks.pose_prior import fit_prior
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2019

Images = Float[Tensor, "frames 1 size size"]
Poses = Float[Tensor, "steps frames joints 3"]


def train_localizer(crops: CropDataset, settings: Feedback19Localizer, run: TrainingRun) -> State:
    """Eq. 5."""
    network = Localizer(crops.size_px, seed=run.seed)
    data = divide(select_joint(crops, settings.joint))
    fit_localizer(network, settings, data, run.fit)
    return keep(network)


def build_localizer(trained: Trained) -> Localizer:
    return trained.load_into(Localizer(trained.size_px))


def probe_centres(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """How far off the joint the first centre and the localizer's are (Sec. 3.2)."""
    test, known = (select_joint(one, trained.settings.joint) for one in (crops, learned))
    return probe_localizer(trained.build(), test, known)


def predictor_loss(
    network: nn.Module, depth: Float[Tensor, "batch 1 size size"], joints: Float[Tensor, "batch joints 3"]
) -> Float[Tensor, ""]:
    """|P^-1(pred(D)) - p|^2 on average over the batch (Eq. 6); the network ends in P^-1."""
    return (network(depth) - joints).square().sum(dim=(1, 2)).mean()


def make_predictor(joints: int, size_px: int, settings: Feedback19Predictor, seed: int = 0) -> DeepPriorPlus:
    return DeepPriorPlus(
        joints,
        size_px,
        components=settings.components,
        stage_filters=settings.stage_filters,
        modules=settings.residual_modules,
        dropout=settings.dropout,
        seed=seed,
    )


def begin_predictor(data: Division, settings: Feedback19Predictor, seed: int) -> DeepPriorPlus:
    """Random weights, and behind them the prior of the training poses."""
    joints, size_px = data.seen["joints"].shape[1], data.seen["depth"].shape[-1]
    network = make_predictor(joints, size_px, settings, seed)
    network.prior.set_prior(fit_prior(processes.join(data.seen["joints"]), settings.components))
    return network


def train_predictor(crops: CropDataset, settings: Feedback19Predictor, run: TrainingRun) -> State:
    data = divide(crops)
    network = begin_predictor(data, settings, run.seed)
    fit_predictor(network, settings, data, predictor_loss, run.fit)
    return keep(network)


def build_predictor(trained: Trained) -> DeepPriorPlus:
    return trained.load_into(make_predictor(trained.joints, trained.size_px, trained.settings))


def predict(trained: Trained, depth: Images) -> Poses:
    """p(0) = P^-1(pred(D)) (Eq. 1)."""
    return apply(trained.build(), depth)[None]


def make_synthesizer(joints: int, size_px: int, settings: Feedback19Synthesizer, seed: int = 0) -> Synthesizer:
    return Synthesizer(joints, size_px, tanh=True, filters=settings.filters, seed=seed)


def train_synthesis(crops: CropDataset, settings: Feedback19Synthesizer, run: TrainingRun) -> State:
    """Eq. 7, in a layer-wise fashion where the settings have stages."""
    network = make_synthesizer(len(crops.joint_names), crops.size_px, settings, run.seed)
    train_synthesizer(network, settings, divide(crops), run.fit)
    return keep(network)


def build_synthesizer(trained: Trained) -> Synthesizer:
    return trained.load_into(make_synthesizer(trained.joints, trained.size_px, trained.settings))


def probe(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """How the images it draws differ from the camera's (Sec. 3.4)."""
    return probe_synthesizer(trained.build(), crops, learned)


def make_updater(joints: int, size_px: int, settings: Feedback19Updater, seed: int = 0) -> Updater2019:
    return Updater2019(joints, size_px, pooling=settings.pooling, seed=seed)


def train_updater(crops: CropDataset, settings: Feedback19Updater, run: TrainingRun) -> State:
    """Eqs. 8 to 10, with predictor and synthesizer as they are."""
    predictor, synthesizer = (need.build() for need in run.needs)
    network = make_updater(len(crops.joint_names), crops.size_px, settings, run.seed)
    fit_updater(network, predictor, synthesizer, settings, divide(crops), run.fit)
    return keep(network)


def build_updater(trained: Trained) -> Updater2019:
    return trained.load_into(make_updater(trained.joints, trained.size_px, trained.settings))


def joint_loss(
    loop: nn.Module, depth: Float[Tensor, "batch 1 size size"], joints: Float[Tensor, "batch joints 3"]
) -> Float[Tensor, ""]:
    """|p(n) - p|^2 on average over the batch (Eq. 13), p(n) what n iterations make of pred(D) (Eqs. 11 and 12)."""
    return predictor_loss(loop, depth, joints)


def train_jointly(crops: CropDataset, settings: Feedback19Joint, run: TrainingRun) -> State:
    """Eqs. 11 to 13, from the networks that were trained apart or from random ones of their sizes."""
    data = divide(crops)
    parts = begin_parts(data, run) if settings.random_start else [need.build() for need in run.needs]
    predictor, synthesizer, updater = parts
    loop = FeedbackLoop(predictor, synthesizer, updater, settings.iterations)
    fit_predictor(loop, settings, data, joint_loss, run.fit)
    return keep_parts(parts)


def begin_parts(data: Division, run: TrainingRun) -> list[nn.Module]:
    """Every network as its own training would start it."""
    predictor, synthesizer, updater = run.needs
    return [
        begin_predictor(data, predictor.settings, run.seed),
        make_synthesizer(synthesizer.joints, synthesizer.size_px, synthesizer.settings, run.seed),
        make_updater(updater.joints, updater.size_px, updater.settings, run.seed),
    ]


def build_loop(trained: Trained) -> FeedbackLoop:
    predictor, synthesizer, updater = (part.build() for part in trained.parts)
    return FeedbackLoop(predictor, synthesizer, updater, trained.settings.iterations)


def predict_jointly(trained: Trained, depth: Images) -> Poses:
    """p(0) to p(n) (Eqs. 11 and 12)."""
    return run_whole(build_loop(trained).eval(), depth)


def probe_jointly(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """What updates do around the truth, how long each part takes, and how the images have changed (Sec. 3.6)."""
    loop = build_loop(trained).eval()
    return {**probe_loop(loop, crops), "synthesizer": probe_synthesizer(loop.synthesizer, crops, learned)}


METHODS = {
    "localizer": Method(train_localizer, build_localizer, probe=probe_centres),
    "predictor": Method(train_predictor, build_predictor, predict),
    "synthesizer": Method(train_synthesis, build_synthesizer, probe=probe),
    "updater": Method(train_updater, build_updater),
    "joint": Method(train_jointly, build_loop, predict_jointly, probe_jointly),
}
