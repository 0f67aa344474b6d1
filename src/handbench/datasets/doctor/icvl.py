"""ICVL: pictures against the lines of the label texts, which name files that were never released."""

import re
from dataclasses import dataclass

from handbench.conventions import (
    ICVL,
    ICVL_IMAGES_MISSING,
    ICVL_LINES,
    ICVL_SESSION_LINES,
    ICVL_SESSIONS,
    ICVL_TEST_FRAMES,
)
from handbench.datasets.doctor.contents import (
    Picture,
    advise_skips,
    ask_importer,
    find_faults,
    look_at_picture,
    read_all,
    read_text,
    spread,
    unpack_picture,
)
from handbench.datasets.doctor.diagnosis import Record, name_some
from handbench.datasets.doctor.tree import Tree, join

KNOWN = re.compile(
    r"(Training/|Testing/)?(Depth/(.+/)?image_-?\d+\.png|labels\.txt|train\.txt|test_seq_[12]\.txt|[^/]*readme[^/]*)",
    re.IGNORECASE,
)
_PICTURE = Picture(320, 240, 16, 0)
_TEXTS = ("labels.txt", "train.txt", "test_seq_1.txt")
_NEVER_RELEASED = "201406030937/image_-001.png"
_EXTRACT_TRAINING = "extract Training.tar.gz again, whole"
_EXTRACT_TESTING = "extract Testing.tar.gz again, whole"


@dataclass(frozen=True)
class _Lines:
    """A label text: paths in order, the numbers of lines that do not hold 48 numbers, and frozen labels."""

    names: list[str]
    bad: list[int]
    repeated: int
    """Lines whose numbers are those of the line before."""


def find_base(tree: Tree) -> str | None:
    """The folder that holds Training/ or Testing/, or the label files themselves."""
    for folder in tree.files:
        if any(_holds_labels(tree, folder, part) for part in ("Training", "Testing", "")):
            is_inside = folder.rpartition("/")[2] in ("Training", "Testing")
            return folder.rpartition("/")[0] if is_inside else folder
    return None


def _holds_labels(tree: Tree, folder: str, part: str) -> bool:
    """labels.txt and train.txt are common names: a Depth folder beside them or Training/ above makes them ICVL's."""
    place = join(folder, part)
    beside = bool(part) or tree.has_folder(place, "Depth")
    return any(tree.has_file(place, name) and (beside or name == _TEXTS[2]) for name in _TEXTS)


def examine(tree: Tree, base: str, record: Record, deep: bool) -> None:
    _examine_training(tree, base, record, deep)
    _examine_testing(tree, base, record, deep)


def _examine_training(tree: Tree, base: str, record: Record, deep: bool) -> None:
    folder = join(base, "Training") if tree.has_folder(base, "Training") else base
    text = next((name for name in _TEXTS[:2] if tree.has_file(folder, name)), None)
    if text is None:
        record.release = "test sequences only"
        record.warn("no training labels", _EXTRACT_TRAINING + ", if you need the training frames")
        return
    lines = _read_lines(tree, folder, text)
    originals = [name for name in lines.names if name.count("/") == 1]
    rotated = [name for name in lines.names if name.count("/") == 2]
    there = _list_pictures(tree, join(folder, "Depth"))
    have = {name: name in there for name in lines.names}
    absent = [name for name in originals if not have[name]]
    absent_rotated = sum(not have[name] for name in rotated)
    record.release = _name_release(text, len(originals), len(lines.names), len(rotated) - absent_rotated)
    record.count("train", sum(have[name] for name in originals), ICVL.frames["train"])
    record.count("train, rotated copies", len(rotated) - absent_rotated, ICVL_LINES - ICVL.frames["train"])
    _count_sessions(originals, record)
    if lines.bad:
        record.error(
            f"{len(lines.bad):,} lines of {text} without 48 numbers, the first {lines.bad[0]}", _EXTRACT_TRAINING
        )
    _judge_absent(absent, absent_rotated, len(rotated), record)
    unlisted = sorted(name for name in there - set(lines.names) if name.count("/") == 1)
    if unlisted:
        record.warn(
            f"{len(unlisted):,} training pictures have no line in {text}: {name_some(unlisted)}",
            _EXTRACT_TRAINING + ", if you need them; no other row moves",
        )
    doubles = len(originals) - len(set(originals))
    if doubles:
        record.note(f"{doubles} original lines repeat another (the release has 2)", "nothing: rows keep their order")
    _examine_pictures(tree, join(folder, "Depth"), sorted(there), _EXTRACT_TRAINING, record, deep)
    _ask(tree, base, "train", record)


def _name_release(text: str, originals: int, lines: int, rotated: int) -> str:
    layout = "labels.txt release" if text == "labels.txt" else "older train.txt layout"
    if originals < ICVL.frames["train"] // 2:
        return f"a miniature of the {layout}, {originals:,} of {ICVL.frames['train']:,} training frames"
    return f"{layout}, {lines:,} lines, {'with' if rotated else 'without'} rotated copies"


def _count_sessions(originals: list[str], record: Record) -> None:
    sessions: dict[str, int] = {}
    for name in originals:
        session = name.split("/")[0]
        sessions[session] = sessions.get(session, 0) + 1
    expected = dict(zip(ICVL_SESSIONS, ICVL_SESSION_LINES, strict=True))
    for session in sorted(sessions):
        record.count(f"lines of {session}", sessions[session], expected.get(session))


def _judge_absent(absent: list[str], absent_rotated: int, rotated: int, record: Record) -> None:
    """73 listed pictures were never released; rotated copies may be left out altogether."""
    if _NEVER_RELEASED in absent:
        absent = [name for name in absent if name != _NEVER_RELEASED]
        # True of the complete release: config/real.yaml allows this one skip, and so is the folder usable.
        record.warn(f"{_NEVER_RELEASED} is listed but was never released; a crop stops at it", advise_skips(1))
    if absent:
        record.error(f"{len(absent):,} listed original pictures are absent: {name_some(absent)}", _EXTRACT_TRAINING)
    if rotated and absent_rotated == rotated:
        record.note("no rotated copy is here", "nothing: only the originals are used unless you ask for copies")
    elif absent_rotated > ICVL_IMAGES_MISSING - 1:
        record.warn(
            f"{absent_rotated:,} of {rotated:,} rotated copies are absent (the release lacks 72)",
            _EXTRACT_TRAINING + ", if you need them",
        )
    elif absent_rotated:
        record.note(f"{absent_rotated} rotated copies are absent (the release lacks 72)")


def _examine_testing(tree: Tree, base: str, record: Record, deep: bool) -> None:
    folder = join(base, "Testing") if tree.has_folder(base, "Testing") else base
    frozen = 0
    # In the older layout one Depth folder serves both, and the training part has looked at it already.
    apart = folder != base or not any(tree.has_file(base, text) for text in _TEXTS[:2])
    texts = [name for name in ICVL_TEST_FRAMES if tree.has_file(folder, f"{name}.txt")]
    for sequence in ICVL_TEST_FRAMES:
        if sequence not in texts:
            record.warn(f"{sequence}.txt is absent", _EXTRACT_TESTING + ", if you need the test frames")
            continue
        lines = _read_lines(tree, folder, f"{sequence}.txt")
        there = _list_pictures(tree, join(folder, "Depth"), sequence)
        absent = [name for name in lines.names if name not in there]
        record.count(sequence, len(lines.names) - len(absent), ICVL_TEST_FRAMES[sequence])
        frozen += lines.repeated
        if lines.bad or not lines.names:
            said = f"line {lines.bad[0]} does not hold 48 numbers" if lines.bad else "it holds no label"
            record.error(f"{sequence}.txt: {said}", _EXTRACT_TESTING)
        if absent:
            record.error(
                f"{len(absent):,} pictures listed in {sequence}.txt are absent: {name_some(absent)}", _EXTRACT_TESTING
            )
        unlisted = sorted(there - set(lines.names))
        if unlisted:
            record.error(
                f"{len(unlisted):,} pictures are not in {sequence}.txt: {name_some(unlisted)}", _EXTRACT_TESTING
            )
        if apart:
            _examine_pictures(tree, join(folder, "Depth"), sorted(there), _EXTRACT_TESTING, record, deep)
    if frozen:
        record.note(
            f"{frozen} test labels equal the one before (the release has 45)", "nothing: published numbers include them"
        )
    if texts:
        _ask(tree, base, "test", record)


def _examine_pictures(tree: Tree, folder: str, names: list[str], mend: str, record: Record, deep: bool) -> None:
    path = tree.path(folder)
    faults = find_faults(path, names, lambda file: look_at_picture(file, _PICTURE))
    bad = {name for group in faults.values() for name in group}
    sound = [name for name in names if name not in bad]
    if deep:
        from handbench.datasets import icvl

        faults |= find_faults(path, sound, read_all(icvl.read_depth))
    else:
        faults |= find_faults(path, spread(sound), unpack_picture)
    record.list_faults(faults, mend)


def _ask(tree: Tree, base: str, split: str, record: Record) -> None:
    _, fault = ask_importer("icvl", tree.path(base), split)
    if fault:
        record.error(f"the importer refuses {split}: {fault}", "see above, or extract the archive again")


def _list_pictures(tree: Tree, folder: str, only: str = "") -> set[str]:
    """Paths of pictures relative to the Depth folder."""
    start = len(folder) + 1 if folder else 0
    return {
        join(inside[start:], name)
        for inside in tree.below(join(folder, only))
        for name in tree.files[inside]
        if name.endswith(".png")
    }


def _read_lines(tree: Tree, folder: str, name: str) -> _Lines:
    """Lines end in LF, or in a space and CR CR LF; blank ones do not count."""
    names: list[str] = []
    bad: list[int] = []
    repeated, before = 0, b""
    for number, line in enumerate(read_text(tree.path(folder, name)).split(b"\n"), 1):
        tokens = line.split()
        if not tokens:
            continue
        if len(tokens) != 49:
            bad.append(number)
        names.append(tokens[0].decode(errors="replace").replace("\\", "/"))
        numbers = line[len(tokens[0]) :]
        repeated += numbers == before
        before = numbers
    return _Lines(names, bad, repeated)
