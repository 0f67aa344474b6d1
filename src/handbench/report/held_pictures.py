"""Figures of hand and object: poses over the depth, of good frames and bad ones, and step by step."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.conventions import HANDOBJECT
from handbench.errors import BadInput
from handbench.evaluation.results import Result
from handbench.report.held_frames import HAND, HeldFrames, open_held, open_shown
from handbench.report.items import Absent, Figure, Item
from handbench.report.picture_grid import MIDDLE_PX, Grid, draw_grid
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamped_csv import write_csv
from handbench.report.stamps import SEPARATOR, stamp_results

SHARES = {0.1: "good", 0.5: "typical", 0.9: "bad"}
"""Of the frames of a sequence that lie below in their error, and what such a frame is called."""
SHOWN_APART = (
    "Rendered frames at even distances, of persons that no part has learned from; Dexter+Object has no such object."
)
LABEL_PX = 112
BELOW = "Below a picture its combined error (Eq. 23); diamonds are the labels, hidden ones left out."
WIRE = "The object is drawn as the box around it; the edges that meet in its farthest corner are dashed."

Chosen = tuple[Grid, list[tuple[int, int]], str]
"""The pictures, the frame and step of each, and how the frames were chosen."""


def build_held_shares(name: str, title: str, module: str, sources: Sources, *, dataset: str = "dexter") -> Item:
    """A good, a typical and a bad frame of each sequence, after the last iteration (Fig. 14)."""
    return _build(name, title, module, dataset, sources, lay_out_shares)


def build_held_steps(name: str, title: str, module: str, sources: Sources, *, dataset: str = "dexter") -> Item:
    """A frame of each sequence, from the start to the last iteration (Fig. 16)."""
    return _build(name, title, module, dataset, sources, lay_out_steps)


def build_held_shown(name: str, title: str, module: str, sources: Sources, *, dataset: str = "dexter") -> Item:
    """Rendered frames of persons apart, the start above the end (Fig. 15)."""
    probes = sources.find_probes(module, dataset)
    if not probes:
        return Absent(name, title, sources.not_probed)
    first = probes[0]
    try:
        held = open_shown(sources.run, first)
    except BadInput as missing:
        return Absent(name, title, f"Not shown: expected {missing.expected}, found {missing.found}.")
    grid, shown, how = _lay_out_rows(held, range(len(held.data.rows)), sorted({0, held.last}), SHOWN_APART)
    convention = held.data.store.card["protocol"]
    stamp = SEPARATOR.join(
        (
            f"{HANDOBJECT.title}, set {convention['split']}, {first.frames:,} frames of persons apart",
            f"data: {first.source}",
            f"scale: {first.scale}",
            f"shown: seed {first.seed}",
            f"commit: {sources.card.commit or 'unknown'}",
        )
    )
    ends = {word: np.array(first.read(key))[[0, -1]] for word, key in (("joints", "hand_mm"), ("corners", "object_mm"))}
    means = (f"{word} {start:.1f} mm at the start and {end:.1f} mm at the end" for word, (start, end) in ends.items())
    told = f"Mean error over all these frames: {', '.join(means)}; below a picture that of its joints and corners."
    draw = partial(_draw, grid, list_shown(held, shown, column="mean_mm"), title, stamp)
    return Figure(
        name, title, f"Hand and object over {len(shown)} pictures.", draw, stamp, (how, told, WIRE, *sources.caution)
    )


def find_held(sources: Sources, module: str, dataset: str) -> tuple[Result, ...]:
    """The results of every seed that tell of an object."""
    return tuple(one for one in sources.find_results(dataset=dataset, module=module) if one.hand_object)


def open_first(name: str, title: str, module: str, dataset: str, sources: Sources) -> tuple[HeldFrames, str] | Absent:
    """The frames behind the first seed's result and the line below their pictures; or why there is nothing to see."""
    results = find_held(sources, module, dataset)
    if not results:
        return Absent(name, title, f"This run: {NOT_RUN}.")
    try:
        held = open_held(sources.run, results[0])
    except BadInput as missing:
        return Absent(name, title, f"Not shown: expected {missing.expected}, found {missing.found}.")
    return held, f"{stamp_results(results[:1])}{SEPARATOR}shown: seed {results[0].seed}"


def _build(
    name: str,
    title: str,
    module: str,
    dataset: str,
    sources: Sources,
    lay_out: Callable[[HeldFrames], Chosen],
) -> Item:
    """The first seed; or why there is nothing to see."""
    opened = open_first(name, title, module, dataset, sources)
    if isinstance(opened, Absent):
        return opened
    held, stamp = opened
    grid, shown, how = lay_out(held)
    draw = partial(_draw, grid, list_shown(held, shown), title, stamp)
    notes = (how, BELOW, WIRE, *sources.caution)
    return Figure(name, title, f"Poses of hand and object over {len(shown)} pictures.", draw, stamp, notes)


def lay_out_shares(held: HeldFrames) -> Chosen:
    rows = [held.choose_at(share, held.last) for share in SHARES]
    grid = Grid(
        rows=tuple(tuple(held.tile(frame, held.last) for frame in row) for row in rows),
        headings=tuple(str(held.sequences[frame]) for frame in rows[0]),
        labels=tuple(f"{word}\n({100 * share:.0f} %)" for share, word in SHARES.items()),
        joints=HAND,
        label_px=LABEL_PX,
        tile_px=MIDDLE_PX,
    )
    how = "Of each sequence the frames below whose error lie 10, 50 and 90 % of its frames."
    return grid, [(frame, held.last) for row in rows for frame in row], how


def lay_out_steps(held: HeldFrames) -> Chosen:
    frames = held.choose_at(0.5, 0)
    how = "Of each sequence the frame whose error at the start is its median."
    return _lay_out_rows(held, frames, range(held.last + 1), how)


def _lay_out_rows(held: HeldFrames, frames: Sequence[int], steps: Sequence[int], how: str) -> Chosen:
    """Frames side by side, steps below one another."""
    grid = Grid(
        rows=tuple(tuple(held.tile(frame, step) for frame in frames) for step in steps),
        headings=tuple(f"{held.sequences[frame]}, {held.data.rows[frame]}" for frame in frames),
        labels=tuple("start" if step == 0 else f"iteration {step}" for step in steps),
        joints=HAND,
        label_px=LABEL_PX,
        tile_px=MIDDLE_PX,
    )
    return grid, [(frame, step) for step in steps for frame in frames], how


def list_shown(held: HeldFrames, shown: Sequence[tuple[int, int]], *, column: str = "combined_mm") -> pd.DataFrame:
    """frame, sequence, iteration, and the error, whose column says of what it is the mean."""
    frames, steps = np.array(shown).reshape(-1, 2).T
    return pd.DataFrame(
        {
            "frame": held.data.rows[frames],
            "sequence": held.sequences[frames],
            "iteration": steps,
            column: held.combined_mm[steps, frames],
        }
    )


def _draw(grid: Grid, numbers: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return (*draw_grid(grid, out, title=title, stamp=stamp), write_csv(numbers, out, stamp))
