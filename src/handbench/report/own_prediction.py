"""From a person's own depth files to joints and pictures: what `handbench predict` does with frames of no dataset."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handbench.datasets.centres import Centre
from handbench.datasets.frame_crop import Crop
from handbench.datasets.listing import Frame
from handbench.datasets.own_crops import read_own_crop
from handbench.datasets.own_frames import Intrinsics, list_own_files, name_frames, parse_intrinsics, read_own_frame
from handbench.datasets.own_hand import DEFAULT_REACH, Reach
from handbench.errors import BadInput
from handbench.methods import load_method
from handbench.modules import KINDS
from handbench.report.overlay import write_overlays
from handbench.report.own_hand_model import load_hand_model
from handbench.report.own_held_model import load_held_model
from handbench.report.own_joints import (
    OwnJoints,
    write_angles_csv,
    write_joints_csv,
    write_joints_json,
    write_objects_csv,
)
from handbench.report.own_model import OwnModel
from handbench.report.own_posed_model import load_posed_model
from handbench.training.checkpoint import Checkpoint
from handbench.training.handed_on import load_any
from handbench.training.localize import TrainedLocalizer, as_localizer

JOINTS_CSV, JOINTS_JSON, ANGLES_CSV, OBJECTS_CSV = "joints.csv", "joints.json", "angles.csv", "objects.csv"


def load_model(
    folder: Path,
    cube_mm: float | None = None,
    *,
    localizer: Path | None = None,
    held: str | None = None,
    left: bool = False,
) -> OwnModel:
    """The model of a checkpoint, or of one handed on; its cube is that of its crops where none is given.

    `localizer` is the checkpoint that made its crops, if it learned from localized ones. A model of hand and object
    asks for the word of what is `held`, and may be told that the hand is a `left` one.
    """
    checkpoint = load_any(folder)
    renders = KINDS[checkpoint.card["kind"]].renders
    unasked = {"--localizer": localizer} if renders else {"--object": held, "--left-hand": left}
    if given := [word for word, value in unasked.items() if value]:
        raise BadInput(
            folder,
            expected=f"a model of {'a hand alone' if renders else 'hand and object'} with {given[0]}",
            found=checkpoint.card["kind"],
            fix=f"leave {given[0]} out, or name another",
        )
    loaded = as_localizer(load_any(localizer)) if localizer else None
    return make_model(checkpoint, cube_mm, localizer=loaded, held=held, left=left)


def make_model(
    checkpoint: Checkpoint,
    cube_mm: float | None,
    *,
    localizer: TrainedLocalizer | None = None,
    held: str | None = None,
    left: bool = False,
) -> OwnModel:
    """The same of what is loaded already."""
    if KINDS[checkpoint.card["kind"]].renders:
        return load_held_model(checkpoint, cube_mm, held, left)
    if load_method(checkpoint.trained.kind).pose_bones is not None:
        return load_posed_model(checkpoint, cube_mm, localizer)
    return load_hand_model(checkpoint, cube_mm, localizer)


def name_source(
    model: OwnModel, camera: Sequence[str] | None, centre_mm: Sequence[float] | None
) -> Intrinsics | Centre:
    """What the command line says of the files: a cube's centre for ready crops, else the camera."""
    if centre_mm is None:
        return parse_intrinsics(camera or [model.dataset])
    if camera:
        found = "both"
        raise BadInput("predict", expected="--camera or --centre", found=found, fix="a ready crop needs no --camera")
    return Centre(np.asarray(centre_mm, np.float32), model.cube_mm)


def predict_frames(
    paths: Sequence[Path],
    model: OwnModel,
    source: Intrinsics | Centre,
    out: Path,
    *,
    reach: Reach = DEFAULT_REACH,
    pictures: bool = True,
) -> str:
    """Write `joints.csv`, `joints.json` and the overlay pictures of files and folders of files to the folder `out`.

    Of a model that knows a hand also `angles.csv`, of one of hand and object `objects.csv`.

    `source` is what has to be known of the files: the camera of whole frames, in which the nearest hand within `reach`
    is found; or, of ready crops, the cube that they hold. A file that cannot be used is named in a line on standard
    error; of the others everything is written, and BadInput says at the end how many were left out.
    """
    model.check_source(source)
    if any(path.is_dir() and path.resolve() == out.resolve() for path in paths):
        raise BadInput(out, expected="--out beside the frames", found="their folder", fix="choose another --out")
    files = list_own_files(paths)
    owns = _find_joints(files, model, source, reach)
    model.warn(source)
    left_out = len(files) - len(owns)
    _write_joints(out, owns, model)
    for own in owns if pictures else ():
        # Read again: thousands of whole frames would not fit into memory beside one another.
        write_overlays(read_file(own.file, model, source), own, model.joints, model.name, out)
    frames, after = len(owns), len(owns[0].steps_mm) - 1
    told = f"{model.name}: {frames} frame{'s' * (frames != 1)}, {after} iteration{'s' * (after != 1)}, in {out}"
    if left_out:
        raise BadInput(
            "predict",
            expected=f"a hand in each of {len(files)} files",
            found=f"{left_out} without, named above",
            fix=f"the others are written: {told}",
        )
    return told


def _find_joints(
    files: Sequence[Path], model: OwnModel, source: Intrinsics | Centre, reach: Reach
) -> Sequence[OwnJoints]:
    """All frames that can be used, at once."""
    used: list[tuple[str, Path]] = []
    crops: list[Crop] = []
    cameras = []
    for name, file in zip(name_frames(files), files, strict=True):
        try:
            frame = read_file(file, model, source)
            crops.append(model.find_hand(frame, source, reach))
        except BadInput as refusal:
            if len(files) == 1:
                raise
            print(f"left out: {refusal}", file=sys.stderr, flush=True)
            continue
        used.append((name, file))
        cameras.append(frame.camera)
    if not used:
        fix = "mend what the lines above name; nothing is written"
        raise BadInput("predict", expected=f"a hand in each of {len(files)} files", found="none in any", fix=fix)
    # One pair of focal lengths and one principal point: images may differ in size alone.
    told = model.answer(crops, cameras[0])
    return [
        OwnJoints(
            name,
            file,
            cameras[place],
            Centre(crops[place].centre_mm, crops[place].cube_mm),
            told.steps_mm[:, place],
            None if told.pose_mm is None else told.pose_mm[place],
            1.0 if told.hand_scale is None else float(told.hand_scale[place]),
            None if told.corners is None else told.corners[:, place],
        )
        for place, (name, file) in enumerate(used)
    ]


def read_file(file: Path, model: OwnModel, source: Intrinsics | Centre) -> Frame:
    """A whole frame, or a ready crop as one."""
    if isinstance(source, Centre):
        return read_own_crop(file, source, model.size_px)
    return read_own_frame(file, source)


def _write_joints(out: Path, owns: Sequence[OwnJoints], model: OwnModel) -> None:
    joints = model.joints.names
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_joints_csv(out / JOINTS_CSV, owns, joints)
        write_joints_json(out / JOINTS_JSON, owns, joints, model.name, model.held)
        if any(own.pose_mm is not None for own in owns):
            write_angles_csv(out / ANGLES_CSV, owns)
        if any(own.corners is not None for own in owns):
            write_objects_csv(out / OBJECTS_CSV, owns)
    except OSError as error:
        found = error.strerror or str(error)
        raise BadInput(out, expected="a folder that can be written", found=found, fix="choose another --out") from error
