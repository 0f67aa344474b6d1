"""Figures of synthesized images and poses, from a made-up run: what stands where, or why there is nothing to see."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from loop_fixtures import SEEDS, write_loop_run
from picture_fixtures import SIZE_PX, make_pictures

from handbench.evaluation.probes import read_probes
from handbench.evaluation.results import read_results
from handbench.report.contact_sheet import LAST_SLATE
from handbench.report.items import Absent, Figure, Table
from handbench.report.picture_grid import Grid, Tile, colour_difference, draw_grid
from handbench.report.picture_layouts import lay_out_impossible, lay_out_loop, lay_out_samples, lay_out_search
from handbench.report.picture_tiles import Shown, colour_cube
from handbench.report.run_card import RunCard
from handbench.report.sections import feedback15, feedback19
from handbench.report.skeleton import PART_COLOURS
from handbench.report.sources import Sources
from handbench.sealed import seal

DRAWN = tuple(f"feedback15_figure_{number}" for number in ("2", "3", "7_pictures", "9", "11"))
DRAWN_19 = tuple(f"feedback19_figure_{number}" for number in ("2", "3", "11"))


@pytest.fixture(scope="module")
def loop_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_loop_run(tmp_path_factory.mktemp("results") / "demo-embedded")


def open_sources(run: Path) -> Sources:
    card = RunCard("demo", "embedded", SEEDS, "abc", "123", None)
    return Sources(run, card, read_results(run), None, probes=read_probes(run))


def list_items(sources: Sources) -> dict[str, Table | Figure | Absent]:
    return {item.name: item for build in (feedback15, feedback19) for item in build.build_section(sources).items}


def show(sources: Sources, module: str) -> Shown:
    probe = sources.find_probes(module)[0]
    return Shown(probe, probe.open_pictures())


@pytest.mark.parametrize("name", [*DRAWN, *DRAWN_19])
def test_every_figure_is_drawn_stamped_and_the_same_again(loop_run: Path, name: str, tmp_path: Path) -> None:
    figure = list_items(open_sources(loop_run))[name]
    assert isinstance(figure, Figure)
    first, second = (figure.draw(tmp_path / folder / name) for folder in "ab")
    assert [path.suffix for path in first] == [".png", ".pdf", ".csv"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert cv2.imread(str(first[0])).shape[1] == 1224
    [stamp] = pd.read_csv(first[2])["stamp"].unique()
    for fact in (" frames", " joints", "centre: com", "data: embedded", "scale: demo", "seeds: 0", "commit: abc"):
        assert fact in stamp
    assert any(note.startswith("Drawn by feedback1") and note.endswith(", seed 0.") for note in figure.notes)
    assert any("even distances" in note or "first error is smaller" in note for note in figure.notes)
    assert "not comparable" in figure.notes[-1]


def test_the_numbers_are_those_of_the_pictures(loop_run: Path, tmp_path: Path) -> None:
    figure = list_items(open_sources(loop_run))["feedback15_figure_9"]
    assert isinstance(figure, Figure)
    drawn = pd.read_csv(figure.draw(tmp_path / "figure")[2])
    assert drawn["module"].unique().tolist() == ["feedback15_lbfgsb", "feedback15_beside_lbfgsb"]
    pictures = make_pictures("feedback15_lbfgsb", "nyu")
    mine = drawn[drawn["module"] == "feedback15_lbfgsb"]
    assert mine["frame"].tolist() == np.repeat(pictures.rows, 4).tolist()
    assert mine["pose"].tolist() == [0, 1, 2, 60] * 10
    np.testing.assert_allclose(mine["pose_error_mm"], pictures.pose_mm.ravel())
    np.testing.assert_allclose(mine["image_error_mm"], pictures.image_mm.ravel())
    np.testing.assert_allclose(mine["hand_error_mm"], pictures.hand_mm.ravel())


def test_what_stands_where(loop_run: Path) -> None:
    sources = open_sources(loop_run)
    synthesizer, loop, search = (show(sources, f"feedback15{word}") for word in ("_synthesizer", "", "_lbfgsb"))
    samples, _ = lay_out_samples([synthesizer])
    assert [len(row) for row in samples.rows] == [8] * 3
    assert [tile.words for tile in samples.rows[2]][:2] == ["0.2 mm", "4.2 mm"]
    # What is drawn of the truth is the very image of the camera in the fixture.
    np.testing.assert_array_equal(samples.rows[0][0].picture, samples.rows[1][0].picture)
    np.testing.assert_array_equal(samples.rows[2][0].picture, colour_difference(np.zeros((SIZE_PX, SIZE_PX), "f4")))
    impossible, _ = lay_out_impossible([synthesizer])
    assert impossible.headings == ("(a) as labelled", "(b) fingers swapped", "(c) fingers flipped", "(d) wrist flipped")
    assert [tile.pose_px is None for tile in impossible.rows[0]] == [False, True] * 4
    assert impossible.labels == ("frame\n0", "frame\n28", "frame\n49")
    beside, _ = lay_out_search([search, loop], even=False)
    assert len(beside.rows) == len(beside.labels) == 6
    assert beside.labels[2:4] == ("frame 7\n(50 %)\nL-BFGS-B", "frame 7\n(50 %)\nthe loop")
    assert [tile.words for tile in beside.rows[0]] == ["0.0 mm", "0.5 mm", "1.5 mm", "2.5 mm", "3.0 mm", "3.5 mm"]
    assert [tile.words for tile in beside.rows[3]] == ["3.0 mm", "3.5 mm", "4.5 mm", "5.5 mm", "5.0 mm", "5.5 mm"]
    evenly, _ = lay_out_search([search, loop], even=True)
    assert [label.partition("\n")[0] for label in evenly.labels[::2]] == ["frame 21", "frame 42", "frame 63"]
    poses, _ = lay_out_loop([loop])
    assert [tile.words for tile in poses.rows[0]] == ["0.0 mm", "2.0 mm", "frame 0 (10 %)", "3.0 mm", "5.0 mm"] + [
        "frame 7 (50 %)"
    ]
    assert poses.headings[:3] == ("first pose", "after 2 iterations", "truth")


def test_depth_and_difference_in_colour_by_hand() -> None:
    picture = colour_cube(np.float32([[100, 200], [250, 300]]), 100.0, 200.0, 300.0).astype(int)
    assert picture[0, 0].tolist() == [0xD9, 0xF2, 0xD0]
    assert picture[0, 1].tolist() == [0x1A, 0x1E, 0x4B]
    assert picture[1, 0].tolist() == [38, 42, 68], "half way between the darkest colour and slate"
    assert picture[1, 1].tolist() == LAST_SLATE.tolist()
    none, some, most, more = colour_difference(np.float32([[0, 50, 100, 200]]))[0].astype(int).sum(axis=-1)
    assert none > some > most == more


def test_a_frame_without_a_hand_or_with_one_at_the_far_face_has_a_picture(loop_run: Path) -> None:
    shown = show(open_sources(loop_run), "feedback15_synthesizer")
    empty = np.full_like(shown.pictures.camera, 255)
    picture = Shown(shown.probe, dataclasses.replace(shown.pictures, camera=empty)).see(0).picture
    assert (picture == LAST_SLATE).all()
    far = np.where(shown.pictures.camera < 255, 250, 255).astype(np.uint8)
    picture = Shown(shown.probe, dataclasses.replace(shown.pictures, camera=far)).see(0).picture
    background, hand = picture[0, 0].astype(int), picture[8, 8].astype(int)
    assert background.tolist() == LAST_SLATE.tolist()
    assert 0 < np.abs(background - hand).max() < 30, "between the darkest colour and slate"


def test_a_pose_is_drawn_in_the_colours_of_its_fingers(loop_run: Path, tmp_path: Path) -> None:
    shown = show(open_sources(loop_run), "feedback15")
    pose = shown.pictures.truth_px[0].copy()
    pose[2:4] = np.nan
    grid = Grid(((Tile(shown.see(0).picture, pose),),), ("pose",), (), shown.joints, label_px=0, tile_px=188)
    png, _ = draw_grid(grid, tmp_path / "grid", title="a $\\frac{$ title", stamp="")
    # Less the title above it and the key below it.
    tile = cv2.imread(str(png))[86 : 86 + 188, 16 : 16 + 188, ::-1].astype(np.uint32)
    colours = {f"#{colour:06x}" for colour in np.unique(tile[..., 0] << 16 | tile[..., 1] << 8 | tile[..., 2])}
    assert {PART_COLOURS[part] for part in ("palm", "thumb", "index", "middle", "little")} <= colours
    assert PART_COLOURS["ring"] not in colours, "its joints have no place"


def test_without_pictures_every_place_says_why(loop_run: Path, tmp_path: Path) -> None:
    bare = dataclasses.replace(open_sources(loop_run), probes=())
    tracked = dataclasses.replace(bare, probes=None)
    run = tmp_path / "demo-embedded"
    shutil.copytree(loop_run, run)
    for path in run.rglob("pictures.npz"):
        path.unlink()
    lost = open_sources(run)
    for path in run.rglob("probe.json"):
        content = json.loads(path.read_text())
        del content["sha256_of_pictures"], content["sha256"]
        path.write_text(json.dumps(seal(content)))
    reasons = {
        "This run: not run at this scale.": bare,
        "which the tracking store does not hold": tracked,
        "Not shown: expected pictures as `handbench probe` left them, found no such file.": lost,
        "Not shown: expected pictures beside it, found none, as an older release left it.": open_sources(run),
    }
    for reason, sources in reasons.items():
        items = list_items(sources)
        for name in (*DRAWN, *DRAWN_19):
            item = items[name]
            assert isinstance(item, Absent), name
            assert reason in item.why


def test_pictures_of_other_frames_are_not_set_side_by_side(loop_run: Path) -> None:
    sources = open_sources(loop_run)
    assert sources.probes is not None
    # Of the loop's module it takes the synthesizer's pictures.
    other = next(one for one in sources.probes if (one.module, one.dataset) == ("feedback15_synthesizer", "nyu"))
    kept = [one for one in sources.probes if one.module != "feedback15_beside_lbfgsb"]
    swapped = dataclasses.replace(other, module="feedback15_beside_lbfgsb")
    item = list_items(dataclasses.replace(sources, probes=(*kept, swapped)))["feedback15_figure_9"]
    assert isinstance(item, Absent)
    assert item.why.endswith("have pictures of other frames each.")


def test_synthesizers_that_were_not_made_are_named(loop_run: Path) -> None:
    sources = open_sources(loop_run)
    assert sources.probes is not None
    kept = tuple(one for one in sources.probes if one.module != "feedback15_synthesizer_noise10")
    figure = list_items(dataclasses.replace(sources, probes=kept))["feedback15_figure_7_pictures"]
    assert isinstance(figure, Figure)
    assert "Not drawn, as this run has not made them: feedback15_synthesizer_noise10." in figure.notes


def test_the_report_draws_them_without_torch(loop_run: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from handbench.report.build import build_report; "
        "build_report(Path(sys.argv[1]), Path(sys.argv[2]), record=None, pictures=False); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, loop_run, tmp_path / "report"], check=True)
    figures = tmp_path / "report" / "figures"
    for name in (*DRAWN, *DRAWN_19):
        assert (figures / f"{name}.png").stat().st_size > 10_000
