"""One file a paper; the report shows them in this order."""

from collections.abc import Callable

from handbench.report.items import Section
from handbench.report.sections import crossing, deepmodel, feedback15, feedback19, refine
from handbench.report.sources import Sources

SECTIONS: tuple[Callable[[Sources], Section], ...] = (
    feedback15.build_section,
    feedback19.build_section,
    deepmodel.build_section,
    refine.build_section,
    crossing.build_section,
)
