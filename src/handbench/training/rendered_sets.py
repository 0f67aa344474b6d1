"""Which rendered sets a checkpoint has learned from, itself or by what it started from: word and digest of each."""

from collections.abc import Mapping, Sequence
from typing import Any

from handbench.errors import BadInput

RENDERED = "rendered"
"""Of the protocol of crops, and of the cards of checkpoints, predictions and probes."""
Sets = dict[str, str]


def merge_rendered(own: Mapping[str, str], others: Sequence[Mapping[str, Any]]) -> Sets:
    """Those of crops and of the cards of checkpoints together; refused where two sets of one word differ."""
    found: Sets = dict(own)
    for card in others:
        for word, sha256 in card.get(RENDERED, {}).items():
            if found.setdefault(word, sha256) != sha256:
                raise BadInput(
                    card["module"],
                    expected=f"one that learned from the rendered set {tell_rendered({word: found[word]})}",
                    found=tell_rendered({word: sha256}),
                    fix="train everything on frames of one rendering",
                )
    return found


def tell_rendered(sets: Mapping[str, str]) -> str:
    """In words, with enough of each digest to tell one set from another."""
    return ", ".join(f"{word} ({sha256[:12]})" for word, sha256 in sets.items())
