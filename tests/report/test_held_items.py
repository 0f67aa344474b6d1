"""The tables, figures and the GIF of hand and object, from a made-up run: the numbers of its files, or why not."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from handbench.evaluation.blocks import Blocks
from handbench.evaluation.bootstrap import bootstrap_blocks
from handbench.evaluation.hand_object_score import HandObjectResult
from handbench.evaluation.paper_numbers import FEEDBACK19_TABLE_2
from handbench.evaluation.probes import read_probes
from handbench.evaluation.results import Result, read_results
from handbench.report.build import build_report
from handbench.report.held_frames import open_held
from handbench.report.held_items import SEQUENCES
from handbench.report.items import Absent, Figure, Table
from handbench.report.page import read_size
from handbench.report.run_card import RunCard
from handbench.report.sections.handobject import build_hand_object
from handbench.report.sources import Sources
from handbench.report.table_files import format_cells
from tests.evaluation.hand_object_fixtures import SEEDS, write_probes, write_run

TABLES = (
    "table_2",
    "table_2_sequences",
    "section_4_4_sequences",
    "spheres_sequences",
    "spheres",
    "section_4_4",
    "section_4_5",
    "hand_object_runtime",
)
FIGURES = ("figure_14", "figure_16", "hand_object_iterations", "sequence")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("results") / "demo-embedded", frames=900)
    write_probes(run)
    return run


@pytest.fixture(scope="module")
def report(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(run, tmp_path_factory.mktemp("out") / "report", record=None, pictures=False).parent


@pytest.fixture
def sources(run: Path) -> Sources:
    card = RunCard("demo", "embedded", SEEDS, "abc", "123", None)
    return Sources(run, card, read_results(run), None, probes=read_probes(run))


def list_items(sources: Sources) -> dict[str, Table | Figure | Absent]:
    return {item.name.removeprefix("feedback19_"): item for item in build_hand_object(sources)}


def find_table(sources: Sources, name: str) -> Table:
    item = list_items(sources)[name]
    assert isinstance(item, Table)
    return item


def test_everything_is_there_and_stamped(report: Path) -> None:
    for name in FIGURES:
        assert (report / "figures" / f"feedback19_{name}.png").stat().st_size > 10_000
        (stamp,) = pd.read_csv(report / "figures" / f"feedback19_{name}.csv")["stamp"].unique()
        assert "Dexter+Object, test split, annotations: shipped, 900 frames, 5 joints" in stamp
        assert "data: embedded" in stamp
    for name in TABLES:
        assert "commit: abc1234" in (report / "tables" / f"feedback19_{name}.md").read_text()


def test_figure_15_shows_rendered_frames_of_a_moved_run(report: Path, sources: Sources) -> None:
    item = list_items(sources)["figure_15"]
    assert isinstance(item, Figure)
    assert item.stamp.startswith("Hands with objects, rendered, set composed, 2 frames of persons apart")
    assert "joints 10.0 mm at the start and 4.0 mm at the end, corners 10.0 mm" in " ".join(item.notes)
    rows = pd.read_csv(report / "figures" / "feedback19_figure_15.csv")
    assert rows[["frame", "sequence", "iteration", "mean_mm"]].values.tolist() == [
        [1, "full", 0, 10.0],
        [3, "full", 0, 10.0],
        [1, "full", 2, 4.0],
        [3, "full", 2, 4.0],
    ]
    assert (report / "figures" / "feedback19_figure_15.png").stat().st_size > 10_000
    assert "combined_mm" not in rows
    assert "combined_mm" in pd.read_csv(report / "figures" / "feedback19_figure_14.csv")


def test_figure_15_is_of_the_crops_that_were_probed(sources: Sources) -> None:
    probes = [
        dataclasses.replace(one, numbers={**one.numbers, "sha256_of_store": "others"})
        if one.module == "handobject_composed"
        else one
        for one in sources.probes or ()
    ]
    item = list_items(dataclasses.replace(sources, probes=tuple(probes)))["figure_15"]
    assert isinstance(item, Absent)
    assert "expected the crops that handobject_composed learned from, found others" in item.why


def test_claims_are_decided_from_these_files(report: Path) -> None:
    """150 frames a sequence are three blocks: too few to tell them apart, enough for their average."""
    claims = pd.read_csv(report / "claims.csv").set_index("id")
    ids = ["GF5", "GF7", "GF8", "GF9", "GF11"]
    assert set(claims.loc[ids, "status"]) == {"holds"}, claims.loc[ids, "reason"].to_dict()
    assert claims.loc["GF4", "reason"].startswith("inconclusive: the same on Grasp1: 3 blocks of frames are too few")
    page = (report / "claims.html").read_text()
    for name in ("table_2", "spheres", "section_4_4", "section_4_5", "hand_object_runtime"):
        assert f'href="index.html#feedback19_{name}"' in page


def test_table_2_has_every_printed_number_and_ours_below(sources: Sources) -> None:
    table = find_table(sources, "table_2")
    frame = table.frame
    printed = frame[frame["origin"] == "printed"]
    assert [(row.method, row.metric) for row in printed.itertuples()] == [
        (method, metric) for method, metric, _ in FEEDBACK19_TABLE_2 if metric
    ]
    row = printed[(printed["method"] == "feedback") & (printed["metric"] == "combined")].iloc[0]
    assert (row["mean_Grasp2"], row["mean_average"]) == (22.5, 17.6)
    ours = frame[frame["origin"] == "this run, embedded"].set_index(["method", "metric"])
    assert len(ours) == 3 * 4
    results = sources.find_results(module="handobject")
    for stage, step in (("initialization", 0), ("feedback", 2)):
        for metric in ("tips", "corners", "combined"):
            means = [one.hand_object.at(metric, step) for one in results if one.hand_object]
            cells = ours.loc[(stage, metric)]
            assert cells["mean_average"] == pytest.approx(np.mean([one.average for one in means]))
            assert cells["mean_Pinch"] == pytest.approx(np.mean([one.of_sequence("Pinch").mean for one in means]))
            assert cells["low_mm"] < cells["mean_average"] < cells["high_mm"]
            assert cells["seeds_mm"] == ", ".join(f"{one.average:.1f}" for one in means)
    notes = " ".join(table.notes)
    assert "the four choices that half turns of the box exchange" in notes
    assert "Annotations: shipped." in notes
    assert "Published predictions for Dexter+Object are not at hand" in notes
    assert "not comparable" in notes
    assert "grasps of the generator that made these sequences" in notes


def test_table_2_says_which_annotations_it_is_of(sources: Sources) -> None:
    results = tuple(
        dataclasses.replace(one, protocol=one.protocol | {"annotations": "revised"}) for one in sources.results
    )
    table = find_table(dataclasses.replace(sources, results=results), "table_2")
    assert "Annotations: revised." in " ".join(table.notes)
    assert "annotations: revised" in table.stamp


def test_without_results_print_stands_alone(sources: Sources) -> None:
    items = list_items(dataclasses.replace(sources, results=(), probes=()))
    table = items.pop("table_2")
    assert isinstance(table, Table)
    ours = table.frame[table.frame["origin"] != "printed"]
    assert set(ours["run_status"]) == {"not run at this scale"}
    assert [(row.method, row.metric) for row in ours.itertuples()][:2] == [
        ("initialization", "combined"),
        ("single network", "combined"),
    ]
    assert all(isinstance(item, Absent) and "not run at this scale" in item.why for item in items.values())


def test_stamps_name_the_rendered_sets_behind_results_and_probes(sources: Sources) -> None:
    sets = {"train": "a" * 64}
    results = tuple(dataclasses.replace(one, rendered=sets) for one in sources.results)
    probes = tuple(dataclasses.replace(one, rendered=sets | {"spheres": "b" * 64}) for one in sources.probes or ())
    told = dataclasses.replace(sources, results=results, probes=probes)
    assert " | learned from rendered set: train (aaaaaaaaaaaa) | " in find_table(told, "table_2").stamp
    assert "train (aaaaaaaaaaaa), spheres (bbbbbbbbbbbb)" in find_table(told, "spheres").stamp
    assert "learned from" not in find_table(sources, "table_2").stamp


def test_each_sequence_has_an_interval_and_its_seeds(sources: Sources) -> None:
    """In the CSV of Table 2 as well; 150 frames a sequence are three blocks, which have no interval."""
    wide = find_table(sources, "table_2").frame.set_index(["origin", "method", "metric"])
    table = find_table(sources, "table_2_sequences")
    long = table.frame.set_index(["method", "metric", "sequence"])
    assert len(long) == 3 * 3 * 6
    results = sources.find_results(module="handobject")
    seeds = [one.hand_object.at("combined", 2).of_sequence("Pinch").mean for one in results if one.hand_object]
    cells = long.loc[("feedback", "combined", "Pinch")]
    assert cells["mean_mm"] == pytest.approx(np.mean(seeds))
    assert cells["printed_mm"] == 16.7
    assert cells["seeds_mm"] == ", ".join(f"{one:.1f}" for one in seeds)
    assert cells["seeds_mm"] == wide.loc[("this run, embedded", "feedback", "combined"), "seeds_Pinch"]
    starts = [one.hand_object.at("combined", 0).of_sequence("Pinch").mean for one in results if one.hand_object]
    assert cells["less_mean_mm"] == pytest.approx(np.mean(seeds) - np.mean(starts))
    assert np.isnan(cells["low_mm"])
    assert np.isnan(long.loc[("initialization", "combined", "Pinch"), "less_mean_mm"])
    assert "fewer than five blocks" in " ".join(table.notes)


def test_intervals_by_sequence_are_those_of_its_blocks(sources: Sources) -> None:
    """With blocks enough: six of each sequence."""
    first = sources.find_results(module="handobject")[0]
    results = []
    for seed in range(2):
        values = np.tile(10.0 + np.arange(6.0) + seed, 6)
        blocks = Blocks(50 * values, np.full(36, 50))
        steps = tuple(dict.fromkeys(("tips", "corners", "combined"), blocks) for _ in range(3))
        held = HandObjectResult(steps, tuple(name for name in SEQUENCES for _ in range(6)), "known")
        results.append(dataclasses.replace(first, seed=seed, hand_object=held))
    made = dataclasses.replace(sources, results=tuple(results))
    long = find_table(made, "table_2_sequences").frame.set_index(["method", "metric", "sequence"])
    cells = long.loc[("feedback", "tips", "Rotate")]
    ours = bootstrap_blocks(50 * (10.5 + np.arange(6.0)), np.full(6, 50))
    assert (cells["mean_mm"], cells["low_mm"], cells["high_mm"]) == pytest.approx((13.0, ours.low, ours.high))
    assert (cells["less_low_mm"], cells["less_high_mm"]) == (0.0, 0.0)
    wide = find_table(made, "table_2").frame.set_index(["origin", "method", "metric"])
    row = wide.loc[("this run, embedded", "feedback", "tips")]
    assert (row["low_Rotate"], row["high_Rotate"]) == pytest.approx((ours.low, ours.high))


def test_a_sequence_without_corners_leaves_its_average_open(sources: Sources) -> None:
    """No frame of Pinch shows all three corners: no average of corners, no nan, and no word that says otherwise."""

    def hide(one: HandObjectResult) -> HandObjectResult:
        pinch = np.array([name == "Pinch" for name in one.sequences], bool)
        steps = []
        for step in one.steps:
            blocks = step["corners"]
            hidden = Blocks(np.where(pinch, 0.0, blocks.sums), np.where(pinch, 0, blocks.counts))
            steps.append({**step, "corners": hidden})
        return dataclasses.replace(one, steps=tuple(steps))

    results = tuple(
        dataclasses.replace(one, hand_object=hide(one.hand_object)) if one.hand_object else one
        for one in sources.results
    )
    items = list_items(dataclasses.replace(sources, results=results))
    for name in ("table_2", "section_4_4", "section_4_5", "table_2_sequences"):
        table = items[name]
        assert isinstance(table, Table)
        cells = format_cells(table).to_numpy().ravel().tolist()
        assert not any("nan" in str(cell) or cell == "run" for cell in cells), name
        assert ("not measured on every sequence" in cells) is (name != "table_2_sequences")
    ours = items["table_2"]
    assert isinstance(ours, Table)
    row = ours.frame.set_index(["origin", "method", "metric"]).loc[("this run, embedded", "feedback", "corners")]
    assert (row["seeds_mm"], row["seeds_Pinch"], row["seeds_Rigid"] != "") == ("", "", True)
    iterations = items["hand_object_iterations"]
    assert isinstance(iterations, Figure)
    assert "nan" not in iterations.describe
    assert "Corners: not measured on every sequence." in iterations.notes


def test_errors_by_iteration_have_their_seeds_and_sequences(report: Path, sources: Sources) -> None:
    drawn = pd.read_csv(report / "figures" / "feedback19_hand_object_iterations.csv").set_index(["method", "iteration"])
    results = sources.find_results(module="handobject")
    for step in range(3):
        seeds = [one.hand_object.at("corners", step) for one in results if one.hand_object]
        cells = drawn.loc[("corners", step)]
        assert cells["error_mm"] == pytest.approx(np.mean([one.average for one in seeds]), rel=1e-5)
        assert cells["seeds_mm"] == ", ".join(f"{one.average:.1f}" for one in seeds)
        assert cells["mean_Pinch"] == pytest.approx(np.mean([one.of_sequence("Pinch").mean for one in seeds]), rel=1e-5)
        assert cells["seeds_Pinch"] == ", ".join(f"{one.of_sequence('Pinch').mean:.1f}" for one in seeds)
    assert {f"{end}_{name}" for end in ("low", "high") for name in SEQUENCES} <= set(drawn.columns)


def stop_early(sources: Sources, module: str) -> Sources:
    """The same run with a loop that iterates once."""

    def stop(one: Result) -> Result:
        if one.module != module or one.hand_object is None:
            return one
        held = dataclasses.replace(one.hand_object, steps=one.hand_object.steps[:2])
        return dataclasses.replace(one, hand_object=held)

    return dataclasses.replace(sources, results=tuple(stop(one) for one in sources.results))


def test_a_loop_that_iterates_once_leaves_out_what_it_has_not_made(sources: Sources) -> None:
    once = "not run: iterates once"
    items = list_items(stop_early(sources, "handobject"))
    table, sequences, drawers = (items[name] for name in ("table_2", "table_2_sequences", "section_4_5"))
    assert isinstance(table, Table)
    ours = table.frame[table.frame["origin"] != "printed"].set_index("method")
    assert set(ours.loc["feedback", "run_status"]) == {once}
    assert ours.loc["feedback", "mean_average"].isna().all()
    assert ours.loc["initialization", "mean_average"].notna().all()
    assert "seeds: 0, 1, 2" in table.stamp
    assert isinstance(sequences, Table)
    assert set(sequences.frame["method"]) == {"initialization", "single network"}
    assert f"feedback: {once}." in sequences.notes
    assert isinstance(drawers, Table)
    rows = drawers.frame.set_index("method")
    assert set(rows.loc["renderer", "run_status"]) == {once}
    assert rows.loc["synthesizer network", "mean_average"].notna().all()
    assert rows["less_first_mm"].isna().all()
    steps = items["hand_object_iterations"]
    assert isinstance(steps, Figure)
    alone = dataclasses.replace(sources, results=sources.find_results(module="handobject"))
    of_two = list_items(stop_early(alone, "handobject"))["section_4_5_sequences"]
    assert isinstance(of_two, Absent)
    assert of_two.why == f"This run: {once}; not run at this scale."


def test_time_is_of_as_many_iterations_as_the_loop_makes(sources: Sources) -> None:
    probes = tuple(dataclasses.replace(one, settings={"iterations": 3}) for one in sources.probes or ())
    for told, words in ((sources, "two iterations"), (dataclasses.replace(sources, probes=probes), "three iterations")):
        parts = find_table(told, "hand_object_runtime").frame["part"].tolist()
        assert parts[-2] == f"all, with {words}, ms"


def test_localizers_are_told_by_sequence(sources: Sources) -> None:
    frame = find_table(sources, "spheres_sequences").frame.set_index(["part", "sequence"])
    assert len(frame) == 2 * 6
    (spheres, cuboids) = (sources.find_probes(f"handobject_object_localizer{of}", "dexter") for of in ("_spheres", ""))
    inside = np.array(spheres[0].read("sequences")) == "Grasp2"
    worse = [
        (a.frame_distances_mm("localized") - b.frame_distances_mm("localized"))[inside].mean()
        for a, b in zip(spheres, cuboids, strict=True)
    ]
    cells = frame.loc[("object", "Grasp2")]
    assert cells["worse_mean_mm"] == pytest.approx(np.mean(worse))
    assert cells["seeds_mm"] == ", ".join(f"{one:+.1f}" for one in worse)
    assert cells["spheres_mean_mm"] - cells["cuboids_mean_mm"] == pytest.approx(cells["worse_mean_mm"])


def test_variants_stand_beside_the_first(sources: Sources) -> None:
    frame = find_table(sources, "section_4_4").frame
    corners = frame[frame["metric"] == "corners"].set_index("method")
    less = corners.loc["rotation and translation", "less_first_mm"]
    means = corners["mean_average"]
    assert less == pytest.approx(means["rotation and translation"] - means["eight corners and Procrustes"], abs=1e-6)
    assert np.isnan(corners.loc["eight corners and Procrustes", "less_first_mm"])
    ends = corners.loc["rotation and translation", ["less_first_low_mm", "less_first_high_mm"]]
    assert ends.iloc[0] < less < ends.iloc[1]
    without = tuple(one for one in sources.results if one.module != "handobject_network")
    left = find_table(dataclasses.replace(sources, results=without), "section_4_5").frame
    assert set(left[left["method"] == "synthesizer network"]["run_status"]) == {"not run at this scale"}


def test_localizers_and_time_are_those_of_the_probes(sources: Sources) -> None:
    frame = find_table(sources, "spheres").frame.set_index("part")
    assert frame["printed_mm"].tolist() == [1.0, 40.0]
    assert frame.loc["object", "worse_mm"] == pytest.approx(27.0, abs=2)
    assert frame.loc["hand", "worse_mm"] == pytest.approx(1.2, abs=0.4)
    assert frame.loc["object", ["cuboids_kept", "spheres_kept"]].tolist() == [0, 7 * sum(SEEDS)]
    assert "caps what such a localizer can lose" in " ".join(find_table(sources, "spheres").notes)
    cells = format_cells(find_table(sources, "hand_object_runtime"))
    assert cells.iloc[-1].tolist() == ["frames a second", "over 40", "62.50", "187.50"]
    assert cells.iloc[3].tolist() == ["both updaters, ms", "\N{EN DASH}", "2.20", "0.73"]
    lone = tuple(one for one in sources.probes or () if not one.module.endswith("spheres"))
    left = find_table(dataclasses.replace(sources, probes=lone), "spheres").frame
    assert set(left["spheres_status"]) == {"not run at this scale"}
    assert left["worse_mm"].isna().all()


def test_frames_are_chosen_by_their_error_and_drawn_where_they_are(run: Path, sources: Sources) -> None:
    held = open_held(run, sources.find_results(module="handobject")[0])
    chosen = held.choose_at(0.5, held.last)
    assert [held.sequences[frame] for frame in chosen] == list(dict.fromkeys(held.sequences))
    for frame in chosen:
        errors = held.combined_mm[held.last, held.sequences == held.sequences[frame]]
        below = (errors < held.combined_mm[held.last, frame]).mean()
        assert below == pytest.approx(0.5, abs=0.02)
    tile = held.tile(chosen[0], 0)
    assert tile.pose_px is not None
    assert tile.box_px is not None
    assert tile.box_px.shape == (8, 3)
    # A tip that is nearly where its label is lies nearly where the mark is.
    assert tile.labels_px is not None
    tips = tile.pose_px[np.array([20, 4, 8, 12, 16]), :2]
    known = np.isfinite(tile.labels_px[:5]).all(axis=1)
    assert np.linalg.norm(tips - tile.labels_px[:5, :2], axis=1)[known].max() < len(tile.picture) / 3


def test_the_sequence_moves_and_says_so(report: Path) -> None:
    path = report / "figures" / "feedback19_sequence.gif"
    with Image.open(path) as picture:
        assert picture.n_frames == 75  # type: ignore[attr-defined]
        assert picture.size == read_size(path)
        assert picture.info["loop"] == 0
        first = np.asarray(picture.convert("RGB"))
        picture.seek(30)
        assert (np.asarray(picture.convert("RGB")) != first).any()
    page = (report / "index.html").read_text()
    assert 'srcset="figures/feedback19_sequence.png" media="(prefers-reduced-motion: reduce)"' in page
    assert '<a href="figures/feedback19_sequence.gif">GIF</a>' in page


def test_files_that_are_not_at_hand_are_named(run: Path, sources: Sources) -> None:
    elsewhere = dataclasses.replace(sources, run=run.parent / "other")
    item = list_items(elsewhere)["figure_14"]
    assert isinstance(item, Absent)
    assert item.why == "Not shown: expected the predictions of this result, found no such file."
