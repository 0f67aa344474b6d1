"""The Hessian that L-BFGS remembers: the last few steps of every frame and how the gradient changed along them."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Rows = Int[Tensor, "rows"]
Points = Float[Tensor, "rows dims"]


class Curvature:
    """Pairs (s, y) of many frames, the newest last; a frame that has fewer holds zeros, which change nothing."""

    def __init__(self, memory: int, like: Float[Tensor, "frames dims"]) -> None:
        self.steps = like.new_zeros(memory, *like.shape)
        self.changes = like.new_zeros(memory, *like.shape)

    def remember(self, rows: Rows, steps: Points, changes: Points) -> None:
        for kept, new in ((self.steps, steps), (self.changes, changes)):
            kept[:, rows] = torch.cat([kept[1:, rows], new[None]])

    def forget(self, rows: Rows) -> None:
        self.steps[:, rows] = 0
        self.changes[:, rows] = 0

    def knows(self, rows: Rows) -> Bool[Tensor, "rows"]:
        """Whose next step has a length by itself."""
        return self.changes[-1, rows].any(1)

    def solve(self, rows: Rows, gradients: Points, free: Bool[Tensor, "rows dims"]) -> Points:
        """H g among the coordinates that are free: the two-loop recursion on the pairs seen in that subspace.

        What a pair says there is used where its curvature is positive; so H is positive definite whatever is free.
        """
        steps, changes = self.steps[:, rows] * free, self.changes[:, rows] * free
        bend = (steps * changes).sum(-1)
        size = steps.norm(dim=-1) * changes.norm(dim=-1)
        useful = bend > 10 * torch.finfo(bend.dtype).eps * size
        inverse = torch.where(useful, 1 / bend, 0.0)
        scale = torch.ones_like(bend[0])
        left = gradients * free
        shares = []
        for s, y, rho in reversed(list(zip(steps, changes, inverse, strict=True))):
            share = rho * (s * left).sum(-1)
            left = left - share[:, None] * y
            shares.append(share)
        for b, y, use in zip(bend, changes, useful, strict=True):
            scale = torch.where(use, b / y.square().sum(-1), scale)
        left = scale[:, None] * left
        for s, y, rho, share in zip(steps, changes, inverse, reversed(shares), strict=True):
            left = left + (share - rho * (y * left).sum(-1))[:, None] * s
        return left
