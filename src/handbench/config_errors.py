"""What is wrong with settings, as one line that names the key: pydantic's errors in the project's words."""

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from handbench.errors import BadInput
from handbench.module_entries import ENTRIES
from handbench.modules import KINDS


def explain_errors(errors: Sequence[Any], where: str, model: type[BaseModel]) -> BadInput:
    """One line on the first wrong key of settings that are no such model."""
    # A misspelt key also leaves the right one missing: the unknown key is the one to name.
    first = next((e for e in errors if e["type"] in ("extra_forbidden", "invalid_key")), errors[0])
    whole = [part for part in first["loc"] if part != "[key]"]
    # The kind of a module stands in the path of what is wrong within it; nobody wrote it there.
    path = ".".join(str(part) for part in whole if part not in KINDS) or "config"
    if first["type"] == "extra_forbidden" or "[key]" in first["loc"]:
        return _explain_unknown_key(whole, path, where, model)
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        given = first["input"].get("kind") if isinstance(first["input"], dict) else first["input"]
        return BadInput(where, expected=f"{path}.kind to be {_join(KINDS)}", found=_show(given), fix="see config.yaml")
    if first["type"] == "missing":
        return BadInput(where, expected=f"a value for {path}", found="none", fix="add it; config.yaml explains it")
    if first["type"] == "value_error":
        return BadInput(where, expected="settings that agree", found=str(first["ctx"]["error"]), fix="see config.yaml")
    if first["type"] == "invalid_key":
        return BadInput(where, expected="keys that are words", found=_show(first["input"]), fix="see config.yaml")
    expected = first["msg"].removeprefix("Input should be ").split(" or instance of ")[0]
    expected = expected.replace("a valid integer", "an integer").replace("a valid ", "a ")
    return BadInput(where, expected=f"{path} to be {expected}", found=_show(first["input"]), fix="see config.yaml")


def _show(given: Any) -> str:
    """What stands there, shortened: aliases make trees of a few lines that no memory could print."""
    return reprlib.repr(given)


def _join(words: Iterable[str]) -> str:
    return " or ".join(repr(word) for word in words)


def _explain_unknown_key(location: Sequence[Any], path: str, where: str, model: type[BaseModel]) -> BadInput:
    known = _keys_at(location[:-1], model)
    near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
    fix = f"did you mean {near[0]}?" if near else "remove it"
    return BadInput(where, expected="only known keys", found=f"{path} (known here: {', '.join(known)})", fix=fix)


def _keys_at(location: Sequence[Any], model: type[BaseModel]) -> list[str]:
    """The keys that the model knows at a place of the settings tree."""
    here: Any = model
    for part in location:
        if part in KINDS:
            here = ENTRIES[part]
        else:
            here = here.model_fields[part].annotation if _is_model(here) else get_args(here)[-1]
    if _is_model(here):
        return list(here.model_fields)
    keys = get_args(here)[0]
    return [str(key) for key in get_args(keys)] if get_origin(keys) is Literal else []


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
