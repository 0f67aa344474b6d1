"""Who counts as a rival: what was trained until its validation error had stopped falling, by no fewer updates.

A method may not win against an opponent that was trained for less. Modules of one dataset see the same frames, so
that epochs over the frames of a batch say which of two made more updates; of one that goes through a share of the
frames, as much less.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from handbench.evaluation.claim_rules import Evidence
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result

ROUNDED = 1e-6
UPDATER = 2
"""Where the updater stands among what a loop needs."""


@dataclass(frozen=True)
class Training:
    """How long a module was trained."""

    module: str
    epochs: int
    batch: int
    share: float = 1.0
    """Of the frames that others go through in an epoch."""

    @property
    def updates(self) -> float:
        """In units of the number of frames."""
        return self.epochs * self.share / self.batch

    def __str__(self) -> str:
        of = "" if self.share == 1 else f" of {self.share:.3g} of the frames"
        return f"{self.module} {self.epochs} epochs{of} in batches of {self.batch}"


def explain_unfinished(found: Sequence[Result] | Sequence[Probe]) -> str:
    """Which of these modules were stopped while their validation error still fell; empty where none was."""
    unsure = dict.fromkeys(f"{one.module} on {one.dataset}" for one in found if not one.converged)
    if not unsure:
        return ""
    return f"{', '.join(unsure)} was not trained until its validation error stopped falling"


def explain_shorter(rival: Training | None, method: Training | None) -> str:
    """Why a rival had less training than the method, or that it is not known; empty where it had as much."""
    if rival is None or method is None:
        return "how long the rivals were trained is not known: the run has no call.json with their settings"
    # A share is no exact number: fifty epochs of a fiftieth are one.
    if rival.updates < method.updates * (1 - ROUNDED):
        return f"the rival was trained by fewer updates: {rival}, {method}"
    return ""


def describe_training(module: str, settings: Mapping[str, Any]) -> Training | None:
    """From a module's own settings: the epochs of all its stages together."""
    if "epochs" not in settings or "batch" not in settings:
        return None
    return Training(module, sum(settings.get("stage_epochs", ())) + settings["epochs"], settings["batch"])


def find_training(evidence: Evidence, module: str) -> Training | None:
    """The same of a module that leaves neither results nor probes, from the run's call."""
    return describe_training(module, evidence.modules.get(module, {}).get("settings", {}))


def find_updater(evidence: Evidence, loop: str) -> Training | None:
    """How long the updater of a loop was trained."""
    needs = evidence.modules.get(loop, {}).get("needs", ())
    return find_training(evidence, needs[UPDATER]) if len(needs) > UPDATER else None
