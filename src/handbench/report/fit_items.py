"""The table of fits: how well the hand model explains the labels of a dataset, by either optimiser."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from handbench.conventions import DATASETS
from handbench.evaluation.fits import OPTIMISERS, Fit
from handbench.evaluation.paper_numbers import DEEPMODEL_FIT
from handbench.report.comparisons import PRINTED
from handbench.report.items import Absent, Column, Item, Table
from handbench.report.run_card import join_words
from handbench.report.sources import Sources
from handbench.report.stamps import SEPARATOR

REAL, SCALED = "published labels of the test set, real", "{} split, {}"


def build_fit_table(name: str, title: str, sources: Sources) -> Item:
    """What fitting leaves of the distance to the labels: mean, variance and worst frame beside print."""
    mean_mm, variance_mm2 = DEEPMODEL_FIT
    if not sources.fits:
        told = f"Printed: {mean_mm} mm on average, variance {variance_mm2} mm2, by PSO on NYU's test labels."
        return Absent(name, title, f"{sources.not_fitted} {told}")
    fits = sorted(sources.fits, key=lambda one: not one.published)
    rows = [_describe(fit, key, sources) for fit in fits for key in OPTIMISERS]
    group = "this run"
    columns = (
        Column("labels", "labels"),
        Column("optimiser", "optimiser"),
        Column("printed_mm", "mean, mm", PRINTED, decimals=2),
        Column("printed_mm2", "variance, mm2", PRINTED, decimals=2),
        Column("frames", "frames", group, decimals=0, otherwise="status"),
        Column("start_mm", "start, mm", group, decimals=2),
        Column("mean_mm", "mean, mm", group, decimals=2),
        Column("variance_mm2", "variance, mm2", group, decimals=2),
        Column("worst_mm", "worst frame, mm", group, decimals=2),
        Column("worst_names", "worst frames", group),
        Column("speed", "frames a second", group, decimals=1),
        Column("at_wall", "bounds at a wall, of 40", group, decimals=0),
    )
    notes = (
        "Of each frame the mean distance of the model's joints from the labels; mean, variance and the worst are over "
        "frames.",
        "Start: a swarm of PSO starts around a pose that four rounds of damped least squares have brought so near; "
        "L-BFGS follows a recording from frame to frame.",
        "Bounds at a wall: of the least and greatest angles that training labels set, those that are the anatomical "
        "limits which fits keep to.",
        "Published labels are the real ones, whatever data the run has.",
        *(_tell_truth(fit) for fit in fits if "mean_angle_error_deg" in fit.truth),
        *sources.caution,
    )
    return Table(name, title, pd.DataFrame(rows), columns, stamp_fits(fits, sources), notes)


def _describe(fit: Fit, key: str, sources: Sources) -> dict[str, object]:
    left, printed = fit.left.get(key), DEEPMODEL_FIT if fit.published and key == "pso" else (np.nan, np.nan)
    return {
        "labels": _name_labels(fit, sources.card.source),
        "optimiser": OPTIMISERS[key],
        "printed_mm": printed[0],
        "printed_mm2": printed[1],
        "frames": left.frames if left else np.nan,
        "start_mm": left.start_mm if left and left.start_mm is not None else np.nan,
        "mean_mm": left.mean_mm if left else np.nan,
        "variance_mm2": left.variance_mm2 if left else np.nan,
        "worst_mm": max(left.worst_mm.values()) if left else np.nan,
        "worst_names": ", ".join(left.worst_mm) if left else "",
        "speed": left.frames / left.seconds if left and left.seconds else np.nan,
        "at_wall": fit.at_wall if fit.at_wall is not None and key == "lbfgs" else np.nan,
        "status": "run" if left else "not fitted",
    }


def _name_labels(fit: Fit, source: str) -> str:
    told = f"{DATASETS[fit.dataset].title}, {REAL if fit.published else SCALED.format(fit.split, source)}"
    borrowed = fit.hand_of and fit.hand_of != fit.dataset
    return f"{told}, with the hand of {DATASETS[fit.hand_of].title}" if borrowed else told


def _tell_truth(fit: Fit) -> str:
    title, degrees = DATASETS[fit.dataset].title, fit.truth["mean_angle_error_deg"]
    swarm_deg = fit.truth.get("pso_mean_angle_error_deg")
    by_swarm = "" if swarm_deg is None else f" (PSO's {swarm_deg:.2f})"
    return (
        f"{title}, {fit.split} split: the true poses of the embedded data are known, and the angles that L-BFGS finds "
        f"are {degrees:.2f} degrees off on average{by_swarm}."
    )


def stamp_fits(fits: Sequence[Fit], sources: Sources) -> str:
    """The line below: fits know labels alone, neither crops nor seeds."""
    card = sources.card
    frames = "; ".join(
        f"{_name_labels(fit, card.source)}, {max((one.frames for one in fit.left.values()), default=0):,} frames, "
        f"{len(DATASETS[fit.dataset].scored)} joints"
        for fit in fits
    )
    return SEPARATOR.join(
        (
            f"{frames}, centre and cube: none, labels alone",
            f"data: {join_words('real' if fit.published else card.source for fit in fits)}",
            f"scale: {card.scale}",
            "seeds: none",
            f"commit: {card.commit or 'unknown'}",
            f"config: {card.config_digest or 'unknown'}",
        )
    )
