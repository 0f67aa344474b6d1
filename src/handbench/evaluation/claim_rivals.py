"""Who counts as a rival: what was trained until its validation error had stopped falling, by no fewer updates.

A method may not win against an opponent that was trained for less. Modules of one dataset see the same frames, so
that epochs over the frames of a batch say which of two made more updates.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from handbench.evaluation.claim_rules import Evidence
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result

UPDATER = 2
"""Where the updater stands among what a loop needs."""


@dataclass(frozen=True)
class Training:
    """How long a module was trained."""

    module: str
    epochs: int
    batch: int
    epoch_steps: int | None = None
    """More updates than these no epoch makes, however many frames there are."""

    @property
    def updates(self) -> float:
        """In units of the number of frames, where no epoch is cut short."""
        return self.epochs / self.batch

    @property
    def most(self) -> float:
        """Updates of any number of frames."""
        return float(self.epochs * self.epoch_steps) if self.epoch_steps else inf

    def __str__(self) -> str:
        cut = f", at most {self.epoch_steps} each," if self.epoch_steps else ""
        return f"{self.module} {self.epochs} epochs{cut} in batches of {self.batch}"


def explain_unfinished(found: Sequence[Result] | Sequence[Probe]) -> str:
    """Which of these modules were stopped while their validation error still fell; empty where none was."""
    return _name_unfinished(dict.fromkeys(f"{one.module} on {one.dataset}" for one in found if not one.converged))


def explain_unfinished_parts(found: Sequence[Result], parts: Sequence[str]) -> str:
    """Which of these parts of a method were stopped so; of predictions that do not tell, whether any part was."""
    parted = [one for one in found if one.parts_converged]
    if len(parted) < len(found):
        return explain_unfinished(found)
    return _name_unfinished([name for name in parts if not all(one.parts_converged.get(name) for one in parted)])


def _name_unfinished(names: Collection[str]) -> str:
    return f"{', '.join(names)} was not trained until its validation error stopped falling" if names else ""


def explain_shorter(rival: Training | None, method: Training | None) -> str:
    """Why a rival had less training than the method, or that it is not known; empty where it had as much."""
    if rival is None or method is None:
        return "how long the rivals were trained is not known: the run has no call.json with their settings"
    # How many frames there were is not known: as many updates of few frames, and of any number.
    if rival.updates < method.updates or rival.most < method.most:
        return f"the rival was trained by fewer updates: {rival}, {method}"
    return ""


def describe_training(module: str, settings: Mapping[str, Any]) -> Training | None:
    """From a module's own settings: the epochs of all its stages together."""
    if "epochs" not in settings or "batch" not in settings:
        return None
    epochs = sum(settings.get("stage_epochs", ())) + settings["epochs"]
    return Training(module, epochs, settings["batch"], settings.get("epoch_steps"))


def find_training(evidence: Evidence, module: str) -> Training | None:
    """The same of a module that leaves neither results nor probes, from the run's call."""
    return describe_training(module, evidence.modules.get(module, {}).get("settings", {}))


def find_updater(evidence: Evidence, loop: str) -> Training | None:
    """How long the updater of a loop was trained."""
    needs = evidence.modules.get(loop, {}).get("needs", ())
    return find_training(evidence, needs[UPDATER]) if len(needs) > UPDATER else None
