"""What several processes do to one store at once, what MLflow says to the world, and whole models."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tracking_fixtures import JOB, Pipeline, make_pipeline, start_job

from handbench.training.tracking import open_run, send_unsent
from handbench.training.tracking_store import EXPERIMENTS

EPOCHS, METRICS, JOBS = 10, 20, 8


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_pipeline(tmp_path)


def test_eight_jobs_at_once_lose_nothing(pipeline: Pipeline) -> None:
    jobs = [start_job(pipeline.folder(seed), pipeline.call, epochs=EPOCHS, metrics=METRICS) for seed in range(JOBS)]
    ends = [job.communicate(timeout=120) for job in jobs]
    assert [job.returncode for job in jobs] == [0] * JOBS
    assert [said for _, said in ends] == [""] * JOBS
    history = tuple(f"loss/{key}" for key in range(METRICS))
    runs = pipeline.read(history=history)
    assert {tracked.run.tags["seed"] for tracked in runs} == {str(seed) for seed in range(JOBS)}
    wanted = {f"loss/{key}": [(epoch, epoch + key / 100) for epoch in range(EPOCHS)] for key in range(METRICS)}
    assert all(tracked.histories == wanted for tracked in runs)
    (parent,) = pipeline.read_all("", "workflow")
    assert {tracked.run.tags["mlflow.parentRunId"] for tracked in runs} == {parent.info.run_id}
    assert str(send_unsent(pipeline.results)) == f"0 sent, {JOBS} sent before, 0 failed"


def test_two_that_make_the_store_at_once_make_one(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from handbench.training.tracking import create_store\n"
    code += "print(create_store(Path(sys.argv[1])).id)"
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    (one, said), (two, also) = [maker.communicate(timeout=60) for maker in makers]
    assert (said, also, one) == ("", "", two)
    database = sqlite3.connect(tmp_path / "mlflow/mlflow.db")
    names = {name for (name,) in database.execute("SELECT name FROM experiments")}
    assert names == {*EXPERIMENTS, "Default"}


def test_nothing_is_sent_to_anyone_else(pipeline: Pipeline) -> None:
    watch = """
import socket, sys
def refuse(self, address):
    if self.family != socket.AF_UNIX:
        print("connects to", address, file=sys.stderr, flush=True)
    raise OSError("no network")
socket.socket.connect = socket.socket.connect_ex = refuse
def lookup(*words, **more):
    print("looks up", words, file=sys.stderr, flush=True)
    raise OSError("no network")
socket.getaddrinfo = lookup
"""
    code = f"{watch}\nsys.argv[1:] = {[str(pipeline.folder()), str(pipeline.call), '2', '2']!r}\n{JOB}\n"
    code += f"from handbench.training.tracking import *\nclose_call(Path({str(pipeline.call)!r}), 'FINISHED')\n"
    code += f"create_store(Path({str(pipeline.results)!r})); send_unsent(Path({str(pipeline.results)!r}))\n"
    code += "import time; time.sleep(0.5)\n"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(pipeline.results)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(pipeline.read()) == 1


def test_a_whole_model_only_where_it_is_asked_for(pipeline: Pipeline) -> None:
    import torch

    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3)).eval()
    example = np.zeros((2, 1, 4, 4), np.float32)
    folder = pipeline.folder()
    with open_run(folder, experiment="crossing", name="x", params={}, tags={}, call=pipeline.call) as run:
        run.log_model(torch.nn.Flatten(), example)
        run.log_model(model, example)
    (description,) = (pipeline.results / "mlflow/artifacts").rglob("model/MLmodel")
    assert "signature" in description.read_text()
    import mlflow.pytorch

    loaded = mlflow.pytorch.load_model(str(description.parent))
    found = loaded(torch.ones(2, 1, 4, 4)).detach().numpy()
    np.testing.assert_allclose(found, model(torch.ones(2, 1, 4, 4)).detach().numpy(), rtol=1e-6)
