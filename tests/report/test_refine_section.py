"""The section of refine from a made-up run: the numbers of its files, its pictures, or why there are none."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refine_fixtures import FRAMES, SEEDS, write_refine_run

from handbench.datasets.array_file import read_arrays, write_arrays
from handbench.datasets.store import open_store
from handbench.errors import BadInput
from handbench.evaluation.claim_refine import NAMES
from handbench.evaluation.evaluate import evaluate
from handbench.evaluation.metrics import THRESHOLDS_MM
from handbench.evaluation.probes import read_probes
from handbench.evaluation.published import Record
from handbench.evaluation.results import read_results
from handbench.evaluation.tables import FigureData
from handbench.report import refine_fits, refine_items
from handbench.report.build import build_report
from handbench.report.evaluation_figures import draw_evaluation
from handbench.report.items import Absent, Figure, Item, Table
from handbench.report.run_card import RunCard
from handbench.report.sections import refine
from handbench.report.sources import Sources
from handbench.sealed import seal
from handbench.training.prediction_file import read_card, read_joints, save_predictions
from tests.methods.refine_fixtures import FITS_TOLD

PER_TAKE = ("bases_mm", "lengths_mm", "girths", "palm_stretch", "mirrored")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_refine_run(tmp_path_factory.mktemp("results") / "demo-embedded")


@pytest.fixture
def sources(run: Path) -> Sources:
    return open_sources(run)


def open_sources(run: Path, source: str = "embedded") -> Sources:
    card = RunCard("demo", source, SEEDS, "abc", "123", None)
    return Sources(run, card, read_results(run), None, probes=read_probes(run), fits=())


def list_items(sources: Sources) -> dict[str, Item]:
    return {item.name: item for item in refine.build_section(sources).items}


def find_figure(sources: Sources, name: str) -> Figure:
    figure = list_items(sources)[name]
    assert isinstance(figure, Figure)
    return figure


def read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, comment="#")


def test_every_item_is_shown_where_there_are_results(sources: Sources) -> None:
    items = list_items(sources)
    absent = [name for name, item in items.items() if isinstance(item, Absent)]
    assert absent == ["refine_figure_8_nyu_published", "refine_figure_8_icvl_published"], "there is no record"
    tables = {"refine_section_4_4", "refine_positions", "refine_speed"}
    assert {name for name, item in items.items() if isinstance(item, Table)} == tables
    for item in items.values():
        if not isinstance(item, Absent):
            assert "data: embedded" in item.stamp


def test_without_results_every_item_says_so(tmp_path: Path) -> None:
    items = list_items(open_sources(tmp_path))
    assert len(items) == 20
    assert all(isinstance(item, Absent) for item in items.values())
    told = [item.why for name, item in items.items() if isinstance(item, Absent) and "published" not in name]
    assert all("not run at this scale" in why for why in told)


def test_figure_5_draws_three_curves_a_target(sources: Sources, tmp_path: Path) -> None:
    for dataset in ("nyu", "icvl", "wristband"):
        find_figure(sources, f"refine_figure_5_{dataset}").draw(tmp_path / dataset)
        curves = read_csv(tmp_path / f"{dataset}.csv")
        means = curves.groupby("method", sort=False)["mean_error_mm"].first()
        assert len(means) == 3
        assert means.is_monotonic_decreasing, "base, depth alone, all losses, as the fixture has them"


def test_a_recording_without_labels_is_told_by_its_depth_errors_alone(tmp_path: Path) -> None:
    run = write_refine_run(tmp_path / "demo-embedded", ("wristband",), labels=False)
    items = list_items(open_sources(run))
    missing = items["refine_figure_5_wristband"]
    assert isinstance(missing, Absent)
    assert missing.why.startswith("This run: no labels.")
    assert isinstance(items["refine_figure_7"], Figure)
    assert isinstance(items["refine_figure_6"], Figure)
    text = (run / "evaluate" / "wristband" / "refine" / "seed0" / "table.txt").read_text()
    assert "no labels" in text
    assert "nan" not in text
    told = json.loads((run / "evaluate" / "wristband" / "refine" / "seed0" / "evaluation.json").read_text())
    assert told["mean_error_mm"] is None
    page = build_report(run, tmp_path / "report", record=None, pictures=False)
    assert "no labels" in page.read_text()
    file, out = run / "predict" / "wristband" / "refine" / "seed0" / "predictions.npz", tmp_path / "own"
    assert draw_evaluation(evaluate(file, "wristband", "Refined"), out) == ()


def test_figure_7_counts_every_frame_of_every_seed(sources: Sources, run: Path, tmp_path: Path) -> None:
    find_figure(sources, "refine_figure_7").draw(tmp_path / "figure")
    errors = read_csv(tmp_path / "figure.csv")
    assert errors.groupby("method").size().tolist() == [FRAMES * len(SEEDS)] * 2
    probe = json.loads((run / "probe" / "wristband" / "refine" / "seed1" / "probe.json").read_text())
    mine = errors[(errors["method"] == NAMES["refine"]) & (errors["seed"] == 1)]["error"]
    np.testing.assert_allclose(mine, probe["numbers"]["depth_error"]["by_frame"], rtol=1e-5)
    table = list_items(sources)["refine_section_4_4"]
    assert isinstance(table, Table)
    row = table.frame[(table.frame["network"] == NAMES["refine"]) & (table.frame["dataset"].str.startswith("Own"))]
    assert row["printed_variance"].item() == 0.0026
    assert row["mean"].item() == pytest.approx(errors[errors["method"] == NAMES["refine"]]["error"].mean(), rel=1e-5)


def test_figure_8_has_the_errors_beside_the_raw_one(sources: Sources, tmp_path: Path) -> None:
    find_figure(sources, "refine_figure_8_nyu").draw(tmp_path / "figure")
    curves = read_csv(tmp_path / "figure.csv")
    means = curves.groupby("method", sort=False)["mean_error_mm"].first()
    assert len(means) == 4
    raw, removed, true, positions = means
    assert positions != raw
    assert removed < raw
    assert true < raw, "the target's hand is another one than the network's"
    assert np.isnan(curves["mean_error_mm"]).sum() == 0


def test_on_real_frames_published_methods_stand_beside(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where they were measured on the same frames."""
    curve = pd.DataFrame({"method": "REN", "threshold_mm": THRESHOLDS_MM, "fraction": 0.5})
    mean = pd.DataFrame(
        [{"method": "REN", "recomputed_mm": 13.4, "printed_mm": np.nan, "status": "", "frames": FRAMES}]
    )
    monkeypatch.setattr(refine_items, "refine_figure_8", lambda record, dataset: FigureData(curve, curve, mean))
    sources = replace(open_sources(run, "real"), record=Record(tmp_path))
    monkeypatch.setitem(refine_items.DATASETS, "nyu", replace(refine_items.DATASETS["nyu"], frames={"test": FRAMES}))
    item = refine_items.build_against("figure", "title", "nyu", sources)
    assert isinstance(item, Figure)
    item.draw(tmp_path / "figure")
    assert "REN" in set(read_csv(tmp_path / "figure.csv")["method"])
    assert not any("see the next figure" in note for note in item.notes)
    assert isinstance(item, Figure)
    embedded = refine_items.build_against("figure", "title", "nyu", replace(open_sources(run), record=Record(tmp_path)))
    assert isinstance(embedded, Figure)
    embedded.draw(tmp_path / "other")
    assert "REN" not in set(read_csv(tmp_path / "other.csv")["method"])


def test_losses_are_drawn_step_by_step_or_from_their_ends(sources: Sources, run: Path, tmp_path: Path) -> None:
    find_figure(sources, "refine_figure_3").draw(tmp_path / "whole")
    whole = read_csv(tmp_path / "whole.csv")
    assert whole.groupby("image").size().unique().tolist() == [71]
    assert (whole[whole["step"] == 0]["percent"] == 100).all()
    ends = [replace(one, sha256_of_arrays="") for one in sources.probes or ()]
    bare = replace(sources, probes=tuple(ends))
    find_figure(bare, "refine_figure_3").draw(tmp_path / "ends")
    two = read_csv(tmp_path / "ends.csv")
    assert sorted(two["step"].unique()) == [0, 70]
    last = whole[whole["step"] == 70]["loss"].to_numpy()
    np.testing.assert_allclose(two[two["step"] == 70]["loss"], last, rtol=1e-5)
    missing = list_items(bare)["refine_figure_3_pictures"]
    assert isinstance(missing, Absent)
    assert "losses alone" in missing.why


def test_of_nyu_each_person_is_told_apart(sources: Sources) -> None:
    assert not any("single hand" in note for note in find_figure(sources, "refine_figure_5_nyu").notes)
    people = [
        replace(one, block_sequences=("test_1", *("test_2",) * (len(one.block_sequences) - 1)))
        for one in sources.results
    ]
    figure = find_figure(replace(sources, results=tuple(people)), "refine_figure_5_nyu")
    (note,) = (note for note in figure.notes if "single hand" in note)
    mine = [one.of_sequence("test_2") for one in people if (one.module, one.dataset) == ("refine", "nyu")]
    mean_mm = np.mean([one.mean_error_mm for one in mine])
    assert note.endswith(f"{NAMES['refine']} {mean_mm:.2f} mm.")
    assert "seen in training: base, rendered hands alone" in note


def test_figure_4_tells_fitted_from_held_poses(sources: Sources, tmp_path: Path) -> None:
    figure = find_figure(sources, "refine_figure_4")
    figure.draw(tmp_path / "figure")
    traces = read_csv(tmp_path / "figure.csv")
    assert traces.groupby(["group", "image"]).size().unique().tolist() == [41]
    last = traces[traces["step"] == 200].groupby("group", sort=False)["percent"].median()
    assert last.index.tolist() == ["single fitted images", "other poses of the same hand"]
    assert last.iloc[0] < 20 < last.iloc[1] < 70
    assert any("true place" in note for note in figure.notes)


def test_the_fits_that_are_read_here_are_those_that_a_probe_leaves(run: Path, sources: Sources) -> None:
    probe = next(one for one in sources.probes or () if one.module == "refine_base")
    assert {fit: set(probe.numbers[fit]) for fit in ("pose_fits", "cloud_fits")} == {
        fit: FITS_TOLD[fit] for fit in ("pose_fits", "cloud_fits")
    }
    assert set(probe.open_arrays()) == FITS_TOLD["arrays"]
    assert any("their joints 21.0 to 14.0 mm off" in note for note in find_figure(sources, "refine_figure_3").notes)


def test_pictures_of_fits_are_coloured_in_their_own_cubes(sources: Sources, monkeypatch, tmp_path: Path) -> None:
    asked: list[float] = []
    colour = refine_fits.colour_cube

    def note_cube(depth_mm, near_mm, far_mm, cube_mm):
        asked.append(cube_mm)
        return colour(depth_mm, near_mm, far_mm, cube_mm)

    monkeypatch.setattr(refine_fits, "colour_cube", note_cube)
    item = list_items(sources)["refine_figure_4_pictures"]
    assert isinstance(item, Figure)
    item.draw(tmp_path / "figure")
    probe = next(one for one in sources.probes or () if one.module == "refine_base" and one.dataset == "wristband")
    np.testing.assert_allclose(asked[:6], probe.open_arrays()["cloud_fits_cube_mm"][:6])


def test_pictures_of_hands_show_that_the_refined_one_misses_less(sources: Sources, tmp_path: Path) -> None:
    figure = find_figure(sources, "refine_figure_6_nyu")
    written = figure.draw(tmp_path / "figure")
    assert all(path.is_file() for path in written)
    numbers = read_csv(tmp_path / "figure.csv")
    assert len(numbers) == 6
    assert numbers["after_mm"].mean() < numbers["before_mm"].mean()


def test_pictures_that_their_probe_does_not_describe_are_refused(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "demo-embedded"
    shutil.copytree(run, moved)
    path = moved / "probe" / "wristband" / "refine_base" / "seed0" / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    item = list_items(open_sources(moved))["refine_figure_3"]
    assert isinstance(item, Absent)
    assert "does not describe" in item.why


def test_nyu_is_told_on_14_joints_and_on_16_positions(run: Path, sources: Sources) -> None:
    table = list_items(sources)["refine_positions"]
    assert isinstance(table, Table)
    assert table.frame["network"].tolist() == list(NAMES.values())
    usual, wider = [], []
    joints, besides = refine_items.DATASETS["nyu"].joints.names, ("PALM_4", "PALM_5")
    for seed in SEEDS:
        file = run / "predict" / "nyu" / "refine" / f"seed{seed}" / "predictions.npz"
        card, (joints_mm, _) = read_card(file), read_joints(file)
        assert card is not None
        assert card["paper_positions"] == card["joints"]
        assert len(card["joints"]) == 16
        assert tuple(card["joints"][14:]) == besides
        labels_mm = np.asarray(open_store(Path(card["store"])).joints_mm)[:, [joints.index(n) for n in card["joints"]]]
        errors_mm = np.linalg.norm(joints_mm - labels_mm, axis=-1)
        usual.append(errors_mm[:, :14].mean())
        wider.append(errors_mm.mean())
    row = table.frame[table.frame["network"] == NAMES["refine"]]
    assert row["usual"].item() == pytest.approx(np.mean(usual), abs=1e-3)
    assert row["paper_positions"].item() == pytest.approx(np.mean(wider), abs=1e-3)
    assert row["removed"].item() < row["usual"].item()


def test_speed_stands_beside_print(sources: Sources) -> None:
    table = list_items(sources)["refine_speed"]
    assert isinstance(table, Table)
    assert table.frame["ms"].tolist() == pytest.approx([3.5, 4.2, 1.1])
    # 900 ms for 100 frames are 9 ms a frame: 500,000 of them take 75 minutes.
    assert table.frame["minutes"].tolist() == pytest.approx([30.0, 75.0, 75.0])
    assert "CPU, 2 threads" in table.frame["where"][1]


def test_a_probe_without_a_step_tells_no_minutes(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "demo-embedded"
    shutil.copytree(run, moved)
    for path in moved.glob("probe/*/*/seed*/probe.json"):
        content = json.loads(path.read_text())
        content["numbers"].pop("step", None)
        content.pop("sha256")
        path.write_text(json.dumps(seal(content)))
    table = list_items(open_sources(moved))["refine_speed"]
    assert isinstance(table, Table)
    assert table.frame["minutes"].isna().tolist() == [False, True, True]


def test_the_positions_that_a_card_names_are_scored_as_well(run: Path, tmp_path: Path) -> None:
    """The usual 14 stay what the error is of; the paper's own positions stand beside it."""
    file = run / "predict" / "nyu" / "refine" / "seed0" / "predictions.npz"
    card = read_card(file)
    assert card is not None
    joints, store = refine_items.DATASETS["nyu"].joints, open_store(Path(card["store"]))
    scored = [joints.names[place] for place in store.scored]
    labels_mm = np.asarray(store.joints_mm)
    besides = [joints.index(name) for name in ("PALM_4", "PALM_5")]
    moved_mm = labels_mm[:, besides] + np.array([0.0, 3.0, 4.0], np.float32)
    predicted_mm = np.concatenate([read_joints(file)[0][:, : len(scored)], moved_mm], axis=1)[::-1]
    told = {"joints": [*scored, "PALM_4", "PALM_5"], "paper_positions": ["PALM_5", "PALM_4"]}
    kept = {key: value for key, value in card.items() if key not in ("sha256", "sha256_of_file", "format", "version")}
    row = np.asarray(store.row)[::-1]
    save_predictions(tmp_path, predicted_mm, store.names[::-1], row, kept | told)
    found = evaluate(tmp_path / "predictions.npz", "nyu", "Refined")
    assert found.skeleton is not None
    np.testing.assert_allclose(found.skeleton.errors_mm["paper_positions"], np.full((FRAMES, 2), 5.0), atol=1e-3)
    assert found.mean_error_mm == pytest.approx(evaluate(file, "nyu", "Refined").mean_error_mm)
    save_predictions(tmp_path, predicted_mm, store.names[::-1], row, kept | told | {"paper_positions": ["THUMB"]})
    with pytest.raises(BadInput, match="predicted joints of the dataset, found THUMB"):
        evaluate(tmp_path / "predictions.npz", "nyu", "Refined")


def test_predictions_that_do_not_tell_their_hand_are_refused(run: Path, tmp_path: Path) -> None:
    """An earlier release's were of another hand: neither scores nor pictures guess whose."""
    moved = tmp_path / "demo-embedded"
    shutil.copytree(run, moved)
    card_file = moved / "predict" / "nyu" / "refine" / "seed0" / "predictions.json"
    content = json.loads(card_file.read_text())
    del content["hand"], content["sha256"]
    card_file.write_text(json.dumps(seal(content)))
    truth = moved / "synthesize" / "nyu" / "truth.npz"
    with pytest.raises(BadInput, match=r"refine on nyu: expected a card that tells their hand.*predict anew"):
        evaluate(card_file.with_name("predictions.npz"), "nyu", "Refined", truth_file=truth)
    item = list_items(open_sources(moved))["refine_figure_6_nyu"]
    assert isinstance(item, Absent)
    assert "expected a card that tells their hand" in item.why


def test_errors_on_the_targets_hand_need_the_truth_of_these_frames(run: Path, tmp_path: Path) -> None:
    file = run / "predict" / "nyu" / "refine" / "seed0" / "predictions.npz"
    truth = run / "synthesize" / "nyu" / "truth.npz"
    found = evaluate(file, "nyu", "Refined", truth_file=truth)
    assert found.skeleton is not None
    assert list(found.skeleton.errors_mm) == ["re_expressed", "paper_positions"]
    short = read_arrays(truth)
    frames = {name: values[:7] if name not in PER_TAKE else values for name, values in short.items()}
    write_arrays(tmp_path / "truth.npz", frames)
    with pytest.raises(BadInput, match="found 7 frames"):
        evaluate(file, "nyu", "Refined", truth_file=tmp_path / "truth.npz")
    other = run / "probe" / "nyu" / "refine_depth" / "seed0" / "probe.json"
    with pytest.raises(BadInput, match="a probe of module refine, found module refine_depth"):
        evaluate(file, "nyu", "Refined", bias=other)
