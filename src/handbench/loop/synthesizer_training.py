"""How a synthesizer of either paper is trained: images of 8x8 first, then a stage more at a time, or all at once."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from handbench.conventions import BACKGROUND
from handbench.errors import BadInput
from handbench.loop import processes
from handbench.loop.augmentation import augment
from handbench.loop.crop_data import AT_ONCE, Data, Division, as_batch, device_of
from handbench.loop.descent import Descent, count_steps
from handbench.modules import SynthesizerFitting
from handbench.networks.synthesizer import Synthesizer

Images = Float[Tensor, "batch 1 size size"]


class SynthesizerTraining(Descent):
    """The squared difference of images at one stage (Eq. 6 of 2015, Eq. 7 of 2019)."""

    network: Synthesizer

    def __init__(
        self, network: Synthesizer, settings: SynthesizerFitting, steps: int, stage: int, held_back: Data
    ) -> None:
        super().__init__(network, settings, steps)
        self.stage = stage
        self.held_back = held_back

    def training_step(self, batch: Data, index: int) -> Tensor:
        crops = augment(as_batch(batch), self.ranges)
        image = self.network(crops.joints, self.stage)
        # Eq. 6 divides by the number of pixels; a batch takes the mean over its frames.
        loss = (image - shrink(crops.depth, image.shape[-1])).square().mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def on_train_epoch_end(self) -> None:
        # Only the last stage makes whole images, and only of those a validation error tells.
        name = "validation_mm" if self.stage == self.network.stages else "stage_mm"
        self.log(name, measure_hand_mm(self.network, self.held_back, self.stage))


def train_synthesizer(
    network: Synthesizer,
    settings: SynthesizerFitting,
    crops: Division,
    fit: Callable[..., Any],
    training_of: Callable[..., SynthesizerTraining] = SynthesizerTraining,
) -> None:
    """Stage after stage with all weights that a stage depends on; `stage_epochs` of them, and `epochs` whole images."""
    if len(settings.stage_epochs) > network.stages:
        raise BadInput(
            "stage_epochs",
            expected=f"at most {network.stages} numbers: those of images of 8x8 and up, smaller than the patch",
            found=str(settings.stage_epochs),
            fix="leave the last ones out; whole images have `epochs`",
        )
    data = mislabel(crops.seen, settings.label_noise_mm, settings.label_noise_seed)
    plan = [*enumerate(settings.stage_epochs), (network.stages, settings.epochs)]
    for stage, epochs in plan:
        if epochs:
            steps = count_steps(len(data["depth"]), epochs, settings.batch)
            training = training_of(network, settings, steps, stage, crops.held_back)
            fit(training, data, epochs=epochs, batch=settings.batch, precision=settings.precision)


def mislabel(data: Data, noise_mm: float, seed: int) -> Data:
    """The same frames with labels that are off, each joint of a frame always by the same (Fig. 7 of 2015)."""
    if noise_mm == 0:
        return data
    frames, *shape = data["joints"].shape
    noise = torch.randn(processes.total(frames), *shape, generator=torch.Generator().manual_seed(seed))
    offsets_mm = noise_mm * processes.take_own(noise)
    return {**data, "joints": data["joints"] + offsets_mm / (data["cube_mm"] / 2)[:, None, None]}


def shrink(depth: Images, rows: int) -> Float[Tensor, "batch 1 rows rows"]:
    """The patch at a stage's resolution: each pixel the mean of those that it stands for."""
    share = depth.shape[-1] // rows
    return depth if share == 1 else avg_pool2d(depth, share)


@torch.no_grad()
def measure_hand_mm(network: Synthesizer, data: Data, stage: int) -> float:
    """Median absolute depth error over the pixels in which the camera sees something inside the cube."""
    device = device_of(network)
    errors = []
    for rows in torch.arange(len(data["depth"])).split(AT_ONCE):
        joints, whole, cube_mm = (data[name][rows].to(device) for name in ("joints", "depth", "cube_mm"))
        image = network(joints, stage)
        depth = shrink(whole.float(), image.shape[-1])
        error_mm = (image - depth).abs() * (cube_mm / 2)[:, None, None, None]
        errors.append(error_mm[depth < BACKGROUND])
    return float(processes.chain(torch.cat(errors)).median())
