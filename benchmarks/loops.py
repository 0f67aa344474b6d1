"""The feedback loop as it is used, and a predictor trained from files, against what a user would write down first."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, mse_loss, relu
from torch.utils.data import DataLoader, Dataset

from benchmarks.files import find_nyu_files
from benchmarks.frames import CAMERA, CUBE_MM
from benchmarks.harness import (
    DisagreementError,
    GpuMissingError,
    Race,
    Speed,
    find_quartiles,
    make_race,
    require_share,
)
from benchmarks.networks import BATCH, JOINTS, SIZE_PX, LiteralSynthesizer, make_plain
from benchmarks.recipes import crop_as_deepprior, read_png_as_deepprior
from benchmarks.rows import Row, SpeedRow
from handbench.datasets import nyu
from handbench.geometry.crop import crop_cube
from handbench.loop.crop_data import find_device
from handbench.loop.iteration import FeedbackLoop
from handbench.loop.timing import LARGE_BATCH, describe_device, hold_float32, time_call
from handbench.networks.predictor import SimplePredictor
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2015

ITERATIONS = 2
HALF_CUBE_MM = CUBE_MM / 2
FILES_BATCH = 64
PRINTED_FPS, PRINTED_DEVICE = 400.0, "a GTX 780 Ti"
"""Section 4.7 of feedback15: "over 400"; neither its batch nor its precision is told."""
BFLOAT16_MM = 1.0
"""Asked for is 0.1 mm, which eight bits do not hold: joints at the edge of the cube alone are rounded by 0.3 mm."""


class PlainPredictor(nn.Module):
    """The simple predictor with its channels first."""

    def __init__(self, like: SimplePredictor) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, like.convolution.out_channels, 5, padding=like.convolution.padding)
        self.convolution.load_state_dict(like.convolution.state_dict())
        self.hidden, self.output = make_plain(like.hidden), make_plain(like.output)

    def forward(self, depth: Tensor) -> Tensor:
        maps = relu(max_pool2d(self.convolution(depth), 4))
        return self.output(relu(self.hidden(maps.flatten(1)))).unflatten(1, (-1, 3))


class PlainUpdater2015(nn.Module):
    """Siamese as it reads: the path once for each image, channels first."""

    def __init__(self, like: Updater2015) -> None:
        super().__init__()
        self.path = nn.ModuleList(nn.Conv2d(layer.in_channels, layer.out_channels, 5, 2, 2) for layer in like.path)
        self.path.load_state_dict(like.path.state_dict())
        self.hidden_1, self.hidden_2, self.output = map(make_plain, (like.hidden_1, like.hidden_2, like.output))

    def forward(self, observed: Tensor, synthesized: Tensor) -> Tensor:
        features = torch.cat([self._see(observed), self._see(synthesized)], 1)
        return self.output(relu(self.hidden_2(relu(self.hidden_1(features))))).unflatten(1, (-1, 3))

    def _see(self, image: Tensor) -> Tensor:
        maps = 1 - image
        for convolution in self.path:
            maps = relu(convolution(maps))
        return maps.flatten(1)


def make_loop() -> FeedbackLoop:
    return FeedbackLoop(
        SimplePredictor(JOINTS, SIZE_PX),
        Synthesizer(JOINTS, SIZE_PX, tanh=False),
        Updater2015(JOINTS, SIZE_PX),
        ITERATIONS,
    ).eval()


def draw_noise(batch: int) -> Tensor:
    return torch.rand(batch, 1, SIZE_PX, SIZE_PX, generator=torch.Generator().manual_seed(0)) * 2 - 1


def race_loop(batch: int, precision: torch.dtype) -> Race:
    """The predictor and two iterations of feedback15's loop."""
    ours = make_loop()
    peer = FeedbackLoop(
        PlainPredictor(ours.predictor),  # type: ignore[arg-type]
        LiteralSynthesizer(ours.synthesizer),  # type: ignore[arg-type]
        PlainUpdater2015(ours.updater),  # type: ignore[arg-type]
        ITERATIONS,
    ).eval()
    depth = draw_noise(batch)

    def run(loop: FeedbackLoop, used: torch.dtype) -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=used == torch.bfloat16):
            return loop(depth).float()

    def check() -> None:
        apart = float((run(ours, precision) - run(peer, torch.float32)).abs().max())
        allowed = BFLOAT16_MM / HALF_CUBE_MM if precision == torch.bfloat16 else 1e-5
        if not apart <= allowed:
            raise DisagreementError(f"joints in half cubes: expected at most {allowed:.2g} apart, found {apart:.2g}")

    return make_race(partial(run, ours, precision), partial(run, peer, torch.float32), batch, check)


def measure_loop_on_gpu(batch: int, precision: torch.dtype) -> Speed:
    """The same loop without a peer, as replays of a CUDA graph."""
    device = find_device()
    if device.type != "cuda":
        raise GpuMissingError("needs a GPU: torch.cuda.is_available() is false here")
    loop, depth = make_loop().to(device), draw_noise(batch).to(device)

    def run() -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            return loop(depth)

    with torch.no_grad(), hold_float32(device):
        timed = time_call(run, device)
    called = f"no CUDA graph ({timed.not_captured})" if timed.not_captured else "replays of a CUDA graph"
    speeds = [batch / sample_s for sample_s in timed.samples_s]
    quartiles = find_quartiles(speeds if len(speeds) > 1 else speeds * 2)
    return Speed(quartiles, f"{describe_device(device)}, {called}")


def race_from_files(precision: torch.dtype) -> Race:
    """A batch of NYU's PNG files to the gradient of the simple predictor."""
    paths, centres_mm = find_nyu_files()
    times = FILES_BATCH // len(paths)
    paths, centres_mm = paths * times, centres_mm * times
    ours = SimplePredictor(JOINTS, SIZE_PX)
    peer = PlainPredictor(ours)
    target = torch.randn(FILES_BATCH, JOINTS, 3)
    loader = DataLoader(PngFrames(paths, centres_mm), batch_size=FILES_BATCH)

    def read_ours() -> Tensor:
        crops = [
            crop_cube(nyu.read_depth(path), centre_mm, CUBE_MM, CAMERA, size_px=SIZE_PX, sampling="corner")[0]
            for path, centre_mm in zip(paths, centres_mm, strict=True)
        ]
        return torch.from_numpy(np.stack(crops))[:, None]

    def differentiate(network: nn.Module, depth: Tensor, used: torch.dtype) -> None:
        network.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=used == torch.bfloat16):
            joints = network(depth)
        mse_loss(joints.float(), target).backward()

    def check() -> None:
        agree = (read_ours() - next(iter(loader))).abs() <= 1e-5
        require_share(agree.numpy(), 0.999, "the patches")
        differentiate(ours, read_ours(), torch.float32)
        differentiate(peer, read_ours(), torch.float32)
        for mine, other in zip(ours.parameters(), peer.parameters(), strict=True):
            assert mine.grad is not None
            assert other.grad is not None
            require_share((mine.grad - other.grad).abs().numpy() <= 1e-4, 0.999, "the gradients")

    return make_race(
        lambda: differentiate(ours, read_ours(), precision),
        lambda: differentiate(peer, next(iter(loader)), torch.float32),
        1,
        check,
    )


class PngFrames(Dataset[Tensor]):
    """What most code for such data has: a file opened, cropped and normalised each time that it is asked for."""

    def __init__(self, paths: Sequence[Path], centres_mm: Sequence[np.ndarray]) -> None:
        self.paths, self.centres_mm = paths, centres_mm

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> Tensor:
        depth_mm = read_png_as_deepprior(self.paths[place])
        patch = crop_as_deepprior(depth_mm, self.centres_mm[place], CUBE_MM, CAMERA, size=SIZE_PX)
        return torch.from_numpy(patch)[None]


ROWS = (
    Row(
        "predictor",
        "simple predictor, 64 PNG files to gradient, 64x64",
        "DataLoader, PIL + DeepPrior++ recipe, eager",
        partial(race_from_files, torch.float32),
        2.5,
        3.8,
        batch=FILES_BATCH,
    ),
    Row(
        "predictor-bf16",
        "the same under bfloat16 autocast",
        "the same in float32",
        partial(race_from_files, torch.bfloat16),
        None,
        5.0,
        batch=FILES_BATCH,
        precision="bfloat16",
    ),
    Row(
        "loop",
        "feedback15, predictor and 2 iterations, 64x64",
        "literal eager",
        partial(race_loop, 1, torch.float32),
        1.6,
        2.2,
    ),
    Row(
        "loop-bf16",
        "the same under bfloat16 autocast",
        "the same in float32",
        partial(race_loop, 1, torch.bfloat16),
        None,
        3.5,
        precision="bfloat16",
    ),
    Row(
        "loop-64",
        "the same, 64 frames at once",
        "the same",
        partial(race_loop, BATCH, torch.float32),
        None,
        3.5,
        batch=BATCH,
    ),
    Row(
        "loop-64-bf16",
        "the same under bfloat16 autocast",
        "the same in float32",
        partial(race_loop, BATCH, torch.bfloat16),
        None,
        7.0,
        batch=BATCH,
        precision="bfloat16",
    ),
    SpeedRow(
        "loop-gpu",
        "feedback15, predictor and 2 iterations, 64x64, on a GPU",
        partial(measure_loop_on_gpu, 1, torch.float32),
        PRINTED_FPS,
        PRINTED_DEVICE,
    ),
    SpeedRow(
        "loop-gpu-4096",
        "the same, 4,096 frames at once",
        partial(measure_loop_on_gpu, LARGE_BATCH, torch.float32),
        PRINTED_FPS,
        PRINTED_DEVICE,
        batch=LARGE_BATCH,
    ),
    SpeedRow(
        "loop-gpu-4096-bf16",
        "the same under bfloat16 autocast",
        partial(measure_loop_on_gpu, LARGE_BATCH, torch.bfloat16),
        PRINTED_FPS,
        PRINTED_DEVICE,
        batch=LARGE_BATCH,
        precision="bfloat16",
    ),
)
