"""A model as the checkpoint that training would have written: what `handbench models unpack` does."""

from pathlib import Path

from handbench.errors import BadInput
from handbench.training.checkpoint import CARD, Checkpoint, save_checkpoint
from handbench.training.handed_on import load_any

OF_THE_FILE = ("format", "version", "sha256_of_tensors", "sha256", "parts")
"""What saving a checkpoint writes on its card anew."""


def unpack_model(name: str, out: Path) -> str:
    """Write a model's checkpoint to a folder of its own, for whatever takes one: a crop store, further training."""
    if (out / CARD).exists():
        raise BadInput(out, expected="a folder without a checkpoint", found="one with it", fix="choose another --out")
    checkpoint = load_any(Path(name))
    write_plain(checkpoint, out)
    return f"{name}: {checkpoint.card['kind']} in {out}"


def write_plain(checkpoint: Checkpoint, folder: Path) -> None:
    """A folder as training writes it, of these tensors."""
    card = {key: value for key, value in checkpoint.card.items() if key not in OF_THE_FILE}
    parts = [Checkpoint(folder, part, {}) for part in checkpoint.card["parts"]]
    save_checkpoint(folder, checkpoint.state, card, parts=parts)
