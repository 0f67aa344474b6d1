"""Figures of single updates from noisy poses around the truth, as the loops' probes have them."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from handbench.errors import BadInput
from handbench.evaluation.claim_feedback15 import ROUNDED_MM
from handbench.evaluation.probes import Probe
from handbench.report.arrow_panels import ArrowPanel, list_panels
from handbench.report.items import Absent, Figure, Item
from handbench.report.loop_figures import draw_histograms, draw_updates
from handbench.report.picture_tiles import Shown
from handbench.report.probe_stamps import stamp_probes, tell_seeds
from handbench.report.sources import Sources

NUMBERS = ("noise_mm", "before_mm", "after_mm", "moved_mm", "improved")
TRUTH, AS_PREDICTED = "the truth itself", "as the predictor's error"
NO_ARROWS = "Single updates are not drawn as arrows"
LAST_BIN = "Errors beyond 79 mm are counted in the last bin."


def build_updates(name: str, title: str, module: str, sources: Sources, *, printed: str, dataset: str = "nyu") -> Item:
    """Single updates as arrows, error after one against that before, histograms at the predictor's own error (Fig. 12
    of 2015)."""
    probes = sources.find_probes(module, dataset)
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {printed}")
    updates, bins = frame_updates(probes), frame_histograms(probes)
    stamp = stamp_probes(sources, probes)
    arrows, told = _find_arrows(probes[0])
    draw = partial(_draw_updates, updates, bins, arrows, title, stamp)
    notes = (
        f"{tell_seeds(probes)} Every joint of the truth is moved by Gaussian noise of a given mean length, and updated "
        "once. Percentages are the poses that an update brings nearer to the truth.",
        told,
        LAST_BIN,
        printed,
        *sources.caution,
    )
    return Figure(name, title, _describe(updates), draw, stamp, notes)


def _find_arrows(probe: Probe) -> tuple[tuple[ArrowPanel, ...], str]:
    """Those of one seed, and what has to be said of them; none where it has not kept where they begin and end."""
    try:
        pictures = probe.open_pictures()
    except BadInput as missing:
        return (), f"{NO_ARROWS}: expected {missing.expected}, found {missing.found}."
    updates = pictures.updates
    if updates is None:
        return (), f"{NO_ARROWS}: the probe is of an older release; probe again."
    return list_panels(Shown(probe, pictures), updates), (
        f"Arrows: seed {probe.seed}, {updates.joint}. Each begins where noise of {updates.noise_mm:g} mm puts it "
        "and ends where one update of the whole pose does; nearer and farther are meant in space. A share behind "
        "a frame is that of the test frames whose first error is smaller."
    )


def build_histograms(
    name: str, title: str, module: str, sources: Sources, *, printed: str, dataset: str = "nyu"
) -> Item:
    """Histograms of errors before and after an update, a panel a size of noise (Fig. 13 of 2019)."""
    probes = sources.find_probes(module, dataset)
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {printed}")
    updates, bins = frame_updates(probes), frame_histograms(probes)
    stamp = stamp_probes(sources, probes)
    draw = partial(_draw_histograms, bins, title, stamp)
    notes = (
        f"{tell_seeds(probes)} Bins of 1 mm. Panels are named by the mean error of the noisy poses.",
        LAST_BIN,
        printed,
        *sources.caution,
    )
    return Figure(name, title, _describe(updates), draw, stamp, notes)


def frame_updates(probes: Sequence[Probe]) -> pd.DataFrame:
    """level, noise_mm, before_mm, after_mm, moved_mm, improved: means over seeds, from small noise to large."""
    rows = [{"level": level, **{key: _mean(entries, key) for key in NUMBERS}} for level, entries in _group(probes)]
    return pd.DataFrame(rows)


def frame_histograms(probes: Sequence[Probe]) -> pd.DataFrame:
    """level, predictor (whether the noise is as large as its error), bin_mm, before, after: frames of all seeds."""
    parts = []
    for level, entries in _group(probes):
        before, after = (
            np.sum([one[key] for one in entries], axis=0) for key in ("before_histogram", "after_histogram")
        )
        told = {"level": level, "predictor": level.endswith(AS_PREDICTED), "bin_mm": np.arange(len(before))}
        parts.append(pd.DataFrame({**told, "before": before, "after": after}))
    return pd.concat(parts, ignore_index=True)


def _group(probes: Sequence[Probe]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The entries of all seeds by size of noise; the predictor's own error differs from seed to seed."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for probe in probes:
        for entry in probe.read("around_truth"):
            predicted = abs(entry["noise_mm"] - probe.read("predictor_mm")) < ROUNDED_MM
            groups.setdefault(AS_PREDICTED if predicted else f"{entry['noise_mm']:g} mm", []).append(entry)
    ordered = sorted(groups.items(), key=lambda item: _mean(item[1], "noise_mm"))
    return [(_name(level, entries), entries) for level, entries in ordered]


def _name(level: str, entries: Sequence[Mapping[str, Any]]) -> str:
    noise_mm = _mean(entries, "noise_mm")
    if level == AS_PREDICTED:
        return f"{noise_mm:.1f} mm, {AS_PREDICTED}"
    return TRUTH if noise_mm == 0 else level


def _mean(entries: Sequence[Mapping[str, Any]], key: str) -> float:
    return float(np.mean([one[key] for one in entries]))


def _describe(updates: pd.DataFrame) -> str:
    parts = [f"{row.level}: {row.before_mm:.2f} to {row.after_mm:.2f} mm" for row in updates.itertuples()]
    return f"Mean errors before and after one update from noisy poses. {'; '.join(parts)}"


def _draw_updates(
    updates: pd.DataFrame, bins: pd.DataFrame, arrows: Sequence[ArrowPanel], title: str, stamp: str, out: Path
) -> tuple[Path, ...]:
    return draw_updates(updates, bins, out, title=title, stamp=stamp, arrows=arrows)


def _draw_histograms(bins: pd.DataFrame, title: str, stamp: str, out: Path) -> tuple[Path, ...]:
    return draw_histograms(bins, out, title=title, stamp=stamp)
