"""MSRA15: frames per subject and gesture against the releases in circulation, boxes against file lengths."""

import os
import re
import struct
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from handbench.conventions import MSRA, MSRA_GESTURES, MSRA_RELEASES, MSRA_SUBJECTS
from handbench.datasets.doctor.contents import advise_skips, ask_importer, find_faults, number_gaps, read_all, read_text
from handbench.datasets.doctor.diagnosis import Record, name_some
from handbench.datasets.doctor.tree import Tree, join
from handbench.datasets.msra_bad_frames import MSRA_BAD_FRAMES

KNOWN = re.compile(r"P\d/[^/]+/(\d{6}_depth\.(bin|jpg)|joint\.txt|valid\.mat)|[^/]*readme[^/]*", re.IGNORECASE)
DEPTH = re.compile(r"(\d{6})_depth\.bin")
SHORT_GESTURES = {
    "P0/T": 499, "P1/4": 499, "P1/6": 498, "P1/9": 499, "P1/L": 498, "P1/Y": 498, "P2/MP": 417, "P2/RP": 498,
    "P2/T": 497, "P3/5": 499, "P3/6": 497, "P3/7": 499, "P3/8": 497, "P3/9": 498, "P3/I": 499, "P3/Y": 499,
    "P5/1": 499, "P5/3": 499, "P5/T": 499, "P6/2": 499, "P6/4": 499, "P6/Y": 499, "P7/1": 498, "P8/2": 497,
    "P8/3": 498, "P8/4": 499, "P8/5": 499, "P8/Y": 499,
}  # fmt: skip
"""Gestures of the 76,375 release that have fewer than 500 frames."""
ALSO_DOUBTED = {"P3/T": (120, 489)}
"""Two frames more that another published reader leaves out."""
_HEADER = struct.Struct("<6I")
_EXTRACT = "extract cvpr15_MSRAHandGestureDB.zip again, whole"


def find_base(tree: Tree) -> str | None:
    """The folder that holds P0 to P8."""
    for folder in tree.files:
        for subject in (join(folder, name) for name in MSRA_SUBJECTS):
            for gesture in tree.children.get(subject, ()):
                files = tree.files.get(join(subject, gesture), {})
                if "joint.txt" in files or any(DEPTH.fullmatch(name) for name in files):
                    return folder
    return None


def examine(tree: Tree, base: str, record: Record, deep: bool) -> None:
    frames: dict[str, int] = {}
    empty: list[str] = []
    for subject in tree.children[base]:
        if re.fullmatch(r"P\d+", subject):
            for gesture in tree.children[join(base, subject)]:
                name = f"{subject}/{gesture}"
                frames[name], without_hand = _examine_gesture(tree, base, name, record, deep)
                empty += without_hand
    if empty:
        # Known of the release, so the archive is not to blame; but a crop stops at the first of them.
        found = f"{len(empty):,} frames hold an empty box: {name_some(empty)}; a crop stops at the first"
        record.error(found, advise_skips(len(empty)))
    unlisted = [g for g in frames if g.split("/")[0] not in MSRA_SUBJECTS or g.split("/")[1] not in MSRA_GESTURES]
    if unlisted:
        record.error(f"folders that no release has: {name_some(unlisted)}", "move them elsewhere")
    totals = [sum(n for g, n in frames.items() if g.startswith(f"{s}/")) for s in MSRA_SUBJECTS]
    _name_release(frames, totals, record)
    _note_bad_frames(tree, base, frames, record)
    _, fault = ask_importer("msra", tree.path(base), "all")
    if fault:
        record.error(f"the importer refuses it: {fault}", "see above, or extract the archive again")


def _examine_gesture(tree: Tree, base: str, gesture: str, record: Record, deep: bool) -> tuple[int, list[str]]:
    """Number of frames, and the frames with an empty box."""
    folder = join(base, gesture)
    names = sorted(name for name in tree.files[folder] if DEPTH.fullmatch(name))
    check_labels(tree, folder, gesture, {int(name[:6]) for name in names}, record, _EXTRACT, must_count=True)
    path = tree.path(folder)
    faults = find_faults(path, names, look_at_box)
    empty = faults.pop(_EMPTY_BOX, [])
    if deep:
        from handbench.datasets import msra

        bad = {name for group in (*faults.values(), empty) for name in group}
        faults |= find_faults(path, (name for name in names if name not in bad), read_all(msra.read_depth))
    record.list_faults({f"{fault} in {gesture}": found for fault, found in faults.items()}, _EXTRACT)
    return len(names), [f"{gesture}/{name}" for name in empty]


_EMPTY_BOX = "empty boxes"


def look_at_box(path: Path) -> str:
    """The 24-byte header against the sensor and the length of the file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        size_bytes = os.fstat(descriptor).st_size
        head = os.pread(descriptor, _HEADER.size, 0)
    finally:
        os.close(descriptor)
    if len(head) < _HEADER.size:
        return "files shorter than their header"
    width, height, left, top, right, bottom = _HEADER.unpack(head)
    if (width, height) != (MSRA.camera.width, MSRA.camera.height):
        return "whole images without a header, as MSRA14 has them," if size_bytes == 307_200 else "foreign headers"
    if right <= left or bottom <= top:
        return _EMPTY_BOX
    if right > width or bottom > height:
        return "boxes that leave the image"
    return "" if size_bytes == _HEADER.size + 4 * (right - left) * (bottom - top) else "files cut short or too long"


def check_labels(
    tree: Tree, folder: str, shown: str, numbers: set[int], record: Record, mend: str, *, must_count: bool
) -> None:
    """joint.txt against itself (MSRA15's first line must count the others) and against the depth files."""
    if not tree.has_file(folder, "joint.txt"):
        record.error(f"{shown}/joint.txt is absent", mend)
        return
    lines = [line.split() for line in read_text(tree.path(folder, "joint.txt")).split(b"\n")]
    lines = [line for line in lines if line]
    counted = int(lines[0][0]) if lines and len(lines[0]) == 1 and re.fullmatch(rb"\d{1,9}", lines[0][0]) else None
    rows = lines if lines and len(lines[0]) == 63 else lines[1:]
    if rows and counted is None and must_count:
        record.error(f"{shown}/joint.txt does not begin with the number of frames", mend)
    elif not rows or (counted is not None and counted != len(rows)):
        said = "nothing" if counted is None else f"{counted} frames"
        record.error(f"{shown}/joint.txt promises {said} and holds {len(rows)}", mend)
    wrong = next((number for number, row in enumerate(rows, 1) if len(row) != 63 or _has_word(row)), None)
    if wrong is not None:
        record.error(f"{shown}/joint.txt: row {wrong} is not 63 finite numbers", mend)
    missing = number_gaps(numbers, 0, len(rows))
    if missing:
        names = name_some([f"{number:06d}_depth.bin" for number in missing])
        record.error(f"{len(missing):,} labelled frames are missing in {shown}: {names}", mend)
    beyond = [number for number in sorted(numbers) if number >= len(rows)]
    if beyond and rows:
        record.error(
            f"{len(beyond):,} frames of {shown} have no label (from {beyond[0]:06d}_depth.bin on)",
            "take labels and depth from the same release",
        )


def _has_word(row: list[bytes]) -> bool:
    """Whether any of the numbers is NaN, infinite or not a number; letters other than an exponent's say so."""
    joined = b" ".join(row).lower()
    return bool(re.search(rb"[^0-9eE+\-. ]", joined))


def _name_release(frames: dict[str, int], totals: list[int], record: Record) -> None:
    releases = MSRA_RELEASES | {"76500": (500 * len(MSRA_GESTURES),) * len(MSRA_SUBJECTS)}
    found = next((name for name, counts in releases.items() if list(counts) == totals), None)
    missing_by = {
        name: sum(abs(have - want) for have, want in zip(totals, counts, strict=True))
        for name, counts in releases.items()
    }
    nearest = min(missing_by, key=missing_by.__getitem__)
    for subject, have, want in zip(MSRA_SUBJECTS, totals, releases[found or nearest], strict=True):
        record.count(subject, have, want)
    absent = [subject for subject, have in zip(MSRA_SUBJECTS, totals, strict=True) if not have]
    if absent:
        record.warn(f"no frames of {', '.join(absent)}", _EXTRACT + ": leaving one subject out needs all nine")
    if found:
        record.release = f"the {int(found):,}-frame release"
    elif sum(totals) < MSRA.frames["all"] // 2 and max(frames.values(), default=0) < 400:
        record.release = f"a miniature, {sum(totals):,} of {MSRA.frames['all']:,} frames"
    else:
        record.release = f"no release we know, {sum(totals):,} frames; nearest is the {int(nearest):,}-frame one"
        _compare_gestures(frames, record)


def _compare_gestures(frames: dict[str, int], record: Record) -> None:
    """Which folders differ from the 76,375 frames that published results are measured on."""
    differing = [
        f"{subject}/{gesture} has {frames.get(f'{subject}/{gesture}', 0)} of {wanted}"
        for subject in MSRA_SUBJECTS
        for gesture in MSRA_GESTURES
        if frames.get(f"{subject}/{gesture}", 0) != (wanted := SHORT_GESTURES.get(f"{subject}/{gesture}", 500))
    ]
    record.warn(
        f"{len(differing)} folders differ from the 76,375 release: {name_some(differing, 5)}",
        "compare with published predictions by frame name, never by row; or get that release",
    )


def _note_bad_frames(tree: Tree, base: str, frames: dict[str, int], record: Record) -> None:
    there = partial(_count_present, tree, base)
    flagged, doubted = there(MSRA_BAD_FRAMES), there(ALSO_DOUBTED)
    if flagged and sum(frames.values()) > MSRA.frames["all"] // 2:
        record.note(
            f"{flagged} of 126 frames flagged as wrong by a published reader are here, and {doubted} of 2 in doubt",
            "nothing: published numbers include them; for training of your own you may leave them out",
        )


def _count_present(tree: Tree, base: str, listed: Mapping[str, tuple[int, ...]]) -> int:
    return sum(
        tree.has_file(join(base, gesture), f"{row:06d}_depth.bin") for gesture, rows in listed.items() for row in rows
    )
