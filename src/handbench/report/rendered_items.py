"""The rendered sets of a run: what is in them, and how they look (Fig. 10 of feedback19)."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from handbench.conventions import FULLY_SYNTHETIC, HANDOBJECT, MSRA_JOINTS, SEMI_SYNTHETIC
from handbench.datasets.evenly import spread_evenly
from handbench.datasets.frame_chunks import MANIFEST, RAW
from handbench.datasets.importers import list_frames
from handbench.datasets.listing import Listing
from handbench.datasets.render_truth import FORMAT
from handbench.errors import BadInput
from handbench.json_file import read_noted_object
from handbench.report.contact_sheet import cut_labelled
from handbench.report.items import Absent, Column, Figure, Item, Table
from handbench.report.picture_grid import MIDDLE_PX, Grid, Tile, draw_grid
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamped_csv import write_csv
from handbench.report.stamps import stamp_rendered
from handbench.sealed import SEAL, is_sealed

ACROSS = 6
KINDS = {SEMI_SYNTHETIC: "semi-\nsynthetic", FULLY_SYNTHETIC: "fully\nsynthetic"}
SHOWN_SET = HANDOBJECT.splits[0]
EVENLY = f"Frames of the set `{SHOWN_SET}` at even distances of each kind, alone and below with their labels."
WIRE = "The object is drawn as the box around it; the edges that meet in its farthest corner are dashed."
DRAWN_AGAIN = (
    "Drawn again: of all places that were drawn for an object, or of all grasps and views, the share that was not "
    "taken; the reasons as shares of that."
)
HELD = (
    "Grasps as they are held, without those that are shown a little opened after the fingers had closed: how deep the "
    "skin, between its vertices as well, reaches into the object, how far it ends before it, and the share whose skin "
    "is within 3 mm of it."
)
TOLD = {
    "drawn_again": "rejection_rate",
    "tips_seen": "visible_tips",
    "corners_seen": "visible_corners",
}


def read_manifests(run: Path) -> dict[str, dict[str, Any]]:
    """By the word of each set of hands with objects that lies whole in a run's folder, in the order of the sets."""
    found = {}
    for word in HANDOBJECT.splits:
        manifest = read_noted_object(run / "render" / word / MANIFEST)
        if manifest.get("format") == FORMAT and is_sealed(manifest):
            found[word] = manifest
    return found


def build_rendered_table(name: str, title: str, sources: Sources) -> Item:
    """Frames, rejections by reason, what is seen, and how grasps hold, of every set that the run has made."""
    manifests = read_manifests(sources.run)
    if not manifests:
        return Absent(name, title, f"This run: {NOT_RUN}.")
    rows = [
        _describe(word, kind, manifest) for word, manifest in manifests.items() for kind in KINDS if kind in manifest
    ]
    columns = (
        Column("set", "set"),
        Column("kind", "frames"),
        Column("frames", "number", decimals=0),
        Column("drawn_again", "drawn again, %", decimals=1),
        Column("reasons", "because"),
        Column("tips_seen", "tips", "seen, %", decimals=1),
        Column("corners_seen", "corners", "seen, %", decimals=1),
        Column("penetration_mean_mm", "mean", "penetration, mm", decimals=2),
        Column("penetration_max_mm", "most", "penetration, mm", decimals=2),
        Column("gap_mean_mm", "gap, mm", decimals=2),
        Column("touching", "touching", "grasps, %", decimals=1),
        Column("released", "opened", "grasps, %", decimals=1),
    )
    return Table(name, title, pd.DataFrame(rows), columns, _stamp(manifests, sources), (DRAWN_AGAIN, HELD))


def _describe(word: str, kind: str, manifest: Mapping[str, Any]) -> dict[str, object]:
    of_kind = manifest[kind]
    reasons: Mapping[str, int] = of_kind["rejected"]
    ordered = sorted(reasons.items(), key=lambda one: -one[1])
    row: dict[str, object] = {"set": word, "kind": KINDS[kind].replace("-\n", "-").replace("\n", " ")}
    row |= {"frames": of_kind["frames"], "sha256": manifest[SEAL]}
    row |= {key: 100 * of_kind[name] for key, name in TOLD.items()}
    row["reasons"] = ", ".join(f"{reason} {_round(100 * count / sum(reasons.values()))}" for reason, count in ordered)
    held = manifest.get("held") if kind == FULLY_SYNTHETIC else None
    of_grasps = manifest["grasps"] if kind == FULLY_SYNTHETIC else None
    row["penetration_mean_mm"] = held["penetration_mm"]["mean"] if held else np.nan
    row["penetration_max_mm"] = held["penetration_mm"]["max"] if held else np.nan
    row["gap_mean_mm"] = held["gap_mm"]["mean"] if held else np.nan
    row["touching"] = 100 * held["touching_share"] if held else np.nan
    row["released"] = 100 * of_grasps["released_share"] if of_grasps else np.nan
    return row


def _round(percent: float) -> str:
    return f"{percent:.0f} %" if percent >= 1 else "below 1 %"


def build_rendered_pictures(name: str, title: str, sources: Sources) -> Item:
    """A row of semi-synthetic frames above a row of fully synthetic ones, each again with its labels (Fig. 10)."""
    manifests = {word: one for word, one in read_manifests(sources.run).items() if word == SHOWN_SET}
    if not manifests:
        return Absent(name, title, f"This run: {NOT_RUN}.")
    try:
        listing = list_frames(HANDOBJECT.name, sources.run / "render" / SHOWN_SET / RAW, SHOWN_SET)
        rows = _choose(listing)
        tiles = {row: _cut(listing, row) for of_kind in rows.values() for row in of_kind}
    except BadInput as missing:
        return Absent(name, title, f"Not shown: expected {missing.expected}, found {missing.found}.")
    grid = Grid(
        rows=tuple(
            line
            for of_kind in rows.values()
            for line in (tuple(Tile(tiles[row].picture) for row in of_kind), tuple(tiles[row] for row in of_kind))
        ),
        headings=("",) * len(next(iter(rows.values()))),
        labels=tuple(label for kind in rows for label in (KINDS[kind], "its labels")),
        joints=MSRA_JOINTS,
        label_px=112,
        tile_px=MIDDLE_PX,
        rows_together=2,
    )
    chosen = [(kind, listing.names[row], listing.subjects[row]) for kind, of_kind in rows.items() for row in of_kind]
    numbers = pd.DataFrame(chosen, columns=["sequence", "frame", "subject"])
    stamp = _stamp(manifests, sources)
    draw = partial(_draw, grid, numbers, title, stamp)
    return Figure(
        name, title, f"{len(chosen)} rendered frames of hands that hold objects.", draw, stamp, (EVENLY, WIRE)
    )


def _choose(listing: Listing) -> dict[str, list[int]]:
    """As many of each kind as of the other, at even distances."""
    places = {kind: np.flatnonzero([one == kind for one in listing.sequences]) for kind in KINDS}
    there = {kind: of for kind, of in places.items() if len(of)}
    across = min(ACROSS, *(len(of) for of in there.values()))
    return {kind: [int(of[place]) for place in spread_evenly(len(of), across)] for kind, of in there.items()}


def _cut(listing: Listing, row: int) -> Tile:
    picture, pixels = cut_labelled(listing.frame(row), listing.convention, MIDDLE_PX)
    hand = len(MSRA_JOINTS.names)
    return Tile(picture, pixels[:hand], listing.subjects[row], pixels[hand:])


def _stamp(manifests: Mapping[str, Mapping[str, Any]], sources: Sources) -> str:
    return stamp_rendered(manifests, sources.card)


def _draw(grid: Grid, numbers: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return (*draw_grid(grid, out, title=title, stamp=stamp), write_csv(numbers, out, stamp))
