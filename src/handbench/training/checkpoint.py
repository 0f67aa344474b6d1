"""A trained module on disk: its tensors as safetensors, and a sealed card that says what they are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from handbench.datasets.files import check_digest, digest_file, replace_file
from handbench.errors import BadInput
from handbench.methods import Trained
from handbench.modules import check_settings
from handbench.sealed import read_sealed, seal
from handbench.training.card_layout import check_training

MOST_PX = 4096
"""Edge of a patch: a card that claims more would have a network built that no memory holds."""
FORMAT = "handbench checkpoint"
VERSION = 2
CARD = "checkpoint.json"
TENSORS = "checkpoint.safetensors"
DIGEST = "sha256_of_tensors"
COMMIT = "commit"
"""Entry of a card: that of the code which trained it; None outside a checkout. Cards of older releases have none."""
DESCRIBES = {"kind": str, "settings": dict, "joints": list, "size_px": int, "parts": list}
"""What a network is built from, and of which type each is."""
_AGAIN = "delete the folder and train again"


@dataclass(frozen=True)
class Checkpoint:
    """What training has made; `card` holds kind, module, settings, seed, fold, dataset, centre and the protocol.

    One that is put together from others holds their cards in `parts`, and their tensors under `<place>/<name>`. Where
    it has trained them on, the tensors are what became of them; the cards say how they are built and began.
    """

    folder: Path
    card: dict[str, Any]
    state: dict[str, Tensor]
    handed_on_as: str = ""
    """The name that it was packed by, if it was: not always that of its module."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.handed_on_as or str(self.card["module"])

    @property
    def trained(self) -> Trained:
        """The module as methods know it."""
        if wrong := _find_fault(self.card):
            raise BadInput(self.folder / CARD, expected="the card of a network", found=wrong, fix=_AGAIN)
        return _as_trained(self.card, self.state)

    @property
    def commits(self) -> tuple[str, ...]:
        """Those that it and its parts were trained at, each once, as far as the cards tell."""
        return tuple(sorted(set(_list_commits(self.card))))


def _list_commits(card: dict[str, Any]) -> list[str]:
    own = [card[COMMIT]] if isinstance(card.get(COMMIT), str) else []
    return [*own, *(commit for part in card["parts"] for commit in _list_commits(part))]


def _as_trained(card: dict[str, Any], state: dict[str, Tensor]) -> Trained:
    parts = [
        _as_trained(part, {name.partition("/")[2]: value for name, value in state.items() if _is_of(place, name)})
        for place, part in enumerate(card["parts"])
    ]
    return Trained(
        kind=card["kind"],
        settings=check_settings(card["kind"], card["settings"]),
        state={name: value for name, value in state.items() if "/" not in name},
        joints=len(card["joints"]),
        size_px=card["size_px"],
        parts=tuple(parts),
    )


def _is_of(place: int, name: str) -> bool:
    return name.startswith(f"{place}/")


def save_checkpoint(
    folder: Path, state: dict[str, Tensor], card: dict[str, Any], *, parts: Sequence[Checkpoint] = ()
) -> None:
    """Tensors first, the card last: a folder without a card is no checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    card = {**card, "parts": [part.card for part in parts]}
    # What training has made of a part stands in the place of what the part was.
    state = {f"{i}/{name}": value for i, part in enumerate(parts) for name, value in part.state.items()} | state
    (folder / CARD).unlink(missing_ok=True)
    # Not safetensors' own writer: it knows no umask, and a full disk is an error of its own kind.
    replace_file(folder / TENSORS, save({name: tensor.contiguous() for name, tensor in state.items()}))
    content = {"format": FORMAT, "version": VERSION, **card, DIGEST: digest_file(folder / TENSORS)}
    replace_file(folder / CARD, (json.dumps(seal(content), indent=1) + "\n").encode())


def load_checkpoint(folder: Path) -> Checkpoint:
    """A checkpoint whose files are those that training wrote."""
    card = _read_card(folder / CARD)
    path = folder / TENSORS
    check_digest(path, card.get(DIGEST), holds="the tensors of a checkpoint", by="its card", fix=_AGAIN)
    try:
        return Checkpoint(folder, card, load_file(path))
    except (OSError, SafetensorError) as error:
        raise BadInput(path, expected="tensors", found=str(error), fix=_AGAIN) from None


def find_checkpoint(word: Path, results: Path = Path("results")) -> Path:
    """The folder that a person means: itself, or the one of its seeds, or of a module's name below `results`."""
    if word.name == CARD and word.is_file():
        return word.parent
    if (word / CARD).is_file():
        return word
    places = sorted(word.glob(f"*/{CARD}")) if word.is_dir() else sorted(results.glob(f"*/train/*/{word}/*/{CARD}"))
    if len(places) == 1:
        return places[0].parent
    raise BadInput(
        word,
        expected=f"a checkpoint's folder, or a module's name that is trained once below {results}",
        found=", ".join(str(place.parent) for place in places) or "none",
        fix="name one of them" if places else "run `handbench train`, or name the folder that it wrote",
    )


def _read_card(path: Path) -> dict[str, Any]:
    holds = "the card of a checkpoint"
    if not path.exists():
        raise BadInput(path, expected=holds, found="no file", fix="run `handbench train`")
    card = read_sealed(path, FORMAT, VERSION, holds=holds, fix=_AGAIN, older="train with this release")
    check_training(path, card, holds=holds, fix=_AGAIN)
    return card


def _find_fault(card: Any) -> str:
    """What keeps a card, or that of a part, from describing a network; empty where nothing does."""
    if not isinstance(card, dict):
        return "a card that is no object"
    for name, kind in DESCRIBES.items():
        if not isinstance(card.get(name), kind) or isinstance(card.get(name), bool):
            return f"{card[name]!r} for its {name}" if name in card else f"no {name}"
    if not all(isinstance(joint, str) for joint in card["joints"]) or not 0 < card["size_px"] <= MOST_PX:
        return "joints that are no words, or a size of no patch"
    return next((fault for part in card["parts"] if (fault := _find_fault(part))), "")
