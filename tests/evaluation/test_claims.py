"""The page of claims: it is the project's list, it is computed, and what is missing is named."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from claim_fixtures import BLOCKS, decide, make_result

from handbench.evaluation import claim_deepmodel, claim_feedback19
from handbench.evaluation.claim_crossing import NN_SEARCH
from handbench.evaluation.claim_list import CLAIMS
from handbench.evaluation.claim_shares import ESTIMATOR
from handbench.evaluation.claims import DECIDERS, OF_RECORD, claims_frame, decide_claims, write_claims
from handbench.evaluation.published import Record
from handbench.evaluation.results import Result


def make_crossing(ratios: dict[str, float], *, seeds: Sequence[int] = (0,), noise: float = 0.02) -> list[Result]:
    """nn-search and estimator on each data set, nn-search `ratio` times as wrong but for some noise a block."""
    rng = np.random.default_rng(0)
    results = []
    for dataset, ratio in ratios.items():
        estimator = rng.uniform(8, 12, BLOCKS)
        for seed in seeds:
            results.append(make_result(ESTIMATOR, dataset, estimator, seed))
            results.append(make_result(NN_SEARCH, dataset, estimator * ratio * rng.normal(1, noise, BLOCKS), seed))
    return results


def test_the_list_is_the_one_that_was_agreed(shared: Path) -> None:
    rows = [line.strip("| \n").split(" | ") for line in (shared / "claims.md").read_text().splitlines()]
    rows = [row for row in rows if re.fullmatch(r"[A-Z]{2}\d+", row[0])]
    assert [(one.id, f"{one.paper} {one.place}".strip()) for one in CLAIMS] == [(row[0], row[1]) for row in rows]
    number = re.compile(r"\d+(?:\.\d+)?")
    for claim, row in zip(CLAIMS, rows, strict=True):
        there = set(number.findall(" ".join(row)))
        assert set(number.findall(claim.printed)) <= there, claim.id
        assert set(number.findall(claim.criterion.replace("FB3", "").replace("FB3,", ""))) <= there, claim.id
        # Nothing that the paper prints is left out either; a table may stand for the list of its numbers.
        assert set(number.findall(row[3])) <= set(number.findall(f"{claim.printed} {claim.statement}")), claim.id


def test_every_claim_has_a_decider() -> None:
    ids = {claim.id for claim in CLAIMS}
    assert len(ids) == len(CLAIMS) == 39
    assert set(DECIDERS) == ids


def test_without_anything_nothing_is_decided() -> None:
    verdicts = decide_claims([], None, scale="demo", source="embedded")
    assert [one.claim for one in verdicts] == list(CLAIMS)
    assert {one.status for one in verdicts} == {"not-run"}
    reasons = {one.claim.id: one.reason for one in verdicts}
    assert reasons["FB1"] == "no demo-embedded results of feedback15 on nyu; of feedback15_predictor on nyu"
    assert reasons["GF11"] == "no demo-embedded probes of handobject on dexter"
    assert reasons["GF10"] == "no published record: run `handbench download published`"
    assert all(reasons[claim.id] for claim in CLAIMS)
    assert {(one.scale, one.source) for one in verdicts if one.claim.id in OF_RECORD} == {("-", "published")}
    assert {(one.scale, one.source) for one in verdicts if one.claim.id not in OF_RECORD} == {("demo", "embedded")}


def test_the_record_decides_two_claims(shared: Path) -> None:
    for scale in ("smoke", "demo"):
        record = Record(shared / "published")
        table = decide([], "GF10", record, scale)
        assert (table.status, table.measured) == ("holds", "7 of 8 rows within 0.3 mm of print")
        assert table.reason == "7 of 8 rows within 0.3 mm of print; exceptions: 3DCNN 14.11 recomputed, 10.6 printed"
        assert (table.value, table.low) == (7.0, None)
        assert (table.scale, table.source, table.seeds) == ("-", "published", ())
        curves = decide([], "DM4", record, scale)
        assert curves.status == "holds"
        assert curves.value == pytest.approx(-1.02, abs=0.01)
        assert curves.low is not None
        assert curves.high is not None
        assert curves.low < curves.value < curves.high < 0
        assert curves.measured.startswith("ICVL, DeepModel less LRF: -1.02 mm")
        assert "NYU, DeepModel less DeepPrior: -3.71 mm" in curves.reason
        assert "sequence 1 alone" in curves.reason


def test_an_incomplete_record_says_what_it_lacks(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "nyu").mkdir()
    for path in (shared / "published" / "nyu").iterdir():
        if "LieX" not in path.name:
            (tmp_path / "nyu" / path.name).symlink_to(path)
    record = Record(tmp_path)
    assert decide([], "GF10", record).reason.startswith("the published record lacks nyu/lie-x:")
    assert decide([], "DM4", record).reason.startswith("the published record lacks labels of icvl, icvl/deepmodel,")


def test_a_table_further_from_print_fails_by_size(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_feedback19, "NEAR_PRINT_MM", 0.05)
    verdict = decide([], "GF10", Record(shared / "published"))
    assert verdict.status == "fails"
    assert verdict.measured == "3 of 8 rows within 0.05 mm of print"
    assert verdict.reason.startswith("size: 3 of 8 rows within 0.05 mm of print; exceptions: DeepPrior++ 12.24 rec")


def test_a_better_rival_fails_by_direction(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim_deepmodel, "RIVALS", {"nyu": "deepprior", "icvl": "ren-4x6x6"})
    verdict = decide([], "DM4", Record(shared / "published"))
    assert verdict.status == "fails"
    assert verdict.reason.startswith("direction: ICVL, DeepModel less REN-4x6x6, mean error in mm: 95 % interval")
    assert "NYU, DeepModel less DeepPrior, mean error in mm: 95 %" not in verdict.reason, "only what is not met"


def test_nearest_neighbours_are_fair_where_their_ratio_is_lowest() -> None:
    seeds = (0, 1, 2)
    verdict = decide(make_crossing({"nyu": 1.8, "icvl": 1.6, "msra": 1.1}, seeds=seeds), "CN5")
    assert verdict.status == "holds"
    assert verdict.seeds == seeds
    assert (verdict.scale, verdict.source, verdict.figure) == ("claims", "embedded", "crossing_figure_4_msra")
    found = [float(number) for number in re.findall(r"\d\.\d{3}", verdict.measured)]
    assert found == pytest.approx([1.8, 1.6, 1.1], abs=0.02)


def test_nearest_neighbours_fail_by_direction() -> None:
    verdict = decide(make_crossing({"nyu": 1.8, "icvl": 1.1, "msra": 1.4}), "CN5")
    assert (verdict.status, verdict.reason[:31]) == ("fails", "direction: ratio on MSRA less t")
    assert "ICVL" in verdict.reason
    assert "NYU" not in verdict.reason


def test_nearest_neighbours_are_inconclusive() -> None:
    verdict = decide(make_crossing({"nyu": 1.2, "icvl": 1.2, "msra": 1.19}, noise=0.3), "CN5")
    assert verdict.status == "fails"
    assert verdict.reason.startswith("inconclusive:")


def test_an_estimator_that_is_not_trained_to_the_end_decides_nothing() -> None:
    results = make_crossing({"nyu": 1.8, "icvl": 1.6, "msra": 1.2})
    half = [dataclasses.replace(one, converged=one.module != ESTIMATOR or one.dataset != "icvl") for one in results]
    verdict = decide(half, "CN5")
    assert verdict.status == "not-run"
    assert verdict.reason == "crossing on icvl was not trained until its validation error stopped falling"


def test_nearest_neighbours_wait_for_both_modules() -> None:
    results = [one for one in make_crossing({"nyu": 2, "icvl": 2, "msra": 1}) if one.module == NN_SEARCH]
    assert decide(results, "CN5").reason == "no claims-embedded results of crossing on nyu, icvl, msra"
    results = make_crossing({"nyu": 2, "msra": 1})
    assert decide(results, "CN5").reason == "no claims-embedded results of nn_search on icvl; of crossing on icvl"


def test_results_that_do_not_pair_decide_nothing() -> None:
    results = make_crossing({"nyu": 2, "icvl": 2, "msra": 1}, seeds=(0, 1))
    short = [one for one in results if (one.module, one.seed) != (ESTIMATOR, 1)]
    verdict = decide(short, "CN5")
    assert verdict.status == "not-run"
    assert "expected the same seeds of both" in verdict.reason


def test_results_of_other_runs_and_of_smoke_decide_nothing() -> None:
    results = make_crossing({"nyu": 1.8, "icvl": 1.6, "msra": 1.1})
    other = [dataclasses.replace(one, source="real") for one in results]
    assert decide(other, "CN5").status == "not-run"
    smoke = [dataclasses.replace(one, scale="smoke") for one in results]
    assert decide(smoke, "CN5", scale="smoke").reason == (
        "smoke runs only try the wiring: their numbers decide no claim"
    )


def test_the_table_on_disk(tmp_path: Path) -> None:
    verdicts = decide_claims(
        make_crossing({"nyu": 1.8, "icvl": 1.6, "msra": 1.1}, seeds=(0, 1)), None, scale="claims", source="embedded"
    )
    numbered = dataclasses.replace(verdicts[0], status="holds", value=-10.51234567, low=-11.0, high=-10.0, seeds=(0, 1))
    write_claims((numbered, *verdicts[1:]), tmp_path / "deep" / "claims.csv")
    table = pd.read_csv(tmp_path / "deep" / "claims.csv", dtype=str, keep_default_na=False)
    assert ",".join(table.columns) == "id,status,reason,measured,low,high,scale,source,seeds"
    assert table["id"].tolist() == [claim.id for claim in CLAIMS]
    assert table.iloc[0][["status", "measured", "low", "high", "seeds"]].tolist() == [
        "holds",
        "-10.5123",
        "-11",
        "-10",
        "0 1",
    ]
    row = table[table["id"] == "CN5"].iloc[0]
    assert (row["status"], row["low"], row["seeds"]) == ("holds", "", "0 1")
    assert row["measured"].startswith("nn-search over estimator: NYU 1.8")
    assert list(claims_frame(verdicts)["id"]) == table["id"].tolist()
