"""What a line of the table is, and every line there is. A new row is one more `Row` in a file's ROWS."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.harness import Race, Speed


@dataclass(frozen=True)
class Row:
    """A race: how many times faster than the peer we are. Without a gate it is reported and never fails."""

    name: str
    what: str
    peer: str
    prepare: Callable[[], Race]
    gate: float | None
    target: float | None
    batch: int = 1
    precision: str = "float32"
    threads: int = 1
    device: str = "cpu"
    needs: tuple[str, ...] = ()
    """Modules of the peer; they are imported by `prepare`, never before."""


@dataclass(frozen=True)
class Limit:
    """Something that may take at most so many seconds; `measure` returns one sample, the median counts."""

    name: str
    what: str
    measure: Callable[[], float]
    gate: float | None
    target: float | None
    samples: int = 5
    threads: int = 1
    device: str = "cpu"
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class SpeedRow:
    """Frames a second on a GPU beside those of a paper: reported, never gated.

    `measure` raises GpuMissingError where there is none.
    """

    name: str
    what: str
    measure: Callable[[], Speed]
    printed_fps: float
    printed_device: str
    batch: int = 1
    precision: str = "float32"
    threads: int = 1
    device: str = "cuda"
    gate: None = None
    target: None = None


AnyRow = Row | Limit | SpeedRow


def list_rows() -> list[AnyRow]:
    """All rows in the order of the table."""
    from benchmarks import (
        commands,
        crops,
        evaluation,
        files,
        fitting,
        hands,
        loops,
        networks,
        render,
        splatting,
        tracking,
    )

    return [
        *crops.ROWS,
        *files.ROWS,
        *render.ROWS,
        *hands.ROWS,
        *splatting.ROWS,
        *networks.ROWS,
        *loops.ROWS,
        *fitting.ROWS,
        *evaluation.ROWS,
        *tracking.ROWS,
        *commands.ROWS,
    ]
