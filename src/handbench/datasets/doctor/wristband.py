"""A recording of one's own: the camera's numbers, frames of one size in both folders, labels if somebody made them."""

import re
from collections import Counter
from functools import partial
from pathlib import Path

from handbench.conventions import WRISTBAND
from handbench.datasets.doctor.contents import Picture, ask_importer, find_faults, look_at_picture, read_all, spread
from handbench.datasets.doctor.diagnosis import Record, name_some
from handbench.datasets.doctor.tree import Tree, join
from handbench.datasets.own_depth import ENDINGS, read_own_depth
from handbench.datasets.wristband import INTRINSICS, LABELS

KNOWN = re.compile(rf"{INTRINSICS}|(train|test)/([^/]+\.(png|npy)|{re.escape(LABELS)})|[^/]*readme[^/]*", re.IGNORECASE)
_AGAIN = "record or convert these frames again, or take them away"


def find_base(tree: Tree) -> str | None:
    """The camera's numbers make a folder of depth frames a recording."""
    return next((folder for folder in tree.files if tree.has_file(folder, INTRINSICS)), None)


def examine(tree: Tree, base: str, record: Record, deep: bool) -> None:
    for split in WRISTBAND.splits:
        folder = join(base, split)
        names = [name for name in sorted(tree.files.get(folder, {})) if Path(name).suffix.lower() in ENDINGS]
        record.count(split, len(names))
        if not names:
            record.error(f"no depth frames in {split}/", f"put .png or .npy frames of the hand into {split}/")
            continue
        _examine_frames(tree.path(folder), names, split, record, deep)
        _, fault = ask_importer(WRISTBAND.name, tree.path(base), split)
        if fault:
            record.error(f"the importer refuses {split}/: {fault}", "see above")
    total = sum(record.counts.values())
    if tree.has_file(join(base, "test"), LABELS):
        record.release = f"a recording of {total:,} frames, its test frames labelled"
        return
    record.release = f"a recording of {total:,} frames"
    record.note(
        f"test/{LABELS} is absent, so no joint is labelled", "nothing: of such frames only the drawn depth is measured"
    )


def _examine_frames(folder: Path, names: list[str], split: str, record: Record, deep: bool) -> None:
    """Whole pictures of the size that most have; what is in them is looked at in some, or `deep` in all."""
    pictures = [name for name in names if name.lower().endswith(".png")]
    sizes = Counter(_read_size(folder / name) for name in spread(pictures))
    faults = {}
    if sizes:
        width, height, bits, colour = sizes.most_common(1)[0][0]
        faults = find_faults(folder, pictures, partial(look_at_picture, wanted=Picture(width, height, bits, colour)))
    bad = {name for group in faults.values() for name in group}
    sound = [name for name in names if name not in bad]
    faults |= find_faults(folder, sound if deep else spread(sound), read_all(read_own_depth))
    record.list_faults({f"{fault} in {split}/": found for fault, found in faults.items()}, _AGAIN)
    if pictures and len(pictures) < len(names):
        others = [name for name in names if name not in set(pictures)]
        record.note(f"{len(others):,} arrays among the pictures: {name_some(others)}", "nothing: both are read")


def _read_size(path: Path) -> tuple[int, int, int, int]:
    """Width, height, bits and colour type that a PNG claims; zeros where it is too short to claim any."""
    head = path.read_bytes()[:26]
    if len(head) < 26:
        return 0, 0, 0, 0
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24]), head[24], head[25]
