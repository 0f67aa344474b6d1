"""What is to be known of a module beside its joints: what `handbench probe` does."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from handbench.datasets.lock import hold_alone
from handbench.datasets.torch_dataset import CropDataset, open_crops
from handbench.datasets.truth import read_truth
from handbench.errors import BadInput
from handbench.methods import Numbers, Trained, load_method
from handbench.modules import KINDS
from handbench.provenance import read_place
from handbench.training.checkpoint import Checkpoint, load_checkpoint
from handbench.training.latent_pictures import WITH_LATENTS, take_latent_pictures
from handbench.training.picture_file import Pictures
from handbench.training.pictures import take_pictures
from handbench.training.predict import check_store, check_unseen
from handbench.training.prediction_file import TRAINED_AT
from handbench.training.probe_file import divide_numbers, save_probe
from handbench.training.rendered_sets import RENDERED
from handbench.training.tested_frames import prepare_frames

_OF_THE_CHECKPOINT = ("kind", "module", "paper", "settings", "seed", "converged")


def probe(folder: Path, store: Path, learned: Path, out: Path, *, threads: int = 1, truth: Path | None = None) -> str:
    """Probe a checkpoint on test crops; `learned` are the crops of its training.

    `truth` is the truth.npz of embedded test frames with objects.
    """
    checkpoint = load_checkpoint(folder)
    card, fold = checkpoint.card, checkpoint.card["fold"]
    ask = load_method(card["kind"]).probe
    if ask is None:
        known = ", ".join(kind for kind, one in KINDS.items() if one.probes)
        raise BadInput(folder, expected=f"a module with more to tell: {known}", found=card["kind"], fix="name another")
    with hold_alone(out):
        crops = open_crops(store=store, split="test" if fold else None, fold=fold, joints="scored")
        check_store(card, crops)
        check_unseen(checkpoint, crops)
        _check_truth(folder, card, truth)
        if KINDS[card["kind"]].renders:
            crops = prepare_frames(crops, card, truth)
        known_crops = open_crops(store=learned, split="train" if fold else None, fold=fold, joints="scored")
        check_store(card, known_crops)
        _check_learned(card, known_crops)
        torch.set_num_threads(threads)
        with torch.no_grad():
            numbers, arrays = divide_numbers(ask(checkpoint.trained, crops, known_crops))
            of_truth, more_arrays = divide_numbers(_ask_truth(checkpoint, crops, truth))
            numbers, arrays = numbers | of_truth, arrays | more_arrays
            pictures = _take_pictures(checkpoint.trained, crops, known_crops)
        place = read_place(out)
        content = {key: card[key] for key in _OF_THE_CHECKPOINT} | {
            "dataset": crops.store.card["protocol"]["dataset"],
            "source": card["source"],
            "scale": place.scale if place else "",
            "centre": crops.store.card["protocol"]["centre"]["strategy"],
            "sha256_of_checkpoint": card["sha256"],
            RENDERED: card.get(RENDERED, {}),
            TRAINED_AT: list(checkpoint.commits),
            "numbers": numbers,
        }
        save_probe(out, content, pictures, arrays)
    return f"{card['module']}: probed on {len(crops):,} frames of {store}"


def _take_pictures(trained: Trained, crops: CropDataset, learned: CropDataset) -> Pictures:
    if trained.kind == WITH_LATENTS:
        return take_latent_pictures(trained, crops, learned)
    return take_pictures(trained, crops)


def _ask_truth(checkpoint: Checkpoint, crops: CropDataset, truth: Path | None) -> Numbers:
    """What the truth of embedded frames tells besides, of kinds that ask for it."""
    ask = load_method(checkpoint.card["kind"]).probe_truth
    return (
        ask(checkpoint.trained, crops, read_truth(truth, crops.store.card["protocol"]["split"]))
        if ask and truth
        else {}
    )


def _check_truth(folder: Path, card: Mapping[str, Any], truth: Path | None) -> None:
    """Some points only embedded data knows."""
    kind = KINDS[card["kind"]]
    if truth is None and kind.asks_truth:
        raise BadInput(
            folder,
            expected="--truth with the truth.npz of embedded frames",
            found="none",
            fix="name it; the labels of real frames do not tell where this module's point is",
        )
    if truth and not (kind.renders or kind.probes_truth):
        raise BadInput(folder, expected="no --truth for a hand alone", found=str(truth), fix="leave --truth out")


def _check_learned(card: Mapping[str, Any], learned: CropDataset) -> None:
    """What is set against the crops of the training must not see those of the test."""
    if learned.store.card["sha256"] != card["sha256_of_store"]:
        raise BadInput(
            learned.store.path,
            expected=f"the crops that {card['module']} learned from (sha256 {card['sha256_of_store'][:12]}...)",
            found="others",
            fix=f"name their store: it was {card['store']}",
        )
