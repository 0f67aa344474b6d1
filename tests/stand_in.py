"""A stage's function as the command line sees it, in the place of the real one."""

import sys
from types import ModuleType

import pytest


class Recorder:
    """Stands in for a stage's function and keeps what it was called with."""

    def __init__(self, answer: object = None, error: BaseException | None = None) -> None:
        self.calls: list[tuple] = []
        self.answer = answer
        self.error = error

    def __call__(self, *words: object, **options: object) -> object:
        self.calls.append((words, options))
        if self.error:
            raise self.error
        return self.answer


def stand_in(monkeypatch: pytest.MonkeyPatch, module: str, function: str, recorder: Recorder) -> Recorder:
    fake = ModuleType(module)
    setattr(fake, function, recorder)
    monkeypatch.setitem(sys.modules, module, fake)
    return recorder
