"""The entry of a module in the config: what it says of itself, and which settings its kind takes."""

import difflib
import operator
import re
from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from handbench.conventions import LOCALIZED, SYNTHESIZED
from handbench.module_settings import Settings, TrainedBy
from handbench.modules import KINDS

if TYPE_CHECKING:
    DatasetName = str
else:
    # No list to keep: a dataset that can be synthesized can be named.
    DatasetName = Literal[tuple(SYNTHESIZED)]
Paper = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
RenderedWord = Literal["train", "spheres", "cylinders", "composed"]
"""Sets of hands with objects."""
SetWord = Literal["train", "spheres", "cylinders", "composed", "hands"]
Subject = Literal["P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8"]
Count = Annotated[int, Field(ge=1)]

CENTRES = ("joint", "com", "block", "seen", LOCALIZED, "joint-<name>", "com-<mm>")


def find_nearest(word: str, known: Sequence[str]) -> str:
    return difflib.get_close_matches(word, known, n=1, cutoff=0.0)[0]


def _check_centre_word(word: str) -> str:
    named = word.startswith("joint-") and word.removeprefix("joint-").isidentifier()
    if word not in CENTRES[:5] and not named and not re.fullmatch(r"com-\d{2,4}", word):
        near = find_nearest(word, CENTRES)
        raise ValueError(f"centre {word!r} where {', '.join(CENTRES)} belong; did you mean {near}?")
    return word


def _check_once(subjects: list[str]) -> list[str]:
    if len(set(subjects)) < len(subjects):
        raise ValueError(f"{', '.join(subjects)} where each subject may stand once")
    return subjects


Centre = Annotated[str, AfterValidator(_check_centre_word)]


class Strict(BaseModel):
    """Unknown keys are errors, and "3" is not 3."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PaperSettings(Strict):
    """What a paper's protocol fixes before any network is built."""

    centre: Centre
    centres: dict[DatasetName, Centre] = Field(default_factory=dict)
    """Of datasets that have another word for it: no two label the same joints."""

    def centre_on(self, dataset: DatasetName) -> str:
        return self.centres.get(dataset, self.centre)


class Module(Strict, TrainedBy):
    """What every trained module says of itself; its kind says which settings it takes."""

    kind: str
    title: Annotated[str, Field(min_length=1)]
    paper: Paper
    datasets: list[DatasetName]
    needs: list[str] = []
    centre: Centre | None = None
    """Other crops than those of its paper."""
    folds: Annotated[list[Subject], Field(min_length=1), AfterValidator(_check_once)] | None = None
    """MSRA's subjects that are left out, a training each; null for all nine."""
    settings: Settings


class RenderedModule(Module):
    """Hand and object together: learned from rendered frames, tested on Dexter+Object."""

    learns: RenderedWord = "train"
    """The rendered set that it learns from."""


def _make_entry(kind: str) -> type[Module]:
    """The entry of one kind: what all say, and its own settings."""
    known = KINDS[kind]
    return create_model(
        "".join(word.title() for word in re.split(r"[._]", kind)) + "Module",
        __base__=RenderedModule if known.renders else Module,
        __doc__=known.settings.__doc__,
        kind=(Literal[kind], ...),  # type: ignore[arg-type]
        settings=(known.settings, known.settings()),
    )


ENTRIES = {kind: _make_entry(kind) for kind in KINDS}
if TYPE_CHECKING:
    ModuleEntry = Module
else:
    ModuleEntry = Annotated[reduce(operator.or_, ENTRIES.values()), Field(discriminator="kind")]
