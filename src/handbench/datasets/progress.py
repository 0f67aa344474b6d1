"""Progress of long work: a bar on a terminal, one plain line every tenth in a log."""

import sys

from tqdm import tqdm


class Progress:
    """Count `total` steps of the work named `label`, `done` of which an earlier run has finished."""

    def __init__(self, label: str, total: int, done: int = 0) -> None:
        self._label, self._total, self._done = label, total, done
        self._bar = tqdm(total=total, initial=done, desc=label, unit="frame") if sys.stderr.isatty() else None
        if done and self._bar is None:
            print(f"{label}: carrying on after {done} of {total}", flush=True)

    def advance(self, steps: int) -> None:
        tenth_before = 10 * self._done // max(self._total, 1)
        self._done += steps
        if self._bar is not None:
            self._bar.update(steps)
        elif 10 * self._done // max(self._total, 1) > tenth_before:
            print(f"{self._label}: {self._done} of {self._total}", flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
