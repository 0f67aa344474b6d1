"""What a report tells and shows of the rendered sets of a run: the numbers of their manifests, frames of both kinds."""

import json
from pathlib import Path

import pandas as pd
import pytest

from handbench.datasets.render import render
from handbench.datasets.render_truth import read_render_truth
from handbench.datasets.synthesize import synthesize
from handbench.report.items import Absent, Figure, Table
from handbench.report.rendered_items import build_rendered_pictures, build_rendered_table
from handbench.report.run_card import RunCard
from handbench.report.sources import Sources
from handbench.sealed import seal


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("results") / "demo-embedded"
    synthesize("msra14", run / "synthesize" / "msra14", frames={"all": 12}, seed=1)
    hands = {"msra14": run / "synthesize" / "msra14" / "raw"}
    render("train", run / "render" / "train", hands=hands, frames={"semi": 14, "full": 20}, seed=2)
    render("spheres", run / "render" / "spheres", hands={}, frames={"full": 4}, seed=2)
    return run


@pytest.fixture
def sources(run: Path) -> Sources:
    return Sources(run, RunCard("demo", "embedded", (0,), "abc", "123", None), (), None)


def read_manifest(run: Path, word: str) -> dict:
    return json.loads((run / "render" / word / "manifest.json").read_text())


def test_the_table_has_the_numbers_of_the_manifests(run: Path, sources: Sources) -> None:
    table = build_rendered_table("rendered", "Rendered", sources)
    assert isinstance(table, Table)
    rows = table.frame.set_index(["set", "kind"])
    assert list(rows.index) == [
        ("train", "semi-synthetic"),
        ("train", "fully synthetic"),
        ("spheres", "fully synthetic"),
    ]
    assert rows["frames"].tolist() == [14, 20, 4]
    manifest, truth = read_manifest(run, "train"), read_render_truth(run / "render" / "train" / "truth.npz")
    semi, full = (rows.loc[("train", kind)] for kind in ("semi-synthetic", "fully synthetic"))
    rejected = truth.rejected[:14].sum()
    assert semi["drawn_again"] == pytest.approx(100 * rejected / (rejected + 14), abs=0.01)
    [most] = [one for one in semi["reasons"].split(", ") if one.startswith("in the hand")]
    share = 100 * manifest["semi"]["rejected"]["in the hand"] / rejected
    assert most == f"in the hand {share:.0f} %"
    held = ~truth.released
    assert full["penetration_max_mm"] == pytest.approx(truth.penetration_mm[held].max(), abs=1e-3)
    assert full["touching"] == pytest.approx(100 * (truth.gap_mm[held] < 3).mean())
    assert full["released"] == pytest.approx(100 * truth.released.mean())
    assert full["sha256"] == manifest["sha256"]
    assert semi[["penetration_mean_mm", "touching", "released"]].isna().all()
    assert f"set train ({manifest['sha256'][:12]})" in table.stamp
    assert "seed of the data: 2" in table.stamp


def test_figure_10_has_a_row_of_each_kind(run: Path, sources: Sources, tmp_path: Path) -> None:
    figure = build_rendered_pictures("figure_10", "Fig. 10", sources)
    assert isinstance(figure, Figure)
    figure.draw(tmp_path / "figure_10")
    assert (tmp_path / "figure_10.png").stat().st_size > 20_000
    rows = pd.read_csv(tmp_path / "figure_10.csv")
    assert rows["sequence"].tolist() == ["semi"] * 6 + ["full"] * 6
    assert rows["frame"].tolist()[0] == "semi/000000.png"
    assert len(set(rows["frame"])) == 12
    assert set(rows["stamp"]) == {figure.stamp}


def test_without_a_whole_set_nothing_is_shown(run: Path, sources: Sources, tmp_path: Path) -> None:
    for name, content in (("train", {"format": "other"}), ("composed", {})):
        place = tmp_path / "render" / name / "manifest.json"
        place.parent.mkdir(parents=True)
        place.write_text(json.dumps(seal(content)))
    changed = read_manifest(run, "spheres") | {"full": {}}
    (tmp_path / "render" / "spheres").mkdir()
    (tmp_path / "render" / "spheres" / "manifest.json").write_text(json.dumps(changed))
    empty = Sources(tmp_path, sources.card, (), None)
    for build in (build_rendered_table, build_rendered_pictures):
        item = build("x", "X", empty)
        assert isinstance(item, Absent)
        assert "not run at this scale" in item.why
