"""The sections of the feedback papers, from a made-up run: the numbers of its files, or why there are none."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from loop_fixtures import LOOPS, list_items, read_sources
from run_fixtures import FRAMES

from handbench.evaluation.results import read_results
from handbench.report.build import build_report
from handbench.report.items import Absent, Figure, Table
from handbench.report.run_card import RunCard
from handbench.report.sources import Sources
from handbench.report.table_files import format_cells

FIGURES_15 = ("8b", "10", "10_pso", "12")
DRAWN = (*(f"feedback15_figure_{number}" for number in FIGURES_15), "feedback15_iterations", "feedback15_section_4_5")
DRAWN_19 = (
    "feedback19_iterations",
    "feedback19_figure_13",
    "feedback19_section_5_4_path",
    "feedback15_joints",
    "feedback19_joints",
)
TABLES = (
    *(f"feedback15_{word}" for word in ("section_3_3", "layer_wise", "figure_7", "figure_8b_means", "variants")),
    *("feedback15_section_4_7", "feedback19_section_3_4", "feedback19_section_3_6", "feedback19_section_3_6_images"),
    *("feedback19_section_3_2", "feedback19_section_5_3", "feedback19_section_5_4"),
    *("feedback15_section_4_5_means", "feedback15_datasets", "feedback19_runtime"),
)


@pytest.fixture
def sources(loop_run: Path) -> Sources:
    return read_sources(loop_run)


@pytest.fixture(scope="module")
def loop_report(loop_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(loop_run, tmp_path_factory.mktemp("out") / "report", record=None, pictures=False).parent


def test_every_figure_and_table_is_there_and_stamped(loop_report: Path) -> None:
    for name in (*DRAWN, *DRAWN_19):
        assert (loop_report / "figures" / f"{name}.png").stat().st_size > 10_000
        assert (loop_report / "figures" / f"{name}.pdf").is_file()
        (stamp,) = pd.read_csv(loop_report / "figures" / f"{name}.csv")["stamp"].unique()
        for fact in (
            " frames",
            "14 joints",
            "centre: com",
            "cube: 300 mm",
            "data: embedded",
            "scale: demo",
            "seeds: 0, 1",
        ):
            assert fact in stamp, name
    for name in TABLES:
        assert "commit: abc1234" in (loop_report / "tables" / f"{name}.md").read_text()


def test_the_claims_are_decided_and_link_to_what_shows_them(loop_report: Path) -> None:
    claims = pd.read_csv(loop_report / "claims.csv").set_index("id")
    ids = [*(f"FB{k}" for k in range(1, 11)), "GF1", "GF2", "GF3"]
    assert set(claims.loc[ids, "status"]) == {"holds"}, claims.loc[ids, ["status", "reason"]].to_dict("index")
    page = (loop_report / "claims.html").read_text()
    names = [
        "iterations",
        "figure_8b",
        "figure_10",
        "figure_10_pso",
        "figure_12",
        "section_3_3",
        "layer_wise",
        "variants",
    ]
    for name in (*names, "figure_7", "section_4_7"):
        assert f'href="index.html#feedback15_{name}"' in page, name
    for name in ("section_3_2", "section_5_3", "section_3_6"):
        assert f'href="index.html#feedback19_{name}"' in page, name


def test_errors_by_iteration_are_those_of_the_steps(sources: Sources, tmp_path: Path) -> None:
    figure = list_items(sources)["feedback15_iterations"]
    assert isinstance(figure, Figure)
    drawn = pd.read_csv(figure.draw(tmp_path / "figure")[2])
    title = LOOPS["feedback15_pooling"][0]
    loops = sources.find_results(dataset="nyu", module="feedback15_pooling")
    for step in range(3):
        row = drawn[(drawn["method"] == title) & (drawn["iteration"] == step)].iloc[0]
        # 14 joints in each of 120 frames.
        by_hand = np.mean([one.steps_mm[step].sum() / (14 * FRAMES) for one in loops if one.steps_mm is not None])
        assert row["error_mm"] == pytest.approx(by_hand, rel=1e-5)
        assert row["low_mm"] < row["error_mm"] < row["high_mm"]
    assert figure.notes[0].startswith("120 test frames, means over 2 seeds.")
    table = list_items(sources)["feedback15_variants"]
    assert isinstance(table, Table)
    pooling = table.frame.set_index("method").loc["max-pooling in the updater"]
    last = drawn[(drawn["method"] == title) & (drawn["iteration"] == 2)].iloc[0]
    assert pooling["after_2_mm"] == pytest.approx(last["error_mm"], rel=1e-6)
    assert pooling["change_percent"] == pytest.approx(100 * (12.5 / 16 - 1), abs=0.01)


def test_the_initialisation_is_drawn_from_predictions_and_on_the_same_frames(sources: Sources, tmp_path: Path) -> None:
    figure = list_items(sources)["feedback15_figure_10"]
    assert isinstance(figure, Figure)
    drawn = pd.read_csv(figure.draw(tmp_path / "figure")[2])
    names = ["Initialization", "Feedback, frames of L-BFGS-B", "Image-based, L-BFGS-B"]
    assert drawn["method"].unique().tolist() == names
    at_40 = drawn[drawn["threshold_mm"] == 40].set_index("method")["fraction"]
    assert at_40["Feedback, frames of L-BFGS-B"] > at_40["Initialization"] > at_40["Image-based, L-BFGS-B"]
    assert figure.notes[0] == "Evenly spaced: 60 test frames, means over 2 seeds."
    pso = list_items(sources)["feedback15_figure_10_pso"]
    assert isinstance(pso, Figure)
    assert pso.notes[0].startswith("Evenly spaced: 30 test frames")


def test_the_table_of_searches_by_hand(sources: Sources) -> None:
    items = list_items(sources)
    of_2019, table = items["feedback19_section_5_4"], items["feedback15_section_4_5_means"]
    assert isinstance(of_2019, Table)
    assert isinstance(table, Table)
    assert of_2019.frame[["printed_before_mm", "printed_after_mm"]].to_numpy().tolist() == [[12.2, 32.3]]
    assert of_2019.frame["after_mm"][0] / of_2019.frame["before_mm"][0] == pytest.approx(11 / 8, rel=1e-4)
    rows = table.frame.set_index("method")
    first = rows.loc["L-BFGS-B"]
    assert first["frames"] == 60
    # The fixture's coordinates stray by 16, 20 and 10 parts of one and the same error.
    assert first["after_mm"] / first["before_mm"] == pytest.approx(20 / 16, rel=1e-4)
    assert first["loop_mm"] / first["before_mm"] == pytest.approx(10 / 16, rel=1e-4)
    assert first["image_percent"] == pytest.approx(100 * (300 + 700 * np.exp(-5)) / 1000)
    assert np.isnan(rows.loc["PSO", "printed_after_mm"])


def test_updates_and_their_histograms_pool_the_seeds(sources: Sources, tmp_path: Path) -> None:
    figure = list_items(sources)["feedback19_figure_13"]
    assert isinstance(figure, Figure)
    bins = pd.read_csv(figure.draw(tmp_path / "figure")[2])
    levels = bins["level"].unique().tolist()
    assert levels[:3] == ["the truth itself", "5 mm", "10 mm"]
    assert levels[3].endswith("mm, as the predictor's error")
    assert set(bins.groupby("level")["before"].sum()) == {2 * FRAMES}
    assert set(bins[bins["predictor"]]["level"]) == {levels[3]}
    curve = list_items(sources)["feedback15_figure_12"]
    assert isinstance(curve, Figure)
    drawn = pd.read_csv(curve.draw(tmp_path / "curve")[2])
    entries = [one.read("around_truth") for one in sources.find_probes("feedback15")]
    by_hand = np.mean([next(e["after_mm"] for e in seed if e["noise_mm"] == 20) for seed in entries])
    assert drawn[drawn["level"] == "20 mm"]["after_mm"].iloc[0] == pytest.approx(by_hand)


def test_single_updates_are_arrows_above_the_curve(sources: Sources, tmp_path: Path) -> None:
    figure = list_items(sources)["feedback15_figure_12"]
    assert isinstance(figure, Figure)
    png, _, csv = figure.draw(tmp_path / "figure")
    arrows = pd.read_csv(csv).query("panel == 'arrows'")
    assert arrows["frame"].unique().tolist() == ["frame 0 (10 %)", "frame 7 (50 %)", "frame 14 (90 %)"]
    # The fixture's updates leave half of the error, the last of each frame half as much again.
    assert arrows["after_mm"].tolist() == [*[10.0] * 7, 30.0] * 3
    lengths_px = np.hypot(arrows["end_column"] - arrows["start_column"], arrows["end_row"] - arrows["start_row"])
    assert lengths_px.tolist() == pytest.approx([1.5] * 24, abs=1e-5)
    assert any(note.startswith("Arrows: seed 0, F4_KNU3_A. Each begins where noise of 20 mm") for note in figure.notes)
    old = [
        one if one.module != "feedback15" else dataclasses.replace(one, sha256_of_pictures="")
        for one in sources.probes or ()
    ]
    without = list_items(dataclasses.replace(sources, probes=tuple(old)))["feedback15_figure_12"]
    assert isinstance(without, Figure)
    plain, _, csv = without.draw(tmp_path / "old")
    assert set(pd.read_csv(csv)["panel"]) == {"left", "right"}
    assert any(note.startswith("Single updates are not drawn as arrows: expected pictures") for note in without.notes)
    heights = [cv2.imread(str(path)).shape[0] for path in (png, plain)]
    assert heights[0] > 1.5 * heights[1]


def test_image_errors_stand_beside_print(sources: Sources) -> None:
    for name, printed in (("feedback15_section_3_3", [1.3, 10.9, 32.2]), ("feedback19_section_3_4", [0.1, 8.9, 28.5])):
        table = list_items(sources)[name]
        assert isinstance(table, Table)
        first = table.frame.iloc[0]
        assert first[["printed_median_mm", "printed_mean_mm", "printed_deviation_mm"]].tolist() == printed
        assert first["run_mean_mm"] == pytest.approx(9.4)
        assert table.frame["printed_mean_mm"].isna().sum() == 4


def test_together_stands_beside_apart_and_the_random_start_beside_both(sources: Sources) -> None:
    rows = ["trained apart", "fine-tuned together", "together from random networks"]
    poses, images = (list_items(sources)[f"feedback19_section_3_6{part}"] for part in ("", "_images"))
    assert isinstance(poses, Table)
    assert isinstance(images, Table)
    assert poses.frame["method"].tolist() == images.frame["method"].tolist() == rows
    # The fixture's coordinates stray by 7, 7.1 and 20 parts of one and the same error.
    errors_mm = poses.frame["after_2_mm"]
    assert (errors_mm / errors_mm[0]).tolist() == pytest.approx([1, 7.1 / 7, 20 / 7], rel=1e-4)
    assert poses.frame["less_first_mm"][1:].tolist() == pytest.approx((errors_mm[1:] - errors_mm[0]).tolist())
    assert images.frame["sharpness"].tolist() == pytest.approx([0.62, 0.4, 0.1])
    assert images.frame["less_first_mm"][2] > images.frame["less_first_mm"][1] > 0
    assert images.frame["all_mm"].tolist() == pytest.approx([9.4] * 3)


def test_the_table_of_centres_by_hand(sources: Sources) -> None:
    table = list_items(sources)["feedback19_section_3_2"]
    assert isinstance(table, Table)
    rows = table.frame.set_index("centre")
    first, shifted, localized = (rows.iloc[place] for place in range(3))
    probes = sources.find_probes("feedback19_localizer")
    by_hand = np.mean([one.read("frame_localized_mm") for one in probes])
    assert localized["distance_mm"] == pytest.approx(by_hand)
    assert localized["distance_low_mm"] < by_hand < localized["distance_high_mm"]
    assert localized["median_mm"] == pytest.approx(np.mean([one.read("localized", "median_mm") for one in probes]))
    assert localized["distance_less_mm"] == pytest.approx(by_hand - first["distance_mm"])
    assert shifted["distance_less_mm"] == pytest.approx(shifted["distance_mm"] - first["distance_mm"])
    # The fixture's coordinates stray by 8 and 7 parts of one error; no network saw crops of the second row.
    assert localized["pose_mm"] / first["pose_mm"] == pytest.approx(7 / 8, rel=1e-4)
    assert localized["pose_less_mm"] == pytest.approx(localized["pose_mm"] - first["pose_mm"])
    assert np.isnan(shifted["pose_mm"])
    assert table.notes[0] == "The joint is F3_KNU1_A; 120 test frames, means over 2 seeds."


def test_a_part_of_the_centres_is_shown(sources: Sources) -> None:
    without = dataclasses.replace(sources, probes=())
    table = list_items(without)["feedback19_section_3_2"]
    assert isinstance(table, Table)
    assert table.frame["distance_status"].tolist() == ["not run at this scale"] * 3
    assert table.frame["pose_mm"].notna().tolist() == [True, False, True]
    kept = tuple(one for one in sources.results if one.module != "feedback19_predictor_localized")
    table = list_items(dataclasses.replace(sources, results=kept))["feedback19_section_3_2"]
    assert isinstance(table, Table)
    assert table.frame["pose_status"].tolist() == ["", "", "not run at this scale"]
    assert isinstance(list_items(dataclasses.replace(without, results=kept))["feedback19_section_3_2"], Absent)


def test_runtime_is_split_as_printed_and_names_its_device(sources: Sources) -> None:
    table = list_items(sources)["feedback15_section_4_7"]
    assert isinstance(table, Table)
    assert table.frame["printed"].tolist()[:3] == [0.07, 1.2, 0.8]
    assert table.frame["device_0_batch_64"].tolist() == pytest.approx([0.15, 0.37, 0.23, 0.14, 0.9, 1000 / 0.9])
    assert {column.group for column in table.columns[2:]} == {"this run, embedded data; CPU, 2 threads, float32"}


def change_probe(sources: Sources, module: str, **numbers: object) -> Sources:
    """The same run with other numbers of a module's probes."""
    probes = [
        dataclasses.replace(one, numbers={**one.numbers, **numbers}) if one.module == module else one
        for one in sources.probes or ()
    ]
    return dataclasses.replace(sources, probes=tuple(probes))


def test_the_localizer_has_a_row_of_the_runtime(sources: Sources) -> None:
    table = list_items(sources)["feedback19_runtime"]
    assert isinstance(table, Table)
    rows = table.frame.set_index("part")
    localizer = rows.loc["localizer, ms"]
    assert localizer[["printed", "device_0_batch_1", "device_0_batch_64"]].tolist() == [0.8, 0.6, 0.2]
    # The loop's own numbers do not know of it.
    assert rows["device_0_batch_64"].tolist()[1:] == pytest.approx([0.15, 0.37, 0.23, 0.14, 0.9, 1000 / 0.9])
    assert any("localizer is timed by itself" in note for note in table.notes)
    of_2015 = list_items(sources)["feedback15_section_4_7"]
    assert isinstance(of_2015, Table)
    assert not any("localizer" in word for word in (*of_2015.frame["part"], *of_2015.notes))


def test_a_localizer_that_was_not_timed_says_so(sources: Sources) -> None:
    without = tuple(one for one in sources.probes or () if one.module != "feedback19_localizer")
    untimed = tuple(
        dataclasses.replace(one, numbers={key: value for key, value in one.numbers.items() if key != "milliseconds"})
        if one.module == "feedback19_localizer"
        else one
        for one in sources.probes or ()
    )
    elsewhere = change_probe(sources, "feedback19_localizer", device="Some GPU").probes
    said = {"not run at this scale": (without, untimed), "on another device": (elsewhere,)}
    for words, runs in said.items():
        for probes in runs:
            table = list_items(dataclasses.replace(sources, probes=probes))["feedback19_runtime"]
            assert isinstance(table, Table)
            cells = format_cells(table)
            assert cells.iloc[0].tolist() == ["localizer, ms", "0.80", words, words]
            assert cells.iloc[1].tolist() == ["predictor, ms", "20.00", "0.90", "0.15"]


def test_runtime_on_a_gpu_tells_of_its_graphs_and_its_large_batch(sources: Sources) -> None:
    timed = {
        batch: dict.fromkeys(("predictor", "synthesizer", "updater", "loop"), 0.5) for batch in ("1", "64", "4096")
    }
    on_gpu: dict[str, Any] = {"device": "Some GPU", "milliseconds": timed, "cuda_graph": True, "not_captured": {}}
    table = list_items(change_probe(sources, "feedback15", **on_gpu))["feedback15_section_4_7"]
    assert isinstance(table, Table)
    assert [column.label for column in table.columns[2:]] == ["batch 1", "batch 64", "batch 4096"]
    assert {column.group for column in table.columns[2:]} == {"this run, embedded data; Some GPU, float32, CUDA graphs"}
    plain = on_gpu | {"cuda_graph": False, "not_captured": {"loop, batch 1": "RuntimeError: not permitted"}}
    table = list_items(change_probe(sources, "feedback15", **plain))["feedback15_section_4_7"]
    assert isinstance(table, Table)
    assert table.columns[2].group.endswith("Some GPU, float32, not all in CUDA graphs")
    assert table.notes[-1] == (
        "Not captured as a CUDA graph, but called as it is: loop, batch 1 (RuntimeError: not permitted)."
    )


def test_runtime_on_a_gpu_has_the_cpu_beside_it(sources: Sources) -> None:
    """Of every part, the localizer's too; print stands once."""
    parts = ("predictor", "synthesizer", "updater", "loop")
    on_cpu = {"device": "CPU", "threads": 4, "precision": "float32"}
    on_gpu = {"device": "Some GPU", "cuda_graph": True, "not_captured": {}}
    timed = {"1": dict.fromkeys(parts, 0.5)}
    loop = {**on_gpu, "milliseconds": timed, "on_cpu": {**on_cpu, "milliseconds": {"1": dict.fromkeys(parts, 2.0)}}}
    found = {**on_gpu, "milliseconds": {"1": {"localizer": 0.1}}}
    found["on_cpu"] = {**on_cpu, "milliseconds": {"1": {"localizer": 0.7}}}
    changed = change_probe(change_probe(sources, "feedback19", **loop), "feedback19_localizer", **found)
    once = tuple(dataclasses.replace(one, settings={"iterations": 1}) for one in changed.probes or ())
    table = list_items(dataclasses.replace(changed, probes=once))["feedback19_runtime"]
    assert isinstance(table, Table)
    groups = [column.group.partition("; ")[2] for column in table.columns[2:]]
    assert groups == ["Some GPU, float32, CUDA graphs", "CPU, 4 threads, float32"]
    assert table.frame["device_0_batch_1"].tolist() == [0.1, 0.5, 1.0, 0.5, 0.5, 0.5, 2000]
    assert table.frame["device_1_batch_1"].tolist() == [0.7, 2.0, 4.0, 2.0, 2.0, 2.0, 500]
    assert table.frame["part"].tolist()[-2] == "predictor and one iteration, ms"


def test_without_runs_every_place_says_so() -> None:
    card = RunCard("demo", "embedded", (0,), "abc", "123", None)
    items = list_items(Sources(Path("run"), card, (), None))
    tables = ("feedback15_section_3_3", "feedback15_variants", "feedback19_section_3_2", "feedback19_section_5_4")
    for name in (*DRAWN, *DRAWN_19, *tables):
        item = items[name]
        assert isinstance(item, Absent), name
        assert item.why.startswith("This run: not run at this scale."), name
    for name in ("feedback19_figure_2", "feedback19_figure_3", "feedback19_figure_11"):
        assert isinstance(items[name], Absent)


def test_a_part_of_the_modules_is_shown_and_the_rest_named(sources: Sources, tmp_path: Path) -> None:
    kept = ("feedback15", "feedback15_predictor")
    part = dataclasses.replace(sources, results=tuple(one for one in sources.results if one.module in kept))
    items = list_items(part)
    both = items["feedback15_figure_8b"]
    assert isinstance(both, Figure)
    assert any(
        "Not drawn, as this run has not made them: feedback15_deepprior, feedback15_init2" in n for n in both.notes
    )
    variants = items["feedback15_variants"]
    assert isinstance(variants, Table)
    assert variants.frame["status"].tolist() == ["run", *["not run at this scale"] * 3]
    one_seed = [one for one in sources.results if one.module != "feedback15_pooling" or one.seed == 0]
    unpaired = list_items(dataclasses.replace(sources, results=tuple(one_seed)))["feedback15_variants"]
    assert isinstance(unpaired, Table)
    assert unpaired.frame["less_first_mm"].isna().tolist() == [True, True, False, False]


def test_a_loop_of_one_iteration_is_no_row(sources: Sources) -> None:
    short = [
        one if one.steps_mm is None else dataclasses.replace(one, steps_mm=one.steps_mm[:2]) for one in sources.results
    ]
    items = list_items(dataclasses.replace(sources, results=tuple(short)))
    assert isinstance(items["feedback15_iterations"], Absent)
    assert isinstance(items["feedback19_section_5_4"], Absent)


def test_probes_of_other_settings_are_left_out(loop_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "demo-embedded"
    shutil.copytree(loop_run, run)
    call = json.loads((run / "call.json").read_text())
    call["settings"]["modules"] = {"feedback15": call["settings"]["modules"]["feedback15"]}
    (run / "call.json").write_text(json.dumps(call | {"settings": call["settings"] | {"seeds": [1]}}))
    out = build_report(run, tmp_path / "report", record=None, pictures=False).parent
    claims = pd.read_csv(out / "claims.csv", dtype=str).set_index("id")
    assert claims.loc["FB5", "seeds"] == "1"
    assert claims.loc["FB6", "status"] == "not-run"


def test_a_report_from_tracking_has_no_probes_and_says_so(loop_run: Path, tmp_path: Path) -> None:
    tracked = [dataclasses.replace(one, folder=None) for one in read_results(loop_run)]
    out = build_report(loop_run, tmp_path / "report", record=None, results=tracked).parent
    claims = pd.read_csv(out / "claims.csv").set_index("id")
    assert claims.loc["FB1", "status"] == "holds"
    for claim in ("FB3", "FB5", "FB6", "FB10", "GF3"):
        assert claims.loc[claim, "status"] == "not-run"
        assert "the tracking store does not hold" in claims.loc[claim, "reason"], claim
    page = (out / "index.html").read_text()
    assert (
        page.count("Not shown: probes are files in the run&#39;s folder, which the tracking store does not hold.") >= 8
    )
    assert "Not drawn: the initialisation, whose predictions are not at hand" in page


def test_drawn_twice_every_figure_has_the_same_bytes(sources: Sources, tmp_path: Path) -> None:
    for name in (*DRAWN, *DRAWN_19):
        figure = list_items(sources)[name]
        assert isinstance(figure, Figure)
        for first, second in zip(figure.draw(tmp_path / "a" / name), figure.draw(tmp_path / "b" / name), strict=True):
            assert first.read_bytes() == second.read_bytes(), first.name
