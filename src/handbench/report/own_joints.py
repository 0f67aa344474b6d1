"""The joints of a person's own frames, after every iteration, and the hand's angles, as CSV and as JSON."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from handbench.conventions import CORNERS, Camera
from handbench.datasets.centres import Centre
from handbench.datasets.files import replace_file
from handbench.geometry.camera import project_points
from handbench.hand.skeleton import DOFS

FORMAT, VERSION = "handbench joints", 1
COLUMNS = ("frame", "iteration", "final", "joint", "x_mm", "y_mm", "z_mm", "u_px", "v_px")
ANGLES = DOFS[3:]
BOX_AXES = ("x", "y", "z")
UNITS = {"xyz": "mm", "uv": "px", "centre": "mm", "cube": "mm"}
ANGLE_UNITS = {"wrist": "mm", "angles": "deg"}
OBJECT_AXES = {
    "object": "corner_ijk: the i-th end of the box's x, the j-th of its y, the k-th of its z",
    "rotation": "camera axes from the object's: its columns are the directions of the box's x, y, z",
}
AXES = {
    "xyz": "camera: x right, y down, z forward, from the camera's centre",
    "uv": "u right, v down in the file's image; (0, 0) is the middle of its upper left pixel",
}


@dataclass(frozen=True)
class OwnJoints:
    """What a model says of one frame."""

    name: str
    file: Path
    camera: Camera
    """Of a ready crop, the camera that sees its cube alone."""
    cube: Centre
    steps_mm: Float32[np.ndarray, "steps joints 3"]
    """The first estimate, then the joints after each iteration; the last is the result."""
    pose_mm: Float32[np.ndarray, "26"] | None = None
    """Of a model that knows a hand: wrist in camera millimetres, then radians, in the order of DOFS."""
    hand_scale: float = 1.0
    """How large the hand of that pose is against the one that the model knows: a smaller cube, a smaller person."""
    corners: Float32[np.ndarray, "steps 8 3"] | None = None
    """Of a model of hand and object: the corners of the object's box at the same steps, camera millimetres."""

    @property
    def steps_px(self) -> Float64[np.ndarray, "steps joints 2"]:
        """NaN for a joint that is not in front of the camera, which no pixel shows."""
        return _find_pixels(self.steps_mm, self.camera)

    def name_points(self, joints: Sequence[str]) -> tuple[str, ...]:
        """The joints, then the corners of the object if there is one."""
        return (*joints, *(CORNERS if self.corners is not None else ()))

    @property
    def points_mm(self) -> Float32[np.ndarray, "steps points 3"]:
        """All of them."""
        return self.steps_mm if self.corners is None else np.concatenate([self.steps_mm, self.corners], axis=1)


def find_box_axes(corners: Float32[np.ndarray, "8 3"]) -> Float64[np.ndarray, "3 3"]:
    """The rotation of a rigid box: each axis leads from its first corner to a neighbour."""
    edges = (corners[[4, 2, 1]] - corners[0]).astype(np.float64)
    return (edges / np.linalg.norm(edges, axis=1, keepdims=True)).T


def _find_pixels(
    points_mm: Float32[np.ndarray, "*steps points 3"], camera: Camera
) -> Float64[np.ndarray, "*steps points 2"]:
    exact_mm = points_mm.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(exact_mm[..., 2:] > 0, project_points(exact_mm, camera)[..., :2], np.nan)


def write_joints_csv(path: Path, frames: Sequence[OwnJoints], joints: Sequence[str]) -> None:
    """One row a joint, iteration and frame; micrometres and hundredths of a pixel. A joint without pixel has none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for frame in frames:
        writer.writerows(_list_rows(frame, joints))
    replace_file(path, text.getvalue().encode(errors="backslashreplace"))


def _list_rows(frame: OwnJoints, joints: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    last = len(frame.steps_mm) - 1
    every_px = _find_pixels(frame.points_mm, frame.camera)
    for step, (points_mm, pixels) in enumerate(zip(frame.points_mm, every_px, strict=True)):
        for joint, xyz, uv in zip(frame.name_points(joints), points_mm.tolist(), pixels.tolist(), strict=True):
            millimetres = (f"{number:.3f}" for number in xyz)
            yield frame.name, step, int(step == last), joint, *millimetres, *("" if n != n else f"{n:.2f}" for n in uv)


def write_angles_csv(path: Path, frames: Sequence[OwnJoints]) -> None:
    """One row a frame: the wrist in millimetres, all angles in degrees by their names in skeleton.DOFS, hand_scale."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("frame", "x_mm", "y_mm", "z_mm", *(f"{name}_deg" for name in ANGLES), "hand_scale"))
    for frame in frames:
        if frame.pose_mm is not None:
            numbers = np.concatenate([frame.pose_mm[:3], np.degrees(frame.pose_mm[3:])]).tolist()
            writer.writerow((frame.name, *(f"{number:.3f}" for number in numbers), f"{frame.hand_scale:.4f}"))
    replace_file(path, text.getvalue().encode(errors="backslashreplace"))


def write_objects_csv(path: Path, frames: Sequence[OwnJoints]) -> None:
    """One row a frame and iteration: the middle of the object in millimetres, and its rotation row by row."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    entries = (f"r_{row}{column}" for row in BOX_AXES for column in BOX_AXES)
    writer.writerow(("frame", "iteration", "final", "x_mm", "y_mm", "z_mm", *entries))
    for frame in frames:
        for step, corners in enumerate(() if frame.corners is None else frame.corners):
            middle = (f"{number:.3f}" for number in corners.mean(axis=0))
            turn = (f"{number:.6f}" for number in find_box_axes(corners).ravel())
            writer.writerow((frame.name, step, int(step == len(frame.steps_mm) - 1), *middle, *turn))
    replace_file(path, text.getvalue().encode(errors="backslashreplace"))


def write_joints_json(
    path: Path, frames: Sequence[OwnJoints], joints: Sequence[str], model: str, held: Mapping[str, Any] | None = None
) -> None:
    """The same with what belongs to it: model, units, axes, the object that is `held` as it is known, and of each frame
    its camera and cube."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": model,
        **({"object": held} if held else {}),
        "units": UNITS | (ANGLE_UNITS if any(frame.pose_mm is not None for frame in frames) else {}),
        "axes": AXES | (OBJECT_AXES if held else {}),
        "joints": list(joints),
        "frames": [_describe_frame(frame, joints) for frame in frames],
    }
    replace_file(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


def _describe_frame(frame: OwnJoints, joints: Sequence[str]) -> dict[str, Any]:
    last = len(frame.steps_mm) - 1
    described = {
        "name": frame.name,
        "file": str(frame.file),
        "camera": asdict(frame.camera),
        "cube": {"centre": _round(frame.cube.centre_mm, 3), "edge": frame.cube.cube_mm},
        "iterations": [
            {
                "iteration": step,
                "final": step == last,
                "joints": {
                    joint: {"xyz": _round(xyz, 3), "uv": _round(uv, 2)}
                    for joint, xyz, uv in zip(joints, points_mm, pixels, strict=True)
                },
                **_describe_object(frame, step),
            }
            for step, (points_mm, pixels) in enumerate(zip(frame.steps_mm, frame.steps_px, strict=True))
        ],
    }
    if frame.pose_mm is None:
        return described
    angles = np.degrees(frame.pose_mm[3:]).round(3).tolist()
    named = dict(zip(ANGLES, angles, strict=True))
    scale = round(frame.hand_scale, 4)
    return described | {"wrist": _round(frame.pose_mm[:3], 3), "angles": named, "hand_scale": scale}


def _describe_object(frame: OwnJoints, step: int) -> dict[str, Any]:
    """The pose of the object's box, where there is one."""
    if frame.corners is None:
        return {}
    corners = frame.corners[step]
    points = np.concatenate([corners, corners.mean(axis=0, keepdims=True)])
    *told, middle = (
        {"xyz": _round(xyz, 3), "uv": _round(uv, 2)}
        for xyz, uv in zip(points, _find_pixels(points, frame.camera), strict=True)
    )
    axes = find_box_axes(corners).round(6).tolist()
    return {"object": {"corners": dict(zip(CORNERS, told, strict=True)), "centre": middle, "rotation": axes}}


def _round(numbers: np.ndarray, decimals: int) -> list[float] | None:
    """JSON has no word for NaN."""
    return [round(number, decimals) for number in numbers.tolist()] if np.isfinite(numbers).all() else None
