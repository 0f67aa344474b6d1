"""What a section of the report is made of: tables, figures, and what honestly cannot be shown."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Column:
    """How one column of a table is printed; the CSV keeps every number of the frame at full precision."""

    key: str
    """Column of the frame."""
    label: str
    group: str = ""
    """Heading over neighbouring columns: printed in the paper, recomputed, this run."""
    decimals: int | None = None
    """None for words."""
    high: str = ""
    """The key of the upper end, where the column prints an interval from `key` to `high`."""
    otherwise: str = ""
    """The key of words that stand where there is no number."""
    signed: bool = False


@dataclass(frozen=True)
class Table:
    """One table; `name` is its file name and its place in the page."""

    name: str
    title: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    stamp: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """One figure; `draw` writes `<path>.png`, `.pdf` and `.csv`."""

    name: str
    title: str
    describe: str
    """What a reader who cannot see the picture should know."""
    draw: Callable[[Path], tuple[Path, ...]]
    stamp: str
    notes: tuple[str, ...] = ()
    moving: bool = False
    """Whether there is a `<path>.gif` as well, which the page shows."""


@dataclass(frozen=True)
class Absent:
    """A table or figure that cannot be shown, and why."""

    name: str
    title: str
    why: str


Item = Table | Figure | Absent


@dataclass(frozen=True)
class Section:
    """One paper."""

    paper: str
    title: str
    citation: str
    intro: tuple[str, ...]
    items: tuple[Item, ...]
