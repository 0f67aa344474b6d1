"""How the GAN of every training of crossing fared: what the training said at its end, what a probe measured."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from handbench.conventions import DATASETS
from handbench.evaluation.claim_crossing import WITHOUT
from handbench.evaluation.claim_shares import ESTIMATOR, PANELS, SHARES, name_module
from handbench.evaluation.remarks import Examined, pair_probes
from handbench.report.items import Absent, Column, Item, Table
from handbench.report.probe_stamps import stamp_probes
from handbench.report.sources import Sources
from handbench.report.stamps import stamp_card

GAN = "crossing_gan"
"""The module that is the GAN by itself, of which every estimator begins."""
MODULES = (GAN, *(name_module(ESTIMATOR, share) for share in SHARES), *WITHOUT)
COLLAPSED, SOUND = "collapsed", "sound"
NO_TASK, NOT_PROBED = "no GAN task", "not probed"
NOT_SAID = "not at hand"


def build_gan_table(name: str, title: str, sources: Sources) -> Item:
    """Whether the GAN draws images that differ, and whether its discriminator tells them: a row a training."""
    trainings = [one for one in sources.trainings if one.module in MODULES and one.dataset in PANELS]
    probes = [one for one in sources.probes or () if one.module in MODULES]
    every = pair_probes(trainings, probes)
    if not every:
        return Absent(name, title, f"{sources.not_probed} The paper does not say how its GAN fared.")
    rows = sorted(map(_describe, every), key=lambda row: (MODULES.index(row["module"]), row["dataset"]))
    group = sources.this_run
    measured = f"{group}: measured again on training frames"
    columns = [
        Column("module", "module"),
        Column("dataset", "data set"),
        Column("seed", "seed", decimals=0),
        Column("spread_real", "deviation of a real pixel", measured, decimals=3, otherwise="status"),
        Column("spread_drawn", "of a drawn one", measured, decimals=3, otherwise="status"),
        Column("accuracy_percent", "told right, %", measured, decimals=1, otherwise="status"),
        Column("training", "at the end of training", group),
        Column("health", "the GAN", group),
    ]
    if any(row["fold"] for row in rows):
        columns.insert(3, Column("fold", "without"))
    seen = [one.probe for one in every if one.probe is not None]
    stamp = stamp_probes(sources, seen) if seen else stamp_card(sources.card)
    notes = (*_explain(rows), *_quote(every), *sources.caution)
    return Table(name, title, pd.DataFrame(rows), tuple(columns), stamp, notes)


def _describe(examined: Examined) -> dict[str, object]:
    one, gan = examined.one, examined.gan
    sound = SOUND if examined.has_gan_task else NO_TASK
    training = examined.training
    said = NOT_SAID if training is None else COLLAPSED if examined.said_collapsed else sound
    return {
        "name": examined.name,
        "module": one.module,
        "dataset": DATASETS[one.dataset].title,
        "seed": one.seed,
        "fold": "" if training is None else training.fold,
        "spread_real": gan.get("spread_real", np.nan),
        "spread_drawn": gan.get("spread_drawn", np.nan),
        "accuracy_percent": 100 * gan.get("accuracy", np.nan),
        "status": NOT_PROBED if examined.has_gan_task else NO_TASK,
        "training": said,
        "health": COLLAPSED if examined.collapsed else sound,
    }


def _explain(rows: Sequence[dict[str, object]]) -> tuple[str, ...]:
    collapsed = [str(row["name"]) for row in rows if row["health"] == COLLAPSED]
    return (
        "The deviation is that over the images of a batch: a generator that draws one image whatever it is asked for "
        "has none. A discriminator that tells all images right teaches the generator nothing, one that tells half of "
        "them cannot tell any.",
        "A training counts images of labelled latents and of combinations of them, over its last epoch. What is "
        "measured again are images of labelled latents alone, which are harder to tell. Where either says so, a GAN "
        "counts as collapsed.",
        f"Collapsed: {'; '.join(collapsed)}." if collapsed else "None of those listed has collapsed.",
    )


def _quote(every: Sequence[Examined]) -> tuple[str, ...]:
    """What those trainings remarked, in their words."""
    return tuple(f"{one.name}: {remark}." for one in every if one.said_collapsed for remark in one.remarks)
