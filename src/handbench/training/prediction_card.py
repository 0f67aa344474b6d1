"""What every card of predictions tells: of which frames they are, and whose."""

from collections.abc import Mapping, Sequence
from typing import Any

from handbench.datasets.torch_dataset import CropDataset
from handbench.training.checkpoint import Checkpoint
from handbench.training.prediction_file import TRAINED_AT
from handbench.training.rendered_sets import RENDERED, merge_rendered

OF_THE_CHECKPOINT = ("kind", "module", "paper", "settings", "seed")


def describe_predictions(checkpoints: Sequence[Checkpoint], crops: CropDataset, frames: int) -> dict[str, Any]:
    """Checkpoints of several folds together; the dataset is that of the frames."""
    first: Mapping[str, Any] = checkpoints[0].card
    protocol = crops.store.card["protocol"]
    return {key: first[key] for key in OF_THE_CHECKPOINT} | {
        "dataset": protocol["dataset"],
        "split": "test" if first["fold"] else protocol["split"],
        "folds": [one.card["fold"] for one in checkpoints if one.card["fold"]],
        "centre": protocol["centre"]["strategy"],
        "frames": frames,
        "protocol": protocol,
        "store": crops.store.path.as_posix(),
        RENDERED: merge_rendered({}, [one.card for one in checkpoints]),
        "converged": all(one.card["converged"] is True for one in checkpoints),
        TRAINED_AT: sorted({commit for one in checkpoints for commit in one.commits}),
        "checkpoints": [{"path": one.folder.as_posix(), "sha256": one.card["sha256"]} for one in checkpoints],
    }
