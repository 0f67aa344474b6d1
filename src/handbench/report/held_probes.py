"""Tables of what probes tell of hand and object: localizers on objects they never saw, and time."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from handbench.evaluation.bootstrap import bootstrap_mean
from handbench.evaluation.claim_handobject import DATASET, LOCALIZERS, LOOP, SPHERES, compare_distances
from handbench.evaluation.paper_numbers import FEEDBACK19_SPHERES_MM
from handbench.evaluation.probes import Probe, group_by_device, list_batches
from handbench.report.comparisons import PRINTED
from handbench.report.items import Absent, Column, Item, Table
from handbench.report.probe_stamps import stamp_probes, tell_iterations, tell_seeds
from handbench.report.sources import NOT_RUN, Sources

SPHERES_PRINTED = (
    "Printed: trained with spheres and tested on the cuboids of Dexter+Object, the hand's localizer gets 1 mm worse, "
    "the object's 40 mm."
)
NOT_MOVED = (
    "Not moved: frames of all seeds in which a localizer points out of its crop. The loop then stays at the centre of "
    "mass, whose distance counts here as well: that caps what such a localizer can lose."
)
TIMED = {
    "localizer": ("both localizers", 0.8),
    "predictor": ("both predictors", 0.8),
    "synthesizer": ("both synthesizers", 0.8),
    "updater": ("both updaters", np.nan),
    "loop": ("all, with {iterations}", np.nan),
}
"""What a frame's parts are called, and milliseconds of one network as printed."""
FPS_PRINTED = "over 40"
TIME_PRINTED = (
    "Printed, of one network each: a localizer 0.8 ms, the simpler predictor 0.8 ms, an iteration 1.2 ms of which the "
    "synthesizer takes 0.8; hand and object run in two threads side by side, over 40 fps (GTX 980 Ti)."
)


def build_spheres(name: str, title: str, sources: Sources) -> Item:
    """Both localizers, trained with the objects of the test and with spheres: how far each is from its point."""
    found = {module: sources.find_probes(module, DATASET) for module in (*LOCALIZERS.values(), *SPHERES.values())}
    probes = [one for group in found.values() for one in group]
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {SPHERES_PRINTED}")
    rows = [_describe_localizer(part, found[LOCALIZERS[part]], found[SPHERES[part]]) for part in LOCALIZERS]
    cuboids, spheres, worse = (
        f"{sources.this_run}: {words}" for words in ("trained with cuboids", "trained with spheres", "worse by")
    )
    columns = (
        Column("part", "localizer of the"),
        Column("printed_mm", "worse by, mm", PRINTED, decimals=0, signed=True),
        Column("cuboids_mm", "mean, mm", cuboids, decimals=2, otherwise="cuboids_status"),
        Column("cuboids_low_mm", "95 % interval, mm", cuboids, decimals=2, high="cuboids_high_mm"),
        Column("cuboids_kept", "not moved", cuboids, decimals=0),
        Column("spheres_mm", "mean, mm", spheres, decimals=2, otherwise="spheres_status"),
        Column("spheres_low_mm", "95 % interval, mm", spheres, decimals=2, high="spheres_high_mm"),
        Column("spheres_kept", "not moved", spheres, decimals=0),
        Column("worse_mm", "mean, mm", worse, decimals=2, signed=True),
        Column("worse_low_mm", "95 % interval, mm", worse, decimals=2, high="worse_high_mm"),
        Column("seeds_mm", "each seed, mm", worse),
    )
    notes = (
        f"Mean distance from the hand's middle knuckle and from the object's centre; {tell_seeds(probes)}",
        NOT_MOVED,
        SPHERES_PRINTED,
        *sources.caution,
    )
    return Table(name, title, pd.DataFrame(rows), columns, stamp_probes(sources, probes), notes)


def _describe_localizer(part: str, cuboids: Sequence[Probe], spheres: Sequence[Probe]) -> dict[str, object]:
    row: dict[str, object] = {"part": part, "printed_mm": FEEDBACK19_SPHERES_MM[part]}
    for word, probes in (("cuboids", cuboids), ("spheres", spheres)):
        row |= dict.fromkeys((f"{word}_mm", f"{word}_low_mm", f"{word}_high_mm", f"{word}_kept"), np.nan)
        row[f"{word}_status"] = "" if probes else NOT_RUN
        if probes:
            distances_mm = np.stack([one.frame_distances_mm("localized") for one in probes], axis=1)
            interval = bootstrap_mean(distances_mm, probes[0].read("sequences"))
            row |= {f"{word}_mm": interval.mean, f"{word}_low_mm": interval.low, f"{word}_high_mm": interval.high}
            row[f"{word}_kept"] = sum(one.read("not_moved") for one in probes)
    row |= {"worse_mm": np.nan, "worse_low_mm": np.nan, "worse_high_mm": np.nan, "seeds_mm": ""}
    if cuboids and [one.seed for one in cuboids] == [one.seed for one in spheres]:
        worse = compare_distances(spheres, cuboids)
        row |= {"worse_mm": worse.difference.mean, "worse_low_mm": worse.difference.low}
        row |= {"worse_high_mm": worse.difference.high}
        row["seeds_mm"] = ", ".join(f"{value:+.1f}" for value in worse.per_seed)
    return row


def build_held_runtime(name: str, title: str, sources: Sources) -> Item:
    """Milliseconds a frame of hand and object together, and frames a second beside print."""
    probes = sources.find_probes(LOOP, DATASET)
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {TIME_PRINTED}")
    frame = pd.DataFrame(
        [
            {"part": f"{label.format(iterations=tell_iterations(probes))}, ms", "printed": printed, "printed_words": ""}
            for label, printed in TIMED.values()
        ]
        + [{"part": "frames a second", "printed": np.nan, "printed_words": FPS_PRINTED}]
    )
    columns = [
        Column("part", "a frame takes"),
        Column("printed", "one network, GTX 980 Ti", PRINTED, decimals=1, otherwise="printed_words"),
    ]
    for place, (device, timed) in enumerate(group_by_device(probes).items()):
        for batch in list_batches(timed):
            key = f"device_{place}_batch_{batch}"
            frame[key] = _average_times(timed, batch)
            columns.append(Column(key, f"batch {batch}", f"{sources.this_run}; {device}", decimals=2))
    notes = (
        "Medians over repeated calls; a batch's time is divided by its frames.",
        TIME_PRINTED,
        f"Timed on the crops of {tell_seeds(probes)}",
    )
    return Table(name, title, frame, tuple(columns), stamp_probes(sources, probes), notes)


def _average_times(probes: Sequence[Probe], batch: str) -> list[float]:
    """Means over seeds of every part, then frames a second; NaN of a part that was not timed by itself."""
    times = [one.read("milliseconds", batch) for one in probes]
    parts = [float(np.mean([one[part] for one in times])) if part in times[0] else np.nan for part in TIMED]
    return [*parts, float(np.mean([1000 / one["loop"] for one in times]))]
