"""Results folders with a store, jobs in processes of their own, and what the store then holds."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from handbench.provenance import write_call
from handbench.training.tracking import Tracked, create_store, find_uri, open_run, read_tracked

SETTINGS = {"scale": "demo", "source": "embedded"}
JOB = """
import sys
from pathlib import Path
from handbench.training.tracking import open_run
folder, call, epochs, metrics = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with open_run(folder, experiment="crossing", name="job", params={"width": 8}, tags={"paper": "crossing"},
              call=Path(call) if call else None) as run:
    for epoch in range(epochs):
        run.log({f"loss/{key}": epoch + key / 100 for key in range(metrics)}, epoch)
        print(epoch, flush=True)
        if "wait" in sys.argv:
            sys.stdin.readline()
print("done", flush=True)
"""


@dataclass(frozen=True)
class Pipeline:
    """A results folder with one workflow call."""

    results: Path

    @property
    def run(self) -> Path:
        return self.results / "demo-embedded"

    @property
    def call(self) -> Path:
        return self.run / "call.json"

    def folder(self, seed: int = 0, module: str = "nn_search", stage: str = "train") -> Path:
        return self.run / stage / "nyu" / module / f"seed{seed}"

    def begin_call(self) -> None:
        write_call(self.run, SETTINGS, ["snakemake", "--cores", "2"])

    def read(
        self, *, stage: str = "train", status: str | None = "FINISHED", history: tuple[str, ...] = ()
    ) -> list[Tracked]:
        uri, results_id = find_uri(self.results)
        return list(read_tracked(uri, tags={"stage": stage}, status=status, results_id=results_id, history=history))

    def read_all(self, condition: str, experiment: str = "crossing") -> list:
        """Runs whether current or not, through MLflow's own client."""
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=find_uri(self.results)[0])
        found = client.get_experiment_by_name(experiment)
        return list(client.search_runs([found.experiment_id], condition))


def make_pipeline(folder: Path, template: Path | None = None) -> Pipeline:
    """A results folder with a store; `template` is one to copy, which is quicker than to make it."""
    results = folder / "results"
    if template is None:
        assert create_store(results).available
    else:
        shutil.copytree(template, results)
    pipeline = Pipeline(results)
    pipeline.begin_call()
    return pipeline


def start_job(
    folder: Path, call: Path | None, *, epochs: int = 2, metrics: int = 3, wait: bool = False, **environment: str
) -> subprocess.Popen[str]:
    """A job that logs so many epochs; with `wait` it goes on to the next when a line comes."""
    command = [sys.executable, "-c", JOB, str(folder), str(call or ""), str(epochs), str(metrics)]
    return subprocess.Popen(
        command + ["wait"] * wait,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


def go_on(job: subprocess.Popen[str]) -> None:
    """Let a waiting job log its next epoch, and wait until it has."""
    assert job.stdin
    assert job.stdout
    job.stdin.write("\n")
    job.stdin.flush()
    job.stdout.readline()


def run_job(folder: Path, call: Path | None, **settings: int) -> str:
    """Run a job to its end; returns what it said on stderr."""
    job = start_job(folder, call, **settings)
    out, said = job.communicate(timeout=60)
    assert job.returncode == 0, said
    assert out.splitlines()[-1] == "done", "MLflow prints among what the job prints"
    return said


def log_run(pipeline: Pipeline, seed: int = 0, *, epochs: int = 2, live: bool = True) -> Path:
    """A job of this process with two metrics and a file."""
    folder = pipeline.folder(seed)
    params = {"width": 8, "augment": True}
    with open_run(
        folder, experiment="crossing", name="x", params=params, tags={"a": "b"}, call=pipeline.call, live=live
    ) as run:
        for epoch in range(epochs):
            run.log({"loss": 1 / (epoch + 1), "error_mm": 20.0 - epoch}, epoch)
        (folder / "note.txt").write_text("made\n")
        run.log_file(folder / "note.txt")
    return folder


def forget_connections() -> None:
    """As another process would, look at the database that now has this name."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    for engine in SqlAlchemyStore._engine_map.values():
        engine.dispose()
