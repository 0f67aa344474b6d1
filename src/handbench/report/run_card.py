"""What a run was: its scale, source, seeds, commit, configuration and the day it was called."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handbench.evaluation.results import Result
from handbench.report.asked_call import read_call_of

UNKNOWN = "unknown"


@dataclass(frozen=True)
class RunCard:
    """Everything is what the files say; where they say nothing it is None or empty."""

    scale: str
    source: str
    seeds: tuple[int, ...]
    commit: str | None
    config_digest: str | None
    started: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The whole configuration of the call, where it is known."""

    @property
    def name(self) -> str:
        return f"{self.scale}, {self.source} data"


def read_run_card(run: Path, results: Sequence[Result]) -> RunCard:
    """The workflow's own note of its last call, else what the results say, else the name of the folder."""
    call = read_call_of(run)
    scale, _, source = run.name.partition("-")
    first = results[0] if results else None
    settings = call.get("settings") or {}
    seeds = settings.get("seeds") or sorted({one.seed for one in results})
    return RunCard(
        scale=call.get("scale") or (first.scale if first else scale) or UNKNOWN,
        source=call.get("source") or (first.source if first else source) or UNKNOWN,
        seeds=tuple(seeds),
        commit=call.get("commit") or join_words(one.commit for one in results) or None,
        config_digest=call.get("config_digest") or join_words(one.config_digest for one in results) or None,
        started=call.get("started"),
        settings=settings,
    )


def join_words(words: Iterable[object]) -> str:
    """The different words among many, in the order of their first coming; None is no word."""
    return ", ".join(dict.fromkeys(str(word) for word in words if word is not None))
