"""Which models there are, as a table or for machines: what `handbench models list` does."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from handbench.release.card import tell_error
from handbench.release.fetch_models import fetch_manifest
from handbench.release.manifest import count_bytes, read_place
from handbench.training.handed_on import find_handed_on, list_places

COLUMNS = ("name", "kind", "learned from", "scale", "error", "real frame", "size", "where")
Row = dict[str, Any]


def list_models(address: str | None) -> list[Row]:
    """Those of a release; without one those that are at hand, the cache's first."""
    if address is not None:
        return [_describe(name, entry, address) for name, entry in fetch_manifest(address).items()]
    return [
        _describe(name, entry, str(place / name)) | {"taken": find_handed_on(name) == place / name}
        for place in list_places()
        for name, entry in read_place(place).items()
    ]


def as_table(rows: Sequence[Row]) -> str:
    """Columns as wide as their words; a model that another of its name stands before is in brackets."""
    cells = [COLUMNS, *(_shorten(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps(rows, indent=1, ensure_ascii=False)


def say_none() -> str:
    places = " nor ".join(str(place) for place in list_places())
    return f"no models in {places}: `handbench models fetch --from ADDRESS` brings some"


def _describe(name: str, entry: Mapping[str, Any], where: str) -> Row:
    told = {key: value for key, value in entry.items() if key != "files"}
    return {"name": name, **told, "bytes": count_bytes(entry), "where": where}


def _shorten(row: Row) -> tuple[str, ...]:
    data, real = row["data"], row["real_frame"]
    return (
        row["name"] if row.get("taken", True) else f"({row['name']})",
        row["kind"],
        f"{data['frames']:,} {data['source']} {data['dataset']}",
        data["scale"],
        tell_error(row["error"]["float16"]),
        f"{real['found_mm']:.1f} mm" if real else "-",
        f"{row['bytes'] / 1e6:.1f} MB",
        _from_here(row["where"]),
    )


def _from_here(where: str) -> str:
    """A path below this folder without it."""
    return str(Path(where).relative_to(Path.cwd())) if Path(where).is_relative_to(Path.cwd()) else where
