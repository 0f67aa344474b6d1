"""A table as HTML, LaTeX (booktabs), Markdown and CSV; the first three print, the last one keeps every digit."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from handbench.datasets.files import replace_file
from handbench.report.items import Column, Table
from handbench.report.latex_table import render_latex
from handbench.report.stamped_csv import write_csv

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

NOTHING = "\N{EN DASH}"
SORTABLE = "sortable"


def write_plain_tables(table: Table, folder: Path) -> tuple[Path, ...]:
    """`<name>.csv`, `.md` and `.tex`; the HTML is a page and written by `page`."""
    folder.mkdir(parents=True, exist_ok=True)
    markdown, latex = folder / f"{table.name}.md", folder / f"{table.name}.tex"
    replace_file(markdown, render_markdown(table).encode(errors="backslashreplace"))
    replace_file(latex, render_latex(table, format_cells(table)).encode(errors="backslashreplace"))
    return write_csv(table.frame, folder / table.name, table.stamp), markdown, latex


def render_html(table: Table) -> str:
    """The bare `<table>`, numbers to the right; title, notes and stamp stand around it in the page."""
    shown = format_cells(table)
    kinds = ["word" if column.decimals is None else "number" for column in table.columns]
    classes = pd.DataFrame([kinds] * len(shown), index=shown.index, columns=shown.columns)
    styler = _hide_index(shown).format(escape="html").format_index(escape="html", axis=1).set_td_classes(classes)
    styler.set_table_attributes(f'class="{SORTABLE}"').set_uuid(table.name.replace("_", "-"))
    html = str(styler.to_html(cell_ids=False))
    # The style sheet that comes before the table is empty: looks are the page's business.
    return html[html.index("<table") :].strip()


def render_markdown(table: Table) -> str:
    shown = format_cells(table)
    heads = [f"{column.group}: {column.label}" if column.group else column.label for column in table.columns]
    rules = ["---" if column.decimals is None else "---:" for column in table.columns]
    rows = [heads, rules, *shown.to_numpy().tolist()]
    lines = ["| " + " | ".join(str(cell).replace("|", r"\|") for cell in row) + " |" for row in rows]
    texts = [f"\n{text}" for text in (*table.notes, table.stamp.replace("|", r"\|"))]
    return "\n".join((f"**{table.title}**\n", *lines, *texts)) + "\n"


def format_cells(table: Table) -> pd.DataFrame:
    """Every cell as it is printed, under two rows of headings."""
    cells = {place: [_format(row, column) for row in table.frame.to_dict("records")] for place, column in _place(table)}
    shown = pd.DataFrame(cells)
    shown.columns = pd.MultiIndex.from_tuples([(column.group, column.label) for column in table.columns])
    return shown


def _place(table: Table) -> list[tuple[int, Column]]:
    return list(enumerate(table.columns))


def _hide_index(shown: pd.DataFrame) -> "Styler":
    return shown.style.hide(axis="index")


def _format(row: dict[Any, Any], column: Column) -> str:
    value = row[column.key]
    if column.decimals is None:
        return NOTHING if pd.isna(value) or value == "" else str(value)
    if pd.isna(value):
        return (str(row[column.otherwise]) if column.otherwise else "") or NOTHING
    low = f"{value:{'+' if column.signed else ''},.{column.decimals}f}"
    return f"[{low}, {row[column.high]:,.{column.decimals}f}]" if column.high else low
