"""The settings of a run: YAML files laid over one another, checked once, handed on as plain values.

The JSON schema of these models is workflow/schemas/config.schema.yaml; config.yaml explains every key.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from handbench.config_errors import explain_errors
from handbench.conventions import (
    AT_HAND,
    BOXES,
    DATASETS,
    DEXTER,
    HANDOBJECT,
    HANDS,
    LOCALIZED,
    ONE_HAND,
    TRAINABLE,
    WRISTBAND,
)
from handbench.entries import Seed
from handbench.module_entries import (
    Centre,
    Count,
    DatasetName,
    Module,
    ModuleEntry,
    Paper,
    PaperSettings,
    SetWord,
    Strict,
    find_nearest,
)
from handbench.modules import KINDS, explain_needs, explain_spread, method_file
from handbench.settings_file import read_yaml

LOCALIZER = "feedback19.localizer"
"""The kind that finds the centres of localized crops."""
WITHOUT_LABELS = "methods/refine.py"
"""What learns from frames alone, as those with the wristband are."""


class Crop(Strict):
    """The depth patch that every network sees."""

    size_px: Annotated[int, Field(ge=16, le=512)]


class Dataset(Strict):
    """One dataset: how much of it to synthesize, where a real copy comes from, which crops to cut."""

    frames: dict[str, Count]
    stride: dict[str, Count] = Field(default_factory=dict)
    seed: Seed = 0
    centres: Annotated[list[Centre], Field(min_length=1)]
    path: str | None = None
    revised: str | None = None
    mirrors: list[str] = Field(default_factory=list)
    allow_skips: Annotated[int, Field(ge=0)] = 0


class RenderedSet(Strict):
    """How many frames one set has: with a recorded hand, and fully synthetic ones."""

    semi: Annotated[int, Field(ge=0)] = 0
    full: Annotated[int, Field(ge=0)] = 0


class Render(Strict):
    """Rendered hands to learn from: whose hands objects are rendered before, and how many frames each set has."""

    seed: Seed
    hands: Annotated[list[Literal["msra", "msra14"]], Field(min_length=1)]
    sets: dict[SetWord, RenderedSet]


class Published(Strict):
    """The published predictions that the papers' comparisons are recomputed from."""

    use: bool
    mirrors: list[str] = Field(default_factory=list)


ModuleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Config(Strict):
    """Everything a run may be told."""

    scale: Literal["smoke", "demo", "claims", "paper"]
    source: Literal["embedded", "real"]
    results: Annotated[str, Field(min_length=1)]
    renderer: Literal["auto", "software", "opengl"]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    crop: Crop
    use: Annotated[list[DatasetName], Field(min_length=1)]
    datasets: dict[DatasetName, Dataset]
    render: Render
    papers: dict[Paper, PaperSettings]
    modules: dict[ModuleName, ModuleEntry]
    published: Published

    @model_validator(mode="after")
    def _agree_with_conventions(self) -> "Config":
        for where, words in (("seeds", self.seeds), ("use", self.use)):
            if len(set(words)) < len(words):
                raise ValueError(f"{where}: one stands twice in {', '.join(map(str, words))}")
        for name in self.use:
            if name not in self.datasets:
                raise ValueError(f"use: {name!r} has no entry under datasets")
            if name in AT_HAND and self.source == "real" and not self.datasets[name].path:
                raise ValueError(f"datasets.{name}.path: nobody publishes this set; name your own recording")
        for name, dataset in self.datasets.items():
            _check_splits(name, dataset)
            for centre in dataset.centres:
                _check_centre(name, centre)
        _check_render(self)
        _check_papers(self)
        for word, module in self.modules.items():
            _check_module(word, module, self)
        for name in self.datasets:
            _check_localized(name, self)
        return self

    def centre_of(self, module: str, dataset: DatasetName) -> str:
        """The crops that a module sees of a dataset: its own choice, else that of its paper."""
        asked = self.modules[module]
        return asked.centre or self.papers[asked.paper].centre_on(dataset)

    def localizers_of(self, dataset: str) -> list[str]:
        """The modules that find the centre of a dataset's localized crops: one, where there are such crops."""
        return [
            word for word, module in self.modules.items() if module.kind == LOCALIZER and dataset in module.datasets
        ]

    @property
    def run_folder(self) -> Path:
        """Where this run's results go: the scale and the source are part of every path."""
        return Path(self.results) / f"{self.scale}-{self.source}"


def load_config(paths: Sequence[Path]) -> Config:
    """Read YAML files, each laid over the ones before it, and check the result."""
    layers: dict[Any, Any] = {}
    for path in paths:
        layers = lay_over(layers, read_yaml(path))
    return check_config(layers, where=" + ".join(str(path) for path in paths))


def lay_over(below: Mapping[Any, Any], above: Mapping[Any, Any]) -> dict[Any, Any]:
    """Merge two settings trees as Snakemake merges its --configfile: tables key by key, everything else replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = lay_over(old, value) if both else value  # type: ignore[arg-type]
    return merged


def check_config(values: Mapping[Any, Any], *, where: str = "config") -> Config:
    """Turn a settings tree into a Config, or say in one line what is wrong with the first wrong key."""
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        raise explain_errors(error.errors(include_url=False), where, Config) from None


def schema() -> dict[str, Any]:
    """The JSON schema of the whole configuration; Snakemake's `validate` needs the `$schema` line."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Config.model_json_schema()


def write_schema(path: Path) -> None:
    """Write the schema file that editors and Snakemake read."""
    head = "# Generated from src/handbench/config.py by `make schema`; a test holds it current.\n"
    path.write_text(head + yaml.safe_dump(schema(), sort_keys=False, width=120), encoding="utf-8")


def _check_splits(name: str, dataset: Dataset) -> None:
    splits = DATASETS[name].splits
    strange = [split for split in dataset.stride if split not in splits]
    if strange:
        near = find_nearest(strange[0], splits)
        raise ValueError(f"datasets.{name}.stride has {strange[0]!r}; the nearest that {name} has is {near!r}")
    wrong = [split for split in dataset.frames if split not in splits]
    if wrong:
        near = find_nearest(wrong[0], splits)
        raise ValueError(f"datasets.{name}.frames has {wrong[0]!r}; the nearest that {name} has is {near!r}")
    if set(dataset.frames) != set(splits):
        raise ValueError(f"datasets.{name}.frames has {', '.join(dataset.frames)} where {', '.join(splits)} belong")


def _check_render(config: Config) -> None:
    """Every rendered set has frames, of hands that the config knows."""
    for name in config.render.hands:
        if name not in config.datasets:
            raise ValueError(f"render.hands: {name!r} has no entry under datasets")
    if len(set(config.render.hands)) < len(config.render.hands):
        raise ValueError(f"render.hands: one stands twice in {', '.join(config.render.hands)}")
    missing = [name for name in (*HANDOBJECT.splits, HANDS.name) if name not in config.render.sets]
    if missing:
        raise ValueError(f"render.sets has no {missing[0]!r}")
    empty = [name for name, frames in config.render.sets.items() if not frames.semi + frames.full]
    if empty:
        raise ValueError(f"render.sets.{empty[0]} has neither semi nor full frames")
    if config.render.sets["hands"].semi:
        raise ValueError("render.sets.hands has full frames alone: no recorded hand is in it")


def _check_papers(config: Config) -> None:
    """A paper is whatever modules belong to: one that none belongs to is a misspelt word."""
    known = sorted({module.paper for module in config.modules.values()})
    idle = [paper for paper in config.papers if paper not in known]
    if known and idle:
        raise ValueError(
            f"papers: no module belongs to {idle[0]!r}; the nearest that has some is {find_nearest(idle[0], known)!r}"
        )


def _check_module(word: str, module: Module, config: Config) -> None:
    if module.paper not in config.papers:
        raise ValueError(f"modules.{word}: paper {module.paper!r} has no entry under papers")
    renders = KINDS[module.kind].renders
    for name in module.datasets:
        if renders and name != DEXTER.name:
            raise ValueError(f"modules.{word} learns from rendered frames and is there for {DEXTER.name}, not {name}")
        if not renders and name not in TRAINABLE:
            known = ", ".join(TRAINABLE)
            raise ValueError(f"modules.{word}: {name} has no split to train on; {known} have")
        if KINDS[module.kind].fitted and name not in ONE_HAND:
            known = " and ".join(ONE_HAND)
            raise ValueError(f"modules.{word} learns from one fitted hand, which {known} have and {name} has not")
        if name == WRISTBAND.name and method_file(module.kind) != WITHOUT_LABELS:
            raise ValueError(f"modules.{word} learns from labels, and the training frames of {name} have none")
    if len(set(module.datasets)) < len(module.datasets):
        raise ValueError(f"modules.{word}: a dataset stands twice in {', '.join(module.datasets)}")
    for name in module.datasets:
        if name in config.datasets:
            _check_centre(name, config.centre_of(word, name), where=f"modules.{word}")
            if module.kind == LOCALIZER:
                _check_centre(name, f"joint-{module.settings.model_dump()['joint']}", where=f"modules.{word}")
    if KINDS[module.kind].learns_hands:
        _check_boxes(word, module, config)
    for needed in module.needs:
        if needed not in config.modules:
            near = find_nearest(needed, list(config.modules))
            raise ValueError(f"modules.{word} needs {needed!r}; the nearest module there is {near!r}")
    if told := explain_spread(module.kind, module.settings, module.devices * module.nodes):
        raise ValueError(f"modules.{word}: {told}")
    _check_no_circle(word, config.modules, ())
    _check_parts(word, module, config)
    _check_size(word, module, config.crop.size_px)


def _check_boxes(word: str, module: Module, config: Config) -> None:
    """What learned from rendered hands sees crops of their centre, or either kind of box around a hand."""
    learned = module.centre or config.papers[module.paper].centre
    alike = BOXES if learned in BOXES else (learned,)
    for name in module.datasets:
        if (centre := config.centre_of(word, name)) not in alike:
            told = " or ".join(alike)
            raise ValueError(f"modules.{word} learns from crops of centre {learned}: {name} takes {told}, not {centre}")


def _check_size(word: str, module: Module, size_px: int) -> None:
    """Networks halve the patch or double up to it: what does not come out even is told before anything is trained."""
    if not module.datasets or module.kind == "nearest_neighbour":
        return
    doubles = KINDS[module.kind].gives.endswith("synthesizer") and KINDS[module.kind].learns_images
    if size_px % 8 or (doubles and size_px & (size_px - 1)):
        asked = "16, 32, 64, 128, 256 or 512" if doubles else "multiples of 8"
        raise ValueError(f"crop.size_px: modules.{word} takes {asked}, not {size_px}")
    # 8x8 doubles to the patch.
    stages, asked_for = size_px.bit_length() - 4, len(getattr(module.settings, "stage_epochs", ()))
    if asked_for > stages:
        raise ValueError(
            f"modules.{word}: stage_epochs has {asked_for} numbers, and a patch of {size_px} {stages} stages"
        )


def _check_parts(word: str, module: Module, config: Config) -> None:
    """The needed modules play the parts that the kind asks for, on every dataset of the module."""
    modules = config.modules
    if wrong := explain_needs(module.kind, [modules[needed].kind for needed in module.needs]):
        raise ValueError(f"modules.{word}: {wrong}")
    for needed in module.needs:
        without = [name for name in module.datasets if name not in modules[needed].datasets]
        if without:
            raise ValueError(f"modules.{word} runs on {without[0]}, where {needed}, which it needs, does not")
        if any(config.centre_of(needed, name) != config.centre_of(word, name) for name in module.datasets):
            raise ValueError(f"modules.{word} and {needed}, which it needs, see crops of different centres")


def _check_no_circle(word: str, modules: Mapping[str, Module], seen: tuple[str, ...]) -> None:
    if word in seen:
        raise ValueError(f"modules need one another in a circle: {' -> '.join((*seen, word))}")
    for needed in modules[word].needs if word in modules else ():
        _check_no_circle(needed, modules, (*seen, word))


def _check_localized(name: DatasetName, config: Config) -> None:
    """Localized crops are cut around what one localizer finds in crops of another centre."""
    asking = [f"datasets.{name}.centres"] if LOCALIZED in config.datasets[name].centres else []
    asking += [
        f"modules.{word}"
        for word, module in config.modules.items()
        if name in module.datasets and config.centre_of(word, name) == LOCALIZED
    ]
    if not asking:
        return
    if "train" not in DATASETS[name].splits:
        raise ValueError(f"{asking[0]}: {name} has no split that a localizer could learn from, so no localized crops")
    localizers = config.localizers_of(name)
    if len(localizers) != 1:
        found = " and ".join(localizers) or "none"
        raise ValueError(
            f"{asking[0]}: localized crops of {name} need one module of kind feedback19.localizer, not {found}"
        )
    if config.centre_of(localizers[0], name) == LOCALIZED:
        raise ValueError(f"modules.{localizers[0]}: a localizer cannot learn from the crops that it is to make")


def _check_centre(name: str, centre: str, *, where: str = "") -> None:
    joint = centre.removeprefix("joint-")
    names = DATASETS[name].joints.names
    if centre.startswith("joint-") and joint not in names:
        near = find_nearest(joint, names)
        where = where or f"datasets.{name}.centres"
        raise ValueError(f"{where} names joint {joint!r}; the nearest that {name} has is {near!r}")
