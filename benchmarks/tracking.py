"""Telling the tracking store: a batch as the project sends it, against MLflow's own call for each metric."""

import atexit
import os
import shutil
from contextlib import ExitStack
from itertools import count

from benchmarks.frames import scratch_folder
from benchmarks.harness import DisagreementError, Race, make_race
from benchmarks.rows import Row
from handbench.provenance import write_call
from handbench.training.tracking import create_store, find_uri, open_run

METRICS = 100
VARIABLE = "MLFLOW_TRACKING_URI"


def prepare_metrics() -> Race:
    """One epoch of 100 metrics to a new run of one database; both write to the disk before they return."""
    os.environ.pop(VARIABLE, None)  # nobody's server is the place for this
    results = scratch_folder() / "tracking"
    shutil.rmtree(results, ignore_errors=True)
    run = results / "demo-embedded"
    write_call(run, {"scale": "demo", "source": "embedded"}, ["benchmark"])
    store = create_store(results)
    if not store.available:
        raise RuntimeError("no tracking store for the benchmark")
    # Only after the store was made: importing MLflow first would leave its telemetry on.
    import mlflow

    uri, _ = find_uri(results)
    mlflow.set_tracking_uri(uri)
    os.environ.pop(VARIABLE, None)  # set by the line above, for whatever runs after this row
    client = mlflow.MlflowClient()
    stack = ExitStack()
    ours = stack.enter_context(
        open_run(run / "train", experiment="crossing", name="ours", params={}, tags={}, call=run / "call.json")
    )
    # Named outright, log_metric would look the run up at every call and be three times slower.
    stack.enter_context(mlflow.start_run(experiment_id=store.experiments["crossing"]))
    atexit.register(stack.close)
    steps, peer_steps = count(), count()
    metrics = {f"metric/{key}": key + 0.5 for key in range(METRICS)}

    def log_batch() -> None:
        ours.log(metrics, next(steps))

    def log_each() -> None:
        step = next(peer_steps)
        for key, value in metrics.items():
            mlflow.log_metric(key, value, step=step)

    def check() -> None:
        log_batch()
        log_each()
        found = [run.data.metrics for run in client.search_runs([store.experiments["crossing"]])]
        if found != [metrics, metrics]:
            raise DisagreementError(f"the store holds {[len(one) for one in found]} metrics of {METRICS}")

    return make_race(log_batch, log_each, METRICS, check)


ROWS = (
    Row(
        "tracking",
        f"tracking {METRICS} metrics: file and batch",
        "mlflow.log_metric for each",
        prepare_metrics,
        20.0,
        50.0,
        batch=METRICS,
        precision="float64",
        needs=("mlflow",),
    ),
)
