"""The published record: every file against its checksum."""

import hashlib
import re
from collections import Counter

from handbench.datasets.doctor.diagnosis import Record, name_some
from handbench.datasets.doctor.tree import Tree, join
from handbench.datasets.published import PUBLISHED

KNOWN = re.compile("|".join(re.escape(entry.file) for entry in PUBLISHED) + r"|MANIFEST\.tsv")
_FETCH = "run `handbench download published` into the same folder; it fetches only what is not right"


def find_base(tree: Tree) -> str | None:
    for folder in tree.files:
        for entry in PUBLISHED:
            place, _, name = entry.file.rpartition("/")
            if tree.has_file(join(folder, place), name):
                return folder
    return None


def examine(tree: Tree, base: str, record: Record, deep: bool) -> None:
    """Thirty megabytes: read whole, deep or not."""
    absent, spoiled, sound = [], [], Counter[str]()
    for entry in PUBLISHED:
        path = tree.path(base, entry.file)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            absent.append(entry.file)
            continue
        except OSError:
            digest = ""
        if digest == entry.sha256:
            sound[entry.dataset] += 1
        else:
            spoiled.append(entry.file)
    for dataset in ("nyu", "icvl"):
        record.count(f"{dataset} files", sound[dataset], sum(entry.dataset == dataset for entry in PUBLISHED))
    record.release = "complete" if not absent and not spoiled else f"{sound.total()} of {len(PUBLISHED)} files"
    if absent:
        record.error(f"{len(absent)} files are absent: {name_some(absent)}", _FETCH)
    if spoiled:
        record.error(f"{len(spoiled)} files do not have the published checksum: {name_some(spoiled)}", _FETCH)
