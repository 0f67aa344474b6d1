"""Figures of what the networks of the feedback papers draw and where their poses lie, on frames that nobody picked."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.errors import BadInput
from handbench.report.items import Absent, Figure, Item
from handbench.report.picture_grid import Grid, draw_grid
from handbench.report.picture_layouts import (
    Layout,
    lay_out_impossible,
    lay_out_loop,
    lay_out_noise,
    lay_out_samples,
    lay_out_search,
)
from handbench.report.picture_tiles import Shown
from handbench.report.probe_stamps import stamp_probes
from handbench.report.run_card import join_words
from handbench.report.search_items import Search
from handbench.report.sources import Sources
from handbench.report.stamped_csv import write_csv


def build_samples(name: str, title: str, module: str, sources: Sources, *, dataset: str = "nyu") -> Item:
    """Images that a synthesizer draws of true poses beside the camera's (Fig. 2 of both papers)."""
    return _build(name, title, (module,), sources, lay_out_samples, dataset=dataset)


def build_impossible(name: str, title: str, module: str, sources: Sources, *, dataset: str = "nyu") -> Item:
    """Images that it draws of impossible poses (Fig. 3 of both papers)."""
    return _build(name, title, (module,), sources, lay_out_impossible, dataset=dataset)


def build_noise_pictures(name: str, title: str, modules: Mapping[str, str], sources: Sources) -> Item:
    """Images drawn by synthesizers of ever worse labels (Fig. 7 of 2015), those that this run has made."""
    made = [module for module in modules if sources.find_probes(module, "icvl")]
    missing = [module for module in modules if module not in made]
    notes = [f"Not drawn, as this run has not made them: {', '.join(missing)}."] if missing else []
    lay_out = partial(lay_out_noise, labels=modules)
    return _build(name, title, made or tuple(modules), sources, lay_out, dataset="icvl", notes=notes)


def build_search_pictures(
    name: str, title: str, search: Search, sources: Sources, *, even: bool, dataset: str = "nyu"
) -> Item:
    """Image-based optimisation beside the loop (Fig. 9 of 2015, Fig. 11 of 2019)."""
    lay_out = partial(lay_out_search, even=even)
    return _build(name, title, (search.module, search.beside), sources, lay_out, dataset=dataset)


def build_loop_pictures(name: str, title: str, module: str, sources: Sources, *, dataset: str = "nyu") -> Item:
    """Poses before and after the loop (Fig. 11 of 2015)."""
    return _build(name, title, (module,), sources, lay_out_loop, dataset=dataset)


def _build(
    name: str,
    title: str,
    modules: Sequence[str],
    sources: Sources,
    lay_out: Callable[[Sequence[Shown]], Layout],
    *,
    dataset: str = "nyu",
    notes: Sequence[str] = (),
) -> Item:
    """The pictures of each module's first seed, all of the same frames; or why there are none."""
    probes = [found[0] for module in modules if (found := sources.find_probes(module, dataset))]
    if len(probes) < len(modules):
        return Absent(name, title, sources.not_probed)
    try:
        shown = [Shown(probe, probe.open_pictures()) for probe in probes]
    except BadInput as missing:
        return Absent(name, title, f"Not shown: expected {missing.expected}, found {missing.found}.")
    if any(not np.array_equal(one.pictures.rows, shown[0].pictures.rows) for one in shown):
        return Absent(name, title, f"Not shown: {' and '.join(modules)} have pictures of other frames each.")
    grid, told = lay_out(shown)
    stamp = stamp_probes(sources, probes)
    by = f"Drawn by {join_words(modules)}, seed {join_words(one.seed for one in probes)}."
    draw = partial(_draw, grid, pd.concat([one.as_frame() for one in shown], ignore_index=True), title, stamp)
    describe = f"Pictures of {len(shown[0].pictures.rows)} test frames. {by}"
    return Figure(name, title, describe, draw, stamp, (*told, by, *notes, *sources.caution))


def _draw(grid: Grid, numbers: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return (*draw_grid(grid, out, title=title, stamp=stamp), write_csv(numbers, out, stamp))
