"""Curves of this run beside those of the published methods of a figure."""

from collections.abc import Sequence

from handbench.evaluation.tables import FigureData
from handbench.report.comparisons import add_run, build_curves
from handbench.report.items import Absent, Item
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamps import SEPARATOR, stamp_results

DASHED = "This run's curves are dashed."


def build_curves_beside(
    name: str,
    title: str,
    data: FigureData | None,
    dataset: str,
    modules: Sequence[str],
    sources: Sources,
    *,
    without: str,
) -> Item:
    """Published methods, and this run's modules dashed beside them; `without` says why nothing is published here."""
    pooled = [one for module in modules for one in sources.pool(dataset=dataset, module=module)]
    joined = add_run(data, dataset, pooled, sources)
    if joined is None:
        return Absent(name, title, f"This run: {NOT_RUN}. {without}")
    stamp = "" if data is None else sources.stamp(dataset)
    if pooled:
        ours = stamp_results([one for group in pooled for one in group.results])
        stamp = f"{stamp}{SEPARATOR}this run: {ours}" if stamp else ours
    missing = [module for module in modules if not sources.find_results(dataset=dataset, module=module)]
    notes = (
        *((without,) if data is None else ()),
        *((f"Not drawn, as this run has not made them: {', '.join(missing)}.",) if missing else ()),
        *((DASHED, *sources.caution) if pooled else ()),
    )
    return build_curves(name, title, joined, stamp, notes)
