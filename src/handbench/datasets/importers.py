"""One door to the formats: a dataset's name to its frames."""

from collections.abc import Callable
from pathlib import Path

from handbench.datasets import dexter, handobject, hands, icvl, msra, msra14, nyu, wristband
from handbench.datasets.listing import Listing
from handbench.errors import BadInput

IMPORTERS: dict[str, Callable[[Path, str], Listing]] = {
    "nyu": nyu.list_frames,
    "icvl": icvl.list_frames,
    "msra": msra.list_frames,
    "msra14": msra14.list_frames,
    "dexter": dexter.list_frames,
    "handobject": handobject.FILES.list_frames,
    "hands": hands.FILES.list_frames,
    "wristband": wristband.list_frames,
}


def list_frames(dataset: str, root: Path, split: str, *, revised: Path | None = None) -> Listing:
    """The frames of a split in published order; MSRA's only split is "all", its folds are chosen by subject later.

    `revised` are annotations that take the place of the shipped ones; only Dexter+Object has any.
    """
    if dataset not in IMPORTERS:
        raise BadInput(
            "dataset",
            expected=f"one of {', '.join(IMPORTERS)}",
            found=repr(dataset),
            fix="name one of those; a new dataset needs a module in handbench.datasets and a line in importers.py",
        )
    if revised is None:
        return IMPORTERS[dataset](root, split)
    if dataset != dexter.DEXTER.name:
        raise BadInput(
            revised,
            expected="dexter with revised annotations",
            found=dataset,
            fix="leave --revised out, or its setting",
        )
    if not revised.exists():
        raise BadInput(
            revised, expected="revised annotations, a file or a folder", found="no such path", fix="check the path"
        )
    return dexter.list_frames(root, split, revised=revised)
