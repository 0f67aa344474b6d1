"""The base network of refine: what it sees of a patch, and the turns that it gives."""

import pytest
import torch

from handbench.errors import BadInput
from handbench.networks.refine import ALEXNET, BaseNetwork, count_cells, cut_rim, to_nearness

SMALL = (4, 4, 4, 4, 4)


@pytest.mark.parametrize(("size_px", "seen_px", "cells"), [(64, 60, 4), (128, 120, 8), (32, 30, 2)])
def test_sizes_scale_with_the_patch(size_px: int, seen_px: int, cells: int) -> None:
    network = BaseNetwork(size_px, channels=SMALL).eval()
    assert cut_rim(torch.zeros(2, 1, size_px, size_px), network.rim).shape == (2, 1, seen_px, seen_px)
    assert count_cells(size_px) == cells
    turns = network(torch.rand(3, 1, size_px, size_px) * 2 - 1)
    assert turns.shape == (3, 16, 4)
    torch.testing.assert_close(turns.norm(dim=-1), torch.ones(3, 16))


def test_nearness_by_hand() -> None:
    depth = torch.tensor([-1.0, 0.0, 0.5, 1.0])
    torch.testing.assert_close(to_nearness(depth), torch.tensor([1.0, 0.5, 0.25, 0.0]))


def test_the_rim_is_not_looked_at() -> None:
    network = BaseNetwork(64, channels=SMALL).eval()
    images = torch.rand(1, 1, 64, 64)
    changed = images.clone()
    changed[..., :2, :], changed[..., -2:], changed[..., :2], changed[..., -2:, :] = 0.3, -0.2, 0.9, -1.0
    torch.testing.assert_close(network(images), network(changed))
    changed[..., 2:6, 30] = -1.0
    assert not torch.equal(network(images), network(changed))


def test_the_printed_layers() -> None:
    """One fully connected layer of 4096, dropout that keeps 0.75, 16 quaternions."""
    network = BaseNetwork(128)
    assert (network.hidden.in_features, network.hidden.out_features) == (256 * 64, 4096)
    assert network.output.out_features == 64
    assert network.dropout.p == 0.25
    channels = tuple(getattr(network, f"convolution_{layer}").out_channels for layer in range(1, 6))
    assert channels == ALEXNET


def test_it_starts_near_no_turn_and_by_its_seed() -> None:
    one, same, other = (BaseNetwork(64, channels=SMALL, seed=seed).eval() for seed in (1, 1, 2))
    images = torch.rand(2, 1, 64, 64)
    assert (one(images)[..., 0] > 0.9).all()
    assert torch.equal(one(images), same(images))
    assert not torch.equal(one(images), other(images))


def test_a_size_that_cannot_be_halved_is_refused() -> None:
    with pytest.raises(BadInput, match="refine"):
        BaseNetwork(60)
