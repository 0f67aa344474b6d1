"""What the dashboard's server shows of a store, before and after its folder has moved."""

import json
import urllib.request
from pathlib import Path

import pytest
from tracking_fixtures import Pipeline, make_pipeline
from tracking_server import find_free_port, serve

from handbench.training.tracking import open_run, read_tracked


def list_artifacts(port: int, run_id: str) -> dict[str, int]:
    address = f"http://127.0.0.1:{port}/ajax-api/2.0/mlflow/artifacts/list?run_id={run_id}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        return {file["path"]: file["file_size"] for file in json.load(answer).get("files", [])}


def fetch_artifact(port: int, run_id: str, path: str) -> bytes:
    address = f"http://127.0.0.1:{port}/get-artifact?run_uuid={run_id}&path={path}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read()


def test_the_dashboard_shows_artifacts_before_and_after_a_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    pipeline = make_pipeline(tmp_path / "here")
    folder = pipeline.folder()
    with open_run(folder, experiment="crossing", name="x", params={}, tags={}, call=pipeline.call) as run:
        (folder / "note.txt").write_text("made\n")
        run.log_file(folder / "note.txt")
    (tracked,) = pipeline.read()
    port = find_free_port()
    with serve(pipeline.results / "mlflow", port):
        assert list_artifacts(port, tracked.run.run_id) == {"note.txt": 5}
    moved = Pipeline(tmp_path / "there" / "results")
    (tmp_path / "there").mkdir()
    pipeline.results.rename(moved.results)
    with serve(moved.results / "mlflow", port):
        assert list_artifacts(port, tracked.run.run_id) == {"note.txt": 5}
        assert fetch_artifact(port, tracked.run.run_id, "note.txt") == b"made\n"
        # A job that sends to the server instead leaves its artifacts in the same place.
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        with open_run(moved.folder(1), experiment="crossing", name="y", params={}, tags={}, call=moved.call) as run:
            (moved.folder(1) / "note.txt").write_text("more\n")
            run.log_file(moved.folder(1) / "note.txt")
        assert len(read_tracked(f"http://127.0.0.1:{port}", tags={"stage": "train"})) == 2
    assert len(list((moved.results / "mlflow/artifacts/crossing").rglob("note.txt"))) == 2
