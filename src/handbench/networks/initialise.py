"""Starting weights. Under torch's own start a signal shrinks in every ReLU layer, and deep networks learned nothing."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

LAST_LAYER_SHARE = 0.1
"""Of the spread that keeps a signal's size. Outputs start near zero: an updater starts by leaving poses alone."""


def initialise_layers(network: nn.Module, *, last: Sequence[nn.Module], seed: int, gain: float = math.sqrt(2)) -> None:
    """He's normal start for every layer of weights, a small one for the layers within `last`, biases zero.

    The gain of 1 gives the start that was usual before He's: a signal halves in every ReLU layer.
    """
    generator = torch.Generator().manual_seed(seed)
    small = {id(module) for layer in last for module in layer.modules()}
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            share = LAST_LAYER_SHARE if id(module) in small else gain
            _fill_normal(module.weight, share / math.sqrt(count_inputs(module)), generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def count_inputs(layer: nn.Linear | nn.Conv2d | nn.ConvTranspose2d) -> float:
    """Numbers that one output adds up; of unpooled maps three in four are zeros, which add nothing."""
    if isinstance(layer, nn.Linear):
        return float(layer.in_features)
    taps = layer.in_channels * math.prod(layer.kernel_size)
    return taps / math.prod(layer.stride) if isinstance(layer, nn.ConvTranspose2d) else float(taps)


def _fill_normal(weight: Tensor, spread: float, generator: torch.Generator) -> None:
    with torch.no_grad():
        weight.normal_(0.0, spread, generator=generator)
