"""Training a Feedback Loop for Hand Pose Estimation: the networks of the loop and how each is trained.

M. Oberweger, P. Wohlhart, V. Lepetit, "Training a Feedback Loop for Hand Pose Estimation", ICCV 2015.

    D      depth      (batch, 1, S, S)  patch in [-1, 1]
    p      joints     (batch, J, 3)     in units of half the cube's edge around its centre
    pred   Predictor                    Eq. 1
    gamma  weight_decay                 Eq. 5

Here so far: the predictor (Eqs. 1 and 5). What the paper leaves open and what is done here stands with each setting in
modules.py. Eq. 5 sums over the training set; a batch takes the mean, so that the rate does not depend on its size.
"""

import torch
from jaxtyping import Float
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import ExponentialLR

from handbench.datasets.torch_dataset import CropDataset
from handbench.errors import BadInput
from handbench.loop.augmentation import CropBatch, Ranges, augment, make_camera
from handbench.methods import Method, TrainingRun
from handbench.modules import Feedback15Predictor
from handbench.networks.predictor import SimplePredictor

VALIDATION_SHARE = 0.1
"""Of the training frames, the last of the list: what tells whether the error still falls. Never test frames."""
PREDICTED_AT_ONCE = 256


def predictor_loss(
    network: nn.Module, depth: Float[Tensor, "batch 1 size size"], joints: Float[Tensor, "batch joints 3"], gamma: float
) -> Float[Tensor, ""]:
    """|pred(D) - p|^2 on average over the batch, and gamma times the squares of all weights (Eq. 5)."""
    error = (network(depth) - joints).square().sum(dim=(1, 2)).mean()
    return error + gamma * torch.stack([weights.square().sum() for weights in network.parameters()]).sum()


class PredictorTraining(LightningModule):
    """Eq. 5 over augmented batches, and the error on the frames held back."""

    def __init__(self, network: SimplePredictor, settings: Feedback15Predictor, steps: int) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.steps = steps
        moved = settings.augmentation
        self.ranges = Ranges(moved.scale, moved.shift_mm, moved.turn_deg * torch.pi / 180)
        self.held_back: dict[str, Tensor] = {}

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        crops = augment(as_batch(batch), self.ranges)
        loss = predictor_loss(self.network, crops.depth, crops.joints, self.settings.weight_decay)
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        self.log("validation_mm", measure_error_mm(self.network, self.held_back))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        settings = self.settings
        optimizer = torch.optim.RMSprop(self.parameters(), lr=settings.learning_rate, alpha=settings.rms_decay)
        decay = ExponentialLR(optimizer, settings.last_rate_share ** (1 / self.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": decay, "interval": "step"}}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        nn.utils.clip_grad_value_(self.network.parameters(), self.settings.gradient_limit)


def train_predictor(crops: CropDataset, settings: Feedback15Predictor, run: TrainingRun) -> dict[str, Tensor]:
    """The weights after all epochs; every frame with all its joints labelled is trained on or held back."""
    data = gather(crops)
    frames = len(data["depth"])
    if frames < 2:
        raise BadInput(
            crops.store.path,
            expected="at least two frames with every joint labelled",
            found=str(frames),
            fix="train on more frames",
        )
    held = max(int(VALIDATION_SHARE * frames), 1)
    network = SimplePredictor(len(crops.joint_names), data["depth"].shape[-1], seed=run.seed)
    batches = max((frames - held) // settings.batch, 1)
    training = PredictorTraining(network, settings, steps=settings.epochs * batches)
    training.held_back = {name: values[frames - held :] for name, values in data.items()}
    seen = {name: values[: frames - held] for name, values in data.items()}
    run.fit(training, seen, epochs=settings.epochs, batch=settings.batch)
    return {name: value.detach() for name, value in network.state_dict().items()}


def gather(crops: CropDataset) -> dict[str, Tensor]:
    """Everything that a batch needs of the labelled frames, resident; depth as the store has it, half precision."""
    tensors = crops.tensors(torch.float16)
    labelled = tensors["joints"].isfinite().flatten(1).all(dim=1)
    camera = crops.store.camera
    focal, principal = make_camera(tensors["patch_from_image"], (camera.fx, camera.fy), (camera.cx, camera.cy))
    names = ("depth", "joints", "centre_mm", "cube_mm")
    data = {name: tensors[name] for name in names} | {"focal_px": focal, "principal_px": principal}
    return {name: values[labelled] for name, values in data.items()}


def as_batch(data: dict[str, Tensor]) -> CropBatch:
    return CropBatch(**{**data, "depth": data["depth"].float()})


@torch.no_grad()
def measure_error_mm(network: nn.Module, data: dict[str, Tensor]) -> float:
    """Mean joint error on crops as they are."""
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device
    joints = torch.cat([network(part.to(device).float()).cpu() for part in data["depth"].split(PREDICTED_AT_ONCE)])
    network.train(was_training)
    errors = (joints - data["joints"]).norm(dim=-1).mean(dim=1) * data["cube_mm"] / 2
    return float(errors.mean())


def build_predictor(state: dict[str, Tensor], settings: Feedback15Predictor) -> nn.Module:
    hidden, inputs = state["hidden.weight"].shape
    filters = len(state["convolution.weight"])
    network = SimplePredictor(
        len(state["output.bias"]) // 3, 4 * round((inputs / filters) ** 0.5), filters=filters, hidden=hidden
    )
    network.load_state_dict(state)
    return network.eval()


def predict(
    state: dict[str, Tensor], settings: Feedback15Predictor, depth: Float[Tensor, "frames 1 size size"]
) -> Float[Tensor, "frames joints 3"]:
    network = build_predictor(state, settings)
    return torch.cat([network(part) for part in depth.split(PREDICTED_AT_ONCE)])


METHODS = {"predictor": Method(train_predictor, predict, build_predictor)}
