"""A real server that is killed, comes back, and hangs: the job goes on, and nothing is lost or sent twice."""

import os
import signal
import time
from pathlib import Path

import pytest
from tracking_fixtures import Pipeline, go_on, make_pipeline, run_job, start_job
from tracking_server import find_free_port, kill, serve

from handbench.training.tracking import close_call, create_store, send_unsent

EPOCHS = 4


def test_a_server_that_is_killed_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    theirs = make_pipeline(tmp_path / "server").results / "mlflow"
    port = find_free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    pipeline = Pipeline(tmp_path / "results")
    pipeline.begin_call()
    with serve(theirs, port) as server:
        assert create_store(pipeline.results).available
        job = start_job(pipeline.folder(), pipeline.call, epochs=EPOCHS, wait=True)
        assert job.stdout
        job.stdout.readline()
        go_on(job)
        kill(server)
        start = time.monotonic()
        go_on(job)
        go_on(job)
        out, said = job.communicate("\n", timeout=30)
        assert time.monotonic() - start < 10
        assert (job.returncode, out, len(said.splitlines())) == (0, "done\n", 1), said
        assert "onnection" in said, "refused or reset, as the kill came"
    close_call(pipeline.call, "FINISHED")
    assert capfd.readouterr().out == ""
    with serve(theirs, port) as server:
        send_unsent(pipeline.results)
        assert str(send_unsent(pipeline.results)) == "0 sent, 1 sent before, 0 failed"
        (tracked,) = pipeline.read(history=("loss/0", "loss/2"))
        assert tracked.histories["loss/2"] == [(epoch, epoch + 0.02) for epoch in range(EPOCHS)]
        assert len(pipeline.read_all("")) == 1
        assert [run.info.status for run in pipeline.read_all("", "workflow")] == ["FINISHED"]
        assert run_job(pipeline.folder(1), pipeline.call) == ""
        assert capfd.readouterr().out == ""
        os.killpg(server.pid, signal.SIGSTOP)  # it hangs: the connection stands, no answer comes
        start = time.monotonic()
        assert len(run_job(pipeline.folder(2), pipeline.call).splitlines()) == 1
        assert time.monotonic() - start < 12
