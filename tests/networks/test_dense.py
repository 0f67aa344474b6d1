"""The quick way of a fully connected layer against torch's."""

import pytest
import torch
from torch import nn

from handbench.networks import dense
from handbench.networks.dense import Dense


def make_pair(inputs: int, outputs: int) -> tuple[Dense, nn.Linear]:
    torch.manual_seed(0)
    layer, plain = Dense(inputs, outputs), nn.Linear(inputs, outputs)
    plain.load_state_dict(layer.state_dict())
    return layer, plain


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each time that the kernel is used."""
    made: list[int] = []
    kernel = dense._multiply

    def count(*given: object) -> None:
        made.append(1)
        kernel(*given)

    monkeypatch.setattr(dense, "_multiply", count)
    return made


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 5), (42, 1024), (2048, 1023), (1024, 42)])
def test_a_single_frame_gives_what_torch_gives(inputs: int, outputs: int, calls: list[int]) -> None:
    layer, plain = make_pair(inputs, outputs)
    frame = torch.randn(1, inputs)
    with torch.no_grad():
        torch.testing.assert_close(layer(frame), plain(frame), atol=1e-5, rtol=1e-5)
    assert calls == [1]


def test_a_frame_that_does_not_lie_in_one_piece_is_read_right(calls: list[int]) -> None:
    layer, plain = make_pair(6, 4)
    frame = torch.randn(6, 2).T[:1]
    with torch.inference_mode():
        torch.testing.assert_close(layer(frame), plain(frame), atol=1e-6, rtol=1e-6)
    assert calls == [1]


def test_several_frames_and_gradients_take_torchs_way(calls: list[int]) -> None:
    layer, plain = make_pair(6, 4)
    with torch.no_grad():
        frames = torch.randn(2, 6)
        assert torch.equal(layer(frames), plain(frames))
    frame = torch.randn(1, 6, requires_grad=True)
    assert layer(frame).requires_grad
    assert not calls


def test_numbers_that_are_none_stay_none() -> None:
    """The kernel may sum in any order; it may not suppose that there is no NaN or infinity."""
    layer, _ = make_pair(40, 8)
    frame = torch.zeros(1, 40)
    frame[0, 3] = torch.nan
    with torch.no_grad():
        assert layer(frame).isnan().all()


def test_autocast_leaves_a_single_frame_in_single_precision(calls: list[int]) -> None:
    layer, plain = make_pair(512, 64)
    frame = torch.randn(1, 512)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        given = layer(frame.bfloat16())
    with torch.no_grad():
        torch.testing.assert_close(given, plain(frame.bfloat16().float()), atol=1e-5, rtol=1e-5)
    assert calls == [1]


def test_an_exported_layer_is_torchs_own() -> None:
    """An export that met the kernel would hold the numbers of its example."""
    layer, plain = make_pair(6, 4)
    with torch.no_grad():
        program = torch.export.export(layer, (torch.randn(1, 6),)).module()
        other = torch.randn(1, 6)
        torch.testing.assert_close(program(other), plain(other))
