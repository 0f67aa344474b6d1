"""Cut every frame of a listing once and keep the patches: decoding PNGs, not cropping, is the cost of depth data.

A build works in `<out>.partial` and records each chunk of frames after its bytes are on the disk, so that a killed
build carries on where it stopped and ends in the same bytes. The finished folder appears under its name at once.
"""

import csv
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from handbench.conventions import HANDOBJECT, RENDERED
from handbench.datasets.centres import CentreStrategy, choose_strategy
from handbench.datasets.files import digest_file
from handbench.datasets.frame_crop import Crop, crop_frame, read_hand
from handbench.datasets.listing import Listing
from handbench.datasets.lock import hold_alone
from handbench.datasets.progress import Progress
from handbench.datasets.row_file import RowFile
from handbench.datasets.source import explain_source, find_rendered, name_source
from handbench.datasets.store import CARD, FORMAT, INDEX, INDEX_COLUMNS, VERSION, array_layout
from handbench.digest import stage_digest
from handbench.errors import BadInput
from handbench.json_file import read_noted_object
from handbench.sealed import SEAL, is_sealed, seal

CHUNK_FRAMES = 256
PROGRESS = "progress.json"


@dataclass
class Done:
    """What is on the disk: everything before frame `rows`, of which `kept` are in the arrays."""

    request: str
    digests: dict[str, str] = field(default_factory=dict)
    """Of each array file's rows so far: bytes that changed between two runs are cut anew."""
    rows: int = 0
    kept: int = 0
    skipped: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)


def build_crops(
    listing: Listing, *, centre: str | CentreStrategy, size_px: int, out: Path, allow_skips: int = 0, jobs: int = 1
) -> None:
    """Write the crop store of a listing to the folder `out`.

    A frame that cannot be read stops the build unless `allow_skips` still allows one more; skipped frames are listed
    in store.json and printed. `jobs` threads read and cut at once: decoding and cutting both release the GIL.
    """
    strategy = choose_strategy(centre, listing.convention) if isinstance(centre, str) else centre
    _refuse_foreign_folder(out)
    out = out.resolve()  # a link to a folder elsewhere stays one: the store is built where it points
    with hold_alone(out):
        _build(listing, strategy, size_px, out, allow_skips, jobs)


def _build(listing: Listing, strategy: CentreStrategy, size_px: int, out: Path, allow_skips: int, jobs: int) -> None:
    partial = out.with_name(out.name + ".partial")
    layout = array_layout(size_px, listing.joints_mm.shape[1])
    files = [RowFile(partial / name, shape, dtype) for name, (shape, dtype) in layout.items()]
    done = _resume(partial, files, listing, _digest_request(listing, strategy, size_px))
    label = f"crop {listing.convention.name} {listing.split}"
    progress = Progress(label, len(listing), done.rows)
    with _ordered_map(jobs) as ordered_map:
        while done.rows < len(listing):
            rows = range(done.rows, min(done.rows + CHUNK_FRAMES, len(listing)))
            outcomes = ordered_map(lambda row: _crop_or_refuse(listing, row, strategy, size_px), rows)
            crops = _keep_crops(outcomes, listing, done, allow_skips)
            with _name_refusal(partial):
                _append_chunk(files, crops)
                done.digests = {file.path.name: file.digest() for file in files}
                done.rows = rows.stop
                _write_json(partial / PROGRESS, seal(asdict(done)))
            progress.advance(len(rows))
    progress.close()
    with _name_refusal(partial):
        _finish(partial, files, listing, strategy, size_px, done)
        _publish(partial, out)
    print(f"{label}: {done.kept} frames, {len(done.skipped)} skipped, {len(done.notes)} with a note in {out / CARD}")
    for note, count in Counter(entry["note"] for entry in done.notes).most_common():
        print(f'  {count} x {note} (rows under "notes" in {CARD}; docs/crops.md explains)')


@contextmanager
def _name_refusal(partial: Path) -> Iterator[None]:
    """A disk that refuses is one line; what was recorded before stays good."""
    try:
        yield
    except OSError as error:
        raise BadInput(
            partial,
            expected="a folder with room that may be written to",
            found=error.strerror or str(error),
            fix="free some disk or choose another folder; the same command goes on from here",
        ) from error


def _crop_or_refuse(listing: Listing, row: int, strategy: CentreStrategy, size_px: int) -> Crop | BadInput:
    try:
        frame = read_hand(listing, row)
    except BadInput as refusal:
        return refusal
    return crop_frame(frame, listing.convention, strategy, size_px)


@contextmanager
def _ordered_map(jobs: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """A map whose results come in the order of its arguments, whatever the number of threads (trap 50)."""
    if jobs == 1:
        yield map
        return
    with ThreadPoolExecutor(jobs) as pool:
        yield pool.map


def _keep_crops(outcomes: Iterable[Crop | BadInput], listing: Listing, done: Done, allow_skips: int) -> list[Crop]:
    crops: list[Crop] = []
    for row, outcome in enumerate(outcomes, start=done.rows):
        if isinstance(outcome, Crop):
            crops.append(outcome)
            if outcome.note:
                done.notes.append({"row": row, "note": outcome.note})
            continue
        if len(done.skipped) >= allow_skips:
            raise outcome
        print(f"skipped row {row}: {outcome}", flush=True)
        done.skipped.append(
            {"row": row, "name": listing.names[row], "expected": outcome.expected, "found": outcome.found}
        )
    done.kept += len(crops)
    return crops


def _append_chunk(files: list[RowFile], crops: list[Crop]) -> None:
    if not crops:
        return
    columns = (
        [crop.depth for crop in crops],
        [crop.joints_mm for crop in crops],
        [crop.centre_mm for crop in crops],
        [crop.cube_mm for crop in crops],
        [crop.patch_from_image for crop in crops],
        [crop.row for crop in crops],
    )
    for file, column in zip(files, columns, strict=True):
        file.append(np.array(column))


def _digest_request(listing: Listing, strategy: CentreStrategy, size_px: int) -> str:
    """What a build is of: a partial folder of another request, or of other code, is of no use."""
    digest = hashlib.sha256(stage_digest("crop").encode())
    words = (
        VERSION,
        listing.convention,
        listing.split,
        listing.root,
        strategy.word,
        strategy.uses_ground_truth,
        size_px,
    )
    digest.update(repr(words).encode())
    digest.update(repr((listing.names, listing.subjects, listing.sequences)).encode())
    digest.update(np.ascontiguousarray(listing.joints_mm).tobytes())
    for name in listing.names:
        digest.update(_stamp_file(listing.root / name))
    return digest.hexdigest()


def _stamp_file(path: Path) -> bytes:
    """Images that were written anew under the same names and labels show in their sizes and times."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return b"none;"
    return b"%d %d;" % (status.st_size, status.st_mtime_ns)


def _resume(partial: Path, files: list[RowFile], listing: Listing, request: str) -> Done:
    done = _read_progress(partial / PROGRESS)
    with _name_refusal(partial):
        if done is None or done.request != request or not _is_intact(files, listing, done):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            done = Done(request)
        for file in files:
            file.cut(done.kept)
    return done


def _is_intact(files: list[RowFile], listing: Listing, done: Done) -> bool:
    if any(_reads_now(listing, skip["row"]) for skip in done.skipped):
        return False
    return all(file.can_resume(done.kept, done.digests.get(file.path.name, "")) for file in files)


def _read_progress(path: Path) -> Done | None:
    content = read_noted_object(path)
    try:
        return Done(**{name: content[name] for name in content if name != SEAL}) if is_sealed(content) else None
    except TypeError:
        return None


def _reads_now(listing: Listing, row: int) -> bool:
    """A frame that an earlier run skipped and that has been mended since belongs in the store."""
    try:
        read_hand(listing, row)
    except BadInput:
        return False
    return True


def _finish(
    partial: Path, files: list[RowFile], listing: Listing, strategy: CentreStrategy, size_px: int, done: Done
) -> None:
    """Headers, index, and last of all the card: a folder without it is no store."""
    for file in files:
        file.finish(done.kept)
    skipped = {skip["row"] for skip in done.skipped}
    kept_rows = [row for row in range(len(listing)) if row not in skipped]
    # Names come from a file system, which need not speak UTF-8.
    with (partial / INDEX).open("w", encoding="utf-8", errors="surrogateescape", newline="") as index:
        writer = csv.writer(index, lineterminator="\n")
        writer.writerow(INDEX_COLUMNS)
        writer.writerows((row, listing.names[row], listing.subjects[row], listing.sequences[row]) for row in kept_rows)
    cube_mm = np.load(partial / "cube.npy", allow_pickle=False)
    card = {
        "format": FORMAT,
        "version": VERSION,
        "protocol": _describe_protocol(listing, strategy, size_px, cube_mm, kept_rows),
        "rows": done.kept,
        "skipped": done.skipped,
        "notes": done.notes,
        "files": {
            path.name: {"sha256": digest_file(path)} for path in (*(file.path for file in files), partial / INDEX)
        },
    }
    _write_json(partial / CARD, seal(card))


def _describe_protocol(
    listing: Listing, strategy: CentreStrategy, size_px: int, cube_mm: np.ndarray, kept_rows: list[int]
) -> dict[str, Any]:
    convention = listing.convention
    subjects = np.array([listing.subjects[row] for row in kept_rows], dtype=str)
    edges = {subject: cube_mm[subjects == subject] for subject in sorted(set(subjects.tolist()))}
    return {
        "dataset": convention.name,
        "title": convention.title,
        "source": name_source(listing.root),
        "source_shown_by": explain_source(listing.root),
        "split": listing.split,
        **({"annotations": listing.annotations} if listing.annotations else {}),
        **_describe_rendered(listing),
        "frames": len(listing),
        "joints": list(convention.joints.names),
        "scored": list(convention.scored),
        "centre": {"strategy": strategy.word, "uses_ground_truth": strategy.uses_ground_truth},
        "cube_mm": {subject: [float(of.min()), float(of.max())] for subject, of in edges.items()},
        "camera": asdict(convention.camera),
        "size_px": size_px,
        "depth": "float16, (depth - centre) / (cube / 2) clipped to [-1, 1]; background, holes and outside +1",
    }


def _describe_rendered(listing: Listing) -> dict[str, Any]:
    """Of rendered frames the set and the digest of its manifest: one set of a name is not another's."""
    name = listing.convention.name
    if name not in RENDERED:
        return {}
    word = listing.split if name == HANDOBJECT.name else name
    return {"rendered": {word: find_rendered(listing.root) or "unknown"}}


def _refuse_foreign_folder(out: Path) -> None:
    if out.name in ("", ".."):
        raise BadInput(out, expected="the name of a new folder", found="an old one", fix="name a folder inside it")
    known = {*array_layout(1, 1), INDEX, CARD, PROGRESS}
    foreign = sorted(entry.name for entry in out.iterdir() if entry.name not in known) if out.is_dir() else []
    if foreign or (out.exists() and not out.is_dir()):
        raise BadInput(
            out,
            expected="a new folder, or an older store to replace",
            found=f"{foreign[0]!r} in it" if foreign else "a file",
            fix="choose another folder for the crops",
        )


def _publish(partial: Path, out: Path) -> None:
    """A kill between any two of these lines leaves the old store, the new one, or a build that ends at once."""
    old = out.with_name(out.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if out.is_dir():
        out.rename(old)
    partial.rename(out)
    (out / PROGRESS).unlink()
    shutil.rmtree(old, ignore_errors=True)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
