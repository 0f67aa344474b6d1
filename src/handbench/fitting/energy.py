"""The image energy: how far the image drawn of a pose lies from the observed one (Eq. 3 of both feedback papers).

M. Oberweger, P. Wohlhart, V. Lepetit, "Training a Feedback Loop for Hand Pose Estimation", ICCV 2015, Sec. 3.1, 4.5.

    E(p) = |D - synth(p)|^2     (Eq. 3)

Here the mean over the patch's pixels in place of the sum, so that a number means the same at 64 and 128 pixels. That
is a constant factor, which moves no minimum.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

AT_ONCE = 16
"""Images drawn at once: bounds the memory, and larger parts leave the cache (64 take a fifth longer each)."""
AT_ONCE_ON_GPU = 512
"""There small parts leave most of the device idle."""

Points = Float[Tensor, "rows dims"]
Frames = Int[Tensor, "rows"]


@dataclass(frozen=True)
class ImageEnergy:
    """Eq. 3 of many frames under one synthesizer; poses are flattened joints in half cube edges."""

    synthesizer: nn.Module
    depth: Float[Tensor, "frames 1 size size"]
    """On the device of the points."""
    at_once: int = AT_ONCE

    def differentiate(self, points: Points, frames: Frames) -> tuple[Float[Tensor, "rows"], Points]:
        """Energy and gradient of each row, in the points' precision and on their device; the network keeps its own."""
        parts = [
            self._differentiate_part(few, which)
            for few, which in zip(points.split(self.at_once), frames.split(self.at_once), strict=True)
        ]
        energies, gradients = (torch.cat(part).to(points) for part in zip(*parts, strict=True))
        return energies, gradients

    def measure(self, points: Points, frames: Frames) -> Float[Tensor, "rows"]:
        """The energy alone."""
        with torch.no_grad():
            pairs = zip(points.split(self.at_once), frames.split(self.at_once), strict=True)
            return torch.cat([self._compare(few, which) for few, which in pairs]).to(points)

    def measure_swarm(self, swarm: Float[Tensor, "frames particles dims"]) -> Float[Tensor, "frames particles"]:
        """The same for many poses a frame."""
        number, particles = swarm.shape[:2]
        frames = torch.arange(number, device=swarm.device).repeat_interleave(particles)
        return self.measure(swarm.flatten(0, 1), frames).unflatten(0, (number, particles))

    def _differentiate_part(self, points: Points, frames: Frames) -> tuple[Tensor, Tensor]:
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            energies = self._compare(points, frames)
            # Rows are independent, so the gradient of their sum holds each row's own; weights are left out.
            (gradients,) = torch.autograd.grad(energies.sum(), points)
        return energies.detach(), gradients

    def _compare(self, points: Points, frames: Frames) -> Float[Tensor, "rows"]:
        weights = next(self.synthesizer.parameters())
        drawn = self.synthesizer(points.to(weights).unflatten(1, (-1, 3)))
        return (drawn - self.depth[frames.to(self.depth.device)].to(drawn)).square().mean(dim=(1, 2, 3))
