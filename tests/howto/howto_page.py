"""A page of docs/howto as what a reader does with it: write the files it shows, make its edits, give its commands.

What counts, in the page's order:

    `path`:      and below it a block    a file with this content
    In `path`:   and a block of diff     an edit of that file: what stands between two @@ is found there, once
    a block of console                   a line with a $ is a command, the lines below are of what it prints

A line of output must be among the printed ones, in their order. A number with a decimal point stands for any number, a
run of spaces for any, and `...` for whatever is left out; whole numbers are what they are.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "howto"
LEFT_OUT = (".git", ".venv", "results", "__pycache__", ".snakemake", ".hypothesis", "*_cache", "*.egg-info", "shared")
SECONDS = 1800
"""Longest that one command may take, on a machine that does much else."""
_BLOCK = re.compile(
    r"(?:^(?:In )?`(?P<path>[^`\n]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
_PLACE_HOLDERS = re.compile(r"(\.\.\.|\s+|\d[\d,]*\.\d+)")


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    kind: str
    body: str
    path: str
    """Of the file that it is, or that it changes, if the line above it names one."""


@dataclass(frozen=True)
class Command:
    """One command, and lines of what it is said to print."""

    words: str
    shown: tuple[str, ...]


def read_blocks(page: Path, *, first: str = "", end: str = "") -> list[Block]:
    """All of a page; or those from one heading on, up to another."""
    text = page.read_text()
    assert text.count("\n```") % 2 == 0, f"{page}: a block has no end"
    text = text[text.index(first) : text.index(end) if end else len(text)]
    return [Block(found["kind"], found["body"], found["path"] or "") for found in _BLOCK.finditer(text)]


def read_commands(block: Block) -> list[Command]:
    """A command goes on in the next line after a backslash."""
    commands: list[Command] = []
    for line in block.body.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            commands.append(Command(line[2:], ()))
        else:
            commands[-1] = Command(commands[-1].words, (*commands[-1].shown, line))
    return commands


def as_pattern(line: str) -> re.Pattern[str]:
    """What may be printed where a page shows this line."""

    def loosen(part: str) -> str:
        if part == "...":
            return ".*"
        if part.isspace():
            return r"\s+"
        return r"-?\d[\d,]*(?:\.\d+)?" if re.fullmatch(r"[\d,]+\.\d+", part) else re.escape(part)

    return re.compile("".join(map(loosen, _PLACE_HOLDERS.split(line.strip()))))


def find_missing(shown: tuple[str, ...], printed: str) -> str | None:
    """The first shown line that is not among the printed ones behind those found before."""
    lines = iter(line.strip() for line in printed.splitlines())
    for wanted in shown:
        if wanted.strip() in ("", "..."):
            continue
        pattern = as_pattern(wanted)
        if not any(pattern.fullmatch(line) for line in lines):
            return wanted
    return None


@dataclass(frozen=True)
class Reader:
    """Somebody with a fresh checkout, set up."""

    root: Path

    def run(self, words: str, seconds: int = SECONDS) -> subprocess.CompletedProcess[str]:
        """In bash, as it is pasted; what it prints is what a reader sees, whichever stream it came by."""
        return subprocess.run(
            ["bash", "-c", words],
            cwd=self.root,
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
        )

    def environment(self) -> dict[str, str]:
        own = {
            "PATH": f"{self.root / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(self.root / "src"), os.environ.get("PYTHONPATH", "")]),
            "XDG_CACHE_HOME": str(self.root / "results" / "cache"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "COLUMNS": "120",
        }
        return os.environ | own

    def follow(self, page: Path, *, first: str = "", end: str = "") -> None:
        """Everything that the page, or a part of it, says, in its order."""
        for block in read_blocks(page, first=first, end=end):
            if block.kind == "diff":
                self.edit(block)
            elif block.path:
                self.write(block)
            elif block.kind == "console":
                self.give(block, page)

    def write_all(self, page: Path) -> None:
        """Its files and edits, without a command."""
        for block in read_blocks(page):
            if block.kind == "diff":
                self.edit(block)
            elif block.path:
                self.write(block)

    def write(self, block: Block) -> None:
        path = self.root / block.path
        assert not path.exists(), f"{block.path} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.body)

    def edit(self, block: Block) -> None:
        path = self.root / block.path
        text = path.read_text()
        for change in re.split(r"^@@$\n", block.body, flags=re.MULTILINE):
            lines = change.splitlines()
            old, new = ("\n".join(line[1:] for line in lines if line[:1] != sign) for sign in "+-")
            assert text.count(old) == 1, f"{block.path} has this {text.count(old)} times:\n{old}"
            text = text.replace(old, new)
        path.write_text(text)

    def give(self, block: Block, page: Path) -> None:
        for command in read_commands(block):
            done = self.run(command.words)
            printed = done.stdout
            missing = find_missing(command.shown, printed)
            assert not missing, f"{page.name}: {command.words}\nshown: {missing}\nprinted:\n{printed}"
            # What is shown to fail says so in the program's own words.
            refused = any(line.startswith("handbench: ") for line in command.shown)
            assert (done.returncode != 0) == refused, f"{page.name}: {command.words}\n{printed}"

    def list_changes(self) -> set[str]:
        """What differs from the checkout, with the files of new folders one by one."""
        done = self.run("git status --porcelain --untracked-files=all")
        assert done.returncode == 0, done.stdout
        return {line[3:] for line in done.stdout.splitlines()}


def set_up(to: Path) -> Reader:
    """A copy of the checkout as a clone is, with the environment that `make setup` leaves."""
    shutil.copytree(ROOT, to, ignore=shutil.ignore_patterns(*LEFT_OUT), symlinks=True)
    environment = to / ".venv"
    environment.mkdir()
    for part in Path(sys.prefix).iterdir():
        if not part.name.startswith("."):
            (environment / part.name).symlink_to(part)
    reader = Reader(to)
    commit = "git -c user.name=reader -c user.email=reader@example.org commit -q -m 'The checkout'"
    done = reader.run(f"git init -q && git add -A && {commit}")
    assert done.returncode == 0, done.stdout
    # Newer than everything that it is made from: there is nothing to set up.
    (environment / ".installed").touch()
    return reader
