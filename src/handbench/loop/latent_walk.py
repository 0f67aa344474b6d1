"""A walk through the shared latent space of crossing: from the latents of one frame straight to those of another.

C. Wan, T. Probst, L. Van Gool, A. Yao, "Crossing Nets: Combining GANs and VAEs with a Shared Latent Space for Hand Pose
Estimation", CVPR 2017, Fig. 1: points on the line between two latents, and the pose and the depth image of each.

Poses and images are told inside the crops' cube. Where that cube is, and how large, no latent says: both go evenly from
one frame's to the other's.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from handbench.geometry.patch_frame import PatchFrame, frame_cube
from handbench.loop.crop_data import device_of
from handbench.networks.crossing import CrossingNets

POINTS = 50
"""Ends included."""


@dataclass(frozen=True)
class Walk:
    """Points of a walk, on the CPU."""

    joints: Float[Tensor, "points joints 3"]
    """Every joint that is decoded, in half cube edges around the cube's centre."""
    drawn: Float[Tensor, "points 1 size size"]
    frame: PatchFrame
    """The cube of each point."""

    @property
    def steps_mm(self) -> Float[Tensor, "steps"]:
        """How far the joint moves that moves farthest, from each point to the next: inside the cube.

        The cube's own way from one frame to the other is even, and would hide a jump in it.
        """
        half_mm = (self.frame.cube_mm / 2)[:, None, None]
        return (self.joints * half_mm).diff(dim=0).norm(dim=-1).amax(dim=1)


@torch.no_grad()
def walk_between(
    network: CrossingNets,
    depth: Float[Tensor, "2 1 size size"],
    centre_mm: Float[Tensor, "2 3"],
    cube_mm: Float[Tensor, "2"],
    *,
    points: int = POINTS,
) -> Walk:
    """From the first of two crops to the second: x to z_y = pos(x), and every point to Dec(z_y) and Gen(Ali(z_y))."""
    device = device_of(network)
    was_training = network.training
    network.eval()
    ends = network.estimate(depth.float().to(device))
    latents = go_straight(ends, points)
    joints, drawn = network.decode(latents).cpu(), network.draw(latents).cpu()
    network.train(was_training)
    cubes = go_straight(cube_mm[:, None].float(), points)[:, 0]
    return Walk(joints, drawn, frame_cube(go_straight(centre_mm.float(), points), cubes, depth.shape[-1]))


def go_straight(ends: Float[Tensor, "2 numbers"], points: int) -> Float[Tensor, "points numbers"]:
    """Points at even distances, the ends themselves first and last."""
    shares = torch.linspace(0, 1, points, dtype=ends.dtype, device=ends.device)[:, None]
    return (1 - shares) * ends[0] + shares * ends[1]
