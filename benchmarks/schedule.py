"""What a graph of jobs takes: in all, along its longest path, and on so many machines by list scheduling."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    """One job of the graph."""

    name: str
    seconds: float
    after: tuple[str, ...] = ()
    uses: Mapping[str, float] = field(default_factory=dict)
    """How much of each resource it holds from its beginning to its end."""


def count_use(jobs: Sequence[Job], resource: str) -> float:
    """Resource seconds of all jobs."""
    return sum(job.seconds * job.uses.get(resource, 0.0) for job in jobs)


def find_critical_path(jobs: Sequence[Job]) -> tuple[float, list[str]]:
    """The longest way through the graph: no number of machines is faster."""
    known, ahead = {job.name: job for job in jobs}, measure_ahead(jobs)
    followers = _list_followers(jobs)
    first = max((job.name for job in jobs if not job.after), key=lambda name: ahead[name])
    path = [first]
    while followers[path[-1]]:
        path.append(max(followers[path[-1]], key=lambda name: ahead[name]))
    return sum(known[name].seconds for name in path), path


def measure_ahead(jobs: Sequence[Job]) -> dict[str, float]:
    """From the beginning of each job to the end of the longest path behind it."""
    followers = _list_followers(jobs)
    ahead: dict[str, float] = {}
    for job in reversed(sort_jobs(jobs)):
        ahead[job.name] = job.seconds + max((ahead[one] for one in followers[job.name]), default=0.0)
    return ahead


def sort_jobs(jobs: Sequence[Job]) -> list[Job]:
    """Each behind all that it waits for."""
    known, followers = {job.name: job for job in jobs}, _list_followers(jobs)
    waits = Counter({job.name: len(job.after) for job in jobs})
    ready = [job.name for job in jobs if not job.after]
    done = []
    while ready:
        done.append(known[ready.pop()])
        for name in followers[done[-1].name]:
            waits[name] -= 1
            if not waits[name]:
                ready.append(name)
    if len(done) < len(jobs):
        raise ValueError("the jobs wait for one another in a circle")
    return done


def schedule(jobs: Sequence[Job], capacity: Mapping[str, float]) -> dict[str, float]:
    """When each job begins: whenever something is free, the ready job with the longest path behind it that fits."""
    known, followers, ahead = {job.name: job for job in jobs}, _list_followers(jobs), measure_ahead(jobs)
    for job in jobs:
        wrong = [name for name, used in job.uses.items() if used > capacity.get(name, 0.0)]
        if wrong:
            raise ValueError(f"{job.name} asks for {job.uses[wrong[0]]:g} {wrong[0]}, of which there are fewer")
    free, waits = dict(capacity), Counter({job.name: len(job.after) for job in jobs})
    ready = sorted((job.name for job in jobs if not job.after), key=lambda name: -ahead[name])
    running: list[tuple[float, str]] = []
    begun: dict[str, float] = {}
    now = 0.0
    while ready or running:
        left = []
        for name in ready:
            uses = known[name].uses
            if all(used <= free[one] + 1e-9 for one, used in uses.items()):
                free |= {one: free[one] - used for one, used in uses.items()}
                begun[name] = now
                heapq.heappush(running, (now + known[name].seconds, name))
            else:
                left.append(name)
        now, ended = heapq.heappop(running)
        free |= {one: free[one] + used for one, used in known[ended].uses.items()}
        new = []
        for name in followers[ended]:
            waits[name] -= 1
            if not waits[name]:
                new.append(name)
        ready = sorted([*left, *new], key=lambda name: -ahead[name]) if new else left
    return begun


def measure_makespan(jobs: Sequence[Job], capacity: Mapping[str, float]) -> float:
    """From the first job's beginning to the last one's end."""
    return find_end(jobs, schedule(jobs, capacity))


def find_end(jobs: Sequence[Job], begun: Mapping[str, float]) -> float:
    return max(begun[job.name] + job.seconds for job in jobs)


def measure_peak(jobs: Sequence[Job], begun: Mapping[str, float], resource: str) -> float:
    """The most of a resource that is held at once."""
    changes = [(begun[job.name], job.uses.get(resource, 0.0)) for job in jobs]
    changes += [(begun[job.name] + job.seconds, -job.uses.get(resource, 0.0)) for job in jobs]
    held = peak = 0.0
    # At one moment what ends gives back before what begins takes.
    for _, change in sorted(changes):
        held += change
        peak = max(peak, held)
    return peak


def _list_followers(jobs: Sequence[Job]) -> dict[str, list[str]]:
    followers: dict[str, list[str]] = defaultdict(list)
    for job in jobs:
        for one in job.after:
            followers[one].append(job.name)
    return followers
