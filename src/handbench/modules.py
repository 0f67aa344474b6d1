"""What can be trained: every kind of module and its own settings, checked in the config and on the command line alike.

A kind's name is the name of its file in methods/; where a paper has several, `<file>.<part>`. The settings stand here
and not in that file because the workflow reads them, and it must not load torch. A new method's stand in a file of
their own beside this one, <method>_modules.py, which ends in KINDS: it is found by its name.
"""

import importlib
import json
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from handbench.errors import BadInput
from handbench.module_settings import (
    Augmentation,
    Fitting,
    Kind,
    RootMeanSquare,
    Settings,
    SynthesizerFitting,
    UpdaterFitting,
)
from handbench.module_settings import Precision as Precision

Filters = Annotated[int, Field(ge=4, multiple_of=4)]


class NearestNeighbour(Settings):
    """Nearest-neighbour search (crossing 5.3)."""

    components: Annotated[int, Field(ge=1, le=4096)] = 512
    """Principal components of the depth patch that are compared: Sec. 5.3."""


class Loop(Settings):
    """Predictor, synthesizer and updater put together: nothing is trained."""

    iterations: Annotated[int, Field(ge=1)] = 2
    """Sec. 4.7 of 2015."""
    frames: Annotated[int, Field(ge=1)] | None = None
    """So many evenly spaced test frames; null: all of them."""


class ImageSearch(Settings):
    """Image-based optimisation (feedback15 4.5, feedback19 5.4): nothing is trained."""

    optimiser: Literal["lbfgsb", "scipy", "pso"] = "lbfgsb"
    """L-BFGS-B for many frames at once, scipy's for one after the other, or a particle swarm."""
    iterations: Annotated[int, Field(ge=1)] = 100
    """At most so many, or generations of the swarm: ours."""
    frames: Annotated[int, Field(ge=1)] | None = None
    """So many evenly spaced test frames; null: all of them."""
    particles: Annotated[int, Field(ge=2)] = 64
    """Of the swarm: ours."""
    spread: Annotated[float, Field(gt=0)] = 0.1
    """Of the first swarm around the predictor's pose, in half cube edges: ours."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the swarm."""


class HandRenderer(Settings):
    """The hand model drawn in the place of a synthesizer network: nothing to set."""


class Feedback15Predictor(RootMeanSquare):
    """The simple predictor (feedback15 3.2)."""

    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    """Sec. 4.1: at the start."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.001
    """Sec. 3.2: gamma of Eq. 5."""


class Feedback15DeepPrior(RootMeanSquare):
    """DeepPrior, the better initialisation "Init 2" (feedback15 4.4, its reference [21])."""

    components: Annotated[int, Field(ge=1)] = 30
    """Of the pose prior: Sec. 4.4."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.001
    """As for the simple predictor."""


class Feedback15Synthesizer(SynthesizerFitting, RootMeanSquare):
    """The synthesizer with a linear output (feedback15 3.3)."""

    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    """Sec. 4.1: at the start."""


class Feedback15Updater(UpdaterFitting, RootMeanSquare):
    """The Siamese updater (feedback15 3.4)."""


class Feedback19Localizer(Fitting):
    """The localizer (feedback19 3.2)."""

    joint: Annotated[str, Field(min_length=1)] = "F3_KNU1_A"
    """Where the cube goes: the middle finger's MCP (Sec. 3.2), on NYU index 16. The authors' program takes PALM_3."""


class Feedback19Predictor(Fitting):
    """DeepPrior++ (feedback19 3.3)."""

    components: Annotated[int, Field(ge=1)] = 30
    """Of the pose prior: Fig. 5."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """The authors' published program."""
    stage_filters: list[Filters] = Field(default=[64, 128, 256, 256], min_length=1)
    """Channels of the residual stages: the authors' published program."""
    residual_modules: Annotated[int, Field(ge=1)] = 5
    """Of each stage: the authors' published program."""


class Feedback19Synthesizer(SynthesizerFitting):
    """The synthesizer with a tanh output (feedback19 3.4)."""


class Feedback19Updater(UpdaterFitting):
    """The updater of stacked images (feedback19 3.5)."""


class Feedback19Joint(Fitting):
    """Predictor, synthesizer and updater trained together (feedback19 3.6)."""

    iterations: Annotated[int, Field(ge=1)] = 2
    """n of Eqs. 12 and 13, which the text leaves open: as many as the loop makes in use."""
    random_start: bool = False
    """Whether networks of the same sizes start anew in the place of those trained apart, as Sec. 3.6 tried in vain."""


class DeepModelFitting(Fitting):
    """What the networks of deepmodel are trained by: gradient descent with momentum, no augmentation."""

    epochs: Annotated[int, Field(ge=1)] = 100
    """Ours; Sec. 3.2: until convergence."""
    batch: Annotated[int, Field(ge=1)] = 512
    """Sec. 3.2."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.003
    """Sec. 3.2, of losses that are means over the batch."""
    last_rate_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Sec. 3.2 names one rate."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Sec. 3.2."""
    channels: Annotated[int, Field(ge=1)] = 8
    """Of every convolution: Sec. 3.2."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Sec. 3.2."""
    augmentation: Augmentation = Augmentation(scale=0.0, shift_mm=0.0, turn_deg=0.0)
    """The paper has none."""


class DeepModelHand(DeepModelFitting):
    """The hand model layer behind the network, trained on joints (deepmodel 3.2)."""

    palm_numbers: Literal[3, 6] = 3
    """That the network gives for the palm's turn: its angles (Sec. 3.1), or two columns of its matrix (ours), which
    have no seam where they jump by a whole turn."""
    physical_weight: Annotated[float, Field(ge=0)] = 1.0
    """Lambda of Eq. 3, Sec. 3.2; 0: "ours w/o phy" of Table 1."""


class DeepModelJoint(DeepModelFitting):
    """Direct joint: the network without the layer (deepmodel 4.1)."""


class DeepModelParameter(DeepModelFitting):
    """Direct parameter: the network trained on fitted poses (deepmodel 4.1)."""

    physical_weight: Annotated[float, Field(ge=0)] = 0.0
    """Of Eq. 2 beside the parameters' own loss: 1 in the footnote of Sec. 4.1."""

    @model_validator(mode="after")
    def _leave_rotations(self) -> "DeepModelParameter":
        if self.augmentation.turn_deg:
            raise ValueError("turned patches show no rigid hand whose parameters are known: turn_deg is 0 here")
        return self


_LOOP = ("predictor", "synthesizer", "updater")

KINDS: dict[str, Kind] = {
    "nearest_neighbour": Kind(NearestNeighbour, "predictor"),
    "feedback15.predictor": Kind(Feedback15Predictor, "predictor", spreads=True),
    "feedback15.deepprior": Kind(Feedback15DeepPrior, "predictor", spreads=True),
    "feedback15.synthesizer": Kind(Feedback15Synthesizer, "synthesizer", predicts=False, probes=True, spreads=True),
    "feedback15.updater": Kind(Feedback15Updater, "updater", _LOOP[:2], predicts=False, spreads=True),
    "feedback_loop": Kind(Loop, "loop", _LOOP, whole=True, probes=True),
    "image_search": Kind(ImageSearch, "search", _LOOP[:2], whole=True, probes=True),
    "hand_renderer": Kind(HandRenderer, "synthesizer", predicts=False, learns_images=False),
    "feedback19.localizer": Kind(Feedback19Localizer, "localizer", predicts=False, probes=True, spreads=True),
    "feedback19.predictor": Kind(Feedback19Predictor, "predictor", spreads=True),
    "feedback19.synthesizer": Kind(Feedback19Synthesizer, "synthesizer", predicts=False, probes=True, spreads=True),
    "feedback19.updater": Kind(Feedback19Updater, "updater", _LOOP[:2], predicts=False, spreads=True),
    "feedback19.joint": Kind(Feedback19Joint, "loop", _LOOP, whole=True, probes=True, trains_needs=True, spreads=True),
    "deepmodel.hand": Kind(DeepModelHand, "predictor", probes=True, fitted=True, spreads=True),
    "deepmodel.joint": Kind(DeepModelJoint, "predictor", fitted=True, spreads=True),
    "deepmodel.parameter": Kind(DeepModelParameter, "predictor", fitted=True, spreads=True),
}


def _add_kinds(folder: Path, known: Mapping[str, Kind]) -> dict[str, Kind]:
    """These kinds, and those of every <method>_modules.py of a folder of the package, by the files' names."""
    found = dict(known)
    for file in sorted(folder.glob("*_modules.py")):
        kinds: dict[str, Kind] = importlib.import_module(f"handbench.{file.stem}").KINDS
        if twice := sorted(found.keys() & kinds.keys()):
            raise BadInput(file, expected="kinds that no other file has", found=twice[0], fix="give it another name")
        found |= kinds
    return found


KINDS = _add_kinds(Path(__file__).parent, KINDS)


def method_file(kind: str) -> str:
    """The file that a kind lives in, below the package."""
    return f"methods/{kind.partition('.')[0]}.py"


def explain_needs(kind: str, needs: Sequence[str]) -> str:
    """Why a kind cannot start from modules of these kinds; empty where it can."""
    one, asked = KINDS[kind], KINDS[kind].needs
    given = tuple(KINDS[needed].gives for needed in needs)
    if given not in (asked, asked + one.may_need):
        wanted = ", then ".join(f"a {part}" for part in asked) or "nothing"
        wanted += "".join(f", or a {part} with it" for part in one.may_need)
        return f"{kind} needs {wanted}, not {', '.join(given) or 'nothing'}"
    others = [needed for needed in needs if one.trains_needs and method_file(needed) != method_file(kind)]
    if others:
        return f"{kind} trains on what it needs, and knows no {others[0]}"
    drawn = [needed for needed in needs if not KINDS[needed].learns_images]
    if one.gives == "search" and drawn:
        return f"{kind} follows the gradient of a synthesizer network, and {drawn[0]} has none"
    return ""


def explain_spread(kind: str, settings: Settings, processes: int) -> str:
    """Why so many processes cannot train a kind together; empty where they can."""
    if processes == 1:
        return ""
    if not KINDS[kind].spreads:
        return f"{kind} is trained by one process: one device on one node"
    batch, least = getattr(settings, "batch", processes), KINDS[kind].least_rows
    if batch % processes:
        return f"a batch of {batch} cannot be shared evenly by {processes} processes"
    if batch < least * processes:
        return f"a batch of {batch} gives each of {processes} processes fewer than the {least} frames that {kind} needs"
    return ""


def check_settings(kind: str, values: Mapping[str, Any]) -> Settings:
    """The settings of a kind with its defaults, or one line on the first wrong one."""
    if kind not in KINDS:
        raise BadInput("module", expected=f"a kind: {', '.join(KINDS)}", found=repr(kind), fix="choose one of these")
    model = KINDS[kind].settings
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        known = ", ".join(model.model_fields)
        if first["type"] == "value_error":
            found = str(first["ctx"]["error"])
            raise BadInput(kind, expected="settings that agree", found=found, fix="mend them") from None
        if first["type"] == "extra_forbidden":
            raise BadInput(kind, expected=f"settings among {known}", found=name, fix="mend the name") from None
        expected, found = first["msg"].removeprefix("Input should be "), reprlib.repr(first["input"])
        raise BadInput(kind, expected=f"{name} to be {expected}", found=found, fix="mend it") from None


def parse_settings(words: Sequence[str]) -> dict[str, Any]:
    """`name=value` of the command line; a value is JSON where it can be read as such, else the text itself."""
    settings = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise BadInput("--set", expected="NAME=VALUE such as components=512", found=repr(word), fix="mend it")
        try:
            settings[name] = json.loads(text)
        except ValueError:
            settings[name] = text
    return settings
