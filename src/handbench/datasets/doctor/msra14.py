"""MSRA14: six subjects of 400 whole images without a header."""

import re
from pathlib import Path

from handbench.conventions import MSRA14, MSRA14_SUBJECT_SCALE
from handbench.datasets.doctor.contents import ask_importer, find_faults, read_all
from handbench.datasets.doctor.diagnosis import Record
from handbench.datasets.doctor.msra import DEPTH, check_labels, look_at_box
from handbench.datasets.doctor.tree import Tree, join

KNOWN = re.compile(r"Subject[1-6]/(\d{6}_depth\.(bin|jpg)|joint\.txt|sphere\.txt)|[^/]*readme[^/]*", re.IGNORECASE)
_FRAMES = MSRA14.frames["all"] // len(MSRA14_SUBJECT_SCALE)
_BYTES = 4 * MSRA14.camera.width * MSRA14.camera.height
_EXTRACT = "extract the archive again, whole"


def find_base(tree: Tree) -> str | None:
    for folder in tree.files:
        for subject in MSRA14_SUBJECT_SCALE:
            files = tree.files.get(join(folder, subject), {})
            if "joint.txt" in files or any(DEPTH.fullmatch(name) for name in files):
                return folder
    return None


def examine(tree: Tree, base: str, record: Record, deep: bool) -> None:
    for subject in MSRA14_SUBJECT_SCALE:
        if tree.has_folder(base, subject):
            _examine_subject(tree, base, subject, record, deep)
        else:
            record.count(subject, 0, _FRAMES)
    absent = [subject for subject, count in record.counts.items() if not count]
    if absent:
        record.warn(f"no frames of {', '.join(absent)}", _EXTRACT + ", if you need them")
    total = sum(record.counts.values())
    if record.counts == record.expected:
        record.release = "complete"
    elif max(record.counts.values()) == _FRAMES:
        record.release = f"a part of the release, {total:,} of {MSRA14.frames['all']:,} frames"
    else:
        record.release = f"a miniature, {total:,} of {MSRA14.frames['all']:,} frames"
    _, fault = ask_importer("msra14", tree.path(base), "all")
    if fault:
        record.error(f"the importer refuses it: {fault}", "see above, or extract the archive again")


def _examine_subject(tree: Tree, base: str, subject: str, record: Record, deep: bool) -> None:
    folder = join(base, subject)
    names = sorted(name for name in tree.files[folder] if DEPTH.fullmatch(name))
    record.count(subject, len(names), _FRAMES)
    check_labels(tree, folder, subject, {int(name[:6]) for name in names}, record, _EXTRACT, must_count=False)
    if not tree.has_file(folder, "sphere.txt"):
        record.note(f"{subject}/sphere.txt is absent", "nothing: only the authors' own hand model is in it")
    faults = find_faults(tree.path(folder), names, _look_at_image)
    if deep:
        from handbench.datasets import msra14

        bad = {name for group in faults.values() for name in group}
        sound = (name for name in names if name not in bad)
        faults |= find_faults(tree.path(folder), sound, read_all(msra14.read_depth))
    record.list_faults({f"{fault} in {subject}": found for fault, found in faults.items()}, _EXTRACT)


def _look_at_image(path: Path) -> str:
    if path.stat().st_size == _BYTES:
        return ""
    if look_at_box(path) == "":
        return "boxes with a header, as MSRA15 has them,"
    return f"files that are not {_BYTES:,} bytes long"
