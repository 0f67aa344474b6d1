"""Problems whose minima are known, in the form that the optimisers take."""

import torch
from torch import Tensor

from handbench.fitting.energy import ImageEnergy
from handbench.fitting.problem import Objective
from handbench.networks.synthesizer import Synthesizer

JOINTS, SIZE_PX = 4, 16


def make_quadratics(frames: int, dims: int, seed: int = 0) -> Objective:
    """x A x / 2 - b x, a convex A and b of its own for every frame; minima lie far outside of the unit cube."""
    generator = torch.Generator().manual_seed(seed)
    roots = torch.randn(frames, dims, dims, generator=generator, dtype=torch.float64)
    hessians = roots @ roots.mT / dims + 0.05 * torch.eye(dims)
    pulls = 1.5 * torch.randn(frames, dims, generator=generator, dtype=torch.float64)

    def differentiate(points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        curved = (hessians[rows].to(points) * points[:, None]).sum(2)
        pull = pulls[rows].to(points)
        return (points * (curved / 2 - pull)).sum(1), curved - pull

    return differentiate


def rosenbrock(points: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
    """The banana valley in the plane: the minimum, zero, at (1, 1)."""
    x, y = points.T
    across = y - x.square()
    gradients = torch.stack([-400 * x * across - 2 * (1 - x), 200 * across], 1)
    return 100 * across.square() + (1 - x).square(), gradients


def swarm_of(objective: Objective) -> object:
    """The energies of an objective for all particles of all frames."""

    def measure(swarm: Tensor) -> Tensor:
        frames = torch.arange(len(swarm)).repeat_interleave(swarm.shape[1])
        return objective(swarm.flatten(0, 1), frames)[0].unflatten(0, swarm.shape[:2])

    return measure


def make_images(frames: int) -> tuple[ImageEnergy, Tensor, Tensor]:
    """Images that a synthesizer drew, their noise, the poses they show, and poses to start from nearby."""
    generator = torch.Generator().manual_seed(3)
    network = Synthesizer(JOINTS, SIZE_PX, tanh=False, filters=4, hidden=64)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.1 * torch.randn(weights.shape, generator=generator))
        truth = torch.rand(frames, JOINTS, 3, generator=generator) * 1.6 - 0.8
        depth = network(truth)
    noise = 0.05 * depth.std() * torch.randn(depth.shape, generator=generator)
    start = truth + 0.3 * torch.randn(truth.shape, generator=generator)
    return ImageEnergy(network, depth + noise), truth.flatten(1), start.flatten(1)
