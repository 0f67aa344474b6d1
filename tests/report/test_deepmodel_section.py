"""The section of deepmodel from a made-up run: the numbers of its files, its pictures, or why there are none."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deepmodel_fixtures import FRAMES, SEEDS, SHAPES, VARIANTS, make_poses, write_deepmodel_run
from stamped import check_stamped

from handbench.conventions import DATASETS
from handbench.errors import BadInput
from handbench.evaluation.angle_score import ANGLES
from handbench.evaluation.claim_variants import DIRECT_JOINT, FULL
from handbench.evaluation.fits import Fit, read_fits
from handbench.evaluation.metrics import THRESHOLDS_MM
from handbench.evaluation.probes import read_probes
from handbench.evaluation.results import Result, read_results
from handbench.evaluation.tables import FigureData, joint_frame_of_means
from handbench.geometry.mesh import Mesh
from handbench.hand.skinning import make_skin, pose_mesh
from handbench.report.build import build_report
from handbench.report.comparisons import add_run
from handbench.report.frame_data import open_frames
from handbench.report.hand_pictures import draw_hand, shade
from handbench.report.items import Absent, Figure, Table
from handbench.report.run_card import RunCard
from handbench.report.sections import deepmodel
from handbench.report.sources import Sources
from handbench.report.table_files import format_cells
from handbench.report.variant_items import build_table_1
from handbench.sealed import seal

FIGURES = ("figure_3", "figure_3_angles", "figure_4", "figure_4_icvl", "hands", "hands_icvl", "figure_5")
FIGURES += ("figure_6", "figure_7", "figure_7_bars")
TABLES = ("table_1", "section_4_1", "fits", "speed", "figure_5_means", "figure_7_means")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_deepmodel_run(tmp_path_factory.mktemp("results") / "demo-embedded")


@pytest.fixture(scope="module")
def report(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(run, tmp_path_factory.mktemp("out") / "report", record=None, pictures=False).parent


@pytest.fixture
def sources(run: Path) -> Sources:
    card = RunCard("demo", "embedded", SEEDS, "abc", "123", None)
    return Sources(run, card, read_results(run), None, probes=read_probes(run), fits=read_fits(run))


def list_items(sources: Sources) -> dict[str, Table | Figure | Absent]:
    return {item.name: item for item in deepmodel.build_section(sources).items}


def find_table(sources: Sources, name: str) -> Table:
    table = list_items(sources)[name]
    assert isinstance(table, Table)
    return table


def test_everything_is_there_and_stamped(report: Path) -> None:
    check_stamped(report, "deepmodel", FIGURES, TABLES, frames=FRAMES)


def test_claims_are_decided_and_link_to_what_shows_them(report: Path) -> None:
    claims = pd.read_csv(report / "claims.csv").set_index("id")
    ids = ["DM1", "DM2", "DM3", "DM5"]
    assert set(claims.loc[ids, "status"]) == {"holds"}, claims.loc[ids, "reason"].to_dict()
    page = (report / "claims.html").read_text()
    for name in ("table_1", "section_4_1", "fits", "speed"):
        assert f'href="index.html#deepmodel_{name}"' in page, name


def test_table_1_holds_the_numbers_of_the_files(run: Path, sources: Sources) -> None:
    table = find_table(sources, "deepmodel_table_1")
    of_all, frame = table.frame["fitted_to"] == "all its joints", table.frame.set_index("module")
    assert table.frame.loc[of_all, "module"].tolist() == [DIRECT_JOINT]
    frame = frame[~of_all.to_numpy()]
    assert list(frame.index) == [*VARIANTS]
    for module in VARIANTS:
        joints_mm, angles_deg, turns_deg = [], [], []
        for seed in SEEDS:
            with np.load(run / "evaluate" / "nyu" / module / f"seed{seed}" / "errors.npz") as arrays:
                joints_mm.append(arrays["errors_mm"].mean(dtype=float))
                angles_deg.append(arrays["angle_errors_deg"].mean(dtype=float))
                turns_deg.append(arrays["rotation_errors_deg"].mean(dtype=float))
        row = frame.loc[module]
        assert row["run_joint_mm"] == pytest.approx(np.mean(joints_mm), abs=1e-4)
        assert row["run_angle_deg"] == pytest.approx(np.mean(angles_deg), abs=1e-4)
        assert row["run_turn_deg"] == pytest.approx(np.mean(turns_deg), abs=1e-4)
        assert row["joint_low_mm"] < row["run_joint_mm"] < row["joint_high_mm"]
        assert row["angle_low_deg"] < row["run_angle_deg"] < row["angle_high_deg"]
        assert row["joint_seeds_mm"] == " ".join(f"{one:.2f}" for one in joints_mm)
        assert row["angle_seeds_deg"] == " ".join(f"{one:.2f}" for one in angles_deg)
    assert set(frame["run_status"]) == set(frame["angle_status"]) == {"run"}
    assert frame["printed_angle_deg"].tolist()[:4] == [21.4, 12.2, 12.0, 12.2]
    cells = format_cells(table).to_numpy().tolist()
    assert cells[5][1:3] == ['"little difference"'] * 2


@pytest.mark.parametrize(("mean_mm", "status"), [(17.04, "recomputed"), (np.nan, "not at hand")])
def test_the_one_number_that_was_published_is_called_so(sources: Sources, mean_mm: float, status: str) -> None:
    frame = build_table_1("table_1", "Table 1", mean_mm, sources, "stamp").frame
    told = dict(zip(frame["module"], frame["recomputed_status"], strict=True))
    assert told == dict.fromkeys(VARIANTS, "not published") | {FULL: status}


def test_direct_joint_has_a_row_for_each_of_its_two_fits(run: Path, sources: Sources) -> None:
    table = find_table(sources, "deepmodel_table_1")
    scored, of_all = (row for _, row in table.frame[table.frame["module"] == DIRECT_JOINT].iterrows())
    assert of_all["method"] == "direct joint, fitted to all its joints"
    found = []
    for seed in SEEDS:
        with np.load(run / "evaluate" / "nyu" / DIRECT_JOINT / f"seed{seed}" / "errors.npz") as arrays:
            found.append(arrays["angle_errors_deg_of_all"].mean(axis=0, dtype=float))
    every = np.mean(found, axis=0)
    last = [place for place, name in enumerate(ANGLES) if name.endswith("flexion_3")]
    assert of_all["run_angle_deg"] == pytest.approx(every.mean(), abs=1e-4)
    assert of_all["run_last_deg"] == pytest.approx(every[last].mean(), abs=1e-4)
    assert of_all["run_last_deg"] == pytest.approx(scored["run_last_deg"] / 2, rel=0.02)
    assert of_all["run_others_deg"] == pytest.approx(scored["run_others_deg"], abs=1e-4)
    assert (5 * of_all["run_last_deg"] + 18 * of_all["run_others_deg"]) / 23 == pytest.approx(of_all["run_angle_deg"])
    assert of_all["run_joint_mm"] == scored["run_joint_mm"]
    bars = list_items(sources)["deepmodel_figure_3_angles"]
    assert isinstance(bars, Figure)
    assert "fitted to all its joints" in bars.describe


def test_the_commit_of_the_training_is_told_where_it_is_another(sources: Sources) -> None:
    assert "commit: abc1234, trained at abc1234, 0ld5678 |" in find_table(sources, "deepmodel_table_1").stamp
    ours = list_items(sources)["deepmodel_figure_4"]
    assert "commit: abc1234, trained at 0ld5678 |" in ours.stamp
    same = tuple(replace(one, trained_at=("abc1234",)) for one in sources.results)
    stamp = find_table(replace(sources, results=same), "deepmodel_table_1").stamp
    assert "commit: abc1234 |" in stamp
    older = tuple(replace(one, trained_at=()) for one in sources.results)
    assert "commit: abc1234 |" in find_table(replace(sources, results=older), "deepmodel_table_1").stamp


def test_the_bars_of_angles_are_means_over_seeds(sources: Sources, tmp_path: Path) -> None:
    figure = list_items(sources)["deepmodel_figure_3_angles"]
    assert isinstance(figure, Figure)
    drawn = pd.read_csv(figure.draw(tmp_path / "figure")[2])
    assert drawn["angle"].nunique() == 24
    one = drawn[drawn["method"] == "ours w/o phy"].set_index("angle")["error_deg"]
    found = sources.find_results(dataset="nyu", module="deepmodel_without_physical")
    angles = [result.angles for result in found if result.angles]
    assert one["thumb flexion 2"] == pytest.approx(np.mean([a.error_deg["thumb_flexion_2"] for a in angles]), rel=1e-5)
    assert one["thumb flexion 2"] > 3 * one["thumb flexion 3"], "half of the frames are bent too far"
    assert one["mean"] == pytest.approx(one.drop("mean").mean(), abs=1e-4)


def test_impossible_frames_are_counted(sources: Sources) -> None:
    frame = find_table(sources, "deepmodel_section_4_1").frame.set_index("method")
    assert frame["outside"].tolist() == [0, 0, 12, 60, 0, 0, 0]
    assert frame.loc["ours w/o phy", ["printed_percent", "run_percent", "frames"]].tolist() == [18.6, 50.0, 120]
    assert frame.loc["direct parameter", "low_percent"] == 0
    assert np.isnan(frame.loc["ours", "high_percent"]), "draws of nothing know no spread"
    # Noise of 10 degrees leaves the percentiles of true poses in most frames.
    assert frame["beyond_percent"].min() > 50
    notes = find_table(sources, "deepmodel_section_4_1").notes
    true = make_poses("nyu")[:, 6:]
    low, high = np.percentile(true, (0.5, 99.5), axis=0)
    share = np.mean(((true < low - 1e-5) | (true > high + 1e-5)).any(axis=1))
    assert any(f"so are {100 * share:.2f} %" in note for note in notes)
    assert any("so by construction" in note for note in notes)


def test_fits_stand_beside_print(sources: Sources) -> None:
    table = find_table(sources, "deepmodel_fits")
    frame = table.frame
    assert frame["optimiser"].tolist() == ["PSO", "L-BFGS"] * 4
    assert frame["printed_mm"].notna().tolist() == [True, *[False] * 7], "print fits the real labels by PSO"
    assert frame["start_mm"].dropna().tolist() == pytest.approx([6.2, 3.0, 3.0, 3.0]), "where swarms start"
    assert frame["at_wall"].dropna().tolist() == [40], "of the training's bounds alone"
    assert frame.loc[0, ["mean_mm", "frames", "worst_names"]].tolist() == [5.5, 8252, "image_0007.png, image_0009.png"]
    assert frame.loc[1, "speed"] == pytest.approx(8252 / 12)
    assert sum("3.25 degrees off" in note for note in table.notes) == 3
    assert not frame["labels"].str.contains("hand of").any(), "each has its own"
    borrowed = replace(sources, fits=tuple(replace(one, hand_of="nyu") for one in sources.fits))
    labels = find_table(borrowed, "deepmodel_fits").frame["labels"].unique().tolist()
    assert [one.partition(", with the hand of ")[2] for one in labels] == ["", "NYU Hand Pose", "", ""]
    half = (Fit("nyu", "test", {"lbfgs": sources.fits[0].left["lbfgs"]}),)
    frame = find_table(replace(sources, fits=half), "deepmodel_fits").frame
    assert frame["status"].tolist() == ["not fitted", "run"]
    assert np.isnan(frame.loc[0, "mean_mm"])


def test_the_speed_stands_beside_print(sources: Sources) -> None:
    frame = find_table(sources, "deepmodel_speed").frame
    assert frame["fps"].tolist() == [125.0, 400.0, 2500.0]
    assert frame["where"].tolist()[0] == "print, GTX 960"


def test_without_a_run_everything_says_so() -> None:
    items = list_items(Sources(Path("run"), RunCard("demo", "embedded", (0,), None, None, None), (), None))
    for name in FIGURES:
        item = items[f"deepmodel_{name}"]
        assert isinstance(item, Absent)
        assert "not run at this scale" in item.why
    for name, printed in (("section_4_1", "ours w/o phy 18.6 %"), ("fits", "5.68 mm"), ("speed", "125 frames")):
        item = items[f"deepmodel_{name}"]
        assert isinstance(item, Absent)
        assert item.why.startswith("This run: not run at this scale")
        assert printed in item.why
    table = items["deepmodel_table_1"]
    assert isinstance(table, Table)
    assert set(table.frame["run_status"]) == set(table.frame["angle_status"]) == {"not run at this scale"}


def test_what_is_half_there_says_what_is_missing(sources: Sources) -> None:
    few = [one for one in sources.results if one.module == "deepmodel"]
    without = [replace(one, angles=None) if one.seed else one for one in few]
    partial = replace(sources, results=tuple(without), probes=None, fits=None)
    frame = find_table(partial, "deepmodel_table_1").frame.set_index("method")
    assert frame.loc["ours", "angle_status"] == "not measured"
    assert frame.loc["direct joint", "run_status"] == "not run at this scale"
    items = list_items(partial)
    assert frame.loc["direct joint, fitted to all its joints", "angle_status"] == "not run at this scale"
    assert any("direct joint, direct parameter" in note for note in items["deepmodel_figure_3"].notes)
    assert "tracking store" in items["deepmodel_fits"].why
    assert "tracking store" in items["deepmodel_speed"].why
    tracked = replace(sources, results=tuple(replace(one, folder=None) for one in few))
    assert list_items(tracked)["deepmodel_figure_4"].why.startswith("Not shown: expected the files of a result")


def test_a_drawn_hand_lies_on_the_hand_that_was_seen(run: Path, sources: Sources) -> None:
    """The true pose drawn covers the hand in the patch, and hardly anything else."""
    for dataset in ("nyu", "icvl"):
        data = open_frames(run, sources.find_results(dataset=dataset, module="deepmodel")[0])
        shape, poses = SHAPES[dataset], make_poses(dataset)
        size_px = data.store.depth.shape[1]
        for frame in (3, 31):
            light = draw_hand(data, frame, pose_mesh(make_skin(shape), shape, poses[frame]), size_px)
            seen = np.asarray(data.store.depth[data.places[frame]]) < 1
            assert (seen & (light > 0)).sum() / (seen | (light > 0)).sum() > 0.85
    assert data.hand_scale.tolist() == [1.0] * FRAMES


def test_skin_is_light_where_it_faces_the_camera() -> None:
    camera = DATASETS["nyu"].camera
    depth_mm = np.zeros((camera.height, camera.width), np.float32)
    depth_mm[100:200, 100:200] = 700.0
    # A slope of one: a pixel is 700 / f wide, and as much farther.
    depth_mm[100:200, 300:400] = 700.0 * (1 + np.arange(100) / camera.fx)
    light = shade(depth_mm, camera)
    assert light[150, 150] == pytest.approx(1.0)
    assert light[150, 301] == pytest.approx(0.3 + 0.7 / np.sqrt(2), abs=1e-3)
    assert light[100, 100] == pytest.approx(0.3), "no neighbour: the outline"
    assert light[50, 50] == 0


def test_predictions_without_poses_have_no_hand_to_draw(run: Path, sources: Sources, tmp_path: Path) -> None:
    moved = tmp_path / "demo-embedded"
    shutil.copytree(run, moved)
    card = moved / "predict" / "nyu" / "deepmodel" / "seed0" / "predictions.json"
    told = {key: value for key, value in json.loads(card.read_text()).items() if key not in ("hand", "sha256")}
    card.write_text(json.dumps(seal(told)))
    items = list_items(replace(sources, run=moved, results=read_results(moved)))
    assert items["deepmodel_hands"].why == (
        "Not shown: expected predictions with poses and their hand, found joints alone."
    )
    assert isinstance(items["deepmodel_figure_4"], Figure)


def test_this_run_stands_beside_published_methods_and_says_what_it_saw(sources: Sources, tmp_path: Path) -> None:
    published = FigureData(
        pd.DataFrame({"method": "DeepPrior", "threshold_mm": THRESHOLDS_MM, "fraction": THRESHOLDS_MM / 80}),
        joint_frame_of_means("icvl", {"DeepPrior": dict.fromkeys((*DATASETS["icvl"].joints.names, "mean"), 11.0)}),
        pd.DataFrame([{"method": "DeepPrior", "recomputed_mm": 11.0, "frames": 1596}]),
    )

    def join(results: tuple[Result, ...], source: str) -> list[str]:
        changed = replace(sources, card=replace(sources.card, source=source), results=results)
        joined = add_run(published, "icvl", changed.pool(dataset="icvl"), changed)
        assert joined is not None
        assert set(joined.joints["method"]) == set(joined.means["method"]) == set(joined.curves["method"])
        assert joined.own == tuple(joined.means["method"][1:])
        return joined.curves["method"].unique().tolist()

    ours = sources.find_results(dataset="icvl", module="deepmodel")
    whole = tuple(replace(one, frames=1596) for one in ours)
    assert join(whole, "real") == ["DeepPrior", "DeepModel (full), this run, real data"]
    assert join(whole, "embedded") == ["DeepPrior", "DeepModel (full), this run, embedded data"]
    assert join(ours, "real") == ["DeepPrior", "DeepModel (full), this run, real data, 60 frames"]
    assert join((), "real") == ["DeepPrior"]
    assert add_run(None, "icvl", (), sources) is None
    figure = list_items(sources)["deepmodel_figure_7"]
    assert isinstance(figure, Figure), "without the record it is this run's alone"
    assert any("not comparable" in note for note in figure.notes)
    assert any("published predictions are not at hand" in note for note in figure.notes)
    drawn = pd.read_csv(figure.draw(tmp_path / "figure")[2])
    assert drawn["method"].unique().tolist() == ["DeepModel (full), this run, embedded data"]


def test_a_damaged_fit_is_one_line(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "demo-embedded"
    shutil.copytree(run, moved)
    (moved / "fit" / "nyu" / "published" / "fit.json").write_text("{")
    with pytest.raises(BadInput, match="expected a fit as `handbench fit` left it"):
        build_report(moved, tmp_path / "report", record=None, pictures=False)


def test_a_mesh_behind_the_camera_is_not_drawn(run: Path, sources: Sources) -> None:
    data = open_frames(run, sources.find_results(dataset="nyu", module="deepmodel")[0])
    mesh = pose_mesh(make_skin(SHAPES["nyu"]), SHAPES["nyu"], np.zeros(26))
    behind = Mesh(mesh.vertices_mm - [0, 0, 900], mesh.faces)
    assert draw_hand(data, 0, behind, 48).max() == 0
