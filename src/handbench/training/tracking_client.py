"""What this project asks of a tracking store, in its own words; the client itself comes from tracking.py."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handbench.training.tracking_store import EXPERIMENTS, Store, is_server

MOST_POINTS, MOST_PARAMS = 1000, 100
"""What MLflow takes in one call."""
LONGEST_PARAM, LONGEST_TAG = 6000, 8000
PROXIED = "mlflow-artifacts:"
"""Artifacts lie where the server of the moment keeps them: the one address that a moved folder does not break."""
ACTIVE_RUNS, ALL_RUNS = 1, 3
"""MLflow's numbers for the runs that its dashboard lists, and for those and the bin together."""
Point = tuple[str, float, int, int]
"""Key, value, step, time in milliseconds."""


@dataclass(frozen=True)
class Found:
    """A run as the store has it."""

    run_id: str
    name: str
    status: str
    started_ms: int
    ended_ms: int
    """0 while it runs."""
    deleted: bool
    """Somebody has removed it in the dashboard, which keeps it in a bin."""
    artifacts: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    """The last value of each."""


MOST_EXPERIMENTS = 1000
"""One page of them."""


class Tracker:
    """What this project asks of MLflow, in its own words."""

    def __init__(
        self, store: Store, client: Any, make_metric: Callable[..., Any], make_param: Callable[..., Any]
    ) -> None:
        self.store = store
        self.client = client
        self._make_metric = make_metric
        self._make_param = make_param
        self._experiments = dict(store.experiments)

    def find_experiment(self, name: str) -> str:
        """The id of an experiment, made where it is missing.

        Never `set_experiment`: of several processes that use it at once some log under Default, silently.
        """
        if name not in self._experiments:
            self._experiments[name] = self._make_experiment(name)
        return self._experiments[name]

    def list_experiments(self) -> dict[str, str]:
        return {name: self.find_experiment(name) for name in EXPERIMENTS}

    def list_all(self) -> list[str]:
        """Ids of all experiments there are: a paper that is added here has one of its own, by its word."""
        return [known.experiment_id for known in self.client.search_experiments(max_results=MOST_EXPERIMENTS)]

    def _make_experiment(self, name: str) -> str:
        # A server knows its own place. Through this address it serves what lies beside a database as well.
        location = None if is_server(self.store.uri) else f"{PROXIED}/{name}"
        known = self.client.get_experiment_by_name(name)
        if known is None:
            try:
                return self.client.create_experiment(name, artifact_location=location)
            except Exception:
                known = self.client.get_experiment_by_name(name)  # another process was quicker
                if known is None:
                    raise
        if known.lifecycle_stage == "deleted":
            self.client.restore_experiment(known.experiment_id)
        return known.experiment_id

    def ping(self) -> None:
        """Fails where the store does not answer."""
        self.client.search_experiments(max_results=1)

    def create(self, experiment: str, name: str, started_ms: int, tags: Mapping[str, str]) -> str:
        cut = {key: value[:LONGEST_TAG] for key, value in tags.items()}
        run = self.client.create_run(experiment, start_time=started_ms, tags=cut, run_name=name)
        return run.info.run_id

    def find(self, experiments: Sequence[str], condition: str, *, view: int = ACTIVE_RUNS) -> list[Found]:
        """Runs that meet a condition in MLflow's own words, newest first."""
        found: list[Found] = []
        token = None
        while True:
            page = self.client.search_runs(
                list(experiments),
                condition,
                run_view_type=view,
                max_results=1000,
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            found += [_describe(run) for run in page]
            token = page.token
            if not token:
                return found

    def read(self, run_id: str) -> Found:
        return _describe(self.client.get_run(run_id))

    def has(self, run_id: str) -> bool:
        """Whether there is such a run; an exception where the store does not answer."""
        try:
            self.read(run_id)
        except Exception as error:
            if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def read_history(self, run_id: str, key: str) -> list[tuple[int, float]]:
        """Step and value of everything that was logged under a key, by step."""
        history = self.client.get_metric_history(run_id, key)
        return sorted((point.step, point.value) for point in history)

    def log(self, run_id: str, points: Sequence[Point] = (), params: Mapping[str, str] | None = None) -> None:
        """Metrics and parameters in as few calls as MLflow allows; what it has already, it does not take twice."""
        metrics = [self._make_metric(key, value, time_ms, step) for key, value, step, time_ms in points]
        words = [self._make_param(key, value[:LONGEST_PARAM]) for key, value in (params or {}).items()]
        for first in range(0, len(metrics), MOST_POINTS):
            self.client.log_batch(run_id, metrics=metrics[first : first + MOST_POINTS])
        for first in range(0, len(words), MOST_PARAMS):
            self.client.log_batch(run_id, params=words[first : first + MOST_PARAMS])

    def tag(self, run_id: str, key: str, value: str) -> None:
        self.client.set_tag(run_id, key, value)

    def end(self, run_id: str, status: str, time_ms: int) -> None:
        self.client.set_terminated(run_id, status, time_ms)

    def log_file(self, run_id: str, path: Path, inside: str) -> None:
        """An artifact; `inside` is its folder within the run's."""
        place = self.read(run_id).artifacts
        if is_server(self.store.uri) or not place.startswith(PROXIED):
            self.client.log_artifact(run_id, str(path), inside or None)
            return
        folder = self.store.artifacts / place.removeprefix(PROXIED).lstrip("/") / inside
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{path.name}.{os.getpid()}.part"
        try:
            shutil.copyfile(path, partial)
            partial.replace(folder / path.name)
        finally:
            partial.unlink(missing_ok=True)


def _describe(run: Any) -> Found:
    info, data = run.info, run.data
    return Found(
        info.run_id,
        info.run_name,
        info.status,
        info.start_time,
        info.end_time or 0,
        info.lifecycle_stage == "deleted",
        info.artifact_uri,
        data.params,
        data.tags,
        data.metrics,
    )
