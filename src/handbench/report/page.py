"""The pages as HTML: templates, style and scripts are put into each page, so that none asks for another file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handbench import __version__
from handbench.report.claims_table import STATUS_MARKS, STATUS_WORDS, ClaimRow
from handbench.report.items import Absent, Figure, Item, Section, Table
from handbench.report.run_card import RunCard
from handbench.report.table_files import render_html

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER = Path(__file__).parent / "page"
PARTS = "parts.html.jinja"
INDEX, CLAIMS, TABLE = "index.html.jinja", "claims.html.jinja", "table.html.jinja"
STYLE, SORT, FILTER, HINT = "style.css", "sort.js", "filter.js", "hint.js"
BROAD_PX = 1300
"""A picture wider than that would have no readable letter on a phone if it shrank to its width."""


@dataclass(frozen=True)
class ContactSheet:
    """A picture of the data, by its path below the report."""

    path: str
    title: str
    stamp: str


@dataclass(frozen=True)
class FrameSheet:
    """The best, median or worst frames of a method."""

    path: str
    kind: str
    title: str
    range: str


@dataclass(frozen=True)
class FrameGroup:
    """The three sheets of one method on one dataset."""

    title: str
    sheets: tuple[FrameSheet, ...]
    stamp: str


@dataclass(frozen=True)
class IndexPage:
    """Everything the first page shows."""

    card: RunCard
    stamp: str
    caution: tuple[str, ...]
    counts: dict[str, int]
    results: int
    left_out: int
    remarks: tuple[str, ...]
    """What trainings of the run remarked."""
    runs: Item
    sections: tuple[Section, ...]
    sheets: tuple[ContactSheet, ...]
    frames: tuple[FrameGroup, ...]
    without_frames: tuple[str, ...]


def render_index(page: IndexPage, folder: Path) -> str:
    """The first page; pictures already lie in `folder`, whose sizes keep the page from jumping while it loads."""
    return _render(
        INDEX, {"page": page, "size_of": lambda path: read_size(folder / path), "broad": BROAD_PX}, (SORT, HINT)
    )


def render_claims(
    rows: Sequence[ClaimRow], counts: dict[str, int], card: RunCard, stamp: str, caution: Sequence[str]
) -> str:
    papers = list(dict.fromkeys(row.paper for row in rows))
    values = {"rows": rows, "counts": counts, "card": card, "stamp": stamp, "caution": caution, "papers": papers}
    return _render(CLAIMS, values, (SORT, FILTER, HINT))


def render_table(table: Table) -> str:
    """A page of one table."""
    return _render(TABLE, {"table": table}, (SORT, HINT))


def read_size(path: Path) -> tuple[int, int]:
    """Width and height from the header of a PNG or a GIF."""
    with path.open("rb") as file:
        head = file.read(24)
    if head.startswith(b"GIF8"):
        return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _render(template: str, values: dict[str, Any], scripts: Sequence[str]) -> str:
    from markupsafe import Markup

    shared = {
        "style": Markup(_read(STYLE)),
        "scripts": Markup("\n".join(_read(script) for script in scripts)),
        "version": __version__,
        "words": STATUS_WORDS,
        "marks": STATUS_MARKS,
        "kind_of": _name_kind,
        "render_table": lambda table: Markup(render_html(table)),
    }
    return _environment().get_template(template).render({**shared, **values})


def _name_kind(item: Item) -> str:
    return {Table: "table", Figure: "figure", Absent: "absent"}[type(item)]


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import DictLoader, Environment, StrictUndefined

    templates = {name: _read(name) for name in (PARTS, INDEX, CLAIMS, TABLE)}
    environment = Environment(
        loader=DictLoader(templates), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = _mark_code
    return environment


def _mark_code(text: str) -> "Markup":
    """What stands between backticks is something to type."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@lru_cache(maxsize=16)
def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
