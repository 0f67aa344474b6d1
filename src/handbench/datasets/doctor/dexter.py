"""Dexter+Object: depth images against the annotation lines of each sequence, shipped or revised."""

import re
from pathlib import Path

from handbench.conventions import DEXTER, DEXTER_SEQUENCES
from handbench.datasets.doctor.contents import (
    Picture,
    ask_importer,
    find_faults,
    look_at_picture,
    read_all,
    read_text,
    spread,
    unpack_picture,
)
from handbench.datasets.doctor.diagnosis import Record
from handbench.datasets.doctor.tree import Tree, join

KNOWN = re.compile(
    r"[A-Z][a-z]+\d?/(color/[^/]+\.(bmp|png|jpg)|depth/[^/]+\.(png|pgm|bin)|annotations/[^/]+\.txt)"
    r"|[^/]+\.txt|[^/]*readme[^/]*",
    re.IGNORECASE,
)
_PICTURE = Picture(320, 240, 16, 0)
_KINDS = (".png", ".pgm", ".bin")
_PGM = re.compile(rb"P5\s+(?:#[^\n]*\n\s*)*(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s")
_PGM_HEAD_BYTES = 4096
_REVISED_NUMBERS = 72
_EXTRACT = "download the sequence again, whole"


def find_base(tree: Tree) -> str | None:
    for folder in tree.files:
        for sequence in DEXTER_SEQUENCES:
            inside = join(folder, sequence)
            if tree.has_folder(inside, "depth") or tree.has_folder(inside, "annotations"):
                return folder
    return None


def examine(tree: Tree, base: str, record: Record, deep: bool) -> None:
    present = [name for name in DEXTER_SEQUENCES if tree.has_folder(base, name)]
    for sequence in present:
        _examine_sequence(tree, base, sequence, record, deep)
    absent = [name for name in DEXTER_SEQUENCES if name not in present]
    if absent:
        record.warn(f"no sequence {', '.join(absent)}", "download the dataset again, if you need them")
    total = sum(record.counts.values())
    record.count("all sequences", total, DEXTER.frames["test"])
    form = "complete" if total == DEXTER.frames["test"] else f"{total:,} of {DEXTER.frames['test']:,} frames"
    if total < DEXTER.frames["test"] // 2:
        form = f"a miniature, {form}"
    record.release = f"{form}, {_name_annotations(tree, base)}"
    _, fault = ask_importer("dexter", tree.path(base), "test")
    if fault:
        record.error(f"the importer refuses it: {fault}", "see above, or download the dataset again")


def _examine_sequence(tree: Tree, base: str, sequence: str, record: Record, deep: bool) -> None:
    files = tree.files.get(join(base, f"{sequence}/depth"), {})
    kind = next((kind for kind in _KINDS if any(name.endswith(kind) for name in files)), "")
    names = sorted(name for name in files if kind and name.endswith(kind))
    record.count(sequence, len(names))
    if not names:
        record.error(f"{sequence}/depth holds no depth image ({', '.join(_KINDS)})", _EXTRACT)
    for dimensions in ("2D", "3D"):
        _examine_annotations(tree, base, sequence, dimensions, len(names), record)
    path = tree.path(join(base, f"{sequence}/depth"))
    faults = find_faults(path, names, _look_at_depth)
    bad = {name for group in faults.values() for name in group}
    sound = [name for name in names if name not in bad]
    if deep:
        from handbench.datasets import dexter

        faults |= find_faults(path, sound, read_all(dexter.read_depth))
    elif kind == ".png":
        faults |= find_faults(path, spread(sound), unpack_picture)
    record.list_faults({f"{fault} in {sequence}/depth": found for fault, found in faults.items()}, _EXTRACT)


def _look_at_depth(path: Path) -> str:
    """Header and end of a PNG; of the bare forms, which have no end mark, header and length."""
    if path.suffix == ".png":
        return look_at_picture(path, _PICTURE)
    pixels = _PICTURE.width * _PICTURE.height
    size_bytes = path.stat().st_size
    if path.suffix == ".bin":
        return (
            ""
            if size_bytes in (2 * pixels, 4 * pixels)
            else f"files that are not {2 * pixels:,} or {4 * pixels:,} bytes"
        )
    with path.open("rb") as file:
        head = file.read(_PGM_HEAD_BYTES)
    match = _PGM.match(head)
    if match is None or (int(match[1]), int(match[2])) != (_PICTURE.width, _PICTURE.height) or int(match[3]) < 256:
        return f"files that are not binary 16-bit PGMs of {_PICTURE.width}x{_PICTURE.height}"
    return "" if size_bytes == match.end() + 2 * pixels else "PGMs cut short or too long"


def _examine_annotations(tree: Tree, base: str, sequence: str, dimensions: str, images: int, record: Record) -> None:
    folder = join(base, f"{sequence}/annotations")
    name = f"{sequence}{dimensions}.txt"
    if not tree.has_file(folder, name):
        edited = " (an edited my_ file is here)" if tree.has_file(folder, f"my_{name}") else ""
        record.error(f"{sequence}/annotations/{name} is absent{edited}", _EXTRACT)
        return
    lines = [line for line in read_text(tree.path(folder, name)).split(b"\n") if line.strip()]
    if len(lines) != images:
        record.error(f"{name} holds {len(lines)} lines for {images} depth images", _EXTRACT)
    entries = {len([entry for entry in line.split(b";") if entry.strip()]) for line in lines}
    if len(entries) > 1 or (entries and min(entries) < 5):
        found = " or ".join(map(str, sorted(entries)))
        record.error(f"{name} has {found} entries a line instead of five tips and the corners", _EXTRACT)


def _name_annotations(tree: Tree, base: str) -> str:
    """Which annotations are here: those shipped, or the revised ones (72 numbers a line)."""
    places = [join(base, folder) for folder in ("", *(f"{name}/annotations" for name in DEXTER_SEQUENCES))]
    for folder in places:
        for name in sorted(tree.files.get(folder, {})):
            if name.endswith(".txt"):
                first = read_text(tree.path(folder, name)).lstrip().split(b"\n", 1)[0]
                if len(re.split(rb"[\s,;]+", first.strip(b" \r,;"))) == _REVISED_NUMBERS:
                    return "shipped annotations, and revised ones"
    return "shipped annotations"
