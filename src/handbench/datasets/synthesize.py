"""Write an embedded dataset: the real one's files in miniature, and beside them the truth nobody annotates.

    <out>/raw/           exactly a download's tree; an importer cannot tell it from one
    <out>/truth.npz      pose parameters, joint rotations, shapes, held boxes, visibility, forearm masks, in list order
    <out>/manifest.json  written last: what was asked for, and a digest of the truth

Frames are drawn in chunks by worker processes. A chunk's truth is written after its depth files, so a killed run
carries on with the first chunk that is not there; the random numbers of a frame depend on nothing drawn before it.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from handbench.conventions import SYNTHESIZED
from handbench.datasets.array_file import Pieces, read_arrays, write_arrays
from handbench.datasets.embedded_files import FILES, LabelledTake, plan_recordings
from handbench.datasets.files import digest_file, replace_file
from handbench.datasets.frame_chunks import MANIFEST, PARTIAL, RAW, TRUTH, is_made, run_chunks, start_or_carry_on
from handbench.datasets.lock import hold_alone
from handbench.datasets.progress import Progress
from handbench.datasets.takes import Take, draw_frame, label_take, prepare_take
from handbench.datasets.truth import collect_truth, describe_chunk
from handbench.digest import stage_digest
from handbench.rendering.renderer import choose_renderer, settle_renderer

CHUNK_FRAMES = 50


@dataclass(frozen=True)
class Request:
    """What was asked for; the same request makes the same bytes."""

    dataset: str
    frames: tuple[tuple[str, int], ...]
    stride: tuple[tuple[str, int], ...]
    seed: int
    renderer: str
    sources: str
    """Digest of the code: frames drawn by other code are not carried on from."""


@dataclass(frozen=True)
class Chunk:
    """Frames `first` to `last` of one take; `row` is the row of the take's first frame in its split."""

    take: int
    row: int
    first: int
    last: int

    @property
    def file_name(self) -> str:
        return f"take_{self.take:04d}_{self.first:06d}.npz"


def synthesize(
    dataset: str,
    out: Path,
    *,
    frames: dict[str, int],
    seed: int,
    stride: Mapping[str, int] = MappingProxyType({}),
    jobs: int = 1,
    renderer: str = "auto",
) -> None:
    """Write `frames` frames a split of the dataset under `out`.

    With a stride of n, people record n times as long and each n-th frame is kept: as many frames show more poses.
    """
    # Settled here, once: every worker process would otherwise say again that there is no OpenGL.
    drawn_by = settle_renderer(renderer)
    request = Request(
        dataset,
        tuple(sorted(frames.items())),
        tuple(sorted(stride.items())),
        seed,
        drawn_by,
        stage_digest("synthesize"),
    )
    with hold_alone(out):
        if is_made(out, _plain(request)):
            shutil.rmtree(out / PARTIAL, ignore_errors=True)
            print(f"{out}: already there, nothing to do")
        else:
            _make(out, request, jobs)


def _make(out: Path, request: Request, jobs: int) -> None:
    chunks = _plan_chunks(request)
    start_or_carry_on(out, _plain(request))
    _draw_chunks(out, request, chunks, jobs)
    takes = [_take(request, index) for index in range(chunks[-1].take + 1)]
    visible = np.concatenate([_read_chunk(out, chunk, "visible") for chunk in chunks])
    # Masks of whole images: of these no more than a chunk's are in memory.
    forearm_bits = Pieces(len(visible), (_read_chunk(out, chunk, "forearm_bits") for chunk in chunks))
    _write_labels(out, request, takes, visible)
    write_arrays(out / TRUTH, collect_truth(takes, visible, forearm_bits))
    replace_file(out / MANIFEST, _describe(out, request, takes).encode())
    shutil.rmtree(out / PARTIAL)


def _read_chunk(out: Path, chunk: Chunk, name: str) -> np.ndarray:
    return read_arrays(out / PARTIAL / chunk.file_name, names=(name,))[name]


def _plain(request: Request) -> dict[str, Any]:
    return {**asdict(request), "frames": dict(request.frames), "stride": dict(request.stride)}


def _plan_chunks(request: Request) -> list[Chunk]:
    rows = dict.fromkeys(SYNTHESIZED[request.dataset].splits, 0)
    chunks = []
    for index, recording in enumerate(_plan(request)):
        for first in range(0, recording.frames, CHUNK_FRAMES):
            last = min(first + CHUNK_FRAMES, recording.frames)
            chunks.append(Chunk(index, rows[recording.split], first, last))
        rows[recording.split] += recording.frames
    return chunks


def _draw_chunks(out: Path, request: Request, chunks: list[Chunk], jobs: int) -> None:
    waiting = [chunk for chunk in chunks if not (out / PARTIAL / chunk.file_name).is_file()]
    total = sum(chunk.last - chunk.first for chunk in chunks)
    left = sum(chunk.last - chunk.first for chunk in waiting)
    progress = Progress(f"synthesize {request.dataset}", total, done=total - left)
    for frames_drawn in run_chunks(draw_chunk, [(out, request, chunk) for chunk in waiting], jobs):
        progress.advance(frames_drawn)
    progress.close()


def draw_chunk(out: Path, request: Request, chunk: Chunk) -> int:
    """Draw a few frames of a take: their depth files first, then their truth, which says that they are there."""
    take, joints_mm = _take(request, chunk.take), _labels(request, chunk.take)
    render = choose_renderer(request.renderer)
    files = FILES[request.dataset]
    drawn = []
    for index in range(chunk.first, chunk.last):
        frame = draw_frame(take, index, joints_mm[index], render)
        path = out / RAW / files.depth_path(take.recording, index, chunk.row + index)
        path.parent.mkdir(parents=True, exist_ok=True)
        mirrored = request.dataset == "dexter"
        files.write_depth(path, np.ascontiguousarray(frame.depth_mm[:, ::-1]) if mirrored else frame.depth_mm)
        drawn.append(frame)
    write_arrays(out / PARTIAL / chunk.file_name, describe_chunk(drawn))
    return len(drawn)


@lru_cache(maxsize=4)
def _plan(request: Request) -> list[Any]:
    return plan_recordings(request.dataset, dict(request.frames), request.seed, dict(request.stride))


@lru_cache(maxsize=4)
def _take(request: Request, index: int) -> Take:
    return prepare_take(_plan(request)[index])


@lru_cache(maxsize=4)
def _labels(request: Request, index: int) -> Float32[np.ndarray, "frames joints 3"]:
    return label_take(_take(request, index))


def _write_labels(out: Path, request: Request, takes: list[Take], visible: Bool[np.ndarray, "frames joints"]) -> None:
    labelled, row = [], 0
    for take in takes:
        joints_mm = label_take(take)
        if request.dataset == "dexter":
            joints_mm = joints_mm * np.array([-1.0, 1.0, 1.0], np.float32)
            # Annotators mark only what they see: fingertips and corners that are hidden have no label.
            joints_mm[~visible[row : row + len(joints_mm)]] = np.nan
        labelled.append(LabelledTake(take.recording, joints_mm, take.poses))
        row += len(joints_mm)
    for split in SYNTHESIZED[request.dataset].splits:
        mine = [take for take in labelled if take.recording.split == split]
        if mine:
            FILES[request.dataset].write_labels(out / RAW, split, mine)


def _describe(out: Path, request: Request, takes: list[Take]) -> str:
    recordings = [take.recording for take in takes]
    content = {
        "format": "handbench embedded dataset",
        "request": _plain(request),
        "truth_sha256": digest_file(out / TRUTH),
        "takes": [
            {"split": r.split, "subject": r.subject, "sequence": r.sequence, "frames": r.frames} for r in recordings
        ],
    }
    return json.dumps(content, indent=1) + "\n"
