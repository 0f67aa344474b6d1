"""Joints in camera millimetres for every frame of a crop store: what `handbench predict` does."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64
from numpy import ndarray

from handbench.conventions import BOXES, DEXTER
from handbench.datasets.lock import hold_alone
from handbench.datasets.torch_dataset import CropDataset, open_crops
from handbench.errors import BadInput
from handbench.geometry.crop import unnormalise_joints, unnormalise_pose
from handbench.hand.skeleton import SHAPE_FIELDS
from handbench.loop.crop_data import as_batch, choose_evenly, read_crops
from handbench.methods import SeenHands, load_method
from handbench.modules import KINDS
from handbench.training.checkpoint import Checkpoint, load_checkpoint
from handbench.training.predict_held import predict_held
from handbench.training.prediction_card import describe_predictions
from handbench.training.prediction_file import POSITIONS, save_predictions
from handbench.training.rendered_sets import RENDERED, tell_rendered

SAME = ("kind", "module", "paper", "settings", "seed", "dataset", "centre", "size_px", "joints")
"""What the checkpoints of several folds must agree in."""
OF_THE_HAND = ("hand", "keypoints_mm", "limits_rad")
"""What the card tells beside angles: whose they are, and the bounds that the training frames keep to."""


def predict(folders: Sequence[Path], store: Path, out: Path, *, truth: Path | None = None) -> str:
    """Predict the whole store, or with checkpoints of folds each subject by the one that never saw it.

    One row a frame, in list order, whatever the order of the checkpoints. `truth` is the truth.npz of embedded frames
    with objects: it tells their sizes, which those who hold them know.
    """
    checkpoints = [load_checkpoint(folder) for folder in folders]
    _check_alike(checkpoints)
    card = checkpoints[0].card
    if not KINDS[card["kind"]].predicts:
        known = ", ".join(kind for kind, one in KINDS.items() if one.predicts)
        raise BadInput(
            folders[0], expected=f"a module that gives joints: {known}", found=card["kind"], fix="name one of those"
        )
    held = KINDS[card["kind"]].renders
    if truth and not held:
        fix = "leave --truth out"
        raise BadInput(folders[0], expected="no --truth for a hand alone", found=str(truth), fix=fix)
    with hold_alone(out):
        opened = open_crops(store=store, split="all" if card["fold"] else None, joints="scored")
        check_store(card, opened)
        check_unseen(checkpoints[0], opened)
        if held:
            frames = predict_held(checkpoints[0], opened, out, truth)
        else:
            frames = _save(out, checkpoints, opened, [_predict_part(checkpoint, store) for checkpoint in checkpoints])
    told = f"{card['module']}: {frames:,} of {len(opened):,} frames of {store} predicted"
    sets = card.get(RENDERED, {})
    return f"{told}; learned from rendered frames, set {tell_rendered(sets)}" if sets else told


@dataclass(frozen=True)
class _Part:
    """The frames that one checkpoint predicts."""

    places: Int64[ndarray, "frames"]
    """Where they stand in the store."""
    steps_mm: Float32[ndarray, "steps frames joints 3"]
    pose_mm: Float32[ndarray, "frames 26"] | None = None
    """Of a kind that knows a hand, as a prediction has it."""
    pose_of_all_mm: Float32[ndarray, "frames 26"] | None = None
    """Of a kind that fits it to joints: from all of them."""
    hand_scale: Float32[ndarray, "frames"] | None = None
    quaternions: Float32[ndarray, "frames 16 4"] | None = None
    """Turns of bones, of a kind that gives them."""
    told: dict[str, Any] = field(default_factory=dict)
    """What the card tells beside those: the hand, and names of joints where there are more than the scored ones."""


def _predict_part(checkpoint: Checkpoint, store: Path) -> _Part:
    fold, trained = checkpoint.card["fold"], checkpoint.trained
    crops = open_crops(store=store, split="test" if fold else None, fold=fold, joints="scored", verify=False)
    tensors = crops.tensors()
    chosen = choose_evenly(len(crops), getattr(trained.settings, "frames", None))
    method = load_method(trained.kind)
    torch.manual_seed(checkpoint.card["seed"])
    if method.pose_bones:
        return _pose_part(checkpoint, crops)
    assert method.predict is not None, "checked before"
    with torch.no_grad():
        steps = method.predict(trained, tensors["depth"][chosen])
        poses = [find(trained, tensors["depth"][chosen]) for find in (method.pose, method.pose_of_all) if find]
    centre_mm, cube_mm = tensors["centre_mm"][chosen].numpy(), tensors["cube_mm"][chosen].numpy()
    steps_mm = np.stack([unnormalise_joints(joints.numpy(), centre_mm, cube_mm) for joints in steps])
    part = _Part(crops.places[chosen.numpy()], steps_mm.astype(np.float32))
    if not poses:
        return part
    pose_mm, *of_all = (unnormalise_pose(pose.numpy(), centre_mm, cube_mm).astype(np.float32) for pose in poses)
    scale = (cube_mm / checkpoint.card["poses"]["cube_mm"]).astype(np.float32)
    return replace(part, pose_mm=pose_mm, pose_of_all_mm=of_all[0] if of_all else None, hand_scale=scale)


def _pose_part(checkpoint: Checkpoint, crops: CropDataset) -> _Part:
    """The same of a kind that gives the turns of bones, all frames of a store."""
    pose_bones, protocol = load_method(checkpoint.trained.kind).pose_bones, crops.store.card["protocol"]
    assert pose_bones is not None, "checked before"
    seen = as_batch(read_crops(crops))
    with torch.no_grad():
        posed = pose_bones(checkpoint.trained, SeenHands(protocol["dataset"], protocol, seen))
    joints = torch.cat([posed.joints, posed.others], dim=1).numpy()
    joints_mm = unnormalise_joints(joints, seen.centre_mm.numpy(), seen.cube_mm.numpy())
    quaternions = posed.quaternions.numpy().astype(np.float32)
    told: dict[str, Any] = {"hand": {name: getattr(posed.shape, name).tolist() for name in SHAPE_FIELDS}}
    if posed.besides:
        names = [*crops.joint_names, *posed.besides]
        told |= {"joints": names, POSITIONS: names}
    return _Part(crops.places, joints_mm[None].astype(np.float32), quaternions=quaternions, told=told)


def _save(out: Path, checkpoints: Sequence[Checkpoint], crops: CropDataset, parts: Sequence[_Part]) -> int:
    places = np.concatenate([part.places for part in parts])
    order = np.argsort(places, kind="stable")
    steps_mm = np.concatenate([part.steps_mm for part in parts], axis=1)[:, order]
    places = places[order]
    store, first = crops.store, checkpoints[0].card
    besides = {
        "pose": "pose_mm",
        "pose_of_all": "pose_of_all_mm",
        "hand_scale": "hand_scale",
        "quaternions": "quaternions",
    }
    given = {name: _join([getattr(part, place) for part in parts], order) for name, place in besides.items()}
    told = first["poses"] if given["pose"] is not None else {}
    card = describe_predictions(checkpoints, crops, len(places)) | {"gives_angles": bool(told)}
    card |= {key: told[key] for key in OF_THE_HAND if told} | parts[0].told
    names = tuple(store.names[place] for place in places)
    before_mm = steps_mm[:-1] if len(steps_mm) > 1 else None
    row = np.asarray(store.row)[places]
    save_predictions(out, steps_mm[-1], names, row, card, before_mm, **given)
    return len(places)


def _join(
    parts: Sequence[Float32[ndarray, "..."] | None], order: Int64[ndarray, "frames"]
) -> Float32[ndarray, "frames ..."] | None:
    """What all parts give of their frames, in list order."""
    given = [part for part in parts if part is not None]
    return np.concatenate(given)[order] if given else None


def _check_alike(checkpoints: Sequence[Checkpoint]) -> None:
    first = checkpoints[0]
    for one in checkpoints[1:]:
        wrong = [key for key in SAME if one.card[key] != first.card[key]]
        if wrong:
            raise BadInput(
                one.folder,
                expected=f"the same {wrong[0]} as in {first.folder} ({first.card[wrong[0]]})",
                found=str(one.card[wrong[0]]),
                fix="give the folds of one training",
            )
    folds = [one.card["fold"] for one in checkpoints]
    if len(checkpoints) > 1 and (None in folds or len(set(folds)) < len(folds)):
        found = ", ".join(fold or "none" for fold in folds)
        raise BadInput(first.folder, expected="one checkpoint, or one of each fold", found=found, fix="leave some out")


def check_store(card: dict[str, Any], crops: CropDataset) -> None:
    """A network sees what it was trained on: the same dataset's joints, patch size and kind of centre.

    What learned from rendered hands with objects is there for Dexter+Object, what learned from hands alone for all, and
    for both kinds of boxes around a hand.
    """
    protocol, kind = crops.store.card["protocol"], KINDS[card["kind"]]
    boxes = kind.learns_hands and {one["centre"]["strategy"] for one in (card, protocol)} <= set(BOXES)
    told = {
        "dataset": kind.learns_hands or (kind.renders and protocol["dataset"] == DEXTER.name),
        "centre": boxes,
        "size_px": False,
    }
    for key, may_differ in told.items():
        if protocol[key] != card[key] and not may_differ:
            raise BadInput(
                crops.store.path,
                expected=f"{key} {_word(card[key])}, as in training",
                found=_word(protocol[key]),
                fix="crop with the same settings, or train on these crops",
            )


def check_unseen(checkpoint: Checkpoint, crops: CropDataset) -> None:
    """Frames that were trained on are no test: a nearest neighbour would find each of them without any error."""
    if checkpoint.card["fold"] is None and crops.store.card["sha256"] == checkpoint.card["sha256_of_store"]:
        raise BadInput(
            crops.store.path,
            expected="crops that were not trained on",
            found="those of the training",
            fix="name the store of another split; MSRA is trained with --fold, once for each subject left out",
        )


def _word(value: Any) -> str:
    return str(value["strategy"]) if isinstance(value, dict) else str(value)
