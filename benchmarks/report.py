"""The table: plain text for people, and the same as JSON."""

from dataclasses import asdict
from typing import Any

from benchmarks.harness import Quartiles
from benchmarks.rows import AnyRow, Limit, Row, SpeedRow
from benchmarks.run import Result

_COLUMNS = ("row", "median", "quartiles", "gate", "target", "verdict", "ours", "peer")
_WIDTHS = (20, 12, 18, 8, 8, 10, 11, 11)
_UNITS = {Row: "peer / ours", Limit: "s", SpeedRow: "frames/s"}


def format_header(processor: str, versions: dict[str, str]) -> str:
    """What the numbers are of."""
    lines = [
        f"on {processor}, one thread, processor time; " + ", ".join(f"{name} {of}" for name, of in versions.items()),
        "a ratio is the peer's time over ours in the same round; median of rounds and its quartiles",
        "",
        _join(_COLUMNS),
    ]
    return "\n".join(lines)


def format_result(result: Result, processor: str) -> str:
    """Two lines: the numbers, and what they are of."""
    row = result.row
    numbers = ["-"] * 2 if result.value is None else _format_value(result)
    limits = [_format_limit(row, row.gate), _format_limit(row, row.target)]
    times = ["", ""]
    if result.timing:
        times = [f"{1e6 * quartiles.median:.1f} us" for quartiles in (result.timing.ours_s, result.timing.peer_s)]
    lines = [_join([row.name, *numbers, *limits, result.verdict, *times])]
    lines.append(f"  {_describe_work(row)}; {row.threads} thread, {row.device} ({processor})")
    if result.timing:
        lines[-1] += f", {result.timing.rounds} rounds"
    if result.note:
        lines.append(f"  {result.note}")
    return "\n".join(lines)


def describe(result: Result, processor: str) -> dict[str, Any]:
    """A row of the JSON file."""
    row = result.row
    facts = {name: getattr(row, name) for name in ("name", "what", "gate", "target", "threads", "device")}
    if not isinstance(row, Limit):
        facts |= {"batch": row.batch, "precision": row.precision}
        facts |= {"printed_fps": row.printed_fps} if isinstance(row, SpeedRow) else {"peer": row.peer}
    return facts | {
        "processor": processor,
        "unit": _UNITS[type(row)],
        "verdict": result.verdict,
        "value": result.value and asdict(result.value),
        "timing": result.timing and asdict(result.timing),
        "note": result.note,
    }


def _describe_work(row: AnyRow) -> str:
    if isinstance(row, Limit):
        return row.what
    peer = "" if isinstance(row, SpeedRow) else f", against {row.peer}"
    return f"{row.what}{peer}; batch {row.batch}, {row.precision}"


def _format_value(result: Result) -> list[str]:
    value = result.value
    assert isinstance(value, Quartiles)
    if isinstance(result.row, SpeedRow):
        unit, digits = "fps", 0
    else:
        unit, digits = ("s", 2) if isinstance(result.row, Limit) else ("x", 2 if value.median < 10 else 1)
    return [f"{value.median:.{digits}f} {unit}", f"{value.low:.{digits}f} to {value.high:.{digits}f}"]


def _format_limit(row: AnyRow, limit: float | None) -> str:
    if limit is None:
        return "-"
    return f"<={limit:g} s" if isinstance(row, Limit) else f">={limit:g}"


def _join(cells: tuple[str, ...] | list[str]) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()
