"""One YAML file of settings: keys and values, every key once."""

from pathlib import Path
from typing import Any

import yaml

from handbench.errors import BadInput
from handbench.plain_file import read_plain


def read_yaml(path: Path) -> dict[Any, Any]:
    """The keys and values of one file."""
    holds, fix = "a readable YAML file", "check its path"
    try:
        text = read_plain(path, holds=holds, fix=fix).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(path, expected=holds, found=f"bytes that are not UTF-8 ({error})", fix=fix) from None
    try:
        values = yaml.load(text, _OnceLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        found = " ".join(str(error).split())
        raise BadInput(path, expected="YAML", found=found, fix="mend the line it names") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadInput(path, expected="keys and values", found=type(values).__name__, fix="see config.yaml")
    return values


class _OnceLoader(yaml.SafeLoader):
    """YAML as Snakemake reads it, but for a key that stands twice: of that it would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
