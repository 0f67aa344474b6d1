"""`examine` a folder: which dataset and which release lies there, what is missing, corrupt or extra, how to mend it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from handbench.conventions import DATASETS
from handbench.datasets.doctor import dexter, icvl, msra, msra14, nyu, published, wristband
from handbench.datasets.doctor.diagnosis import Diagnosis, Finding, Record, name_some, to_printable
from handbench.datasets.doctor.tree import MOST_ENTRIES, Tree, join, scan_tree
from handbench.datasets.registry import RELEASES
from handbench.datasets.source import name_source

__all__ = ["Diagnosis", "Finding", "examine", "recognise"]


@dataclass(frozen=True)
class _Examiner:
    find_base: Callable[[Tree], str | None]
    examine: Callable[[Tree, str, Record, bool], None]
    known: re.Pattern[str]
    """Files of the release, relative to its base."""


_EXAMINERS = {
    "nyu": _Examiner(nyu.find_base, nyu.examine, nyu.KNOWN),
    "icvl": _Examiner(icvl.find_base, icvl.examine, icvl.KNOWN),
    "msra": _Examiner(msra.find_base, msra.examine, msra.KNOWN),
    "msra14": _Examiner(msra14.find_base, msra14.examine, msra14.KNOWN),
    "dexter": _Examiner(dexter.find_base, dexter.examine, dexter.KNOWN),
    "wristband": _Examiner(wristband.find_base, wristband.examine, wristband.KNOWN),
    "published": _Examiner(published.find_base, published.examine, published.KNOWN),
}
_OURS = {"truth.npz", "manifest.json", "receipt.json"}
_PIECES = {
    r"depth_[123]_\d{7}\.png": "nyu",
    r"joint_data\.mat": "nyu",
    r"image_-?\d+\.png": "icvl",
    r"\d{6}_depth\.bin": "msra",
    r"[A-Z][a-z]+\d?[23]D\.txt": "dexter",
}
"""File names that give a dataset away even where its folders are not as they should be."""


def examine(folder: Path, *, deep: bool = False) -> Diagnosis:
    """Names and sizes, header and end of every depth file, labels as the importer reads them; `deep` decodes all."""
    folder = folder.absolute()
    if not folder.is_dir():
        found = "a file, not a folder" if folder.exists() else "no such folder"
        return _shrug(folder, found, "name the folder that the archive was extracted to")
    tree = scan_tree(folder)
    bases = _find_bases(tree)
    if not bases:
        return _shrug(folder, *_explain(tree))
    if len(bases) > 1:
        places = ", ".join(f"{word} in {tree.path(base)}" for word, base in bases.items())
        return _shrug(folder, f"more than one dataset: {places}", "examine each folder on its own")
    word, base = next(iter(bases.items()))
    record = Record()
    _EXAMINERS[word].examine(tree, base, record, deep)
    if name_source(tree.path(base)) == "embedded":
        record.release = f"embedded data: {record.release}"
    if "miniature" in record.release and not any(finding.level == "error" for finding in record.findings):
        record.note("layout and encoding are right", "nothing: fewer frames than the release, as a miniature has")
    _note_surroundings(tree, base, _EXAMINERS[word].known, record)
    return Diagnosis(
        folder=str(folder),
        dataset=word,
        title=DATASETS[word].title if word in DATASETS else RELEASES[word].title,
        release=record.release,
        root=str(tree.path(base)),
        counts=record.counts,
        expected=record.expected,
        findings=tuple(record.findings),
    )


def recognise(folder: Path) -> dict[str, str]:
    """Words of the datasets whose trees lie in `folder`, each with the place of its tree below it; names alone tell."""
    return _find_bases(scan_tree(folder))


def _find_bases(tree: Tree) -> dict[str, str]:
    return {word: base for word, one in _EXAMINERS.items() if (base := one.find_base(tree)) is not None}


def _shrug(folder: Path, what: str, mend: str) -> Diagnosis:
    return Diagnosis(str(folder), "", "", "", "", {}, {}, (Finding("error", to_printable(what), mend),))


def _note_surroundings(tree: Tree, base: str, known: re.Pattern[str], record: Record) -> None:
    """What lies around the dataset and is no part of it."""
    extra: list[str] = []
    start = len(base) + 1 if base else 0
    for folder in tree.below(base):
        inside = folder[start:]
        extra += [name for file in tree.files[folder] if not known.fullmatch(name := join(inside, file))]
    extra = sorted(name for name in extra if name.rpartition("/")[2] not in _OURS)
    unfinished = [name for name in extra if name.endswith((".part", ".partial", ".bad"))]
    if unfinished:
        record.warn(
            f"{len(unfinished)} unfinished files: {name_some(unfinished)}", "run the download again, or delete them"
        )
        extra = [name for name in extra if name not in set(unfinished)]
    if extra:
        record.note(
            f"{len(extra):,} files are no part of the release: {name_some(extra)}", "nothing: they are not read"
        )
    if not tree.complete:
        record.warn(f"more than {MOST_ENTRIES:,} files; the rest was not looked at", "name a folder further down")
    if tree.faults:
        record.warn(
            f"{len(tree.faults):,} places cannot be read: {name_some(tree.faults)}", "check the permissions and links"
        )


def _explain(tree: Tree) -> tuple[str, str]:
    """What an unrecognised folder holds instead, and what to do."""
    if tree.faults and not any(tree.files.values()):
        return f"a folder that cannot be read: {name_some(tree.faults)}", "check the permissions"
    names = [(folder, name) for folder, files in tree.files.items() for name in files]
    if not names:
        return "an empty folder", "run `handbench download DATASET --to` this folder, or name another"
    for folder, name in names:
        for word, release in RELEASES.items():
            if any(name in (f"{archive.name}{end}" for end in ("", ".part", ".bad")) for archive in release.archives):
                return _explain_archive(tree, folder, name, word)
    for pattern, word in _PIECES.items():
        for folder, name in names:
            if re.fullmatch(pattern, name):
                what = f"files like {join(folder, name)}, which belong to {DATASETS[word].title}, but not its folders"
                return what, "name the folder above this one, or put the files back where the archive has them"
    shown = name_some([join(folder, name) for folder, name in names])
    return f"{len(names):,} files of no dataset we know: {shown}", "name the folder that the archive was extracted to"


def _explain_archive(tree: Tree, folder: str, name: str, word: str) -> tuple[str, str]:
    """An archive, whole or in part; a raw/ beside it says that it was extracted, and is not what it should be."""
    home = folder.rpartition("/")[0] if folder.rpartition("/")[2] == "archives" else folder
    raw = join(home, "raw")
    inside = [join(place, file) for place in tree.below(raw) for file in tree.files[place]]
    if inside:
        what = f"{raw}/ beside the archive {name} holds nothing of {RELEASES[word].title} but {name_some(inside)}"
        mend = (
            f"move raw/, manifest.json and receipt.json away and run `handbench download {word} --to` that folder "
            "again; it checks what the archive holds"
        )
        return what, mend
    if name.endswith(".bad"):
        mend = f"get a whole one from another place and run `handbench download {word} --to` this folder"
        return f"an archive that was refused: {name}", mend
    state = "a part of an archive" if name.endswith(".part") else "an archive not extracted yet"
    return f"{state}: {name}", f"run `handbench download {word} --to` this folder; it uses what is there"
