"""What stands on the card of a training and of a model that is handed on, and in the list of a folder of models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from handbench.entries import Count, Dataset, Entry, Line, check_entries

FARTHEST_MM = 1e6

Length = Annotated[float, Field(ge=-FARTHEST_MM, le=FARTHEST_MM, allow_inf_nan=False)]
Edge = Annotated[float, Field(gt=0, le=FARTHEST_MM, allow_inf_nan=False)]
Place = Annotated[list[Length], Field(min_length=3, max_length=3)]
Range = Annotated[list[Length], Field(min_length=2, max_length=2)]


class File(Entry):
    bytes: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Content(Entry):
    """What a card knows the digests of: these files and no other, since their names become paths."""

    model_config = ConfigDict(strict=True, extra="forbid")

    text: File = Field(alias="card.md")
    tensors: File = Field(alias="model.safetensors")
    frame: File = Field(alias="frame.npy")


class Files(Content):
    """What a manifest knows them of."""

    card: File = Field(alias="card.json")


class Data(Entry):
    dataset: Line
    source: Line
    scale: Line
    frames: Count
    centre: Line
    size_px: Count
    licence: Line


class Training(Entry):
    seed: int
    converged: bool


class CropCentre(Entry):
    strategy: Line


class Protocol(Entry):
    dataset: Line
    source: Line
    centre: CropCentre
    joints: Line


class Told(Entry):
    """An error with its interval, where there are frames enough for one."""

    mean_mm: Length
    interval_mm: Range | None


class Errors(Entry):
    float16: Told
    float32: Told
    float16_less_float32: Told
    frames: Count


class RealFrame(Entry):
    """Errors on the one real frame, each with a word for it in card.md."""

    model_config = ConfigDict(strict=True, extra="forbid")

    found_mm: Length
    labelled_centre_mm: Length = 0
    centre_of_mass_mm: Length = 0
    found_float32_mm: Length = 0


class CropFrame(Entry):
    """The crop that lies beside a model, and what the model says of it."""

    centre_mm: Place
    cube_mm: Edge
    points_mm: Annotated[list[Place], Field(min_length=1)]
    within_mm: Edge


class Poses(Entry):
    cube_mm: Edge


class Held(Entry):
    kind: Line
    edges_mm: Annotated[list[Range], Field(min_length=3, max_length=3)]


class Checkpoint(Entry):
    """What is asked of the card of a training besides what its network is built from, which is looked at there."""

    kind: Line
    module: Line
    dataset: Dataset
    centre: CropCentre
    poses: Poses | None = None
    held: Held | None = None
    parts: list["Checkpoint"] = Field(default_factory=list)


class Shown(Entry):
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
    check_entries(path, Card, content, holds=holds, fix=fix)


def check_listed(path: Path, name: str, content: Any, *, holds: str, fix: str) -> None:
    """The same of a model in a manifest."""
    check_entries(path, Listed, content, holds=holds, fix=fix, within=f"{name}.")


def check_training(path: Path, content: Mapping[str, Any], *, holds: str, fix: str) -> None:
    """The same of the card of a training, and of those that it is put together from."""
    check_entries(path, Checkpoint, content, holds=holds, fix=fix)
