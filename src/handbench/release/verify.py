"""Whether models are what was packed, and still say what they said: what `handbench models verify` does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handbench.errors import BadInput
from handbench.release.card import render_card
from handbench.release.look import look_at_crop
from handbench.release.manifest import MANIFEST, SHOWN, read_listed, read_manifest, refuse_strangers
from handbench.training.handed_on import (
    CARD,
    TEXT,
    check_files,
    list_names,
    list_places,
    load_handed_on,
    read_model_card,
)

_AGAIN = "fetch or pack the folder again"


@dataclass(frozen=True)
class Verdict:
    """Of one model."""

    folder: Path
    off_mm: float | None
    """How far its points of the stored crop lie from those on the card; None where it got no so far."""
    fault: BadInput | None = None


def verify_models(place: Path, only: Sequence[str] = ()) -> list[Verdict]:
    """Every model of a folder, or those named."""
    manifest = read_manifest(place / MANIFEST)
    known = _name_all(place, manifest)
    if unknown := [name for name in only if name not in known]:
        found = ", ".join(unknown)
        raise BadInput(place, expected=f"models among {', '.join(known)}", found=found, fix="name one of these")
    return [_judge(place / name, manifest.get(name)) for name in only or known]


def verify_everywhere(only: Sequence[str] = ()) -> list[Verdict]:
    """The models of every place that has some; those of a killed fetch may lie there without a manifest."""
    manifests = {
        place: read_listed(place) for place in list_places() if (place / MANIFEST).is_file() or list_names(place)
    }
    if not manifests:
        fix = "fetch some with `handbench models fetch --from ADDRESS`, or name a folder with --in"
        raise BadInput("models", expected=f"some in {list_places()[0]}", found="none", fix=fix)
    there = {place: _name_all(place, manifest) for place, manifest in manifests.items()}
    known = sorted({name for names in there.values() for name in names})
    if unknown := [name for name in only if name not in known]:
        raise BadInput("models", expected=", ".join(known), found=", ".join(unknown), fix="name one of these")
    return [
        _judge(place / name, manifest.get(name))
        for place, manifest in manifests.items()
        for name in only or there[place]
        if name in there[place]
    ]


def tell_verdicts(verdicts: Sequence[Verdict]) -> str:
    """A line each."""
    return "\n".join(
        f"{one.folder}: broken: {one.fault}" if one.fault else f"{one.folder}: sound, points within {one.off_mm:.4f} mm"
        for one in verdicts
    )


def verify_model(folder: Path, entry: Mapping[str, Any]) -> float:
    """How far its points are off, in millimetres; BadInput says what else is wrong."""
    check_files(folder, entry["files"])
    refuse_strangers(folder)
    card = read_model_card(folder)
    if other := [key for key in SHOWN if card[key] != entry[key]]:
        found = f"another {other[0]}"
        raise BadInput(folder / CARD, expected="what the manifest lists", found=found, fix=_AGAIN)
    check_files(folder, card["files"])
    if (folder / TEXT).read_bytes() != render_card(card).encode():
        raise BadInput(folder / TEXT, expected="what card.json says", found="another text", fix="pack it again")
    told = card["frame"]
    points_mm, known_mm = look_at_crop(load_handed_on(folder), folder, told), np.array(told["points_mm"])
    if points_mm.shape != known_mm.shape:
        found = f"shape {points_mm.shape}"
        raise BadInput(folder, expected=f"points of shape {known_mm.shape}", found=found, fix="pack it again")
    off_mm = float(np.linalg.norm(points_mm - known_mm, axis=1).max())
    if not off_mm <= told["within_mm"]:
        raise BadInput(
            folder,
            expected=f"the card's points of its crop within {told['within_mm']:g} mm",
            found=f"{off_mm:.3g} mm",
            fix="use the commit on its card, or pack it again with this program",
        )
    return off_mm


def _name_all(place: Path, manifest: Mapping[str, Any]) -> list[str]:
    """What the manifest lists, and what lies beside it."""
    return [*manifest, *(name for name in list_names(place) if name not in manifest)]


def _judge(folder: Path, entry: Mapping[str, Any] | None) -> Verdict:
    try:
        if entry is None:
            fix = "fetch it again with `handbench models fetch`, or delete it"
            raise BadInput(folder, expected="a model of the manifest", found="one that is not listed there", fix=fix)
        return Verdict(folder, verify_model(folder, entry))
    except BadInput as fault:
        return Verdict(folder, None, fault)
