"""How long a network takes a frame, one by one and in batches, beside the one speed that its paper prints."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from handbench.evaluation.probes import group_by_device, list_batches
from handbench.report.items import Absent, Column, Item, Table
from handbench.report.probe_stamps import stamp_probes, tell_seeds
from handbench.report.sources import Sources


@dataclass(frozen=True)
class PrintedSpeed:
    """What a paper says."""

    device: str
    ms: float
    fps: float

    def __str__(self) -> str:
        return f"Printed: {self.fps:g} frames a second, about {self.ms:g} ms a frame on {self.device}."


def build_speed(name: str, title: str, module: str, printed: PrintedSpeed, what: str, sources: Sources) -> Item:
    """Milliseconds a frame and frames a second of a module's network on NYU; `what` says of what."""
    probes = sources.find_probes(module)
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {printed}")
    told = {"where": f"print, {printed.device}", "batch": np.nan, "words": "not told"}
    rows: list[dict[str, object]] = [{**told, "ms": printed.ms, "fps": printed.fps}]
    for device, timed in group_by_device(probes).items():
        for batch in list_batches(timed):
            ms = [one.read("milliseconds", batch, "network") for one in timed]
            speed = float(np.mean([1000 / value for value in ms]))
            rows.append(
                {"where": f"{sources.this_run}, {device}", "batch": int(batch), "ms": np.mean(ms), "fps": speed}
            )
    columns = (
        Column("where", "timed on"),
        Column("batch", "frames in a batch", decimals=0, otherwise="words"),
        Column("ms", "a frame takes, ms", decimals=3),
        Column("fps", "frames a second", decimals=1),
    )
    notes = (
        f"Medians over repeated calls of {what}; a batch's time is divided by its frames.",
        f"Timed on the crops of {tell_seeds(probes)}",
    )
    return Table(name, title, pd.DataFrame(rows), columns, stamp_probes(sources, probes), notes)
