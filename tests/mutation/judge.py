"""Mutants given to a reader in a process of its own, each within a limit of time and memory, and what became of them.

The process knows nothing of the tests' shape checker: what a mutant meets is what a person has. A reader that hangs
or takes its process with it costs that process alone.
"""

import contextlib
import io
import multiprocessing
import os
import resource
import signal
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from handbench.cli import main
from handbench.errors import BadInput
from tests.mutation.reader import Mutant, Reader, Specimen, agree, list_facts

CPU_S, WAIT_S, PATIENCE_S = 5, 30, 90
"""Of one mutant: the work it may take, how long it may wait for anything, and when its process is killed because it
listens to neither clock. A busy machine is slow, which is nobody's fault."""
CATALOGUE = "tests.mutation.catalogue"
ROOM_BYTES = 1 << 30
"""Beyond what the process holds before the first mutant."""
LONGEST = 1300
"""Letters of a line; the longest by right lists every kind of module."""
COMMAND_EVERY = 10
"""So many refused mutants are a command's to refuse as well: one in so many."""
SAME, REFUSED, ANOTHER = "same", "refused", "another"
GOOD = (SAME, REFUSED, ANOTHER)


@dataclass(frozen=True)
class Verdict:
    """`outcome` is one of GOOD, or what is wrong: traceback, hang, memory, wrong, unclear, died."""

    mutant: str
    outcome: str
    told: str = ""


class _TooLong(BaseException):
    """Not an Exception: no reader may take it for damage."""


def judge(name: str, seed: int, numbers: Sequence[int], *, catalogue: str = CATALOGUE) -> Iterator[Verdict]:
    """The verdict on each mutant, in order; `catalogue` is the module whose READERS know the name."""
    left = list(numbers)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([CATALOGUE])
    while left:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(theirs, catalogue, name, seed, tuple(left)))
        process.start()
        theirs.close()
        try:
            while left:
                if not ours.poll(PATIENCE_S * (1 + (left[0] == numbers[0]))):
                    process.kill()
                    yield Verdict(f"mutant {left.pop(0)}", "hang", "does not listen")
                    break
                verdict = ours.recv()
                if isinstance(verdict, str):
                    raise RuntimeError(f"{name}: its whole files cannot be read: {verdict}")
                yield verdict
                left.pop(0)
        except EOFError:
            process.join()
            yield Verdict(f"mutant {left.pop(0)}", "died", f"status {process.exitcode}")
        finally:
            process.kill()
            process.join()
            ours.close()


def count(verdicts: Sequence[Verdict]) -> Counter[str]:
    return Counter(verdict.outcome for verdict in verdicts)


def tell_failures(name: str, seed: int, verdicts: Sequence[Verdict], most: int = 5) -> str:
    """What is wrong, and how to see it again; empty where nothing is."""
    bad = [verdict for verdict in verdicts if verdict.outcome not in GOOD]
    if not bad:
        return ""
    lines = [f"{len(bad)} of {len(verdicts)} mutants of {name}, seed {seed}:"]
    for verdict in bad[:most]:
        lines.append(f"{verdict.outcome}: {verdict.mutant}\n    {verdict.told}")
    number = bad[0].mutant.removeprefix("mutant ").partition(":")[0]
    lines.append(f"again: python -m tests.mutation {name!r} --seed {seed} --mutant {number} --keep FOLDER")
    return "\n".join(lines)


def _work(pipe: Connection, catalogue: str, name: str, seed: int, numbers: Sequence[int]) -> None:
    """In the process of its own."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # so that nothing of a checkout is taken for the reader's own
        try:
            specimen = Specimen(import_module(catalogue).READERS[name], Path(folder, "specimen"))
            whole = specimen.reader.read(specimen.folder)
        except Exception:
            pipe.send(traceback.format_exc())
            return
        specimen.mend()
        with limited():
            for number in numbers:
                mutant = specimen.damage(seed, number)
                pipe.send(judge_one(specimen, mutant, whole))
                specimen.mend()


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """What a mutant may take of this process; warnings of arithmetic count as faults."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM_BYTES, before[1]))
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _interrupt)
    try:
        with warnings.catch_warnings():
            for kind in (RuntimeWarning, UserWarning):
                warnings.simplefilter("error", kind)
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def judge_one(specimen: Specimen, mutant: Mutant, whole: Any) -> Verdict:
    """Read the damaged files and compare with what was read of the whole ones."""
    reader = specimen.reader
    try:
        _set_clocks(CPU_S, WAIT_S)
        outcome, told = _read(reader, specimen.folder, mutant, whole)
    except _TooLong:
        outcome, told = "hang", f"more than {CPU_S} s of work or {WAIT_S} s of waiting"
    except MemoryError as error:
        outcome, told = "memory", str(error)
    except Exception as error:
        places = traceback.extract_tb(error.__traceback__)
        ours = [place for place in places if "handbench" in place.filename] or places
        outcome = "traceback"
        told = f"{type(error).__name__}: {str(error)[:300]} at {ours[-1].filename}:{ours[-1].lineno}"
    finally:
        _set_clocks(0, 0)
    return Verdict(str(mutant), outcome, told)


def _read(reader: Reader, folder: Path, mutant: Mutant, whole: Any) -> tuple[str, str]:
    try:
        data = reader.read(folder)
    except BadInput as refusal:
        return _judge_refusal(reader, folder, mutant, refusal)
    same = list_facts(data) == list_facts(whole)
    if reader.fits is not None:
        return _judge_fit(reader, folder, data, whole, SAME if same else ANOTHER)
    if same:
        return SAME, ""
    if mutant.vouched:
        return ANOTHER, ""
    if reader.says is None:
        return "wrong", "other data than those of the whole files"
    if reader.cut_is_told and mutant.damages == ("cut",):
        return "wrong", "other data of a file that has lost its end"
    try:
        with np.errstate(all="ignore"):
            said = reader.says(folder)
    except Exception as error:
        return "wrong", f"read, though a slow reader finds {type(error).__name__}: {str(error)[:200]}"
    return (ANOTHER, "") if agree(data, said) else ("wrong", "not what the file says now")


def _judge_fit(reader: Reader, folder: Path, data: Any, whole: Any, outcome: str) -> tuple[str, str]:
    """Of data that are not held to those of the whole files."""
    assert reader.fits is not None, "who asks has looked"
    try:
        fits = reader.fits(folder, data, whole)
    except Exception as error:
        return "wrong", f"read, though a slow reader finds {type(error).__name__}: {str(error)[:200]}"
    return (outcome, "") if fits else ("wrong", "what these files do not say")


def _judge_refusal(reader: Reader, folder: Path, mutant: Mutant, refusal: BadInput) -> tuple[str, str]:
    """One line that can be read; now and then from the command itself."""
    line = str(refusal)
    if len(line.splitlines()) != 1 or not line.isprintable() or len(line) > LONGEST:
        return "unclear", f"{len(line):,} letters, {len(line.splitlines())} lines: {line[:300]!r}"
    # A whole command may have no need of a file that is not there.
    asked = mutant.file not in reader.told_elsewhere and (folder / mutant.file).exists()
    if reader.command and asked and mutant.number % COMMAND_EVERY == 0:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status = main([*reader.command(folder)])
        lines = said.getvalue().splitlines()
        if status != 1 or len(lines) != 1 or not lines[0].startswith("handbench: "):
            return "unclear", f"the command ended with {status} and told {lines[:5]}"
    return REFUSED, line


def _set_clocks(cpu_s: float, wait_s: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    signal.setitimer(signal.ITIMER_REAL, wait_s)


def _interrupt(number: int, frame: object) -> None:
    raise _TooLong
