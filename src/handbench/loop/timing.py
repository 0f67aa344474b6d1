"""How long the parts of a method take a frame: medians over repeated calls, on the GPU where there is one.

A single frame is so little work for a GPU that most of its time would go by while the CPU starts one kernel after the
other. So there a call is captured as a CUDA graph, which starts all of its kernels at once, and replays are timed. What
cannot be captured, a renderer on the CPU for one, is called as it is, and the numbers say so.
"""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.loop.crop_data import device_of

Images = Float[Tensor, "frames 1 size size"]
Call = Callable[[], object]
Network = TypeVar("Network", bound=nn.Module)

CPU = torch.device("cpu")
BATCHES = (1, 64)
LARGE_BATCH, LARGE_PX = 4096, 64
"""A GPU is timed when it is full as well: so many frames of this size, of larger ones as many as have their pixels."""
BYTES_A_PIXEL = 512
"""What a frame's pixels take on the way through a network, generously: four times 32 maps in float32."""
TIMED_S = 1.0
MOST_CALLS = 1000
WARM_UPS = 3
"""Calls before a capture: libraries choose their kernels and take their memory, which a capture forbids."""


@dataclass(frozen=True)
class Timed:
    """Repeated calls of one thing."""

    samples_s: tuple[float, ...]
    not_captured: str = ""
    """Why a GPU was timed without a CUDA graph."""

    @property
    def median_s(self) -> float:
        return sorted(self.samples_s)[len(self.samples_s) // 2]


@torch.no_grad()
def time_network(
    network: Network, list_parts: Callable[[Network, Images], dict[str, Call]], depth: Float[Tensor, "1 1 size size"]
) -> dict[str, Any]:
    """`milliseconds` a frame, by batch size and part, and what they were measured on: where the network is.

    Where that is a GPU, `on_cpu` has the same of a copy of the network on the CPU.
    """
    device = device_of(network)
    told = _time_on(device, network, list_parts, depth)
    if device.type == CPU.type:
        return told
    return {**told, "on_cpu": _time_on(CPU, copy.deepcopy(network).to(CPU), list_parts, depth)}


def _time_on(
    device: torch.device,
    network: Network,
    list_parts: Callable[[Network, Images], dict[str, Call]],
    depth: Float[Tensor, "1 1 size size"],
) -> dict[str, Any]:
    milliseconds: dict[str, dict[str, float]] = {}
    plain: dict[str, str] = {}
    with hold_float32(device):
        for batch in choose_batches(device, depth.shape[-1]):
            images = depth.expand(batch, -1, -1, -1).contiguous().to(device)
            timed = {name: time_call(call, device) for name, call in list_parts(network, images).items()}
            milliseconds[str(batch)] = {name: 1000 * one.median_s / batch for name, one in timed.items()}
            plain |= {f"{name}, batch {batch}": one.not_captured for name, one in timed.items() if one.not_captured}
    return {"milliseconds": milliseconds, **describe_conditions(device, plain)}


def describe_conditions(device: torch.device, plain: dict[str, str]) -> dict[str, Any]:
    """Where and how it was timed; `plain` has the reason for every call of a GPU that was no CUDA graph."""
    told = {"threads": torch.get_num_threads(), "device": describe_device(device), "precision": "float32"}
    return told if device.type == "cpu" else {**told, "cuda_graph": not plain, "not_captured": plain}


def time_call(call: Call, device: torch.device) -> Timed:
    """Seconds of each call, over a second of them after a warm-up."""
    not_captured = ""
    if device.type == "cuda":
        try:
            call = capture(call, device).replay
        except RuntimeError as error:
            not_captured = tell_reason(error)
    call()
    taken: list[float] = []
    while sum(taken) < TIMED_S and len(taken) < MOST_CALLS:
        synchronize(device)
        start = time.perf_counter()
        call()
        synchronize(device)
        taken.append(time.perf_counter() - start)
    return Timed(tuple(taken), not_captured)


def capture(call: Call, device: torch.device) -> torch.cuda.CUDAGraph:
    """The kernels of a call as a graph, whose replay works on the same tensors again."""
    graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    # The outer `with` also leads back to the stream of before where a capture fails, which torch.cuda.graph does not.
    with torch.cuda.stream(side):
        for _ in range(WARM_UPS):
            call()
        with torch.cuda.graph(graph, stream=side):
            call()
    torch.cuda.current_stream(device).wait_stream(side)
    return graph


def tell_reason(error: RuntimeError) -> str:
    """The first line of what broke a capture; ending a broken capture raises an error of its own on top."""
    first = error.__context__ or error
    return f"{type(first).__name__}: {str(first).partition(chr(10))[0]}"


@contextmanager
def hold_float32(device: torch.device) -> Iterator[None]:
    """Convolutions in float32 as the numbers say: by default torch rounds their factors to TF32 on a GPU."""
    if device.type == "cpu":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


def choose_batches(device: torch.device, size_px: int) -> tuple[int, ...]:
    if device.type == "cpu":
        return BATCHES
    large = find_large_batch(size_px, torch.cuda.get_device_properties(device).total_memory)
    return (*BATCHES, large) if large > max(BATCHES) else BATCHES


def find_large_batch(size_px: int, memory_bytes: int) -> int:
    """A power of two that fits half of the memory."""
    fitting = memory_bytes // 2 // BYTES_A_PIXEL
    frames = min(LARGE_BATCH * LARGE_PX**2, fitting) // size_px**2
    return min(LARGE_BATCH, 1 << max(frames.bit_length() - 1, 0))


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def describe_device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
