"""Training a Feedback Loop for Hand Pose Estimation: the networks of the loop, how each is trained, and the loop.

M. Oberweger, P. Wohlhart, V. Lepetit, "Training a Feedback Loop for Hand Pose Estimation", ICCV 2015.

    D        depth        (batch, 1, S, S)  patch in [-1, 1]
    p        joints       (batch, J, 3)     in units of half the cube's edge around its centre
    pred     predictor                      Eq. 1; DeepPrior, "Init 2" of Sec. 4.4, is another one
    synth    synthesizer                    Eq. 2
    updater  updater                        Eq. 4
    gamma    weight_decay                   Eq. 5
    lambda   lam                            Eqs. 7 and 8
    T_D      PoseSet                        Sec. 3.4 and Eq. 9

Here: the predictor (Eqs. 1 and 5), the synthesizer (Eqs. 2 and 6) and the updater (Eqs. 7 to 9); their iteration
(Eq. 4) is methods/feedback_loop.py. What both feedback papers share lies in loop/: Eq. 4 in iteration.py with the
hinge of Eq. 8, Eq. 6 in synthesizer_training.py, T_D in pose_set.py. What the paper leaves open and what is done here
stands with each setting in modules.py. Equations sum over the training set; a batch takes the mean, so that rates do
not depend on its size.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.datasets.torch_dataset import CropDataset
from handbench.loop import processes
from handbench.loop.crop_data import Division, apply, divide
from handbench.loop.predictor_training import fit_predictor
from handbench.loop.synthesizer_probe import probe_synthesizer
from handbench.loop.synthesizer_training import train_synthesizer
from handbench.loop.updater_training import fit_updater
from handbench.methods import Method, Numbers, State, Trained, TrainingRun, keep
from handbench.modules import Feedback15DeepPrior, Feedback15Predictor, Feedback15Synthesizer, Feedback15Updater
from handbench.networks.deepprior import DeepPrior
from handbench.networks.pose_prior import fit_prior
from handbench.networks.predictor import SimplePredictor
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2015

Images = Float[Tensor, "frames 1 size size"]
Poses = Float[Tensor, "steps frames joints 3"]


def predictor_loss(
    network: nn.Module, depth: Float[Tensor, "batch 1 size size"], joints: Float[Tensor, "batch joints 3"], gamma: float
) -> Float[Tensor, ""]:
    """|pred(D) - p|^2 on average over the batch, and gamma times the squares of all weights (Eq. 5)."""
    error = (network(depth) - joints).square().sum(dim=(1, 2)).mean()
    return error + gamma * torch.stack([weights.square().sum() for weights in network.parameters()]).sum()


def train_predictor(crops: CropDataset, settings: Feedback15Predictor, run: TrainingRun) -> State:
    network = SimplePredictor(len(crops.joint_names), crops.size_px, seed=run.seed)
    return fit(network, settings, divide(crops), run)


def train_deepprior(crops: CropDataset, settings: Feedback15DeepPrior, run: TrainingRun) -> State:
    """The same loss on a network that ends in the pose prior, started from the training poses."""
    data, joints = divide(crops), len(crops.joint_names)
    network = DeepPrior(joints, crops.size_px, components=settings.components, seed=run.seed)
    network.prior.set_prior(fit_prior(processes.join(data.seen["joints"]), settings.components))
    return fit(network, settings, data, run)


def fit(
    network: nn.Module, settings: Feedback15Predictor | Feedback15DeepPrior, data: Division, run: TrainingRun
) -> State:
    """Eq. 5 with the settings' gamma."""

    def loss(network: nn.Module, depth: Tensor, joints: Tensor) -> Tensor:
        return predictor_loss(network, depth, joints, settings.weight_decay)

    fit_predictor(network, settings, data, loss, run.fit)
    return keep(network)


def build_predictor(trained: Trained) -> SimplePredictor:
    return trained.load_into(SimplePredictor(trained.joints, trained.size_px))


def build_deepprior(trained: Trained) -> DeepPrior:
    return trained.load_into(DeepPrior(trained.joints, trained.size_px, components=trained.settings.components))


def predict(trained: Trained, depth: Images) -> Poses:
    """p(0) = pred(D) (Eq. 1)."""
    return apply(trained.build(), depth)[None]


def make_synthesizer(joints: int, size_px: int, settings: Feedback15Synthesizer, seed: int = 0) -> Synthesizer:
    return Synthesizer(joints, size_px, tanh=False, filters=settings.filters, seed=seed)


def train_synthesis(crops: CropDataset, settings: Feedback15Synthesizer, run: TrainingRun) -> State:
    """Eq. 6, in a layer-wise fashion where the settings have stages."""
    network = make_synthesizer(len(crops.joint_names), crops.size_px, settings, run.seed)
    train_synthesizer(network, settings, divide(crops), run.fit)
    return keep(network)


def build_synthesizer(trained: Trained) -> Synthesizer:
    return trained.load_into(make_synthesizer(trained.joints, trained.size_px, trained.settings))


def probe(trained: Trained, crops: CropDataset, learned: CropDataset) -> Numbers:
    """How the images it draws differ from the camera's (Sec. 3.3)."""
    return probe_synthesizer(trained.build(), crops, learned)


def train_updater(crops: CropDataset, settings: Feedback15Updater, run: TrainingRun) -> State:
    """Eqs. 7 to 9, with predictor and synthesizer as they are."""
    predictor, synthesizer = (need.build() for need in run.needs)
    network = Updater2015(len(crops.joint_names), crops.size_px, pooling=settings.pooling, seed=run.seed)
    fit_updater(network, predictor, synthesizer, settings, divide(crops), run.fit)
    return keep(network)


def build_updater(trained: Trained) -> Updater2015:
    return trained.load_into(Updater2015(trained.joints, trained.size_px, pooling=trained.settings.pooling))


METHODS = {
    "predictor": Method(train_predictor, build_predictor, predict),
    "deepprior": Method(train_deepprior, build_deepprior, predict),
    "synthesizer": Method(train_synthesis, build_synthesizer, probe=probe),
    "updater": Method(train_updater, build_updater),
}
