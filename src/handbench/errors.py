"""The one way this project refuses bad input: what was expected, what came, what to do."""

from pathlib import Path

_LONGEST = 600
"""Letters of what was found: a damaged file may hold a word of any length."""


class BadInput(Exception):
    """Input that cannot be used; the command line prints it as one line and exits with status 1."""

    def __init__(self, where: str | Path, *, expected: str, found: str, fix: str) -> None:
        super().__init__(_print(f"{where}: expected {expected}, found ") + _shorten(_print(found)) + _print(f"; {fix}"))
        self.where = str(where)
        self.expected = expected
        self.found = found
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between worker processes.
        return _rebuild, (self.where, self.expected, self.found, self.fix)


def _shorten(found: str) -> str:
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 20]}... ({len(found):,} letters)"


def _print(line: str) -> str:
    """One line for a terminal: what is found in a damaged file may hold line ends, escapes and marks of byte order."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def _rebuild(where: str, expected: str, found: str, fix: str) -> BadInput:
    return BadInput(where, expected=expected, found=found, fix=fix)
