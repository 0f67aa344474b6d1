"""Principal components by hand, as a law, and inside a network."""

import numpy as np
import pytest
import torch

from handbench.errors import BadInput
from handbench.networks.deepprior import DeepPrior
from handbench.networks.deepprior_plus import DeepPriorPlus
from handbench.networks.pose_prior import PriorLayer, fit_prior


def test_two_joints_by_hand():
    """Poses differ along (0, 0, 0, 0, -3, 4) most and along x of the first joint less."""
    mean = np.array([1.0, 2, 3, 4, 5, 6])
    far, near = np.array([0, 0, 0, 0, -3.0, 4]), np.array([1.0, 0, 0, 0, 0, 0])
    poses = np.stack([mean + far, mean - far, mean + near, mean - near]).reshape(4, 2, 3)
    prior = fit_prior(poses, components=2)
    assert torch.allclose(prior.mean.flatten(), torch.tensor(mean).float())
    assert torch.allclose(prior.basis[0].flatten(), torch.tensor([0, 0, 0, 0, -0.6, 0.8]), atol=1e-6)
    assert torch.allclose(prior.basis[1].flatten(), torch.tensor([1.0, 0, 0, 0, 0, 0]), atol=1e-6)
    assert torch.allclose(prior.encode(torch.tensor(poses).float())[0], torch.tensor([5.0, 0]), atol=1e-5)


def test_reconstruction_is_exact_in_the_space_and_best_outside():
    rng = np.random.default_rng(0)
    poses = (rng.normal(size=(200, 30)) @ rng.normal(size=(30, 42)) + rng.normal(size=42)).reshape(200, 14, 3)
    prior = fit_prior(poses)
    data = torch.tensor(poses).float()
    assert torch.allclose(prior.decode(prior.encode(data)), data, atol=1e-4)
    assert torch.allclose(prior.basis.flatten(1) @ prior.basis.flatten(1).T, torch.eye(30), atol=1e-5)
    centred = poses.reshape(200, 42) - poses.reshape(200, 42).mean(0)
    spread = np.linalg.svd(centred, compute_uv=False)
    few = fit_prior(poses, components=5)
    left = float((few.decode(few.encode(data)) - data).square().sum())
    assert left == pytest.approx(float((spread[5:] ** 2).sum()), rel=1e-4)


def test_torch_and_numpy_and_the_order_of_frames_give_one_prior():
    poses = np.random.default_rng(1).normal(size=(100, 14, 3))
    first, second = fit_prior(poses), fit_prior(torch.tensor(poses[::-1].copy()))
    assert torch.allclose(first.basis, second.basis, atol=1e-5)
    furthest = first.basis.flatten(1).gather(1, first.basis.flatten(1).abs().argmax(1, keepdim=True))
    assert (furthest > 0).all()


@pytest.mark.parametrize("build", [DeepPrior, DeepPriorPlus])
def test_a_network_starts_near_the_mean_pose(build):
    network = build(14, 64)
    poses = np.random.default_rng(2).normal(size=(100, 14, 3))
    prior = fit_prior(poses)
    network.prior.set_prior(prior)
    coefficients = torch.randn(5, 30)
    with torch.no_grad():
        assert torch.allclose(network.prior(coefficients), prior.decode(coefficients), atol=1e-5)
        spread = network(torch.rand(4, 1, 64, 64) * 2 - 1) - prior.mean
    assert float(spread.square().mean().sqrt()) < 0.3


def test_a_prior_that_does_not_fit():
    poses = np.random.default_rng(3).normal(size=(20, 14, 3))
    with pytest.raises(BadInput, match="expected 1 to 19 components, as 20 poses of 14 joints allow, found 30"):
        fit_prior(poses)
    with pytest.raises(BadInput, match="expected 30 components of 16 joints, found 10 of 14"):
        PriorLayer(30, 16).set_prior(fit_prior(poses, components=10))
