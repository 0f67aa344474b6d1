"""What every optimiser here takes and gives: an objective over many frames, a box, and the trace of the way down.

A frame is one problem of `dims` numbers; frames know nothing of one another. Poses go in flattened,
`joints.flatten(1)`, and come out of a trace by `trace.points.unflatten(2, (-1, 3))`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from handbench.errors import BadInput

Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(points: rows x dims, frames: rows) to (energies: rows, gradients: rows x dims); `frames` says whose each point is.
"""
SwarmObjective = Callable[[Tensor], Tensor]
"""(frames x particles x dims) to (frames x particles)."""

Starts = Float[Tensor, "frames dims"]


@dataclass(frozen=True)
class Bounds:
    """A box, walls included; infinite where a number is free."""

    low: Float[Tensor, "dims"]
    high: Float[Tensor, "dims"]

    def __post_init__(self) -> None:
        if not bool((self.low <= self.high).all()):
            raise BadInput("bounds", expected="low <= high", found="a wall beyond the other", fix="swap or mend them")

    def clamp(self, points: Float[Tensor, "*batch dims"]) -> Float[Tensor, "*batch dims"]:
        return points.clamp(self.low.to(points), self.high.to(points))


def bound_by_cube(joints: int) -> Bounds:
    """Every coordinate of every joint inside the hand's cube (Sec. 4.5 of feedback15)."""
    return Bounds(-torch.ones(3 * joints), torch.ones(3 * joints))


@dataclass(frozen=True)
class DescentSettings:
    """How far L-BFGS goes; scipy's own defaults but for the number of iterations.

    Tolerances are in the units of the energy: a constant factor in front of it moves no minimum, yet moves the stop.
    """

    iterations: int = 100
    memory: int = 10
    """Pairs of steps and changes of gradient that stand for the Hessian."""
    gradient_tolerance: float = 1e-5
    """Stop where no coordinate of the projected gradient is larger."""
    energy_tolerance: float = 2.2e-9
    """Stop where an iteration lowers the energy by less than this, as a share of it where it is above 1."""
    trials: int = 20
    """Points to try along one direction."""


@dataclass(frozen=True)
class Trace:
    """The start, clamped into the box, and the best point after each iteration; a frame that stopped stands still."""

    points: Float[Tensor, "steps frames dims"]
    energies: Float[Tensor, "steps frames"]
    evaluations: Int[Tensor, "frames"]
    """How often a frame's energy was computed."""
    converged: Bool[Tensor, "frames"]
    """Stopped by a tolerance: before the last iteration, and not for want of a lower point. A swarm never does."""

    @property
    def start(self) -> Starts:
        return self.points[0]

    @property
    def final(self) -> Starts:
        return self.points[-1]


def require_start(start: Starts, bounds: Bounds) -> Starts:
    """The start within the box."""
    if start.shape[1] != len(bounds.low):
        raise BadInput(
            "fit", expected=f"{len(bounds.low)} numbers a frame", found=f"{start.shape[1]}", fix="flatten the poses"
        )
    if not len(start) or not bool(start.isfinite().all()):
        raise BadInput(
            "fit", expected="frames with finite starts", found="NaN, infinity or no frame", fix="mend the poses"
        )
    return bounds.clamp(start)


def evaluate(
    objective: Objective, points: Starts, frames: Int[Tensor, "frames"], *, at_start: bool
) -> tuple[Float[Tensor, "frames"], Starts]:
    """Energies and gradients that a descent can use; where an energy is infinite its gradient may be anything."""
    energies, gradients = objective(points, frames)
    require_energies(energies, frames, at_start=at_start)
    usable = gradients.isfinite().all(1) | energies.isinf()
    if not bool(usable.all()):
        raise _refuse("a gradient that is a number", frames[~usable])
    return energies.to(points), gradients.to(points)


def require_energies(
    energies: Float[Tensor, "frames *particles"], frames: Int[Tensor, "frames"], *, at_start: bool
) -> None:
    """No NaN; an energy may be infinite where a point was only tried, never at a start."""
    wrong = (~energies.isfinite() if at_start else energies.isnan()).reshape(len(frames), -1).any(1)
    if bool(wrong.any()):
        raise _refuse("an energy that is a number" + (" at the start" if at_start else ""), frames[wrong])


def _refuse(expected: str, frames: Int[Tensor, "some"]) -> BadInput:
    shown = ", ".join(str(frame) for frame in frames[:5].tolist())
    return BadInput(
        "fit",
        expected=expected,
        found=f"NaN or infinity in frame {shown}",
        fix="mend the objective or the data of these frames",
    )
