"""NYU: depth pictures of the frontal camera against the rows of joint_data.mat."""

import re
from collections import Counter

from handbench.conventions import NYU, NYU_TEST_FRAMES
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
        record.release = (
            f"a miniature, {sum(record.counts[split] for split in NYU.splits):,} of {sum(NYU.frames.values()):,} frames"
        )
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
    numbers = {int(name[8:15]) for name in names}
    rows = _examine_labels(tree, base, split, numbers, record)
    _compare(split, numbers, rows, record)
    path = tree.path(folder)
    faults = find_faults(path, names, lambda file: look_at_picture(file, _PICTURE))
    bad = {name for group in faults.values() for name in group}
    sound = [name for name in names if name not in bad]
    if deep:
        from handbench.datasets import nyu

        faults |= find_faults(path, sound, read_all(nyu.read_depth))
    else:
        faults |= find_faults(path, spread(sound), unpack_picture)
    record.list_faults({f"{fault} in {split}/": found for fault, found in faults.items()}, _EXTRACT)
    return rows


def _examine_labels(tree: Tree, base: str, split: str, numbers: set[int], record: Record) -> int:
    """Rows of joint_data.mat, and the pictures of each person of the test set; 0 where the importer refuses it."""
    if not tree.has_file(join(base, split), "joint_data.mat"):
        record.error(
            f"{join(base, split)}/joint_data.mat is absent",
            "extract it again: one belongs in train/ and another in test/, and some unpackers lose them",
        )
        return 0
    listing, fault = ask_importer("nyu", tree.path(base), split)
    if listing is None:
        # A split without a single picture is refused too, and reported by the comparison below.
        if numbers:
            record.error(f"the importer refuses {split}: {fault}", _EXTRACT)
        return 0
    if split == "test":
        there = Counter(subject for number, subject in enumerate(listing.subjects, 1) if number in numbers)
        for person, whole in NYU_TEST_FRAMES.items():
            record.count(person, there[person], whole)
    return len(listing)


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
