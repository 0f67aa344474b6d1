"""What the trainings of a run remarked of themselves, read from the cards of its checkpoints.

A run's summary says it (remarks.py): a GAN that has collapsed, for example, is no secret of the file that it left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handbench.conventions import DATASETS, RENDERED
from handbench.entries import check_dataset
from handbench.errors import BadInput
from handbench.sealed import read_whole

CARD = "checkpoint.json"
HOLDS, FIX = "the card of a checkpoint", "delete the folder and train again"


@dataclass(frozen=True)
class Training:
    """One module on one dataset with one seed; of MSRA one for each subject left out."""

    dataset: str
    """Whose it is in the run: what learns from rendered hands may be there for another."""
    module: str
    kind: str
    seed: int
    fold: str
    """The subject left out; empty elsewhere."""
    settings: Mapping[str, Any]
    remarks: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.module} on {DATASETS[self.dataset].title}, seed {self.seed}{self._left_out}"

    @property
    def _left_out(self) -> str:
        return f", without {self.fold}" if self.fold else ""


def read_trainings(run: Path) -> tuple[Training, ...]:
    """Every training of a run, sorted by dataset, module, seed and fold."""
    paths = [path for folder in ("", "fold-*/") for path in run.glob(f"train/*/*/seed*/{folder}{CARD}")]
    found = [_read_training(path, path.relative_to(run).parts[1]) for path in paths]
    return tuple(sorted(found, key=lambda one: (one.dataset, one.module, one.seed, one.fold)))


def select_trainings(trainings: Sequence[Training], settings: Mapping[str, Any]) -> tuple[Training, ...]:
    """Those that the settings of a call ask for, by the rule of `results.select_results`.

    What learns from rendered hands is trained once for all datasets, so it is its module that is asked for.
    """
    modules, use, seeds = settings["modules"], settings["use"], settings["seeds"]
    return tuple(
        one
        for one in trainings
        if one.module in modules
        and one.seed in seeds
        and (one.dataset in RENDERED or (one.dataset in use and one.dataset in modules[one.module]["datasets"]))
        and (not one.fold or one.fold in (modules[one.module].get("folds") or (one.fold,)))
    )


def _read_training(path: Path, dataset: str) -> Training:
    card = read_whole(path, holds=HOLDS, fix=FIX)
    check_dataset(path, dataset)
    try:
        return Training(
            dataset=dataset,
            module=card["module"],
            kind=card["kind"],
            seed=card["seed"],
            fold=card["fold"] or "",
            settings=card["settings"],
            remarks=tuple(card.get("remarks") or ()),
        )
    except (KeyError, TypeError) as error:
        found = f"a damaged or older one ({type(error).__name__}: {error})"
        raise BadInput(path, expected=HOLDS, found=found, fix=FIX) from None
