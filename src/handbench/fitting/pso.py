"""Particle swarm optimisation in a box, many frames at once.

J. Kennedy, R. Eberhart, "Particle Swarm Optimization", 1995, with the constriction of
M. Clerc, J. Kennedy, "The Particle Swarm - Explosion, Stability, and Convergence", 2002.

    v <- w v + c1 r1 (own best - x) + c2 r2 (swarm's best - x);   x <- x + v

At a wall a particle stops: its coordinate is put on the wall and that velocity becomes zero. With its velocity kept
it would lean on the wall for generations; thrown back or let in at the other side it leaves where minima with a bound
in effect are.

All frames of a call share their random numbers. Each by itself is the same swarm, costs no numbers of its own, and
finds the same whatever frames are beside it; only the luck of frames is not independent.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.errors import BadInput
from handbench.fitting.problem import (
    Bounds,
    Starts,
    SwarmObjective,
    Trace,
    require_energies,
    require_start,
)

INERTIA = 0.7298
"""Clerc and Kennedy's chi = 2 / |2 - phi - sqrt(phi^2 - 4 phi)| at their own phi = 4.1: from just above 4 on, a swarm
contracts without a limit on its velocities."""
COGNITIVE = SOCIAL = INERTIA * 4.1 / 2
"""Both attractions alike, chi phi / 2 = 1.496 each."""

Swarm = Float[Tensor, "frames particles dims"]


@dataclass(frozen=True)
class SwarmSettings:
    """The size of the search; 64 by 40 is what the benchmark counts."""

    particles: int = 64
    generations: int = 40


def search(
    objective: SwarmObjective,
    start: Starts,
    spread: Float[Tensor, "dims"],
    bounds: Bounds,
    generator: torch.Generator,
    settings: SwarmSettings | None = None,
) -> Trace:
    """The best point of every frame's swarm after each generation, first of the start alone.

    The first particle is the start, the others lie normally around it with the standard deviation `spread`. A
    generation evaluates every particle once.
    """
    settings = settings or SwarmSettings()
    start = require_start(start, bounds)
    particles = settings.particles
    if particles < 1 or settings.generations < 1:
        raise BadInput("swarm", expected="particles and generations", found=str(settings), fix="use at least one")
    swarm = _Swarm(bounds, scatter(start, spread, bounds, generator, particles))
    frames = torch.arange(len(start), device=start.device)
    points: list[Tensor] = [start]
    energies: list[Tensor] = []
    for generation in range(settings.generations):
        if generation:
            swarm.move(generator)
        found = objective(swarm.points)
        require_energies(found, frames, at_start=False)
        if not generation:
            require_energies(found[:, 0], frames, at_start=True)
            energies.append(found[:, 0].clone())
        swarm.judge(found)
        points.append(swarm.best.clone())
        energies.append(swarm.best_energies.clone())
    count = torch.full((len(start),), particles * settings.generations, device=start.device)
    return Trace(torch.stack(points), torch.stack(energies), count, torch.zeros_like(count, dtype=torch.bool))


def scatter(
    start: Starts, spread: Float[Tensor, "dims"], bounds: Bounds, generator: torch.Generator, particles: int
) -> Swarm:
    """Particles around each start, the first on it."""
    shape = (particles, start.shape[1])
    shifts = torch.randn(shape, generator=generator, dtype=start.dtype, device=start.device) * spread.to(start)
    shifts[0] = 0
    return bounds.clamp(start[:, None] + shifts)


class _Swarm:
    """Where the particles are and move, and the best that each and all of them have seen."""

    def __init__(self, bounds: Bounds, points: Swarm) -> None:
        self.low, self.high = bounds.low.to(points), bounds.high.to(points)
        self.points, self.velocities = points, torch.zeros_like(points)
        self.own, self.own_energies = points.clone(), points.new_full(points.shape[:2], torch.inf)
        self.best, self.best_energies = points[:, 0].clone(), points.new_full(points.shape[:1], torch.inf)

    def judge(self, energies: Float[Tensor, "frames particles"]) -> None:
        """Keep what is better than before; among equals the earlier, then the first."""
        lower = energies < self.own_energies
        self.own = torch.where(lower[..., None], self.points, self.own)
        self.own_energies = torch.where(lower, energies, self.own_energies)
        lowest = energies.amin(1)
        first = (energies == lowest[:, None]).to(torch.uint8).argmax(1)
        leads = lowest < self.best_energies
        leaders = self.points[torch.arange(len(first), device=first.device), first]
        self.best = torch.where(leads[:, None], leaders, self.best)
        self.best_energies = torch.where(leads, lowest, self.best_energies)

    def move(self, generator: torch.Generator) -> None:
        """One step of every particle, none of them through a wall."""
        like = self.points
        to_own, to_best = torch.rand((2, *like.shape[1:]), generator=generator, dtype=like.dtype, device=like.device)
        self.velocities *= INERTIA
        self.velocities.addcmul_(COGNITIVE * to_own, self.own - self.points)
        self.velocities.addcmul_(SOCIAL * to_best, self.best[:, None] - self.points)
        ahead = self.points + self.velocities
        self.points = ahead.clamp(self.low, self.high)
        self.velocities *= self.points == ahead
