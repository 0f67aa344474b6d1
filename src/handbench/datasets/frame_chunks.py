"""Frames that worker processes write in chunks, so that a killed run carries on: what every maker of frames shares.

<out>/manifest.json  written last; `request` in it is what was asked for
<out>/raw/           the frames
<out>/truth.npz      what is true of them
<out>/.partial/      while it lasts: the request, and a file for each chunk whose frames are all there
"""

import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handbench.datasets.files import replace_file
from handbench.errors import BadInput
from handbench.json_file import read_noted_object
from handbench.plain_file import read_if_plain

MANIFEST, TRUTH, RAW, PARTIAL = "manifest.json", "truth.npz", "raw", ".partial"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def is_made(out: Path, request: dict[str, Any]) -> bool:
    """Whether a finished run of the same request lies there."""
    return bool(read_noted_object(out / MANIFEST).get("request") == request)


def start_or_carry_on(out: Path, request: dict[str, Any]) -> None:
    """Keep what an interrupted run of the same request has drawn; throw away anything else."""
    if (out / RAW).exists() and not (out / RAW).is_dir():
        raise BadInput(out / RAW, expected="a folder, or nothing yet", found="a file", fix="name another --out")
    card = out / PARTIAL / "request.json"
    (out / MANIFEST).unlink(missing_ok=True)
    if read_if_plain(card) == json.dumps(request).encode():
        for leftover in out.rglob(".*.part"):
            leftover.unlink()
        return
    # The note of what is drawn goes before what it speaks of: a kill in between must not leave it alone.
    for stale in (out / PARTIAL, out / RAW):
        shutil.rmtree(stale, ignore_errors=True)
    (out / TRUTH).unlink(missing_ok=True)
    card.parent.mkdir(parents=True)
    replace_file(card, json.dumps(request).encode())


def run_chunks(draw: Callable[..., int], calls: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[int]:
    """Draw one chunk a call, in order; what `draw` gives is the number of its frames."""
    if jobs == 1:
        yield from (draw(*call) for call in calls)
        return
    # A spawned worker knows nothing of this process: no threads or locks are copied half-way.
    context = multiprocessing.get_context("spawn")
    try:
        with _one_thread_each(), ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with_parent) as pool:
            yield from pool.map(draw, *zip(*calls, strict=True))
    except BrokenProcessPool:
        raise BadInput(
            "worker processes",
            expected=f"{jobs} that live to the end of their work",
            found="one that was killed, perhaps for want of memory",
            fix="make room or ask for fewer --jobs; the same command goes on from here",
        ) from None


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever, and write beside the next run's workers."""
    threading.Thread(target=_wait_for_the_end_of_the_parent, daemon=True, name="parent").start()


def _wait_for_the_end_of_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "only workers come here"
    parent.join()
    os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started in here use one thread for their linear algebra: more would only spin against each other."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
