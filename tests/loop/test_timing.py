"""Times by a clock made by hand; on a GPU, that a graph's replay computes what the call does."""

from collections.abc import Iterator
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from handbench.loop import timing
from handbench.loop.iteration import FeedbackLoop
from handbench.loop.loop_probe import list_parts
from handbench.loop.timing import capture, describe_conditions, find_large_batch, time_call, time_network
from handbench.networks.predictor import SimplePredictor
from handbench.networks.synthesizer import Synthesizer
from handbench.networks.updater import Updater2015

GPU = torch.device("cuda")
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
SIZE = 16


class FakeClock:
    """A clock that calls move on, by one of these seconds each."""

    def __init__(self, *steps_s: float) -> None:
        self.now, self.steps_s = 0.0, self.repeat(steps_s)

    @staticmethod
    def repeat(steps_s: tuple[float, ...]) -> Iterator[float]:
        while True:
            yield from steps_s

    def perf_counter(self) -> float:
        return self.now

    def work(self) -> None:
        self.now += next(self.steps_s)


@pytest.fixture
def loop() -> FeedbackLoop:
    parts = SimplePredictor(4, SIZE), Synthesizer(4, SIZE, tanh=False, filters=2), Updater2015(4, SIZE, filters=2)
    return FeedbackLoop(*parts, iterations=2).eval()


def test_a_second_of_calls_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(9.0, 0.25, 0.5, 0.125, 0.375)
    monkeypatch.setattr(timing, "time", clock)
    timed = time_call(clock.work, torch.device("cpu"))
    # The first call of 9 s is not counted; the others end where a second is reached.
    assert timed.samples_s == pytest.approx((0.25, 0.5, 0.125, 0.375))
    assert timed.median_s == pytest.approx(0.375)
    assert timed.not_captured == ""


def test_short_calls_end_after_a_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(1e-6)
    monkeypatch.setattr(timing, "time", clock)
    assert len(time_call(clock.work, torch.device("cpu")).samples_s) == 1000


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU would be timed")
def test_a_loop_is_timed_in_parts_on_the_cpu(loop: FeedbackLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "TIMED_S", 0.001)
    numbers = time_network(loop, list_parts, torch.rand(1, 1, SIZE, SIZE))
    assert [*numbers] == ["milliseconds", "threads", "device", "precision"]
    assert [*numbers["milliseconds"]] == ["1", "64"]
    for parts in numbers["milliseconds"].values():
        assert [*parts] == ["predictor", "synthesizer", "updater", "loop"]
        assert min(parts.values()) > 0
    assert (numbers["device"], numbers["precision"]) == ("CPU", "float32")
    assert numbers["threads"] == torch.get_num_threads()


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU would be timed")
def test_every_frame_of_a_batch_is_the_given_one_and_times_are_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []
    clock = FakeClock(2.0)

    def list_one(network: nn.Module, images: Tensor) -> dict[str, timing.Call]:
        seen.append(images)
        return {"only": clock.work}

    monkeypatch.setattr(timing, "time", clock)
    depth = torch.rand(1, 1, SIZE, SIZE)
    numbers = time_network(nn.Identity(), list_one, depth)
    assert [len(images) for images in seen] == [1, 64]
    assert all(torch.equal(images, depth.expand(len(images), -1, -1, -1)) for images in seen)
    assert numbers["milliseconds"] == {"1": {"only": 2000.0}, "64": {"only": 2000.0 / 64}}


@pytest.mark.parametrize(
    ("size_px", "memory_gb", "frames"), [(64, 139, 4096), (128, 139, 1024), (32, 139, 4096), (64, 8, 1024), (64, 0, 1)]
)
def test_the_large_batch_is_bounded_by_pixels_and_memory(size_px: int, memory_gb: int, frames: int) -> None:
    assert find_large_batch(size_px, memory_gb * 10**9) == frames


def test_a_replay_is_timed_where_a_call_can_be_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = FakeClock(2.0), []

    class Graph:
        def replay(self) -> None:
            clock.work()

    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(timing, "synchronize", lambda device: None)
    monkeypatch.setattr(timing, "capture", lambda call, device: Graph())
    timed = time_call(lambda: calls.append(0), GPU)
    assert (timed.samples_s, timed.not_captured, calls) == ((2.0,), "", [])


def test_what_cannot_be_captured_is_called_and_the_reason_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(2.0)

    def fail(call: timing.Call, device: torch.device) -> None:
        try:
            raise ValueError("operation not permitted\nwhen stream is capturing")
        except ValueError:
            raise RuntimeError("invalidated by a previous error")  # noqa: B904

    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(timing, "synchronize", lambda device: None)
    monkeypatch.setattr(timing, "capture", fail)
    timed = time_call(clock.work, GPU)
    assert (timed.samples_s, timed.not_captured) == ((2.0,), "ValueError: operation not permitted")
    assert timing.tell_reason(RuntimeError("out of luck")) == "RuntimeError: out of luck"


def test_numbers_of_a_gpu_say_whether_graphs_were_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    told = describe_conditions(GPU, {})
    assert (told["device"], told["cuda_graph"], told["not_captured"]) == ("Some GPU", True, {})
    plain = {"loop, batch 1": "RuntimeError: not permitted"}
    told = describe_conditions(GPU, plain)
    assert (told["cuda_graph"], told["not_captured"]) == (False, plain)


def test_beside_a_gpu_the_cpu_is_timed_in_the_same_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """With "meta", a device without memory, for the GPU."""
    seen: list[tuple[str, int, bool]] = []
    clock, meta = FakeClock(2.0), torch.device("meta")
    network = nn.Identity()

    def list_one(which: nn.Module, images: Tensor) -> dict[str, timing.Call]:
        seen.append((images.device.type, len(images), which is network))
        return {"only": clock.work}

    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(timing, "device_of", lambda network: meta)
    monkeypatch.setattr(timing, "choose_batches", lambda device, size_px: (1, 64) if device.type == "cpu" else (1, 512))
    monkeypatch.setattr(timing, "describe_device", lambda device: "CPU" if device.type == "cpu" else "Some GPU")
    numbers = time_network(network, list_one, torch.rand(1, 1, SIZE, SIZE))
    assert seen == [("meta", 1, True), ("meta", 512, True), ("cpu", 1, False), ("cpu", 64, False)]
    assert (numbers["device"], [*numbers["milliseconds"]]) == ("Some GPU", ["1", "512"])
    beside = numbers["on_cpu"]
    assert beside["milliseconds"] == {"1": {"only": 2000.0}, "64": {"only": 2000.0 / 64}}
    assert (beside["device"], beside["threads"], beside["precision"]) == ("CPU", torch.get_num_threads(), "float32")
    assert not {"cuda_graph", "on_cpu"} & {*beside}


@NEEDS_GPU
@torch.no_grad()
def test_a_replay_computes_the_call_again(loop: FeedbackLoop) -> None:
    loop = loop.to(GPU)
    images, other = torch.rand(2, 8, 1, SIZE, SIZE, device=GPU)
    poses = torch.empty(8, 4, 3, device=GPU)
    graph = capture(lambda: poses.copy_(loop(images)), GPU)
    images.copy_(other)
    poses.zero_()
    graph.replay()
    torch.testing.assert_close(poses, loop(other), atol=1e-5, rtol=1e-4)


@NEEDS_GPU
def test_a_call_that_waits_for_the_cpu_is_not_captured_and_leaves_the_gpu_in_order() -> None:
    values, stream = torch.ones(4, device=GPU), torch.cuda.current_stream()
    timed = time_call(lambda: values.sum().item(), GPU)
    assert timed.not_captured
    assert torch.cuda.current_stream() == stream
    assert time_call(partial(torch.mul, values, 2), GPU).not_captured == ""


@NEEDS_GPU
def test_a_gpu_is_timed_with_a_large_batch_and_the_cpu_with_a_copy(
    loop: FeedbackLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "TIMED_S", 0.01)
    numbers = time_network(loop.to(GPU), list_parts, torch.rand(1, 1, SIZE, SIZE))
    assert next(loop.parameters()).device.type == "cuda"
    assert [*numbers["milliseconds"]] == ["1", "64", "4096"]
    assert [*numbers["on_cpu"]["milliseconds"]] == ["1", "64"]
    assert (numbers["cuda_graph"], numbers["not_captured"]) == (True, {})
    assert numbers["device"] == torch.cuda.get_device_name()
    assert torch.backends.cudnn.allow_tf32, "only the timing is without TF32"
