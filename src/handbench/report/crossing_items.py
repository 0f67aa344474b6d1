"""Tables of crossing: errors at every share of labels, without single tasks, walks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from handbench.conventions import DATASETS
from handbench.evaluation.claim_crossing import (
    CONTROLS,
    TIMES_MEDIAN,
    TIMES_RECONSTRUCTION,
    WITHOUT,
    measure_depth,
    measure_jumps,
)
from handbench.evaluation.claim_shares import (
    ESTIMATOR,
    PANELS,
    PRETRAINED,
    RIVALS,
    SCRATCH,
    SHARES,
    choose_estimator,
    name_module,
)
from handbench.evaluation.probes import Probe
from handbench.evaluation.results import Result, compare_results, pool_seeds
from handbench.report.items import Absent, Column, Item, Table
from handbench.report.loop_items import tell_results
from handbench.report.probe_stamps import stamp_probes, tell_seeds
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamps import stamp_results

OURS = "crossing"
METHODS = {
    OURS: (ESTIMATOR, False),
    RIVALS[SCRATCH]: (SCRATCH, False),
    RIVALS[PRETRAINED]: (PRETRAINED, False),
    f"{RIVALS[SCRATCH]}, equal epochs": (SCRATCH, True),
    f"{RIVALS[PRETRAINED]}, equal epochs": (PRETRAINED, True),
}
"""Rows and lines of Fig. 3: the module's name without its share, and whether it made as many epochs, not updates."""
NO_NUMBERS = "The paper prints curves without numbers."
BASELINES = (
    "Baselines are the posterior network alone, trained on the labelled frames, from scratch or with the first two "
    "layers of a GAN's discriminator: by as many updates as crossing, or in as many epochs, which of fewer frames are "
    "fewer updates, as the paper compares them."
)
_KEYS = ("crossing", "scratch", "pretrained", "scratch_epochs", "pretrained_epochs")
"""Of METHODS, in the columns of the table."""


def find_methods(sources: Sources, dataset: str, share: int) -> dict[str, tuple[Result, ...]]:
    """Those of METHODS that were run at a share on a data set; the whole has one number of updates and epochs."""
    found = {}
    for word, (base, epochs) in METHODS.items():
        module = name_module(base, share, epochs=epochs)
        results = sources.find_results(dataset=dataset, module=module)
        if results and not (epochs and module == base):
            found[word] = results
    return found


def build_share_table(name: str, title: str, sources: Sources) -> Item:
    """A row a data set and share; crossing beside both baselines."""
    places = [(dataset, share) for dataset in PANELS for share in SHARES if find_methods(sources, dataset, share)]
    if not places:
        return Absent(name, title, f"This run: {NOT_RUN}. {NO_NUMBERS}")
    rows = [_describe_share(sources, dataset, share) for dataset, share in places]
    group = sources.this_run
    columns = [
        Column("dataset", "data set"),
        Column("share_percent", "frames with labels, %", decimals=0),
        Column("crossing_mm", "crossing, mm", group, decimals=2, otherwise="crossing_status"),
    ]
    for key, word in zip(_KEYS[1:3], RIVALS.values(), strict=True):
        beside = f"{group}: {word}, equal updates"
        columns += [
            Column(f"{key}_mm", "mean, mm", beside, decimals=2, otherwise=f"{key}_status"),
            Column(f"{key}_less_mm", "crossing less that, mm", beside, decimals=2, signed=True),
            Column(f"{key}_low_mm", "95 % interval, mm", beside, decimals=2, high=f"{key}_high_mm"),
        ]
    columns += [
        Column(f"{key}_mm", f"{word}, mm", f"{group}: equal epochs", decimals=2, otherwise=f"{key}_status")
        for key, word in zip(_KEYS[3:], RIVALS.values(), strict=True)
    ]
    results = [one for place in places for found in find_methods(sources, *place).values() for one in found]
    notes = (NO_NUMBERS, BASELINES, *tell_epochs(results), *_tell_unfinished(results), *sources.caution)
    return Table(name, title, pd.DataFrame(rows), tuple(columns), stamp_results(results), notes)


def _describe_share(sources: Sources, dataset: str, share: int) -> dict[str, object]:
    found = find_methods(sources, dataset, share)
    row: dict[str, object] = {"dataset": DATASETS[dataset].title, "share_percent": share}
    for key, word in zip(_KEYS, METHODS, strict=True):
        results = found.get(word, ())
        row[f"{key}_mm"] = pool_seeds(results).interval.mean if results else np.nan
        whole = key.endswith("epochs") and share == SHARES[-1]
        row[f"{key}_status"] = "run" if results else "as updates" if whole else NOT_RUN
        row[f"{key}_seeds"] = " ".join(str(one.seed) for one in results)
        row |= {f"{key}_{part}_mm": number for part, number in _subtract(found.get(OURS, ()), results).items()}
    return row


def _subtract(ours: Sequence[Result], theirs: Sequence[Result]) -> Mapping[str, float]:
    """The first less the second, where both were run with the same seeds."""
    if not ours or not theirs or [one.seed for one in ours] != [one.seed for one in theirs]:
        return dict.fromkeys(("less", "low", "high"), np.nan)
    difference = compare_results(ours, theirs).difference
    return {"less": difference.mean, "low": difference.low, "high": difference.high}


def tell_epochs(results: Sequence[Result]) -> tuple[str, ...]:
    """Where the estimator's epochs are cut short, as many epochs are not what the paper means by them."""
    estimators = {name_module(ESTIMATOR, share) for share in SHARES}
    steps = max((one.settings.get("epoch_steps") or 0 for one in results if one.module in estimators), default=0)
    if not steps or not any(one.module.endswith("_epochs") for one in results):
        return ()
    return (
        f"Equal epochs are equal in name only here: an epoch of crossing is cut short at {steps:,} steps, and no pass "
        "over all frames; one of those baselines is a whole pass over the labelled frames.",
    )


def _tell_unfinished(results: Sequence[Result]) -> tuple[str, ...]:
    unsure = dict.fromkeys(f"{one.module} on {one.dataset}" for one in results if not one.converged)
    return (f"Stopped while the validation error still fell: {', '.join(unsure)}.",) if unsure else ()


def build_task_table(name: str, title: str, sources: Sources) -> Item:
    """The estimator, and the same without one of its tasks (Sec. 5.2)."""
    words = {ESTIMATOR: "all tasks", **WITHOUT}
    found = {module: sources.find_results(dataset="nyu", module=module) for module in words}
    results = [one for group in found.values() for one in group]
    if not results:
        return Absent(name, title, f"This run: {NOT_RUN}. {NO_NUMBERS}")
    rows = []
    for module, word in words.items():
        pooled = pool_seeds(found[module]).interval if found[module] else None
        less = _subtract(found[module], found[ESTIMATOR] if module != ESTIMATOR else ())
        rows.append(
            {
                "method": word,
                "mean_mm": pooled.mean if pooled else np.nan,
                "mean_low_mm": pooled.low if pooled else np.nan,
                "mean_high_mm": pooled.high if pooled else np.nan,
                "status": "run" if pooled else NOT_RUN,
                **{f"{part}_mm": number for part, number in less.items()},
            }
        )
    group = sources.this_run
    columns = (
        Column("method", "trained with"),
        Column("mean_mm", "mean, mm", group, decimals=2, otherwise="status"),
        Column("mean_low_mm", "95 % interval, mm", group, decimals=2, high="mean_high_mm"),
        Column("less_mm", "less all tasks, mm", group, decimals=2, signed=True),
        Column("low_mm", "95 % interval of that, mm", group, decimals=2, high="high_mm"),
    )
    notes = (NO_NUMBERS, tell_results(results), *_tell_unfinished(results), *sources.caution)
    return Table(name, title, pd.DataFrame(rows), columns, stamp_results(results), notes)


def _tell_controls(probe: Probe) -> str:
    """The same controls of reconstructed frames; an older probe has none."""
    told = probe.read("reconstruction")
    means = {key: np.mean(told.get(f"{key}_by_frame", np.nan)) for key in CONTROLS}
    if np.isnan(list(means.values())).any():
        return ""
    return (
        f" Of reconstructed frames background alone is off by {means['background']:.4f}, the hand of another frame by "
        f"{means['other']:.4f}."
    )


def build_walk_table(name: str, title: str, sources: Sources) -> Item:
    """Steps and images of every walk of the first seed, and the worst of each seed in the notes."""
    found = sources.find_probes(choose_estimator(sources.find_probes, "nyu"))
    probes = [one for one in found if "walks" in one.numbers]
    if not probes:
        return Absent(name, title, f"{sources.not_probed} The paper shows one walk.")
    first = probes[0]
    reconstruction = float(first.read("reconstruction", "test"))
    rows = [
        {
            "walk": f"{walk['from']} to {walk['to']}",
            "median_mm": float(np.median(walk["steps_mm"])),
            "largest_mm": float(np.max(walk["steps_mm"])),
            "jump": jump,
            "depth_error": depth,
            "times": depth / reconstruction,
            **{f"{key}_error": float(np.mean(walk.get(f"{key}_error", np.nan))) for key in CONTROLS},
        }
        for walk, jump, depth in zip(first.read("walks"), measure_jumps(first), measure_depth(first), strict=True)
    ]
    group = f"{sources.this_run}, seed {first.seed}"
    columns = (
        Column("walk", "frames"),
        Column("median_mm", "median step, mm", group, decimals=2),
        Column("largest_mm", "largest step, mm", group, decimals=2),
        Column("jump", "times the median", group, decimals=2),
        Column("depth_error", "drawn depth off the decoded pose", group, decimals=4),
        Column("times", "times the reconstruction error", group, decimals=2),
        Column("background_error", "background alone off it", group, decimals=4),
        Column("other_error", "drawn depth off another walk's poses", group, decimals=4),
    )
    seeds = ", ".join(f"{max(measure_jumps(one)):.2f}" for one in probes)
    notes = (
        "A step is that of the joint that moves farthest from one point to the next, inside the cube. Depth is in half "
        "cube edges, the mean absolute difference over all pixels; the decoded pose is a hand fitted to the training "
        "labels that takes it, rendered with its forearm.",
        f"Reconstruction error of {tell_seeds([first])[:-1]}: {reconstruction:.4f}. Asked for: steps of at most "
        f"{TIMES_MEDIAN:g} times the median, depth within {TIMES_RECONSTRUCTION:g} times that error, and, ours, nearer "
        f"to its pose than background alone, and than to the poses of another walk.{_tell_controls(first)}",
        f"Largest step over the median in the worst walk of each seed of {first.module}: {seeds}.",
        *sources.caution,
    )
    return Table(name, title, pd.DataFrame(rows), columns, stamp_probes(sources, probes), notes)
