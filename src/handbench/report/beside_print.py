"""This run beside the published methods of a figure: curves, and bars of joints."""

from collections.abc import Callable, Sequence

from handbench.evaluation.tables import FigureData
from handbench.report.comparisons import add_run, build_curves
from handbench.report.items import Absent, Item
from handbench.report.sources import NOT_RUN, Sources
from handbench.report.stamps import SEPARATOR, stamp_results

DASHED = "This run's curves are dashed."


def build_beside(
    name: str,
    title: str,
    data: FigureData | None,
    dataset: str,
    modules: Sequence[str],
    sources: Sources,
    *,
    without: str,
    build: Callable[..., Item] = build_curves,
    notes: Sequence[str] = (),
    apart: str = DASHED,
) -> Item:
    """Published methods, and this run's modules beside them: as curves, or as `build` draws them.

    `without` says why nothing is published here, `apart` how this run's are told from the others.
    """
    pooled = [one for module in modules for one in sources.pool(dataset=dataset, module=module)]
    joined = add_run(data, dataset, pooled, sources)
    if joined is None:
        return Absent(name, title, f"This run: {NOT_RUN}. {without}")
    stamp = "" if data is None else sources.stamp(dataset)
    if pooled:
        ours = stamp_results([one for group in pooled for one in group.results])
        stamp = f"{stamp}{SEPARATOR}this run: {ours}" if stamp else ours
    missing = [module for module in modules if not sources.find_results(dataset=dataset, module=module)]
    told = (
        *notes,
        *((without,) if data is None else ()),
        *((f"Not drawn, as this run has not made them: {', '.join(missing)}.",) if missing else ()),
        *((apart, *sources.caution) if pooled else ()),
    )
    return build(name, title, joined, stamp, told)
