"""Runs that are killed again and again, at moments that a seed draws."""

import random
import re
import time
from dataclasses import dataclass
from pathlib import Path

from tests.trust.compare import find_differences
from tests.trust.miniature import Attempt, Miniature, TrustError
from tests.trust.processes import (
    EVERYTHING,
    OTHERS,
    SCHEDULER,
    WORKER,
    GoneError,
    Seen,
    find_workers,
    read_processor_s,
    see_in,
    strike,
)

TRAINING, ANYWHERE = "train", "anywhere"
RULES = ("synthesize", "crop", "show", "fit", TRAINING, "predict", "probe", "evaluate", "report")
"""All that the miniature has, as they follow one another."""
AIMS = (ANYWHERE, *(rule for rule in RULES if rule not in ("synthesize", TRAINING)))
"""Where kills outside of training fall, each once in four runs; workers die while data are synthesized."""
EPOCHS_TOLD, JOBS_STARTED, DELAY_S, DONE = 10, 3, 3.0, 0.6
"""What is drawn at most: epochs that a training has told, jobs that an attempt has begun, seconds after that, and the
part of a job's work that is done, in seconds of processors: by the clock a job may end before it is struck.
"""
ANEW = "training starts anew"
ALONE_S = 20.0
"""Within this time of its snakemake's death a job has to have ended."""


@dataclass(frozen=True)
class Blow:
    """A kill: who, and when. Counted in what the run has done, so that a slower machine strikes at the same place."""

    victim: str
    where: str
    after: int = 0
    """Epochs that the training has told, or jobs that the attempt has begun."""
    delay_s: float = 0.0
    done: float = 0.0
    """The part of the job's work."""

    def __str__(self) -> str:
        if self.where == TRAINING:
            return f"after {self.after} epochs"
        if self.where == ANYWHERE:
            return f"{self.delay_s:.1f} s after {self.after} jobs began"
        return f"after {self.done:.0%} of {self.where}"


@dataclass
class Struck:
    """What became of a blow: a row of the table."""

    blow: Blow
    rule: str
    log: Path | None
    """Of a training that had told epochs, as snakemake names it: seen from the run's folder."""
    left: int
    """Jobs that its attempt meant to run; 0 where it fell while it was planning."""
    kept: int = 0
    """Epochs of its training that are surely in the file to go on from."""
    planned: int = 0
    """Jobs that the next attempt means to run."""
    resumed: str = ""

    @property
    def lost(self) -> str:
        """What a restart must not have lost; empty where all is well, or nothing can be told."""
        anew = self.kept and self.resumed == ANEW
        return f"{self.rule} starts anew, though {self.kept} epochs of it were kept when it was killed" if anew else ""

    @property
    def restart(self) -> str:
        jobs = f"{self.planned} of {self.left} jobs" if self.left else f"{self.planned} jobs"
        return "; ".join(filter(None, [jobs, self.resumed]))


def draw_blows(seed: int, run: int, kills: int) -> list[Blow]:
    """The kills of a run in the order of its rules, each of another victim until all have been struck.

    A worker first, for those live at its beginning. Of four more two are inside training, and two where AIMS says.
    """
    drawn, aims = random.Random(f"{seed}/{run}"), _list_aims(seed, run, kills)
    blows = [Blow(WORKER, ANYWHERE, after=1, delay_s=round(drawn.uniform(0, DELAY_S), 1))]
    while len(blows) < kills:
        others = drawn.sample(OTHERS, len(OTHERS))
        for place, victim in enumerate(others):
            blows.append(_draw(drawn, victim, TRAINING if place < 2 else aims.pop()))
    return [blows[0], *sorted(blows[1:kills], key=lambda blow: _find_place(blow.where))]


def _list_aims(seed: int, run: int, kills: int) -> list[str]:
    """What runs of a seed take in turn from AIMS, shuffled once."""
    aims = random.Random(seed).sample(AIMS, len(AIMS))
    count = 2 * -(-(kills - 1) // len(OTHERS))
    return [aims[(run * count + number) % len(aims)] for number in range(count)]


def _draw(drawn: random.Random, victim: str, where: str) -> Blow:
    if where == TRAINING:
        return Blow(victim, where, after=drawn.randint(1, EPOCHS_TOLD))
    if where == ANYWHERE:
        # Snakemake and everything may fall before a job has begun.
        least = 0 if victim in (SCHEDULER, EVERYTHING) else 1
        return Blow(
            victim, where, after=drawn.randint(least, JOBS_STARTED), delay_s=round(drawn.uniform(0, DELAY_S), 1)
        )
    return Blow(victim, where, done=round(drawn.uniform(0, DONE), 2))


def _find_place(where: str) -> int:
    return RULES.index(where) if where in RULES else -1


def kill_again_and_again(miniature: Miniature, blows: list[Blow], struck: list[Struck], whole: Miniature) -> None:
    """Every blow in an attempt of its own, then one attempt to the end; what came of each is added to `struck`.

    How much work a job is the whole run tells.
    """
    for blow in blows:
        attempt = miniature.start()
        latest = _deliver(miniature, attempt, blow, whole)
        _follow(miniature, struck, attempt)
        struck.append(latest)
    _follow(miniature, struck, miniature.finish())


def _deliver(miniature: Miniature, attempt: Attempt, blow: Blow, whole: Miniature) -> Struck:
    while True:
        job = _await(miniature, attempt, blow, whole)
        told = _list_epochs(miniature, job) if job else None
        log = job.log.relative_to(miniature.root.resolve()) if job and told else None
        try:
            strike(attempt.process.pid, job, blow.victim)
            break
        except GoneError:
            continue  # it ended by itself between being seen and the blow: the next of its kind
    if blow.victim in (SCHEDULER, EVERYTHING):
        attempt.process.wait()
    elif attempt.wait() == 0:
        raise TrustError(f"{attempt.said_in}: {job and job.rule} was killed and the run ends as if nothing were wrong")
    kept = _count_kept(told, whole.root / log) if log and told else 0
    return Struck(blow, job.rule if job else "none yet", log, attempt.planned, kept)


def _await(miniature: Miniature, attempt: Attempt, blow: Blow, whole: Miniature) -> Seen | None:
    if blow.where == TRAINING:
        return _await_epochs(miniature, attempt, blow.after)
    return _await_jobs(attempt, blow) if blow.where == ANYWHERE else _await_work(attempt, blow, whole)


def _count_kept(told: list[int], undisturbed: Path) -> int:
    """Epochs that the file to go on from surely held when a training had told these.

    An epoch is told before it is kept, so the last one may be lost. A training of several networks, as its log in the
    undisturbed run shows, goes on with the first epoch of the next one: of those nothing is sure.
    """
    return told[-1] - 1 if undisturbed.is_file() and _epochs_in(undisturbed).count(1) == 1 else 0


def _await_epochs(miniature: Miniature, attempt: Attempt, number: int) -> Seen:
    """A living training that has told so many epochs."""
    found: list[Seen] = []

    def there() -> bool:
        found[:] = [job for job in attempt.jobs() if len(_list_epochs(miniature, job) or ()) >= number]
        return bool(found)

    if not attempt.wait_until(there):
        raise TrustError(f"{attempt.said_in}: it ended before a training had told {number} epochs")
    return found[0]


def _await_jobs(attempt: Attempt, blow: Blow) -> Seen | None:
    if not attempt.wait_until(lambda: attempt.started >= blow.after):
        raise TrustError(f"{attempt.said_in}: it ended before {blow.after} jobs had begun")
    time.sleep(blow.delay_s)
    found: list[Seen] = []

    def there() -> bool:
        found[:] = [job for job in attempt.jobs() if blow.victim != WORKER or find_workers(job)]
        # Between two jobs there is none for a moment.
        return bool(found) or blow.victim in (SCHEDULER, EVERYTHING)

    if not attempt.wait_until(there):
        raise TrustError(f"{attempt.said_in}: it ended before a {blow.victim} could be killed")
    return found[0] if found else None


def _await_work(attempt: Attempt, blow: Blow, whole: Miniature) -> Seen:
    """A job of the rule that has done its part of the work; of a later one where the attempt has none of that rule."""
    attempt.wait_until(lambda: attempt.rules)
    for rule in RULES[RULES.index(blow.where) :]:
        least_s, found, seen = blow.done * whole.read_cost_s(rule), [], set()

        def there(rule=rule, least_s=least_s, found=found, seen=seen) -> bool:
            living = [job for job in attempt.jobs() if job.stage == rule]
            seen.update(living)
            found[:] = [job for job in living if (read_processor_s(job) or 0.0) >= least_s]
            gone = len(seen) >= attempt.rules[rule] and not living
            return bool(found) or gone

        if attempt.rules.get(rule) and attempt.wait_until(there) and found:
            return found[0]
    raise TrustError(f"{attempt.said_in}: it ended before a job could be killed in {blow.where} or behind it")


def _list_epochs(miniature: Miniature, job: Seen) -> list[int] | None:
    """Epochs that a living training has told; None for other jobs, and for one that has ended meanwhile."""
    if job.stage != TRAINING:
        return None
    try:
        return _epochs_in(miniature.root / job.log)
    except OSError:
        return None


def _epochs_in(log: Path) -> list[int]:
    return [int(number) for number in re.findall(r"^epoch (\d+) of", log.read_text(errors="replace"), re.MULTILINE)]


def _follow(miniature: Miniature, struck: list[Struck], attempt: Attempt) -> None:
    """Note what an attempt has made of what was struck before it."""
    for one in struck:
        # An attempt that fell while it was planning has told nothing.
        one.planned = one.planned or attempt.planned
        # Until the job is begun again its log is that of what was struck, to which an orphan may still write.
        if one.log and not one.resumed and str(one.log) in attempt.said:
            log = miniature.root / one.log
            # Snakemake removes the log of a job that failed; the next attempt at it makes a new one.
            epochs = _epochs_in(log) if log.is_file() and log.stat().st_mtime > attempt.begun_at else []
            if epochs:
                one.resumed = f"training goes on with epoch {epochs[0]}" if epochs[0] > 1 else ANEW


def find_survivors(miniature: Miniature) -> list[str]:
    """Processes of a run that has ended."""
    until = time.monotonic() + ALONE_S
    while (living := see_in(miniature.root)) and time.monotonic() < until:
        time.sleep(0.2)
    return [f"process {one.pid} has outlived its run: {' '.join(one.words[:6])}" for one in living]


def judge(miniature: Miniature, whole: Miniature) -> list[str]:
    """All that a run which was disturbed should not show."""
    wrong = find_differences(whole.root, miniature.root) + find_survivors(miniature)
    said = miniature.all_said()
    if "Traceback" in said:
        wrong.append("a traceback among what was printed")
    if "--unlock" in said:
        wrong.append("a lock that somebody has to take away")
    return wrong
