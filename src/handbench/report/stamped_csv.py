"""CSV files at full precision whose last column says where the numbers come from.

The stamp is a column, not a comment line: every reader of CSV then gets the whole file right.
"""

import io
from pathlib import Path

import pandas as pd

from handbench.datasets.files import replace_file


def write_csv(frame: pd.DataFrame, out: Path, stamp: str) -> Path:
    """Write `frame` and a `stamp` column to `out` with .csv."""
    text = io.StringIO()
    # A number sign would cut the line for readers that take it for a comment.
    frame.assign(stamp=stamp.replace("#", "no. ")).to_csv(text, index=False, lineterminator="\n")
    path = out.with_name(f"{out.name}.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.getvalue().encode(errors="backslashreplace"))
    return path
