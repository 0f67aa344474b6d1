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

Against 2015: a localizer that puts the cube on a joint, a residual predictor behind a pose prior, a tanh at the
synthesizer's end, an updater that sees both images as channels of one, Adam. What is alike lies in loop/, the iteration
(Eq. 4) in methods/feedback_loop.py. The joints that P^-1 gives are compared (Eq. 6); its last layer starts at the prior
and is trained with the rest. How l is scaled is not said: ours, half patches and half cube edges.
"""

from jaxtyping import Float
from torch import Tensor, nn

from handbench.datasets.torch_dataset import CropDataset
from handbench.loop.crop_data import apply, divide
from handbench.loop.localization import select_joint
from handbench.loop.localizer_probe import probe_localizer
from handbench.loop.localizer_training import fit_localizer
from handbench.loop.predictor_training import fit_predictor
from handbench.loop.synthesizer_probe import probe_synthesizer
from handbench.loop.synthesizer_training import train_synthesizer
from handbench.loop.updater_training import fit_updater
from handbench.methods import Method, Numbers, State, Trained, TrainingRun, keep
from handbench.modules import Feedback19Localizer, Feedback19Predictor, Feedback19Synthesizer, Feedback19Updater
from handbench.networks.deepprior_plus import DeepPriorPlus
from handbench.networks.localizer import Localizer
from handbench.networks.pose_prior import fit_prior
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2019

Images = Float[Tensor, "frames 1 size size"]
Poses = Float[Tensor, "steps frames joints 3"]


def localizer_loss(
    network: nn.Module, depth: Float[Tensor, "batch 1 size size"], offsets: Float[Tensor, "batch 3"]
) -> Float[Tensor, ""]:
    """|loc(D) - l|^2 on average over the batch (Eq. 5)."""
    return (network(depth) - offsets).square().sum(dim=1).mean()


def train_localizer(crops: CropDataset, settings: Feedback19Localizer, run: TrainingRun) -> State:
    network = Localizer(crops.size_px, seed=run.seed)
    fit_localizer(network, settings, divide(select_joint(crops, settings.joint)), localizer_loss, run.fit)
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


def train_predictor(crops: CropDataset, settings: Feedback19Predictor, run: TrainingRun) -> State:
    data = divide(crops)
    network = make_predictor(len(crops.joint_names), crops.size_px, settings, run.seed)
    network.prior.set_prior(fit_prior(data.seen["joints"], settings.components))
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


def train_updater(crops: CropDataset, settings: Feedback19Updater, run: TrainingRun) -> State:
    """Eqs. 8 to 10, with predictor and synthesizer as they are."""
    predictor, synthesizer = (need.build() for need in run.needs)
    network = Updater2019(len(crops.joint_names), crops.size_px, pooling=settings.pooling, seed=run.seed)
    fit_updater(network, predictor, synthesizer, settings, divide(crops), run.fit)
    return keep(network)


def build_updater(trained: Trained) -> Updater2019:
    return trained.load_into(Updater2019(trained.joints, trained.size_px, pooling=trained.settings.pooling))


METHODS = {
    "localizer": Method(train_localizer, build_localizer, probe=probe_centres),
    "predictor": Method(train_predictor, build_predictor, predict),
    "synthesizer": Method(train_synthesis, build_synthesizer, probe=probe),
    "updater": Method(train_updater, build_updater),
}
