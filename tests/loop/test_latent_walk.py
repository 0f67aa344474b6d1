"""A walk between two latents: where it begins and ends, how far it steps, and where its cubes are."""

import torch
from torch import Tensor

from handbench.loop.latent_walk import go_straight, walk_between
from handbench.networks.crossing import CrossingNets
from handbench.networks.depth_gan import Alignment, Discriminator, Generator, RenderRoute
from handbench.networks.pose_vae import PoseVae

SIZE_PX, JOINTS = 32, 16
CENTRE_MM = torch.tensor([[0.0, 10.0, 600.0], [40.0, -30.0, 800.0]])
CUBE_MM = torch.tensor([300.0, 250.0])


def list_parts() -> tuple[PoseVae, RenderRoute, Discriminator, int]:
    route = RenderRoute(Alignment(seed=1), Generator(SIZE_PX, seed=2))
    return PoseVae(JOINTS, 0, seed=0), route, Discriminator(SIZE_PX, seed=3), JOINTS


class Straight(CrossingNets):
    """Networks that tell a frame by its mean depth: the pose is as far along, and so is the image."""

    def __init__(self) -> None:
        super().__init__(*list_parts())

    def estimate(self, images: Tensor) -> Tensor:
        return images.mean(dim=(1, 2, 3))[:, None]

    def decode(self, latents: Tensor) -> Tensor:
        return latents[:, :, None] * torch.tensor([[1.0, 0.0, 0.0], [0.0, 3.0, 4.0]])

    def draw(self, latents: Tensor) -> Tensor:
        return latents[:, :, None, None].expand(-1, 1, SIZE_PX, SIZE_PX)


def test_the_ends_are_the_frames_and_the_way_between_is_straight() -> None:
    network, depth = CrossingNets(*list_parts()), torch.rand(2, 1, SIZE_PX, SIZE_PX) * 2 - 1
    network.train()
    walk = walk_between(network, depth, CENTRE_MM, CUBE_MM, points=7)
    assert network.training, "as it was"
    network.eval()
    with torch.no_grad():
        ends = network.estimate(depth)
        torch.testing.assert_close(walk.joints[[0, -1]], network.decode(ends))
        torch.testing.assert_close(walk.drawn[[0, -1]], network.draw(ends))
        torch.testing.assert_close(walk.joints[3], network.decode(ends.mean(dim=0, keepdim=True))[0])
    torch.testing.assert_close(walk.frame.centre_mm[3], CENTRE_MM.mean(dim=0))
    torch.testing.assert_close(walk.frame.cube_mm, torch.tensor([300 - 50 * place / 6 for place in range(7)]))


def test_steps_by_hand() -> None:
    """From 0 to 0.5 in five steps of 0.1: the second joint goes 0.5 half edges a step, 75 mm in a cube of 300."""
    depth = torch.stack([torch.zeros(1, SIZE_PX, SIZE_PX), torch.full((1, SIZE_PX, SIZE_PX), 0.5)])
    walk = walk_between(Straight(), depth, CENTRE_MM, torch.tensor([300.0, 300.0]), points=6)
    torch.testing.assert_close(walk.steps_mm, torch.full((5,), 75.0))
    still = walk_between(Straight(), depth[[0, 0]], CENTRE_MM, CUBE_MM)
    assert still.steps_mm.tolist() == [0.0] * 49, "the cube's own way is no step"


def test_a_straight_line_ends_exactly() -> None:
    ends = torch.tensor([[0.1, -3.0], [0.7, 1e6]])
    assert torch.equal(go_straight(ends, 50)[[0, -1]], ends)
