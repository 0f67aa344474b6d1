"""The one way this project refuses bad input: what was expected, what came, what to do."""

from pathlib import Path


class BadInput(Exception):
    """Input that cannot be used; the command line prints it as one line and exits with status 1."""

    def __init__(self, where: str | Path, *, expected: str, found: str, fix: str) -> None:
        super().__init__(f"{where}: expected {expected}, found {found}; {fix}")
        self.where = str(where)
        self.expected = expected
        self.found = found
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling between worker processes.
        return _rebuild, (self.where, self.expected, self.found, self.fix)


def _rebuild(where: str, expected: str, found: str, fix: str) -> BadInput:
    return BadInput(where, expected=expected, found=found, fix=fix)
