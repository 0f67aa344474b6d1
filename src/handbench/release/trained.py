"""What the folders of runs have to hand on: trained modules by their names, at the largest scale that one reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from handbench.config import Config
from handbench.conventions import DATASETS, HANDOBJECT, HANDS, NYU
from handbench.errors import BadInput
from handbench.modules import KINDS
from handbench.provenance import CALL, Place, read_call, read_place
from handbench.training.checkpoint import CARD, load_checkpoint
from handbench.training.handed_on import NAME
from handbench.training.prediction_file import read_card
from handbench.training.tracking_log import LOG, read_log

SCALES = get_args(Config.model_fields["scale"].annotation)
"""Smallest first."""
PLAIN = (NYU.name, HANDS.name, HANDOBJECT.name)
"""What most modules learn from: their names stand for themselves, those of others have the dataset behind them."""
NOT_TRAINED = ("nearest_neighbour", "image_search", "hand_renderer")
"""Kinds that hold training frames, or nothing of their own."""
_RUN = "a folder such as results/demo-embedded, in which the pipeline has trained"


@dataclass(frozen=True)
class Found:
    """A trained module in the folder of a run."""

    run: Path
    place: Place
    folder: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """What it is called where nobody says otherwise."""
        module, dataset = self.place.module, self.place.dataset
        return module if dataset in PLAIN else f"{module}-{dataset}"

    @property
    def is_localizer(self) -> bool:
        return bool(KINDS[self.card["kind"]].gives == "localizer")

    @property
    def rank(self) -> tuple[int, int]:
        """What a larger training has more of."""
        return SCALES.index(self.place.scale), int(self.card["frames"])

    def in_run(self, path: str) -> Path:
        """A path of a card, which is seen from where the pipeline ran, wherever the run's folder is now."""
        _, inside, below = Path(path).as_posix().rpartition(f"{self.run.name}/")
        return self.run / below if inside else Path(path)

    def as_target(self, path: str) -> str | None:
        """The same as a call of the workflow names it; None of what lies outside of the run."""
        _, inside, below = Path(path).as_posix().rpartition(f"{self.run.name}/")
        return f"results/{self.run.name}/{below}" if inside else None

    def sibling(self, stage: str, dataset: str | None = None) -> Path:
        """The folder of another stage's result of it."""
        return self.run / stage / (dataset or self.place.dataset) / self.place.module / f"seed{self.place.seed}"

    def read_call(self) -> dict[str, Any]:
        """The call of the workflow that trained it, as its own log has it; else the last one of its run."""
        log = self.folder / LOG
        runs = read_log(log) if log.is_file() else []
        start = runs[-1].start if runs else {}
        told = start.get("call") or ({} if runs else read_call(self.run / CALL))
        return {"command": told.get("command"), "commit": start.get("tags", {}).get("commit") or told.get("commit")}


def choose_models(runs: Sequence[Path], only: Sequence[str], seed: int) -> dict[str, Found]:
    """The models to hand on, by their names; `only` has names, or NAME=MODULE for another name than the module's.

    Of several trainings of a name the one of the largest scale, of those the first named run's. Which seed is for
    whoever packs to say: the best one on test frames would be a choice by test frames.
    """
    every = [one for run in runs for one in list_trained(run, seed)]
    known: dict[str, Found] = {}
    for one in every:
        if one.name not in known or one.rank > known[one.name].rank:
            known[one.name] = one
    if not only:
        return _require_some(known, runs, seed)
    chosen = {}
    for word in only:
        name, _, module = word.partition("=")
        if not NAME.fullmatch(name):
            found, fix = repr(name), "use letters, digits, dots, hyphens and underscores"
            raise BadInput("--only", expected="a name that can be a folder's", found=found, fix=fix)
        if (module or name) not in known:
            raise BadInput(
                "--only",
                expected=f"a module trained with seed {seed} that can be handed on: {', '.join(sorted(known))}",
                found=module or name,
                fix="name one of these, or add the folder of the run that has it to --from",
            )
        chosen[name] = known[module or name]
    return chosen


def list_trained(run: Path, seed: int) -> list[Found]:
    """Everything in a run's folder that can be used by itself: what gives joints, and what finds a hand."""
    if not (run / "train").is_dir():
        lacks = "no such folder" if not run.is_dir() else "no folder train/ in it"
        raise BadInput(run, expected=_RUN, found=lacks, fix="name one with --from")
    found: list[Found] = []
    for path in sorted(run.glob(f"train/*/*/seed{seed}/{CARD}")):
        place = read_place(path.parent)
        if place is None:
            raise BadInput(run, expected=_RUN, found=run.name, fix="name one whose name says <scale>-<source>")
        card = load_checkpoint(path.parent).card
        if _is_of_use(card):
            found.append(Found(run, place, path.parent, card))
    return found


def _is_of_use(card: dict[str, Any]) -> bool:
    """A fold's network is one of nine, of which each is for other frames."""
    kind = KINDS.get(card["kind"])
    if kind is None or card["kind"] in NOT_TRAINED or card["fold"] is not None:
        return False
    return kind.predicts or kind.gives == "localizer"


def _require_some(known: dict[str, Found], runs: Sequence[Path], seed: int) -> dict[str, Found]:
    if not known:
        fix = "let it train a loop, a predictor or a localizer first"
        raise BadInput(runs[0], expected=f"modules trained with seed {seed}", found="none to hand on", fix=fix)
    return known


def find_tested(one: Found) -> tuple[str, Path]:
    """The dataset and the crops that a module was tested on, or else those beside the crops that it learned from."""
    for dataset in DATASETS:
        card = read_card(one.sibling("predict", dataset) / "predictions.npz")
        if card is not None:
            return dataset, one.in_run(card["store"])
    learned = one.in_run(one.card["store"])
    dataset = one.card["dataset"]
    store = learned.with_name(DATASETS[dataset].splits[-1]) if dataset in DATASETS else learned
    if store == learned or not store.is_dir():
        fix = "run `handbench predict` or the pipeline's evaluation of it first"
        raise BadInput(one.folder, expected=f"crops that it is tested on, as {store}", found="none", fix=fix)
    return dataset, store
