"""The written-out gradient of forward kinematics against automatic and numerical differentiation."""

import numpy as np
import torch

from handbench.hand.kinematics import forward_kinematics, place_bones
from handbench.hand.skeleton import ANGLE_LIMITS_RAD, REFERENCE_SHAPE


def sample_poses(batch: int) -> torch.Tensor:
    rng = np.random.default_rng(3)
    places, turns = rng.uniform(-100, 900, (batch, 3)), rng.uniform(-3, 3, (batch, 3))
    fingers = rng.uniform(*ANGLE_LIMITS_RAD.T, (batch, 20))
    return torch.tensor(np.concatenate([places, turns, fingers], axis=1), requires_grad=True)


def differentiate(pose: torch.Tensor, frames: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """The gradient of a sum with weights that no symmetry cancels."""
    weights = [torch.sin(torch.arange(part.numel(), dtype=part.dtype)).reshape(part.shape) for part in frames]
    loss = sum((weight * part).sum() for weight, part in zip(weights, frames, strict=True))
    return torch.autograd.grad(loss, pose)[0]


def test_it_is_what_automatic_differentiation_finds() -> None:
    pose = sample_poses(6)
    fixed = np.concatenate([REFERENCE_SHAPE.rest_rotations.transpose(2, 0, 1).reshape(15, 3), REFERENCE_SHAPE.bases_mm])
    steps_mm = -torch.tensor(REFERENCE_SHAPE.lengths_mm[:, :2, None, None])
    automatic = differentiate(pose, place_bones(pose, torch.tensor(fixed), steps_mm))
    written = differentiate(pose, forward_kinematics(pose, REFERENCE_SHAPE))
    assert torch.allclose(written, automatic, rtol=0, atol=1e-10)


def test_second_derivatives_follow() -> None:
    pose = sample_poses(1)
    assert torch.autograd.gradcheck(lambda p: forward_kinematics(p, REFERENCE_SHAPE), pose)
    assert torch.autograd.gradgradcheck(lambda p: forward_kinematics(p, REFERENCE_SHAPE), pose)


def test_batches_of_any_shape_and_origins_alone() -> None:
    pose = sample_poses(6)
    flat = differentiate(pose, forward_kinematics(pose, REFERENCE_SHAPE))
    shaped = pose.detach().reshape(2, 3, 26).requires_grad_()
    assert torch.equal(differentiate(shaped, forward_kinematics(shaped, REFERENCE_SHAPE)).reshape(6, 26), flat)
    origins = forward_kinematics(pose, REFERENCE_SHAPE)[1]
    (gradient,) = torch.autograd.grad(origins[..., 2].sum(), pose)
    # Every bone of the hand moves away with the wrist.
    assert torch.allclose(gradient[:, 2], torch.full((6,), 16.0, dtype=torch.float64))
