"""Which pictures stand where, and what has to be said of them: a figure of the feedback papers each."""

from collections.abc import Mapping, Sequence

import numpy as np

from handbench.datasets.evenly import spread_evenly
from handbench.report.picture_grid import LARGE_PX, MIDDLE_PX, Grid, Tile
from handbench.report.picture_tiles import Shown
from handbench.report.run_card import join_words
from handbench.training.picture_file import EVEN

Layout = tuple[Grid, tuple[str, ...]]
"""The pictures and the notes below them."""

EVENLY = "Frames at even distances in the test list."
COLOURS = "Light is near; the images of a frame share their colours."
LETTERS = "abcd"
OPTIMISER_AND_LOOP = ("L-BFGS-B", "the loop")
MOST_ROWS = 3
"""Of frames, where each takes much room."""
FRAMES_ACROSS = 2


def lay_out_samples(shown: Sequence[Shown]) -> Layout:
    """Camera, image drawn of the true pose, difference from top to bottom (Fig. 2)."""
    (one,) = shown
    frames = range(len(one.pictures.rows))
    grid = Grid(
        rows=(
            tuple(one.see(frame) for frame in frames),
            tuple(one.draw(frame, 0) for frame in frames),
            tuple(one.subtract(frame, 0, _tell_mm(one.pictures.hand_mm[frame, 0])) for frame in frames),
        ),
        headings=tuple(map(one.name, frames)),
        labels=("camera", "drawn of\ntrue pose", "difference"),
        joints=one.joints,
        label_px=112,
        differences=True,
    )
    return grid, (EVENLY, COLOURS, "Below a difference its mean absolute value over the pixels of the hand.")


def lay_out_impossible(shown: Sequence[Shown]) -> Layout:
    """A true pose and poses that no hand takes, each beside its image (Fig. 3)."""
    (one,) = shown
    steps, frames = range(len(one.pictures.steps)), _spread(len(one.pictures.rows))
    kinds = ("as labelled", *one.pictures.steps[1:])
    grid = Grid(
        rows=tuple(
            tuple(tile for step in steps for tile in (one.pose(frame, step), one.draw(frame, step))) for frame in frames
        ),
        headings=tuple(f"({letter}) {kind}" for letter, kind in zip(LETTERS, kinds, strict=False)),
        labels=tuple(one.name(frame).replace(" ", "\n") for frame in frames),
        joints=one.joints,
        label_px=84,
        columns_together=2,
    )
    made = (
        "Ring and middle finger have changed places in (b); they in (c), and the wrist in (d), are mirrored at the "
        "plane through the palm's centre that looks towards both fingers."
    )
    return grid, (EVENLY, COLOURS, made)


def lay_out_noise(shown: Sequence[Shown], labels: Mapping[str, str]) -> Layout:
    """The camera's image above those that synthesizers of ever worse labels draw of one pose (Fig. 7)."""
    first, frames = shown[0], range(len(shown[0].pictures.rows))
    drawn = [tuple(one.draw(frame, 0, _tell_mm(one.pictures.hand_mm[frame, 0])) for frame in frames) for one in shown]
    grid = Grid(
        rows=(tuple(first.see(frame) for frame in frames), *drawn),
        headings=tuple(map(first.name, frames)),
        labels=("camera", *(labels[one.probe.module] for one in shown)),
        joints=first.joints,
        label_px=112,
    )
    told = "Below an image the mean absolute difference from the camera's over the pixels of the hand."
    return grid, (EVENLY, COLOURS, told)


def lay_out_search(shown: Sequence[Shown], *, even: bool) -> Layout:
    """Image-based optimisation above the loop: the first poses with their images, and the last (Fig. 9 of 2015)."""
    first = shown[0]
    chosen = [place for place, word in enumerate(first.pictures.chosen) if (word == EVEN) == even]
    frames = [chosen[place] for place in _spread(len(chosen))]
    grid = Grid(
        rows=tuple(_trace(one, frame) for frame in frames for one in shown),
        headings=("first pose", "its image", "after 1", "after 2", "last pose", "its image"),
        labels=tuple(
            f"{first.name(frame)}\n{word}".replace(" (", "\n(") for frame in frames for word in OPTIMISER_AND_LOOP
        ),
        joints=first.joints,
        label_px=132,
        tile_px=MIDDLE_PX,
        rows_together=2,
    )
    told = (
        "Below a pose its mean joint error, below an image the root mean square of its difference from the camera's, "
        f"which optimisation makes small. Of {first.pictures.steps[-1]} iterations of {OPTIMISER_AND_LOOP[0]} and "
        f"{shown[1].pictures.steps[-1]} of the loop the first two are shown, and the last."
    )
    return grid, (EVENLY if even else _tell_shares(first), COLOURS, told)


def _trace(one: Shown, frame: int) -> tuple[Tile, ...]:
    pictures, last = one.pictures, len(one.pictures.steps) - 1
    see = [one.see(frame, step, _tell_mm(pictures.pose_mm[frame, step])) for step in (0, last)]
    # A loop may have stopped by then: its last image stays.
    steps = [min(step, last) for step in (0, 1, 2, last)]
    draw = [one.draw(frame, step, _tell_mm(pictures.image_mm[frame, step])) for step in steps]
    return (see[0], *draw[:3], see[1], draw[3])


def lay_out_loop(shown: Sequence[Shown]) -> Layout:
    """The first pose of each frame, the last, and the truth (Fig. 11 of 2015)."""
    (one,) = shown
    pictures, last = one.pictures, len(one.pictures.steps) - 1
    frames = range(len(pictures.rows))
    across = [frames[start : start + FRAMES_ACROSS] for start in range(0, len(frames), FRAMES_ACROSS)]
    grid = Grid(
        rows=tuple(tuple(tile for frame in row for tile in _before_and_after(one, frame, last)) for row in across),
        headings=("first pose", f"after {pictures.steps[last]} iterations", "truth") * len(across[0]),
        labels=(),
        joints=one.joints,
        label_px=0,
        tile_px=LARGE_PX,
        columns_together=3,
    )
    return grid, (
        f"{_tell_shares(one)} The others stand at even distances.",
        COLOURS,
        "Below a pose its mean joint error.",
    )


def _before_and_after(one: Shown, frame: int, last: int) -> tuple[Tile, ...]:
    before, after = (_tell_mm(one.pictures.pose_mm[frame, step]) for step in (0, last))
    return one.see(frame, 0, before), one.see(frame, last, after), one.see_truth(frame, one.name(frame))


def _tell_mm(number: np.float32) -> str:
    return f"{number:.1f} mm"


def _tell_shares(one: Shown) -> str:
    shares = join_words(word for word in one.pictures.chosen if word != EVEN)
    return f"A share behind a frame ({shares}) is that of the test frames whose first error is smaller."


def _spread(number: int) -> list[int]:
    """Some places from the first to the last."""
    return spread_evenly(number, MOST_ROWS).tolist()
