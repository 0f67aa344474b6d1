"""Figures of crossing: a walk through its latent space, errors against shares of labels, frames by way of it."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from handbench.conventions import DATASETS
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.errors import BadInput
from handbench.evaluation.claim_shares import PANELS, SHARES, choose_estimator
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result
from handbench.report.crossing_items import BASELINES, METHODS, NO_NUMBERS, find_methods, tell_epochs
from handbench.report.items import Absent, Figure, Item
from handbench.report.picture_grid import LARGE_PX, Grid, Tile, draw_grid
from handbench.report.picture_layouts import COLOURS, EVENLY
from handbench.report.picture_tiles import Shown
from handbench.report.probe_stamps import stamp_probes
from handbench.report.share_figure import draw_shares
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamped_csv import write_csv
from handbench.report.stamps import stamp_results
from handbench.report.walk_pictures import write_walk
from handbench.training.picture_file import Pictures, WalkPictures

TRIPLET = ("truth", "reconstruction", "estimate")
TRIPLETS_ACROSS = 2
OF_FOLDS = "Of MSRA, with a network for each subject, pictures are made where `folds` leaves out one subject alone."


def build_shares(name: str, title: str, sources: Sources) -> Item:
    """Fig. 3: a line a method, the band from the best seed to the worst."""
    rows: list[dict[str, object]] = []
    results: list[Result] = []
    for dataset in PANELS:
        for share in SHARES:
            for method, found in find_methods(sources, dataset, share).items():
                errors_mm = [one.mean_error_mm for one in found]
                results += found
                rows.append(
                    {
                        "panel": DATASETS[dataset].title,
                        "method": method,
                        "share_percent": share,
                        "error_mm": float(np.mean(errors_mm)),
                        "low_mm": min(errors_mm),
                        "high_mm": max(errors_mm),
                        "seeds": len(errors_mm),
                    }
                )
    if not rows:
        return Absent(name, title, f"This run: {NOT_RUN}. {NO_NUMBERS}")
    frame = pd.DataFrame(rows)
    # In the order of METHODS wherever a method comes first.
    frame = frame.sort_values("method", key=lambda words: words.map(list(METHODS).index), kind="stable")
    lacks = [DATASETS[one].title for one in PANELS if DATASETS[one].title not in set(frame["panel"])]
    told = (f"Not drawn, as this run has not made them: {', '.join(lacks)}.",) if lacks else ()
    seeds = int(frame["seeds"].max())
    band = ("A band goes from the best seed to the worst.",) if seeds > 1 else ()
    stamp = stamp_results(results)
    notes = (NO_NUMBERS, BASELINES, *tell_epochs(results), *band, *told, *sources.caution)
    panels = frame["panel"].drop_duplicates()
    order = [DATASETS[one].title for one in PANELS if DATASETS[one].title in set(panels)]
    frame = pd.concat([frame[frame["panel"] == panel] for panel in order], ignore_index=True)
    draw = partial(_draw_shares, frame, title, stamp)
    return Figure(name, title, f"Mean errors: {_tell(frame)}", draw, stamp, notes)


def _tell(frame: pd.DataFrame) -> str:
    return ", ".join(
        f"{row.panel} {row.share_percent} % {row.method} {row.error_mm:.2f} mm" for row in frame.itertuples()
    )


def _draw_shares(frame: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_shares(frame, out, title=title, stamp=stamp)


def build_walk(name: str, title: str, sources: Sources) -> Item:
    """Fig. 1: the first walk of the first seed, as a strip and as a GIF."""
    opened = _open(name, title, "nyu", sources)
    if isinstance(opened, Absent):
        return opened
    probe, pictures = opened
    walk = pictures.walk
    if walk is None:
        return Absent(name, title, "Not shown: the probe has no walk, as an older release left it.")
    first, last = walk.rows.tolist()
    stamp = stamp_probes(sources, [probe])
    notes = (
        f"{len(walk.drawn)} points at even distances between the latents of test frames {first} and {last}, the first "
        "of the walks that were measured; the GIF goes there and back.",
        "Drawn depth is Gen(Ali(z)), the pose Dec(z). Below, a hand fitted to the training labels takes that pose.",
        COLOURS,
        f"Drawn by {probe.module}, seed {probe.seed}.",
        *sources.caution,
    )
    describe = f"A walk from test frame {first} to {last}: drawn depth with the decoded pose over it."
    draw = partial(_draw_walk, walk, probe, title, stamp)
    return Figure(name, title, describe, draw, stamp, notes, moving=True)


def _draw_walk(walk: WalkPictures, probe: Probe, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    first, last = walk.rows.tolist()
    told = next((one for one in probe.numbers.get("walks", ()) if (one["from"], one["to"]) == (first, last)), None)
    numbers = pd.DataFrame({"from": first, "to": last, "point": range(1, len(walk.drawn) + 1)})
    if told:
        numbers = numbers.assign(step_mm=[np.nan, *told["steps_mm"]], depth_error=told["depth_error"])
    heading = f"frame {first} to frame {last}"
    joints = scored_skeleton(probe.dataset)
    return write_walk(walk, joints, numbers, out, title=title, heading=heading, stamp=stamp)


def build_triplets(name: str, title: str, dataset: str, sources: Sources) -> Item:
    """Fig. 5: truth, reconstruction from the shared latent space, estimate."""
    opened = _open(name, title, dataset, sources)
    if isinstance(opened, Absent):
        return opened
    probe, pictures = opened
    if pictures.steps != TRIPLET[1:]:
        return Absent(name, title, "Not shown: the probe has no such pictures, as an older release left it.")
    shown, stamp = Shown(probe, pictures), stamp_probes(sources, [probe])
    notes = (
        EVENLY,
        COLOURS,
        "A reconstruction is depth and pose of the true pose's latents, Gen(Ali(Enc(y))) and Dec(Enc(y)); the estimate "
        "is Dec(pos(x)). Below a pose its mean joint error.",
        f"Drawn by {probe.module}, seed {probe.seed}.",
        *sources.caution,
    )
    draw = partial(_draw_triplets, shown, title, stamp)
    return Figure(name, title, f"Triplets of {len(pictures.rows)} test frames.", draw, stamp, notes)


def _draw_triplets(shown: Shown, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    grid = lay_out_triplets(shown)
    return (*draw_grid(grid, out, title=title, stamp=stamp), write_csv(shown.as_frame(), out, stamp))


def lay_out_triplets(shown: Shown) -> Grid:
    frames = range(len(shown.pictures.rows))
    across = [frames[start : start + TRIPLETS_ACROSS] for start in range(0, len(frames), TRIPLETS_ACROSS)]
    return Grid(
        rows=tuple(tuple(tile for frame in row for tile in _lay_out_triplet(shown, frame)) for row in across),
        headings=TRIPLET * len(across[0]),
        labels=(),
        joints=shown.joints,
        label_px=0,
        tile_px=LARGE_PX,
        columns_together=len(TRIPLET),
    )


def _lay_out_triplet(shown: Shown, frame: int) -> tuple[Tile, ...]:
    pictures = shown.pictures
    told = [f"{error_mm:.1f} mm" for error_mm in pictures.pose_mm[frame]]
    middle = Tile(shown.colour(frame, pictures.drawn[frame, 0]), pictures.poses_px[frame, 0], told[0])
    return shown.see_truth(frame, shown.name(frame)), middle, shown.see(frame, 1, told[1])


def _open(name: str, title: str, dataset: str, sources: Sources) -> tuple[Probe, Pictures] | Absent:
    """The pictures of the first seed of the estimator that learned from most labels; or why there are none."""
    probes = sources.find_probes(choose_estimator(sources.find_probes, dataset), dataset)
    if not probes:
        of_folds = f" {OF_FOLDS}" if dataset == "msra" and sources.probes is not None else ""
        return Absent(name, title, f"{sources.not_probed}{of_folds}")
    try:
        return probes[0], probes[0].open_pictures()
    except BadInput as missing:
        return Absent(name, title, f"Not shown: expected {missing.expected}, found {missing.found}.")
