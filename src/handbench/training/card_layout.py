"""What stands on the card of a model that is handed on, and in the list of a folder of models, of which kind each.

A seal tells that a file is as somebody wrote it, not that it says what its readers look for: models come from
strangers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from handbench.conventions import DATASETS
from handbench.errors import BadInput

LONGEST = 20_000
"""Letters of one entry; the longest by right is a command with every setting."""
FARTHEST_MM = 1e6


def _is_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a text of several lines, or with what cannot be printed")
    return text


def _is_dataset(text: str) -> str:
    if text not in DATASETS:
        raise ValueError(f"{text[:80]!r}, which is no dataset of this program")
    return text


Line = Annotated[str, Field(max_length=LONGEST), AfterValidator(_is_line)]
Dataset = Annotated[str, Field(max_length=LONGEST), AfterValidator(_is_dataset)]
Length = Annotated[float, Field(ge=-FARTHEST_MM, le=FARTHEST_MM, allow_inf_nan=False)]
Edge = Annotated[float, Field(gt=0, le=FARTHEST_MM, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1 << 50)]
Place = Annotated[list[Length], Field(min_length=3, max_length=3)]
Range = Annotated[list[Length], Field(min_length=2, max_length=2)]


class _Entry(BaseModel):
    """Kinds as JSON has them: no word is a number; what a newer release says besides is left alone."""

    model_config = ConfigDict(strict=True)


class File(_Entry):
    bytes: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Content(_Entry):
    """What a card knows the digests of: these files and no other, since their names become paths."""

    model_config = ConfigDict(strict=True, extra="forbid")

    text: File = Field(alias="card.md")
    tensors: File = Field(alias="model.safetensors")
    frame: File = Field(alias="frame.npy")


class Files(Content):
    """What a manifest knows them of."""

    card: File = Field(alias="card.json")


class Data(_Entry):
    dataset: Line
    source: Line
    scale: Line
    frames: Count
    centre: Line
    size_px: Count
    licence: Line


class Training(_Entry):
    seed: int
    converged: bool


class CropCentre(_Entry):
    strategy: Line


class Protocol(_Entry):
    dataset: Line
    source: Line
    centre: CropCentre
    joints: Line


class Told(_Entry):
    """An error with its interval, where there are frames enough for one."""

    mean_mm: Length
    interval_mm: Range | None


class Errors(_Entry):
    float16: Told
    float32: Told
    float16_less_float32: Told
    frames: Count


class RealFrame(_Entry):
    """Errors on the one real frame, each with a word for it in card.md."""

    model_config = ConfigDict(strict=True, extra="forbid")

    found_mm: Length
    labelled_centre_mm: Length = 0
    centre_of_mass_mm: Length = 0
    found_float32_mm: Length = 0


class CropFrame(_Entry):
    """The crop that lies beside a model, and what the model says of it."""

    centre_mm: Place
    cube_mm: Edge
    points_mm: Annotated[list[Place], Field(min_length=1)]
    within_mm: Edge


class Poses(_Entry):
    cube_mm: Edge


class Held(_Entry):
    kind: Line
    edges_mm: Annotated[list[Range], Field(min_length=3, max_length=3)]


class Checkpoint(_Entry):
    """What someone with a camera asks of the card of a training; what its network is built from is looked at there."""

    kind: Line
    module: Line
    dataset: Dataset
    centre: CropCentre
    poses: Poses | None = None
    held: Held | None = None


class Shown(_Entry):
    """What a list shows of a model."""

    kind: Line
    paper: Line
    data: Data
    protocol: Protocol
    error: Errors
    real_frame: RealFrame | None
    commit: Line | None


class Listed(Shown):
    """A model in the manifest."""

    files: Files


class Card(Shown):
    name: Line
    module: Line
    citation: Line
    training: Training
    frame: CropFrame
    command: Line
    inputs: Line
    again: list[Line]
    licence: Line
    checkpoint: Checkpoint
    files: Content


def check_card(path: Path, content: Mapping[str, Any], *, holds: str, fix: str) -> None:
    """BadInput unless a card has what its readers look for."""
    _check(path, Card, content, holds=holds, fix=fix)


def check_listed(path: Path, name: str, content: Any, *, holds: str, fix: str) -> None:
    """The same of a model in a manifest."""
    _check(path, Listed, content, holds=holds, fix=fix, within=f"{name}.")


def _check(path: Path, model: type[_Entry], content: Any, *, holds: str, fix: str, within: str = "") -> None:
    try:
        model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(path, expected=holds, found=_explain(first, within), fix=fix) from None


def _explain(wrong: Mapping[str, Any], within: str) -> str:
    """What is wrong with the first wrong entry, which is named by the way to it."""
    place = f"{within}{'.'.join(map(str, wrong['loc']))}"
    if wrong["type"] == "missing":
        return f"no {place}"
    if wrong["type"] == "extra_forbidden":
        return f"{place}, which nothing here knows"
    if wrong["type"] == "value_error":
        return f"{place}: {wrong['ctx']['error']}"
    kind = wrong["msg"].removeprefix("Input should be ").replace("a valid integer", "an integer")
    return f"{place}, which should be {kind.replace('a valid ', 'a ')}"
