"""Measure one row and judge it by its gate."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from benchmarks.harness import DisagreementError, GpuMissingError, Quartiles, Timing, find_quartiles, time_race
from benchmarks.rows import AnyRow, Limit, Row, SpeedRow
from handbench.rendering.opengl import OpenGLMissingError

Verdict = Literal["target", "gate", "FAILED", "reported", "not run"]
INSTALL = "python -m pip install -c constraints.txt -e '.[dev,bench]'"


@dataclass(frozen=True)
class Result:
    """A judged row. `value` is a ratio for a race, seconds for a limit, frames a second for a speed.

    `note` says what kept it from running, and of a speed what it was measured on.
    """

    row: AnyRow
    verdict: Verdict
    value: Quartiles | None = None
    timing: Timing | None = None
    note: str = ""


def measure_row(row: AnyRow, seconds: float) -> Result:
    """Check that the candidates agree, then time them; a race that misses its gate is timed again, twice as long.

    The second timing counts whatever it says: another process may have had the machine to itself during the first.
    """
    if isinstance(row, SpeedRow):
        return _measure_speed(row)
    missing = [module for module in row.needs if find_spec(module) is None]
    if missing:
        return Result(row, "not run", note=f"needs {', '.join(missing)}: {INSTALL}")
    if isinstance(row, Limit):
        samples = [row.measure() for _ in range(row.samples)]
        value = find_quartiles(samples if len(samples) > 1 else samples * 2)
        return Result(row, _judge_limit(row, value.median), value)
    try:
        race = row.prepare()
        race.check()
    except DisagreementError as error:
        return Result(row, "FAILED", note=f"the candidates disagree: {error}")
    except OpenGLMissingError as error:
        return Result(row, "not run", note=str(error))
    timing = time_race(race, seconds=seconds)
    if _judge_race(row, timing.ratio.median) == "FAILED":
        timing = time_race(race, seconds=2 * seconds)
    return Result(row, _judge_race(row, timing.ratio.median), timing.ratio, timing)


def _measure_speed(row: SpeedRow) -> Result:
    try:
        speed = row.measure()
    except GpuMissingError as error:
        return Result(row, "not run", note=str(error))
    times = speed.fps.median / row.printed_fps
    note = f"on {speed.device}; {times:.1f} times the printed {row.printed_fps:g} frames/s on {row.printed_device}"
    return Result(row, "reported", speed.fps, note=note)


def _judge_race(row: Row, ratio: float) -> Verdict:
    if row.gate is None:
        return "reported"
    if ratio < row.gate:
        return "FAILED"
    return "target" if row.target is not None and ratio >= row.target else "gate"


def _judge_limit(row: Limit, value_s: float) -> Verdict:
    if row.gate is None:
        return "reported"
    if value_s > row.gate:
        return "FAILED"
    return "target" if row.target is not None and value_s <= row.target else "gate"
