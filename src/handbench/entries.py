"""Of which kind each entry of a file is that others have left: what its readers look for is there, and can be.

A seal tells that a file is as somebody wrote it, not that it says what its readers look for: results are copied from
machine to machine, and models come from strangers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from handbench.conventions import DATASETS
from handbench.errors import BadInput

LONGEST = 20_000
"""Letters of one entry; the longest by right is a command with every setting."""
UNKNOWN_DATASET = "unknown_dataset"


class Entry(BaseModel):
    """Kinds as JSON has them: no word is a number; what a newer release says besides is left alone."""

    model_config = ConfigDict(strict=True)


def _is_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a text of several lines, or with what cannot be printed")
    return text


def _is_dataset(text: str) -> str:
    if text not in DATASETS:
        raise PydanticCustomError(UNKNOWN_DATASET, "a dataset of this program", {"found": text})
    return text


Line = Annotated[str, Field(max_length=LONGEST), AfterValidator(_is_line)]
Dataset = Annotated[str, Field(max_length=LONGEST), AfterValidator(_is_dataset)]
Seed = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0, le=1 << 50)]


def check_entries(
    where: str | Path, layout: type[Entry], content: Any, *, holds: str, fix: str, within: str = ""
) -> None:
    """BadInput unless a file has what its readers look for; the first entry that is wrong is named."""
    try:
        layout.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == UNKNOWN_DATASET:
            check_dataset(where, first["ctx"]["found"])
        raise BadInput(where, expected=holds, found=_explain(first, within), fix=fix) from None


def check_dataset(where: str | Path, name: str) -> None:
    """BadInput where a file is of a dataset that was added to another checkout."""
    if name not in DATASETS:
        fix = "use the checkout that made it, or add the dataset (docs/howto/add-a-dataset.md)"
        raise BadInput(where, expected="a dataset of this program", found=repr(name), fix=fix) from None


def _explain(wrong: Mapping[str, Any], within: str) -> str:
    """What is wrong with the first wrong entry, which is named by the way to it."""
    place = f"{within}{'.'.join(map(str, wrong['loc']))}"
    if wrong["type"] == "missing":
        return f"no {place}"
    if wrong["type"] == "extra_forbidden":
        return f"{place}, which nothing here knows"
    if wrong["type"] == "value_error":
        return f"{place}: {wrong['ctx']['error']}".removeprefix(": ")
    kind = wrong["msg"].removeprefix("Input should be ").replace("a valid integer", "an integer")
    return f"{place}, which should be {kind.replace('a valid ', 'a ')}"
