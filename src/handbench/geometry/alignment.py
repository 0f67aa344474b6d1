"""Orthogonal Procrustes analysis: the rigid pose whose points lie nearest to given ones (feedback19 Sec. 4.4, [78]).

    M        (batch, 3, 3)  sum over the points of (x - mean x)(y - mean y)^T, y of the template, x as found
    U S V^T  its singular value decomposition
    R        U diag(1, 1, det U V^T) V^T, the proper rotation nearest to M

The gradient is our own. That of the decomposition divides by differences of singular values, and these are zero for
a cube, whose three singular values are alike: NaN in the first step. The rotation itself has no such trouble. With
P = R^T M symmetric, a change dM turns R by R W where W P + P W = R^T dM - dM^T R, which divides by sums of singular
values in the axes V, the last of them negative where M is a mirror image. A sum vanishes only where points do not
determine the turn (all on a line, or mirrored with two equal singular values); there it is held off zero.

Products are written out: where networks train in bfloat16, autocast makes bfloat16 of every matmul, half a millimetre
of a hand's length.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

LEAST_SHARE = 1e-2
"""Of the largest singular value: no sum of two is taken for smaller in the gradient. Rods of 14 to 1 reach it."""

Rotations = Float[Tensor, "batch 3 3"]


@dataclass(frozen=True)
class RigidPose:
    """Camera axes from object axes."""

    rotation: Rotations
    centre: Float[Tensor, "batch 3"]

    def place(self, template: Float[Tensor, "batch points 3"]) -> Float[Tensor, "batch points 3"]:
        """Points of the object where it is."""
        return multiply(template, self.rotation.transpose(1, 2)) + self.centre[:, None]


def align_rigidly(points: Float[Tensor, "batch points 3"], template: Float[Tensor, "batch points 3"]) -> RigidPose:
    """The rigid pose that brings the template nearest to the points, by the sum of squares."""
    middle, template_middle = points.mean(dim=1), template.mean(dim=1)
    spread = multiply((points - middle[:, None]).transpose(1, 2), template - template_middle[:, None])
    rotation = find_rotation(spread)
    return RigidPose(rotation, middle - multiply(rotation, template_middle[:, :, None])[:, :, 0])


def multiply(
    first: Float[Tensor, "batch rows inner"], second: Float[Tensor, "batch inner columns"]
) -> Float[Tensor, "batch rows columns"]:
    """The matrix product in the precision of its factors, whatever autocast says."""
    return (first[:, :, :, None] * second[:, None]).sum(dim=2)


def find_rotation(matrices: Rotations) -> Rotations:
    """The proper rotation nearest to each matrix; NaN of one that is not finite, as of a training that diverges."""
    rotation: Rotations = _NearestRotation.apply(matrices)
    return rotation


class _NearestRotation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrices: Tensor) -> Tensor:
        finite = matrices.isfinite().flatten(1).all(dim=1)[:, None, None]
        # On a number that is none the decomposition raises.
        unturned = torch.eye(3, dtype=matrices.dtype, device=matrices.device)
        left, values, right = torch.linalg.svd(matrices.where(finite, unturned))
        sign = torch.det(multiply(left, right)).sign()
        signs = torch.stack([torch.ones_like(sign), torch.ones_like(sign), sign], dim=1)
        rotation = multiply(left * signs[:, None], right).where(finite, torch.nan)
        ctx.save_for_backward(rotation, right, values * signs)
        return rotation

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        rotation, right, values = ctx.saved_tensors
        axes = right.transpose(1, 2)
        inner = multiply(multiply(multiply(rotation, axes).transpose(1, 2), gradients[0]), axes)
        sums = values[:, :, None] + values[:, None, :]
        largest = values[:, :1, None]
        turned = (inner - inner.transpose(1, 2)) / torch.maximum(sums, LEAST_SHARE * largest)
        # Points that all coincide have no turn at all.
        turned = torch.where(largest > 0, turned, 0.0)
        return multiply(multiply(multiply(rotation, axes), turned), right)
