"""Tables on the images that synthesizers draw: where they err, how they were trained, what wrong labels do to them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from handbench.evaluation.bootstrap import Interval, bootstrap_mean
from handbench.evaluation.claim_rivals import describe_training
from handbench.evaluation.claim_synthesizer import (
    PRINTED_IMAGE_ERRORS,
    average_hand_mm,
    average_sharpness,
    read_label_noise,
)
from handbench.evaluation.probes import Probe, compare_images
from handbench.report.comparisons import PRINTED
from handbench.report.items import Absent, Column, Item, Table
from handbench.report.probe_stamps import stamp_probes, tell_seeds
from handbench.report.sources import NOT_RUN, ONLY_NYU, Sources

REGIONS = {
    "all": "all pixels",
    "hand": "hand",
    "inside": "inside of the hand",
    "outline": "outline, 3 pixels wide",
    "nearest_hand": "hand, image of the nearest training pose",
}
NUMBERS = {"median_mm": "median, mm", "mean_mm": "mean, mm", "deviation_mm": "standard deviation, mm"}
WHERE = (
    "Absolute depth errors. The hand is where the camera sees something inside the cube; its outline are the pixels "
    "within 3 of what is not hand."
)


def build_image_errors(name: str, title: str, module: str, sources: Sources, *, dataset: str = "nyu") -> Item:
    """Errors over parts of the image, all pixels beside print, which is of NYU."""
    probes = sources.find_probes(module, dataset)
    printed = dict(zip(NUMBERS, PRINTED_IMAGE_ERRORS[module], strict=True)) if dataset == "nyu" else {}
    if not probes:
        told = (
            "Printed: median {median_mm} mm, mean {mean_mm} +- {deviation_mm} mm.".format(**printed)
            if printed
            else ONLY_NYU
        )
        return Absent(name, title, f"{sources.not_probed} {told}")
    rows = [_describe_region(probes, region, printed if region == "all" else {}) for region in REGIONS]
    columns = [Column("region", "pixels")]
    columns += [Column(f"printed_{key}", label, PRINTED, decimals=1) for key, label in NUMBERS.items() if printed]
    columns += [Column(f"run_{key}", label, sources.this_run, decimals=2) for key, label in NUMBERS.items()]
    columns.append(Column("pixels", "number", sources.this_run, decimals=0))
    notes = (WHERE, *(() if printed else (ONLY_NYU,)), tell_seeds(probes), *sources.caution)
    return Table(name, title, pd.DataFrame(rows), tuple(columns), stamp_probes(sources, probes), notes)


def _describe_region(probes: Sequence[Probe], region: str, printed: Mapping[str, float]) -> dict[str, object]:
    found = [one.images.read(region) for one in probes]
    return {
        "region": REGIONS[region],
        **{f"printed_{key}": printed.get(key, np.nan) for key in NUMBERS},
        **{f"run_{key}": float(np.mean([one[key] for one in found])) for key in NUMBERS},
        "pixels": int(np.mean([one["pixels"] for one in found])),
    }


def build_image_comparison(
    name: str, title: str, modules: Mapping[str, str], sources: Sources, *, printed: str, dataset: str = "nyu"
) -> Item:
    """Synthesizers side by side: the error over the hand and over all, and what training each of them took."""
    found = {label: _find_images(sources, module, dataset) for module, label in modules.items()}
    probes = [one for group in found.values() for one in group]
    if not probes:
        return Absent(name, title, f"{sources.not_probed} {printed}")
    rows = [_describe_images(label, group) for label, group in found.items()]
    group = sources.this_run
    columns = (
        Column("method", "synthesizer"),
        Column("hand_mm", "error over the hand, mm", group, decimals=2, otherwise="status"),
        Column("low_mm", "95 % interval, mm", group, decimals=2, high="high_mm"),
        Column("less_first_mm", "less the first, mm", group, decimals=2, signed=True),
        Column("all_mm", "error over all pixels, mm", group, decimals=2),
        Column("sharpness", "sharpness of the outline", group, decimals=3),
        Column("epochs", "epochs, all stages", group, decimals=0),
        Column("converged", "trained to its end", group),
    )
    first = next(iter(found.values()))
    frame = pd.DataFrame(rows)
    frame["less_first_mm"] = [_subtract_first(first, group) for group in found.values()]
    notes = (
        printed,
        "Sharpness is the mean steepness of the drawn depth at the outline over that of the camera's.",
        tell_seeds(probes),
        *sources.caution,
    )
    return Table(name, title, frame, columns, stamp_probes(sources, probes), notes)


def _find_images(sources: Sources, module: str, dataset: str) -> tuple[Probe, ...]:
    """Every seed, where all of them know the error of each frame: a loop's probe need not."""
    found = sources.find_probes(module, dataset)
    return found if all("frame_hand_mm" in one.images.numbers for one in found) else ()


def _describe_images(label: str, probes: Sequence[Probe]) -> dict[str, object]:
    if not probes:
        nothing = dict.fromkeys(("hand_mm", "low_mm", "high_mm", "all_mm", "sharpness", "epochs"), np.nan)
        return {"method": label, **nothing, "converged": "", "status": NOT_RUN}
    interval, training = _pool_hand(probes), describe_training(probes[0].module, probes[0].settings)
    return {
        "method": label,
        "hand_mm": interval.mean,
        "low_mm": interval.low,
        "high_mm": interval.high,
        "all_mm": float(np.mean([one.images.read("all", "mean_mm") for one in probes])),
        "sharpness": average_sharpness(probes),
        "epochs": training.epochs if training else np.nan,
        "converged": "yes" if all(one.converged for one in probes) else "no",
        "status": "run",
    }


def _pool_hand(probes: Sequence[Probe]) -> Interval:
    """Mean over frames and seeds; a block of frames is drawn with all its seeds."""
    return bootstrap_mean(np.stack([one.frame_hand_mm for one in probes], axis=1), probes[0].images.read("sequences"))


def _subtract_first(first: Sequence[Probe], probes: Sequence[Probe]) -> float:
    """NaN for the first itself, and where the seeds do not pair."""
    if probes is first or [one.seed for one in probes] != [one.seed for one in first]:
        return float("nan")
    return compare_images(probes, first).difference.mean


def build_label_noise(name: str, title: str, modules: Sequence[str], sources: Sources) -> Item:
    """Sharpness and error against the noise of the labels that the synthesizer was trained on."""
    found = [probed for module in modules if (probed := sources.find_probes(module, "icvl"))]
    if len(found) < 2:
        return Absent(name, title, f"{sources.not_probed} The paper prints pictures of blurred hands without numbers.")
    found = sorted(found, key=read_label_noise)
    rows = [
        {
            "noise_mm": read_label_noise(probed),
            "hand_mm": average_hand_mm(probed),
            "low_mm": (interval := _pool_hand(probed)).low,
            "high_mm": interval.high,
            "sharpness": average_sharpness(probed),
            "converged": "yes" if all(one.converged for one in probed) else "no",
        }
        for probed in found
    ]
    group = sources.this_run
    columns = (
        Column("noise_mm", "label noise, mm", decimals=0),
        Column("sharpness", "sharpness of the outline", group, decimals=3),
        Column("hand_mm", "error over the hand, mm", group, decimals=2),
        Column("low_mm", "95 % interval, mm", group, decimals=2, high="high_mm"),
        Column("converged", "trained to its end", group),
    )
    probes = [one for probed in found for one in probed]
    notes = (
        "The noise is the standard deviation of what each coordinate of the training labels is off by. Sharpness is "
        "the mean steepness of the drawn depth at the outline over that of the camera's.",
        tell_seeds(probes),
        *sources.caution,
    )
    return Table(name, title, pd.DataFrame(rows), columns, stamp_probes(sources, probes), notes)
