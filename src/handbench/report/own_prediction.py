"""From a person's own depth files to joints and pictures: what `handbench predict` does with frames of no dataset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from handbench.conventions import DATASETS, LOCALIZED, Camera
from handbench.datasets.centres import Centre
from handbench.datasets.frame_crop import Crop
from handbench.datasets.listing import Frame
from handbench.datasets.own_crops import read_own_crop
from handbench.datasets.own_frames import Intrinsics, list_own_files, name_frames, parse_intrinsics, read_own_frame
from handbench.datasets.own_hand import (
    DEFAULT_REACH,
    Reach,
    crop_named_place,
    crop_own_block,
    crop_own_hand,
    keep_reach,
    require_edge,
)
from handbench.datasets.scored_skeleton import scored_skeleton
from handbench.errors import BadInput
from handbench.geometry.crop import unnormalise_joints, unnormalise_pose
from handbench.loop.augmentation import CropBatch
from handbench.loop.localization import place_crops, refine_centres
from handbench.loop.own_batch import batch_crops
from handbench.methods import PosedHands, SeenHands, Trained, load_method
from handbench.report.overlay import write_overlays
from handbench.report.own_joints import OwnJoints, write_angles_csv, write_joints_csv, write_joints_json
from handbench.training.checkpoint import find_checkpoint, load_checkpoint
from handbench.training.localize import TrainedLocalizer, load_localizer

JOINTS_CSV, JOINTS_JSON, ANGLES_CSV = "joints.csv", "joints.json", "angles.csv"
BLOCK = "block"
"""The word of crops in a padded block."""
OWN_PROTOCOL = {"centre": {"strategy": "own", "uses_ground_truth": False}}
"""A block that is told by what is seen is cut by that."""
Iterate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Model:
    """What a checkpoint is to someone with a camera."""

    name: str
    """As files and pictures call it."""
    dataset: str
    """The one it learned from: its joints are that one's scored joints, in their order."""
    size_px: int
    cube_mm: float
    """Edge of the cube around a hand that the model is to see."""
    iterate: Iterate
    """Depth (frames, 1, S, S) in [-1, 1] to joints (iterations + 1, frames, joints, 3) in half cube edges."""
    centre: str = "com"
    """Of the crops that it learned from."""
    localizer: TrainedLocalizer | None = None
    """What moves the cube from the centre of mass to where the model expects it; of whole frames alone."""
    read_pose: Callable[[Tensor], Tensor] | None = None
    """Depth to pose parameters (frames, 26), of a model that knows a hand: `methods.Method.pose`."""
    pose_crops: Callable[[CropBatch], Tensor] | None = None
    """In the place of `iterate`: crops with their cameras to joints (frames, joints, 3)."""


def load_model(folder: Path, cube_mm: float | None = None, localizer: Path | None = None) -> Model:
    """The model of a checkpoint; its cube is that of its dataset where none is given.

    `localizer` is the checkpoint that made its crops, if it learned from localized ones.
    """
    checkpoint = load_checkpoint(find_checkpoint(folder))
    card, trained = checkpoint.card, checkpoint.trained
    method = load_method(trained.kind)
    if method.predict is None and method.pose_bones is None:
        raise BadInput(
            folder, expected="a checkpoint that gives joints", found=trained.kind, fix="name a loop's folder"
        )
    if list(scored_skeleton(card["dataset"]).names) != card["joints"]:
        raise BadInput(folder, expected=f"the scored joints of {card['dataset']}", found="others", fix="train it again")
    cube = DATASETS[card["dataset"]].cube_mm[""] if cube_mm is None else require_edge(cube_mm)
    centre, loaded = card["centre"]["strategy"], load_localizer(localizer) if localizer else None
    if loaded and loaded.word != centre:
        fix = "name the localizer of its crops" if centre.startswith(f"{LOCALIZED}-") else "leave --localizer out"
        raise BadInput(folder, expected=f"a model of {loaded.word} crops", found=f"one of {centre} crops", fix=fix)
    told = {"dataset": card["dataset"], "size_px": card["size_px"], "cube_mm": cube, "centre": centre}
    if method.pose_bones is not None:
        pose_crops = partial(_pose_crops, method.pose_bones, trained, card["dataset"])
        return Model(card["module"], iterate=_refuse_depth, pose_crops=pose_crops, **told)
    assert method.predict is not None, "checked above"
    iterate, read_pose = partial(method.predict, trained), partial(method.pose, trained) if method.pose else None
    return Model(card["module"], iterate=iterate, localizer=loaded, read_pose=read_pose, **told)


def _pose_crops(pose_bones: Callable[..., PosedHands], trained: Trained, dataset: str, crops: CropBatch) -> Tensor:
    return pose_bones(trained, SeenHands(dataset, OWN_PROTOCOL | {"dataset": dataset}, crops)).joints


def _refuse_depth(depth: Tensor) -> Tensor:
    raise TypeError("a model that is placed by its camera takes crops")


def name_source(model: Model, camera: Sequence[str] | None, centre_mm: Sequence[float] | None) -> Intrinsics | Centre:
    """What the command line says of the files: a cube's centre for ready crops, else the camera."""
    if centre_mm is None:
        return parse_intrinsics(camera or [model.dataset])
    if camera:
        found = "both"
        raise BadInput("predict", expected="--camera or --centre", found=found, fix="a ready crop needs no --camera")
    return Centre(np.asarray(centre_mm, np.float32), model.cube_mm)


def predict_frames(
    paths: Sequence[Path],
    model: Model,
    source: Intrinsics | Centre,
    out: Path,
    *,
    reach: Reach = DEFAULT_REACH,
    pictures: bool = True,
) -> str:
    """Write `joints.csv`, `joints.json` and the overlay pictures of files and folders of files to the folder `out`.

    Of a model that knows a hand also `angles.csv`.

    `source` is what has to be known of the files: the camera of whole frames, in which the nearest hand within `reach`
    is found; or, of ready crops, the cube that they hold. Every file is read before anything is written: one that
    cannot be used is an error, not a frame less.
    """
    _check_localizer(model, source)
    if any(path.is_dir() and path.resolve() == out.resolve() for path in paths):
        raise BadInput(out, expected="--out beside the frames", found="their folder", fix="choose another --out")
    files = list_own_files(paths)
    hands = [_find_hand(_read(file, model, source), model, source, reach) for file in files]
    joints = scored_skeleton(model.dataset)
    crops = [crop for crop, _ in hands]
    steps_mm, pose_mm = _predict(model, hands, len(joints.names)), _predict_pose(model, crops)
    owns = [
        OwnJoints(name, file, camera, Centre(crop.centre_mm, crop.cube_mm), steps_mm[:, place], pose_mm[place])
        for place, (name, file, (crop, camera)) in enumerate(zip(name_frames(files), files, hands, strict=True))
    ]
    _write_joints(out, owns, joints.names, model.name)
    for own in owns if pictures else ():
        # Read again: thousands of whole frames would not fit into memory beside one another.
        write_overlays(_read(own.file, model, source), own, joints, model.name, out)
    frames, after = len(owns), len(steps_mm) - 1
    return f"{model.name}: {frames} frame{'s' * (frames != 1)}, {after} iteration{'s' * (after != 1)}, in {out}"


def _read(file: Path, model: Model, source: Intrinsics | Centre) -> Frame:
    if isinstance(source, Centre):
        return read_own_crop(file, source, model.size_px)
    return read_own_frame(file, source)


def _find_hand(frame: Frame, model: Model, source: Intrinsics | Centre, reach: Reach) -> tuple[Crop, Camera]:
    convention = replace(DATASETS[model.dataset], cube_mm={"": model.cube_mm})
    if isinstance(source, Centre):
        return crop_named_place(frame, convention, model.size_px, source), frame.camera
    if model.localizer is None:
        cut = crop_own_block if model.centre == BLOCK else crop_own_hand
        return cut(frame, convention, model.size_px, reach), frame.camera
    first = crop_own_hand(frame, convention, model.localizer.card["size_px"], reach)
    cube = Centre(_refine_centre(model.localizer, first, frame.camera), first.cube_mm)
    return crop_named_place(keep_reach(frame, reach), convention, model.size_px, cube), frame.camera


def _check_localizer(model: Model, source: Intrinsics | Centre) -> None:
    """A cube that a person has placed is where the model expects it; a frame has to be localized first."""
    word, _, sha256 = model.centre.partition("-")
    if word == LOCALIZED and model.localizer is None and not isinstance(source, Centre):
        raise BadInput(
            model.name,
            expected=f"--localizer with the checkpoint that made its crops (sha256 {sha256}...)",
            found="none",
            fix="name the localizer's folder: the model knows hands in localized crops only",
        )


def _refine_centre(localizer: TrainedLocalizer, crop: Crop, camera: Camera) -> Float32[np.ndarray, "3"]:
    with torch.no_grad():
        placed = place_crops(
            torch.from_numpy(crop.depth)[None, None],
            torch.from_numpy(crop.centre_mm)[None],
            torch.tensor([crop.cube_mm], dtype=torch.float32),
            torch.from_numpy(crop.patch_from_image.astype(np.float32))[None],
            camera,
        )
        centre_mm: np.ndarray = refine_centres(localizer.network, placed).centre_mm[0].numpy()
    return centre_mm


def _predict_pose(model: Model, crops: Sequence[Crop]) -> Sequence[Float32[np.ndarray, "26"] | None]:
    """Of each frame; None where the model knows joints alone."""
    if model.read_pose is None:
        return [None] * len(crops)
    with torch.no_grad():
        pose = model.read_pose(_stack_depth(crops)).cpu().numpy()
    pose_mm: np.ndarray = unnormalise_pose(pose, *_stack_cubes(crops)).astype(np.float32)
    return list(pose_mm)


def _stack_depth(crops: Sequence[Crop]) -> Float[Tensor, "frames 1 size size"]:
    return torch.from_numpy(np.stack([crop.depth for crop in crops])[:, None])


def _stack_cubes(crops: Sequence[Crop]) -> tuple[Float32[np.ndarray, "frames 3"], Float32[np.ndarray, "frames"]]:
    return np.stack([crop.centre_mm for crop in crops]), np.array([crop.cube_mm for crop in crops], np.float32)


def _predict(
    model: Model, hands: Sequence[tuple[Crop, Camera]], joint_count: int
) -> Float32[np.ndarray, "steps frames joints 3"]:
    crops = [crop for crop, _ in hands]
    with torch.no_grad():
        told = model.pose_crops(batch_crops(hands))[None] if model.pose_crops else model.iterate(_stack_depth(crops))
    steps = told.float().cpu().numpy()
    if steps.shape[1:] != (len(crops), joint_count, 3) or not np.isfinite(steps).all():
        raise BadInput(
            model.name,
            expected=f"finite joints of shape (steps, {len(crops)}, {joint_count}, 3)",
            found=f"shape {steps.shape}, {np.isnan(steps).sum()} of the numbers NaN",
            fix="train it again: its training diverged, or it is a model of other joints",
        )
    centre_mm, cube_mm = _stack_cubes(crops)
    return np.stack([unnormalise_joints(joints, centre_mm, cube_mm) for joints in steps]).astype(np.float32)


def _write_joints(out: Path, owns: Sequence[OwnJoints], joints: Sequence[str], model: str) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_joints_csv(out / JOINTS_CSV, owns, joints)
        write_joints_json(out / JOINTS_JSON, owns, joints, model)
        if any(own.pose_mm is not None for own in owns):
            write_angles_csv(out / ANGLES_CSV, owns)
    except OSError as error:
        found = error.strerror or str(error)
        raise BadInput(out, expected="a folder that can be written", found=found, fix="choose another --out") from error
