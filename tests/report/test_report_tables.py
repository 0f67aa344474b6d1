"""A table by hand in each of its four formats."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from handbench.report.items import Column, Table
from handbench.report.latex_table import escape_latex, render_latex
from handbench.report.table_files import (
    NOTHING,
    format_cells,
    render_html,
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
    latex = render_latex(TABLE, format_cells(TABLE))
    assert latex.startswith("% In the preamble: \\usepackage{booktabs} \\usepackage{graphicx}\n")
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\label{tab:a_table}", r"A \& B", r"C\_50 \%"):
        assert part in latex
    assert r"\caption{Title \& 5 \%}" in latex
    assert r"\begin{tabular}{lrrrrl}" in latex
    assert r"NYU \textbar{} seeds: 0" in latex
    assert latex.count(r"\begin") == latex.count(r"\end") == 2


def read_head(latex: str) -> str:
    return latex[latex.index(r"\toprule") : latex.index(r"\midrule")]


def test_latex_breaks_headings_that_are_longer_than_their_column():
    columns = (Column("a", "a", "a group with a long name"), Column("b", "a long label", "a group with a long name"))
    table = Table("t", "T", pd.DataFrame({"a": [1.0], "b": ["x"]}), (*columns, Column("b", "other words")), "stamp")
    head = read_head(render_latex(table, format_cells(table)))
    assert r"\multicolumn{2}{c}{a group with a long name}" in head
    assert r"\cmidrule(lr){1-2}" in head
    assert r"\shortstack[l]{\rule{0pt}{2.3ex}a long\\label}" in head
    assert "other words" in head


def make_wide(rows: int, columns: int = 9) -> Table:
    words = "a sentence that is somewhat longer than others"
    frame = pd.DataFrame({f"c{place}": [words] * rows for place in range(columns)})
    return Table("t", "T", frame, tuple(Column(key, key) for key in frame), "stamp")


def test_a_wide_table_is_scaled_to_the_text_and_its_sentences_broken():
    table = make_wide(2)
    latex = render_latex(table, format_cells(table))
    assert r"\resizebox{\linewidth}{!}{%" in latex
    assert latex.count("p{12em}") == 9
    assert latex.splitlines()[0].endswith(r"\usepackage{booktabs} \usepackage{array} \usepackage{graphicx}")


@pytest.mark.parametrize(("columns", "across"), [(3, False), (9, True)])
def test_a_long_table_breaks_over_pages_and_fits_the_width(columns, across):
    table = make_wide(30, columns)
    latex = render_latex(table, format_cells(table))
    shares = [float(share) for share in re.findall(r"p\{([\d.]+)\\dimexpr\\linewidth-", latex)]
    assert len(shares) == columns
    assert sum(shares) == pytest.approx(1, abs=0.005)
    for part in (r"\begin{longtable}", r"\endfirsthead", r"\endhead", r"\footnotesize"):
        assert part in latex
    assert (r"\begin{landscape}" in latex, "pdflscape" in latex.splitlines()[0]) == (across, across)
    assert r"\begin{table}" not in latex


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex: apt-get install texlive-latex-recommended")
def test_latex_compiles_within_its_page(small_report, tmp_path):
    """With what each file asks for in its first line and nothing else."""
    for name in ("claims", "runs", "feedback19_table_1"):
        text = (small_report / "tables" / f"{name}.tex").read_text()
        preamble = text.splitlines()[0].removeprefix("% In the preamble: ")
        document = "\n".join((r"\documentclass{article}", preamble, r"\begin{document}", text, r"\end{document}"))
        (tmp_path / f"{name}.tex").write_text(document)
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
        for _ in range(2):
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]
        too_wide = [float(width) for width in re.findall(r"Overfull .hbox \(([\d.]+)pt", done.stdout)]
        assert max(too_wide, default=0) < 6, f"{name}: {too_wide}"


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
