"""The settings of a run: YAML files laid over one another, checked once, handed on as plain values.

The JSON schema of these models is workflow/schemas/config.schema.yaml; config.yaml explains every key.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from handbench.conventions import BOXES, DATASETS, DEXTER, HANDOBJECT, HANDS, LOCALIZED, ONE_HAND, WRISTBAND
from handbench.errors import BadInput
from handbench.module_entries import (
    Centre,
    Count,
    DatasetName,
    Feedback19LocalizerModule,
    Module,
    Paper,
    SetWord,
    Strict,
    find_nearest,
)
from handbench.modules import KINDS, explain_needs, method_file

Seed = Annotated[int, Field(ge=0)]

TRAINABLE = ("nyu", "icvl", "msra", WRISTBAND.name)
"""Datasets with frames to train on and others to test on; MSRA by leaving each subject out in turn."""
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


class PaperSettings(Strict):
    """What a paper's protocol fixes before any network is built."""

    centre: Centre
    centres: dict[DatasetName, Centre] = Field(default_factory=dict)
    """Of datasets that have another word for it: no two label the same joints."""

    def centre_on(self, dataset: DatasetName) -> str:
        return self.centres.get(dataset, self.centre)


class Published(Strict):
    """The published predictions that the papers' comparisons are recomputed from."""

    use: bool
    mirrors: list[str] = Field(default_factory=list)


ModuleEntry = Annotated[Module, Field(discriminator="kind")]
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
        if WRISTBAND.name in self.use and self.source == "real" and not self.datasets[WRISTBAND.name].path:
            raise ValueError(f"datasets.{WRISTBAND.name}.path: nobody publishes this set; name your own recording")
        for name, dataset in self.datasets.items():
            _check_splits(name, dataset)
            for centre in dataset.centres:
                _check_centre(name, centre)
        _check_render(self)
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
            word
            for word, module in self.modules.items()
            if isinstance(module, Feedback19LocalizerModule) and dataset in module.datasets
        ]

    @property
    def run_folder(self) -> Path:
        """Where this run's results go: the scale and the source are part of every path."""
        return Path(self.results) / f"{self.scale}-{self.source}"


def load_config(paths: Sequence[Path]) -> Config:
    """Read YAML files, each laid over the ones before it, and check the result."""
    layers: dict[Any, Any] = {}
    for path in paths:
        layers = lay_over(layers, _read_yaml(path))
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
        raise _explain(error.errors(include_url=False), where) from None


def schema() -> dict[str, Any]:
    """The JSON schema of the whole configuration; Snakemake's `validate` needs the `$schema` line."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Config.model_json_schema()


def write_schema(path: Path) -> None:
    """Write the schema file that editors and Snakemake read."""
    head = "# Generated from src/handbench/config.py by `make schema`; a test holds it current.\n"
    path.write_text(head + yaml.safe_dump(schema(), sort_keys=False, width=120), encoding="utf-8")


def _read_yaml(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(path, expected="a readable YAML file", found=_reason(error), fix="check its path") from None
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        found = " ".join(str(error).split())
        raise BadInput(path, expected="YAML", found=found, fix="mend the line it names") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadInput(path, expected="keys and values", found=type(values).__name__, fix="see config.yaml")
    return values


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else f"bytes that are not UTF-8 ({error})"


def _explain(errors: Sequence[Any], where: str) -> BadInput:
    # A misspelt key also leaves the right one missing: the unknown key is the one to name.
    first = next((e for e in errors if e["type"] in ("extra_forbidden", "invalid_key")), errors[0])
    whole = [part for part in first["loc"] if part != "[key]"]
    # The kind of a module stands in the path of what is wrong within it; nobody wrote it there.
    path = ".".join(str(part) for part in whole if part not in KINDS) or "config"
    if first["type"] == "extra_forbidden" or "[key]" in first["loc"]:
        return _unknown_key(whole, path, where)
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        given = first["input"].get("kind") if isinstance(first["input"], dict) else first["input"]
        return BadInput(where, expected=f"{path}.kind to be {_join(KINDS)}", found=repr(given), fix="see config.yaml")
    if first["type"] == "missing":
        return BadInput(where, expected=f"a value for {path}", found="none", fix="add it; config.yaml explains it")
    if first["type"] == "value_error":
        return BadInput(where, expected="settings that agree", found=str(first["ctx"]["error"]), fix="see config.yaml")
    if first["type"] == "invalid_key":
        return BadInput(where, expected="keys that are words", found=repr(first["input"]), fix="see config.yaml")
    expected = first["msg"].removeprefix("Input should be ").split(" or instance of ")[0]
    expected = expected.replace("a valid integer", "an integer").replace("a valid ", "a ")
    return BadInput(where, expected=f"{path} to be {expected}", found=repr(first["input"]), fix="see config.yaml")


def _join(words: Iterable[str]) -> str:
    return " or ".join(repr(word) for word in words)


def _unknown_key(location: Sequence[Any], path: str, where: str) -> BadInput:
    known = _keys_at(location[:-1])
    near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    fix = f"did you mean {near[0]}?" if near else "remove it"
    return BadInput(where, expected="only known keys", found=f"{path} (known here: {', '.join(known)})", fix=fix)


def _keys_at(location: Sequence[Any]) -> list[str]:
    """The keys that the model knows at a place of the settings tree."""
    here: Any = Config
    for part in location:
        if part in KINDS:
            here = next(kind for kind in get_args(Module) if part in get_args(kind.model_fields["kind"].annotation))
        else:
            here = here.model_fields[part].annotation if _is_model(here) else get_args(here)[-1]
    if _is_model(here):
        return list(here.model_fields)
    keys = get_args(here)[0]
    return [str(key) for key in get_args(keys)] if get_origin(keys) is Literal else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


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
            if isinstance(module, Feedback19LocalizerModule):
                _check_centre(name, f"joint-{module.settings.joint}", where=f"modules.{word}")
    if KINDS[module.kind].learns_hands:
        _check_boxes(word, module, config)
    for needed in module.needs:
        if needed not in config.modules:
            near = find_nearest(needed, list(config.modules))
            raise ValueError(f"modules.{word} needs {needed!r}; the nearest module there is {near!r}")
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
