"""What the last call of the workflow asked for, as the report needs it."""

from pathlib import Path
from typing import Any

from pydantic import Field

from handbench.entries import Count, Entry, Line, Seed, check_entries
from handbench.provenance import CALL, read_asked_call


class _Module(Entry):
    datasets: list[Line]
    folds: list[Line] | None = None


class _Data(Entry):
    frames: dict[Line, Count] | None = None


class _Render(Entry):
    sets: dict[Line, dict[Line, Count]] | None = None


class _Settings(Entry):
    """Notes of older releases, and those of other callers, may lack any of it."""

    seeds: list[Seed] = Field(default_factory=list)
    use: list[Line] = Field(default_factory=list)
    modules: dict[Line, _Module] = Field(default_factory=dict)
    datasets: dict[Line, _Data] | None = None
    render: _Render | None = None


class _Call(Entry):
    scale: Line | None = None
    source: Line | None = None
    commit: Line | None = None
    config_digest: Line | None = None
    started: Line | None = None
    settings: _Settings | None = None


def read_call_of(run: Path) -> dict[str, Any]:
    """The note of the call in a run's folder; empty where there is none."""
    path = run / CALL
    call = read_asked_call(path)
    fix = "delete it; the next call of snakemake writes it anew"
    check_entries(path, _Call, call, holds="the note of a workflow call", fix=fix)
    return call
