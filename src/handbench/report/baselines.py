"""The baselines of the feedback papers as rows of their tables, where the papers themselves do not print them."""

from collections.abc import Mapping, Sequence

import pandas as pd

from handbench.evaluation.baselines import BASELINES
from handbench.evaluation.paper_numbers import Printed
from handbench.evaluation.tables import compare_with_print

NOT_PRINTED = "not printed here: a baseline of this project"


def add_baselines(
    rows: Sequence[Printed], measured: pd.DataFrame | None, modules: Mapping[str, str]
) -> tuple[tuple[Printed, ...], pd.DataFrame | None, dict[str, str]]:
    """What `build_comparison` takes, with a row more for each baseline that has none."""
    more = {name: module for name, module in BASELINES.items() if module not in modules.values()}
    added = tuple(Printed(name, None, None, NOT_PRINTED) for name in more)
    if measured is not None and added:
        measured = pd.concat([measured, compare_with_print(added, {})], ignore_index=True)
    return (*rows, *added), measured, {**modules, **more}
