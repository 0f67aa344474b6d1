"""Which modules are a fixed sequence of operations from a picture to numbers: what ONNX and MLflow can hold."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from handbench.errors import BadInput
from handbench.loop.held_model import Single
from handbench.methods import Trained
from handbench.modules import KINDS

WITHOUT_A_GRAPH = ("image_search", "hand_renderer", "refine.base", "refine.adapted")
"""Kinds that are no fixed sequence of operations, or whose joints are placed by what a camera sees."""
HELD_PICTURE = "handobject.single"
"""Of hand and object the one whose network takes a picture alone; others also take the camera and what is held."""


def list_exportable() -> tuple[str, ...]:
    """Kinds from a picture to joints; a loop unless one of its parts is drawn by a renderer."""
    return tuple(
        kind
        for kind, one in KINDS.items()
        if one.predicts and kind not in WITHOUT_A_GRAPH and (kind == HELD_PICTURE or not one.renders)
    )


def require_exportable(place: Path, kind: str, parts: Sequence[str]) -> None:
    """BadInput names what can be exported, and the way of those that cannot."""
    known = list_exportable()
    wrong = [one for one in parts if one in WITHOUT_A_GRAPH] if kind in known else [kind]
    if wrong:
        raise BadInput(
            place,
            expected=f"one of {', '.join(known)}",
            found=wrong[0],
            fix="export one of those, or run this one by `handbench predict`",
        )


def require_loggable(kind: str, parts: Sequence[str]) -> None:
    """BadInput before a training whose model could not be logged at its end."""
    known = [one for one in list_exportable() if not KINDS[one].renders]
    known += [one for one, told in KINDS.items() if told.gives.endswith("localizer")]
    wrong = [one for one in parts if one in WITHOUT_A_GRAPH] if kind in known else [kind]
    if wrong:
        raise BadInput(
            "--log-model",
            expected=f"a model of a picture alone: {', '.join(known)}",
            found=wrong[0],
            fix="leave --log-model out: the checkpoint holds the whole model",
        )


def pick_network(trained: Trained) -> nn.Module:
    """What goes from a picture to joints, on the CPU; of hand and object to joints and corners, as the network says."""
    model = trained.build().cpu()
    return model.network if isinstance(model, Single) else model
