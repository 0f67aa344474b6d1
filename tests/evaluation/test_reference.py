"""What is committed under results/reference is what this code gives of the published predictions."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from handbench.evaluation.claims import claims_frame, decide_claims
from handbench.evaluation.published import Record

REFERENCE = Path(__file__).resolve().parents[2] / "results" / "reference"


@pytest.mark.parametrize("claims", sorted(REFERENCE.glob("*/claims.csv")), ids=lambda path: path.parent.name)
def test_the_rows_of_the_record_are_those_of_this_code(claims: Path, shared: Path) -> None:
    with claims.open(newline="") as file:
        kept = {row["id"]: row for row in csv.DictReader(file)}
    now = claims_frame(decide_claims([], Record(shared / "published"), scale="claims", source="embedded"))
    assert list(kept) == now["id"].tolist()
    for row in now[now["source"] == "published"].to_dict("records"):
        assert kept[row["id"]]["status"] == row["status"]
        for name in ("measured", "low", "high"):
            if row[name] == "" or pd.isna(row[name]):
                assert kept[row["id"]][name] == ""
            else:
                assert float(kept[row["id"]][name]) == pytest.approx(float(row[name]), rel=1e-5)
