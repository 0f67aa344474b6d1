"""Fits of single images (refine Fig. 3) and of the point cloud alone (Fig. 4): losses over the steps, and pictures.

Of a fit a probe has the first and the last loss of every image. The losses between and the drawn images lie in its
arrays.npz, under `<fit>_losses` (images, looks at even distances of the steps), `<fit>_seen`, `<fit>_first` and
`<fit>_last` (images, size, size), nearness from 0 behind to 1 at the cube's front, with `<fit>_cube_mm`. Without them
the curves are two points, and no pictures are shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float32

from handbench.conventions import DATASETS
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.errors import BadInput
from handbench.evaluation.claim_refine import BASE, CLOUD_FITTED, CLOUD_HELD, FITTED_ON, tell_joints
from handbench.evaluation.probes import Probe
from handbench.report.items import Absent, Figure, Item
from handbench.report.picture_grid import MIDDLE_PX, Grid, Tile, colour_difference, draw_grid
from handbench.report.picture_tiles import colour_cube, find_colours
from handbench.report.probe_stamps import stamp_probes
from handbench.report.refine_figures import draw_losses
from handbench.report.sources import Sources
from handbench.report.stamped_csv import write_csv

SHOWN = 6
Images = Float32[np.ndarray, "images size size"]


@dataclass(frozen=True)
class Fit:
    """One experiment of Section 4.3."""

    key: str
    """Of a probe's numbers."""
    groups: Mapping[str, tuple[str, str, float]]
    """Heading of a panel: prefix of the losses among the numbers, name of the arrays, percent of the loss asked for."""
    printed: str


POSES = Fit(
    "pose_fits",
    {"single images, network alone": ("", "pose_fits", 50.0)},
    "The paper shows pictures without numbers: it typically obtains good results, except from a start too far away.",
)
CLOUD = Fit(
    "cloud_fits",
    {
        "single fitted images": ("fitted_", "cloud_fits", 100 - CLOUD_FITTED),
        "other poses of the same hand": ("held_", "cloud_fits_held", 100 - CLOUD_HELD),
    },
    "The paper shows pictures without numbers: the loss almost completely vanishes. It keeps the network's own poses; "
    "here they are true ones, the wrist at its true place, of the person with the smallest hand. P is fitted to each "
    "image by itself; of another pose of that hand the mean over all fitted clouds is told.",
)


def build_losses(name: str, title: str, fit: Fit, sources: Sources) -> Item:
    """The depth loss over the steps of every image of every seed."""
    probes = _find(fit, sources)
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {fit.printed}")
    try:
        parts = [_trace(fit, one, place) for place, one in enumerate(probes)]
    except BadInput as missing:
        return Absent(name, title, f"Not shown: expected {missing.expected}, found {missing.found}.")
    traces = pd.concat(parts, ignore_index=True)
    limits = {heading: asked for heading, (_, _, asked) in fit.groups.items()}
    last = traces[traces["step"] == traces["step"].max()].groupby("group", sort=False)["percent"].median()
    words = "; ".join(f"{group}: {percent:.0f} % of the loss is left" for group, percent in last.items())
    stamp = stamp_probes(sources, probes)
    between = (
        ()
        if any(one.sha256_of_arrays for one in probes)
        else ("Losses between the first and the last step were not kept.",)
    )
    joints = tell_joints(probes) if fit is POSES else ""
    images = f"Images of {DATASETS[probes[0].dataset].title}, all seeds{joints}."
    notes = (images, *between, fit.printed, *sources.caution)
    draw = partial(_draw_losses, traces, limits, title, stamp)
    return Figure(name, title, f"Medians: {words}", draw, stamp, notes)


def build_fit_pictures(name: str, title: str, fit: Fit, sources: Sources) -> Item:
    """The splatted image of the camera's depth, what is drawn before and after, and how each differs: first seed."""
    probes = _find(fit, sources)
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {fit.printed}")
    (_, word, _), *_ = fit.groups.values()
    try:
        arrays = probes[0].open_arrays()
    except BadInput as missing:
        return Absent(name, title, f"Not shown: expected {missing.expected}, found {missing.found}.")
    if any(f"{word}_{part}" not in arrays for part in ("seen", "first", "last", "cube_mm")):
        return Absent(name, title, "Not shown: the probe has kept the losses alone, no images.")
    seen, first, last = (arrays[f"{word}_{part}"][:SHOWN].astype(np.float32) for part in ("seen", "first", "last"))
    cubes_mm = [float(edge) for edge in arrays[f"{word}_cube_mm"][:SHOWN]]
    numbers = pd.DataFrame(
        {
            "image": range(len(seen)),
            "first": np.abs(first - seen).mean((1, 2)),
            "last": np.abs(last - seen).mean((1, 2)),
        }
    )
    stamp = stamp_probes(sources, probes[:1])
    told = (
        "Both images are splatted point clouds (Eqs. 3 to 5). Below a difference its mean over all pixels, the cube's "
        "edge being 1."
    )
    draw = partial(
        _draw_pictures, partial(_lay_out, (seen, first, last), cubes_mm, probes[0].dataset), numbers, title, stamp
    )
    words = f"Pictures of {len(seen)} fitted images."
    return Figure(name, title, words, draw, stamp, (told, fit.printed, *sources.caution))


def _find(fit: Fit, sources: Sources) -> tuple[Probe, ...]:
    """All seeds of the base on the first data set whose images were fitted."""
    for dataset in FITTED_ON:
        found = tuple(one for one in sources.find_probes(BASE, dataset) if fit.key in one.numbers)
        if found:
            return found
    return ()


def _trace(fit: Fit, probe: Probe, seed: int) -> pd.DataFrame:
    """group, image, step, loss, percent: of images whose first loss is 0 nothing can be told."""
    arrays, parts = probe.open_arrays(), []
    for heading, (prefix, word, _) in fit.groups.items():
        ends = [np.array(probe.read(fit.key, f"{prefix}{end}"), np.float64) for end in ("first", "last")]
        losses = arrays.get(f"{word}_losses")
        curves = np.stack(ends, axis=1) if losses is None else losses.astype(np.float64)
        steps = np.linspace(0, int(probe.read(fit.key, "steps")), curves.shape[1])
        for image, curve in enumerate(curves):
            if curve[0] > 0:
                named = {"group": heading, "image": f"{seed}/{image}", "step": steps, "loss": curve}
                parts.append(pd.DataFrame({**named, "percent": 100 * curve / curve[0]}))
    return pd.concat(parts, ignore_index=True)


def _draw_losses(traces: pd.DataFrame, limits: dict[str, float], title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_losses(traces, limits, out, title=title, stamp=stamp)


def _lay_out(images: tuple[Images, Images, Images], cubes_mm: Sequence[float], dataset: str) -> Grid:
    seen, first, last = images
    colours = [find_colours(_as_mm(one[one > 0], mm), mm) for one, mm in zip(seen, cubes_mm, strict=True)]

    def show(drawn: Images) -> tuple[Tile, ...]:
        each = zip(drawn, colours, cubes_mm, strict=True)
        return tuple(Tile(colour_cube(_as_mm(one, mm), *ends, mm)) for one, ends, mm in each)

    def subtract(drawn: Images) -> tuple[Tile, ...]:
        each = zip(np.abs(drawn - seen), cubes_mm, strict=True)
        return tuple(Tile(colour_difference(one * np.float32(mm)), words=f"{one.mean():.4f}") for one, mm in each)

    return Grid(
        rows=(show(seen), show(first), subtract(first), show(last), subtract(last)),
        headings=tuple(f"image {place}" for place in range(len(seen))),
        labels=("camera", "drawn\nbefore", "difference\nbefore", "drawn\nafter", "difference\nafter"),
        joints=scored_skeleton(dataset),
        label_px=132,
        tile_px=MIDDLE_PX,
        differences=True,
    )


def _as_mm(nearness: Float32[np.ndarray, "..."], cube_mm: float) -> Float32[np.ndarray, "..."]:
    """Behind the near face of the cube."""
    return ((1 - nearness) * np.float32(cube_mm)).astype(np.float32)


def _draw_pictures(
    draw_tiles: partial[Grid], numbers: pd.DataFrame, title: str, stamp: str, out: Path
) -> tuple[Path, ...]:
    return (*draw_grid(draw_tiles(), out, title=title, stamp=stamp), write_csv(numbers, out, stamp))
