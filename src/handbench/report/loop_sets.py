"""The figures of a loop on data sets beside NYU: those of the paper, again, on each set that the config names."""

from collections.abc import Callable, Mapping

from handbench.conventions import DATASETS
from handbench.report.items import Absent, Item
from handbench.report.sources import NOT_RUN, Sources

OTHER_SETS = ("icvl", "msra")

Again = tuple[str, Callable[..., Item]]
"""The title of a figure with a place, {}, for that of the set; and what builds it of name, title and `dataset`."""


def build_sets(paper: str, loop: str, figures: Mapping[str, Again], sources: Sources) -> tuple[Item, ...]:
    """The figures, by their names on NYU, of every other set; one line where the config names a set but no loop on it.

    A set that the config does not name is left out.
    """
    items: list[Item] = []
    for dataset in OTHER_SETS:
        title = DATASETS[dataset].title
        if _is_asked(dataset, loop, sources):
            for name, (words, build) in figures.items():
                items.append(build(f"{name}_{dataset}", words.format(title), dataset=dataset))
        elif dataset in sources.card.settings.get("use", ()):
            why = f"This run: {NOT_RUN}. Its config has no {loop} on this data set."
            items.append(Absent(f"{paper}_{dataset}", f"{paper}: the figures on {title}", why))
    return tuple(items)


def build_on_nyu(figures: Mapping[str, Again]) -> tuple[Item, ...]:
    """The same of NYU, which titles do not name: it is the set of the papers."""
    return tuple(build(name, words.replace(" on {}", "")) for name, (words, build) in figures.items())


def _is_asked(dataset: str, loop: str, sources: Sources) -> bool:
    settings = sources.card.settings
    asked = (settings.get("modules") or {}).get(loop) or {}
    named = dataset in settings.get("use", ()) and dataset in asked.get("datasets", ())
    return named or bool(sources.find_results(dataset=dataset, module=loop))
