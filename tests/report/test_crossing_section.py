"""The section of crossing from a made-up run: the numbers of its files, its pictures, or why there are none."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from crossing_fixtures import HEALTH, POINTS, REMARK, SEEDS, make_walk, write_crossing_run
from PIL import Image
from run_fixtures import FRAMES
from stamped import check_stamped

from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.evaluation.probes import Probe, read_probes
from handbench.evaluation.published import Record
from handbench.evaluation.remarks import tell_run
from handbench.evaluation.results import read_results
from handbench.evaluation.trainings import read_trainings, select_trainings
from handbench.report.build import build_report
from handbench.report.crossing_figures import lay_out_triplets
from handbench.report.items import Absent, Figure, Table
from handbench.report.motion import encode_motion
from handbench.report.picture_tiles import Shown
from handbench.report.run_card import RunCard
from handbench.report.sections import crossing
from handbench.report.sources import Sources
from handbench.report.walk_pictures import WalkTiles, lay_out_walk

FIGURES = ("figure_1", "figure_3", "figure_4_nyu", "figure_4_icvl", "figure_5_nyu", "figure_5_icvl")
TABLES = ("walks", "shares", "section_5_2", "gan", "speed")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_crossing_run(tmp_path_factory.mktemp("results") / "demo-embedded")


@pytest.fixture(scope="module")
def report(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_report(run, tmp_path_factory.mktemp("out") / "report", record=None, pictures=False).parent


@pytest.fixture
def sources(run: Path) -> Sources:
    card = RunCard("demo", "embedded", SEEDS, "abc", "123", None)
    return Sources(run, card, read_results(run), None, probes=read_probes(run), trainings=read_trainings(run))


def list_items(sources: Sources) -> dict[str, Table | Figure | Absent]:
    return {item.name: item for item in crossing.build_section(sources).items}


def find_table(sources: Sources, name: str) -> Table:
    table = list_items(sources)[f"crossing_{name}"]
    assert isinstance(table, Table)
    return table


def test_everything_is_there_and_stamped(report: Path) -> None:
    check_stamped(report, "crossing", FIGURES, TABLES, frames=FRAMES)
    assert (report / "figures" / "crossing_figure_1.gif").is_file()
    page = (report / "index.html").read_text()
    assert "crossing_figure_1.gif" in page


def test_claims_are_decided_and_link_to_what_shows_them(report: Path) -> None:
    claims = pd.read_csv(report / "claims.csv").set_index("id")
    assert set(claims.loc[["CN3", "CN4", "CN6"], "status"]) == {"holds"}, claims.loc[["CN3", "CN4"], "reason"].to_dict()
    assert "on msra" in claims.loc["CN1", "reason"]
    page = (report / "claims.html").read_text()
    for name in ("figure_3", "section_5_2", "walks", "speed"):
        assert f'href="index.html#crossing_{name}"' in page, name


def test_lines_of_shares_are_means_with_a_band_over_seeds(run: Path, sources: Sources, tmp_path: Path) -> None:
    figure = list_items(sources)["crossing_figure_3"]
    assert isinstance(figure, Figure)
    drawn = pd.read_csv(figure.draw(tmp_path / "figure")[2])
    assert drawn["panel"].unique().tolist() == ["NYU Hand Pose", "ICVL Hand Posture"]
    assert drawn["method"].unique().tolist() == [
        "crossing",
        "from scratch",
        "GAN-pretrained",
        "from scratch, equal epochs",
        "GAN-pretrained, equal epochs",
    ]
    one = drawn[(drawn["panel"] == "NYU Hand Pose") & (drawn["method"] == "crossing")].set_index("share_percent")
    assert one.index.tolist() == [2, 5, 100]
    errors_mm = [one_.mean_error_mm for one_ in sources.find_results(dataset="nyu", module="crossing_5")]
    np.testing.assert_allclose(one.loc[5, ["error_mm", "low_mm", "high_mm"]], [np.mean(errors_mm), *errors_mm], 1e-5)
    assert drawn[drawn["method"] == "from scratch, equal epochs"]["share_percent"].unique().tolist() == [2]
    assert any("not made them: MSRA15 Hand Gesture" in note for note in figure.notes)
    again = figure.draw(tmp_path / "again")
    assert (tmp_path / "figure.png").read_bytes() == again[0].read_bytes()


def test_the_table_of_shares_holds_the_numbers_of_the_files(sources: Sources) -> None:
    table = find_table(sources, "shares")
    frame = table.frame.set_index(["dataset", "share_percent"])
    row = frame.loc[("NYU Hand Pose", 2)]
    for key, module in (("crossing", "crossing_2"), ("scratch_epochs", "crossing_posterior_2_epochs")):
        expected = np.mean([one.mean_error_mm for one in sources.find_results(dataset="nyu", module=module)])
        assert row[f"{key}_mm"] == pytest.approx(expected, rel=1e-5)
    assert row["scratch_less_mm"] == pytest.approx(row["crossing_mm"] - row["scratch_mm"], abs=1e-4)
    assert row["scratch_low_mm"] < row["scratch_less_mm"] < row["scratch_high_mm"] < 0
    assert frame.loc[("NYU Hand Pose", 5), "pretrained_epochs_status"] == "not run at this scale"
    assert frame.loc[("NYU Hand Pose", 100), "pretrained_epochs_status"] == "as updates"
    assert len(frame) == 6
    results = [replace(one, converged=one.module != "crossing_5") for one in sources.results]
    notes = find_table(replace(sources, results=tuple(results)), "shares").notes
    assert any("still fell: crossing_5 on nyu, crossing_5 on icvl." in note for note in notes)


def test_epochs_that_are_cut_short_are_no_equal_epochs(sources: Sources) -> None:
    def tell(steps: int | None, *left_out: str) -> list[str]:
        cut = {"epochs": 10, "batch": 64, "epoch_steps": steps}
        results = [replace(one, settings=cut) for one in sources.results if not one.module.endswith(left_out)]
        notes = find_table(replace(sources, results=tuple(results)), "shares").notes
        return [note for note in notes if "in name only here" in note]

    [note] = tell(200)
    assert "an epoch of crossing is cut short at 200 steps" in note
    assert tell(None) == tell(200, "_epochs") == []


def test_tasks_walks_and_time(sources: Sources) -> None:
    tasks = find_table(sources, "section_5_2").frame.set_index("method")
    assert tasks.index.tolist() == ["all tasks", "without smoothness", "without GAN"]
    assert (tasks["less_mm"][1:] > 0).all()
    assert np.isnan(tasks.loc["all tasks", "less_mm"])
    walks = find_table(sources, "walks")
    (probe, _) = sources.find_probes("crossing")
    steps = np.array(probe.read("walks")[4]["steps_mm"])
    row = walks.frame.iloc[4]
    assert row["walk"] == "12 to 42"
    assert row[["median_mm", "largest_mm", "jump"]].tolist() == pytest.approx(
        [np.median(steps), steps.max(), steps.max() / np.median(steps)]
    )
    assert row["times"] == pytest.approx(row["depth_error"] / probe.read("reconstruction", "test"))
    assert row["background_error"] == pytest.approx(np.mean(probe.read("walks")[4]["background_error"]))
    assert row["other_error"] == pytest.approx(np.mean(probe.read("walks")[4]["other_error"]))
    assert any("background alone is off by 0.13" in note for note in walks.notes)
    assert any("worst walk of each seed of crossing: 1." in note for note in walks.notes)
    speed = find_table(sources, "speed").frame
    assert speed["ms"].tolist() == [11.0, 3.5, 0.5]


def test_published_rivals_are_drawn_from_their_own_predictions(sources: Sources, shared: Path, tmp_path: Path) -> None:
    items = list_items(replace(sources, record=Record(shared / "published")))
    on_nyu, on_icvl = (items[f"crossing_figure_4_{dataset}_published"] for dataset in ("nyu", "icvl"))
    assert isinstance(on_nyu, Figure)
    assert isinstance(on_icvl, Figure)
    curves = pd.read_csv(on_icvl.draw(tmp_path / "icvl")[2])
    assert [name.split(",")[0] for name in curves["method"].unique()] == ["DeepPrior", "Refinement"]
    assert "DeepPrior published 702 of 1,596 frames (sequence 1 alone): its numbers are of those." in on_icvl.notes
    assert on_nyu.describe.startswith("Mean errors: Feedback 1")
    assert "Not drawn: Sinha et al.: printed only: no published 3D predictions." in on_nyu.notes
    # Of MSRA nobody published any, which its own figure would say.
    assert "crossing_figure_4_msra_published" not in items
    without = list_items(sources)["crossing_figure_4_icvl_published"]
    assert isinstance(without, Absent)
    assert "published predictions are not at hand" in without.why


def test_curves_say_which_ablations_are_missing(sources: Sources) -> None:
    items = list_items(sources)
    told = "Not drawn, as this run has not made them: crossing_without_smoothness, crossing_without_gan."
    assert told in items["crossing_figure_4_icvl"].notes
    assert told not in items["crossing_figure_4_nyu"].notes


def test_a_gan_has_collapsed_where_its_training_or_its_probe_says_so(sources: Sources) -> None:
    table = find_table(sources, "gan")
    frame = table.frame.set_index(["module", "dataset", "seed"])
    assert len(frame) == 2 + 4 + 4 + 2
    told = frame[["training", "health"]].apply(tuple, axis=1)
    assert told["crossing_2", "NYU Hand Pose", 0] == ("sound", "collapsed"), "the probe says so"
    assert told["crossing_2", "ICVL Hand Posture", 0] == ("not at hand", "collapsed")
    assert told["crossing", "NYU Hand Pose", 1] == ("collapsed", "collapsed"), "the training says so"
    assert told["crossing", "ICVL Hand Posture", 1] == ("not at hand", "sound")
    assert told["crossing_gan", "NYU Hand Pose", 0] == ("collapsed", "collapsed")
    assert told["crossing_without_gan", "NYU Hand Pose", 0] == ("no GAN task", "no GAN task")
    drawn = frame["spread_drawn"]
    assert drawn["crossing_2", "NYU Hand Pose", 0] == HEALTH["crossing_2"][0]
    assert frame.loc[("crossing", "NYU Hand Pose", 0), "accuracy_percent"] == 74
    for module, status in (("crossing_gan", "not probed"), ("crossing_without_gan", "no GAN task")):
        assert np.isnan(drawn[module, "NYU Hand Pose", 0])
        assert frame.loc[(module, "NYU Hand Pose", 0), "status"] == status
    assert any(note.startswith("Collapsed: crossing_gan on NYU Hand Pose, seed 0; ") for note in table.notes)
    assert f"crossing on NYU Hand Pose, seed 1: {REMARK}." in table.notes


def test_what_is_listed_is_all_that_is_called_sound(sources: Sources) -> None:
    sound = tuple(one for one in sources.probes or () if one.module == "crossing")
    table = find_table(replace(sources, probes=sound, trainings=()), "gan")
    assert "None of those listed has collapsed." in table.notes


def test_a_task_that_took_no_part_has_no_number(sources: Sources) -> None:
    (probe, *_) = sources.find_probes("crossing")
    without = replace(probe, module="crossing_without_gan", settings={"gan": False})
    frame = find_table(replace(sources, probes=(without,), trainings=()), "gan").frame
    assert frame[["spread_drawn", "accuracy_percent"]].isna().all(axis=None)
    assert frame["health"].tolist() == ["no GAN task"]


def test_the_summary_says_what_trainings_remarked(report: Path) -> None:
    page = (report / "index.html").read_text()
    summary = page[page.index('<section id="summary">') : page.index("</section>")]
    told = "The drawing of images has collapsed in 8 of 12 trainings: crossing on NYU Hand Pose, seed 0; crossing on"
    assert told in summary
    assert "crossing_2 on NYU Hand Pose, seed 1 (its probe says so)" in summary


def test_the_end_of_a_call_says_the_same(run: Path) -> None:
    """Of what was asked for: a probe alone can tell of a collapse, and one that saw no GAN task cannot."""
    modules = {name: {"datasets": ["nyu"]} for name in ("crossing_2", "crossing_without_gan")}
    [line] = tell_run(run, {"modules": modules, "use": ["nyu"], "seeds": [1]})
    told = "The drawing of images has collapsed in 1 of 2 trainings: crossing_2 on NYU Hand Pose, seed 1 (its probe"
    assert line.startswith(told)


def test_only_trainings_that_were_asked_for_count(run: Path) -> None:
    found = read_trainings(run)
    asked = {"modules": {"crossing_gan": {"datasets": ["nyu"]}}, "use": ["nyu"], "seeds": [1]}
    assert [one.name for one in select_trainings(found, asked)] == ["crossing_gan on NYU Hand Pose, seed 1"]
    assert not select_trainings(found, asked | {"use": ["icvl"]})
    fold = replace(found[0], fold="P1", module="crossing_gan", seed=1)
    assert fold.name == "crossing_gan on NYU Hand Pose, seed 1, without P1"
    for folds, kept in (([], 1), (["P1"], 1), (["P0"], 0)):
        modules = {"crossing_gan": {"datasets": ["nyu"], "folds": folds}}
        assert len(select_trainings([fold], asked | {"modules": modules})) == kept


def test_fewer_labels_stand_in_where_nothing_else_was_run(sources: Sources) -> None:
    few = replace(
        sources,
        results=tuple(one for one in sources.results if one.module == "crossing_2"),
        probes=tuple(one for one in sources.probes or () if one.module == "crossing_2"),
    )
    items = list_items(few)
    for name in ("crossing_figure_1", "crossing_figure_4_nyu", "crossing_figure_5_nyu", "crossing_speed"):
        assert not isinstance(items[name], Absent), name
    assert any("Drawn by crossing_2, seed 0." in note for note in items["crossing_figure_1"].notes)


def test_the_gif_goes_there_and_back(sources: Sources, tmp_path: Path) -> None:
    figure = list_items(sources)["crossing_figure_1"]
    assert isinstance(figure, Figure)
    assert figure.moving
    paths = figure.draw(tmp_path / "walk")
    assert [path.suffix for path in paths] == [".gif", ".png", ".pdf", ".csv"]
    with Image.open(paths[0]) as moving:
        assert moving.n_frames == 2 * POINTS - 2
        pages = []
        for place in (1, 2 * POINTS - 3, POINTS - 1):
            moving.seek(place)
            pages.append(np.asarray(moving.convert("RGB")).astype(int))
    assert np.abs(pages[0] - pages[1]).max() == 0, "the way back is the way there"
    assert np.abs(pages[0] - pages[2]).max() > 50
    numbers = pd.read_csv(paths[3])
    assert numbers["point"].tolist() == list(range(1, POINTS + 1))
    assert numbers["step_mm"].isna().sum() == 1
    assert [path.read_bytes() for path in figure.draw(tmp_path / "again")] == [path.read_bytes() for path in paths]


def test_what_stands_in_a_strip() -> None:
    walk, joints = make_walk(14), scored_skeleton("nyu")
    grid = lay_out_walk(walk, joints)
    assert [len(row) for row in grid.rows] == [8] * 3
    assert grid.headings[1:-1] == ("point 1", "point 11", "point 21", "point 30", "point 40", "point 50")
    assert [tile.pose_px is None for row in grid.rows for tile in row] == [*[True] * 8, *[False] * 8, *[True] * 8]
    np.testing.assert_array_equal(grid.rows[1][1].pose_px, walk.poses_px[0])
    np.testing.assert_array_equal(grid.rows[1][-1].pose_px, walk.poses_px[-1])
    # Of the fixture's walk the first drawn image is the camera's own.
    np.testing.assert_array_equal(grid.rows[0][0].picture, grid.rows[0][1].picture)
    without = lay_out_walk(replace(walk, rendered=None), joints)
    assert len(without.rows) == len(without.labels) == 2
    background = WalkTiles(walk).draw(POINTS - 1).picture[0, 0]
    np.testing.assert_array_equal(background, WalkTiles(walk).draw(0).picture[0, 0])


def test_triplets_in_their_order(sources: Sources) -> None:
    (probe, _) = sources.find_probes("crossing")
    shown = Shown(probe, probe.open_pictures())
    grid = lay_out_triplets(shown)
    assert grid.headings == ("truth", "reconstruction", "estimate") * 2
    assert [len(row) for row in grid.rows] == [6] * 3
    assert [tile.words for tile in grid.rows[0][:4]] == ["frame 0", "0.0 mm", "1.0 mm", "frame 10"]
    truth, middle, estimate = grid.rows[0][:3]
    np.testing.assert_array_equal(truth.picture, estimate.picture)
    np.testing.assert_array_equal(middle.picture, np.roll(truth.picture, 1, axis=1))
    np.testing.assert_allclose(estimate.pose_px, truth.pose_px + 2)


def test_fingers_keep_their_colours_in_a_gif() -> None:
    """Thin lines of rare colours on a page of others."""
    page = Image.new("RGB", (300, 200))
    page.putdata([(place % 256, (place * 7) % 256, 90) for place in range(300 * 200)])
    page.paste((255, 134, 200), (10, 10, 60, 12))
    with Image.open(io.BytesIO(encode_motion([page, page]))) as moving:
        shown = np.asarray(moving.convert("RGB"))[11, 30].astype(int)
    assert np.abs(shown - [255, 134, 200]).max() < 12


def test_without_a_run_everything_says_so() -> None:
    items = list_items(Sources(Path("run"), RunCard("demo", "embedded", (0,), None, None, None), (), None))
    for name in (*FIGURES, "figure_4_msra", *TABLES):
        item = items[f"crossing_{name}"]
        assert isinstance(item, Absent), name
        assert item.why.startswith("This run: not run at this scale"), name
    assert "`folds` leaves out one subject alone" in items["crossing_figure_5_msra"].why
    tracked = Sources(Path("run"), RunCard("demo", "embedded", (0,), None, None, None), (), None, probes=None)
    assert "tracking store" in list_items(tracked)["crossing_gan"].why


def test_older_pictures_have_neither_walk_nor_triplets(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    (probe, *_) = sources.find_probes("crossing")
    bare = replace(probe.open_pictures(), walk=None, steps=("0", "1"))
    monkeypatch.setattr(Probe, "open_pictures", lambda _: bare)
    items = list_items(sources)
    assert "has no walk" in items["crossing_figure_1"].why
    assert "has no such pictures" in items["crossing_figure_5_nyu"].why
