"""The contact sheet: its size, its colours where they are known, its bytes, and what it refuses."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from handbench.conventions import DATASETS, HANDOBJECT, ICVL, Convention
from handbench.datasets.listing import Listing
from handbench.errors import BadInput
from handbench.report.contact_sheet import HOLE_GREY, _choose_rows, choose_columns, colour_depth, write_contact_sheet
from handbench.report.skeleton import PART_COLOURS


def make_listing(convention: Convention, frames: int) -> Listing:
    """A flat square at 500 mm before nothing, with joints on it."""
    camera = convention.camera
    depth_mm = np.zeros((camera.height, camera.width), np.float32)
    depth_mm[camera.height // 4 : -camera.height // 4, camera.width // 4 : -camera.width // 4] = 500
    rng = np.random.default_rng(0)
    joints_mm = rng.uniform(-60, 60, (frames, len(convention.joints.names), 3)) + np.array([0, 0, 510])
    return Listing(
        convention=convention,
        split="test",
        root=Path("/nowhere"),
        names=tuple(f"a/long/folder/with/many/parts/of/a/name/image_{row:04d}.png" for row in range(frames)),
        subjects=("P0",) * frames,
        sequences=("s",) * frames,
        joints_mm=joints_mm.astype(np.float32),
        read_depth=lambda _: depth_mm,
    )


def colours_below_the_header(path: Path) -> set[str]:
    tile = cv2.imread(str(path))[110:].astype(np.uint32)
    return {f"#{colour:06x}" for colour in np.unique(tile[..., 2] << 16 | tile[..., 1] << 8 | tile[..., 0])}


@pytest.mark.parametrize("dataset", sorted(DATASETS))
def test_every_dataset_has_a_sheet_of_1600_pixels(tmp_path, dataset):
    write_contact_sheet(make_listing(DATASETS[dataset], 5), tmp_path / "sheet.png", frames=4)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    # Two columns of (1600 - 2 * 36 - 20) / 2 pixels, two rows with captions, a header and half a margin.
    assert sheet.shape == (104 + 2 * (754 + 34) + 18, 1600, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_fingers_are_drawn_in_their_colours(tmp_path):
    write_contact_sheet(make_listing(ICVL, 1), tmp_path / "sheet.png")
    shown = colours_below_the_header(tmp_path / "sheet.png")
    assert {PART_COLOURS[part] for part in ICVL.joints.parts} <= shown


def test_a_joint_without_a_label_is_left_out(tmp_path):
    listing = make_listing(ICVL, 1)
    listing.joints_mm[0, 1:4] = np.nan
    write_contact_sheet(listing, tmp_path / "sheet.png")
    shown = colours_below_the_header(tmp_path / "sheet.png")
    assert PART_COLOURS["thumb"] not in shown
    assert PART_COLOURS["index"] in shown


def test_a_frame_without_any_label_is_shown(tmp_path):
    listing = make_listing(ICVL, 1)
    listing.joints_mm[:] = np.nan
    write_contact_sheet(listing, tmp_path / "sheet.png")
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None


def test_same_frames_same_bytes(tmp_path):
    listing = make_listing(ICVL, 3)
    write_contact_sheet(listing, tmp_path / "one.png", frames=2)
    write_contact_sheet(listing, tmp_path / "two.png", frames=2)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_depth_colours_by_hand():
    picture = colour_depth(np.float32([[400, 450], [500, 0]]), 400.0, 500.0)
    lightness = picture.astype(int).sum(axis=-1)
    assert picture[0, 0].tolist() == [0xD9, 0xF2, 0xD0]
    assert picture[1, 0].tolist() == [0x1A, 0x1E, 0x4B]
    assert lightness[0, 0] > lightness[0, 1] > lightness[1, 0]
    assert picture[1, 1].tolist() == [HOLE_GREY] * 3


def test_what_cannot_be_shown_says_why(tmp_path):
    with pytest.raises(BadInput, match="0 frames in the listing"):
        write_contact_sheet(make_listing(ICVL, 0), tmp_path / "sheet.png")
    with pytest.raises(BadInput, match="0 asked for"):
        write_contact_sheet(make_listing(ICVL, 3), tmp_path / "sheet.png", frames=0)
    with pytest.raises(BadInput, match="at most 400 on a page, found 401"):
        write_contact_sheet(make_listing(ICVL, 500), tmp_path / "sheet.png", frames=401)
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize(("place", "found"), [(".", "a folder"), ("file/x.png", "File exists")])
def test_a_place_where_no_picture_can_be_says_so(tmp_path, place, found):
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=f"found {found}"):
        write_contact_sheet(make_listing(ICVL, 1), tmp_path / place)
    with pytest.raises(BadInput, match="found a device"):
        write_contact_sheet(make_listing(ICVL, 1), Path("/dev/null"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BadInput, match="found No space left on device"):
        write_contact_sheet(make_listing(ICVL, 1), tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []


def test_any_file_name_can_be_a_caption(tmp_path):
    listing = make_listing(ICVL, 2)
    listing = replace(listing, names=("a_$\\frac{$.png", "bild_\udce4.png"))
    write_contact_sheet(listing, tmp_path / "sheet.png")
    assert (tmp_path / "sheet.png").stat().st_size > 1000


@pytest.mark.parametrize(("tiles", "columns"), [(1, 1), (8, 4), (9, 3), (12, 4), (16, 4), (7, 3)])
def test_the_last_row_is_full_where_a_slightly_wider_page_allows_it(tiles: int, columns: int) -> None:
    assert choose_columns(tiles) == columns


def test_kinds_of_rendered_frames_fill_lines_of_their_own(tmp_path):
    """Figure 10: recorded hands with rendered objects above, what is all rendered below."""
    semi, full = make_listing(HANDOBJECT, 30), make_listing(HANDOBJECT, 10)
    both = replace(
        semi,
        names=tuple(f"semi/{row}" for row in range(30)) + tuple(f"full/{row}" for row in range(10)),
        subjects=semi.subjects + full.subjects,
        sequences=("semi",) * 30 + ("full",) * 10,
        joints_mm=np.concatenate([semi.joints_mm, full.joints_mm]),
    )
    rows, columns = _choose_rows(both, 16)
    assert (rows[:8], columns) == ([0, 4, 8, 12, 17, 21, 25, 29], 4)
    assert rows[8:] == [30, 31, 33, 34, 35, 36, 38, 39]
    write_contact_sheet(both, tmp_path / "sheet.png", frames=16)
    # Four lines of four tiles: (1600 - 2 * 36 - 3 * 20) / 4 pixels.
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (104 + 4 * (367 + 34) + 18, 1600, 3)
    assert PART_COLOURS["object"] in colours_below_the_header(tmp_path / "sheet.png")
    rows, columns = _choose_rows(both, 12)
    assert (rows[:6], columns) == ([0, 6, 12, 17, 23, 29], 6), "few of a kind stand in one line"
    # One kind alone is any set.
    assert _choose_rows(semi, 16)[1] == 4
