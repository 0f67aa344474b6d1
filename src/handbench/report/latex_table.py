"""A table for print: booktabs, as wide as the text at most, over as many pages as it takes.

Three forms: a float of the table's own width; a wide one scaled to the width of the text; and a long one of many rows
that breaks over pages, its columns paragraphs, across the page where they are many.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import pandas as pd

from handbench.report.items import Column, Table

WIDE, NARROW_PAGE = 74, 7
"""Characters, the gaps among them, beyond which a float is scaled; columns beyond which a long table lies across."""
LONG = 25
"""Rows beyond which a table breaks over pages."""
LONGEST_WORDS = 24
"""Characters of a cell beyond which its column breaks lines, and those of a line then."""
SHORTEST_HEAD = 11
"""Characters that a heading has for a line at least, however narrow its column."""
GAP = 3
STRUT = r"\rule{0pt}{2.3ex}"
"""Keeps the first of several lines off the rule above it."""
SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
SPECIAL |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
SPECIAL |= {"|": r"\textbar{}", "<": r"\textless{}", ">": r"\textgreater{}", "`": r"\textasciigrave{}"}
SPECIAL |= {"\N{EN DASH}": "--", "\N{LESS-THAN OR EQUAL TO}": r"\(\leq\)", "\N{GREATER-THAN OR EQUAL TO}": r"\(\geq\)"}
SPECIAL |= {"\N{MULTIPLICATION SIGN}": r"\(\times\)", "\N{DEGREE SIGN}": r"\(^\circ\)", "\N{MINUS SIGN}": r"\(-\)"}


def render_latex(table: Table, cells: pd.DataFrame) -> str:
    """The whole file; `cells` are printed as they stand, one column each of the table's."""
    rows: list[list[str]] = cells.astype(str).to_numpy().tolist()
    return _render_long(table, rows) if len(rows) > LONG else _render_float(table, rows)


def escape_latex(text: str) -> str:
    """What LaTeX would take for its own, made plain."""
    return "".join(SPECIAL.get(sign, sign) for sign in text)


def _render_float(table: Table, rows: Sequence[Sequence[str]]) -> str:
    longest = [max((len(row[place]) for row in rows), default=0) for place in range(len(table.columns))]
    broken = [
        column.decimals is None and width > LONGEST_WORDS for column, width in zip(table.columns, longest, strict=True)
    ]
    room = [max(min(width, LONGEST_WORDS), SHORTEST_HEAD) for width in longest]
    align = [
        rf">{{\raggedright\arraybackslash}}p{{{LONGEST_WORDS / 2:g}em}}" if breaks else _side(column)
        for column, breaks in zip(table.columns, broken, strict=True)
    ]
    body = [rf"\begin{{tabular}}{{{''.join(align)}}}", r"\toprule", *_head(table.columns, room), r"\midrule"]
    body += [_row(map(escape_latex, row)) for row in rows] + [r"\bottomrule", r"\end{tabular}"]
    heads = [max(map(len, _break(column.label, width))) for column, width in zip(table.columns, room, strict=True)]
    widths = [max(min(cell, LONGEST_WORDS), head) for cell, head in zip(longest, heads, strict=True)]
    wide = sum(widths) + GAP * len(widths) > WIDE
    if wide:
        body = [r"\resizebox{\linewidth}{!}{%", *body[:-1], body[-1] + "}"]
    packages = ["booktabs", *(["array"] if any(broken) else []), *(["graphicx"] if wide else [])]
    head = [r"\begin{table}", r"\centering", _caption(table) + r"\par\smallskip"]
    return _join(packages, [*head, *body, r"\par\smallskip\raggedright", *_small_print(table), r"\end{table}"])


def _render_long(table: Table, rows: Sequence[Sequence[str]]) -> str:
    """Every column a paragraph; together they are as wide as the text, or as the page across."""
    shares = _share_width(table.columns, rows)
    gaps = rf"\dimexpr\linewidth-{2 * len(shares)}\tabcolsep\relax"
    align = "".join(rf">{{\raggedright\arraybackslash}}p{{{share:.3f}{gaps}}}" for share in shares)
    head = _row(_bold(column.label) for column in table.columns)
    body = [
        rf"\begin{{longtable}}{{{align}}}",
        _caption(table) + r"\\",
        r"\toprule",
        head,
        r"\midrule",
        r"\endfirsthead",
    ]
    body += [r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"]
    # Nearly a page of one row leaves gaps: a little air between rows, none of it before a page's end.
    body += [_row(map(escape_latex, row)) + r"\addlinespace[2pt]" for row in rows] + [r"\end{longtable}"]
    across = len(shares) > NARROW_PAGE
    sizes = [r"\footnotesize", r"\setlength{\tabcolsep}{3pt}"]
    page = [r"\begin{landscape}", *sizes, *body, *_small_print(table), r"\end{landscape}"]
    flat = [r"\begingroup", *sizes, *body, *_small_print(table), r"\endgroup"]
    packages = ["booktabs", "array", "longtable", *(["pdflscape"] if across else [])]
    return _join(packages, page if across else flat)


def _share_width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[float]:
    """What part of the width each column gets: the longest word fits, and long texts get more, not in proportion."""
    needs = []
    for place, column in enumerate(columns):
        texts = [column.label, *(row[place] for row in rows)]
        # Some letters are wider than the mean one, and so are bold headings.
        words = [1.15 * len(part) for row in rows for part in row[place].split()]
        word = max([*words, *(1.45 * len(part) for part in column.label.split())], default=1)
        mean = sum(map(len, texts)) / len(texts)
        needs.append(max(word + 1, 2.6 * mean**0.5))
    return [need / sum(needs) for need in needs]


def _head(columns: Sequence[Column], room: Sequence[int]) -> list[str]:
    """Groups over labels, lines broken so that no heading is wider than what stands below it."""
    labels = _row(_stack(column.label, width, _side(column)) for column, width in zip(columns, room, strict=True))
    if not any(column.group for column in columns):
        return [labels]
    cells, rules, start = [], [], 0
    for group, members in groupby(columns, key=lambda column: column.group):
        number = len(list(members))
        width = sum(room[start : start + number]) + GAP * (number - 1)
        cells.append(
            rf"\multicolumn{{{number}}}{{c}}{{{_stack(group, width, 'c')}}}" if group else " & " * (number - 1)
        )
        rules += [rf"\cmidrule(lr){{{start + 1}-{start + number}}}"] if group else []
        start += number
    return [_row(cells), " ".join(rules), labels]


def _stack(text: str, width: int, side: str) -> str:
    """A heading over several lines where it is longer than its column is wide."""
    plain = [escape_latex(line) for line in _break(text, width)]
    stacked = r"\\".join(plain)
    return plain[0] if len(plain) == 1 else rf"\shortstack[{side}]{{{STRUT}{stacked}}}"


def _break(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _bold(text: str) -> str:
    return rf"\textbf{{{escape_latex(text)}}}"


def _side(column: Column) -> str:
    """Numbers to the right, words to the left."""
    return "l" if column.decimals is None else "r"


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _caption(table: Table) -> str:
    return rf"\caption{{{escape_latex(table.title)}}}\label{{tab:{table.name}}}"


def _small_print(table: Table) -> list[str]:
    return [rf"{{\footnotesize {escape_latex(text)}\par}}" for text in (*table.notes, table.stamp)]


def _join(packages: Sequence[str], lines: Sequence[str]) -> str:
    needs = "% In the preamble: " + " ".join(rf"\usepackage{{{package}}}" for package in packages)
    return "\n".join((needs, *lines)) + "\n"
