"""What every figure and table of a section's report has to say of itself."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd


def check_stamped(report: Path, paper: str, figures: Iterable[str], tables: Iterable[str], *, frames: int) -> None:
    for name in figures:
        assert (report / "figures" / f"{paper}_{name}.png").stat().st_size > 10_000
        assert (report / "figures" / f"{paper}_{name}.pdf").is_file()
        (stamp,) = pd.read_csv(report / "figures" / f"{paper}_{name}.csv")["stamp"].unique()
        for fact in (f"{frames} frames", " joints", "centre: com", "cube: ", "data: embedded", "commit: abc1234"):
            assert fact in stamp, name
    for name in tables:
        (stamp,) = pd.read_csv(report / "tables" / f"{paper}_{name}.csv")["stamp"].unique()
        for fact in ("frames", "joints", "centre", "cube", "data: ", "scale: ", "seeds: ", "commit: ", "config: "):
            assert fact in stamp, name
