"""Modules of hand and object after so many iterations, as tables compare them; a run may have made fewer."""

from collections.abc import Mapping
from dataclasses import dataclass

from handbench.evaluation.claim_handobject import DATASET, hold, measure
from handbench.evaluation.hand_object_score import Measured
from handbench.evaluation.results import Result
from handbench.report.held_pictures import find_held
from handbench.report.sources import NOT_RUN, Sources


@dataclass(frozen=True)
class Stage:
    """A module stopped after so many iterations: every seed, or none and why."""

    results: tuple[Result, ...]
    step: int
    status: str

    def gives(self, metric: str) -> bool:
        return bool(self.results) and metric in hold(self.results[0]).metrics

    def measure(self, metric: str) -> tuple[Measured, ...]:
        """One metric of every seed."""
        return measure(self.results, metric, self.step)

    def pairs_with(self, other: "Stage") -> bool:
        """Whether both have the same seeds, so that their difference can be taken."""
        return [one.seed for one in self.results] == [one.seed for one in other.results]


def find_stages(rows: Mapping[str, tuple[str, int]], sources: Sources) -> dict[str, Stage]:
    """By label; each is named by its module and how often it has iterated, -1 for its last result."""
    return {label: _find_stage(sources, module, step) for label, (module, step) in rows.items()}


def _find_stage(sources: Sources, module: str, step: int) -> Stage:
    results = find_held(sources, module, DATASET)
    if not results:
        return Stage((), step, NOT_RUN)
    made = min(len(hold(one).steps) for one in results) - 1
    if step > made:
        return Stage((), step, f"not run: iterates {'once' if made == 1 else f'{made} times'}")
    return Stage(results, step, "run")


def list_results(stages: Mapping[str, Stage]) -> list[Result]:
    """Of all of them, each module once: the start and the end of a loop are one module's."""
    modules = {stage.results[0].module: stage.results for stage in stages.values() if stage.results}
    return [one for results in modules.values() for one in results]


def explain_missing(stages: Mapping[str, Stage]) -> str:
    """Why there is none of them."""
    return "; ".join(dict.fromkeys(stage.status for stage in stages.values()))
