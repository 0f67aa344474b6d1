"""Progress of one file's transfer: a bar on a terminal, a plain line every half minute in a log."""

import sys
import time
from types import TracebackType

from tqdm import tqdm

_LINE_EVERY_S = 30.0


class ByteProgress:
    """Counts the bytes of one file; `total` is None where the length is not announced."""

    def __init__(self, name: str, *, total: int | None, done: int = 0) -> None:
        self._name, self._total, self._done = name, total, done
        self._bar: tqdm | None = None
        self._next_line_s = time.monotonic() + _LINE_EVERY_S

    def __enter__(self) -> "ByteProgress":
        if sys.stderr.isatty():
            self._bar = tqdm(total=self._total, initial=self._done, desc=self._name, unit="B", unit_scale=True)
        return self

    def advance(self, count: int) -> None:
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + _LINE_EVERY_S
            print(f"{self._name}: {self._describe()}", flush=True)

    def _describe(self) -> str:
        if not self._total:
            return f"{self._done / 1e6:,.1f} MB"
        return f"{self._done / 1e6:,.1f} of {self._total / 1e6:,.1f} MB ({100 * self._done / self._total:.0f} %)"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
