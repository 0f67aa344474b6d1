"""NYU: depth pictures of the frontal camera against the rows of joint_data.mat."""

import re
from pathlib import Path

from handbench.conventions import NYU
from handbench.datasets.doctor.contents import (
    Picture,
    ask_importer,
    find_faults,
    look_at_picture,
    number_gaps,
    read_all,
    spread,
    unpack_picture,
)
from handbench.datasets.doctor.diagnosis import Record, name_some
from handbench.datasets.doctor.tree import Tree, join

KNOWN = re.compile(
    r"(train|test)/((depth|rgb|synthdepth)_[123]_\d{7}\.png|joint_data\.mat|test_predictions\.mat)"
    r"|([^/]+\.(m|txt|pdf|md)|[^/]*readme[^/]*)",
    re.IGNORECASE,
)
_DEPTH = re.compile(r"depth_1_(\d{7})\.png")
_PICTURE = Picture(640, 480, 8, 2)
_MOST_ROWS = 1_000_000
"""An untrusted header may claim any number."""
_EXTRACT = "extract nyu_hand_dataset_v2.zip again, whole"


def find_base(tree: Tree) -> str | None:
    """The folder that holds train/ or test/."""
    for folder in tree.files:
        if any(_is_split(tree, join(folder, split)) for split in NYU.splits):
            return folder
    return None


def _is_split(tree: Tree, folder: str) -> bool:
    files = tree.files.get(folder, {})
    return "joint_data.mat" in files or any(_DEPTH.fullmatch(name) for name in files)


def examine(tree: Tree, base: str, record: Record, deep: bool) -> None:
    rows = {split: _examine_split(tree, base, split, record, deep) for split in NYU.splits}
    complete = all(rows[split] == NYU.frames[split] == record.counts[split] for split in NYU.splits)
    if complete:
        record.release = "complete"
    elif any(max(rows[split], record.counts[split]) > NYU.frames[split] // 2 for split in NYU.splits):
        record.release = "a part of the release"
    else:
        record.release = f"a miniature, {sum(record.counts.values()):,} of {sum(NYU.frames.values()):,} frames"
    for name in ("test_1", "test_2"):
        if tree.has_folder(base, name):
            record.warn(
                f"{name}/: the release has one test/ folder, split by hand here",
                "put the files back into test/; the subjects are told apart by row",
            )


def _examine_split(tree: Tree, base: str, split: str, record: Record, deep: bool) -> int:
    """Rows of the label file; 0 where it cannot tell."""
    folder = join(base, split)
    files = tree.files.get(folder, {})
    names = sorted(name for name in files if _DEPTH.fullmatch(name))
    record.count(split, len(names), NYU.frames[split])
    if folder not in tree.files:
        record.warn(f"{split}/ is absent", _EXTRACT + f", if you need the {split} frames")
        return 0
    rows = _examine_labels(tree, folder, files, record)
    numbers = {int(name[8:15]) for name in names}
    _compare(split, numbers, rows, record)
    path = tree.path(folder)
    faults = find_faults(path, names, lambda file: look_at_picture(file, _PICTURE))
    bad = {name for group in faults.values() for name in group}
    sound = [name for name in names if name not in bad]
    if deep:
        from handbench.datasets import nyu

        faults |= find_faults(path, sound, read_all(nyu.read_depth))
        if fault := ask_importer(nyu.list_frames, tree.path(base), split):
            record.error(f"the importer refuses {split}: {fault}", _EXTRACT)
    else:
        faults |= find_faults(path, spread(sound), unpack_picture)
    record.list_faults({f"{fault} in {split}/": found for fault, found in faults.items()}, _EXTRACT)
    return rows


def _examine_labels(tree: Tree, folder: str, files: dict[str, int], record: Record) -> int:
    if "joint_data.mat" not in files:
        record.error(
            f"{folder}/joint_data.mat is absent",
            "extract it again: one belongs in train/ and another in test/, and some unpackers lose them",
        )
        return 0
    shape = _read_shape(tree.path(folder, "joint_data.mat"))
    if len(shape) != 4 or shape[0] != 3 or shape[2:] != (36, 3) or not 0 < shape[1] <= _MOST_ROWS:
        said = "x".join(map(str, shape)) if shape else "no joint_uvd that can be read"
        record.error(f"{folder}/joint_data.mat: {said} instead of 3 x frames x 36 x 3", "extract it again")
        return 0
    return shape[1]


def _read_shape(path: Path) -> tuple[int, ...]:
    """Shape of joint_uvd, from the file's headers alone."""
    import scipy.io  # takes a while to import, and only this dataset needs it

    try:
        return next((tuple(shape) for name, shape, _ in scipy.io.whosmat(path) if name == "joint_uvd"), ())
    except Exception:  # an untrusted file fails in the parser in a dozen ways, all of which mean the same
        return ()


def _compare(split: str, numbers: set[int], rows: int, record: Record) -> None:
    if not numbers:
        record.error(f"{split}/ has no depth_1_NNNNNNN.png", _EXTRACT)
        return
    missing = number_gaps(numbers, 1, rows or max(numbers))
    if missing:
        shown = name_some([f"depth_1_{number:07d}.png" for number in missing])
        record.error(f"{len(missing):,} labelled pictures are missing in {split}/: {shown}", _EXTRACT)
    beyond = sorted(number for number in numbers if number < 1 or (rows and number > rows))
    if beyond:
        record.error(
            f"{len(beyond):,} pictures in {split}/ have no label row (depth_1_{beyond[0]:07d}.png; {rows:,} rows)",
            "take pictures and joint_data.mat from the same split of the same download",
        )
