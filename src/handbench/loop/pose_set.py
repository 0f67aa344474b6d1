"""T_D, the poses of a frame that the updater learns to correct (Sec. 3.4 of 2015, Sec. 3.5 of 2019).

The papers name: the truth; the predictor's output; copies of all poses with small Gaussian noise; after every second
epoch the updater's own outputs, kept for good; the truth with an error drawn from those that are made at present.

What is kept in memory: for every frame the predictor's output and one output of the updater from each of at most
`rounds` rounds (where there are more rounds the oldest goes), in half precision. Processes that train together keep all
of it each: a kilobyte a frame, where a crop has 32. Copies with noise and with errors are drawn anew for every batch.
Errors are drawn from the frames seen and, as often, from the frames held back: on frames that a network has learned
from its errors are far smaller than those it makes in use.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from handbench.loop import processes

Poses = Float[Tensor, "frames joints 3"]
Errors = Float[Tensor, "others joints 3"]
"""Of the frames held back."""


@dataclass(frozen=True)
class Shares:
    """How often a batch draws each kind of pose; the rest are outputs of the predictor and the updater."""

    truth: float
    errors: float
    noise: float
    """Of all drawn poses, so many get Gaussian noise as well."""
    noise_size: float
    """Its standard deviation in half cube edges."""


class PoseSet:
    """The poses of the frames seen, and the errors that are made on the frames held back."""

    def __init__(self, truth: Poses, predicted: Poses, errors_held_back: Errors, rounds: int) -> None:
        self.truth = truth
        self.rounds = rounds
        self.outputs = [predicted.half()]
        self.errors_held_back = [errors_held_back.half()]

    def to(self, device: torch.device) -> None:
        """Everything kept, where batches are."""
        self.truth = self.truth.to(device)
        self.outputs = [one.to(device) for one in self.outputs]
        self.errors_held_back = [one.to(device) for one in self.errors_held_back]

    def add(self, outputs: Poses, errors_held_back: Errors) -> None:
        """A round of the updater: its output for every frame, and the errors it leaves where it has not learned."""
        for kept, new in ((self.outputs, outputs), (self.errors_held_back, errors_held_back)):
            if len(kept) > self.rounds:
                # The first is the predictor's and stays.
                kept.pop(1)
            kept.append(new.to(self.truth.device).half())

    def draw(
        self, frames: Int64[Tensor, "batch"], shares: Shares, *, whole: bool = False
    ) -> Float[Tensor, "batch joints 3"]:
        """One pose for each frame; `whole`: of all that there are, the same in every process."""
        truth, device, number = self.truth[frames], self.truth.device, len(frames)
        which = processes.rand(number, device=device, whole=whole)[:, None, None]
        errors = truth + self._draw_errors(number, whole)
        poses = torch.where(which < shares.errors, errors, pick(self.outputs, frames, whole=whole))
        poses = torch.where(which >= 1 - shares.truth, truth, poses)
        noisy = processes.rand(number, device=device, whole=whole)[:, None, None] < shares.noise
        noise = processes.randn(number, *truth.shape[1:], device=device, whole=whole)
        return poses + noisy * shares.noise_size * noise

    def _draw_errors(self, number: int, whole: bool) -> Float[Tensor, "batch joints 3"]:
        device = self.truth.device
        seen = processes.randint(len(self.truth), number, device=device, whole=whole)
        made_there = processes.randint(len(self.errors_held_back[0]), number, device=device, whole=whole)
        return torch.where(
            processes.rand(number, device=device, whole=whole)[:, None, None] < 0.5,
            pick(self.outputs, seen, whole=whole) - self.truth[seen],
            pick(self.errors_held_back, made_there, whole=whole),
        )

    def state(self) -> dict[str, list[Tensor]]:
        """What a training that goes on needs of it."""
        return {"outputs": self.outputs, "errors_held_back": self.errors_held_back}

    def restore(self, state: dict[str, list[Tensor]]) -> None:
        self.outputs, self.errors_held_back = list(state["outputs"]), list(state["errors_held_back"])
        self.to(self.truth.device)


def pick(rounds: list[Poses], rows: Int64[Tensor, "batch"], *, whole: bool = False) -> Float[Tensor, "batch joints 3"]:
    """Each of the rows from a round of its own."""
    slots = processes.randint(len(rounds), len(rows), device=rows.device, whole=whole)[:, None, None]
    chosen = rounds[0][rows]
    for slot in range(1, len(rounds)):
        # Without a mask's rows: a GPU would stop to count them.
        chosen = torch.where(slots == slot, rounds[slot][rows], chosen)
    return chosen.float()
