"""A trained network as it is handed on: half precision tensors, and a sealed card that says what it is.

<folder>/manifest.json            names of the models in the folder, with the digests of their files
<folder>/<name>/card.json         the model card for machines; card.md is the same for people
<folder>/<name>/model.safetensors the state dict in half precision
<folder>/<name>/frame.npy         a crop, and in the card the joints that the model gives of it

Loaded, it is a checkpoint like any other, of float32 tensors; its card is that of its training.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from handbench.datasets.files import digest_file
from handbench.errors import BadInput
from handbench.provenance import CHECKOUT
from handbench.sealed import read_sealed
from handbench.training.card_layout import check_card
from handbench.training.checkpoint import Checkpoint, find_checkpoint, load_checkpoint

FORMAT, VERSION = "handbench model", 1
CARD, TEXT, TENSORS, FRAME = "card.json", "card.md", "model.safetensors", "frame.npy"
CONTENT = (TEXT, TENSORS, FRAME)
"""What a card knows the digests of."""
REPOSITORY = CHECKOUT / "models"
"""Models that are part of the repository; a package that was installed without it has none."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""A model's name is a folder's name on every disk and in every address."""
_AGAIN = "fetch it again (`handbench models fetch`), or pack it again"


def find_cache() -> Path:
    """Where fetched models lie."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "handbench" / "models"


def list_places() -> tuple[Path, ...]:
    """Folders that models are looked for in by their names: what somebody has fetched comes before what was there."""
    return find_cache(), REPOSITORY


def halve(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Half precision where a tensor has fractions and all of it fits; counts, and what is too large, stay."""
    largest = torch.finfo(torch.float16).max
    return {
        name: value.half() if value.is_floating_point() and not (value.abs() > largest).any() else value
        for name, value in state.items()
    }


def restore(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors as networks have them."""
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def read_model_card(folder: Path) -> dict[str, Any]:
    """The card of a model, as packing wrote it."""
    path = folder / CARD
    if not path.exists():
        fix = "name a folder that `handbench models pack` or `fetch` wrote"
        raise BadInput(path, expected="the card of a model", found="no file", fix=fix)
    holds, older = "a card as packing wrote it", "fetch it with the release that it was made for"
    card = read_sealed(path, FORMAT, VERSION, holds=holds, fix=_AGAIN, older=older)
    check_card(path, card, holds=holds, fix=_AGAIN)
    return card


def check_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """BadInput unless these files of a model are those that a card or a manifest knows; the first other is named."""
    for name, told in files.items():
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size != told["bytes"]:
            found = "no file" if size is None else f"{size:,}"
            raise BadInput(path, expected=f"{told['bytes']:,} bytes", found=found, fix=_AGAIN)
        if (digest := digest_file(path)) != told["sha256"]:
            raise BadInput(path, expected=f"sha256 {told['sha256'][:12]}...", found=digest[:12], fix=_AGAIN)


def load_handed_on(folder: Path) -> Checkpoint:
    """The checkpoint that was packed, with what half precision left of its tensors."""
    card = read_model_card(folder)
    check_files(folder, {TENSORS: card["files"][TENSORS]})
    try:
        checkpoint = Checkpoint(folder, card["checkpoint"], restore(load_file(folder / TENSORS)), card["name"])
    except (OSError, SafetensorError) as error:
        raise BadInput(folder / TENSORS, expected="tensors", found=str(error), fix=_AGAIN) from None
    try:
        checkpoint.trained.build()
    except (BadInput, RuntimeError, LookupError) as error:
        # Networks may have changed since it was packed: unlike results, models travel between releases.
        wrong = error.found if isinstance(error, BadInput) else str(error)
        raise BadInput(
            folder,
            expected=f"the tensors of {card['kind']} as this program builds it",
            found="others, " + " ".join(wrong.split())[:80],
            fix=f"fetch a newer one, or use the program that packed it (commit {card['commit']})",
        ) from None
    return checkpoint


def list_names(place: Path) -> list[str]:
    """Models in a folder, by their names."""
    return sorted(card.parent.name for card in place.glob(f"*/{CARD}") if NAME.fullmatch(card.parent.name))


def find_handed_on(name: str) -> Path | None:
    """The folder of a model, where one of that name has been fetched or lies in the repository."""
    if not NAME.fullmatch(name):
        return None
    return next((place / name for place in list_places() if (place / name / CARD).is_file()), None)


def load_any(word: Path) -> Checkpoint:
    """What a person means: a folder of either kind, a module trained below `results`, or a model by its name.

    What was trained here goes first. A name says which file it was taken for.
    """
    if (word / CARD).is_file():
        return load_handed_on(word)
    handed_on = find_handed_on(str(word))
    try:
        folder = find_checkpoint(word)
    except BadInput as missing:
        if missing.found != "none":
            raise
        if handed_on is not None:
            checkpoint = load_handed_on(handed_on)
            print(f"{word}: taken from {handed_on}, {tell_scale(read_model_card(handed_on))}", flush=True)
            return checkpoint
        known = sorted({name for place in list_places() for name in list_names(place)})
        fix = f"{missing.fix}, or one of the models handed on: {', '.join(known) or 'none are here'}"
        raise BadInput(word, expected=missing.expected, found=missing.found, fix=fix) from None
    if not word.exists():
        besides = f"; the model handed on in {handed_on} is named by that folder" if handed_on else ""
        print(f"{word}: taken from {folder}, trained here{besides}", flush=True)
    return load_checkpoint(folder)


def tell_scale(card: dict[str, Any]) -> str:
    """What it has learned from, in a few words."""
    data = card["data"]
    return f"trained on {data['frames']:,} {data['source']} {data['dataset']} frames ({data['scale']} scale)"
