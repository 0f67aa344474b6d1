"""Which frames are best, median and worst, and that both skeletons are drawn where they belong."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from handbench.errors import BadInput
from handbench.evaluation.results import read_results
from handbench.report.frame_data import open_frames
from handbench.report.frame_sheets import (
    PREDICTION,
    TILE_PX,
    TILES,
    TRUTH,
    WIDTH_PX,
    choose_frames,
    draw_sheet,
    save_sheet,
)
from handbench.report.stamps import stamp_results


def test_frames_are_chosen_by_hand():
    """Forty frames, frame k with an error of k mm, one without labels."""
    errors_mm = np.tile(np.arange(40.0)[:, None], (1, 3))
    errors_mm[39] = np.nan
    errors_mm[5, 0] = np.nan
    assert choose_frames(errors_mm, "best").tolist() == list(range(16))
    assert choose_frames(errors_mm, "worst").tolist() == list(range(38, 22, -1))
    assert choose_frames(errors_mm, "median").tolist() == list(range(11, 27))


def test_fewer_frames_than_tiles_are_all_shown():
    errors_mm = np.array([[3.0], [1.0], [2.0]])
    assert choose_frames(errors_mm, "best").tolist() == [1, 2, 0]
    assert choose_frames(errors_mm, "median").tolist() == [1, 2, 0]
    assert choose_frames(errors_mm, "worst").tolist() == [0, 2, 1]


def count_pixels(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == np.array(colour, np.uint8)).all(axis=-1).sum())


def test_a_sheet_shows_both_skeletons_and_the_range_of_its_errors(small_run: Path, tmp_path: Path) -> None:
    result = next(one for one in read_results(small_run) if one.dataset == "nyu")
    data = open_frames(small_run, result)
    sheets = {kind: draw_sheet(data, kind, stamp_results([result])) for kind in ("best", "worst")}
    for sheet in sheets.values():
        assert sheet.picture.shape[1] == WIDTH_PX
        assert count_pixels(sheet.picture, TRUTH) > TILES * 50
        assert count_pixels(sheet.picture, PREDICTION) > TILES * 50
    frame_mm = np.sort(data.errors_mm.mean(axis=1))
    assert (sheets["best"].low_mm, sheets["best"].high_mm) == pytest.approx((frame_mm[0], frame_mm[15]))
    assert (sheets["worst"].low_mm, sheets["worst"].high_mm) == pytest.approx((frame_mm[-16], frame_mm[-1]))
    save_sheet(sheets["best"], tmp_path / "new" / "best.png")
    assert (cv2.imread(str(tmp_path / "new" / "best.png"))[..., ::-1] == sheets["best"].picture).all()
    assert TILE_PX * 4 < WIDTH_PX


def test_a_perfect_prediction_covers_the_truth(small_run: Path) -> None:
    result = next(one for one in read_results(small_run) if one.dataset == "msra")
    data = open_frames(small_run, result)
    seen = count_pixels(draw_sheet(data, "best", "").picture, TRUTH)
    data.predicted_mm[:] = data.truth_mm[:, list(data.store.scored)]
    # What is left is the legend.
    assert count_pixels(draw_sheet(data, "best", "").picture, TRUTH) < min(150, seen / 5)


def test_frames_follow_their_rows_into_the_store(small_run: Path) -> None:
    """The error that the files hold is the distance between what is drawn as true and as predicted."""
    for result in read_results(small_run):
        data = open_frames(small_run, result)
        scored = data.truth_mm[:, list(data.store.scored)]
        np.testing.assert_allclose(np.linalg.norm(data.predicted_mm - scored, axis=-1), data.errors_mm, atol=1e-3)


def test_a_missing_file_is_named(small_run: Path, tmp_path: Path) -> None:
    result = read_results(small_run)[0]
    with pytest.raises(BadInput, match="no such file"):
        open_frames(tmp_path, result)
