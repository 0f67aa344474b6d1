"""L-BFGS-B as scipy has it, one frame at a time: the optimiser that feedback15 names (Sec. 4.5), and the reference.

R. Byrd, P. Lu, J. Nocedal, C. Zhu, "A Limited Memory Algorithm for Bound Constrained Optimization", 1995.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import Bounds as ScipyBounds
from scipy.optimize import OptimizeResult, minimize

from handbench.fitting.problem import (
    Bounds,
    DescentSettings,
    Objective,
    Starts,
    Trace,
    evaluate,
    require_start,
)

Vector = Float[np.ndarray, "dims"]


def minimise_with_scipy(
    objective: Objective, start: Starts, bounds: Bounds, settings: DescentSettings | None = None
) -> Trace:
    """The way down of every frame, in float64 vectors; the trace has the precision of the start."""
    settings = settings or DescentSettings()
    start = require_start(start, bounds)
    traces = [minimise_frame(objective, frame, start[frame], bounds, settings) for frame in range(len(start))]
    return Trace(
        torch.cat([trace.points for trace in traces], 1).to(start),
        torch.cat([trace.energies for trace in traces], 1).to(start),
        torch.cat([trace.evaluations for trace in traces]),
        torch.cat([trace.converged for trace in traces]),
    )


def minimise_frame(
    objective: Objective, frame: int, start: Float[torch.Tensor, "dims"], bounds: Bounds, settings: DescentSettings
) -> Trace:
    """One frame's trace; it stands still from where scipy stopped."""
    which = torch.tensor([frame], device=start.device)
    way: list[tuple[Vector, float]] = []

    def differentiate(point: Vector) -> tuple[float, Vector]:
        placed = torch.from_numpy(point)[None].to(start.device)
        energy, gradient = evaluate(objective, placed, which, at_start=not way)
        if not way:
            way.append((point.copy(), float(energy)))
        return float(energy), gradient[0].cpu().numpy()

    def record(intermediate_result: OptimizeResult) -> None:
        way.append((intermediate_result.x.copy(), float(intermediate_result.fun)))

    result = minimize(
        differentiate,
        start.double().cpu().numpy(),
        method="L-BFGS-B",
        jac=True,
        bounds=ScipyBounds(bounds.low.double().cpu().numpy(), bounds.high.double().cpu().numpy()),
        callback=record,
        options={
            "maxiter": settings.iterations,
            "maxcor": settings.memory,
            "gtol": settings.gradient_tolerance,
            "ftol": settings.energy_tolerance,
            "maxls": settings.trials,
        },
    )
    way += [way[-1]] * (settings.iterations + 1 - len(way))
    return Trace(
        torch.from_numpy(np.stack([point for point, _ in way])[:, None]),
        torch.tensor([[energy] for _, energy in way], dtype=torch.float64),
        torch.tensor([result.nfev]),
        torch.tensor([bool(result.success)]),
    )
