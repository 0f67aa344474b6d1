"""What holds for every network: shapes, sizes, gradients, a start from a seed, files, export."""

import math
from itertools import pairwise

import pytest
import torch
from network_builders import BUILDERS, JOINTS, make_inputs, make_layer, output_shape
from safetensors.torch import load_file, save_file

from handbench.errors import BadInput
from handbench.networks.deepmodel import DeepModel
from handbench.networks.deepprior_plus import Bottleneck
from handbench.networks.localizer import Localizer
from handbench.networks.synthesizer import START_DEPTH

NAMES = list(BUILDERS)


@pytest.mark.parametrize("size_px", [64, 128])
@pytest.mark.parametrize("name", NAMES)
def test_shapes(name, size_px):
    with torch.no_grad():
        output = BUILDERS[name](size_px).eval()(*make_inputs(name, 2, size_px))
    assert output.shape == output_shape(name, 2, size_px)
    assert output.isfinite().all()


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("synthesizer")])
def test_every_multiple_of_eight_fits(name):
    with torch.no_grad():
        assert BUILDERS[name](72).eval()(*make_inputs(name, 1, 72)).shape == output_shape(name, 1, 72)


@pytest.mark.parametrize("name", NAMES)
def test_other_sizes_are_refused_in_one_line(name):
    with pytest.raises(BadInput, match=r"patch size.*found 100; use 64 or 128"):
        BUILDERS[name](100)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter_of_the_output(name):
    network = BUILDERS[name](64)
    output = network(*make_inputs(name, 4, 64))
    (output - 1).square().mean().backward()
    unreached = {key for key, value in network.named_parameters() if value.grad is None}
    assert all(key.startswith(("images.0.", "images.1.", "images.2.")) for key in unreached)
    for key, value in network.named_parameters():
        assert key in unreached or (value.grad.isfinite().all() and value.grad.abs().max() > 0), key


def count(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


HAND = 3 * JOINTS
DENSE = (64 // 8) ** 2 * 8 * 1024 + 1024 + 1024 * 1024 + 1024
THREE = (8 * 25 + 8) + (8 * 8 * 25 + 8) + (8 * 8 * 9 + 8)
PATH = 3 * (32 * 32 * 25 + 32)


def by_hand_bottleneck(inputs: int, outputs: int) -> int:
    inner = outputs // 4
    convolutions = inputs * inner + inner * inner * 9 + inner * outputs
    shortcut = 0 if inputs == outputs else inputs * outputs
    return convolutions + shortcut + 2 * inputs + 2 * inner + 2 * inner


RESIDUAL = (
    sum(by_hand_bottleneck(i, o) for i, o in [(32, 64), (64, 128), (128, 256)])
    + 4 * by_hand_bottleneck(64, 64)
    + 4 * by_hand_bottleneck(128, 128)
    + 9 * by_hand_bottleneck(256, 256)
)


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("predictor", 8 * 25 + 8 + 8 * 16 * 16 * 1024 + 1024 + 1024 * HAND + HAND),
        ("deepprior", THREE + DENSE + 1024 * 30 + 30 + 30 * HAND + HAND),
        ("localizer", THREE + DENSE + 1024 * 3 + 3),
        ("point-predictor", THREE + DENSE + 1024 * HAND + HAND),
        ("deepmodel", THREE + (4 * 4 * 8 + 1) * 1024 + 1025 * 1024 + 1025 * 26),
        ("deepmodel-joint", THREE + (4 * 4 * 8 + 1) * 1024 + 1025 * 1024 + 1025 * HAND),
        (
            "deepprior++",
            (32 * 25 + 32)
            + RESIDUAL
            + 512
            + (256 * 16 * 1024 + 1024)
            + (1024 * 1024 + 1024)
            + 30750
            + 30 * HAND
            + HAND,
        ),
        (
            "synthesizer-2015",
            (HAND + 1) * 1024 + 2 * 1025 * 1024 + 1025 * 2048 + 3 * (32 * 32 * 25 + 32) + 4 * (32 * 25 + 1),
        ),
        (
            "updater-2015",
            (32 * 25 + 32) + PATH + (2 * 32 * 16 + 1) * 1024 + 1025 * 1024 + 1025 * HAND,
        ),
        (
            "updater-2019",
            (2 * 32 * 25 + 32) + PATH + (32 * 16 + 1) * 1024 + 1025 * 1024 + 1025 * HAND,
        ),
    ],
)
def test_parameters_counted_by_hand(name, by_hand):
    assert count(BUILDERS[name](64)) == by_hand


@pytest.mark.parametrize(("size_px", "cells", "told"), [(64, 4, 1_213_821), (128, 12, 2_262_397)])
def test_a_palm_by_six_numbers_takes_three_outputs_more(size_px, cells, told):
    """As the module `deepmodel` is configured; 3,075 parameters more than with three angles."""
    network = DeepModel(make_layer(), size_px, palm_numbers=6)
    by_hand = THREE + (cells * cells * 8 + 1) * 1024 + 1025 * 1024 + 1025 * 29
    assert count(network) == by_hand == told == count(BUILDERS["deepmodel"](size_px)) + 3075


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_the_start(name):
    torch.manual_seed(1)
    first = BUILDERS[name](64, seed=3).state_dict()
    torch.manual_seed(2)
    again = BUILDERS[name](64, seed=3).state_dict()
    other = BUILDERS[name](64, seed=4).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_safetensors_round_trip(name, tmp_path):
    network, inputs = BUILDERS[name](64).eval(), make_inputs(name, 2, 64)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    copy = BUILDERS[name](64, seed=9).eval()
    copy.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    with torch.no_grad():
        assert torch.equal(network(*inputs), copy(*inputs))


@pytest.mark.parametrize("name", NAMES)
def test_export_gives_the_same_numbers(name):
    network, inputs = BUILDERS[name](64).eval(), make_inputs(name, 2, 64)
    with torch.no_grad():
        exported = torch.export.export(network, inputs).module()
        assert torch.allclose(exported(*inputs), network(*inputs), atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_an_output_does_not_depend_on_its_batch(name):
    network, inputs = BUILDERS[name](64).eval(), make_inputs(name, 3, 64)
    with torch.no_grad():
        together, alone = network(*inputs)[1:2], network(*(value[1:2] for value in inputs))
    assert float((together - alone).abs().max()) <= 1e-4 * float(together.abs().max())


def test_a_signal_keeps_its_size_through_he_layers():
    network = BUILDERS["synthesizer-2015"](64)
    with torch.no_grad():
        features = make_inputs("synthesizer-2015", 32, 64)[0].flatten(1) * 2
        for layer in network.dense:
            features = layer(features).relu()
        maps = features.unflatten(1, (32, 8, 8))
        sizes = [float(maps.square().mean())]
        for enlarge in network.enlarge:
            maps = enlarge(maps)
            sizes.append(float(maps.square().mean()))
    assert all(0.5 < after / before < 2 for before, after in pairwise(sizes))


def test_outputs_start_small():
    """Near no correction, the mean pose, a flat hand, an empty image: tanh makes 0.76 of the background's 1."""
    empty = {"synthesizer-2015": START_DEPTH, "synthesizer-2019": math.tanh(START_DEPTH)}
    empty["deepmodel"] = make_layer()(torch.zeros(1, 26))
    for name in NAMES:
        with torch.no_grad():
            output = BUILDERS[name](64)(*make_inputs(name, 8, 64)) - empty.get(name, 0.0)
        assert 0 < float(output.square().mean().sqrt()) < 0.4, name


def test_a_bottleneck_halves_where_the_filters_change():
    maps = torch.rand(1, 8, 6, 6)
    assert Bottleneck(8, 16)(maps).shape == (1, 16, 3, 3)
    assert Bottleneck(8, 8)(maps).shape == (1, 8, 6, 6)


def test_dropout_acts_in_training_only():
    network, (images,) = BUILDERS["deepprior++"](64), make_inputs("deepprior++", 2, 64)
    with torch.no_grad():
        network(images)
        assert not torch.equal(network(images), network(images))
        network.eval()
        assert torch.equal(network(images), network(images))


def test_a_siamese_updater_shares_its_path():
    network, (observed, synthesized) = BUILDERS["updater-2015"](64), make_inputs("updater-2015", 2, 64)
    with torch.no_grad():
        before = network(observed, synthesized)
        network.hidden_1.weight.copy_(network.hidden_1.weight.unflatten(1, (2, -1)).flip(1).flatten(1))
        assert torch.allclose(network(synthesized, observed), before, atol=1e-6)


@pytest.mark.parametrize("name", ["updater-2015", "updater-2015-pooling"])
def test_a_siamese_updater_starts_with_the_difference_of_its_images(name):
    network, (observed, synthesized) = BUILDERS[name](64), make_inputs(name, 2, 64)
    with torch.no_grad():
        assert float(network(observed, observed).abs().max()) < 1e-6
        assert float(network(observed, synthesized).abs().max()) > 1e-3


def draw_discs(count: int) -> torch.Tensor:
    """Slanted discs in front of the background, by chance, as large as a hand."""
    by_chance = torch.Generator().manual_seed(0)
    places, depths = torch.rand(count, 2, 1, 1, generator=by_chance) * 30 - 15, torch.rand(count, generator=by_chance)
    rows, columns = torch.meshgrid(torch.arange(64.0) - 31.5, torch.arange(64.0) - 31.5, indexing="ij")
    inside = (rows - places[:, 0]) ** 2 + (columns - places[:, 1]) ** 2 < 15**2
    return torch.where(inside, depths[:, None, None] - 0.5 + rows / 100, 1.0)[:, None]


@pytest.mark.parametrize("seed", range(10))
def test_no_map_of_a_deepmodel_is_off_from_the_start(seed):
    """As they are drawn, filters fail with 5 of these 10 seeds."""
    network, seen = BUILDERS["deepmodel"](64, seed).eval(), {}
    network.convolution_3.register_forward_hook(lambda _module, _inputs, maps: seen.update(maps=maps))
    network.hidden_1.register_forward_hook(lambda _module, _inputs, units: seen.update(units=units))
    with torch.no_grad():
        network(draw_discs(64))
    assert (seen["maps"] > 0).any(dim=0).flatten(1).any(dim=1).all()
    assert (seen["units"] > 0).any(dim=0).float().mean() > 0.85


def test_a_predictor_learns_a_batch():
    torch.manual_seed(0)
    # Coarse patterns: pixels of noise look alike after pooling.
    network, images = BUILDERS["predictor"](64), torch.rand(16, 1, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    joints = torch.randn(16, JOINTS, 3) / 3
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    losses = []
    for _ in range(80):
        optimiser.zero_grad()
        loss = (network(images) - joints).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 10


def test_a_localizer_needs_no_joints():
    assert count(Localizer(128)) > count(Localizer(64))
