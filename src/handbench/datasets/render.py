"""Render a training set of hands with objects: semi-synthetic frames, then fully synthetic ones (Section 4.1).

    <out>/raw/<set>/     depth and labels, as datasets.rendered_files reads them
    <out>/truth.npz      object, visibility, origin of each frame (datasets.render_truth)
    <out>/manifest.json  written last, sealed: what was asked for, rejections, penetration, whose hands they are

The random numbers of a frame, or of a grasp and its views, depend on nothing drawn before.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from handbench.conventions import HANDOBJECT, MSRA_JOINTS, RECORDED, SEMI_SYNTHETIC
from handbench.datasets.array_file import read_arrays, write_arrays
from handbench.datasets.drawn_object import ObjectFrame
from handbench.datasets.files import digest_file, replace_file
from handbench.datasets.frame_chunks import MANIFEST, PARTIAL, RAW, TRUTH, is_made, run_chunks, start_or_carry_on
from handbench.datasets.frame_crop import read_hand
from handbench.datasets.fused_frames import NOISE_MM, TOLERANCE_MM, fuse_frame
from handbench.datasets.grasped_frames import USERS, VIEWS, draw_views, make_grasp
from handbench.datasets.handobject import FILES
from handbench.datasets.importers import list_frames
from handbench.datasets.listing import Frame, Listing
from handbench.datasets.lock import hold_alone
from handbench.datasets.object_catalogue import CATALOGUES
from handbench.datasets.progress import Progress
from handbench.datasets.render_truth import FORMAT, RenderTruth, describe_frames, summarise
from handbench.datasets.rendered_files import LABELS, depth_name, write_labels
from handbench.datasets.source import explain_source, name_source
from handbench.digest import stage_digest
from handbench.errors import BadInput
from handbench.rendering.renderer import choose_renderer, settle_renderer
from handbench.sealed import seal

HAND_SETS = tuple(name for name, convention in RECORDED.items() if convention.joints == MSRA_JOINTS)
"""Sets whose hands have the joints, and whose camera is the one, of what is rendered."""
CHUNK_FRAMES = 5 * VIEWS
_MOST_HANDS = 20

Roots = tuple[tuple[str, Path], ...]


@dataclass(frozen=True)
class Request:
    """What was asked for; the same request makes the same bytes."""

    set: str
    frames: tuple[tuple[str, int], ...]
    seed: int
    renderer: str
    hands: tuple[tuple[str, str], ...]
    """Set of hand frames and a digest of its list and labels."""
    sources: str
    """Digest of the code: frames drawn by other code are not carried on from."""

    @property
    def stream(self) -> tuple[int, int]:
        return self.seed, HANDOBJECT.splits.index(self.set)


@dataclass(frozen=True)
class Chunk:
    """Frames `first` to `last` of one sequence."""

    sequence: str
    first: int
    last: int

    @property
    def file_name(self) -> str:
        return f"{self.sequence}_{self.first:06d}.npz"


def render(
    word: str,
    out: Path,
    *,
    hands: Mapping[str, Path],
    frames: Mapping[str, int],
    seed: int = 0,
    jobs: int = 1,
    renderer: str = "auto",
) -> None:
    """Write the set `word` under `out`: `frames` of each sequence (semi, full), before hands of MSRA15 and MSRA14."""
    _check(word, hands, frames)
    roots = tuple((name, hands[name].resolve()) for name in HAND_SETS if name in hands)
    request = Request(
        word,
        tuple(sorted((name, count) for name, count in frames.items() if count)),
        seed,
        settle_renderer(renderer),
        tuple((name, _digest_listing(listing)) for name, listing in zip(dict(roots), _list_hands(roots), strict=True)),
        stage_digest("render"),
    )
    with hold_alone(out):
        if is_made(out, _plain(request)):
            shutil.rmtree(out / PARTIAL, ignore_errors=True)
            print(f"{out}: already there, nothing to do")
        else:
            _make(out, request, roots, jobs)


def draw_chunk(out: Path, request: Request, roots: Roots, chunk: Chunk) -> int:
    """Draw a few frames: their depth files first, then their truth, which says that they are there."""
    drawn, hand_rows = (_draw_semi if chunk.sequence == SEMI_SYNTHETIC else _draw_full)(request, roots, chunk)
    for row, frame in enumerate(drawn, start=chunk.first):
        path = out / RAW / request.set / depth_name(chunk.sequence, row)
        path.parent.mkdir(parents=True, exist_ok=True)
        FILES.write_depth(path, frame.depth_mm)
    write_arrays(out / PARTIAL / chunk.file_name, describe_frames(drawn, hand_rows))
    return len(drawn)


def _check(word: str, hands: Mapping[str, Path], frames: Mapping[str, int]) -> None:
    if word not in CATALOGUES:
        raise BadInput("render", expected=" or ".join(CATALOGUES), found=repr(word), fix="name one of these sets")
    if not set(frames) <= set(FILES.sequences) or not sum(frames.values()):
        found = ", ".join(f"{name}={count}" for name, count in frames.items()) or "none"
        expected = "a count for semi, full or both"
        raise BadInput("frames of render", expected=expected, found=found, fix="ask for semi=N full=N")
    if not set(hands) <= set(HAND_SETS):
        expected, found = f"folders of {' and '.join(HAND_SETS)}", ", ".join(hands)
        raise BadInput("hands of render", expected=expected, found=found, fix="name those, as msra=DIR")
    if frames.get(SEMI_SYNTHETIC) and not hands:
        fix = "name the folder of MSRA15 or MSRA14, as --hands msra=DIR; or ask for full=N alone"
        raise BadInput("hands of render", expected="hands to render objects before", found="none", fix=fix)


def _make(out: Path, request: Request, roots: Roots, jobs: int) -> None:
    chunks = [
        Chunk(sequence, first, min(first + CHUNK_FRAMES, count))
        for sequence in FILES.sequences
        for count in (dict(request.frames).get(sequence, 0),)
        for first in range(0, count, CHUNK_FRAMES)
    ]
    start_or_carry_on(out, _plain(request))
    waiting = [chunk for chunk in chunks if not (out / PARTIAL / chunk.file_name).is_file()]
    total, left = (sum(chunk.last - chunk.first for chunk in some) for some in (chunks, waiting))
    progress = Progress(f"render {request.set}", total, done=total - left)
    for drawn in run_chunks(draw_chunk, [(out, request, roots, chunk) for chunk in waiting], jobs):
        progress.advance(drawn)
    progress.close()
    pieces = [read_arrays(out / PARTIAL / chunk.file_name) for chunk in chunks]
    arrays = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    names = [depth_name(chunk.sequence, row) for chunk in chunks for row in range(chunk.first, chunk.last)]
    labels = out / RAW / request.set / LABELS
    write_labels(labels, names, arrays["subject"].tolist(), arrays["labels_mm"])
    truth = RenderTruth(**{field.name: arrays[field.name] for field in fields(RenderTruth)})
    write_arrays(out / TRUTH, {field.name: arrays[field.name] for field in fields(RenderTruth)})
    manifest = json.dumps(seal(_describe(out, request, roots, truth)), indent=1) + "\n"
    replace_file(out / MANIFEST, manifest.encode())
    shutil.rmtree(out / PARTIAL)


def _draw_semi(request: Request, roots: Roots, chunk: Chunk) -> tuple[list[ObjectFrame], list[int]]:
    """Each hand once before any comes again; one without room for an object gives its turn to a random one."""
    hands, frames, rows = sum(len(listing) for listing in _list_hands(roots)), [], []
    render = choose_renderer(request.renderer)
    for index in range(chunk.first, chunk.last):
        rng, rejected = np.random.default_rng([*request.stream, 0, index]), Counter[str]()
        row = int(_shuffle_hands(request.seed, index // hands, hands)[index % hands])
        drawn = None
        for _ in range(_MOST_HANDS):
            frame, subject = _read_hand(roots, row)
            drawn = fuse_frame(frame, subject, CATALOGUES[request.set], rng, render, rejected)
            if drawn is not None:
                break
            row = int(rng.integers(hands))
        if drawn is None:
            found = ", ".join(f"{count} {reason}" for reason, count in rejected.most_common())
            expected = f"room for an object beside one of {_MOST_HANDS} hands"
            raise BadInput("render", expected=expected, found=found, fix="look at the labels of --hands")
        frames.append(drawn)
        rows.append(row)
    return frames, rows


def _read_hand(roots: Roots, row: int) -> tuple[Frame, str]:
    """A hand by its row in all sets, one behind the other; and whose it is."""
    for listing in _list_hands(roots):
        if row < len(listing):
            frame = read_hand(listing, row)
            return frame, f"{listing.convention.name}-{frame.subject}"
        row -= len(listing)
    raise IndexError(row)


def _draw_full(request: Request, roots: Roots, chunk: Chunk) -> tuple[list[ObjectFrame], list[int]]:
    """Chunks begin with a grasp's first view; users take turns, and after each round the object changes."""
    render, objects = choose_renderer(request.renderer), CATALOGUES[request.set].grasped
    frames: list[ObjectFrame] = []
    for first in range(chunk.first, chunk.last, VIEWS):
        number = first // VIEWS
        stream = (*request.stream, 1, number)
        grasp = make_grasp(number % USERS, objects[number // USERS % len(objects)], np.random.default_rng(stream))
        frames += draw_views(grasp, stream, render, min(VIEWS, chunk.last - first))
    return frames, [-1] * len(frames)


@lru_cache(maxsize=4)
def _list_hands(roots: Roots) -> tuple[Listing, ...]:
    return tuple(list_frames(name, root, "all") for name, root in roots)


@lru_cache(maxsize=4)
def _shuffle_hands(seed: int, turn: int, hands: int) -> Int64[np.ndarray, "hands"]:
    """Every hand frame once, in an order of its own each time around."""
    return np.random.default_rng([seed, turn]).permutation(hands)


def _digest_listing(listing: Listing) -> str:
    digest = hashlib.sha256(repr((listing.names, listing.subjects)).encode())
    digest.update(np.ascontiguousarray(listing.joints_mm).tobytes())
    return digest.hexdigest()


def _plain(request: Request) -> dict[str, Any]:
    return {**asdict(request), "frames": dict(request.frames), "hands": dict(request.hands)}


def _describe(out: Path, request: Request, roots: Roots, truth: RenderTruth) -> dict[str, Any]:
    hands = [
        {"dataset": name, "source": name_source(root), "source_shown_by": explain_source(root), "frames": len(listing)}
        for (name, root), listing in zip(roots, _list_hands(roots), strict=True)
    ]
    real = bool(hands) and all(hand["source"] == "real" for hand in hands)
    return {
        "format": FORMAT,
        "request": _plain(request),
        "hands": hands,
        "source": "real" if real else "embedded",
        "object_noise_mm": NOISE_MM,
        "collision_tolerance_mm": TOLERANCE_MM,
        **summarise(truth),
        "labels_sha256": digest_file(out / RAW / request.set / LABELS),
        "truth_sha256": digest_file(out / TRUTH),
    }
