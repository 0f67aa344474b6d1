"""A table by hand in each of its four formats."""

import numpy as np
import pandas as pd

from handbench.report.items import Column, Table
from handbench.report.table_files import (
    NOTHING,
    escape_latex,
    format_cells,
    render_html,
    render_latex,
    render_markdown,
    write_plain_tables,
)

FRAME = pd.DataFrame(
    {
        "method": ["A & B <i>", "C_50 %"],
        "printed_mm": [12.34567, np.nan],
        "run_mm": [np.nan, 1234.5],
        "low_mm": [np.nan, 1.25],
        "high_mm": [np.nan, 2.5],
        "change_mm": [0.126, -3.0],
        "status": ["not run | yet", ""],
    }
)
COLUMNS = (
    Column("method", "method"),
    Column("printed_mm", "mean, mm", "printed", decimals=1),
    Column("run_mm", "mean, mm", "this run", decimals=2, otherwise="status"),
    Column("low_mm", "95 % interval", "this run", decimals=1, high="high_mm"),
    Column("change_mm", "difference", decimals=2, signed=True),
    Column("status", "status"),
)
TABLE = Table("a_table", "Title & 5 %", FRAME, COLUMNS, "NYU | seeds: 0", ("One note.",))


def test_cells_by_hand():
    first, second = format_cells(TABLE).to_numpy().tolist()
    assert first == ["A & B <i>", "12.3", "not run | yet", NOTHING, "+0.13", "not run | yet"]
    assert second == ["C_50 %", NOTHING, "1,234.50", "[1.2, 2.5]", "-3.00", NOTHING]


def test_html_is_escaped_and_sortable_with_two_rows_of_headings():
    html = render_html(TABLE)
    assert html.startswith("<table")
    assert html.endswith("</table>")
    assert 'class="sortable"' in html
    assert "A &amp; B &lt;i&gt;" in html
    assert html.count("<tr") == 4
    assert 'colspan="2"' in html
    assert "number" in html
    assert html == render_html(TABLE)


def test_latex_is_a_booktabs_float_with_everything_escaped():
    latex = render_latex(TABLE)
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\label{tab:a_table}", r"A \& B", r"C\_50 \%"):
        assert part in latex
    assert r"\caption{Title \& 5 \%}" in latex
    assert r"\begin{tabular}{lrrrrl}" in latex
    assert r"NYU \textbar{} seeds: 0" in latex
    assert latex.count(r"\begin") == latex.count(r"\end") == 2


def test_latex_signs_by_hand():
    assert escape_latex("a_b{c} 5 % ~ \\") == r"a\_b\{c\} 5 \% \textasciitilde{} \textbackslash{}"


def test_markdown_has_one_row_of_headings_and_no_broken_cells():
    lines = render_markdown(TABLE).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert table[0].startswith("| method | printed: mean, mm | this run: mean, mm |")
    assert table[1] == "| --- | ---: | ---: | ---: | ---: | --- |"
    assert all(line.replace(r"\|", "").count("|") == 7 for line in table)
    assert lines[-1] == r"NYU \| seeds: 0"


def test_csv_keeps_every_digit_and_carries_the_stamp(tmp_path):
    written = write_plain_tables(TABLE, tmp_path / "tables")
    assert [path.name for path in written] == ["a_table.csv", "a_table.md", "a_table.tex"]
    read = pd.read_csv(written[0], comment="#")
    assert read["printed_mm"].tolist()[0] == 12.34567
    assert read.columns.tolist() == [*FRAME.columns, "stamp"]
    assert set(read["stamp"]) == {"NYU | seeds: 0"}
