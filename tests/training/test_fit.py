"""A Lightning training that is killed goes on and ends with the very same numbers."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from pytorch_lightning import LightningModule
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from handbench.training.fit import Fit, has_stopped_falling
from handbench.training.lightning_loop import BatchOrder, run_epochs

EPOCHS, BATCH, FRAMES = 5, 8, 20


class Net(LightningModule):
    """Dropout, noise and an optimizer with a memory and a decaying rate: all that a resume can lose."""

    def __init__(self, interval: str = "step") -> None:
        super().__init__()
        self.interval = interval
        self.layers = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))

    def training_step(self, batch: dict[str, Tensor], index: int) -> Tensor:
        noisy = batch["x"] + 0.1 * torch.randn_like(batch["x"])
        loss = (self.layers(noisy) - batch["y"]).square().mean()
        self.log("loss", loss, on_epoch=True, on_step=False)
        return loss

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.RMSprop(self.parameters(), lr=0.01, momentum=0.5)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": decay, "interval": self.interval}}


def make_data() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {"x": torch.randn(FRAMES, 6, generator=generator), "y": torch.randn(FRAMES, 2, generator=generator)}


def train(folder: Path, *, stop_after: int | None = None) -> tuple[dict[str, Tensor], dict[int, float]]:
    """Train in a folder; `stop_after` kills this process with -9 as soon as an epoch has been told."""
    lines: dict[int, float] = {}

    def log(metrics: Mapping[str, float], step: int) -> None:
        lines[step] = metrics["loss"]
        if step == stop_after:
            signal.raise_signal(signal.SIGKILL)

    torch.manual_seed(0)
    net = Net()
    history = run_epochs(net, make_data(), epochs=EPOCHS, batch=BATCH, seed=7, place=folder, tell=log)
    (folder / "history.json").write_text(json.dumps([metrics["loss"] for metrics in history]))
    return {name: value.detach().clone() for name, value in net.state_dict().items()}, lines


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Tensor], dict[int, float]]:
    return train(tmp_path_factory.mktemp("whole"))


def test_an_epoch_is_told_once(whole: tuple[dict[str, Tensor], dict[int, float]]) -> None:
    assert list(whole[1]) == list(range(EPOCHS))
    assert whole[1][EPOCHS - 1] < whole[1][0]


def test_killed_after_each_epoch_it_ends_in_the_same_numbers(
    whole: tuple[dict[str, Tensor], dict[int, float]], tmp_path: Path
) -> None:
    """Every process dies one epoch further on, by a real -9; told before saved, so that epoch is done again."""
    for last in (0, 1, 3, 4):
        done = subprocess.run([sys.executable, __file__, str(tmp_path), str(last)], capture_output=True, text=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
    done = subprocess.run([sys.executable, __file__, str(tmp_path), "-1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "history.json").read_text()) == [whole[1][epoch] for epoch in range(EPOCHS)]
    lines = {int(step): loss for step, loss in json.loads((tmp_path / "lines.json").read_text()).items()}
    assert list(lines) == list(range(EPOCHS)), "those of the processes before it are told again"
    assert lines[4] == whole[1][4]
    resumed = load_file(tmp_path / "weights.safetensors")
    assert all(torch.equal(value, whole[0][name]) for name, value in resumed.items())


def test_killed_after_its_last_epoch_it_has_the_same_numbers_to_tell(
    whole: tuple[dict[str, Tensor], dict[int, float]], tmp_path: Path
) -> None:
    """All that is left to do is to save: Lightning starts no training, and still nothing may be lost."""
    train(tmp_path)
    weights, lines = train(tmp_path)
    assert lines == whole[1]
    assert all(torch.equal(value, whole[0][name]) for name, value in weights.items())
    fit = Fit(7, tmp_path / "fit", lambda metrics, step: None)
    fit.fit(Net(), make_data(), epochs=EPOCHS, batch=BATCH)
    again = Fit(7, tmp_path / "fit", lambda metrics, step: None)
    again.fit(Net(), make_data(), epochs=EPOCHS, batch=BATCH)
    assert again.shown == fit.shown
    assert again.converged is fit.converged is None


@pytest.mark.parametrize(
    ("errors", "stopped"),
    [
        ([30, 20, 15, 12, 11, 10.5, 10.2, 10.1, 10.0, 10.0, 10.0, 9.95], True),
        ([30, 20, 15, 12, 11, 10.5, 10.2, 10.1, 10.0, 9.9, 9.6, 9.3], False),
        ([10.0] * 9, False),
        ([20 - epoch for epoch in range(15)], False),
        ([10, 9, 8, 8, 8, 8, 8, 8, 8, 12], True),
    ],
)
def test_when_an_error_has_stopped_falling(errors: list[float], stopped: bool) -> None:
    assert has_stopped_falling([float(error) for error in errors]) is stopped


def test_nothing_is_left_once_it_is_forgotten(tmp_path: Path) -> None:
    fit = Fit(0, tmp_path, lambda metrics, step: None)
    fit.fit(Net(), make_data(), epochs=1, batch=BATCH)
    assert list(tmp_path.rglob("epoch.ckpt"))
    fit.forget()
    assert list(tmp_path.iterdir()) == []


def test_products_may_be_half_as_long_and_weights_stay_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[torch.dtype] = []
    net = Net()
    net.layers.register_forward_hook(lambda layer, inputs, answer: seen.append(answer.dtype))
    fit = Fit(0, tmp_path, lambda metrics, step: None)
    fit.fit(net, make_data(), epochs=1, batch=BATCH, precision="bfloat16")
    assert set(seen) == {torch.bfloat16}
    assert {value.dtype for value in net.parameters()} == {torch.float32}
    assert capsys.readouterr().err.startswith("epoch 1 of 1: loss ")


def test_a_rate_that_a_resume_would_lose_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Net: its learning rate must be scheduled by step"):
        Fit(0, tmp_path, lambda metrics, step: None).fit(Net("epoch"), make_data(), epochs=1, batch=BATCH)


def test_what_was_begun_under_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    def fit(key: str, epochs: int) -> tuple[list[int], dict[str, Tensor]]:
        told: list[int] = []
        torch.manual_seed(0)
        net = Net()
        Fit(3, tmp_path, lambda metrics, step: told.append(step), key=key).fit(
            net, make_data(), epochs=epochs, batch=BATCH
        )
        return told, {name: value.clone() for name, value in net.state_dict().items()}

    fit("rate 0.01", 4)
    told, weights = fit("rate 0.02", 2)
    assert told == [0, 1], "from the beginning"
    assert [path.name for path in (tmp_path / "resume").iterdir()] == ["rate 0.02"]
    (tmp_path / "resume" / "rate 0.02" / "1" / "epoch.ckpt").write_bytes(b"torn")
    told, again = fit("rate 0.02", 2)
    assert told == [0, 1]
    assert all(torch.equal(value, again[name]) for name, value in weights.items())


def test_every_epoch_has_its_own_order_and_every_seed_its_own() -> None:
    def rows(seed: int, epoch: int) -> list[int]:
        order = BatchOrder(FRAMES, BATCH, seed)
        order.ask_epoch = lambda: epoch
        batches = list(order)
        assert [len(batch) for batch in batches] == [8, 8]
        assert len(order) == 2
        return torch.cat(batches).tolist()

    assert rows(0, 1) == rows(0, 1)
    assert len({tuple(rows(seed, epoch)) for seed in range(3) for epoch in range(4)}) == 12
    assert len(set(rows(0, 0))) == 16, "no frame twice"


def test_fewer_frames_than_a_batch_are_one_batch() -> None:
    assert [len(batch) for batch in BatchOrder(3, 64, 0)] == [3]


def test_an_epoch_of_a_number_of_steps_sees_frames_again_or_leaves_some_out() -> None:
    # Two whole batches a pass, in a new order each time.
    batches = list(BatchOrder(FRAMES, BATCH, 0, 5))
    assert [len(batch) for batch in batches] == [8] * 5
    assert len(BatchOrder(FRAMES, BATCH, 0, 5)) == 5
    passes = [torch.cat(batches[first : first + 2]).tolist() for first in (0, 2, 4)]
    assert [len(set(one)) for one in passes] == [16, 16, 8]
    assert passes[0] != passes[1]
    assert torch.equal(torch.cat(list(BatchOrder(FRAMES, BATCH, 0))), torch.cat(batches[:2]))
    assert torch.equal(next(iter(BatchOrder(FRAMES, BATCH, 0, 1))), batches[0])
    assert [len(batch) for batch in BatchOrder(3, 64, 0, 4)] == [3] * 4


if __name__ == "__main__":
    folder, last = Path(sys.argv[1]), int(sys.argv[2])
    weights, told = train(folder, stop_after=last if last >= 0 else None)
    save_file(weights, folder / "weights.safetensors")
    (folder / "lines.json").write_text(json.dumps(told))
