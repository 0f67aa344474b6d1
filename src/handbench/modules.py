"""What can be trained: every kind of module and its own settings, checked in the config and on the command line alike.

A kind's name is the name of its file in methods/; where a paper has several, `<file>.<part>`. The settings stand here
and not in that file because the workflow reads them, and it must not load torch.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handbench.errors import BadInput


class Settings(BaseModel):
    """Unknown keys are errors, and "3" is not 3."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NearestNeighbour(Settings):
    """Nearest-neighbour search (crossing 5.3)."""

    components: Annotated[int, Field(ge=1, le=4096)] = 512
    """Principal components of the depth patch that are compared: Sec. 5.3."""


class Augmentation(Settings):
    """How far a crop is moved before a network sees it; see `loop.augmentation`."""

    scale: Annotated[float, Field(ge=0, le=0.3)] = 0.02
    """Standard deviation of the cube's relative size: ours."""
    shift_mm: Annotated[float, Field(ge=0, le=50)] = 5.0
    """Standard deviation of each coordinate of the cube's centre: ours."""
    turn_deg: Annotated[float, Field(ge=0, le=180)] = 180.0
    """Largest turn in the image plane: ours; the text of 2015 says nothing of augmentation."""


class Feedback15Predictor(Settings):
    """The simple predictor (feedback15 3.2)."""

    epochs: Annotated[int, Field(ge=1)] = 100
    """Sec. 4.1."""
    batch: Annotated[int, Field(ge=1)] = 64
    """Sec. 4.1."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.01
    """Sec. 4.1: at the start."""
    last_rate_share: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Ours: Sec. 4.1 says that the rate decays, not how far; here by the same factor each step, to this share."""
    rms_decay: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Sec. 4.1."""
    gradient_limit: Annotated[float, Field(gt=0)] = 0.01
    """Sec. 4.1: each entry of the gradient is truncated to it."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.001
    """Sec. 3.2: gamma of Eq. 5."""
    augmentation: Augmentation = Augmentation()


KINDS: dict[str, type[Settings]] = {
    "nearest_neighbour": NearestNeighbour,
    "feedback15.predictor": Feedback15Predictor,
}


def method_file(kind: str) -> str:
    """The file that a kind lives in, below the package."""
    return f"methods/{kind.partition('.')[0]}.py"


def check_settings(kind: str, values: Mapping[str, Any]) -> Settings:
    """The settings of a kind with its defaults, or one line on the first wrong one."""
    if kind not in KINDS:
        raise BadInput("module", expected=f"a kind: {', '.join(KINDS)}", found=repr(kind), fix="choose one of these")
    model = KINDS[kind]
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        known = ", ".join(model.model_fields)
        if first["type"] == "extra_forbidden":
            raise BadInput(kind, expected=f"settings among {known}", found=name, fix="mend the name") from None
        expected = first["msg"].removeprefix("Input should be ")
        raise BadInput(kind, expected=f"{name} to be {expected}", found=repr(first["input"]), fix="mend it") from None


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
