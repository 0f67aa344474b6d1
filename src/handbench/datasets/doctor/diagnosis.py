"""What an examination found, as plain values: `Diagnosis` prints as text and turns into JSON."""

from dataclasses import asdict, dataclass, field

_MARKS = {"error": "MEND", "warning": "warn", "note": "note"}
_MOST_KINDS = 8


@dataclass(frozen=True)
class Finding:
    """One line of what is so, one line of what to do."""

    level: str
    """error (must be mended before use), warning (usable with care) or note (good to know)."""
    what: str
    mend: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """Which dataset and which release lies in a folder, and what is wrong with it."""

    folder: str
    dataset: str
    """The dataset's word, "published", or empty where nothing was recognised."""
    title: str
    release: str
    root: str
    """The folder to name as the data's path; empty where nothing was recognised."""
    counts: dict[str, int]
    """What is there, per split, session, subject or sequence."""
    expected: dict[str, int]
    """What the complete release has under the same keys, where that is known."""
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        return bool(self.dataset) and all(finding.level != "error" for finding in self.findings)

    def as_dict(self) -> dict[str, object]:
        return asdict(self) | {"usable": self.usable}

    def __str__(self) -> str:
        name = f"{self.title} ({self.dataset}): {self.release}" if self.dataset else "no dataset recognised"
        lines = [f"{self.folder}: {name}"]
        if self.root:
            lines.append(f"  root  {self.root}")
        for key, count in self.counts.items():
            of = f" of {self.expected[key]:,}" if key in self.expected else ""
            lines.append(f"  have  {key}: {count:,}{of}")
        for finding in self.findings:
            mend = f" -> {finding.mend}" if finding.mend else ""
            lines.append(f"  {_MARKS[finding.level]}  {finding.what}{mend}")
        lines = [to_printable(line) for line in lines]
        lines.append("usable as it is" if self.usable else "not usable until the lines marked MEND are dealt with")
        return "\n".join(lines)


@dataclass
class Record:
    """What an examiner fills in."""

    release: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    expected: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def error(self, what: str, mend: str) -> None:
        self.findings.append(Finding("error", to_printable(what), to_printable(mend)))

    def warn(self, what: str, mend: str) -> None:
        self.findings.append(Finding("warning", to_printable(what), to_printable(mend)))

    def note(self, what: str, mend: str = "") -> None:
        self.findings.append(Finding("note", to_printable(what), to_printable(mend)))

    def count(self, key: str, there: int, whole: int | None = None) -> None:
        self.counts[key] = there
        if whole is not None:
            self.expected[key] = whole

    def list_faults(self, faults: dict[str, list[str]], mend: str) -> None:
        """One error a kind of fault, with the first few names."""
        kinds = sorted(faults.items(), key=lambda item: (-len(item[1]), item[0]))
        for fault, names in kinds[:_MOST_KINDS]:
            self.error(f"{len(names):,} {fault}: {name_some(names)}", mend)
        if others := [name for _, names in kinds[_MOST_KINDS:] for name in names]:
            self.error(f"{len(others):,} more with other faults: {name_some(others)}", mend)


def to_printable(text: str) -> str:
    """File names may hold line breaks and bytes that no terminal can show."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def name_some(names: list[str], most: int = 3) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"
