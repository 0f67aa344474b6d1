"""Procrustes: poses come back, mirror images do not, and no input makes a gradient that is no number."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from handbench.geometry.alignment import RigidPose, align_rigidly, find_rotation
from handbench.geometry.box import Box, box_corners

BOX, PRISM, CUBE = (60.0, 110.0, 35.0), (40.0, 40.0, 90.0), (50.0, 50.0, 50.0)
SIZES = pytest.mark.parametrize("size_mm", [BOX, PRISM, CUBE], ids=["box", "prism", "cube"])


def make_template(size_mm: tuple[float, float, float], batch: int = 1) -> Tensor:
    corners = box_corners(Box(np.zeros(3), np.eye(3), np.array(size_mm)))
    return torch.from_numpy(corners).expand(batch, -1, -1)


def make_poses(batch: int, seed: int = 0) -> RigidPose:
    turns = Rotation.random(batch, rng=np.random.default_rng(seed)).as_matrix()
    places = np.random.default_rng(seed).normal(0, 100, (batch, 3)) + [0, 0, 500]
    return RigidPose(torch.from_numpy(turns), torch.from_numpy(places))


@SIZES
def test_a_pose_comes_back(size_mm: tuple[float, float, float]) -> None:
    template, pose = make_template(size_mm, 50), make_poses(50)
    found = align_rigidly(pose.place(template), template)
    torch.testing.assert_close(found.rotation, pose.rotation)
    torch.testing.assert_close(found.centre, pose.centre)


def test_it_is_the_least_squares_answer_of_others() -> None:
    template = make_template(BOX, 20)
    points = make_poses(20).place(template) + 15 * torch.randn(20, 8, 3, generator=torch.manual_seed(1)).double()
    found = align_rigidly(points, template)
    for one, turn, middle in zip(points, found.rotation, found.centre, strict=True):
        expected, _ = Rotation.align_vectors((one - one.mean(dim=0)).numpy(), template[0].numpy())
        np.testing.assert_allclose(turn, expected.as_matrix(), atol=1e-8)
        torch.testing.assert_close(middle, one.mean(dim=0))


def test_a_template_need_not_be_centred() -> None:
    template, pose = make_template(BOX, 5) + torch.tensor([10.0, 20.0, -30.0]).double(), make_poses(5)
    found = align_rigidly(pose.place(template), template)
    torch.testing.assert_close(found.place(template), pose.place(template))


def make_hard_points() -> dict[str, Tensor]:
    template = make_template(BOX)
    flat, line = template.clone(), template.clone()
    flat[..., 2], line[..., 1:] = 0.0, 0.0
    return {
        "mirrored": template * torch.tensor([-1.0, 1.0, 1.0]),
        "inside out": -template,
        "mirrored cube": -make_template(CUBE),
        "cube": make_template(CUBE),
        "flat": flat,
        "on a line": line,
        "in one place": torch.full_like(template, 3.0),
    }


@pytest.mark.parametrize("name", list(make_hard_points()))
def test_hard_points_give_a_rotation_and_gradients_that_are_numbers(name: str) -> None:
    points = make_hard_points()[name].float().requires_grad_()
    template = make_template(CUBE if "cube" in name else BOX).float()
    found = align_rigidly(points, template)
    torch.testing.assert_close(torch.det(found.rotation), torch.ones(1))
    torch.testing.assert_close(found.rotation @ found.rotation.mT, torch.eye(3)[None], atol=1e-5, rtol=0)
    weights = torch.randn(1, 8, 3, generator=torch.manual_seed(0))
    (found.place(template) * weights).sum().backward()
    assert points.grad is not None
    assert points.grad.isfinite().all()
    assert points.grad.norm() < 200 * weights.norm()


@SIZES
def test_gradients_are_those_of_small_differences(size_mm: tuple[float, float, float]) -> None:
    """The cube's three singular values are alike, where the gradient of a decomposition is NaN."""
    template, pose = make_template(size_mm, 3), make_poses(3)
    noise = torch.randn(3, 8, 3, generator=torch.manual_seed(2)).double()
    for points in (pose.place(template), pose.place(template) + noise):
        points = points.detach().requires_grad_()
        assert torch.autograd.gradcheck(lambda moved: align_rigidly(moved, template).place(template), (points,))


def test_what_is_not_finite_has_no_rotation_and_spoils_no_other() -> None:
    """A training that diverges goes on to its end, where its weights are refused in one line."""
    matrices = torch.randn(4, 3, 3, generator=torch.manual_seed(0))
    known = find_rotation(matrices)
    spoilt = matrices.clone()
    spoilt[1, 0, 2], spoilt[2, 1, 1] = torch.nan, torch.inf
    spoilt.requires_grad_()
    found = find_rotation(spoilt)
    found.sum().backward()
    gradient = spoilt.grad
    assert gradient is not None
    assert torch.equal(found[[0, 3]], known[[0, 3]])
    assert found[1:3].isnan().all()
    assert gradient[[0, 3]].isfinite().all()
    assert gradient[1:3].isnan().all()


def test_matrices_with_a_mirror_image_in_them_too() -> None:
    matrices = torch.randn(12, 3, 3, generator=torch.manual_seed(0)).double().requires_grad_()
    assert (torch.det(matrices) < 0).any()
    assert (torch.det(matrices) > 0).any()
    assert torch.autograd.gradcheck(find_rotation, (matrices,))
