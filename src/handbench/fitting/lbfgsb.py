"""L-BFGS in a box, many frames at once: each frame on its own way, all of them in one evaluation a round.

D. Bertsekas, "Projected Newton Methods for Optimization Problems with Simple Constraints", 1982, with the Hessian of
D. Liu, J. Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", 1989.

A coordinate at its wall whose descent leads outside is held; the others take the quasi-Newton step, projected onto
the box and shortened until the energy falls enough (Armijo). In a round every frame still on its way evaluates one
point: some take it and turn, others shorten their step. So no frame waits for another's line search, a frame that
stops costs nothing more, and what a frame does never depends on the frames beside it.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from handbench.fitting.curvature import Curvature
from handbench.fitting.problem import Bounds, DescentSettings, Objective, Starts, Trace, evaluate, require_start

ARMIJO = 1e-4
"""The share of the decrease that the slope promises which a step has to keep."""
SHORTEST, LONGEST = 0.1, 0.5
"""What a step is shortened to: the minimum of the parabola through what is known, within these shares."""

Rows = Int[Tensor, "rows"]
Energies = Float[Tensor, "rows"]
Points = Float[Tensor, "rows dims"]


@torch.no_grad()
def minimise(objective: Objective, start: Starts, bounds: Bounds, settings: DescentSettings | None = None) -> Trace:
    """The way down of every frame, in the precision of the start."""
    ways = _Ways(objective, require_start(start, bounds), bounds, settings or DescentSettings())
    while len(rows := ways.running.nonzero()[:, 0]):
        ways.try_points(rows)
    return ways.trace()


class _Ways:
    """Where every frame stands, which way it looks, and the way it came."""

    def __init__(self, objective: Objective, start: Starts, bounds: Bounds, settings: DescentSettings) -> None:
        self.objective, self.bounds, self.settings = objective, bounds, settings
        self.low, self.high = bounds.low.to(start), bounds.high.to(start)
        frames = len(start)
        every = torch.arange(frames, device=start.device)
        self.points = start.clone()
        self.energies, self.gradients = evaluate(objective, start, every, at_start=True)
        self.curvature = Curvature(settings.memory, start)
        self.directions, self.lengths = torch.zeros_like(start), start.new_ones(frames)
        self.trials, self.taken = every.new_zeros(frames), every.new_zeros(frames)
        self.evaluations = every.new_ones(frames)
        self.converged = self.find_slopes(every).abs().amax(1) <= settings.gradient_tolerance
        self.running = ~self.converged & (settings.iterations > 0)
        self.passed = start.new_empty(settings.iterations + 1, *start.shape)
        self.passed_energies = start.new_empty(settings.iterations + 1, frames)
        self.passed[0], self.passed_energies[0] = self.points, self.energies
        self.turn(every)

    def find_slopes(self, rows: Rows) -> Points:
        """The gradient as far as the walls leave room to follow it."""
        points, gradients = self.points[rows], self.gradients[rows]
        return points - (points - gradients).clamp(self.low, self.high)

    def turn(self, rows: Rows) -> None:
        """Look along the quasi-Newton step, or straight down where that leads up."""
        points, gradients = self.points[rows], self.gradients[rows]
        free = ~self.find_blocked(points, -gradients)
        directions = -self.curvature.solve(rows, gradients, free)
        # Some look through their wall only now: without them the others have another minimum.
        free &= ~self.find_blocked(points, directions)
        directions = -self.curvature.solve(rows, gradients, free)
        directions = torch.where(self.find_blocked(points, directions), 0.0, directions)
        plain = torch.where(self.find_blocked(points, -gradients), 0.0, -gradients)
        steep = (directions * gradients).sum(1) < 0
        self.directions[rows] = torch.where(steep[:, None], directions, plain)
        known = steep & self.curvature.knows(rows)
        norm = self.directions[rows].norm(dim=1)
        self.lengths[rows] = torch.where(known, 1.0, 1 / norm.clamp(min=1))
        self.trials[rows] = 0

    def find_blocked(self, points: Points, directions: Points) -> Bool[Tensor, "rows dims"]:
        return ((points <= self.low) & (directions < 0)) | ((points >= self.high) & (directions > 0))

    def try_points(self, rows: Rows) -> None:
        """One point of each of these frames: take it where it lies low enough."""
        tried = self.points[rows] + self.lengths[rows, None] * self.directions[rows]
        tried = tried.clamp(self.low, self.high)
        energies, gradients = evaluate(self.objective, tried, rows, at_start=False)
        self.evaluations[rows] += 1
        promised = (self.gradients[rows] * (tried - self.points[rows])).sum(1)
        lower = (promised < 0) & (energies <= self.energies[rows] + ARMIJO * promised)
        self.take(rows[lower], tried[lower], energies[lower], gradients[lower])
        self.shorten(rows[~lower], promised[~lower], energies[~lower])

    def take(self, rows: Rows, points: Points, energies: Energies, gradients: Points) -> None:
        """Stand at the new points; go on where that was worth while."""
        self.curvature.remember(rows, points - self.points[rows], gradients - self.gradients[rows])
        little = self.is_little(rows, self.energies[rows] - energies)
        self.points[rows], self.energies[rows], self.gradients[rows] = points, energies, gradients
        self.taken[rows] += 1
        self.passed[self.taken[rows], rows] = points
        self.passed_energies[self.taken[rows], rows] = energies
        level = self.find_slopes(rows).abs().amax(1) <= self.settings.gradient_tolerance
        self.converged[rows] = little | level
        self.running[rows] = ~self.converged[rows] & (self.taken[rows] < self.settings.iterations)
        self.turn(rows[self.running[rows]])

    def is_little(self, rows: Rows, decrease: Energies) -> Bool[Tensor, "rows"]:
        return decrease <= self.settings.energy_tolerance * self.energies[rows].abs().clamp(min=1)

    def shorten(self, rows: Rows, promised: Energies, energies: Energies) -> None:
        """A shorter step the same way; at its end, straight down once more, and then no further."""
        excess = energies - self.energies[rows] - promised
        share = (-promised / (2 * excess)).nan_to_num(SHORTEST).clamp(SHORTEST, LONGEST)
        self.lengths[rows] *= share
        little = self.is_little(rows, -promised)
        # A whole step that promises little is an end; a shortened one that does is only the end of this direction.
        level = little & (self.trials[rows] == 0)
        self.trials[rows] += 1
        ended = little | (self.trials[rows] >= self.settings.trials)
        again = ended & self.curvature.knows(rows)
        stopped = rows[ended & ~again]
        self.running[stopped], self.converged[stopped] = False, level[ended & ~again]
        self.curvature.forget(rows[again])
        self.turn(rows[again])

    def trace(self) -> Trace:
        steps = torch.arange(len(self.passed), device=self.taken.device)[:, None]
        # A frame that stopped stands at its last point.
        steps, frames = steps.minimum(self.taken), torch.arange(len(self.taken), device=self.taken.device)
        return Trace(self.passed[steps, frames], self.passed_energies[steps, frames], self.evaluations, self.converged)
