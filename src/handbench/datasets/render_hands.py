"""Render the set `hands`: one hand alone in random poses, each frame by itself, without sensor noise.

    <out>/raw/train/     depth and labels, as datasets.rendered_files reads them
    <out>/truth.npz      the hand, pose and bone turns of each frame (datasets.hands)
    <out>/manifest.json  written last, sealed: what was asked for

There is no forearm, as of a hand above a dark wristband: what adapts to a user's hand poses a cloud of points on this
hand's skin, which ends at the wrist. The random numbers of a frame depend on nothing drawn before.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from handbench.conventions import HANDS
from handbench.datasets.array_file import read_arrays, write_arrays
from handbench.datasets.files import digest_file, replace_file
from handbench.datasets.frame_chunks import MANIFEST, PARTIAL, RAW, TRUTH, is_made, run_chunks, start_or_carry_on
from handbench.datasets.hands import FILES, SEQUENCE, SET, SHAPE
from handbench.datasets.lock import hold_alone
from handbench.datasets.pose_ranges import POSE_RANGES
from handbench.datasets.progress import Progress
from handbench.datasets.rendered_files import LABELS, depth_name, write_labels
from handbench.digest import stage_digest
from handbench.errors import BadInput
from handbench.geometry.camera import project_points
from handbench.geometry.rotation import rotation_to_quaternion
from handbench.hand.keypoints import KEYPOINTS, keypoint_positions
from handbench.hand.kinematics import forward_kinematics
from handbench.hand.sampling import sample_pose
from handbench.hand.skeleton import SHAPE_FIELDS
from handbench.hand.skinning import Skin, make_skin, pose_mesh
from handbench.rendering.renderer import choose_renderer, settle_renderer
from handbench.sealed import seal

CHUNK_FRAMES = 250
SUBJECT = "slender"
KIND = "full"
"""The word of fully synthetic frames among those of `--frames`."""
MARGIN_PX = 12
"""Every joint lies this far within the image, and with it the flesh around it."""
_TRIES = 200
_STREAM = 7
"""Of random numbers: the other sets have the first ones."""


@dataclass(frozen=True)
class Request:
    """What was asked for; the same request makes the same bytes."""

    set: str
    frames: int
    seed: int
    renderer: str
    sources: str
    """Digest of the code: frames drawn by other code are not carried on from."""


def render_hands(out: Path, *, frames: Mapping[str, int], seed: int = 0, jobs: int = 1, renderer: str = "auto") -> None:
    """Write the set under `out`; all its frames are fully synthetic."""
    if set(frames) != {KIND} or frames[KIND] < 1:
        found = ", ".join(f"{name}={count}" for name, count in frames.items()) or "none"
        fix = f"ask for {KIND}=N: no recorded hand is in this set"
        raise BadInput("frames of render", expected=f"a count for {KIND} alone", found=found, fix=fix)
    request = Request(SET, frames[KIND], seed, settle_renderer(renderer), stage_digest("render"))
    with hold_alone(out):
        if is_made(out, asdict(request)):
            shutil.rmtree(out / PARTIAL, ignore_errors=True)
            print(f"{out}: already there, nothing to do")
        else:
            _make(out, request, jobs)


def draw_chunk(out: Path, request: Request, first: int, last: int) -> int:
    """Draw a few frames: their depth files first, then their truth, which says that they are there."""
    render, folder = choose_renderer(request.renderer), out / RAW / HANDS.splits[0]
    (folder / SEQUENCE).mkdir(parents=True, exist_ok=True)
    poses = np.stack([draw_pose(np.random.default_rng([request.seed, _STREAM, row])) for row in range(first, last)])
    for row, pose in zip(range(first, last), poses, strict=True):
        depth_mm, _ = render([pose_mesh(_skin(), SHAPE, pose)], HANDS.camera)
        FILES.write_depth(folder / depth_name(SEQUENCE, row), depth_mm)
    rotations, _ = forward_kinematics(poses, SHAPE)
    arrays = {
        "poses": poses.astype(np.float32),
        "quaternions": rotation_to_quaternion(rotations).astype(np.float32),
        "labels_mm": find_labels(poses).astype(np.float32),
    }
    write_arrays(out / PARTIAL / _chunk_name(first), arrays)
    return last - first


def draw_pose(rng: np.random.Generator) -> Float[np.ndarray, "26"]:
    """A pose whose joints all lie in the image; one that leaves it is put before the middle of the camera."""
    camera = HANDS.camera
    view_angle = (camera.width / 2 / camera.fx, camera.height / 2 / camera.fy)
    for _ in range(_TRIES):
        pose = sample_pose(rng, POSE_RANGES[HANDS.name], SHAPE, view_angle)
        labels_mm = find_labels(pose)
        if is_in_image(labels_mm):
            return pose
        aside_mm = (labels_mm.min(axis=0) + labels_mm.max(axis=0))[:2] / 2
        pose[:2] -= aside_mm
        if is_in_image(labels_mm - [*aside_mm, 0.0]):
            return pose
    raise BadInput("render", expected=f"a hand in the image within {_TRIES} tries", found="none", fix="try a seed")


def is_in_image(points_mm: Float[np.ndarray, "points 3"]) -> bool:
    """Whether all points, and the flesh around them, can be seen."""
    camera = HANDS.camera
    pixels, edge_px = project_points(points_mm, camera)[:, :2], np.array([camera.width, camera.height])
    return bool((pixels > MARGIN_PX).all() and (pixels < edge_px - MARGIN_PX).all())


def find_labels(poses: Float[np.ndarray, "*batch 26"]) -> Float[np.ndarray, "*batch 21 3"]:
    labels_mm: np.ndarray = keypoint_positions(KEYPOINTS[HANDS.name], SHAPE, poses)
    return labels_mm


@lru_cache(maxsize=1)
def _skin() -> Skin:
    return make_skin(SHAPE)


def _chunk_name(first: int) -> str:
    return f"{first:06d}.npz"


def _make(out: Path, request: Request, jobs: int) -> None:
    chunks = [(first, min(first + CHUNK_FRAMES, request.frames)) for first in range(0, request.frames, CHUNK_FRAMES)]
    start_or_carry_on(out, asdict(request))
    waiting = [chunk for chunk in chunks if not (out / PARTIAL / _chunk_name(chunk[0])).is_file()]
    done = request.frames - sum(last - first for first, last in waiting)
    progress = Progress(f"render {SET}", request.frames, done=done)
    for drawn in run_chunks(draw_chunk, [(out, request, *chunk) for chunk in waiting], jobs):
        progress.advance(drawn)
    progress.close()
    pieces = [read_arrays(out / PARTIAL / _chunk_name(first)) for first, _ in chunks]
    arrays = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    labels, names = out / RAW / HANDS.splits[0] / LABELS, [depth_name(SEQUENCE, row) for row in range(request.frames)]
    write_labels(labels, names, [SUBJECT] * request.frames, arrays.pop("labels_mm"))
    write_arrays(out / TRUTH, arrays | {name: getattr(SHAPE, name) for name in SHAPE_FIELDS})
    replace_file(out / MANIFEST, (json.dumps(seal(_describe(out, request, labels)), indent=1) + "\n").encode())
    shutil.rmtree(out / PARTIAL)


def _describe(out: Path, request: Request, labels: Path) -> dict[str, Any]:
    return {
        "format": "handbench rendered hands alone",
        "request": asdict(request),
        "source": "embedded",
        "labels_sha256": digest_file(labels),
        "truth_sha256": digest_file(out / TRUTH),
    }
