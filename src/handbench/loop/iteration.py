"""The loop itself: draw the pose, look at the difference, move the pose (Eq. 4 of both feedback papers)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from handbench.loop.crop_data import AT_ONCE, apply

Images = Float[Tensor, "frames 1 size size"]
Poses = Float[Tensor, "frames joints 3"]


def iterate(
    updater: nn.Module, synthesizer: nn.Module, depth: Images, start: Poses, iterations: int
) -> Float[Tensor, "steps frames joints 3"]:
    """The start and the pose after each iteration: p(i+1) = p(i) + updater(D, synth(p(i))) (Eq. 4)."""
    poses = [start]
    for _ in range(iterations):
        poses.append(poses[-1] + updater(depth, synthesizer(poses[-1])))
    return torch.stack(poses)


@torch.no_grad()
def run_loop(
    updater: nn.Module, synthesizer: nn.Module, depth: Images, start: Poses, iterations: int
) -> Float[Tensor, "steps frames joints 3"]:
    """The same for many frames, a part of them at a time, on the updater's device; the answer is on the CPU."""
    device = next(updater.parameters()).device
    parts = zip(depth.split(AT_ONCE), start.split(AT_ONCE), strict=True)
    answers = [iterate(updater, synthesizer, d.to(device).float(), p.to(device), iterations).cpu() for d, p in parts]
    return torch.cat(answers, dim=1)


def hinge(updated: Poses, pose: Poses, truth: Poses, lam: float) -> Float[Tensor, "frames"]:
    """max(0, |p'' - p| - lambda |p' - p|): an update is to leave at most the share lambda of the error.

    Eq. 8 of 2015 and Eq. 9 of 2019; norms are those of the whole pose.
    """
    after, before = ((poses - truth).flatten(1).norm(dim=1) for poses in (updated, pose))
    return (after - lam * before).relu()


class FeedbackLoop(nn.Module):
    """A predictor and the loop that corrects it, as one network."""

    def __init__(self, predictor: nn.Module, synthesizer: nn.Module, updater: nn.Module, iterations: int) -> None:
        super().__init__()
        self.predictor, self.synthesizer, self.updater = predictor, synthesizer, updater
        self.iterations = iterations

    def forward(self, depth: Images) -> Poses:
        """The pose after the last iteration."""
        return iterate(self.updater, self.synthesizer, depth, self.predictor(depth), self.iterations)[-1]


def run_whole(loop: FeedbackLoop, depth: Images) -> Float[Tensor, "steps frames joints 3"]:
    """The predictor's pose and that after each iteration, for many frames."""
    return run_loop(loop.updater, loop.synthesizer, depth, apply(loop.predictor, depth), loop.iterations)
